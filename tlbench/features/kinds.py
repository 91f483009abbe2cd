"""The kinds of feature that can be had of a picture, and what a kept vector of each depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray

from . import decoding
from .errors import FeaturesError
from .phog import phog
from .pixels import pixels

Floats = NDArray[np.float32]

LONGEST_SIDE = 256  # pixels that every kind is computed from, so that a picture is decoded once for all of them


@dataclass(frozen=True)
class Kind:
    """One kind of feature.

    parameters: all that the numbers depend on. version: raised when the same parameters come to mean other numbers.
    dimension: length of a vector. of_grey: from a picture as ``read`` gives it to its float32 vector.
    """

    name: str
    parameters: Mapping[str, int]
    version: int
    dimension: int
    of_grey: Callable[[Floats], Floats]

    def of_file(self, path: Path) -> Floats:
        """The vector of a picture file: (dimension,). Raises PictureError."""
        return self.of_grey(read(path))

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


def read(path: Path) -> Floats:
    """The picture that every kind is computed from: grey, (h, w), at most ``LONGEST_SIDE``. Raises PictureError."""
    return decoding.read_grey(path, at_most=LONGEST_SIDE)


def _pixels(name: str, side: int) -> Kind:
    return Kind(name, {"side": side}, 1, side * side, partial(pixels, side=side))


def _phog(name: str, bins: int, degrees: int, finest: int) -> Kind:
    dimension = bins * sum(4**level for level in range(finest + 1))
    parameters = {"bins": bins, "degrees": degrees, "finest": finest}
    return Kind(name, parameters, 1, dimension, partial(phog, bins=bins, degrees=degrees, finest=finest))


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _pixels("pixels", side=32),
        _phog("phog", bins=40, degrees=360, finest=3),
        _phog("phog180", bins=20, degrees=180, finest=3),
    )
}


def find(name: str) -> Kind:
    """The kind of that name. Raises FeaturesError where there is none."""
    if name not in KINDS:
        raise FeaturesError(f"there is no kind of feature '{name}'; there are {', '.join(KINDS)}")
    return KINDS[name]
