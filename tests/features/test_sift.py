"""Dense SIFT against the definition, pixel by pixel, and against OpenCV's."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tlbench.features import dense_sift
from tlbench.features.sift import spread_sample

RADII = (4, 8, 12, 16)


def noise(seed: int, shape: tuple[int, int], smooth: float = 0) -> np.ndarray:
    grey = np.random.default_rng(seed).random(shape, dtype=np.float32)
    if smooth:
        grey = gaussian_filter(grey, smooth)
        grey = (grey - grey.min()) / (grey.max() - grey.min())
    return grey


def middles(length: int) -> list[float]:
    count = (length - 1) // 10 + 1
    return [(length - 1) / 2 + 10 * (k - (count - 1) / 2) for k in range(count)]


def plain_descriptor(grey: np.ndarray, row: float, column: float, radius: int) -> np.ndarray:
    """Pixel by pixel: 4 × 4 cells, eight orientations, each pixel shared by its distance to the cells' middles."""
    h, w = grey.shape
    g = grey.astype(float)
    size = radius / 2
    bins = np.zeros((4, 4, 8))
    for r in range(h):
        for c in range(w):
            right = g[r, min(c + 1, w - 1)] - g[r, max(c - 1, 0)]
            up = g[max(r - 1, 0), c] - g[min(r + 1, h - 1), c]
            place = math.degrees(math.atan2(up, right)) % 360 / 45
            k, share = int(place), place - int(place)
            for i in range(4):
                for j in range(4):
                    down = max(0.0, 1 - abs(r - (row + (i - 1.5) * size)) / size)
                    along = max(0.0, 1 - abs(c - (column + (j - 1.5) * size)) / size)
                    weight = down * along / size**2 * math.hypot(right, up)
                    weight *= math.exp(-((i - 1.5) ** 2 + (j - 1.5) ** 2) / 8)
                    bins[i, j, k % 8] += weight * (1 - share)
                    bins[i, j, (k + 1) % 8] += weight * share
    return bins.ravel()


def finished(raw: np.ndarray) -> np.ndarray:
    clipped = np.minimum(raw / np.linalg.norm(raw), 0.2)
    return np.minimum(np.rint(512 * clipped / np.linalg.norm(clipped)), 255)


@pytest.mark.parametrize("shape", [(1, 2), (9, 3), (11, 10), (12, 24)])
def test_against_the_plain_loop(shape: tuple[int, int]) -> None:
    grey = noise(sum(shape), shape)
    raw = [
        plain_descriptor(grey, r, c, radius) for radius in RADII for r in middles(shape[0]) for c in middles(shape[1])
    ]
    expected = [finished(each) for each in raw if np.linalg.norm(each) > 0.05]
    ours = dense_sift(grey)
    assert ours.dtype == np.uint8
    assert ours.shape == (len(expected), 128)
    assert np.abs(ours - np.array(expected)).max() <= 1


@pytest.mark.parametrize("radius", RADII)
def test_against_opencv(radius: int) -> None:
    """OpenCV blurs by σ 1.6 first and lets a true Gaussian fall over the patch, so the two are alike, not equal.

    It also rounds points to whole pixels, where those of a picture with odd sides lie.
    """
    sharp = noise(radius, (129, 161), smooth=1)
    blurred = gaussian_filter(sharp, math.sqrt(1.6**2 - 0.5**2), mode="mirror")
    ours = dense_sift(blurred * np.float32(5))  # so that no patch is even
    rows, columns = middles(129), middles(161)
    ours = ours[RADII.index(radius) * len(rows) * len(columns) :][: len(rows) * len(columns)].astype(float)
    # A point's diameter is two thirds of what OpenCV makes of it as the side of one cell.
    points = [cv2.KeyPoint(float(c), float(r), radius / 2 / 1.5, 0) for r in rows for c in columns]
    _, theirs = cv2.SIFT_create().compute(np.rint(sharp * 255).astype(np.uint8), points)
    likeness = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert np.median(likeness) > 0.99
    strangers = np.roll(theirs, 1, axis=0)
    alike = (ours * strangers).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(strangers, axis=1)
    assert np.median(alike) < 0.85


def test_one_descriptor_for_each_radius_and_place_of_a_busy_picture() -> None:
    ours = dense_sift(noise(1, (192, 256)))
    assert len(ours) == 4 * 20 * 26
    lengths = np.linalg.norm(ours.astype(float), axis=1)
    np.testing.assert_allclose(lengths, 512, rtol=0.02)


def test_an_edge_points_where_the_picture_brightens() -> None:
    grey = np.zeros((11, 11), dtype=np.float32)
    grey[:, 6:] = 1
    cells = dense_sift(grey)[0].reshape(4, 4, 8)
    assert np.flatnonzero(cells.sum(axis=(0, 1))).tolist() == [0]
    upwards = dense_sift(np.ascontiguousarray(np.rot90(grey)))[0].reshape(4, 4, 8)
    assert np.flatnonzero(upwards.sum(axis=(0, 1))).tolist() == [2]
    np.testing.assert_array_equal(upwards[..., 2], np.rot90(cells[..., 0]))


def test_a_turned_picture_has_turned_descriptors() -> None:
    grey = noise(2, (48, 73))
    start = dense_sift(grey).reshape(4, 5, 8, 4, 4, 8)
    turned = dense_sift(np.ascontiguousarray(np.rot90(grey))).reshape(4, 8, 5, 4, 4, 8)
    expected = np.roll(np.rot90(np.rot90(start, axes=(1, 2)), axes=(3, 4)), 2, axis=5)
    assert np.abs(turned.astype(int) - expected).max() <= 1


def test_contrast_and_brightness_do_not_count() -> None:
    grey = noise(3, (40, 40))
    start = dense_sift(grey).astype(int)
    assert np.abs(dense_sift(grey * np.float32(0.5)) - start).max() <= 1
    assert np.abs(dense_sift(grey * np.float32(0.5) + np.float32(0.25)) - start).max() <= 1


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (64, 64)])
def test_an_even_picture_has_none(shape: tuple[int, int], value: float) -> None:
    assert dense_sift(np.full(shape, value, dtype=np.float32)).shape == (0, 128)


def test_even_patches_have_none() -> None:
    grey = noise(4, (64, 64))
    grey[:, :32] = 0.5
    whole = dense_sift(noise(4, (64, 64)))
    assert 0.5 * len(whole) < len(dense_sift(grey)) < 0.8 * len(whole)


def test_a_sample_is_spread_over_the_descriptors() -> None:
    many = np.repeat(np.arange(200, dtype=np.uint8)[:, None], 128, axis=1)
    assert spread_sample(many, 4)[:, 0].tolist() == [0, 50, 100, 150]
    assert spread_sample(many, 200).tolist() == many.tolist()
    few = spread_sample(many[5:7], 4)
    assert few.dtype == np.uint8
    assert few[:, 7].tolist() == [5, 6, 0, 0]
    assert not spread_sample(many[:0], 3).any()
