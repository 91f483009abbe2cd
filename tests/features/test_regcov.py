"""Region covariance against numpy's covariance and SciPy's general matrix logarithm."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from tlbench.features import regcov

FLOOR = 1e-4
ROW, COLUMN = np.triu_indices(7)


def seven(colours: np.ndarray) -> np.ndarray:
    """One row a pixel, in the words of the definition."""
    h, w, _ = colours.shape
    grey = colours.astype(float) @ [0.299, 0.587, 0.114]
    return np.array(
        [
            [
                (c + 0.5) / w,
                (r + 0.5) / h,
                *colours[r, c].astype(float),
                abs(grey[r, min(c + 1, w - 1)] - grey[r, max(c - 1, 0)]) / 2,
                abs(grey[min(r + 1, h - 1), c] - grey[max(r - 1, 0), c]) / 2,
            ]
            for r in range(h)
            for c in range(w)
        ]
    )


def logarithm(vector: np.ndarray) -> np.ndarray:
    """The symmetric matrix that a vector stands for."""
    matrix = np.zeros((7, 7))
    matrix[ROW, COLUMN] = np.where(ROW == COLUMN, vector, vector / np.sqrt(2))
    return matrix + np.triu(matrix, 1).T


def noise(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).random((*shape, 3), dtype=np.float32)


@pytest.mark.parametrize("shape", [(2, 2), (1, 9), (7, 5), (24, 32)])
def test_against_numpy_and_scipy(shape: tuple[int, int]) -> None:
    for seed in range(3):
        colours = noise(seed, shape) * np.float32(0.1 + 0.4 * seed)
        covariance = np.cov(seven(colours).T, bias=True) + FLOOR * np.eye(7)
        ours = regcov(colours)
        assert ours.shape == (28,)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(logarithm(ours), scipy.linalg.logm(covariance), atol=1e-5)
        np.testing.assert_allclose(scipy.linalg.expm(logarithm(ours.astype(float))), covariance, atol=1e-5)


def test_distances_are_those_of_the_logarithms() -> None:
    one, two = (regcov(noise(seed, (20, 30)) ** (1 + seed)).astype(float) for seed in (1, 2))
    assert np.linalg.norm(one - two) == pytest.approx(np.linalg.norm(logarithm(one) - logarithm(two)))


def test_mirroring_turns_signs_and_turning_swaps_places() -> None:
    rows = np.linspace(0, 1, 24, dtype=np.float32)[:, None, None]
    colours = noise(3, (24, 32)) * rows
    start = logarithm(regcov(colours))
    sign = np.array([-1, 1, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(logarithm(regcov(colours[:, ::-1])), start * np.outer(sign, sign), atol=1e-4)
    swap = [1, 0, 2, 3, 4, 6, 5]
    np.testing.assert_allclose(logarithm(regcov(colours.swapaxes(0, 1))), start[np.ix_(swap, swap)], atol=1e-4)
    assert abs(start[1, 2]) > 0.1  # there is something to see: red grows downwards


def test_even_and_tiny_pictures_are_finite_and_the_same() -> None:
    even = regcov(np.full((32, 32, 3), 0.4, dtype=np.float32))
    places = np.log((1 - 1 / 32**2) / 12 + FLOOR)
    expected = np.diag([places, places, *[np.log(FLOOR)] * 5])
    np.testing.assert_allclose(logarithm(even), expected, atol=1e-5)
    np.testing.assert_array_equal(regcov(np.ones((32, 32, 3), dtype=np.float32)), even)
    one = regcov(np.full((1, 1, 3), 0.9, dtype=np.float32))
    np.testing.assert_allclose(logarithm(one), np.log(FLOOR) * np.eye(7), atol=1e-5)


def test_a_grey_picture_and_its_negative() -> None:
    grey = np.repeat(noise(4, (20, 20))[:, :, :1], 3, axis=2)
    start = logarithm(regcov(grey))
    np.testing.assert_allclose(start[2, 3:5], start[[3, 2], [4, 4]], atol=1e-5)  # red, green and blue are alike
    sign = np.array([1, 1, -1, -1, -1, 1, 1])
    np.testing.assert_allclose(logarithm(regcov(1 - grey)), start * np.outer(sign, sign), atol=1e-3)


def test_the_size_of_a_picture_hardly_matters() -> None:
    rows, columns = np.mgrid[0:1:40j, 0:1:60j].astype(np.float32)
    picture = np.stack([rows, columns, (rows + columns) / 2], axis=2)
    larger = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
    assert np.linalg.norm(regcov(picture) - regcov(larger)) < 0.3
    assert np.linalg.norm(regcov(picture) - regcov(np.ascontiguousarray(picture[:, ::-1]))) > 1
