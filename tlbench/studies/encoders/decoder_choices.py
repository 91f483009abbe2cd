"""What may be chosen of a new decoder, and a unit's pictures: what declaration and trainings have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...study import MOST, Degree, Positive, Seed, Strength

TaskName = Literal["reconstruction", "segmentation"]
Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
LEAST_TEST_PICTURES = 15


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value. task: one in a block, all in a run."""

    task: TaskName | Annotated[list[TaskName], Meta(min_length=1)]
    pictures: Annotated[list[Positive], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    classes_per_half: Annotated[int, Meta(ge=2, le=MOST)]
    test_pictures: Annotated[int, Meta(ge=LEAST_TEST_PICTURES)]
    noise: Degree
    ink: Annotated[float, Meta(gt=0, lt=1)]
    hidden: Positive
    code: Positive
    batch: Positive
    source_steps: Positive
    steps: Positive
    learning_rate: Strength
    seed: Seed

    @property
    def tasks(self) -> Sequence[TaskName]:
        """Those of a run, or the one of a block."""
        return self.task if isinstance(self.task, list) else [self.task]


@dataclass(frozen=True)
class Drawn:
    """A unit's pictures, (n, side²) grey from 0 to 1, without noise and with it; labels are of the source alone."""

    source: tuple[Floats, Floats]
    source_labels: Rows
    target: tuple[Floats, Floats]
    test: tuple[Floats, Floats]
    classes: tuple[tuple[str, ...], tuple[str, ...]]
    side: int
