"""One target of caltech-multisource on the digits, again from the papers' formulas in loops and general solvers.

Nothing of ``tlbench.methods`` is used, nor anything of the studies: only which pictures are drawn is asked of
``tlbench.datasets``. What comes out is held against the files that the real command left. The study's own numbers are
taken apart term by term in tests/studies/sources/test_source_weighting.py (``ByHand``) and, for speed, in
benchmarks/reference.py; both take learned weights as they were learned. Here they are learned again, by Clarabel.
"""

import clarabel
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tlbench.datasets import Amounts, draw_task

TARGET, SPLITS, SHOTS, C = "three", (0, 1), (1, 2, 3, 10), 10.0
AMOUNTS = Amounts(10, negatives=10, test_examples=50, source_examples=80)


def mean_squared_distance(examples):
    pairs = [((one - others) ** 2).sum(axis=1) for place, one in enumerate(examples) if len(others := examples[:place])]
    return np.concatenate(pairs).mean()


def kernel(rows, columns, gamma):
    return np.array([np.exp(-gamma * ((one - columns) ** 2).sum(axis=1)) for one in rows])


def balance(labels):
    """ζ_i = N/(2N⁺) or N/(2N⁻)."""
    return np.array([len(labels) / (2 * np.sum(labels == label)) for label in labels])


def inverse_of_the_bordered_system(among, labels):
    """P of [K + W/C, 1; 1ᵀ, 0]."""
    count = len(labels)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = among + np.diag(1 / (C * balance(labels)))
    system[count, count] = 0
    return np.linalg.solve(system, np.eye(count + 1))


def least_bound(residual, influence, weights_of_examples, norm):
    """β ≥ 0 in the unit ball with the least Σ ζ_i max(0, r_i − G_i·β), and of equally good ones the smallest.

    Variables β and hinge values s. First the cost is minimised, then ‖β‖² with the cost held.
    """
    examples, sources = influence.shape
    rows = [np.hstack([-influence, -np.eye(examples)]), -np.eye(examples + sources)]
    limits = [-residual, np.zeros(examples + sources)]
    if norm == "l1":
        rows.append(np.r_[np.ones(sources), np.zeros(examples)][None])
        limits.append(np.ones(1))
    cost = np.r_[np.zeros(sources), weights_of_examples]
    within_ball = [np.zeros((1, examples + sources)), -np.eye(sources, examples + sources)]

    def solve(quadratic, linear, rows, limits):
        cones = [clarabel.NonnegativeConeT(sum(map(len, limits)))]
        if norm == "l2":
            rows, limits = rows + within_ball, [*limits, np.r_[1.0, np.zeros(sources)]]
            cones.append(clarabel.SecondOrderConeT(sources + 1))
        options = clarabel.DefaultSettings()
        options.verbose = False
        options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-11
        matrix = sp.csc_matrix(np.vstack(rows))
        solver = clarabel.DefaultSolver(sp.csc_matrix(quadratic), linear, matrix, np.hstack(limits), cones, options)
        solution = solver.solve()
        assert "Solved" in str(solution.status)
        return np.array(solution.x)

    total = examples + sources
    best = float(cost @ solve(np.zeros((total, total)), cost, rows, limits))
    smallest = np.diag(np.r_[np.ones(sources), np.zeros(examples)])
    held = best + 1e-7 * max(1.0, best)
    return solve(smallest, np.zeros(total), [*rows, cost[None]], [*limits, np.array([held])])[:sources], best


class Sources:
    """γ, and the machines of all sources, which are trained on the same pictures whatever the split."""

    def __init__(self, pixels, drawn):
        rows = sorted({row for one in drawn.sources.values() for row in [*one.positives, *one.negatives]})
        self.gamma = 1 / mean_squared_distance(pixels[rows])
        self.machines = []
        for source in drawn.sources.values():
            own = pixels[[*source.positives, *source.negatives]]
            labels = np.array([1.0] * len(source.positives) + [-1.0] * len(source.negatives))
            *dual, bias = inverse_of_the_bordered_system(kernel(own, own, self.gamma), labels) @ np.r_[labels, 0.0]
            self.machines.append((own, np.array(dual), bias))

    def scores(self, examples):
        return np.array([kernel(examples, own, self.gamma) @ dual + bias for own, dual, bias in self.machines]).T


