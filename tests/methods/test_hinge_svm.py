"""Truth: Clarabel on primal and dual, and scikit-learn's machines where nothing is borrowed."""

import numpy as np
import pytest
from sklearn.svm import SVC, LinearSVC

from tlbench.methods import boxed_quadratic
from tlbench.methods.active_set import Settled
from tlbench.methods.hinge_svm import balanced_costs, train_hinge


def nothing(count):
    return np.zeros((count, 0)), np.zeros(0)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("positives", [1, 6])
def test_primal_and_dual_are_those_of_a_conic_solver(C, with_bias, positives, drawn, convex):
    data = drawn(1, positives=positives)
    costs, beta = balanced_costs(data.y, C), np.array([0.4, -0.3, 0.2])
    machine = train_hinge(data.K, data.y, costs, data.F, beta, with_bias)
    x, _, primal = convex.hinge_primal(np.eye(4), data.X, data.y, costs, data.F @ beta, with_bias)
    assert convex.hinge_dual(data.K, data.y, costs, data.F @ beta, with_bias) == pytest.approx(primal, rel=1e-6)
    v = data.X.T @ machine.dual
    margins = data.y * (data.F @ beta + data.X @ v + machine.bias)
    assert 0.5 * v @ v + costs @ np.maximum(1.0 - margins, 0.0) == pytest.approx(primal, rel=1e-6)
    np.testing.assert_allclose(v, x, atol=1e-4)
    new = data.rng.normal(size=(7, 4))
    decided = machine.decide(new @ data.X.T, new @ data.w.T)
    np.testing.assert_allclose(decided, new @ v + new @ data.w.T @ beta + machine.bias, atol=1e-10)
    assert 0.0 <= machine.gap + 1e-12 <= 1e-6
    assert with_bias or machine.bias == 0.0


@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
def test_without_sources_it_is_the_support_vector_machine_of_scikit_learn(C, drawn):
    data = drawn(2, count=30, positives=9)
    kernel = np.exp(-0.2 * np.sum((data.X[:, None] - data.X) ** 2, axis=-1))
    costs = balanced_costs(data.y, C)
    twin = SVC(C=1.0, kernel="precomputed", tol=1e-10).fit(kernel, data.y, sample_weight=costs)
    machine = train_hinge(kernel, data.y, costs, *nothing(30))
    decided, expected = machine.decide(kernel, np.zeros((30, 0))), twin.decision_function(kernel)
    np.testing.assert_allclose(decided - machine.bias, expected - twin.intercept_, atol=1e-5)
    if C >= 1.0:  # else b has an interval, of which the twin takes the end that rounding leads it to
        np.testing.assert_allclose(decided, expected, atol=1e-5)


@pytest.mark.parametrize("C", [0.01, 0.1, 10.0])
def test_the_bias_does_not_depend_on_the_way_to_the_solution(C, drawn, monkeypatch):
    """Balanced costs often leave b an interval: its middle is taken, whoever finds the solution."""
    data = drawn(2, count=30, positives=9)
    kernel = np.exp(-0.2 * np.sum((data.X[:, None] - data.X) ** 2, axis=-1))
    given = (kernel, data.y, balanced_costs(data.y, C), data.F, np.array([0.1, 0.0, 0.2]))
    usual = train_hinge(*given)
    monkeypatch.setattr(boxed_quadratic, "first_guess", lambda program: np.ones(program.linear.shape, dtype=np.int8))
    assert train_hinge(*given).bias == pytest.approx(usual.bias, abs=1e-9)
    monkeypatch.setattr(boxed_quadratic, "settle", nothing_settled)
    assert train_hinge(*given).bias == pytest.approx(usual.bias, abs=1e-6)


def nothing_settled(program, guess, most_steps):
    return Settled(np.zeros(guess.shape), guess, np.zeros(len(guess), dtype=bool))


