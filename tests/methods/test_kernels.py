from itertools import combinations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tlbench.methods.kernels import MeanRBFKernel, mean_squared_distance, squared_distances


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
