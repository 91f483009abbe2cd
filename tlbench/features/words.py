"""Visual words: k-means on descriptors, and how often each word occurs in a picture.

After Csurka, Dance, Fan, Willamowski & Bray, "Visual categorization with bags of keypoints", ECCV workshop 2004:
descriptors are counted by the word that is nearest to them.

Everything is a whole number here: descriptors and words are bytes, and a sum of 128 products of bytes is below 2²⁴, up
to where float32 has every whole number. So the result is exact, in whatever order a machine's BLAS adds, and the same
descriptors give the same words and the same counts on every machine, with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Whole = NDArray[np.int64]

ROUNDS = 50
WORTH = 10_000  # a round goes on if it lowers the sum of squared distances by one part in so many
_AT_ONCE = 4096  # descriptors, so that memory does not grow with their number


def fit_words(descriptors: Bytes, count: int, generator: np.random.Generator) -> Bytes:
    """``count`` words of descriptors (n, d), by Lloyd's algorithm from descriptors drawn at random: (count, d).

    Words stay bytes in every round: the rounded mean is the best byte, so the distances never rise. A word that is
    nearest to no descriptor moves to the one that is farthest from all words. Raises ValueError where there are fewer
    descriptors than words.
    """
    if len(descriptors) < count:
        raise ValueError(f"{len(descriptors)} descriptors cannot make {count} words")
    words = descriptors[np.sort(generator.choice(len(descriptors), count, replace=False))]
    before = None
    for _ in range(ROUNDS):
        places, distances = _nearest(descriptors, words)
        now = int(distances.sum())
        if before is not None and (before - now) * WORTH <= before:
            break
        before = now
        words = _means(descriptors, places, distances, count)
    return words


def histogram(descriptors: Bytes, words: Bytes) -> Floats:
    """The share of descriptors (n, d) that are nearest to each word (k, d): (k,), sum 1, or zeros of no descriptors.

    Between words that are equally near the first counts.
    """
    places, _ = _nearest(descriptors, words)
    counts = np.bincount(places, minlength=len(words))
    return (counts / max(len(descriptors), 1)).astype(np.float32)


def _nearest(descriptors: Bytes, words: Bytes) -> tuple[NDArray[np.intp], Whole]:
    """The place of the nearest word, and the squared distance to it: (n,) each."""
    halves = np.square(words, dtype=np.float32).sum(axis=1) / 2
    turned = words.T.astype(np.float32)
    places = np.empty(len(descriptors), dtype=np.intp)
    distances = np.empty(len(descriptors), dtype=np.int64)
    for rows in _slices(len(descriptors)):
        some = descriptors[rows].astype(np.float32)
        likeness = some @ turned  # less half the word's square: the more, the nearer
        likeness -= halves
        places[rows] = likeness.argmax(axis=1)
        best = np.take_along_axis(likeness, places[rows, None], axis=1)[:, 0]
        distances[rows] = np.square(some).sum(axis=1, dtype=np.float64) - 2 * best.astype(np.float64)
    return places, distances


def _means(descriptors: Bytes, places: NDArray[np.intp], distances: Whole, count: int) -> Bytes:
    """The rounded mean of the descriptors of each word: (count, d)."""
    words = np.empty((count, descriptors.shape[1]), dtype=np.uint8)
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(count + 1))
    farthest = iter(np.argsort(-distances, kind="stable"))
    for place in range(count):
        own = order[ends[place] : ends[place + 1]]
        if len(own):
            words[place] = (2 * descriptors[own].sum(axis=0, dtype=np.int64) + len(own)) // (2 * len(own))
        else:
            words[place] = descriptors[next(farthest)]
    return words


def _slices(length: int) -> Iterator[slice]:
    return (slice(start, start + _AT_ONCE) for start in range(0, length, _AT_ONCE))
