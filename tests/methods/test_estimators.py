import doctest

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from tlbench.methods import estimators
from tlbench.methods.estimators import BalancedLSSVC, TransferLSSVC


def expected_failures(estimator):
    if estimator.kernel == "precomputed":
        return {"check_estimators_dtypes": "rounds a kernel matrix to integers, which leaves it indefinite"}
    return {}


@parametrize_with_checks(
    [
        BalancedLSSVC(),
        BalancedLSSVC(kernel="linear"),
        BalancedLSSVC(kernel="precomputed"),
        TransferLSSVC(),
        TransferLSSVC(weighting="none", kernel="linear"),
    ],
    expected_failed_checks=expected_failures,
)
def test_the_estimators_keep_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def test_the_examples_in_the_docstrings_are_right():
    outcome = doctest.testmod(estimators)
    assert outcome.attempted >= 6
    assert outcome.failed == 0


def draw(seed, count=16, positives=6, shift=1.0):
    rng = np.random.default_rng(seed)
    labels = np.where(rng.permutation(count) < positives, "yes", "no")
    return rng.normal(size=(count, 4)) + shift * (labels == "yes")[:, None], labels


def sources_for(seed):
    X, y = draw(seed, 80, 40)
    return [
        LogisticRegression().fit(X, y),
        SVC().fit(X, y),
        make_pipeline(StandardScaler(), SVC(kernel="linear")).fit(X, y),
        BalancedLSSVC().fit(X, y),
    ]


def brute_force(kernel, labels, borrowed, C):
    """Decision on each example by the bordered system without it; ζ and β as with all of them."""
    count = len(labels)
    balance = np.where(labels > 0, count / (2 * np.sum(labels > 0)), count / (2 * np.sum(labels < 0)))
    decisions = []
    for left in range(count):
        rest = np.delete(np.arange(count), left)
        system = np.ones((count, count))
        system[:-1, :-1] = kernel[np.ix_(rest, rest)] + np.diag(1.0 / (C * balance[rest]))
        system[-1, -1] = 0.0
        solution = np.linalg.solve(system, np.append((labels - borrowed)[rest], 0.0))
        decisions.append(kernel[left, rest] @ solution[:-1] + solution[-1] + borrowed[left])
    return np.array(decisions)


def test_the_machine_minimises_its_primal_problem():
    X, y = draw(1)
    machine = BalancedLSSVC(C=3.0, kernel="linear").fit(X, y)
    signs = np.where(y == "yes", 1.0, -1.0)
    root = np.sqrt(3.0 * np.where(y == "yes", 16 / 12, 16 / 20))
    design = np.concatenate([root[:, None] * np.c_[X, np.ones(16)], np.eye(4, 5)])
    solution = np.linalg.lstsq(design, np.r_[root * signs, np.zeros(4)])[0]
    new = draw(2)[0]
    np.testing.assert_allclose(machine.decision_function(new), new @ solution[:4] + solution[4], atol=1e-10)
    assert machine.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(machine.predict(new) == "yes", new @ solution[:4] + solution[4] > 0)
    np.testing.assert_array_equal(machine.X_fit_, X)
    assert machine.gamma_ is None


def test_gamma_is_one_over_the_mean_squared_distance_or_as_given():
    X, y = draw(3)
    differences = np.sum((X[:, None] - X[None]) ** 2, axis=-1)
    gamma = 1.0 / (differences.sum() / (16 * 15))
    assert BalancedLSSVC().fit(X, y).gamma_ == pytest.approx(gamma, rel=1e-12)
    given, kernel = BalancedLSSVC(gamma=0.3).fit(X, y), np.exp(-0.3 * differences)
    assert given.gamma_ == 0.3
    precomputed = BalancedLSSVC(kernel="precomputed").fit(kernel, y)
    np.testing.assert_allclose(precomputed.dual_coef_, given.dual_coef_, atol=1e-10)
    np.testing.assert_allclose(precomputed.decision_function(kernel[:3]), given.decision_function(X[:3]), atol=1e-10)


