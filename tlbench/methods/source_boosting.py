"""Boosting on the examples of several sources and of the target: MultiSourceTrAdaBoost.

Yao & Doretto, "Boosting for transfer learning with multiple sources", CVPR 2010, algorithm 1 (as recalled; for one
source it is TrAdaBoost of Dai, Yang, Xue & Yu, ICML 2007, with AdaBoost's output). Weights of all examples sum to one.
In each of M rounds one weak learner is trained on every source k together with the target; the one with the least
weighted error ε on the target alone is kept, h_t, with a vote α_t = ½ ln((1 − ε)/ε). Source examples that it gets
wrong lose weight, by exp(−2α_S) with α_S = ½ ln(1 + √(2 ln n_S / M)) for n_S source examples in all; target examples
that it gets wrong gain, by exp(2α_t). The output is Σ_t α_t h_t(x).

Our choices, where the paper leaves them open or few examples need them:

- The weak learner is the least-squares machine of ``least_squares_svm`` with the weights of the examples in the place
  of ζ, summing to their number; h is the sign of its decision (zero is −1).
- At the start both classes weigh the same within each source and within the target, and every set weighs as many as
  its examples.
- With few target examples ε is zero for many sources. Of learners with the same ε the one with the least weighted
  squared leave-one-out error on the target is kept (exact, weights as they are). Taking the first would be chance, and
  the squared error itself, on examples that were fitted, favours sources that stand in the target's way least.
- ε is kept from 1/(2N) for N target examples: one perfect learner would else outvote all others for ever.
- A round whose best ε is ½ or more casts no vote and is the last. Should the first one be, its learner decides alone.

Unlike the other methods it needs the sources' examples, not only their scores, and trains k·M machines as large as a
source with the target.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .conditioning import INDEFINITE, check_factor, check_positive
from .least_squares_svm import class_balance

Floats = NDArray[np.float64]

USELESS = 0.5 - 1e-9
"""An error of ½ or more but for rounding: the learner of the round before has ½ exactly, by the choice of its vote."""


class BoostedMachines(NamedTuple):
    """Σ_t α_t h_t for every target of a stack; M rounds, n source examples, N target examples."""

    votes: Floats
    """α_t (…, M), zero for rounds that were not needed."""
    source_duals: Floats
    """(…, M, n), zero but for the source of the round."""
    target_duals: Floats
    """(…, M, N)."""
    biases: Floats
    """(…, M)."""
    chosen: NDArray[np.intp]
    """Which source each round took, (…, M); −1 for rounds that were not needed."""

    def of(self, place: tuple[int, ...]) -> BoostedMachines:
        """Views on those of one target."""
        return BoostedMachines(
            self.votes[place],
            self.source_duals[place],
            self.target_duals[place],
            self.biases[place],
            self.chosen[place],
        )

    def decide(self, source_kernel: Floats, target_kernel: Floats) -> Floats:
        """Decision values (…, T) from kernels of the test examples with source (…, T, n) and target examples (…, T, N).

        The votes of both sides, so their size means little but for the order.
        """
        margins = source_kernel @ np.swapaxes(self.source_duals, -1, -2)
        margins = margins + target_kernel @ np.swapaxes(self.target_duals, -1, -2) + self.biases[..., None, :]
        return (_side(margins) @ self.votes[..., None])[..., 0]


def multi_source_boosting(
    source_kernel: Floats,
    source_labels: Floats,
    source_of: NDArray[np.intp],
    cross_kernel: Floats,
    target_kernel: Floats,
    labels: Floats,
    C: float,
    rounds: int,
) -> BoostedMachines:
    """The boosted machines of a stack of targets that share their sources.

    ``source_kernel`` (n, n), ``source_labels`` in {−1, 1} (n,) and ``source_of`` (n,), the source 0 … k − 1 that each
    example belongs to (one that serves two sources is there twice); ``cross_kernel`` (…, N, n) between target and
    source examples, ``target_kernel`` (…, N, N), ``labels`` in {−1, 1} or 0 at padding (…, N).

    Raises ValueError for a source or target that lacks a class, no sources, and fewer rounds than one.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> sources, of = np.concatenate([-x, x]), np.array([0, 0, 1, 1])  # the first calls everything by the wrong name
    >>> cross, within = x @ sources.T, x @ x.T
    >>> found = multi_source_boosting(sources @ sources.T, np.tile(labels, 2), of, cross, within, labels, 1.0, rounds=1)
    >>> found.chosen.tolist(), np.sign(found.decide(cross, within)).tolist()
    ([1], [-1.0, 1.0])
    """
    if rounds < 1:
        raise ValueError("boosting needs at least one round")
    if not len(source_labels):
        raise ValueError("boosting needs at least one source")
    members = [np.flatnonzero(source_of == source) for source in range(int(source_of.max()) + 1)]
    start = np.ones(len(source_labels))
    for rows in members:
        start[rows] = class_balance(source_labels[rows])
    class_balance(labels, labels != 0.0)
    stack, count = labels.shape[:-1], labels.shape[-1]
    kernels = np.broadcast_to(target_kernel, (*stack, count, count))
    crosses = np.broadcast_to(cross_kernel, (*stack, count, len(source_labels)))
    result = BoostedMachines(
        votes=np.zeros((*stack, rounds)),
        source_duals=np.zeros((*stack, rounds, len(source_labels))),
        target_duals=np.zeros((*stack, rounds, count)),
        biases=np.zeros((*stack, rounds)),
        chosen=np.full((*stack, rounds), -1),
    )
    for place in np.ndindex(*stack):
        used = np.flatnonzero(labels[place] != 0.0)
        joint = _Joint(
            source_kernel,
            crosses[place][used],
            kernels[place][np.ix_(used, used)],
            source_labels,
            labels[place][used],
            C,
        )
        _boost(joint, members, start, rounds, used, result.of(place))
    return result


class _Joint(NamedTuple):
    """All examples of one target and its sources."""

    source_kernel: Floats  # (n, n)
    cross_kernel: Floats  # (N, n)
    target_kernel: Floats  # (N, N)
    source_labels: Floats
    labels: Floats
    C: float

    def kernel(self, rows: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """The kernel and the labels of source examples ``rows`` followed by the target's."""
        cross = self.cross_kernel[:, rows]
        above = np.concatenate([self.source_kernel[np.ix_(rows, rows)], cross.T], axis=1)
        below = np.concatenate([cross, self.target_kernel], axis=1)
        return np.concatenate([above, below]), np.concatenate([self.source_labels[rows], self.labels])


