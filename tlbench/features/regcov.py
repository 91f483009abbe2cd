"""Region covariance of a whole picture: how place, colours and edges vary together.

After Tuzel, Porikli & Meer, "Region covariance: a fast descriptor for detection and classification", ECCV 2006, section
3: seven numbers a pixel, here its place, its red, green and blue and the strength of its upright and its level edges.
The paper compares covariances on their curved space. Here the matrix logarithm lays them out flat (Arsigny et al.,
"Log-Euclidean metrics for fast and simple calculus on diffusion tensors", MRM 2006), and numbers off the diagonal,
which stand for two, are weighted by √2: the distance of two vectors is the Frobenius norm of the logarithms'
difference, so any kernel on distances may be used.

Places run from 0 to 1 in both directions, so the size of a picture does not matter. A variance of ``FLOOR`` is added to
each of the seven, as if the pixels had that much noise: without it grey or even pictures would lie infinitely far away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DIMENSION = 28
FLOOR = 1e-4  # a hundredth of the range from black to white, squared
_ROW, _COLUMN = np.triu_indices(7)
_WEIGHT = np.where(_ROW == _COLUMN, 1.0, np.sqrt(2.0))


def regcov(colours: Floats) -> Floats:
    """The logarithm of the covariance of a picture (h, w, 3), the upper triangle row by row: (28,).

    Order of the seven: column, row, red, green, blue, |change to the right|, |change downwards| of the grey values.
    """
    deviations = _seven(colours).reshape(7, -1)
    deviations -= deviations.mean(axis=1, keepdims=True)
    covariance = np.einsum("ip,jp->ij", deviations, deviations) / deviations.shape[1]
    values, vectors = np.linalg.eigh(covariance + FLOOR * np.eye(7))
    logarithm = (vectors * np.log(values)) @ vectors.T
    return (logarithm[_ROW, _COLUMN] * _WEIGHT).astype(np.float32)


def _seven(colours: Floats) -> NDArray[np.float64]:
    """The seven numbers of each pixel: (7, h, w)."""
    rows, columns, _ = colours.shape
    wide = colours.astype(np.float64)
    grey = wide @ (0.299, 0.587, 0.114)
    padded = np.pad(grey, 1, mode="edge")
    seven = np.empty((7, rows, columns))
    seven[0] = (np.arange(columns) + 0.5) / columns
    seven[1] = (np.arange(rows)[:, None] + 0.5) / rows
    seven[2:5] = wide.transpose(2, 0, 1)
    seven[5] = np.abs(padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    seven[6] = np.abs(padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    return seven
