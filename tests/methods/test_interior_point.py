"""Truth: a conic quadratic program solved by Clarabel, which includes the small ridge that breaks ties."""

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp

from tlbench.methods import interior_point
from tlbench.methods.interior_point import BOLD, CAREFUL, TIE_BREAK, minimise_hinge


def objective(residual, influence, balance, beta):
    return balance @ np.maximum(residual - influence @ beta, 0.0) + TIE_BREAK / 2 * beta @ beta


def optimum(residual, influence, balance, norm):
    """Least Σ ζ s + (ε/2)‖β‖² over (β, s) with s ≥ r − Gβ, s ≥ 0, β ≥ 0 and β in the ball."""
    count, sources = influence.shape
    rows = [np.c_[-influence, -np.eye(count)], -np.eye(count + sources)]
    bounds = [-residual, np.zeros(count + sources)]
    if norm == "l1":
        rows.append(np.r_[np.ones(sources), np.zeros(count)][None])
        bounds.append(np.ones(1))
    cones = [clarabel.NonnegativeConeT(sum(map(len, bounds)))]
    if norm == "l2":
        rows.append(np.c_[np.r_[np.zeros((1, sources)), -np.eye(sources)], np.zeros((sources + 1, count))])
        bounds.append(np.r_[1.0, np.zeros(sources)])
        cones.append(clarabel.SecondOrderConeT(sources + 1))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    ridge = sp.csc_matrix(np.diag(np.r_[np.full(sources, TIE_BREAK), np.zeros(count)]))
    cost = np.r_[np.zeros(sources), balance]
    matrix = sp.csc_matrix(np.concatenate(rows))
    solution = clarabel.DefaultSolver(ridge, cost, matrix, np.concatenate(bounds), cones, settings).solve()
    assert "Solved" in str(solution.status)
    return solution.obj_val


def stack(seed, problems=20, count=12, sources=5):
    rng = np.random.default_rng(seed)
    residual, influence = rng.normal(1, 1, (problems, count)), rng.normal(size=(problems, count, sources))
    return residual, influence, rng.uniform(0.2, 3.0, (problems, count))


def degenerate_stack(seed, problems=20, count=16, sources=3):
    """Integers and repeated examples: more examples exactly at the hinge than there are weights."""
    rng = np.random.default_rng(seed)
    residual = rng.integers(-1, 2, (problems, count)).astype(float)
    influence = rng.integers(-2, 3, (problems, count, sources)).astype(float)
    residual[:, 8:], influence[:, 8:] = residual[:, :8], influence[:, :8]
    return residual, influence, np.ones((problems, count))


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("make", [stack, degenerate_stack])
@pytest.mark.parametrize("pace", [BOLD, CAREFUL], ids=["bold", "careful"])
def test_the_minimum_is_that_of_a_conic_solver(norm, make, pace):
    residual, influence, balance = make(10)
    weights = minimise_hinge(residual, influence, balance, norm, pace)
    assert weights.shape == (20, influence.shape[-1])
    assert weights.min() >= 0.0
    lengths = weights.sum(axis=1) if norm == "l1" else np.linalg.norm(weights, axis=1)
    assert lengths.max() <= 1.0 + 1e-8
    for beta, *terms in zip(weights, residual, influence, balance, strict=True):
        assert objective(*terms, beta) == pytest.approx(optimum(*terms, norm), abs=1e-8, rel=1e-8)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_single_source_that_always_helps_gets_all_the_weight(norm):
    weights = minimise_hinge(np.full((1, 3), 2.0), np.ones((1, 3, 1)), np.ones((1, 3)), norm)
    np.testing.assert_allclose(weights, 1.0, atol=1e-8)


def test_the_l2_solution_points_along_the_gradient_while_no_hinge_closes():
    influence = np.array([[[3.0, 4.0]], [[1.0, -1.0]]])
    weights = minimise_hinge(np.full((2, 1), 100.0), influence, np.ones((2, 1)), "l2")
    np.testing.assert_allclose(weights, [[0.6, 0.8], [1.0, 0.0]], atol=1e-8)


def test_the_l1_solution_is_a_corner_while_no_hinge_closes():
    weights = minimise_hinge(np.full((1, 1), 100.0), np.array([[[3.0, 4.0]]]), np.ones((1, 1)), "l1")
    np.testing.assert_allclose(weights, [[0.0, 1.0]], atol=1e-8)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("make", [stack, degenerate_stack])
def test_each_problem_is_solved_as_if_alone(norm, make):
    terms = make(11)
    together = minimise_hinge(*terms, norm)
    for index, beta in enumerate(together):
        alone = minimise_hinge(*(part[index : index + 1] for part in terms), norm)[0]
        np.testing.assert_allclose(beta, alone, rtol=0, atol=1e-9)


def test_problems_that_stall_are_solved_at_the_careful_pace():
    terms = stack(12)
    np.testing.assert_array_equal(
        minimise_hinge(*terms, "l2", BOLD._replace(most_steps=1)), minimise_hinge(*terms, "l2", CAREFUL)
    )


def test_a_problem_that_no_pace_solves_is_an_error(monkeypatch):
    slow = CAREFUL._replace(most_steps=2)
    monkeypatch.setattr(interior_point, "CAREFUL", slow)
    with pytest.raises(ArithmeticError, match="20 source-weight problems were not solved in 2 steps"):
        minimise_hinge(*stack(13), "l2", BOLD._replace(most_steps=1))
