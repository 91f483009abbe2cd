"""Sources as nearest neighbours: how well each looks for a target, and the present algebra on the best-looking ones.

A query tells from a target's few labelled pictures how well each of k sources looks. The best-looking c become the
sources of an ordinary ``Task``, in which a batch of targets stands where the splits of one target stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tlbench.datasets import TaskRows
from tlbench.methods.kernels import Linear
from tlbench.methods.least_squares_svm import class_balance, factorise
from tlbench.methods.source_weights import LeaveOneOut, ball_weights, leave_one_out, scalar_weights
from tlbench.studies.sources.source_task import Task

from .internet_scale_world import C, Floats, Targets, World

Integers = NDArray[np.int64]
SHOTS, NEGATIVES, TEST = (1, 3, 5, 10), 10, 50
AT_ONCE = 10
"""Targets whose leave-one-out terms with all sources are held at once."""


@dataclass(frozen=True)
class Question:
    """A batch of targets of a world, each at every shot count of ``SHOTS``."""

    world: World
    targets: Targets

    @cached_property
    def task(self) -> Task:
        """The machines of the targets, with no source to lean on."""
        count, size, _ = self.targets.train.shape
        place = np.arange(size)
        used = np.broadcast_to(place < NEGATIVES + np.array(SHOTS)[:, None], (count, len(SHOTS), size))
        labels = np.where(used, np.where(place < NEGATIVES, -1.0, 1.0), 0.0)
        balance = class_balance(labels, used)
        kernel = Linear()
        train = np.stack([kernel(own, own) for own in self.targets.train])[:, None]
        test = np.stack([kernel(x, own) for x, own in zip(self.targets.test, self.targets.train, strict=True)])
        nobody = np.zeros((count, 0), dtype=np.intp)
        return Task(
            rows=TaskRows("", {}, nobody, nobody, self.targets.test.shape[1] // 2),
            sources=None,  # nothing here asks for them
            shots=SHOTS,
            C=C,
            labels=labels,
            scores=np.zeros((*labels.shape, 0)),
            balance=balance,
            machines=factorise(np.broadcast_to(train, (*labels.shape, size)), balance, C, used),
            train_kernel=train,
            test_kernel=test[:, None],
            test_scores=np.zeros((count, 1, self.targets.test.shape[1], 0)),
        )

    def leaning_on(self, candidates: Integers) -> Task:
        """The task with the sources ``candidates`` (t, H, c), others at every shot count."""
        return self.leaning_on_planes(self.world.hyperplanes[candidates], self.world.biases[candidates])

    def leaning_on_planes(self, planes: Floats, biases: Floats) -> Task:
        """The task with hyperplanes (t, H, c, d) and biases (t, H, c) as its sources."""
        across = np.swapaxes(planes, -1, -2)
        scores = self.targets.train[:, None] @ across + biases[:, :, None]
        return replace(
            self.task,
            scores=scores * (self.task.labels != 0)[..., None],
            test_scores=self.targets.test[:, None] @ across + biases[:, :, None],
        )

    def leaning_on_span(self) -> Task:
        """The task with all k sources, as N orthonormal mixtures of them: exact for weights of either sign in the ball.

        f depends on β through Gβ alone, and of all β with the same Gβ the shortest lies in the span of G's rows.
        """
        scores = self.targets.train @ self.world.hyperplanes.T + self.world.biases
        planes, biases = [], []
        for number in range(len(scores)):
            terms = self._terms(slice(number, number + 1), scores)
            mixtures = np.linalg.qr(np.swapaxes(terms.influence[0], -1, -2))[0]  # (H, k, N)
            planes.append(np.swapaxes(mixtures, -1, -2) @ self.world.hyperplanes)
            biases.append(np.swapaxes(mixtures, -1, -2) @ self.world.biases)
        return self.leaning_on_planes(np.stack(planes), np.stack(biases))

    # Queries: how well each source looks, (t, H, k).

    @cached_property
    def keys(self) -> Floats:
        """Hyperplanes of length one, (k, d)."""
        return self.world.hyperplanes / np.linalg.norm(self.world.hyperplanes, axis=1, keepdims=True)

    def own_hyperplane(self) -> Floats:
        """Cosine with the hyperplane of the target alone."""
        return (self.task.machines.dual(self.task.labels) @ self.targets.train) @ self.keys.T

    def class_mean(self) -> Floats:
        """Distance of the positives' mean from the background's mean, along the source's hyperplane."""
        return (self._means - self.world.background.mean(axis=0)) @ self.keys.T

    def nearest_mean(self) -> Floats:
        """Less the squared distance of the positives' mean from the source's own (its centre, as if known exactly)."""
        own = self.world.source_centres
        return 2.0 * self._means @ own.T - np.einsum("kd,kd->k", own, own)

    def correlation(self) -> Floats:
        """Correlation of the source's scores with the labels, both classes weighing the same."""
        scores = self.targets.train @ self.keys.T
        weight = np.where(self.task.labels != 0, self.task.balance, 0.0)
        weight /= weight.sum(axis=-1, keepdims=True)
        mean = weight @ scores
        spread = np.sqrt(np.maximum(weight @ scores**2 - mean**2, 1e-12))
        return (weight * self.task.labels) @ scores / spread

    def left_out(self) -> Floats:
        """Less the bound on the leave-one-out error of the source alone; of equal bounds the smaller weight wins."""
        scores = self.targets.train @ self.world.hyperplanes.T + self.world.biases
        looks = []
        for start in range(0, len(scores), AT_ONCE):
            weights, bound = scalar_weights(self._terms(slice(start, start + AT_ONCE), scores))
            looks.append(-bound - 1e-6 * weights)
        return np.concatenate(looks)

    def truth(self) -> Floats:
        """Less the squared distance of the centres: nobody can know it."""
        own = self.world.source_centres
        looks = 2.0 * self.targets.centres @ own.T - np.einsum("kd,kd->k", own, own)
        return np.repeat(looks[:, None], len(SHOTS), axis=1)

    @property
    def _means(self) -> Floats:
        """Mean of the first positives, (t, H, d)."""
        positives = self.targets.train[:, NEGATIVES:]
        return np.stack([positives[:, :shots].mean(axis=1) for shots in SHOTS], axis=1)

    def _terms(self, some: slice, scores: Floats) -> LeaveOneOut:
        labels = self.task.labels[some]
        seen = scores[some, None] * (labels != 0)[..., None]
        machines = replace(self.task.machines, P=self.task.machines.P[some], bias_row=self.task.machines.bias_row[some])
        return leave_one_out(machines, labels, seen, self.task.balance[some])


