"""Truth: the joint problem in w, β and b, by Clarabel and by linear least squares; retraining without each example."""

import numpy as np
import pytest

from tlbench.methods.hinge_svm import balanced_costs, train_hinge
from tlbench.methods.least_squares_svm import class_balance, factorise
from tlbench.methods.penalised_weights import (
    kernel_with_scores,
    penalised_least_squares,
    penalised_svm,
    weights_from_dual,
)


@pytest.mark.parametrize("rho", [0.05, 1.0, 30.0])
def test_weights_and_machine_minimise_the_joint_problem(rho, drawn, convex):
    """Over (v, β): ½‖v‖² + (ρ/2)‖β‖² + hinge of v·x + Σ β_j f_j(x) + b, with w = v + Σ β_j w_j."""
    data = drawn(1)
    costs = balanced_costs(data.y, 1.5)
    machine = penalised_svm(data.K, data.y, costs, data.F, rho)
    metric = np.diag(np.r_[np.ones(4), np.full(3, rho)])
    x, b, value = convex.hinge_primal(metric, np.c_[data.X, data.F], data.y, costs)
    np.testing.assert_allclose(machine.weights, x[4:], atol=1e-4)
    v = data.X.T @ machine.dual
    np.testing.assert_allclose(v, x[:4], atol=1e-4)
    margins = data.y * (data.X @ v + data.F @ machine.weights + machine.bias)
    reached = 0.5 * v @ v + rho / 2 * machine.weights @ machine.weights + costs @ np.maximum(1.0 - margins, 0.0)
    assert reached == pytest.approx(value, rel=1e-6)
    new = data.rng.normal(size=(5, 4))
    expected = np.c_[new, new @ data.w.T] @ x + b
    np.testing.assert_allclose(machine.decide(new @ data.X.T, new @ data.w.T), expected, atol=1e-3)


def test_a_large_rho_transfers_nothing(drawn):
    data = drawn(2)
    costs = balanced_costs(data.y, 1.0)
    plain = train_hinge(data.K, data.y, costs, np.zeros((16, 0)), np.zeros(0))
    machine = penalised_svm(data.K, data.y, costs, data.F, 1e9)
    assert np.abs(machine.weights).max() < 1e-6
    np.testing.assert_allclose(machine.dual, plain.dual, atol=1e-6)
    squares = penalised_least_squares(data.K, data.y, data.F, 1.0, 1e9).machine
    alone = factorise(data.K, class_balance(data.y), 1.0)
    np.testing.assert_allclose(squares.dual, alone.dual(data.y), atol=1e-6)


def test_duplicate_sources_share_their_weight(drawn):
    data = drawn(3)
    costs = balanced_costs(data.y, 1.0)
    twice = penalised_svm(data.K, data.y, costs, data.F[:, [0, 0]], 2.0)
    once = penalised_svm(data.K, data.y, costs, data.F[:, :1], 1.0)
    np.testing.assert_allclose(twice.weights, np.repeat(once.weights / 2, 2), atol=1e-8)


def least_squares(data, C, rho, rows, balance):
    """(v, β, b) minimising ½‖v‖² + (ρ/2)‖β‖² + (C/2) Σ ζ_i (y_i − v·x_i − β·f_i − b)² over some rows."""
    root = np.sqrt(C * balance[rows])
    wide = np.c_[data.X, data.F, np.ones(len(data.y))][rows]
    ridge = np.diag(np.r_[np.ones(4), np.full(3, np.sqrt(rho)), 0.0])[:7]
    return np.linalg.lstsq(np.r_[root[:, None] * wide, ridge], np.r_[root * data.y[rows], np.zeros(7)])[0]


def test_least_squares_and_their_leave_one_out_are_those_of_brute_force(drawn):
    data, C, rho = drawn(4), 3.0, 0.5
    machine, left_out = penalised_least_squares(data.K, data.y, data.F, C, rho)
    balance = class_balance(data.y)
    solution = least_squares(data, C, rho, np.arange(16), balance)
    np.testing.assert_allclose(machine.weights, solution[4:7], atol=1e-9)
    np.testing.assert_allclose(data.X.T @ machine.dual, solution[:4], atol=1e-9)
    assert machine.bias == pytest.approx(solution[7], abs=1e-9)
    for left in range(16):
        without = least_squares(data, C, rho, np.delete(np.arange(16), left), balance)
        expected = np.r_[data.X[left], data.F[left], 1.0] @ without
        assert left_out[left] == pytest.approx(expected, abs=1e-9)


def test_a_stack_is_each_alone_whatever_padding_holds(drawn):
    first, second = drawn(5), drawn(6)
    pad = [(0, 0), (0, 2)]
    labels = np.pad(np.stack([first.y, second.y]), pad)
    kernel = np.pad(np.stack([first.K, second.K]), [(0, 0), (0, 2), (0, 2)], constant_values=9.0)
    scores = np.pad(np.stack([first.F, second.F]), [*pad, (0, 0)], constant_values=np.nan)
    costs = np.pad(np.stack([balanced_costs(first.y, 1.0), balanced_costs(second.y, 1.0)]), pad, constant_values=1.0)
    hinge = penalised_svm(kernel, labels, costs, scores, 0.7)
    squares = penalised_least_squares(kernel, labels, scores, 2.0, 0.7)
    assert not squares.left_out[:, 16:].any()
    for index, data in enumerate((first, second)):
        alone = penalised_svm(data.K, data.y, costs[index, :16], data.F, 0.7)
        np.testing.assert_allclose(hinge.weights[index], alone.weights, atol=1e-9)
        exact = penalised_least_squares(data.K, data.y, data.F, 2.0, 0.7)
        np.testing.assert_allclose(squares.machine.weights[index], exact.machine.weights, atol=1e-9)
        np.testing.assert_allclose(squares.left_out[index, :16], exact.left_out, atol=1e-9)


def test_kernel_and_weights_by_hand():
    kernel = kernel_with_scores(np.zeros((1, 2)), np.array([[2.0, 1.0]]), np.array([[1.0, 0.0], [3.0, -1.0]]), 2.0)
    np.testing.assert_allclose(kernel, [[1.0, 2.5]])
    np.testing.assert_allclose(
        weights_from_dual(np.array([1.0, -1.0]), np.array([[1.0, 0.0], [3.0, -1.0]]), 2.0), [-1.0, 0.5]
    )


@pytest.mark.parametrize("rho", [0.0, -1.0, np.inf, np.nan])
def test_a_bad_penalty_is_refused(rho, drawn):
    data = drawn(7)
    with pytest.raises(ValueError, match="ρ must be positive"):
        penalised_svm(data.K, data.y, np.ones(16), data.F, rho)


def test_a_missing_class_is_refused(drawn):
    data = drawn(8)
    with pytest.raises(ValueError, match="each class"):
        penalised_svm(data.K, np.ones(16), np.ones(16), data.F, 1.0)
    with pytest.raises(ValueError, match="each class"):
        penalised_least_squares(data.K, np.ones(16), data.F, 1.0, 1.0)
