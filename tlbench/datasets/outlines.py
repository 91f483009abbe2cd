"""Published data sets as far as their numbers go: enough to plan a run on data that are not here yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .class_kinds import as_chosen, declared_classes
from .entries import Options
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
    """classes: the list of ours that names them; count: how many there are; training, test: pictures a class.

    side: of the pictures, if the data set has no side to choose or none is chosen.
    """

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


_NOTHING_CHOSEN = Options()


def outline(name: str, options: Options = _NOTHING_CHOSEN) -> LabelledPictures | None:
    """What is known beforehand of a data set with the side, classes and kinds chosen, its pixels absent; else None.

    Tiny-ImageNet's classes are taken as every fifth of ImageNet's: only their numbers are meant, so that no class of
    its own can be chosen; the notice says so. Raises DataError for an unknown class and a class list of no use.
    """
    if name not in OUTLINES:
        return None
    about = OUTLINES[name]
    named = declared_classes(f"{about.classes}.csv")
    classes = named[:: len(named) // about.count]
    each, side = about.training + about.test, options.side or about.side
    categories, class_list = options.categories, options.class_list
    notice = f"{name} is not here: planned from its published numbers"
    if len(named) != about.count and (categories or class_list is not None):
        notice += ", and without categories or class_list, which need the names of its classes"
        categories, class_list = (), None
    whole = LabelledPictures(
        pixels=AbsentPixels((about.count * each, side, side, 3)),
        labels=np.repeat(np.arange(about.count), each),
        classes=classes,
        is_test=np.tile(np.arange(each) >= about.training, about.count),
        notices=(notice,),
    )
    return as_chosen(whole, categories, class_list)
