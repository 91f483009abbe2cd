"""Local binary patterns against the definition, pixel by pixel, and against scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from tlbench.features import lbp

# The 36 patterns that are the least of all their turns.
CODES = sorted({min(int(f"{code:08b}"[turn:] + f"{code:08b}"[:turn], 2) for turn in range(8)) for code in range(256)})


def wide_noise(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Whole numbers in so wide a range that no two neighbours are equal, not even between pixels."""
    return np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)


def plain_lbp(values: np.ndarray) -> np.ndarray:
    """In the words of the definition: eight points on a circle, bilinear between pixels, the border repeated."""
    h, w = values.shape

    def at(row: int, column: int) -> float:
        return float(values[min(max(row, 0), h - 1), min(max(column, 0), w - 1)])

    counts = np.zeros(37)
    for r in range(h):
        for c in range(w):
            bits = []
            for k in range(8):
                down, right = -math.sin(k * math.pi / 4), math.cos(k * math.pi / 4)
                top, left = math.floor(round(down, 9)), math.floor(round(right, 9))
                below, beside = round(down, 9) - top, round(right, 9) - left
                value = sum(
                    weight * (at(r + top + i, c + left + j) - at(r, c))
                    for i, j, weight in (
                        (0, 0, (1 - below) * (1 - beside)),
                        (0, 1, (1 - below) * beside),
                        (1, 0, below * (1 - beside)),
                        (1, 1, below * beside),
                    )
                    if weight
                )
                bits.append(value > -1e-9)  # as whole numbers are, but for their products' last bits
            if all(at(r + i, c + j) == at(r, c) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                counts[0] += 1
                continue
            turns = [sum(bits[(k + turn) % 8] << k for k in range(8)) for turn in range(8)]
            counts[1 + CODES.index(min(turns))] += 1
    return counts / values.size


def test_there_are_36_patterns() -> None:
    assert len(CODES) == 36


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (7, 5), (16, 23)])
@pytest.mark.parametrize("levels", [2, 4, 65536])  # few levels make ties and even neighbourhoods
def test_against_the_plain_loop(shape: tuple[int, int], levels: int) -> None:
    for seed in range(4):
        values = np.random.default_rng(seed).integers(0, levels, shape)
        grey = values.astype(np.float32) / np.float32(levels - 1)
        np.testing.assert_allclose(lbp(grey), plain_lbp(values), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_against_scikit_image(seed: int) -> None:
    values = wide_noise(seed, (60, 81))
    codes = local_binary_pattern(np.pad(values, 1, mode="edge"), 8, 1, "ror")[1:-1, 1:-1]
    theirs = [(codes == code).mean() for code in CODES]
    ours = lbp(values.astype(np.float32) / np.float32(65535))
    np.testing.assert_allclose(ours[1:], theirs, atol=1e-6)
    assert ours[0] == 0
    assert sum(theirs) == pytest.approx(1)


def test_turning_changes_nothing_and_a_mirror_swaps_patterns() -> None:
    grey = wide_noise(5, (40, 57)).astype(np.float32) / np.float32(65535)
    start = lbp(grey)
    for turns in (1, 2, 3):
        np.testing.assert_array_equal(lbp(np.ascontiguousarray(np.rot90(grey, turns))), start)
    mirrored = lbp(np.ascontiguousarray(grey[:, ::-1]))
    eleven, thirteen = 1 + CODES.index(0b1011), 1 + CODES.index(0b1101)
    assert mirrored[eleven] == start[thirteen] != start[eleven]


@pytest.mark.parametrize("value", [0.0, 1 / 3, 0.7, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (64, 48)])
def test_an_even_picture_is_even_everywhere(shape: tuple[int, int], value: float) -> None:
    vector = lbp(np.full(shape, value, dtype=np.float32))
    assert vector.shape == (37,)
    assert vector.dtype == np.float32
    assert vector[0] == 1
    assert not vector[1:].any()


def test_dots_are_the_first_and_the_last_pattern() -> None:
    grey = np.full((30, 30), 0.5, dtype=np.float32)
    grey[10, 10], grey[20, 20] = 1, 0
    counts = np.rint(lbp(grey) * 900)
    assert counts[0] == 900 - 18
    assert counts[1 + CODES.index(0)] == 1  # the bright dot: nothing around it is as bright
    # The dark dot, the neighbours of which see one darker pixel: 7 of 8 for the four beside it and the four diagonal.
    assert counts[1 + CODES.index(255)] == 1 + 8  # and those of the bright one, which see nothing darker
    assert counts[1 + CODES.index(127)] + counts[1 + CODES.index(31)] == 8
    assert counts.sum() == 900
