"""Every way to use a source, on one machine: the class-balanced least-squares machine, one class against the rest.

Each learner takes a problem and numbers of shots and gives a solution for each. It never looks at the test's labels.
Every example weighs one, but for kernel mean matching, before both sides of a machine are made to weigh the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge

from ...methods.kernels import RBF, MeanRBFKernel
from ...methods.least_squares_svm import class_balance, factorise
from ...methods.source_boosting import multi_source_boosting, weighted_machine
from ...methods.source_weights import ball_weights, leave_one_out
from . import adaptation
from .cells import Floats, Integers, Problem


class Solution(NamedTuple):
    """What a learner says of the test examples, and how much of the source it leans on."""

    scores: Floats
    """(n_test, k), one column for each of the target's classes."""
    leaning: float | None = None
    """From 0 to 1: of model transfer the norm of β, mean over classes; of mean matching (Σβ)²/(n_S Σβ²); else None."""


Solutions = dict[int, Solution]


class Strengths(NamedTuple):
    """What the learners ask of the choices; the protocol file gives the reasons."""

    C: float
    weak_c: float
    rounds: int
    dimensions: int
    mu: float
    ridge: float


def no_transfer(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """The target's labelled examples alone."""
    return {count: Solution(one_against_rest(*problem.shots(count), problem.test, strengths.C)) for count in shots}


def model_transfer(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """Multi-KT: each class leans on the machines of all the source's classes, weights learned by leave-one-out.

    Where the source has features of its own, its machines are handed the target's examples translated into these by
    ridge regression on the pairs.
    """
    seen = np.concatenate([problem.labelled, problem.test])
    if problem.pairs is not None:
        seen = Ridge(strengths.ridge).fit(problem.pool, problem.pairs).predict(seen)
    scores = one_against_rest(problem.source, problem.source_labels, seen, strengths.C)
    on_labelled, on_test = scores[: len(problem.labelled)], scores[len(problem.labelled) :]
    found: Solutions = {}
    for count in shots:
        examples, labels = problem.shots(count)
        kernel = RBF.fit(examples)
        sides = np.stack([_sides(labels, number) for number in np.unique(labels)])
        balance = class_balance(sides)
        machines = factorise(
            np.broadcast_to(kernel(examples, examples), (len(sides), *2 * sides.shape[1:])), balance, strengths.C
        )
        borrowed = np.broadcast_to(on_labelled[: len(labels)], (*sides.shape, scores.shape[1]))
        weights = ball_weights(leave_one_out(machines, sides, borrowed, balance), "l2", nonnegative=True)
        left = sides - (borrowed @ weights[..., None])[..., 0]
        own = kernel(problem.test, examples) @ machines.dual(left).T + machines.bias(left)
        found[count] = Solution(own + on_test @ weights.T, float(np.linalg.norm(weights, axis=-1).mean()))
    return found


def source_only(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """The source's machine as it is; no label of the target is used."""
    scores = one_against_rest(problem.source, problem.source_labels, problem.test, strengths.C)
    return dict.fromkeys(shots, Solution(scores))


def pooled(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """The source's and the target's labelled examples together, as if there were no difference."""
    return _joint(adaptation.Aligned(problem.source, lambda rows: rows), problem, shots, strengths)


def boosted(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """TrAdaBoost: source examples that the rounds get wrong lose their weight.

    Its machines have a C of their own: one that gets all its examples right leaves every weight as it is.

    Classes are compared by the mean margin of the rounds, each with its vote: sums of a few signs would tie.
    """
    source_of = np.zeros(len(problem.source), dtype=np.intp)
    found: Solutions = {}
    for count in shots:
        examples, labels = problem.shots(count)
        kernel = RBF.fit(np.concatenate([problem.source, examples]))
        cross, own = kernel(examples, problem.source), kernel(examples, examples)
        among = kernel(problem.source, problem.source)
        on_source, on_target = kernel(problem.test, problem.source), kernel(problem.test, examples)
        columns = []
        for number in np.unique(labels):
            machines = multi_source_boosting(
                among,
                _sides(problem.source_labels, number),
                source_of,
                cross,
                own,
                _sides(labels, number),
                strengths.weak_c,
                strengths.rounds,
            )
            margins = on_source @ machines.source_duals.T + on_target @ machines.target_duals.T + machines.biases
            columns.append(margins @ machines.votes / machines.votes.sum())
        found[count] = Solution(np.column_stack(columns))
    return found


def mean_matched(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """Pooled, the source's examples weighted so that their mean in feature space is the unlabelled target's."""
    weights = adaptation.mean_matching_weights(problem.source, problem.pool)
    found = _joint(adaptation.Aligned(problem.source, lambda rows: rows), problem, shots, strengths, weights)
    effective = float(weights.sum() ** 2 / (len(weights) * np.square(weights).sum()))
    return {count: solution._replace(leaning=effective) for count, solution in found.items()}


def correlation_aligned(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """Pooled, after CORAL."""
    return _joint(adaptation.correlation_alignment(problem.source, problem.pool), problem, shots, strengths)


def subspace_aligned(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """Pooled, after subspace alignment."""
    aligned = adaptation.subspace_alignment(problem.source, problem.pool, strengths.dimensions)
    return _joint(aligned, problem, shots, strengths)


def component_analysed(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """Pooled, in transfer components."""
    aligned = adaptation.component_analysis(problem.source, problem.pool, strengths.dimensions, strengths.mu)
    return _joint(aligned, problem, shots, strengths)


def source_discriminants(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """The target's labelled examples alone, seen also in the directions that tell the source's classes apart (Fisher).

    The kernel is the mean of those of both descriptions.
    """
    fisher = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(problem.source, problem.source_labels)
    test = {"own": problem.test, "source's": fisher.transform(problem.test)}
    found: Solutions = {}
    for count in shots:
        examples, labels = problem.shots(count)
        both = {"own": examples, "source's": fisher.transform(examples)}
        kernel = MeanRBFKernel.fit(both)
        found[count] = Solution(_machines(kernel(both, both), kernel(test, both), labels, strengths.C))
    return found


def canonical_correlations(problem: Problem, shots: list[int], strengths: Strengths) -> Solutions:
    """Pooled, in the directions in which both descriptions of the pairs correlate most.

    Both are brought to their first principal components before; with hardly more pairs than features any two
    descriptions would correlate perfectly.
    """
    assert problem.pairs is not None  # noqa: S101 (the cell that it is meant for)
    most = min(strengths.dimensions, len(problem.pool) // 4, problem.pairs.shape[1], problem.pool.shape[1])
    theirs, ours = PCA(most, random_state=0).fit(problem.pairs), PCA(most, random_state=0).fit(problem.pool)
    shared = CCA(max(1, most // 2), max_iter=5000).fit(theirs.transform(problem.pairs), ours.transform(problem.pool))
    middle = np.zeros((1, most))  # CCA moves both sides at once; the other side plays no part

    def of_target(rows: Floats) -> Floats:
        moved: Floats = shared.transform(middle, ours.transform(rows))[1]
        return moved

    aligned = adaptation.Aligned(shared.transform(theirs.transform(problem.source)), of_target)
    return _joint(aligned, problem, shots, strengths)


LEARNERS: Mapping[str, Callable[[Problem, list[int], Strengths], Solutions]] = {
    "none": no_transfer,
    "source-only": source_only,
    "pooled": pooled,
    "model": model_transfer,
    "tradaboost": boosted,
    "kmm": mean_matched,
    "coral": correlation_aligned,
    "subspace": subspace_aligned,
    "tca": component_analysed,
    "discriminants": source_discriminants,
    "cca": canonical_correlations,
}


def _joint(
    aligned: adaptation.Aligned,
    problem: Problem,
    shots: list[int],
    strengths: Strengths,
    weights: Floats | None = None,
) -> Solutions:
    """One machine a class for source and labelled target examples; those of the source may be weighted."""
    weights = np.ones(len(problem.source)) if weights is None else weights
    test = aligned.of_target(problem.test)
    found: Solutions = {}
    for count in shots:
        examples, labels = problem.shots(count)
        rows = np.concatenate([aligned.source, aligned.of_target(examples)]) if count else aligned.source
        every = np.concatenate([problem.source_labels, labels])
        counted = np.append(weights, np.ones(len(labels)))
        found[count] = Solution(one_against_rest(rows, every, test, strengths.C, counted))
    return found


def one_against_rest(rows: Floats, labels: Integers, test: Floats, C: float, weights: Floats | None = None) -> Floats:
    """Scores (n_test, k) of one machine for each class, kernel RBF with γ = 1/mean squared distance of ``rows``."""
    kernel = RBF.fit(rows)
    return _machines(kernel(rows, rows), kernel(test, rows), labels, C, weights)


def _machines(among: Floats, towards: Floats, labels: Integers, C: float, weights: Floats | None = None) -> Floats:
    weights = np.ones(len(labels)) if weights is None else weights
    columns = []
    for number in np.unique(labels):
        sides = _sides(labels, number)
        machine = weighted_machine(among, sides, balanced(weights, sides), C)
        columns.append(towards @ machine.dual + machine.bias)
    return np.column_stack(columns)


def balanced(weights: Floats, sides: Floats) -> Floats:
    """Weights (n,) scaled so that both sides weigh half of the whole; weights of one become the machine's ζ."""
    totals = np.where(sides > 0, weights[sides > 0].sum(), weights[sides < 0].sum())
    return weights.sum() * weights / (2.0 * totals)


def _sides(labels: Integers, number: int) -> Floats:
    return np.where(labels == number, 1.0, -1.0)
