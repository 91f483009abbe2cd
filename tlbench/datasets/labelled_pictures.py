"""The shape of data that networks learn from: pictures of one size, each in one class."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .pixels import Integers, Pixels, Rows

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Distinct pictures in an order that depends on what they are and not on where they lie.

    pixels: taken by rows, uint8 (n, height, width, channels). labels: int64 (N,), places in `classes`. is_test: which
    pictures are the data set's own test part, bool (N,); None where it has none. kinds: 'natural', 'man-made' or ''
    (in neither) of each class; None where that is not known.
    notices: sentences that a user of these data should read.
    """

    pixels: Pixels
    labels: Integers
    classes: tuple[str, ...]
    is_test: Flags | None = None
    kinds: tuple[str, ...] | None = None
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together."""
        count = self.pixels.shape[0]
        lengths = [len(part) for part in (self.labels, self.is_test) if part is not None]
        if any(length != count for length in lengths) or (self.kinds and len(self.kinds) != len(self.classes)):
            raise ValueError("pixels, labels, is_test and kinds do not belong together")

    @property
    def categories(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 of everything that can change a result: pixels, labels, classes, the test part and the kinds.

        Of pictures that are decoded on demand the relative paths and sizes stand for the pixels.
        """
        words = json.dumps([self.pixels.digest, self.classes, self.kinds, self.is_test is not None])
        digest = hashlib.sha256(words.encode("utf-8", "surrogatepass"))
        digest.update(np.ascontiguousarray(self.labels, "<i8").data)
        if self.is_test is not None:
            digest.update(np.ascontiguousarray(self.is_test, np.uint8).data)
        return digest.hexdigest()


def restrict_classes(pictures: LabelledPictures, wanted: Sequence[str]) -> LabelledPictures:
    """Only the pictures of some classes, which stay in the data set's order. Raises DataError for an unknown class."""
    kept = known_classes(wanted, pictures.classes)
    places = [place for place, name in enumerate(pictures.classes) if name in kept]
    new = np.full(len(pictures.classes), -1, dtype=np.int64)
    new[places] = np.arange(len(places))
    rows: Rows = np.flatnonzero(new[pictures.labels] >= 0)
    return replace(
        pictures,
        pixels=pictures.pixels.only(rows),
        labels=new[pictures.labels[rows]],
        classes=tuple(pictures.classes[place] for place in places),
        is_test=None if pictures.is_test is None else pictures.is_test[rows],
        kinds=None if pictures.kinds is None else tuple(pictures.kinds[place] for place in places),
    )


def known_classes(wanted: Sequence[str], classes: Sequence[str]) -> frozenset[str]:
    """The wanted classes. Raises DataError for one that is not among the classes, with the nearest that is."""
    for name in wanted:
        if name not in classes:
            raise DataError(f"there is no class '{name}'; {nearest_class(name, classes)}")
    return frozenset(wanted)


def nearest_class(word: str, classes: Sequence[str]) -> str:
    """The end of a sentence about a word that is no class: the nearest that is one, or some that are."""
    known = {name.casefold(): name for name in classes}
    close = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{known[close[0]]}'?"
    more = f" and {len(classes) - 8} more" if len(classes) > 8 else ""
    return f"there are {', '.join(classes[:8])}{more}"
