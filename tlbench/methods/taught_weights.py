"""Source weights whose strength the sources teach: no test example, and nothing left for the user to choose.

A few ways to weight k sources are each best somewhere: no source, the one that leave-one-out selects, the average of
all, learned weights within the unit ball, and learned weights that are drawn to a common c, zero or the average's 1/k
(r, G and ζ of ``source_weights``; leave-one-out is exact):

    β = argmin_{β ≥ 0}  Σ_i ζ_i (r_i − Σ_j G_ij β_j)² + λ Σ_j (β_j − c)²

These six, with the machine's C at 1 and at 10, are the twelve *members*. Which of them to trust after s shots is a
question about tasks of this kind, and every source is such a task: in turn it plays the target with the other sources
as its own, is given s of its positives, and is tested on the rest of its examples. Two things are learned from that
about member m, as means over sources and draws: its accuracy a_m(s), in points, and its leave-one-out hinge h_m(s)
(f(β) of ``source_weights``). On the target itself the accuracy is unknown and the hinge f_m is known. Its share is

    share_m ∝ exp(a_m(s) − (f_m − h_m(s))):

what the member is worth on such tasks, and how much better than usual it explains this one. Members that fit their β
to the hinge have a low one everywhere, which h_m takes off again.

The machine is the mean of the members' machines, each with its share. All are linear in (dual, bias, β), so the mean is
one machine with one β.

Sources may have been trained on each other's background, and a source's score on an example that it was trained on
is its exact leave-one-out prediction instead: no source has to be trained again, and none has seen what it scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .boxed_quadratic import minimise_boxed
from .least_squares_svm import Factorisation, class_balance, factorise
from .source_weights import LeaveOneOut, ball_weights, leave_one_out, scalar_weights

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

STRENGTHS = (1.0, 10.0)
"""C of the members' machines."""
PULL = 3.0
"""λ."""
WAYS = ("none", "selected", "average", "ball", "drawn to zero", "drawn to the average")
"""The members of one C, in their order; those of the first C stand before those of the second."""
LEAST_TEST_EXAMPLES = 15
"""Of each class; a source with fewer left to be tested on does not play the target."""


class Machine(NamedTuple):
    """Decisions k(x, X) a + b + Σ_j β_j f_j(x); any leading axes."""

    dual: Floats  # (…, N), zero at padding
    bias: Floats  # (…)
    weights: Floats  # (…, k)

    def decisions(self, kernel: Floats, scores: Floats) -> Floats:
        """Decision values (…, T) from kernels (…, T, N) with the training examples and source scores (…, T, k)."""
        return _times(kernel, self.dual) + self.bias[..., None] + _times(scores, self.weights)


class Lesson(NamedTuple):
    """What members were worth with the sources as targets, after each shot count: a and h, (m, shot counts)."""

    accuracy: Floats
    hinge: Floats


class Members(NamedTuple):
    """Machines of all members, on a first axis of length m before the stack, and f, (m, …), of each."""

    machine: Machine
    hinge: Floats

    def shares(self, lesson: Lesson) -> Floats:
        """Shares (m, …), which add up to one; the last axis of the stack is that of the lesson's shot counts."""
        taught = lesson.accuracy + lesson.hinge
        logarithm = taught.reshape(len(taught), *(1,) * (self.hinge.ndim - 2), -1) - self.hinge
        share = np.exp(logarithm - logarithm.max(axis=0))
        return np.asarray(share / share.sum(axis=0))

    def mean(self, lesson: Lesson) -> Machine:
        """The members' mean by share."""
        share = self.shares(lesson)
        dual, bias, weights = self.machine
        return Machine(
            np.einsum("m...,m...i->...i", share, dual),
            np.einsum("m...,m...->...", share, bias),
            np.einsum("m...,m...j->...j", share, weights),
        )


def train_members(kernel: Floats, labels: Floats, scores: Floats) -> Members:
    """All members for kernels (…, N, N), labels −1, 1 or 0 at padding (…, N) and source scores (…, N, k).

    Raises ValueError for a machine that lacks a class, and for no sources at all.

    >>> labels = np.array([-1.0, -1.0, 1.0, 1.0])
    >>> members = train_members(np.eye(4), labels, labels[:, None])  # one source, which knows the labels
    >>> members.machine.weights.shape, len(WAYS) * len(STRENGTHS)
    ((12, 1), 12)
    >>> bool(members.hinge[WAYS.index("none")] > members.hinge[WAYS.index("selected")])
    True
    """
    if not scores.shape[-1]:
        raise ValueError("there is no source to weight; give at least one")
    used = labels != 0.0
    balance = class_balance(labels, used)
    seen = np.where(used[..., None], scores, 0.0)
    stacked = np.broadcast_to(kernel, (*labels.shape, labels.shape[-1]))
    machines, hinges = [], []
    for C in STRENGTHS:
        factorised = factorise(stacked, balance, C, used)
        problem = leave_one_out(factorised, labels, seen, balance)
        weights = _weightings(problem)
        machines.append(_lean(factorised, labels, seen, weights))
        hinges.append(problem.bound(weights))
    return Members(Machine(*(np.concatenate(parts) for parts in zip(*machines, strict=True))), np.concatenate(hinges))


