"""Published data sets as far as their numbers go: enough to plan a run on data that are not here yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .class_kinds import declared_classes, declared_kinds
from .labelled_pictures import LabelledPictures
from .pixels import Rows, Shape


class AbsentPixels:
    """The shape of pictures that are not here: uint8 (N, height, width, channels)."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    @property
    def shape(self) -> Shape:
        """(N, height, width, channels)."""
        return self._shape

    @property
    def digest(self) -> str:
        """Of the shape alone: nothing is ever computed on absent pictures."""
        return f"absent {self._shape}"

    def take(self, rows: Rows) -> NDArray[np.uint8]:
        """Grey pictures, to measure with."""
        return np.full((len(rows), *self._shape[1:]), 127, np.uint8)

    def only(self, rows: Rows) -> AbsentPixels:
        """The shape of some of them."""
        return AbsentPixels((len(rows), *self._shape[1:]))


@dataclass(frozen=True)
class Outline:
    """classes: the list of ours that names them; count: how many there are; training, test: pictures a class."""

    classes: str
    count: int
    training: int
    test: int
    side: int


OUTLINES = {
    "cifar10": Outline("cifar10", 10, 5000, 1000, 32),
    "cifar100": Outline("cifar100", 100, 500, 100, 32),
    "tiny-imagenet": Outline("imagenet", 200, 500, 50, 32),
    # ILSVRC 2012 has 732 to 1,300 training pictures a class; equal numbers are those of the smallest.
    "imagenet": Outline("imagenet", 1000, 732, 50, 256),
}


def outline(name: str) -> LabelledPictures | None:
    """What is known beforehand of a data set, its pixels absent; None where nothing is.

    Tiny-ImageNet's classes are taken as every fifth of ImageNet's: only their numbers are meant.
    """
    if name not in OUTLINES:
        return None
    about = OUTLINES[name]
    named = declared_classes(f"{about.classes}.csv")
    classes = named[:: len(named) // about.count]
    each = about.training + about.test
    return LabelledPictures(
        pixels=AbsentPixels((about.count * each, about.side, about.side, 3)),
        labels=np.repeat(np.arange(about.count), each),
        classes=classes,
        is_test=np.tile(np.arange(each) >= about.training, about.count),
        kinds=declared_kinds(classes),
        notices=(f"{name} is not here: planned from its published numbers",),
    )
