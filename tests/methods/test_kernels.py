from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import chi2_kernel, polynomial_kernel

from tlbench.methods import histogram_distances
from tlbench.methods.histogram_distances import chi_squared_distances, intersections, mean_chi_squared_distance
from tlbench.methods.kernels import (
    KERNELS,
    RBF,
    ChiSquared,
    Intersection,
    Linear,
    MeanKernel,
    MeanRBFKernel,
    Polynomial,
    mean_squared_distance,
    squared_distances,
)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_squared_distances_are_those_of_a_plain_computation(offset):
    rng = np.random.default_rng(0)
    rows, columns = rng.normal(offset, 1, (7, 4)), rng.normal(offset, 1, (5, 4))
    np.testing.assert_allclose(squared_distances(rows, columns), cdist(rows, columns, "sqeuclidean"), atol=1e-9)


def test_squared_distances_never_fall_below_zero():
    rng = np.random.default_rng(1)
    rows = rng.normal(1000.0, 1e-3, (40, 3))
    uncut = -2.0 * rows @ rows.T + np.sum(rows**2, 1)[:, None] + np.sum(rows**2, 1)[None, :]
    assert uncut.min() < 0.0  # rounding alone would take them there
    assert squared_distances(rows, rows).min() >= 0.0


@pytest.mark.parametrize("shape", [(2, 1), (3, 5), (20, 2)])
def test_mean_squared_distance_is_the_mean_over_pairs(shape):
    rows = np.random.default_rng(2).normal(3.0, 2.0, shape)
    brute = np.mean([np.sum((a - b) ** 2) for a, b in combinations(rows, 2)])
    assert mean_squared_distance(rows) == pytest.approx(brute, rel=1e-12)


def test_mean_squared_distance_of_one_row_is_zero():
    assert mean_squared_distance(np.array([[1.0, 2.0]])) == 0.0


def test_the_kernel_is_the_mean_over_kinds():
    rng = np.random.default_rng(3)
    fitted = {"shape": rng.normal(size=(9, 3)), "colour": 10.0 * rng.normal(size=(9, 6))}
    new = {"shape": rng.normal(size=(4, 3)), "colour": 10.0 * rng.normal(size=(4, 6))}
    kernel = MeanRBFKernel.fit(fitted)
    expected = np.zeros((4, 9))
    for kind, rows in fitted.items():
        gamma = 1.0 / np.mean([np.sum((a - b) ** 2) for a, b in combinations(rows, 2)])
        assert kernel.gammas[kind] == pytest.approx(gamma, rel=1e-12)
        expected += np.exp(-gamma * cdist(new[kind], rows, "sqeuclidean")) / 2
    np.testing.assert_allclose(kernel(new, fitted), expected, atol=1e-12)


def test_a_kernel_matrix_is_symmetric_positive_definite_with_ones_on_its_diagonal():
    rows = {"a": np.random.default_rng(4).normal(size=(12, 3))}
    matrix = MeanRBFKernel.fit(rows)(rows, rows)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    np.testing.assert_allclose(np.diag(matrix), 1.0, atol=1e-14)
    assert np.linalg.eigvalsh(matrix)[0] > 0.0


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e-3, 123.456])
@pytest.mark.parametrize("count", [1, 3, 7, 20])
def test_a_constant_kind_tells_nothing_apart(value, count):
    rows = {"a": np.full((count, 2), value)}
    kernel = MeanRBFKernel.fit(rows)
    assert kernel.gammas["a"] == 0.0
    np.testing.assert_array_equal(kernel({"a": np.array([[5.0, -5.0]])}, rows), np.ones((1, count)))


def test_collinear_and_repeated_features_only_rescale():
    column = np.random.default_rng(5).normal(size=(8, 1))
    alone = MeanRBFKernel.fit({"a": column})({"a": column}, {"a": column})
    repeated = np.concatenate([column, 2.0 * column, -column], axis=1)
    together = MeanRBFKernel.fit({"a": repeated})({"a": repeated}, {"a": repeated})
    np.testing.assert_allclose(together, alone, atol=1e-12)


def test_a_kernel_without_kinds_is_refused():
    with pytest.raises(ValueError, match="at least one kind"):
        MeanRBFKernel.fit({})({}, {})


