"""Two classes in the plane whose best boundary is a known line, and how often any other line is right: exactly.

A class is a normal cloud ± gap/2 away from the line, ``across`` wide towards it and ``along`` wide beside it. Wide
beside it means that few points easily suggest a wrong line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Clouds:
    """normal (2,): the unit vector towards the positive class. The best boundary is normal·x = 0."""

    normal: Floats
    gap: float
    along: float
    across: float

    @property
    def beside(self) -> Floats:
        """The unit vector along the boundary."""
        return np.array([-self.normal[1], self.normal[0]])

    def draw(self, labels: Floats, generator: Generator) -> Floats:
        """Points (…, 2) of the classes ±1 in ``labels`` (…)."""
        noise = generator.standard_normal((*labels.shape, 2))
        towards = self.gap / 2.0 * labels + self.across * noise[..., 0]
        return towards[..., None] * self.normal + (self.along * noise[..., 1])[..., None] * self.beside

    def accuracy(self, weights: Floats, bias: Floats) -> Floats:
        """How often sign(w·x + b) is right, in percent (…), for weights (…, 2) and biases (…): no test set is needed.

        w·x + b is normal in each class. A line of no direction calls all points what its bias does: 50 %.
        """
        from scipy.special import ndtr

        towards, beside = weights @ self.normal, weights @ self.beside
        spread = np.hypot(self.across * towards, self.along * beside)
        shift = self.gap / 2.0 * towards
        safe = np.where(spread > 0.0, spread, 1.0)
        right = 50.0 * (ndtr((shift + bias) / safe) + ndtr((shift - bias) / safe))
        return np.where(spread > 0.0, right, 50.0)


def turned(normal: Floats, degrees: float) -> Floats:
    """The same vector, turned."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ normal
