"""The kinds of feature that can be had of a picture, and what a kept vector of each depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from . import decoding, sift
from .errors import FeaturesError
from .lbp import BINS, lbp
from .phog import phog
from .pixels import pixels
from .regcov import regcov
from .words import histogram

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Vector = Floats | Bytes

LONGEST_SIDE = 256  # pixels that every kind is computed from, so that a picture is decoded once for all of them


@dataclass(frozen=True)
class Kept:
    """What is kept of a picture: as which vector, and what it depends on.

    parameters: all that the numbers depend on. version: raised when the same parameters come to mean other numbers.
    dimension: length of a vector. dtype: of its numbers as they are written.
    """

    name: str
    parameters: Mapping[str, int | str]
    version: int
    dimension: int
    dtype: str = field(default="<f4", kw_only=True)

    @property
    def key(self) -> str:
        """Hash of all that a vector depends on besides the picture; a library's own version where it can move it."""
        depends_on = {
            "name": self.name,
            "parameters": dict(self.parameters),
            "version": self.version,
            "decoding": [decoding.VERSION, LONGEST_SIDE],
            "pillow": PIL.__version__,
            "numpy": np.__version__.partition(".")[0],
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Kind(Kept):
    """One kind of feature.

    compute: from a picture to its vector. in_colour: whether it is given the colours (h, w, 3) instead of grey (h, w).
    """

    compute: Callable[[Floats], Vector]
    in_colour: bool = field(default=False, kw_only=True)

    def of_file(self, path: Path) -> Vector:
        """The vector of a picture file: (dimension,). Raises PictureError."""
        return self.compute(read_both(path)[1] if self.in_colour else read(path))


@dataclass(frozen=True)
class Bag:
    """A kind of feature that counts visual words, which have to be learned from pictures first.

    sample: the descriptors of a picture that are kept to learn from. words: how many are learned. count: from words
    and a picture to its vector.
    """

    name: str
    parameters: Mapping[str, int | str]
    version: int
    sample: Kind
    words: int
    count: Callable[[Bytes, Floats], Floats]

    def kind(self, words: Bytes, key: str) -> Kind:
        """The kind that counts these words (k, d). key: of the words, and of what they were learned from."""
        parameters = {**self.parameters, "vocabulary": key}
        return Kind(self.name, parameters, self.version, len(words), partial(self.count, words))


def read(path: Path) -> Floats:
    """The picture that every kind is computed from: grey, (h, w), at most ``LONGEST_SIDE``. Raises PictureError."""
    return decoding.read_grey(path, at_most=LONGEST_SIDE)


def read_both(path: Path) -> tuple[Floats, Floats]:
    """The same picture, and its colours, (h, w, 3). Raises PictureError."""
    return decoding.read_both(path, at_most=LONGEST_SIDE)


def _pixels(name: str, side: int) -> Kind:
    return Kind(name, {"side": side}, 1, side * side, partial(pixels, side=side))


def _phog(name: str, bins: int, degrees: int, finest: int) -> Kind:
    dimension = bins * sum(4**level for level in range(finest + 1))
    parameters = {"bins": bins, "degrees": degrees, "finest": finest}
    return Kind(name, parameters, 1, dimension, partial(phog, bins=bins, degrees=degrees, finest=finest))


def _sift(name: str, words: int, sample: int) -> Bag:
    dimension, compute = sample * sift.LENGTH, partial(_sift_sample, count=sample)
    to_learn_from = Kind(f"{name}-sample", {"sample": sample}, sift.VERSION, dimension, compute, dtype="|u1")
    return Bag(name, {}, sift.VERSION, to_learn_from, words, _sift_words)


def _sift_sample(grey: Floats, count: int) -> Bytes:
    return sift.spread_sample(sift.dense_sift(grey), count).ravel()


def _sift_words(words: Bytes, grey: Floats) -> Floats:
    return histogram(sift.dense_sift(grey), words)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _pixels("pixels", side=32),
        _phog("phog", bins=40, degrees=360, finest=3),
        _phog("phog180", bins=20, degrees=180, finest=3),
        Kind("lbp", {}, 1, BINS, lbp),
        Kind("regcov", {}, 1, 28, regcov, in_colour=True),
    )
}

BAGS: Mapping[str, Bag] = {"sift": _sift("sift", words=300, sample=64)}


def names() -> tuple[str, ...]:
    """Every kind that there is."""
    return (*KINDS, *BAGS)


def find(name: str) -> Kind:
    """The kind of that name, computed from a picture alone. Raises FeaturesError where there is none."""
    if name in BAGS:
        raise FeaturesError(
            f"'{name}' counts words that have to be learned first, from pictures that are not tested on"
        )
    if name not in KINDS:
        raise FeaturesError(f"there is no kind of feature '{name}'; there are {', '.join(names())}")
    return KINDS[name]