class Split:
    """Training and test examples of one split, the most of any shot count, with the scores of all sources."""

    def __init__(self, pixels, drawn, sources, split):
        training, test = pixels[drawn.train[split]], pixels[drawn.test[split]]
        self.among, self.across = kernel(training, training, sources.gamma), kernel(test, training, sources.gamma)
        self.scores, self.test_scores = sources.scores(training), sources.scores(test)
        self.truth = [1] * drawn.test_positives + [-1] * (len(test) - drawn.test_positives)


class Target:
    """One split at one shot count."""

    def __init__(self, split, shots):
        count = AMOUNTS.negatives + shots
        self.labels = np.array([-1.0] * AMOUNTS.negatives + [1.0] * shots)
        self.P = inverse_of_the_bordered_system(split.among[:count, :count], self.labels)
        self.across, self.scores = split.across[:, :count], split.scores[:count]
        self.test_scores, self.truth = split.test_scores, split.truth

    def terms(self):
        """r and G of the leave-one-out margins."""
        count = len(self.labels)
        diagonal = np.diag(self.P)[:count]
        plain = (self.P @ np.r_[self.labels, 0.0])[:count]
        leaning = np.array([(self.P @ np.r_[score, 0.0])[:count] for score in self.scores.T]).T
        return self.labels * plain / diagonal, self.labels[:, None] * leaning / diagonal[:, None]

    def bound(self, beta):
        residual, influence = self.terms()
        return float(balance(self.labels) @ np.maximum(0, residual - influence @ beta))

    def accuracy(self, beta):
        *dual, bias = self.P @ np.r_[self.labels - self.scores @ beta, 0.0]
        decisions = self.across @ dual + bias + self.test_scores @ beta
        right = {label: [] for label in (1, -1)}
        for decision, label in zip(decisions, self.truth, strict=True):
            right[label].append((decision > 0) == (label > 0))
        return 50 * (np.mean(right[1]) + np.mean(right[-1]))


@pytest.fixture(scope="module")
def targets(digits):
    drawn = draw_task(digits, TARGET, AMOUNTS, "repaired", 0, SPLITS)
    (pixels,) = digits.features.values()
    sources = Sources(pixels, drawn)
    splits = [Split(pixels, drawn, sources, split) for split in SPLITS]
    return {(split, shots): Target(splits[split], shots) for split in SPLITS for shots in SHOTS}, drawn


@pytest.fixture(scope="module")
def written(finished):
    """Accuracies by condition, split and shots, and weights also by source, of the real command's files."""
    folder = finished[0].run_folder
    measured, weights = (pd.read_csv(folder / f"{name}.csv") for name in ("measurements", "weights"))
    measured, weights = measured[measured["unit"] == TARGET], weights[weights["target"] == TARGET]
    return (
        measured.set_index(["condition", "split", "shots"])["value"],
        weights.set_index(["condition", "split", "shots", "source"])["beta"],
    )


@pytest.mark.parametrize("condition", ["none", "multi-average", "multi-equal"])
def test_machines_with_given_weights(targets, written, condition):
    sources = len(targets[1].sources)
    beta = np.full(sources, {"none": 0.0, "multi-average": 1 / sources, "multi-equal": sources**-0.5}[condition])
    for (split, shots), target in targets[0].items():
        assert written[0][condition, split, shots] == pytest.approx(target.accuracy(beta), abs=1e-4)


@pytest.mark.parametrize(("condition", "norm"), [("multi-weighted", "l2"), ("multi-weighted-l1", "l1")])
def test_machines_with_learned_weights(targets, written, condition, norm):
    for (split, shots), target in targets[0].items():
        residual, influence = target.terms()
        beta, best = least_bound(residual, influence, balance(target.labels), norm)
        stored = np.array([written[1][condition, split, shots, name] for name in targets[1].sources])
        assert target.bound(stored) <= best + 1e-5 * max(1.0, best)  # weights are written with six digits
        np.testing.assert_allclose(stored, beta, atol=2e-3)
        assert written[0][condition, split, shots] == pytest.approx(target.accuracy(beta), abs=1e-4)
