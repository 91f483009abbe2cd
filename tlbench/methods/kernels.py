"""Radial basis function kernels averaged over several kinds of feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def squared_distances(rows: Floats, columns: Floats) -> Floats:
    """Squared Euclidean distances, shape (n, m), between (n, d) and (m, d); never below zero."""
    # Far from the origin ‖x‖² + ‖z‖² − 2x·z loses the digits that x − z would have kept.
    centre = columns.mean(axis=0)
    same = rows is columns
    columns = columns - centre
    rows = columns if same else rows - centre
    distances = rows @ columns.T
    distances *= -2.0
    norms = np.einsum("ij,ij->i", columns, columns)
    distances += (norms if same else np.einsum("ij,ij->i", rows, rows))[:, None]
    distances += norms
    return np.maximum(distances, 0.0, out=distances)


def mean_squared_distance(examples: Floats) -> float:
    """Mean squared distance over all pairs of different rows of an (n, d) array.

    Uses mean‖x_i − x_j‖² = 2 n/(n−1) · (total variance), so no n × n matrix is formed. Zero for one row.
    """
    count = len(examples)
    if count < 2:
        return 0.0
    # A constant column has no variance, but rounding in its mean would give it some.
    varying = examples.max(axis=0) > examples.min(axis=0)
    return 2.0 * count / (count - 1) * float(np.var(examples, axis=0)[varying].sum())


@dataclass(frozen=True)
class MeanRBFKernel:
    """Mean over feature kinds of exp(−γ‖x − z‖²), γ = 1 / mean squared distance of the fitted examples.

    ``gammas`` maps each kind to its γ. A kind that is constant over the fitted examples gets γ = 0: it cannot
    tell examples apart, and its kernel is constantly one.
    """

    gammas: Mapping[str, float]

    @classmethod
    def fit(cls, features: Mapping[str, Floats]) -> MeanRBFKernel:
        """Choose every γ from (n, d) arrays, one a kind, that describe the same n examples."""
        spreads = {kind: mean_squared_distance(values) for kind, values in features.items()}
        return cls({kind: 1.0 / spread if spread > 0.0 else 0.0 for kind, spread in spreads.items()})

    def __call__(self, rows: Mapping[str, Floats], columns: Mapping[str, Floats]) -> Floats:
        """Kernel matrix (n, m) between two sets of examples given by kind."""
        total: Floats | None = None
        for kind, gamma in self.gammas.items():
            similarity = squared_distances(rows[kind], columns[kind])
            similarity *= -gamma
            np.exp(similarity, out=similarity)
            total = similarity if total is None else np.add(total, similarity, out=total)
        if total is None:
            raise ValueError("a kernel needs at least one kind of feature")
        total /= len(self.gammas)
        return total