@pytest.mark.parametrize("positives", [1, 6, 15])
def test_leave_one_out_decisions_are_those_of_retraining(positives):
    X, y = draw(4, positives=positives)
    kernel, labels = np.exp(-0.3 * np.sum((X[:, None] - X[None]) ** 2, axis=-1)), np.where(y == "yes", 1.0, -1.0)
    plain = BalancedLSSVC(gamma=0.3).fit(X, y)
    expected = brute_force(kernel, labels, np.zeros(16), 10.0)
    np.testing.assert_allclose(plain.leave_one_out_decision_, expected, rtol=0, atol=1e-10)
    sources = sources_for(5)
    leaning = TransferLSSVC(sources, gamma=0.3).fit(X, y)
    borrowed = sum(w * s.decision_function(X) for w, s in zip(leaning.source_weights_, sources, strict=True))
    assert np.abs(borrowed).max() > 0.1
    expected = brute_force(kernel, labels, borrowed, 10.0)
    np.testing.assert_allclose(leaning.leave_one_out_decision_, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("sources", [[], sources_for(6)], ids=["no sources", "four sources"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_without_weights_the_machine_is_the_plain_one(sources, kernel):
    X, y = draw(7)
    plain = BalancedLSSVC(C=2.0, kernel=kernel).fit(X, y)
    leaning = TransferLSSVC(sources, C=2.0, kernel=kernel, weighting="none").fit(X, y)
    np.testing.assert_array_equal(leaning.source_weights_, np.zeros(len(sources)))
    np.testing.assert_array_equal(leaning.dual_coef_, plain.dual_coef_)
    np.testing.assert_array_equal(leaning.leave_one_out_decision_, plain.leave_one_out_decision_)
    np.testing.assert_array_equal(leaning.decision_function(X + 0.1), plain.decision_function(X + 0.1))


@pytest.mark.parametrize("weighting", ["learned", "single", "equal", "average", "none", []])
def test_no_sources_are_allowed_with_every_weighting(weighting):
    X, y = draw(8)
    assert TransferLSSVC(weighting=weighting).fit(X, y).source_weights_.shape == (0,)


@pytest.mark.parametrize("weighting", ["learned", "single", "equal", "average", (0.5, -2.0, 0.0, 0.1)])
def test_the_decision_is_the_kernel_part_plus_the_weighted_sources(weighting):
    X, y = draw(9)
    new, sources = draw(10)[0], sources_for(11)
    machine = TransferLSSVC(sources, kernel="linear", weighting=weighting).fit(X, y)
    expected = new @ X.T @ machine.dual_coef_ + machine.intercept_
    for weight, source in zip(machine.source_weights_, sources, strict=True):
        expected = expected + weight * source.decision_function(new)
    np.testing.assert_allclose(machine.decision_function(new), expected, atol=1e-10)
    # The kernel part explains what the sources leave of the labels: Σα = 0 and residual_i = α_i / (C ζ_i).
    residual = np.where(y == "yes", 1.0, -1.0) - machine.decision_function(X)
    assert machine.dual_coef_.sum() == pytest.approx(0.0, abs=1e-9)
    balance = np.where(y == "yes", 16 / 12, 16 / 20)
    np.testing.assert_allclose(residual, machine.dual_coef_ / (10.0 * balance), atol=1e-9)


def test_fixed_weights():
    X, y = draw(12)
    sources = sources_for(13)
    np.testing.assert_allclose(TransferLSSVC(sources, weighting="equal").fit(X, y).source_weights_, np.full(4, 0.5))
    np.testing.assert_allclose(TransferLSSVC(sources, weighting="average").fit(X, y).source_weights_, np.full(4, 0.25))
    given = np.array([0.1, -3.0, 0.0, 2.0])
    fitted = TransferLSSVC(sources, weighting=given).fit(X, y).source_weights_
    np.testing.assert_array_equal(fitted, given)
    assert fitted is not given


def hinge(machine, y):
    """Class-balanced hinge of the leave-one-out margins."""
    signs = np.where(y == "yes", 1.0, -1.0)
    balance = np.where(y == "yes", len(y) / (2 * np.sum(y == "yes")), len(y) / (2 * np.sum(y == "no")))
    return balance @ np.maximum(0.0, 1.0 - signs * machine.leave_one_out_decision_)


def test_single_takes_the_best_weight_of_the_best_source():
    X, y = draw(209, shift=0.5)
    sources = sources_for(15)
    best = [TransferLSSVC([source], weighting="single").fit(X, y).source_weights_[0] for source in sources]
    single = TransferLSSVC(sources, weighting="single").fit(X, y)
    (chosen,) = np.flatnonzero(single.source_weights_)
    grid = [
        (hinge(TransferLSSVC(sources, weighting=weight * np.eye(4)[source]).fit(X, y), y), source)
        for source in range(4)
        for weight in np.linspace(0.0, 1.0, 41)
    ]
    assert chosen == min(grid)[1] != np.argmax(best)
    assert single.source_weights_[chosen] == pytest.approx(best[chosen], abs=1e-10)
    assert min(grid)[0] - 0.05 * hinge(single, y) <= hinge(single, y) <= min(grid)[0] + 1e-9


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("nonnegative", [True, False])
def test_learned_weights_beat_every_fixed_one_within_the_ball(norm, nonnegative):
    X, y = draw(16, shift=0.5)
    sources, rng = sources_for(17), np.random.default_rng(17)
    learned = TransferLSSVC(sources, norm=norm, nonnegative=nonnegative).fit(X, y)
    order = 2 if norm == "l2" else 1
    assert np.linalg.norm(learned.source_weights_, order) <= 1.0 + 1e-8
    for _ in range(50):
        weights = rng.normal(size=4)
        weights = np.abs(weights) if nonnegative else weights
        weights *= rng.uniform() ** 0.25 / np.linalg.norm(weights, order)
        assert hinge(learned, y) <= hinge(TransferLSSVC(sources, weighting=weights).fit(X, y), y) + 1e-6


def test_a_helpful_source_helps():
    new, truth = draw(19, 400, 200, shift=0.7)
    source = LogisticRegression().fit(*draw(20, 400, 200, shift=0.7))
    gains, weights = [], []
    for seed in range(100, 130):
        X, y = draw(seed, 6, 3, shift=0.7)
        leaning, plain = TransferLSSVC([source]).fit(X, y), BalancedLSSVC().fit(X, y)
        gains.append(leaning.score(new, truth) - plain.score(new, truth))
        weights.append(leaning.source_weights_[0])
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert np.mean(weights) > 0.3


class Negated:
    """A black box that is no scikit-learn estimator and answers in a column."""

    def decision_function(self, X):
        return -np.asarray(X)[:, :1]


def test_any_object_with_a_decision_function_is_a_source():
    X, y = draw(21)
    machine = TransferLSSVC([Negated()], kernel="linear", weighting=[0.7]).fit(X, y)
    own = X @ X.T @ machine.dual_coef_ + machine.intercept_
    np.testing.assert_allclose(machine.decision_function(X), own - 0.7 * X[:, 0], atol=1e-12)


def test_sources_see_the_named_columns_they_were_fitted_on():
    X, y = draw(22, 60, 30)
    frame = pd.DataFrame(X, columns=list("abcd"))
    source = LogisticRegression().fit(frame, y)  # would warn of an array without names
    machine = TransferLSSVC([source]).fit(frame[:10], y[:10])
    assert machine.feature_names_in_.tolist() == list("abcd")
    assert machine.predict(frame).shape == (60,)


def test_cloning_keeps_the_sources_fitted():
    X, y = draw(23, 30, 12)
    sources = sources_for(24)
    original = TransferLSSVC(sources, C=2.0, norm="l1").fit(X, y)
    copied = clone(original)
    assert copied.sources is sources
    assert (copied.C, copied.norm) == (2.0, "l1")
    assert not hasattr(copied, "dual_coef_")
    assert original.sources is sources
    assert cross_val_score(TransferLSSVC(sources), X, y, cv=3).shape == (3,)
    search = GridSearchCV(TransferLSSVC(sources), {"C": [0.1, 10.0], "norm": ["l1", "l2"]}, cv=3).fit(X, y)
    assert search.best_estimator_.sources is sources


@pytest.mark.parametrize("estimator", [BalancedLSSVC(), TransferLSSVC()])
def test_a_number_of_classes_other_than_two_is_refused(estimator):
    X, y = draw(25)
    with pytest.raises(ValueError, match="one class"):
        estimator.fit(X, np.full(16, "yes"))
    y[0] = "maybe"
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        estimator.fit(X, y)


@pytest.mark.parametrize("estimator", [BalancedLSSVC(), TransferLSSVC()])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(estimator, value):
    X, y = draw(26)
    fitted = clone(estimator).fit(X, y)
    X[3, 2] = value
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        estimator.fit(X, y)
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        fitted.predict(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0.0}, "C must be a positive number"),
        ({"C": np.inf}, "C must be a positive number"),
        ({"C": "10"}, "C must be a positive number"),
        ({"kernel": "poly"}, "kernel must be"),
        ({"gamma": -1.0}, "gamma must be"),
        ({"gamma": "scale"}, "gamma must be"),
        ({"norm": "l3"}, "norm must be"),
        ({"weighting": "best"}, "weighting must be"),
        ({"weighting": [0.1]}, "each of the 4 sources"),
        ({"weighting": [0.1, 0.2, np.nan, 0.0]}, "each of the 4 sources"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    X, y = draw(27)
    with pytest.raises(ValueError, match=message):
        TransferLSSVC(sources_for(28), **parameters).fit(X, y)


def test_a_bad_kernel_matrix_is_refused():
    with pytest.raises(ValueError, match="square"):
        BalancedLSSVC(kernel="precomputed").fit(np.ones((4, 3)), [0, 0, 1, 1])
    with pytest.raises(ValueError, match="positive semi-definite"):
        BalancedLSSVC(kernel="precomputed").fit(np.diag([-5.0, -5.0, 1.0, 1.0]), [0, 0, 1, 1])


class Broken:
    def __init__(self, scores):
        self.scores = scores

    def decision_function(self, X):
        return self.scores


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((16, 3)), "one score an example"),
        (np.zeros(15), "one score an example"),
        (np.full(16, np.nan), "must be finite"),
    ],
)
def test_bad_source_scores_are_refused(scores, message):
    X, y = draw(29)
    with pytest.raises(ValueError, match=message):
        TransferLSSVC([Broken(scores)], weighting="none").fit(X, y)


@pytest.mark.parametrize(
    ("labels", "turned"),
    [(("no", "yes"), 1), (("maybe", "yes"), 1), (("no", "never"), -1), (("yes", "zebra"), -1), (("a", "b"), 1)],
)
def test_a_source_that_shares_one_label_is_turned_round_where_it_stands_elsewhere_and_never_scaled(labels, turned):
    """What a source scores is for the second of its sorted labels; with no label in common, too."""
    X, y = draw(7)
    source = LogisticRegression().fit(X, np.where(y == "yes", sorted(labels)[1], sorted(labels)[0]))
    leaning = TransferLSSVC([source], weighting=[1.0], gamma=0.3).fit(X, y)
    kernel, signs = np.exp(-0.3 * np.sum((X[:, None] - X[None]) ** 2, axis=-1)), np.where(y == "yes", 1.0, -1.0)
    expected = brute_force(kernel, signs, turned * source.decision_function(X), 10.0)
    np.testing.assert_allclose(leaning.leave_one_out_decision_, expected, rtol=0, atol=1e-10)
