"""Visual words: exact, and as good as scikit-learn's k-means."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from tlbench.features import fit_words, histogram
from tlbench.features.words import _nearest

ROOT = Path(__file__).parents[2]


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def clouds(seed: int, count: int, each: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Bytes around some middles: (count · each, 128), and the middles."""
    rng = draw(seed)
    middles = rng.integers(40, 200, (count, 128))
    noisy = np.repeat(middles, each, axis=0) + rng.normal(0, spread, (count * each, 128))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), middles


def cost(descriptors: np.ndarray, words: np.ndarray) -> float:
    return float(cdist(descriptors.astype(float), words.astype(float), "sqeuclidean").min(axis=1).sum())


def test_nearest_is_exact_even_for_the_largest_bytes() -> None:
    rng = draw()
    for low in (0, 250):  # with large bytes the distances are small differences of large numbers
        descriptors = rng.integers(low, 256, (5000, 128)).astype(np.uint8)
        words = rng.integers(low, 256, (40, 128)).astype(np.uint8)
        every = ((descriptors[:, None].astype(int) - words.astype(int)) ** 2).sum(axis=2)
        places, distances = _nearest(descriptors, words)
        np.testing.assert_array_equal(places, every.argmin(axis=1))
        np.testing.assert_array_equal(distances, every.min(axis=1))
    ends = np.array([[0] * 128, [255] * 128], dtype=np.uint8)
    np.testing.assert_array_equal(_nearest(ends, ends)[1], [0, 0])


def test_a_histogram_counts_the_nearest_words() -> None:
    descriptors, middles = clouds(1, 5, 30, 3)
    words = middles.astype(np.uint8)
    shares = histogram(descriptors[30:], words)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, [0, 0.25, 0.25, 0.25, 0.25])
    counts = np.bincount(cdist(descriptors, words).argmin(axis=1), minlength=5)
    np.testing.assert_allclose(histogram(descriptors, words), counts / 150)
    np.testing.assert_allclose(histogram(descriptors, words[[0, 0, 1, 2, 3, 4]])[:2], [0.2, 0])  # the first of equals
    assert not histogram(descriptors[:0], words).any()


def test_words_find_the_middles_of_clouds() -> None:
    descriptors, middles = clouds(2, 4, 200, 5)
    best = min((fit_words(descriptors, 4, draw(seed)) for seed in range(8)), key=lambda words: cost(descriptors, words))
    assert best.dtype == np.uint8
    assert cdist(best, middles).min(axis=0).max() < 10
    means = np.array([descriptors[_nearest(descriptors, best)[0] == k].mean(axis=0) for k in range(4)])
    assert np.abs(best - means).max() <= 0.5


def test_as_good_as_scikit_learn() -> None:
    descriptors = np.clip(draw(3).gamma(0.6, 40, (6000, 128)), 0, 255).astype(np.uint8)
    ours = cost(descriptors, fit_words(descriptors, 30, draw()))
    theirs = KMeans(30, n_init=1, random_state=0).fit(descriptors.astype(float)).inertia_
    assert ours < 1.01 * theirs


def test_what_it_is_drawn_by_decides() -> None:
    descriptors, _ = clouds(4, 20, 50, 60)
    one = fit_words(descriptors, 10, draw(1))
    assert one.tobytes() == fit_words(descriptors, 10, draw(1)).tobytes()
    assert one.tobytes() != fit_words(descriptors, 10, draw(2)).tobytes()


SCRIPT = """
import hashlib
import numpy as np
from tlbench.features import fit_words, histogram
descriptors = np.random.default_rng(5).integers(0, 256, (9000, 128)).astype(np.uint8)
words = fit_words(descriptors, 100, np.random.default_rng(0))
print(hashlib.sha256(words.tobytes() + histogram(descriptors, words).tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_threads_and_processes_change_no_bit() -> None:
    said = set()
    for threads in ("1", "2", "3"):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OPENBLAS_NUM_THREADS": threads,
            "OMP_NUM_THREADS": threads,
        }
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        said.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(said) == 1


def test_a_word_without_descriptors_moves_to_the_farthest() -> None:
    crowd = np.zeros((50, 128), dtype=np.uint8)
    crowd[:25] = 20
    far = np.full((1, 128), 200, dtype=np.uint8)
    for seed in range(10):  # words are mostly drawn twice from the crowd
        words = fit_words(np.concatenate([crowd, far]), 3, draw(seed))
        assert sorted(words[:, 0].tolist()) == [0, 20, 200]


def test_as_many_descriptors_as_words_and_fewer() -> None:
    descriptors, _ = clouds(5, 7, 1, 0)
    words = fit_words(descriptors, 7, draw())
    assert sorted(map(bytes, words)) == sorted(map(bytes, descriptors))
    with pytest.raises(ValueError, match="7 descriptors cannot make 8 words"):
        fit_words(descriptors, 8, draw())
    same = fit_words(np.full((9, 128), 7, dtype=np.uint8), 4, draw())
    assert (same == 7).all()