def test_without_a_bias_it_is_the_linear_machine_of_scikit_learn(drawn):
    data = drawn(3, count=30, positives=9)
    twin = LinearSVC(loss="hinge", fit_intercept=False, C=0.7, tol=1e-10, max_iter=1_000_000).fit(data.X, data.y)
    machine = train_hinge(data.K, data.y, np.full(30, 0.7), *nothing(30), with_bias=False)
    np.testing.assert_allclose(data.X.T @ machine.dual, twin.coef_[0], atol=1e-5)


def test_balanced_costs_weigh_both_classes_alike():
    np.testing.assert_allclose(balanced_costs(np.array([1.0, -1.0, -1.0, 0.0]), 10.0)[:3], [15.0, 7.5, 7.5])


def test_a_stack_is_each_machine_alone_whatever_padding_holds(drawn):
    machines = [drawn(seed, count=11) for seed in range(4, 8)]
    beta = np.array([0.5, 0.0, 0.1])
    labels = np.zeros((2, 2, 14))
    kernel, scores = np.full((2, 2, 14, 14), np.nan), np.full((2, 2, 14, 3), np.nan)
    costs = np.full((2, 2, 14), np.nan)
    used = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13])
    for place, data in zip(np.ndindex(2, 2), machines, strict=True):
        labels[place][used] = data.y
        kernel[place][np.ix_(used, used)], scores[place][used] = data.K, data.F
        costs[place][used] = balanced_costs(data.y, 3.0)
    scores = np.nan_to_num(scores)  # finite where nobody looks
    stacked = train_hinge(kernel, labels, costs, scores, beta)
    assert stacked.weights.shape == (2, 2, 3)
    for place, data in zip(np.ndindex(2, 2), machines, strict=True):
        alone = train_hinge(data.K, data.y, balanced_costs(data.y, 3.0), data.F, beta)
        np.testing.assert_allclose(stacked.dual[place][used], alone.dual, atol=1e-8)
        assert not np.delete(stacked.dual[place], used).any()
        assert stacked.bias[place] == pytest.approx(alone.bias, abs=1e-8)


def test_many_weights_share_a_kernel(drawn):
    data = drawn(9)
    costs, betas = balanced_costs(data.y, 1.0), data.rng.uniform(0, 1, (5, 3))
    together = train_hinge(data.K, data.y, costs, data.F, betas)
    assert together.dual.shape == (5, 16)
    assert together.decide(data.K, data.F).shape == (5, 16)
    for index, beta in enumerate(betas):
        np.testing.assert_allclose(
            together.dual[index], train_hinge(data.K, data.y, costs, data.F, beta).dual, atol=1e-9
        )


def test_a_source_that_explains_everything_leaves_nothing_to_learn(drawn):
    data = drawn(10)
    machine = train_hinge(data.K, data.y, balanced_costs(data.y, 1.0), 3.0 * data.y[:, None], np.ones(1))
    np.testing.assert_array_equal(machine.dual, 0.0)
    assert machine.gap == 0.0
    assert -2.0 <= machine.bias <= 2.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.ones(16)}, "each class"),
        ({"labels": np.zeros(16)}, "each class"),
        ({"labels": np.r_[np.ones(14), np.zeros(2)]}, "each class"),
        ({"labels": np.linspace(-1, 1, 16)}, "−1 or 1"),
        ({"costs": np.zeros(16)}, "costs must be positive"),
        ({"costs": np.full(16, np.inf)}, "costs must be positive"),
        ({"kernel": np.full((16, 16), np.nan)}, "must be finite"),
        ({"scores": np.full((16, 3), np.inf)}, "must be finite"),
    ],
)
def test_bad_input_is_refused(change, message, drawn):
    data = drawn(11)
    given = {"kernel": data.K, "labels": data.y, "costs": np.ones(16), "scores": data.F} | change
    with pytest.raises(ValueError, match=message):
        train_hinge(**given, weights=np.ones(3))
