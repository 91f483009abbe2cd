"""What an advice is made from: the target's few pictures, its sources, and pictures of other things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..datasets import DataError, FeaturePack

Rows = NDArray[np.intp]

FEWEST_BACKGROUND = 45
"""Pictures of other things: three pools of fifteen."""
NONE_OF_THEM: Mapping[str, Rows] = MappingProxyType({})


@dataclass(frozen=True)
class Material:
    """Examples by row of one pack, whose categories are the sources and whose background is shared.

    target: its name; positives: its rows. set_apart: of sources whose own pictures serve as background, those rows;
    empty where there is a background of its own.
    """

    pack: FeaturePack
    target: str
    positives: Rows
    set_apart: Mapping[str, Rows] = field(default_factory=lambda: NONE_OF_THEM)

    def __post_init__(self) -> None:
        """Refuse what nothing can be learned from."""
        refuse_too_few(len(self.positives), len(self.sources), len(self.background))

    @property
    def sources(self) -> Mapping[str, Rows]:
        """The rows of each source's positives."""
        return self.pack.categories

    @property
    def background(self) -> Rows:
        """The rows of other things."""
        return self.pack.background_of("")

    @property
    def shots(self) -> int:
        """How many labelled pictures the target has."""
        return len(self.positives)

    def outside(self, *categories: str) -> NDArray[np.bool_]:
        """For each row of the pack, whether it is none of the background pictures of these categories."""
        allowed = np.ones(len(self.pack.identities), dtype=bool)
        for category in categories:
            allowed[self.set_apart.get(category, [])] = False
        return allowed


def refuse_too_few(positives: int, sources: int, background: int, why: str = "") -> None:
    """Raise DataError where there is too little to learn anything from; ``why`` says what became of the rest."""
    if not positives:
        raise DataError("the target has no picture that can be used; give it at least one")
    if not sources:
        raise DataError(f"there is no source besides the target{why}; give folders of pictures of other categories")
    if background < FEWEST_BACKGROUND:
        there = "is one picture" if background == 1 else f"are {background} pictures"
        raise DataError(
            f"there {there} of other things to tell the target from{why}, and {FEWEST_BACKGROUND} are needed; give a "
            "folder of some with --background"
        )
