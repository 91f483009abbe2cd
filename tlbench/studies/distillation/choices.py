"""How a teacher and its students are trained and on which pictures: what both studies have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...datasets import DataError, LabelledPictures, draw_pictures, generator
from ...protocol import ProtocolError
from ...study import Count, Positive, Strength

Temperature = Annotated[float, Meta(gt=0, le=1e4)]
Rows = NDArray[np.intp]

FEWEST_CLASSES = 3
SIDE = 32  # pixels that pictures of any size are brought to where the data set leaves it open


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Choices of both studies; the protocol file gives the reason for each value.

    training_pictures_per_class: what the teacher learns from; it and test_pictures_per_class: 0 for as many as the
    smallest class allows. teacher_units: of each of its two hidden layers. dropout: of the teacher's hidden units.
    hard_weight: of the labels in a distilled student's loss; the soft targets have the rest.
    """

    training_pictures_per_class: Count
    test_pictures_per_class: Count
    teacher_units: Positive
    teacher_steps: Positive
    dropout: Annotated[float, Meta(ge=0, lt=1)]
    steps: Positive
    batch: Positive
    learning_rate: Strength
    hard_weight: Annotated[float, Meta(ge=0, lt=1)]
    seed: Count


@dataclass(frozen=True)
class Drawn:
    """Rows of the pictures that a teacher learns from and of those all are tested on, equally many of each class."""

    training: Rows
    test: Rows


def draw(pictures: LabelledPictures, choices: Choices, unit: str, split: int) -> Drawn:
    """Draw a teacher's and the test's pictures. Raises DataError where classes or pictures are too few."""
    if len(pictures.classes) < FEWEST_CLASSES:
        raise DataError(
            f"there are {len(pictures.classes)} classes; soft targets say how wrong answers compare, for which at "
            f"least {FEWEST_CLASSES} are needed"
        )
    rows = draw_pictures(
        pictures,
        pictures.classes,
        choices.training_pictures_per_class,
        choices.test_pictures_per_class,
        generator(choices.seed, "teacher's pictures", unit, split),
    )
    return Drawn(*rows)


def require_teacher(conditions: Sequence[str]) -> None:
    """Raise ProtocolError where nobody teaches."""
    if "teacher" not in conditions:
        raise ProtocolError("conditions must include 'teacher': the others learn from it or are compared with it")


def batches_of_splits(seeds: int) -> list[tuple[int, ...]]:
    """Splits that one block computes as a stack, fixed so that bytes never depend on what happened to be missing."""
    return [tuple(range(start, min(start + 10, seeds))) for start in range(0, seeds, 10)]
