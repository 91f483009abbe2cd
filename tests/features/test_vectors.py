"""PHOG and pixels against slow or exact computations of their own."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tlbench.features import KINDS, FeaturesError, find, kinds, names, phog, pixels

LEVELS = [1, 4, 16, 64]
KEYS_OF_OLD = {"pixels": "a0e30c954e372e53", "phog": "91435f450da10760", "phog180": "46d1e63995529c88"}


def slow_phog(grey: np.ndarray, bins: int, degrees: int, finest: int) -> np.ndarray:
    """Pixel by pixel, level by level, in the words of the definition."""
    h, w = grey.shape
    g = grey.astype(float)
    vector: list[float] = []
    for level in range(finest + 1):
        n = 2**level
        cells = np.zeros((n, n, bins))
        for r in range(h):
            for c in range(w):
                right = g[r, min(c + 1, w - 1)] - g[r, max(c - 1, 0)]
                up = g[max(r - 1, 0), c] - g[min(r + 1, h - 1), c]
                angle = math.degrees(math.atan2(up, right)) % degrees
                place = angle / (degrees / bins)
                k, share = int(place), place - int(place)
                cell = cells[r * n // h, c * n // w]
                cell[k % bins] += math.hypot(right, up) * (1 - share)
                cell[(k + 1) % bins] += math.hypot(right, up) * share
        vector += cells.ravel().tolist()
    total = sum(vector)
    return np.array(vector) / total if total else np.array(vector)


def level(vector: np.ndarray, number: int, bins: int) -> np.ndarray:
    start = sum(LEVELS[:number]) * bins
    side = 2**number
    return vector[start : start + LEVELS[number] * bins].reshape(side, side, bins)


@settings(max_examples=40)
@given(h=st.integers(1, 20), w=st.integers(1, 20), seed=st.integers(0, 2**32 - 1), signed=st.booleans())
def test_against_the_plain_loop(h: int, w: int, seed: int, signed: bool) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (h, w)).astype(np.float32) / np.float32(255)
    bins, degrees = (40, 360) if signed else (20, 180)
    ours = phog(grey, bins, degrees, 3)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, slow_phog(grey, bins, degrees, 3), atol=3e-6)


@pytest.mark.parametrize("angle", range(0, 360, 9))
def test_a_ramp_fills_the_bin_of_its_direction(angle: int) -> None:
    y, x = np.mgrid[0:60, 0:80]
    ramp = (x * math.cos(math.radians(angle)) - y * math.sin(math.radians(angle))) / 200 + 0.5
    inside = phog(ramp.astype(np.float32), 40, 360, 0)
    # The repeated border turns the gradients of 276 in 4800 pixels; the others all point the same way.
    assert inside.argmax() == angle // 9
    assert inside[angle // 9] > 0.95
    assert phog(ramp.astype(np.float32), 20, 180, 0).argmax() == angle // 9 % 20


def test_between_two_bins_the_weight_is_shared() -> None:
    y, x = np.mgrid[0:200, 0:200]
    angle = math.radians(9 * 3.25)
    ramp = ((x * math.cos(angle) - y * math.sin(angle)) / 500 + 0.5).astype(np.float32)
    histogram = phog(ramp, 40, 360, 0)
    assert histogram[3] == pytest.approx(0.75, abs=0.02)
    assert histogram[4] == pytest.approx(0.25, abs=0.02)


def test_an_upright_edge_lies_in_its_cells_and_its_bin() -> None:
    grey = np.zeros((64, 64), dtype=np.float32)
    grey[:, 20:] = 1  # brightens to the right between columns 19 and 20: the third of eight columns of cells
    finest = level(phog(grey, 40, 360, 3), 3, 40)
    assert finest[:, 2, 0].sum() == pytest.approx(0.25)
    assert np.count_nonzero(finest) == 8
    darkens = level(phog(1 - grey, 40, 360, 3), 3, 40)
    np.testing.assert_allclose(darkens[:, 2, 20], finest[:, 2, 0])


@pytest.mark.parametrize("shape", [(64, 64), (37, 53), (100, 9)])
def test_levels_nest_and_weigh_the_same(shape: tuple[int, int]) -> None:
    vector = phog(np.random.default_rng(5).random(shape, dtype=np.float32), 40, 360, 3).astype(float)
    assert vector.sum() == pytest.approx(1)
    for number in range(3):
        parents, children = level(vector, number, 40), level(vector, number + 1, 40)
        side = len(parents)
        np.testing.assert_allclose(children.reshape(side, 2, side, 2, 40).sum(axis=(1, 3)), parents, atol=1e-7)
        assert parents.sum() == pytest.approx(0.25)


def test_turning_mirroring_brightening() -> None:
    grey = np.random.default_rng(6).random((48, 80), dtype=np.float32)
    start = level(phog(grey, 40, 360, 3), 2, 40)
    turned = level(phog(np.ascontiguousarray(np.rot90(grey)), 40, 360, 3), 2, 40)
    np.testing.assert_allclose(turned, np.roll(np.rot90(start), 10, axis=2), atol=1e-6)
    mirrored = level(phog(grey[:, ::-1], 40, 360, 3), 2, 40)
    np.testing.assert_allclose(mirrored, start[:, ::-1, (20 - np.arange(40)) % 40], atol=1e-6)
    negative = level(phog(1 - grey, 40, 360, 3), 2, 40)
    np.testing.assert_allclose(negative, np.roll(start, 20, axis=2), atol=1e-6)
    np.testing.assert_allclose(phog(1 - grey, 20, 180, 3), phog(grey, 20, 180, 3), atol=1e-6)
    np.testing.assert_allclose(phog(grey + np.float32(0.25), 40, 360, 3), phog(grey, 40, 360, 3), atol=1e-6)
    np.testing.assert_allclose(phog(grey * np.float32(0.5), 40, 360, 3), phog(grey, 40, 360, 3), atol=1e-6)


def test_unsigned_is_signed_folded() -> None:
    grey = np.random.default_rng(7).random((48, 80), dtype=np.float32)
    signed = phog(grey, 40, 360, 3).reshape(-1, 2, 20)
    np.testing.assert_allclose(phog(grey, 20, 180, 3).reshape(-1, 20), signed.sum(axis=1), atol=1e-7)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 3), (64, 64)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_an_even_picture_gives_zeros(shape: tuple[int, int], value: float) -> None:
    vector = phog(np.full(shape, value, dtype=np.float32), 40, 360, 3)
    assert vector.shape == (3400,)
    assert not vector.any()


def test_pixels_are_means_of_cells() -> None:
    grey = np.random.default_rng(8).random((64, 96), dtype=np.float32)
    expected = grey.reshape(32, 2, 32, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(pixels(grey, 32).reshape(32, 32), expected, atol=1e-6)
    np.testing.assert_array_equal(pixels(np.full((1, 1), 0.3, np.float32), 32), np.full(1024, 0.3, np.float32))


# The catalogue


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_keeps_what_it_says(tmp_path: Path, name: str) -> None:
    kind = find(name)
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (400, 600, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    vector = kind.of_file(tmp_path / "a.png")
    assert vector.shape == (kind.dimension,)
    assert vector.dtype == np.float32
    assert kinds.read(tmp_path / "a.png").shape == (171, 256)
    assert kinds.read_both(tmp_path / "a.png")[1].shape == (171, 256, 3)


def test_keys_tell_everything_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    phog360 = KINDS["phog"]
    dimensions = {"pixels": 1024, "phog": 3400, "phog180": 1700, "lbp": 37, "regcov": 28}
    assert {name: kind.dimension for name, kind in KINDS.items()} == dimensions
    changed = [
        kinds.Kind("phog", {**phog360.parameters, "bins": 41}, 1, 3400, phog360.compute),
        kinds.Kind("phog", phog360.parameters, 2, 3400, phog360.compute),
        *KINDS.values(),
    ]
    keys = [kind.key for kind in changed]
    monkeypatch.setattr("PIL.__version__", "0.0")
    keys.append(phog360.key)
    monkeypatch.undo()
    monkeypatch.setattr("numpy.__version__", "9.1")
    keys.append(phog360.key)
    monkeypatch.setattr("numpy.__version__", "9.2")
    assert phog360.key == keys[-1]
    assert len(set(keys)) == 9


def test_an_unknown_kind_is_named() -> None:
    every = "pixels, phog, phog180, lbp, regcov, sift"
    with pytest.raises(FeaturesError, match=f"there is no kind of feature 'surf'; there are {every}"):
        find("surf")
    assert ", ".join(names()) == every


def test_vectors_kept_before_there_were_colours_and_words_are_still_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.__version__", "13.0.0")
    monkeypatch.setattr("numpy.__version__", "2.4.6")
    assert {name: KINDS[name].key[:16] for name in ("pixels", "phog", "phog180")} == KEYS_OF_OLD


def test_what_counts_learned_words_cannot_be_had_without_them() -> None:
    with pytest.raises(FeaturesError, match="'sift' counts words that have to be learned first"):
        find("sift")
