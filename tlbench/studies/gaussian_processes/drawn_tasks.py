"""Tasks whose correlation is known, and what is predicted of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .conditions import Floats, Task


@dataclass(frozen=True)
class Drawn:
    """A split of a unit: the source for each ρ, the target with the most labels, new examples, and the truth there."""

    sources: Mapping[float, Task]
    target: Task
    test: Task
    functions: Floats
    """The target's function at the test inputs, without noise."""


@dataclass(frozen=True)
class Prediction:
    """Mean and variance of the test outputs, with so many labels and a source of correlation ρ; and the λ behind it."""

    labels: int
    rho: float
    learned: float
    mean: Floats
    variance: Floats
