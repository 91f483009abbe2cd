"""What a block of ``missing-class`` is told and handed, for its declaration and its training alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...datasets import LabelledPictures
from ...study import Degree, Positive
from .choices import Choices, Drawn

Missing = Literal["one", "all but two"]


class Common(Choices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Further choices. layers, hidden: hidden layers of a student, and units of each."""

    layers: Positive
    hidden: Positive


class Work(Common, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of a block; without soft targets the temperature is 0."""

    missing: list[Missing]
    temperature: list[Degree]


@dataclass(frozen=True)
class Shared:
    """A unit's pictures, split by split."""

    pictures: LabelledPictures
    drawn: tuple[Drawn, ...]


def missing_classes(kind: Missing, unit: str, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Which classes the transfer set of a unit lacks, bool (classes,)."""
    place = classes.index(unit)
    if kind == "one":
        return np.arange(len(classes)) == place
    return ~np.isin(np.arange(len(classes)), [place, (place + 1) % len(classes)])
