"""One small picture seen in different ways: feature spaces that share no number, for heterogeneous transfer.

All take grey pictures (n, side, side) and give (n, d), each picture by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def blocks(pictures: Floats, cells: int) -> Floats:
    """Pictures cut into cells × cells blocks of equal size: (n, cells, cells, pixels of a block).

    Raises ValueError where the side is no multiple of ``cells``.

    >>> blocks(np.arange(16.0).reshape(1, 4, 4), cells=2)[0, 0].tolist()  # the upper two
    [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]
    """
    count, side = len(pictures), pictures.shape[1]
    if side % cells:
        raise ValueError(f"pictures of {side} pixels a side cannot be cut into {cells} × {cells} equal blocks")
    size = side // cells
    cut = pictures.reshape(count, cells, size, cells, size).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(cut).reshape(count, cells, cells, size * size)


def pixels(pictures: Floats) -> Floats:
    """The grey values, row by row: (n, side²).

    >>> pixels(np.arange(4.0).reshape(1, 2, 2)).tolist()
    [[0.0, 1.0, 2.0, 3.0]]
    """
    return pictures.reshape(len(pictures), -1)


def gradient_histograms(pictures: Floats, cells: int = 2, bins: int = 8) -> Floats:
    """Orientations of the gradient, counted by strength in each of cells × cells blocks: (n, cells² · bins).

    After Dalal & Triggs, "Histograms of oriented gradients", CVPR 2005, without their overlapping blocks: gradients are
    central differences with the border repeated outwards; bins go round the whole circle, are centred on multiples of
    their width from "brightens to the right" on, and a strength between two centres is shared in proportion. Each
    picture's numbers sum to one; an even picture has zeros.

    >>> brightens_to_the_right = np.tile(np.arange(4.0), (1, 4, 1))
    >>> gradient_histograms(brightens_to_the_right, cells=1, bins=4).tolist()
    [[1.0, 0.0, 0.0, 0.0]]
    """
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    up = padded[:, :-2, 1:-1] - padded[:, 2:, 1:-1]
    strength = np.hypot(right, up)
    place = np.arctan2(up, right) * (bins / (2 * np.pi))
    counted = []
    for centre in range(bins):
        away = np.abs((place - centre + bins / 2) % bins - bins / 2)
        counted.append(blocks(strength * np.clip(1.0 - away, 0.0, None), cells).sum(-1))
    histograms = np.stack(counted, axis=-1).reshape(len(pictures), -1)
    total = histograms.sum(1, keepdims=True)
    return np.divide(histograms, total, out=np.zeros_like(histograms), where=total > 0)


def coarse_and_noisy(pictures: Floats, noise: float, generator: np.random.Generator, cells: int = 4) -> Floats:
    """Means of cells × cells blocks with noise N(0, noise²) on each: (n, cells²).

    The noise belongs to the view, not to a moment: draw it once for all pictures.

    >>> picture = np.arange(16.0).reshape(1, 4, 4)
    >>> coarse_and_noisy(picture, 0.0, np.random.default_rng(0), cells=2).tolist()  # without noise: means of blocks
    [[2.5, 4.5, 10.5, 12.5]]
    """
    means = blocks(pictures, cells).mean(-1).reshape(len(pictures), -1)
    return means + noise * generator.standard_normal(means.shape)
