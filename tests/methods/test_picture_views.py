"""The views of a picture against loops, and against pictures whose gradients are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tlbench.methods.picture_views import blocks, coarse_and_noisy, gradient_histograms, pixels


@pytest.fixture
def pictures():
    return np.random.default_rng(3).random((5, 8, 8))


def by_hand(picture, cells, bins):
    """Pixel by pixel, each with the two bins next to its angle."""
    side = len(picture)
    counted = np.zeros((cells, cells, bins))
    for row in range(side):
        for column in range(side):
            right = picture[row, min(column + 1, side - 1)] - picture[row, max(column - 1, 0)]
            up = picture[max(row - 1, 0), column] - picture[min(row + 1, side - 1), column]
            place = (math.atan2(up, right) % (2 * math.pi)) / (2 * math.pi) * bins
            low, share = int(place) % bins, place - int(place)
            cell = counted[row * cells // side, column * cells // side]
            cell[low] += math.hypot(right, up) * (1 - share)
            cell[(low + 1) % bins] += math.hypot(right, up) * share
    return (counted / counted.sum()).ravel()


@pytest.mark.parametrize(("cells", "bins"), [(2, 8), (4, 5), (1, 8)])
def test_histograms_are_those_of_a_loop(pictures, cells, bins):
    wanted = [by_hand(picture, cells, bins) for picture in pictures]
    np.testing.assert_allclose(gradient_histograms(pictures, cells, bins), wanted, atol=1e-12)


def test_a_ramp_falls_into_the_bin_of_its_direction():
    ramp = np.tile(np.arange(8.0), (8, 1))
    for turns, centre in ((0, 0), (1, 2), (2, 4), (3, 6)):  # counter-clockwise by 90 degrees: two bins of 45
        found = gradient_histograms(np.rot90(ramp, turns)[None], cells=1)[0]
        np.testing.assert_allclose(found, np.eye(8)[centre], atol=1e-12)


def test_brightness_and_contrast_do_not_matter_and_an_even_picture_has_zeros(pictures):
    np.testing.assert_allclose(gradient_histograms(0.3 + 0.5 * pictures), gradient_histograms(pictures), atol=1e-12)
    np.testing.assert_array_equal(gradient_histograms(np.full((1, 8, 8), 0.7)), 0.0)


def test_pixels_and_blocks_keep_every_number(pictures):
    np.testing.assert_array_equal(pixels(pictures)[2].reshape(8, 8), pictures[2])
    cut = blocks(pictures, 4)
    assert cut.shape == (5, 4, 4, 4)
    np.testing.assert_array_equal(cut[1, 2, 3], pictures[1, 4:6, 6:8].ravel())
    with pytest.raises(ValueError, match="8 pixels a side cannot be cut into 3 × 3"):
        blocks(pictures, 3)


def test_the_coarse_view_is_block_means_plus_noise_of_the_size_asked_for(pictures):
    means = pictures.reshape(5, 4, 2, 4, 2).mean((2, 4)).reshape(5, 16)
    np.testing.assert_allclose(coarse_and_noisy(pictures, 0.0, np.random.default_rng(0)), means)
    many = np.tile(pictures, (200, 1, 1))
    noise = coarse_and_noisy(many, 0.2, np.random.default_rng(0)) - np.tile(means, (200, 1))
    assert noise.std() == pytest.approx(0.2, rel=0.03)
    assert abs(noise.mean()) < 0.01
