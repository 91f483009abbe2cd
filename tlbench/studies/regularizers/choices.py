"""What may be chosen of a comparison of penalties: what declaration and trainings have in common."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ...study import GREATEST, Count, Degree, Positive, Strength
from .class_draws import Amounts


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value.

    classes_per_half: 0 for half of all classes. source_pictures: of each class, 0 for all there are.
    """

    shots: Annotated[list[Positive], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    rehearsals: Annotated[int, Meta(ge=1, le=99)]
    strengths: Annotated[list[Strength], Meta(min_length=1)]
    network: Literal["digits4", "digits8", "small32"]
    classes_per_half: Count
    source_pictures: Count
    unlabelled: Count
    test_pictures: Positive
    source_epochs: Positive
    steps: Positive
    batch: Positive
    learning_rate: Strength
    head_decay: Degree
    p: Annotated[float, Meta(ge=1, le=GREATEST)]
    k: Positive
    neighbours: Positive
    seed: Count

    def __post_init__(self) -> None:
        """Refuse a strength twice, and fewer pictures than a graph of neighbours needs."""
        if len(set(self.strengths)) < len(self.strengths):
            raise ValueError("strengths names one of them twice; each counts once")
        if self.unlabelled <= self.neighbours:
            raise ValueError(f"{self.neighbours} neighbours need more unlabelled pictures than {self.unlabelled}")

    @property
    def amounts(self) -> Amounts:
        """Pictures that a unit uses."""
        return Amounts(
            self.classes_per_half, self.source_pictures, max(self.shots), self.unlabelled, self.test_pictures
        )
