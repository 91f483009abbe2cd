"""What may be chosen of encoder and decoder, and the pictures as they are seen: what declaration and training share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...study import MOST, Degree, Positive, Seed, Strength
from .views import ends_of

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]
LEAST_TEST_PICTURES = 15


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value. views: one in a block, all in a run."""

    shots: Annotated[list[Positive], Meta(min_length=1)]
    views: str | Annotated[list[str], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    classes: Annotated[int, Meta(ge=2, le=MOST)]
    source_pictures: Positive
    target_pictures: Positive
    test_pictures: Annotated[int, Meta(ge=LEAST_TEST_PICTURES)]
    paired_pictures: Positive
    noise: Degree
    hidden: Positive
    code: Positive
    steps: Positive
    learning_rate: Strength
    reconstruction: Degree
    alignment: Degree
    classification: Degree
    pairs: Degree
    decay: Degree
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse views that name no two spaces, numbers that are none, and more shots or pairs than pictures."""
        for pair in self.pairs_of_views:
            ends_of(pair)
        if max(self.shots) + self.paired_pictures > self.target_pictures:
            raise ValueError(
                f"{max(self.shots)} shots and {self.paired_pictures} paired pictures need as many target_pictures "
                f"together, not {self.target_pictures}"
            )

    @property
    def pairs_of_views(self) -> Sequence[str]:
        """Those of a run, or the one of a block."""
        return self.views if isinstance(self.views, list) else [self.views]


@dataclass(frozen=True)
class Sight:
    """A unit's pictures as they are seen, standardised, float32.

    source: (S, d), labels (S,). target: (T, e), labels (T,), the first of every class, then the second of every class …
    paired: examples of the end of ``target`` in the source's space, (P, d), and in the target's, (P, e). test: (N, e),
    labels (N,).
    """

    source: tuple[Floats, Rows]
    target: tuple[Floats, Rows]
    paired: tuple[Floats, Floats]
    test: tuple[Floats, Rows]
    classes: tuple[str, ...]