def teach(
    kernel: Floats,
    sources: Sequence[tuple[Rows, Rows]],
    shots: Sequence[int],
    negatives: int,
    C: float,
    draws: int,
    generator: Generator,
) -> Lesson:
    """Let each source play the target ``draws`` times, with the other sources as its own.

    ``kernel`` (n, n) is between all examples of the sources; a source is the rows of its positives and its negatives,
    and C is what it was trained with. Sources with too few examples do not play. The lesson is all zero, which teaches
    nothing, where none has enough or there are fewer than two sources.

    >>> rows = (np.arange(20), np.arange(20, 40))
    >>> lesson = teach(np.eye(40), [rows], [1, 2], 5, 1.0, 3, np.random.default_rng(0))  # one source teaches nothing
    >>> bool(lesson.accuracy.any() or lesson.hinge.any())
    False
    """
    most = max(shots)
    players = [
        index
        for index, (own_positives, own_negatives) in enumerate(sources)
        if min(len(own_positives) - most, len(own_negatives) - negatives) >= LEAST_TEST_EXAMPLES
    ]
    if not players or len(sources) < 2:
        return Lesson(*np.zeros((2, len(WAYS) * len(STRENGTHS), len(shots))))
    scores = np.stack([_honest_scores(kernel, *source, C) for source in sources], axis=-1)
    trains, tests, lent = [], [], []
    for index in players:
        positive, negative = (generator.permuted(np.tile(own, (draws, 1)), axis=1) for own in sources[index])
        trains.append(np.concatenate([negative[:, :negatives], positive[:, :most]], axis=1))
        tests.append((positive[:, most:], negative[:, negatives:]))
        lent.append(np.delete(scores, index, axis=1))
    # All machines of all players are one stack: shape (players, draws, shot counts, N).
    train = np.stack(trains)
    members = train_members(
        kernel[train[..., :, None], train[..., None, :]][:, :, None],
        np.broadcast_to(_labels(shots, negatives), (*train.shape[:2], len(shots), train.shape[2])),
        np.stack([others[rows] for others, rows in zip(lent, trains, strict=True)])[:, :, None],
    )
    accuracy = np.zeros((len(WAYS) * len(STRENGTHS), len(shots)))
    for player, (rows, others) in enumerate(zip(trains, lent, strict=True)):
        machine = Machine(*(part[:, player] for part in members.machine))
        hits, alarms = (
            machine.decisions(kernel[test[:, None, :, None], rows[:, None, None]], others[test][:, None]) > 0.0
            for test in tests[player]
        )
        accuracy += 50.0 * (1.0 + hits.mean(axis=(1, 3)) - alarms.mean(axis=(1, 3)))
    return Lesson(accuracy / len(players), members.hinge.mean(axis=(1, 2)))


def _labels(shots: Sequence[int], negatives: int) -> Floats:
    """−1, 1 or 0 where unused, (shot counts, negatives + most shots): the negatives, then the first s positives."""
    place = np.arange(negatives + max(shots))
    used = place < negatives + np.asarray(shots)[:, None]
    return np.where(used, np.where(place < negatives, -1.0, 1.0), 0.0)


def _honest_scores(kernel: Floats, positives: Rows, negatives: Rows, C: float) -> Floats:
    """A source's decision values on all n examples, on those that it was trained on without each of them."""
    own = np.concatenate([positives, negatives])
    labels = np.repeat([1.0, -1.0], [len(positives), len(negatives)])
    machine = factorise(kernel[np.ix_(own, own)], class_balance(labels), C)
    dual = machine.dual(labels)
    scores = kernel[:, own] @ dual + machine.bias(labels)
    scores[own] = labels - dual / machine.diagonal
    return np.asarray(scores)


def _weightings(problem: LeaveOneOut) -> Floats:
    """β of every way, (ways, …, k)."""
    alone, bound = scalar_weights(problem)
    sources = alone.shape[-1]
    selected = alone * (np.arange(sources) == np.argmin(bound, axis=-1)[..., None])
    average = np.full_like(alone, 1.0 / sources)
    drawn = [_drawn_weights(problem, centre) for centre in (0.0, 1.0 / sources)]
    return np.stack([np.zeros_like(alone), selected, average, ball_weights(problem, "l2", nonnegative=True), *drawn])


def _drawn_weights(problem: LeaveOneOut, centre: float) -> Floats:
    """The module's β for c = ``centre``, (…, k)."""
    residual, influence, balance = problem
    sources = influence.shape[-1]
    weighted = np.swapaxes(influence * balance[..., None], -1, -2)
    quadratic = weighted @ influence + PULL * np.eye(sources)
    linear = _times(weighted, residual) + PULL * centre
    # λ‖β − c‖² cannot exceed the objective at β = c: a box that never binds.
    at_centre = np.sum(balance * np.square(residual - centre * influence.sum(axis=-1)), axis=-1, keepdims=True)
    upper = np.broadcast_to(1.0 + centre + np.sqrt(at_centre / PULL), linear.shape).reshape(-1, sources)
    weights, _ = minimise_boxed(
        quadratic.reshape(-1, sources, sources), linear.reshape(-1, sources), upper, np.zeros_like(upper)
    )
    return weights.reshape(linear.shape)


def _lean(machine: Factorisation, labels: Floats, scores: Floats, weights: Floats) -> Machine:
    """The machines that lean on the sources with weights (m, …, k)."""
    targets = labels - _times(scores, weights)
    return Machine(machine.dual(targets), machine.bias(targets), weights)


def _times(matrices: Floats, vectors: Floats) -> Floats:
    return (matrices @ vectors[..., None])[..., 0]