def histograms(seed, count=7, size=5):
    """Rows that sum to one, with empty bins."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(size=(count, size)) * (rng.random((count, size)) < 0.6)
    values[:, 0] += 0.1
    return values / values.sum(axis=1, keepdims=True)


def chi_squared(x, z):
    return sum((a - b) ** 2 / (a + b) for a, b in zip(x, z, strict=True) if a + b > 0.0)


def test_chi_squared_distances_and_intersections_are_those_of_a_plain_computation():
    rows, columns = histograms(6), histograms(7, 4)
    for i, x in enumerate(rows):
        for j, z in enumerate(columns):
            assert chi_squared_distances(rows, columns)[i, j] == pytest.approx(chi_squared(x, z), abs=1e-14)
            assert intersections(rows, columns)[i, j] == pytest.approx(np.minimum(x, z).sum(), abs=1e-14)
    np.testing.assert_allclose(np.diag(intersections(rows, rows)), 1.0, atol=1e-14)


@pytest.mark.parametrize("count", [2, 3, 20])
@pytest.mark.parametrize("block", [1, 3, 256])
def test_mean_chi_squared_distance_is_the_mean_over_pairs(count, block, monkeypatch):
    monkeypatch.setattr(histogram_distances, "BLOCK", block)
    rows = histograms(8, count)
    brute = np.mean([chi_squared(a, b) for a, b in combinations(rows, 2)])
    assert mean_chi_squared_distance(rows) == pytest.approx(brute, rel=1e-12)


def test_mean_chi_squared_distance_of_one_row_is_zero():
    assert mean_chi_squared_distance(histograms(9, 1)) == 0.0


def test_named_kernels_are_those_of_scikit_learn():
    fitted, new = histograms(10, 12), histograms(11, 5)
    gamma = 1.0 / mean_chi_squared_distance(fitted)
    np.testing.assert_allclose(KERNELS["chi2"](fitted)(new, fitted), chi2_kernel(new, fitted, gamma), atol=1e-14)
    gamma = 12.0 / np.sum(fitted**2)
    expected = polynomial_kernel(new, fitted, degree=2, gamma=gamma, coef0=1.0)
    np.testing.assert_allclose(KERNELS["polynomial"](fitted)(new, fitted), expected, atol=1e-12)
    np.testing.assert_allclose(Polynomial(0.5, 3)(new, fitted), (0.5 * new @ fitted.T + 1.0) ** 3, atol=1e-14)
    np.testing.assert_array_equal(KERNELS["linear"](fitted)(new, fitted), new @ fitted.T)
    np.testing.assert_array_equal(KERNELS["intersection"](fitted)(new, fitted), intersections(new, fitted))
    assert KERNELS["rbf"](fitted) == RBF(1.0 / mean_squared_distance(fitted))


@pytest.mark.parametrize("name", KERNELS)
def test_every_named_kernel_is_symmetric_and_positive_semi_definite(name):
    rows = histograms(12, 15)
    matrix = KERNELS[name](rows)(rows, rows)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-13)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12


@pytest.mark.parametrize("name", ["rbf", "chi2", "polynomial"])
def test_examples_that_are_all_the_same_give_a_constant_kernel(name):
    rows = np.zeros((4, 3)) if name == "polynomial" else np.full((4, 3), 0.1)
    np.testing.assert_array_equal(KERNELS[name](rows)(rows, rows), np.ones((4, 4)))


def test_a_mean_kernel_averages_a_kernel_for_each_kind():
    features = {"shape": histograms(13, 9), "colour": np.random.default_rng(13).normal(size=(9, 4))}
    kernel = MeanKernel.fit(features, {"colour": "rbf", "shape": "chi2"})
    assert kernel.functions == {"shape": ChiSquared.fit(features["shape"]), "colour": RBF.fit(features["colour"])}
    expected = sum(kernel.functions[kind](features[kind], features[kind]) for kind in features) / 2
    np.testing.assert_allclose(kernel(features, features), expected, atol=1e-15)
    same = MeanKernel({"shape": Linear(), "colour": Linear()})
    assert MeanKernel.fit(features, "linear") == same


def test_the_mean_rbf_kernel_is_the_mean_kernel_of_that_name_to_the_bit():
    rng = np.random.default_rng(14)
    features = {"a": rng.normal(size=(30, 7)), "b": rng.normal(5.0, 9.0, (30, 2)), "c": np.full((30, 3), 0.1)}
    new = {kind: rng.normal(size=(11, values.shape[1])) for kind, values in features.items()}
    one, other = MeanRBFKernel.fit(features), MeanKernel.fit(features, "rbf")
    np.testing.assert_array_equal(one(new, features), other(new, features))
    np.testing.assert_array_equal(one(features, features), other(features, features))


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=8))
@settings(max_examples=60)
def test_counts_share_at_most_what_the_smaller_has_and_are_never_less_than_apart(counts):
    rows = np.array(counts, dtype=float)
    shared, apart = Intersection()(rows, rows), chi_squared_distances(rows, rows)
    totals = rows.sum(axis=1)
    assert (shared <= np.minimum.outer(totals, totals) + 1e-12).all()
    assert apart.min() >= 0.0
    assert (apart <= np.add.outer(totals, totals) + 1e-12).all()
    np.testing.assert_array_equal(np.diag(apart), 0.0)


@pytest.mark.parametrize("value", [-1e-9, np.nan])
def test_histogram_kernels_refuse_what_is_no_histogram(value):
    rows = histograms(15)
    bad = rows.copy()
    bad[2, 1] = value
    for compute in (ChiSquared(1.0), Intersection()):
        with pytest.raises(ValueError, match="zero or more"):
            compute(rows, bad)
        with pytest.raises(ValueError, match="zero or more"):
            compute(bad, rows)
    with pytest.raises(ValueError, match="covariance: a histogram kernel needs"):
        MeanKernel.fit({"covariance": bad}, "chi2")


def test_names_that_fit_no_kernel_or_no_kind_are_refused():
    features = {"a": histograms(16)}
    with pytest.raises(
        ValueError, match="unknown kernel 'gauss'; there are linear, polynomial, rbf, chi2, intersection"
    ):
        MeanKernel.fit(features, "gauss")
    with pytest.raises(ValueError, match=r"named for \['b'\], but the kinds are \['a'\]"):
        MeanKernel.fit(features, {"b": "rbf"})
    with pytest.raises(ValueError, match="at least one kind"):
        MeanKernel({})({}, {})
