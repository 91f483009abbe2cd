"""Truth: the papers' primal problems as written, by Clarabel; limits that must hold."""

import numpy as np
import pytest

from tlbench.methods.adapted_svm import adaptive_svm, fixed_transfer_svm, mixed_kernel, several_kernels_svm
from tlbench.methods.hinge_svm import balanced_costs, train_hinge


@pytest.mark.parametrize("with_bias", [False, True])
def test_the_adaptive_machine_adds_to_the_average_of_black_boxes(with_bias, drawn, convex):
    data = drawn(1)
    costs, scores = balanced_costs(data.y, 2.0), np.tanh(data.F) + 0.3  # no hyperplanes, and biases of their own
    machine = adaptive_svm(data.K, data.y, costs, scores, with_bias=with_bias)
    delta, b, _ = convex.hinge_primal(np.eye(4), data.X, data.y, costs, scores.mean(axis=1), with_bias)
    np.testing.assert_allclose(data.X.T @ machine.dual, delta, atol=1e-5)
    new, seen = data.rng.normal(size=(6, 4)), data.rng.normal(size=(6, 3))
    np.testing.assert_allclose(machine.decide(new @ data.X.T, seen), seen.mean(axis=1) + new @ delta + b, atol=1e-4)


def test_the_adaptive_machine_takes_other_shares_that_sum_to_one(drawn):
    data = drawn(2)
    costs = balanced_costs(data.y, 1.0)
    given = adaptive_svm(data.K, data.y, costs, data.F, [0.0, 1.0, 0.0])
    alone = adaptive_svm(data.K, data.y, costs, data.F[:, 1:2])
    np.testing.assert_allclose(given.dual, alone.dual, atol=1e-10)
    with pytest.raises(ValueError, match="sum to one"):
        adaptive_svm(data.K, data.y, costs, data.F, [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="at least one source"):
        adaptive_svm(data.K, data.y, costs, data.F[:, :0])


def test_duplicate_sources_average_to_themselves(drawn):
    data = drawn(3)
    costs = balanced_costs(data.y, 1.0)
    twice = adaptive_svm(data.K, data.y, costs, data.F[:, [0, 0]])
    np.testing.assert_allclose(twice.dual, adaptive_svm(data.K, data.y, costs, data.F[:, :1]).dual, atol=1e-10)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 2.5])
def test_fixed_transfer_minimises_the_distance_to_the_weighted_source(beta, drawn, convex):
    """½‖w − βw_s‖² = ½‖w‖² − β w_s·w + const, over w itself."""
    data = drawn(4)
    costs, source = balanced_costs(data.y, 1.5), data.w[0]
    machine = fixed_transfer_svm(data.K, data.y, costs, data.F[:, :1], [beta])
    count, total = 16, 4 + 1 + 16
    P = np.zeros((total, total))
    P[:4, :4] = np.eye(4)
    slack = np.eye(count, total, 5)
    above = -np.concatenate([data.y[:, None] * np.c_[data.X, np.ones(count)], np.eye(count)], axis=1)
    cost = costs @ slack
    cost[:4] = -beta * source
    x, _ = convex.minimise(P, cost, np.concatenate([above, -slack]), np.append(-np.ones(count), np.zeros(count)))
    np.testing.assert_allclose(data.X.T @ machine.dual + beta * source, x[:4], atol=1e-5)
    assert machine.bias == pytest.approx(x[4], abs=1e-4)


def test_without_weights_nothing_is_transferred(drawn):
    data = drawn(5)
    costs = balanced_costs(data.y, 1.0)
    plain = train_hinge(data.K, data.y, costs, np.zeros((16, 0)), np.zeros(0))
    leaning = fixed_transfer_svm(data.K, data.y, costs, data.F, np.zeros(3))
    np.testing.assert_array_equal(leaning.dual, plain.dual)
    np.testing.assert_array_equal(leaning.decide(data.K, data.F), plain.decide(data.K, np.zeros((16, 0))))


def test_several_kernels_minimise_the_distance_in_each_space(drawn, convex):
    """Over (w¹, w²) in R² × R²: Σ_m ‖w^m − Σ_j β_jm w_j^m‖²/(2 d_m) + hinge."""
    data = drawn(6)
    costs, shares = balanced_costs(data.y, 1.0), np.array([0.7, 0.3])
    parts = [data.X[:, :2], data.X[:, 2:]]
    kernels = np.stack([part @ part.T for part in parts])
    scores = np.stack([data.X[:, :2] @ data.w[:, :2].T, data.X[:, 2:] @ data.w[:, 2:].T], axis=-1)
    beta = data.rng.uniform(0, 1, (3, 2))
    machine = several_kernels_svm(kernels, data.y, costs, scores, beta, shares)
    metric = np.diag(np.repeat(1.0 / shares, 2))
    centre = np.concatenate([beta[:, 0] @ data.w[:, :2], beta[:, 1] @ data.w[:, 2:]])
    v, b, _ = convex.hinge_primal(metric, data.X, data.y, costs, data.X @ centre)
    new = data.rng.normal(size=(5, 4))
    similar = mixed_kernel(np.stack([new[:, :2] @ parts[0].T, new[:, 2:] @ parts[1].T]), shares)
    seen = np.stack([new[:, :2] @ data.w[:, :2].T, new[:, 2:] @ data.w[:, 2:].T], axis=-1)
    decided = machine.decide(similar, seen.reshape(5, 6))
    np.testing.assert_allclose(decided, new @ (v + centre) + b, atol=1e-4)


def test_mixed_kernels_are_means_unless_shares_are_given():
    kernels = np.arange(12.0).reshape(3, 2, 2)
    np.testing.assert_allclose(mixed_kernel(kernels), kernels.mean(axis=0))
    np.testing.assert_allclose(mixed_kernel(kernels, [1.0, 0.0, 2.0]), kernels[0] + 2.0 * kernels[2])
    with pytest.raises(ValueError, match="each of the 3 kernels"):
        mixed_kernel(kernels, [1.0, 1.0])
    with pytest.raises(ValueError, match="zero or more"):
        mixed_kernel(kernels, [1.0, 1.0, -1.0])