QUERIES: Mapping[str, Callable[[Question], Floats]] = {
    "its own hyperplane": Question.own_hyperplane,
    "class mean": Question.class_mean,
    "nearest mean": Question.nearest_mean,
    "correlation": Question.correlation,
    "leave-one-out": Question.left_out,
}


def nearest(looks: Floats, count: int) -> Integers:
    """The ``count`` best-looking sources, (…, count), the best first."""
    if count < looks.shape[-1]:
        some = np.argpartition(looks, looks.shape[-1] - count, axis=-1)[..., -count:]
    else:
        some = np.broadcast_to(np.arange(looks.shape[-1]), looks.shape)
    order = np.argsort(-np.take_along_axis(looks, some, axis=-1), axis=-1, kind="stable")
    return np.take_along_axis(some, order, axis=-1)


@dataclass(frozen=True)
class Scored:
    """In percent, (t, H): what leave-one-out promised, balanced accuracy, and area under the ROC curve, on the test."""

    promised: Floats
    accuracy: Floats
    area: Floats


def lean(task: Task, nonnegative: bool = True) -> Scored:
    """The present algebra, all of it: β by leave-one-out in the unit ball, and what the machine then decides."""
    return scored(task, ball_weights(task.leave_one_out, "l2", nonnegative))


def scored(task: Task, weights: Floats) -> Scored:
    """What the machine with weights (t, H, c) was promised to do and does."""
    decisions = task.decisions(weights)
    positives = task.rows.test_positives
    above = decisions[..., :positives, None] > decisions[..., None, positives:]
    terms = task.leave_one_out
    right = terms.residual - (terms.influence @ weights[..., None])[..., 0] < 1.0
    shares = [np.mean(right, axis=-1, where=task.labels == label) for label in (-1.0, 1.0)]
    return Scored(50.0 * (shares[0] + shares[1]), task.score(decisions), 100.0 * above.mean((-1, -2)))
