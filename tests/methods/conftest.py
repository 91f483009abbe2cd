"""An independent convex solver, and problems that several tests draw."""

from __future__ import annotations

from types import SimpleNamespace

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp


def minimise(P, q, A_in=None, b_in=None, A_eq=None, b_eq=None):
    """Least ½xᵀPx + qᵀx with A_in x ≤ b_in and A_eq x = b_eq, by Clarabel: (x, objective)."""
    size = len(q)
    rows, bounds, cones = [], [], []
    if A_eq is not None:
        rows.append(np.atleast_2d(A_eq))
        bounds.append(np.atleast_1d(b_eq))
        cones.append(clarabel.ZeroConeT(len(bounds[-1])))
    if A_in is not None:
        rows.append(np.atleast_2d(A_in))
        bounds.append(np.atleast_1d(b_in))
        cones.append(clarabel.NonnegativeConeT(len(bounds[-1])))
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-11
    upper = sp.csc_matrix(np.triu(P))
    matrix = sp.csc_matrix(np.concatenate(rows).reshape(-1, size))
    solution = clarabel.DefaultSolver(
        upper, np.asarray(q, float), matrix, np.concatenate(bounds), cones, options
    ).solve()
    assert "Solved" in str(solution.status)
    return np.array(solution.x), solution.obj_val


def hinge_primal(quadratic, examples, labels, costs, borrowed=0.0, with_bias=True, extra=None):
    """Least ½xᵀQx + Σ C_i ξ_i over (x, b, ξ) with y_i (borrowed_i + x·z_i + b) ≥ 1 − ξ_i, ξ ≥ 0, extra·x ≥ 0.

    ``quadratic`` (m, m) and ``examples`` z (N, m). Returns x, b and the objective.
    """
    count, size = examples.shape
    total = size + 1 + count
    P = np.zeros((total, total))
    P[:size, :size] = quadratic
    slack = np.eye(count, total, size + 1)
    margins = labels[:, None] * np.concatenate([examples, np.full((count, 1), float(with_bias))], axis=1)
    above = -np.concatenate([margins, np.eye(count)], axis=1)
    rows, bounds = [above, -slack], [labels * borrowed - 1.0, np.zeros(count)]
    if extra is not None:
        rows.append(-np.append(extra, np.zeros(1 + count))[None])
        bounds.append(np.zeros(1))
    fixed = None if with_bias else np.eye(1, total, size)
    x, value = minimise(P, costs @ slack, np.concatenate(rows), np.concatenate(bounds), fixed, np.zeros(1))
    return x[:size], x[size] if with_bias else 0.0, value


def hinge_dual(kernel, labels, costs, borrowed=0.0, with_bias=True):
    """Largest Σ(1 − y f_a)α − ½ αᵀ(yyᵀ∘K)α in the box, and with Σ α y = 0 for a bias."""
    count = len(labels)
    box = np.concatenate([np.eye(count), -np.eye(count)])
    _, value = minimise(
        kernel * np.outer(labels, labels),
        labels * borrowed - 1.0,
        box,
        np.append(costs, np.zeros(count)),
        labels[None] if with_bias else None,
        np.zeros(1),
    )
    return -value


def draw(seed, count=16, positives=6, features=4, sources=3):
    """Examples (N, d) of two shifted normal clouds, labels ±1, source hyperplanes (k, d) and their scores (N, k)."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.permutation(count) < positives, 1.0, -1.0)
    examples = rng.normal(size=(count, features)) + 0.6 * labels[:, None]
    hyperplanes = rng.normal(0.3, 0.4, size=(sources, features))
    return SimpleNamespace(
        X=examples, y=labels, K=examples @ examples.T, w=hyperplanes, F=examples @ hyperplanes.T, rng=rng
    )


@pytest.fixture(scope="session")
def convex():
    return SimpleNamespace(minimise=minimise, hinge_primal=hinge_primal, hinge_dual=hinge_dual)


@pytest.fixture(scope="session")
def drawn():
    return draw
