"""How far histograms are apart and how much they share; all features must be zero or more.

Compiled loops of scikit-learn and scipy do the work, as no matrix product can: they are imported when first used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCK = 256
"""Rows and columns whose distances are held at once."""


def chi_squared_distances(rows: Floats, columns: Floats) -> Floats:
    """Σ (x − z)²/(x + z), shape (n, m), between (n, d) and (m, d); 0/0 counts as 0.

    Raises ValueError for a negative feature.

    >>> chi_squared_distances(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [[0.0, 2.0]]
    """
    from sklearn.metrics.pairwise import additive_chi2_kernel

    _check(rows)
    _check(columns)
    distances: Floats = additive_chi2_kernel(rows, columns)
    return np.negative(distances, out=distances)


def mean_chi_squared_distance(examples: Floats) -> float:
    """Mean χ² distance over all pairs of different rows of an (n, d) array; zero for one row.

    Exact. The mean of xz/(x + z) is no product of sums, so each pair is visited once, block by block: time grows with
    n², memory does not. Raises ValueError for a negative feature.

    >>> mean_chi_squared_distance(np.array([[1.0, 0.0], [0.0, 1.0]]))
    2.0
    """
    count = len(examples)
    _check(examples)
    total = 0.0
    for row in range(0, count, BLOCK):
        for column in range(row, count, BLOCK):
            distances = chi_squared_distances(examples[row : row + BLOCK], examples[column : column + BLOCK])
            # A block on the diagonal holds each of its pairs twice.
            total += float(distances.sum()) / (2.0 if row == column else 1.0)
    return total / (count * (count - 1) / 2) if count > 1 else 0.0


def intersections(rows: Floats, columns: Floats) -> Floats:
    """Σ min(x, z), shape (n, m), between (n, d) and (m, d). Raises ValueError for a negative feature.

    >>> intersections(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [[1.0, 0.5]]
    """
    from scipy.spatial.distance import cdist

    _check(rows)
    _check(columns)
    # min(x, z) = (x + z − |x − z|)/2
    shared: Floats = cdist(rows, columns, "cityblock")
    np.subtract(rows.sum(axis=1)[:, None] + columns.sum(axis=1), shared, out=shared)
    shared *= 0.5
    return shared


def _check(examples: Floats) -> None:
    if examples.size and not examples.min() >= 0.0:
        raise ValueError("a histogram kernel needs features of zero or more")
