"""What may be chosen of a comparison, and what a task is: what declaration and trainings have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...study import MOST, Count, Positive, Seed, Strength
from ..layers.choices import NETWORKS

Rows = NDArray[np.int64]
Classes = tuple[str, ...]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value.

    layers: n, all of a run or those of a block; 0 for a base. Pictures are counted a class: to train on, for the
    source, to choose n with, and for the test. tolerance: points below its base at which a layer too many is shared.
    """

    layers: Count | Annotated[list[Positive], Meta(min_length=1)]
    network: Literal["digits8", "small32"]
    targets: Annotated[int, Meta(ge=1, le=999)]
    classes_per_task: Annotated[int, Meta(ge=2, le=MOST)]
    pictures_per_class: Annotated[int, Meta(ge=2, le=MOST)]
    source_pictures_per_class: Annotated[int, Meta(ge=2, le=MOST)]
    validation_pictures_per_class: Positive
    test_pictures_per_class: Positive
    epochs: Positive
    source_epochs: Positive
    batch: Positive
    learning_rate: Strength
    tolerance: Strength
    C: Strength
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse to inherit layers that the network does not have, or all of them."""
        most = NETWORKS[self.network].layers - 1
        if self.depths[-1] > most:
            raise ValueError(
                f"layers may be 1 to {most}, not {self.depths[-1]}: network {self.network} has {most + 1}, and the "
                "last one depends on the classes"
            )

    @property
    def depths(self) -> list[int]:
        """The numbers of inherited layers, in order."""
        return sorted(set(self.layers)) if isinstance(self.layers, list) else [self.layers]


@dataclass(frozen=True)
class Task:
    """Classes, and rows of their pictures: to train on, to choose with, to test on; a source has the first alone."""

    classes: Classes
    training: Rows
    validation: Rows
    test: Rows
