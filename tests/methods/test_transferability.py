"""Truth: the evidence written out and maximised by a general solver, loops, canonical correlations, scikit-learn."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tlbench.methods.transferability import WIDEST_RATIO, h_score, ledoit_wolf_shrinkage, leep, logme


def clouds(seed, count=45, size=6, classes=3, apart=1.0):
    """Features (n, d) around one centre a class, and labels that are no places of an array."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    centres = rng.normal(0.0, apart, (classes, size))
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) + centres[labels], 10 * labels + 7


def probabilities(features, seed, classes=4):
    scores = features @ np.random.default_rng(seed).normal(size=(features.shape[1], classes))
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


# LogME


def greatest_evidence(features, column):
    """The log evidence over n, maximised over log α and log β from several starts; nothing is simplified."""
    count = len(column)

    def negative(logs):
        alpha, beta = np.exp(logs)
        spread = np.eye(count) / beta + features @ features.T / alpha
        return -multivariate_normal(np.zeros(count), spread).logpdf(column) / count

    starts = [(a, b) for a in (-2.0, 3.0) for b in (0.0, 4.0)]
    options = {"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000}
    found = [minimize(negative, s, method="Nelder-Mead", bounds=[(-20, 20)] * 2, options=options) for s in starts]
    return max(-one.fun for one in found)


@pytest.mark.parametrize(("seed", "count", "size"), [(0, 45, 6), (1, 30, 3), (2, 12, 20)])
def test_logme_is_the_greatest_evidence(seed, count, size):
    features, labels = clouds(seed, count, size)
    by_hand = [greatest_evidence(features, (labels == one).astype(float)) for one in np.unique(labels)]
    assert logme(features, labels) == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_logme_is_where_the_authors_fixed_point_ends():
    features, labels = clouds(3, 60, 5)
    found = []
    for one in np.unique(labels):
        column, alpha, beta = (labels == one).astype(float), 1.0, 1.0
        for _ in range(3000):
            precision = alpha * np.eye(5) + beta * features.T @ features
            mean = beta * np.linalg.solve(precision, features.T @ column)
            gamma = np.sum(
                beta * np.linalg.eigvalsh(features.T @ features) / np.linalg.eigvalsh(precision)
            )  # both in ascending order
            alpha, beta = gamma / (mean @ mean), (60 - gamma) / np.sum((features @ mean - column) ** 2)
        precision = alpha * np.eye(5) + beta * features.T @ features
        mean = beta * np.linalg.solve(precision, features.T @ column)
        found.append(
            30 * np.log(beta / (2 * np.pi))
            + 2.5 * np.log(alpha)
            - beta / 2 * np.sum((features @ mean - column) ** 2)
            - alpha / 2 * mean @ mean
            - 0.5 * np.linalg.slogdet(precision)[1]
        )
    assert logme(features, labels) == pytest.approx(np.mean(found) / 60, abs=1e-8)


def test_features_that_say_nothing_leave_the_evidence_of_noise():
    labels = np.arange(40) % 2
    zeros = np.zeros((40, 3))
    noise = -0.5 * np.log(2 * np.pi * np.e * 0.5)
    assert logme(zeros, labels) == pytest.approx(noise)
    ones = np.array([[1.0], [-1.0]])[np.arange(40) // 2 % 2]  # orthogonal to both columns
    assert logme(ones, labels) == pytest.approx(noise, abs=1e-6)


def test_features_that_explain_all_are_worth_what_the_widest_ratio_allows():
    labels = np.arange(40) % 2
    exact = (labels[:, None] == [0, 1]).astype(float)
    assert logme(exact, labels) > 0.4 * np.log(WIDEST_RATIO)


def test_clearer_classes_have_more_evidence_whatever_the_scale_of_the_features():
    found = []
    for apart in (0.0, 1.0, 3.0):
        features, labels = clouds(4, 60, 5, apart=apart)
        found.append(logme(features, labels))
        assert logme(1e3 * features, labels) == pytest.approx(found[-1], abs=1e-8)
    assert found == sorted(found)
    assert found[2] > found[0] + 0.1


# LEEP


@pytest.mark.parametrize("seed", range(3))
def test_leep_by_loops(seed):
    features, labels = clouds(seed)
    theta = probabilities(features, seed)
    total = 0.0
    for i in range(len(labels)):
        expected = 0.0
        for z in range(theta.shape[1]):
            joint = sum(theta[k, z] for k in range(len(labels)) if labels[k] == labels[i]) / len(labels)
            expected += joint / (sum(theta[k, z] for k in range(len(labels))) / len(labels)) * theta[i, z]
        total += np.log(expected)
    assert leep(theta, labels) == pytest.approx(total / len(labels))


def test_leep_of_a_source_that_knows_and_of_one_that_does_not():
    labels = np.arange(30) % 3
    knows = (labels[:, None] == [0, 1, 2, 9]).astype(float)  # a fourth source class that never occurs
    assert leep(knows, labels) == 0.0
    assert leep(np.full((30, 4), 0.25), labels) == pytest.approx(np.log(1 / 3))


# H-score


def canonical_correlations(features, labels):
    """Cosines of the principal angles between centred features and centred class columns."""
    columns = (labels[:, None] == np.unique(labels)).astype(float)
    first, _ = np.linalg.qr(features - features.mean(axis=0))
    left, singular, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return np.linalg.svd(first.T @ left[:, singular > 1e-9], compute_uv=False)


@pytest.mark.parametrize("seed", range(3))
def test_the_h_score_is_the_sum_of_squared_canonical_correlations(seed):
    features, labels = clouds(seed)
    assert h_score(features, labels) == pytest.approx(np.sum(canonical_correlations(features, labels) ** 2))
    mixed = features @ np.random.default_rng(9).normal(size=(6, 6)) + 5.0
    assert h_score(mixed, labels) == pytest.approx(h_score(features, labels))


def test_the_h_score_by_the_eigenvalues_of_linear_discriminant_analysis():
    features, labels = clouds(5, apart=2.0)
    sklearn = LinearDiscriminantAnalysis(solver="eigen").fit(features, labels)
    means = sklearn.means_ - features.mean(axis=0)
    between = (sklearn.priors_[:, None] * means).T @ means
    eigenvalues = np.diag(sklearn.scalings_.T @ between @ sklearn.scalings_)  # of the within-class covariance
    assert h_score(features, labels) == pytest.approx(np.sum(eigenvalues / (1 + eigenvalues)))


def test_with_fewer_examples_than_features_only_the_shrunk_h_score_tells_anything():
    near, labels = clouds(6, 20, 40, apart=0.0)
    far, _ = clouds(6, 20, 40, apart=8.0)
    assert h_score(near, labels) == pytest.approx(2.0)
    assert h_score(far, labels) == pytest.approx(2.0)
    assert h_score(near, labels, None) < h_score(far, labels, None) - 0.1


def test_the_shrunk_h_score_with_scikit_learns_covariance():
    features, labels = clouds(7, 30, 12)
    sklearn = LedoitWolf().fit(features)
    means = np.array([features[labels == one].mean(axis=0) for one in labels]) - features.mean(axis=0)
    wanted = np.trace(np.linalg.inv(sklearn.covariance_) @ means.T @ means) / 30 * (1 - sklearn.shrinkage_)
    assert ledoit_wolf_shrinkage(features) == pytest.approx(sklearn.shrinkage_)
    assert h_score(features, labels, None) == pytest.approx(wanted)
    assert h_score(features, labels, 1.0) == 0.0


def test_a_covariance_that_is_its_own_target_is_not_shrunk():
    assert ledoit_wolf_shrinkage(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])) == 0.0


# Bad input


@pytest.mark.parametrize("score", [logme, leep, h_score])
@pytest.mark.parametrize(
    ("values", "labels", "says"),
    [
        (np.full((4, 2), 0.5), np.zeros(4, int), "at least two classes"),
        (np.full((4, 2), 0.5), np.arange(3), r"\(4, 2\) and labels \(3,\)"),
        (np.full((4, 2), np.nan), np.arange(4), "not a finite number"),
    ],
)
def test_what_no_score_can_be_told_from(score, values, labels, says):
    with pytest.raises(ValueError, match=says):
        score(values, labels)


def test_what_adds_up_to_something_else_is_no_probability():
    with pytest.raises(ValueError, match="add up to one"):
        leep(np.ones((4, 2)), np.arange(4) % 2)
