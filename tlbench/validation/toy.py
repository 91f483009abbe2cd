"""A small problem with a known answer, on which a classifier of a user's own is tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..methods.estimators import BalancedLSSVC
from ..own_methods import Source

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
DIMENSIONS, SOURCES, POSITIVES, NEGATIVES, TEST = 8, 3, 6, 10, 60
SEED = 20


@dataclass(frozen=True)
class Toy:
    """Three sources, training examples X (16, 8) with labels y, and test examples (60, 8), the first half negative.

    Each task is a direction in noise, and the sources' are near the target's; they are machines trained on 80 examples
    of their own.
    """

    sources: Sequence[Source]
    X: Floats
    y: Labels
    test: Floats

    @classmethod
    def draw(cls) -> Self:
        """The same every time."""
        draw = np.random.default_rng(SEED)
        common = 3.0 * np.eye(DIMENSIONS)[0]

        def examples(direction: Floats, positives: int, negatives: int) -> tuple[Floats, Labels]:
            labels = np.repeat([-1, 1], [negatives, positives])
            noise = draw.normal(size=(len(labels), DIMENSIONS))
            return (0.5 * labels[:, None] * direction + noise) / 5.0, labels

        def source(place: int) -> Source:
            machine = BalancedLSSVC().fit(*examples(common + 0.5 * draw.normal(size=DIMENSIONS), 40, 40))
            return Source(f"toy source {place}", DIMENSIONS, machine.decision_function)

        sources = [source(place) for place in range(1, SOURCES + 1)]
        training, labels = examples(common, POSITIVES, NEGATIVES)
        return cls(sources, training, labels, examples(common, TEST // 2, TEST // 2)[0])
