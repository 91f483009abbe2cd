"""The same grid as a plain loop: every classifier is trained alone, by one ``numpy.linalg.solve``.

A classifier solves the bordered system [[K + diag(1/(C ζ)), 1], [1ᵀ, 0]] [α; b] = [t; 0]. One that learns its β
solves it once for y, the source scores and the identity together, which gives α', α'' and the diagonal of P, and then
calls the same solver of β as the study. Kernels, source scores and draws are given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tlbench.methods.interior_point import Norm
from tlbench.methods.source_weights import LeaveOneOut, ball_weights, scalar_weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Target:
    """One target's splits. Training examples are the negatives, then the most positives of any shot count."""

    kernel: Floats  # (splits, N, N)
    scores: Floats  # (splits, N, k)
    test_kernel: Floats  # (splits, T, N)
    test_scores: Floats  # (splits, T, k)
    negatives: int
    shots: list[int]
    test_positives: int
    C: float
    nonnegative: bool

    def problems(self) -> Iterator[Problem]:
        for split in range(len(self.kernel)):
            for shots in self.shots:
                yield Problem(self, split, shots)


@dataclass(frozen=True)
class Problem:
    """One target, split and shot count: what 14 classifiers are trained on."""

    target: Target
    split: int
    shots: int

    @cached_property
    def count(self) -> int:
        return self.target.negatives + self.shots

    @cached_property
    def labels(self) -> Floats:
        return np.concatenate([-np.ones(self.target.negatives), np.ones(self.shots)])

    @cached_property
    def balance(self) -> Floats:
        each = [self.count / (2 * self.target.negatives), self.count / (2 * self.shots)]
        return np.repeat(each, [self.target.negatives, self.shots])

    @property
    def scores(self) -> Floats:
        return self.target.scores[self.split, : self.count]

    def solve(self, right_sides: Floats) -> Floats:
        """[α; b] of right-hand sides (N,) or (N, m), by one call."""
        count = self.count
        system = np.ones((count + 1, count + 1))
        system[:count, :count] = self.target.kernel[self.split, :count, :count]
        system[np.arange(count), np.arange(count)] += 1.0 / (self.target.C * self.balance)
        system[count, count] = 0.0
        bordered = np.zeros((count + 1, *right_sides.shape[1:]))
        bordered[:count] = right_sides
        return np.linalg.solve(system, bordered)

    def decisions(self, solution: Floats, weights: Floats) -> Floats:
        """Decision values on the test examples."""
        kernel = self.target.test_kernel[self.split, :, : self.count]
        return kernel @ solution[:-1] + solution[-1] + self.target.test_scores[self.split] @ weights

    def accuracy(self, solution: Floats, weights: Floats) -> float:
        """Balanced accuracy in percent."""
        called = self.decisions(solution, weights) > 0
        positives = self.target.test_positives
        hits = np.count_nonzero(called[:positives]) / positives
        return 50.0 * (hits + 1.0 - np.count_nonzero(called[positives:]) / (len(called) - positives))


def given_weights(problem: Problem, weights: Floats) -> Floats:
    """[α; b] of the classifier with weights β (k,)."""
    return problem.solve(problem.labels - problem.scores @ weights)


def single_source(problem: Problem, source: int) -> tuple[Floats, Floats, float]:
    """[α; b], β and its bound where one source alone is leaned on."""
    plain, leaning, terms = _leave_one_out(problem, problem.scores[:, [source]])
    alone, bound = scalar_weights(terms)
    weights = np.zeros(problem.scores.shape[1])
    weights[source] = alone[0]
    return plain - leaning @ alone, weights, float(bound[0])


def all_sources(problem: Problem, norm: Norm) -> tuple[Floats, Floats]:
    """[α; b] and β where all sources are leaned on, within a ball."""
    plain, leaning, terms = _leave_one_out(problem, problem.scores)
    weights = ball_weights(terms, norm, problem.target.nonnegative)
    return plain - leaning @ weights, weights


def _leave_one_out(problem: Problem, scores: Floats) -> tuple[Floats, Floats, LeaveOneOut]:
    """[α'; b'], [α''; b''] and the terms that β is learned from, by one solve."""
    labels, count = problem.labels, problem.count
    solution = problem.solve(np.concatenate([labels[:, None], scores, np.eye(count)], axis=1))
    plain, leaning, diagonal = solution[:, 0], solution[:, 1:-count], np.diagonal(solution[:count, -count:])
    signed = labels / diagonal
    return plain, leaning, LeaveOneOut(signed * plain[:-1], signed[:, None] * leaning[:-1], problem.balance)


def accuracies(target: Target) -> dict[str, Floats]:
    """Balanced accuracy of every condition, (splits, shots)."""
    found: dict[str, list[float]] = {}
    sources = target.scores.shape[-1]
    fixed = {
        "none": np.zeros(sources),
        "multi-average": np.full(sources, 1.0 / sources),
        "multi-equal": np.full(sources, 1.0 / np.sqrt(sources)),
    }
    norms: dict[str, Norm] = {"multi-weighted": "l2", "multi-weighted-l1": "l1"}
    for problem in target.problems():
        here = {name: problem.accuracy(given_weights(problem, beta), beta) for name, beta in fixed.items()}
        alone, bounds = [], []
        for source in range(sources):
            solution, weights, bound = single_source(problem, source)
            alone.append(problem.accuracy(solution, weights))
            bounds.append(bound)
        here["single-mean"] = float(np.mean(alone))
        here["single-selected"] = alone[int(np.argmin(bounds))]
        here["single-oracle"] = max(alone)
        for name, norm in norms.items():
            here[name] = problem.accuracy(*all_sources(problem, norm))
        for name, value in here.items():
            found.setdefault(name, []).append(value)
    return {name: np.reshape(values, (-1, len(target.shots))) for name, values in found.items()}
