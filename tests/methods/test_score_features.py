"""Truth: scikit-learn's linear machines, least squares over the features, and retraining without each example."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

from tlbench.methods.hinge_svm import balanced_costs
from tlbench.methods.least_squares_svm import class_balance, factorise
from tlbench.methods.logistic import feature_logistic
from tlbench.methods.score_features import feature_least_squares, feature_svm, own_confidences


@pytest.mark.parametrize("C", [0.01, 1.0, 20.0])
def test_with_a_free_bias_it_is_the_machine_of_scikit_learn(C, drawn):
    data = drawn(1, count=30)
    costs = balanced_costs(data.y, C)
    twin = SVC(C=1.0, kernel="linear", tol=1e-10).fit(data.F, data.y, sample_weight=costs)
    machine = feature_svm(data.F, data.y, costs)
    np.testing.assert_allclose(machine.weights, twin.coef_[0], atol=1e-4)
    if C >= 1.0:  # else b has an interval, of which the twin takes the end that rounding leads it to
        assert machine.bias == pytest.approx(twin.intercept_[0], abs=1e-4)


@pytest.mark.parametrize("lift", [1.0, 3.0])
def test_with_a_bias_feature_it_is_the_linear_machine_of_scikit_learn(lift, drawn):
    data = drawn(2, count=30)
    twin = LinearSVC(C=0.5, loss="hinge", intercept_scaling=lift, tol=1e-10, max_iter=1_000_000).fit(data.F, data.y)
    machine = feature_svm(data.F, data.y, np.full(30, 0.5), bias_feature=lift)
    np.testing.assert_allclose(machine.weights, twin.coef_[0], atol=1e-5)
    assert machine.bias == pytest.approx(twin.intercept_[0], abs=1e-5)


def test_for_two_classes_crammer_and_singer_s_machine_is_the_same_at_twice_the_cost(drawn):
    data = drawn(3, count=30)
    twin = LinearSVC(C=0.3, multi_class="crammer_singer", tol=1e-10, max_iter=1_000_000).fit(data.F, data.y)
    machine = feature_svm(data.F, data.y, np.full(30, 0.6), bias_feature=1.0)
    np.testing.assert_allclose(machine.decide(data.F), twin.decision_function(data.F), atol=1e-4)


def test_least_squares_and_their_leave_one_out_are_those_of_brute_force(drawn):
    data, C = drawn(4), 2.0
    root = np.sqrt(C * class_balance(data.y))
    wide, ridge = np.c_[data.F, np.ones(16)], np.eye(3, 4)

    def solve(rows):
        design = np.r_[root[rows, None] * wide[rows], ridge]
        return np.linalg.lstsq(design, np.r_[root[rows] * data.y[rows], np.zeros(3)])[0]

    machine, left_out = feature_least_squares(data.F, data.y, C)
    np.testing.assert_allclose(np.append(machine.weights, machine.bias), solve(np.arange(16)), atol=1e-8)
    for left in range(16):
        assert left_out[left] == pytest.approx(wide[left] @ solve(np.delete(np.arange(16), left)), abs=1e-8)


@pytest.mark.parametrize("C", [0.01, 1.0, 1000.0])
def test_logistic_regression_is_that_of_scikit_learn(C, drawn):
    data = drawn(5, count=30)
    costs = balanced_costs(data.y, C)
    twin = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    twin.fit(data.F, data.y, sample_weight=costs)
    machine = feature_logistic(data.F, data.y, costs)
    np.testing.assert_allclose(machine.weights, twin.coef_[0], rtol=1e-4, atol=1e-6)
    assert machine.bias == pytest.approx(twin.intercept_[0], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_logistic_regression_of_separable_or_scaled_features_stands_at_a_point_without_slope(scale, drawn):
    data = drawn(6, features=40, sources=30)
    features, costs = scale * data.F, balanced_costs(data.y, 10.0)
    machine = feature_logistic(features, data.y, costs)
    margins = data.y * machine.decide(features)
    pull = costs * data.y / (1.0 + np.exp(np.minimum(margins, 500.0)))
    largest = 1.0 + costs.sum() * max(1.0, np.abs(features).max())
    np.testing.assert_allclose(machine.weights, pull @ features, atol=1e-9 * largest)
    assert pull.sum() == pytest.approx(0.0, abs=1e-9 * largest)


def test_stacks_are_each_alone_whatever_padding_holds(drawn):
    first, second = drawn(7), drawn(8)
    labels = np.pad(np.stack([first.y, second.y]), [(0, 0), (0, 2)])
    features = np.pad(np.stack([first.F, second.F]), [(0, 0), (0, 2), (0, 0)], constant_values=np.nan)
    costs = np.pad(np.ones((2, 16)), [(0, 0), (0, 2)], constant_values=np.nan)
    machines = [
        (feature_svm(features, labels, costs), lambda data: feature_svm(data.F, data.y, np.ones(16))),
        (feature_svm(features, labels, costs, 1.0), lambda data: feature_svm(data.F, data.y, np.ones(16), 1.0)),
        (feature_logistic(features, labels, costs), lambda data: feature_logistic(data.F, data.y, np.ones(16))),
        (feature_least_squares(features, labels, 2.0)[0], lambda data: feature_least_squares(data.F, data.y, 2.0)[0]),
    ]
    for stacked, alone in machines:
        assert stacked.decide(np.stack([first.F, second.F])).shape == (2, 16)
        for index, data in enumerate((first, second)):
            np.testing.assert_allclose(stacked.weights[index], alone(data).weights, atol=1e-8)
            assert stacked.bias[index] == pytest.approx(alone(data).bias, abs=1e-7)


def test_costs_alone_may_be_a_stack(drawn):
    data = drawn(10)
    costs = np.stack([balanced_costs(data.y, C) for C in (0.1, 10.0)])
    stacked = feature_logistic(data.F, data.y, costs)
    for index in range(2):
        alone = feature_logistic(data.F, data.y, costs[index])
        np.testing.assert_allclose(stacked.weights[index], alone.weights, atol=1e-8)
        assert stacked.bias[index] == pytest.approx(alone.bias, abs=1e-7)


@pytest.mark.parametrize("training", ["left-out", "fitted"])
def test_own_confidences_are_those_of_machines_trained_one_by_one(training, drawn):
    data, C = drawn(9), 5.0
    balance = class_balance(data.y)
    seen, test = own_confidences(data.K, data.K[:3], data.y, C, training)

    def machine(rows):
        part = factorise(data.K[np.ix_(rows, rows)], balance[rows], C)
        return part.dual(data.y[rows]), part.bias(data.y[rows])

    everything = np.arange(16)
    dual, bias = machine(everything)
    np.testing.assert_allclose(test, data.K[:3] @ dual + bias, atol=1e-9)
    for index in range(16):
        rows = everything if training == "fitted" else np.delete(everything, index)
        dual, bias = machine(rows)
        assert seen[index] == pytest.approx(data.K[index, rows] @ dual + bias, abs=1e-9)


def test_the_only_positive_is_called_negative_when_left_out(drawn):
    data = drawn(10, positives=1)
    seen, _ = own_confidences(data.K, data.K, data.y, 5.0)
    assert seen[data.y > 0] == pytest.approx(-1.0, abs=1e-9)


def test_kinds_of_feature_have_an_axis_of_their_own(drawn):
    data = drawn(11)
    kinds = np.stack([data.X[:, :2] @ data.X[:, :2].T, data.X[:, 2:] @ data.X[:, 2:].T])
    seen, test = own_confidences(kinds, kinds[:, :4], data.y, 1.0)
    assert (seen.shape, test.shape) == ((2, 16), (2, 4))
    np.testing.assert_allclose(seen[1], own_confidences(kinds[1], kinds[1], data.y, 1.0)[0], atol=1e-12)


@pytest.mark.parametrize("train", [feature_svm, feature_logistic])
def test_bad_input_is_refused(train, drawn):
    data = drawn(12)
    for change, message in [
        ({"labels": np.ones(16)}, "each class"),
        ({"costs": np.zeros(16)}, "positive"),
        ({"features": np.full((16, 3), np.nan)}, "finite"),
    ]:
        given = {"features": data.F, "labels": data.y, "costs": np.ones(16)} | change
        with pytest.raises(ValueError, match=message):
            train(**given)
    with pytest.raises(ValueError, match="each class"):
        feature_least_squares(data.F, np.ones(16), 1.0)


@pytest.mark.parametrize("seed", [17, 26, 52, 55, 59])
def test_logistic_regression_is_solved_where_whole_newton_steps_run_away(seed):
    """Heavy tails and unlike costs; whole steps find no solution of these in a hundred."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 12)), int(rng.integers(1, 4))
    features = rng.standard_t(1.5, size=size) * 10 ** rng.uniform(-1, 2)
    labels = np.where(rng.random(size[0]) < 0.3, 1.0, -1.0)
    costs = 10 ** rng.uniform(-1, 3, size=size[0])

    def objective(at):
        return 0.5 * at[:-1] @ at[:-1] + costs @ np.logaddexp(0.0, -labels * (features @ at[:-1] + at[-1]))

    machine = feature_logistic(features, labels, costs)
    found = np.append(machine.weights, machine.bias)
    best = minimize(objective, found, method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-12}).fun
    assert objective(found) == pytest.approx(best, rel=1e-9)
