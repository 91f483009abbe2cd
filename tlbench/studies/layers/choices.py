"""How networks are trained and on which half of the classes: what declaration, training and cost have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...datasets import LabelledPictures, draw_class_split, draw_pictures, generator
from ...study import Count, Positive, Strength

ClassSplit = Literal["random", "natural-manmade"]


@dataclass(frozen=True)
class Shape:
    """What must be known of a network before it is built: pixels a side of the pictures it is fed from, and layers."""

    side: int
    layers: int


NETWORKS = {
    "digits8": Shape(8, 8),
    "small32": Shape(32, 8),
    "caffenet": Shape(256, 8),
    "resnet18": Shape(32, 10),
    "resnet34": Shape(32, 18),
    "resnet50": Shape(256, 18),
}


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How networks are trained and on how much; the protocol file gives the reason for each value.

    pictures_per_class, test_pictures_per_class: 0 for as many as the smallest class of the whole data set allows, so
    that all halves have equally many; without a test part a quarter of that class is for the test. classes_per_half: 0
    for as many as every class split of the run has. report: "last" is the accuracy after the last epoch; "ten-best"
    the mean of the ten best tests, one an epoch, as the authors report it: it selects on test pictures.
    """

    network: Literal["digits8", "small32", "caffenet", "resnet18", "resnet34", "resnet50"]
    initialisation: Literal["scaled", "gaussian"]
    classes_per_half: Count
    pictures_per_class: Count
    test_pictures_per_class: Count
    epochs: Positive
    batch: Positive
    learning_rate: Strength
    schedule: Literal["cosine", "steps"]
    augmentation: Literal["none", "crop-and-mirror"]
    precision: Literal["auto", "float32", "bfloat16"]
    report: Literal["last", "ten-best"]
    seed: Count

    def __post_init__(self) -> None:
        """Refuse crops from pictures that leave no room for them."""
        if self.augmentation == "crop-and-mirror" and self.network not in ("caffenet", "resnet50"):
            raise ValueError(f"network {self.network} takes whole pictures; set augmentation=none")
        if self.batch == 1 and self.network in ("resnet18", "resnet34"):
            raise ValueError(f"network {self.network} normalises over a batch; set batch=2 or more")


class Parameters(Choices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of a run."""

    class_split: Annotated[list[ClassSplit], Meta(min_length=1)]
    layers: Annotated[list[Positive], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse to inherit layers that the network does not have, or all of them."""
        super().__post_init__()
        most = NETWORKS[self.network].layers - 1
        if max(self.layers) > most:
            raise ValueError(
                f"layers may be 1 to {most}, not {max(self.layers)}: network {self.network} has {most + 1}, and the "
                "last one depends on the classes"
            )


class Training(Choices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of one training; layers: how many are inherited, 0 for a base."""

    class_split: ClassSplit
    layers: Count


@dataclass(frozen=True)
class Half:
    """The classes of a target half, and the rows of its training and test pictures."""

    classes: tuple[str, ...]
    training: Any
    test: Any


def draw_half(pictures: LabelledPictures, training: Training, unit: str) -> Half:
    """Draw the classes and pictures of a unit; every condition of the unit shares them.

    The class split is drawn once for both its halves.
    """
    kind, draw, half = unit.rsplit("-", 2)
    halves = draw_class_split(
        training.class_split,
        pictures.classes,
        pictures.kinds,
        training.classes_per_half,
        generator(training.seed, "class split", kind, int(draw)),
    )
    classes = halves["AB".index(half)]
    rows = draw_pictures(
        pictures,
        classes,
        training.pictures_per_class,
        training.test_pictures_per_class,
        generator(training.seed, "pictures", unit, int(draw)),
    )
    return Half(classes, *rows)
