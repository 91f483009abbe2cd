"""What a block of ``distillation`` is told and handed, for its declaration and its training alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from msgspec import Meta

from ...datasets import LabelledPictures, generator
from ...study import Count, Degree, Positive
from .choices import Choices, Drawn, Rows


class Common(Choices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Further choices. draws: units. hint_steps: how many of a student's steps are spent on hints."""

    draws: Annotated[int, Meta(ge=1, le=99)]
    hint_steps: Positive

    def __post_init__(self) -> None:
        """Refuse hints that take up all steps."""
        if self.hint_steps >= self.steps:
            raise ValueError(f"hint_steps has to be below steps, which is {self.steps}")


class Work(Common, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of a block; a teacher's levels are 0."""

    pictures: Count
    layers: Count
    hidden: list[Count]
    temperature: list[Degree]


@dataclass(frozen=True)
class Shared:
    """A unit's pictures."""

    pictures: LabelledPictures
    drawn: Drawn


def draw_transfer_set(pictures: LabelledPictures, drawn: Drawn, work: Work, unit: str, split: int) -> Rows:
    """Equally many of the teacher's pictures of each class; a smaller set is a part of a larger one."""
    source = generator(work.seed, "transfer set", unit, split)
    labels = pictures.labels[drawn.training]
    classes = range(len(pictures.classes))
    return np.concatenate([source.permutation(drawn.training[labels == one])[: work.pictures] for one in classes])