def _boost(
    joint: _Joint,
    members: list[NDArray[np.intp]],
    start: Floats,
    rounds: int,
    used: NDArray[np.intp],
    into: BoostedMachines,
) -> None:
    """Boost one target, and write what each round found ``into`` the arrays of its place."""
    count = len(joint.labels)
    pairs = [joint.kernel(rows) for rows in members]
    of_source, of_target = start.copy(), class_balance(joint.labels)
    loss = np.exp(-2.0 * _source_vote(len(start), rounds))
    for round_ in range(rounds):
        learners = []
        for (kernel, labels), rows in zip(pairs, members, strict=True):
            weights = np.concatenate([of_source[rows], of_target])
            learner = weighted_machine(kernel, labels, weights * (len(weights) / weights.sum()), joint.C, held=count)
            wrong = _side(kernel[len(rows) :] @ learner.dual + learner.bias) != joint.labels
            error = float(of_target @ wrong / of_target.sum())
            left_out = float(of_target @ np.square(learner.left_out) / of_target.sum())
            learners.append((error, left_out, learner, wrong))
        # Rounded, so that what is equal but for rounding is equal.
        best = min(range(len(learners)), key=lambda source: (round(learners[source][0], 12), learners[source][1]))
        error, _, (dual, bias, _), wrong = learners[best]
        useless = error >= USELESS
        if useless and round_ > 0:
            return
        rows = members[best]
        least = max(error, 0.5 / count)
        vote = 1.0 if useless else 0.5 * float(np.log((1.0 - least) / least))
        into.votes[round_], into.biases[round_], into.chosen[round_] = vote, bias, best
        into.source_duals[round_][rows], into.target_duals[round_][used] = dual[: len(rows)], dual[len(rows) :]
        if useless:
            return
        # h_t judges the examples of every source, not only those it was trained on.
        on_all = joint.source_kernel[:, rows] @ dual[: len(rows)] + joint.cross_kernel.T @ dual[len(rows) :] + bias
        of_source = of_source * np.where(_side(on_all) != joint.source_labels, loss, 1.0)
        of_target = of_target * np.where(wrong, np.exp(2.0 * vote), 1.0)
        total = of_source.sum() + of_target.sum()
        of_source, of_target = of_source / total, of_target / total


def _source_vote(examples: int, rounds: int) -> float:
    """α_S."""
    return 0.5 * float(np.log(1.0 + np.sqrt(2.0 * np.log(examples) / rounds)))


class WeightedMachine(NamedTuple):
    """a (n,), b, and what the machine trained without it leaves of the label of each of the last examples (held,)."""

    dual: Floats
    bias: float
    left_out: Floats


def weighted_machine(kernel: Floats, labels: Floats, weights: Floats, C: float, held: int = 0) -> WeightedMachine:
    """Minimise ½‖w‖² + (C/2) Σ_i ω_i (y_i − w·φ(x_i) − b)² for weights ω (n,), zero or more and not all zero.

    Scaled by √ω from both sides the system stays well conditioned as weights vanish. The last ``held`` examples, whose
    weights must be positive, are left out in turn, weights as with all of them. Raises ValueError where the kernel is
    found not to be positive semi-definite.

    >>> x, labels = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> machine = weighted_machine(x @ x.T, labels, np.array([1.0, 1.0, 0.0]), C=1e7)  # the last does not count
    >>> machine.dual[:2].round(6).tolist(), bool(machine.dual[2] == 0.0)
    ([-0.5, 0.5], True)
    """
    from scipy.linalg.lapack import dposv

    count = len(labels)
    root = np.sqrt(weights)
    system = kernel * root[:, None]
    system *= root
    diagonal = np.arange(count)
    system[diagonal, diagonal] += 1.0 / C
    # a = √ω z with (√ω K √ω + 1/C) z + b √ω = √ω y and √ω·z = 0.
    last = np.eye(count, held, held - count)
    trace = float(system.trace())
    factor, solution, failed = dposv(system.T, np.column_stack([root * labels, root, last]), lower=1, overwrite_a=1)
    if failed:
        raise ValueError(INDEFINITE)
    check_factor(trace, factor)
    plain, along = solution[:, 0], solution[:, 1]
    curvature = root @ along
    bias = float(root @ plain / curvature)
    dual = root * (plain - bias * along)
    # P_ii of ``least_squares_svm``, for the last examples: ω_i times that of the scaled system.
    rows = np.arange(count - held, count)
    own = weights[rows] * (solution[rows, 2 + np.arange(held)] - np.square(along[rows]) / curvature)
    check_positive(own)
    return WeightedMachine(dual, bias, dual[rows] / own)


def _side(margins: Floats) -> Floats:
    return np.where(margins > 0.0, 1.0, -1.0)
