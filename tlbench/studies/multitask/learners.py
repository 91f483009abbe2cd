"""How several tasks are learned: each alone, all as one, with relations that are learned or known; one budget for all.

Every learner has the same number of candidates for its strengths, and takes the one with the least squared error on
training examples that are held out by turns, averaged over tasks. The test set enters nothing but the final score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...methods.task_relationships import (
    Tasks,
    best_relationship,
    correlations,
    coupling,
    fold_tasks,
    intercepts,
    learn_relationships,
    solve_coupled,
    stack_tasks,
)
from .task_samples import Sample

Floats = NDArray[np.float64]


class Strengths(NamedTuple):
    """Candidates: λ of one penalty; λ₁ and λ₂ of two, each pair of them."""

    alone: Sequence[float]
    lambda_1: Sequence[float]
    lambda_2: Sequence[float]

    @property
    def pairs(self) -> Floats:
        """(candidates, 2)."""
        return np.array(list(product(self.lambda_1, self.lambda_2)))


class Fitted(NamedTuple):
    """weights (…, m, d) and intercepts (…, m); m is one where all tasks have the same."""

    weights: Floats
    intercepts: Floats


@dataclass(frozen=True)
class Learned:
    """A learner's machine: predictions on each task's test examples, and Ω (m, m) as correlations."""

    predictions: Sequence[Floats]
    relations: Floats


Fit = Callable[[Tasks, Floats, "Floats | None"], Fitted]
"""(stack of tasks, candidates (c, 1, …), known correlations) → machines (c, stack, …)."""


def _alone(tasks: Tasks, strengths: Floats, _: Floats | None) -> Fitted:
    weights = solve_coupled(tasks, np.eye(tasks.counts.shape[-1]) / strengths[..., None, None])
    return Fitted(weights, intercepts(tasks, weights))


def _related(tasks: Tasks, strengths: Floats, _: Floats | None) -> Fitted:
    found = learn_relationships(tasks, strengths[..., 0], strengths[..., 1])
    return Fitted(found.weights, found.intercepts)


def _given(tasks: Tasks, strengths: Floats, known: Floats | None) -> Fitted:
    assert known is not None  # noqa: S101 (not planned where nothing is known)
    weights = solve_coupled(tasks, coupling(known / len(known), strengths[..., 0], strengths[..., 1]))
    return Fitted(weights, intercepts(tasks, weights))


@dataclass(frozen=True)
class Learner:
    """fit: how. pooled: whether all examples are one task's. pairs: whether it has two strengths."""

    fit: Fit
    pooled: bool = False
    pairs: bool = False


LEARNERS: Mapping[str, Learner] = {
    "single-task": Learner(_alone),
    "pooled": Learner(_alone, pooled=True),
    "mtrl": Learner(_related, pairs=True),
    "known-relations": Learner(_given, pairs=True),
}
SAYS = {
    "single-task": "a ridge regression for each task",
    "pooled": "one ridge regression for all tasks",
    "mtrl": "MTRL: all tasks together, with the matrix Ω of their relations learned",
    "known-relations": "the same with Ω known: nobody can know it",
}


def first_of(sample: Sample, count: int, standardise: bool) -> Sample:
    """The task with ``count`` examples, all inputs scaled by its training examples alone.

    standardise: whether every column is first brought to mean zero and variance one. Then inputs have a mean square of
    one about their mean, so that one strength means the same in any number of dimensions.
    """
    inputs = [values[:count] for values in sample.inputs]
    together = np.concatenate(inputs)
    mean = together.mean(axis=0)
    spread = together.std(axis=0) if standardise else np.ones_like(mean)
    spread = np.where(spread > 0.0, spread, 1.0)
    scale = spread * np.sqrt(np.square((together - mean) / spread).sum(axis=1).mean() or 1.0)
    return Sample(
        sample.names,
        [(values - mean) / scale for values in inputs],
        [values[:count] for values in sample.targets],
        sample.together,
        [(values - mean) / scale for values in sample.test_inputs],
        sample.test_targets,
        sample.test_weights,
        sample.known,
        sample.classes,
    )


def learn(sample: Sample, name: str, strengths: Strengths, folds: int) -> Learned:
    """A learner on a sample, its strengths chosen on held-out training examples."""
    learner = LEARNERS[name]
    candidates = strengths.pairs if learner.pairs else np.array(strengths.alone)
    fold = np.arange(len(sample.targets[0])) // sample.together % folds
    turns = range(int(fold.max()) + 1)
    kept = stack_tasks([_folded(sample, learner, fold != turn) for turn in turns])
    fitted = learner.fit(kept, candidates[:, None], sample.known)
    errors = np.zeros(len(candidates))
    for turn in turns:
        for task, (values, targets) in enumerate(zip(sample.inputs, sample.targets, strict=True)):
            place = 0 if learner.pooled else task
            predicted = (
                fitted.weights[:, turn, place] @ values[fold == turn].T + fitted.intercepts[:, turn, place, None]
            )
            errors += np.square(predicted - targets[fold == turn]).sum(axis=1)
    best = candidates[[int(errors.argmin())]]
    whole = learner.fit(stack_tasks([_folded(sample, learner, fold >= 0)]), best[:, None], sample.known)
    number = len(sample.names)
    weights = np.broadcast_to(whole.weights[0, 0], (number, whole.weights.shape[-1]))
    biases = np.broadcast_to(whole.intercepts[0, 0], number)
    return Learned(
        [values @ w + b for values, w, b in zip(sample.test_inputs, weights, biases, strict=True)],
        sample.known
        if learner.fit is _given and sample.known is not None
        else correlations(best_relationship(weights)),
    )


def _folded(sample: Sample, learner: Learner, kept: NDArray[np.bool_]) -> Tasks:
    inputs, targets = [values[kept] for values in sample.inputs], [values[kept] for values in sample.targets]
    return (
        fold_tasks([np.concatenate(inputs)], [np.concatenate(targets)])
        if learner.pooled
        else fold_tasks(inputs, targets)
    )


def explained_variance(sample: Sample, predictions: Sequence[Floats], tasks: Sequence[int] | None = None) -> float:
    """The share of all (or some) tasks' test variance, each about its own mean, that is explained, in percent."""
    missed, spread = 0.0, 0.0
    for task in range(len(sample.names)) if tasks is None else tasks:
        truth, weights = sample.test_targets[task], sample.test_weights[task]
        missed += float(weights @ np.square(predictions[task] - truth))
        spread += float(weights @ np.square(truth - weights @ truth))
    return 100.0 * (1.0 - missed / spread)


def balanced_accuracy(sample: Sample, predictions: Sequence[Floats]) -> float:
    """In percent, mean over tasks; a value of exactly zero counts as the rest."""
    pairs = zip(predictions, sample.test_targets, sample.test_weights, strict=True)
    return float(
        np.mean([100.0 * weights @ ((predicted > 0.0) == (truth > 0.0)) for predicted, truth, weights in pairs])
    )
