"""Pyramid histograms of edge orientations.

After Bosch, Zisserman & Munoz, "Representing shape with a spatial pyramid kernel", CIVR 2007: orientations of edges,
weighted by their strength, are counted in the cells of a pyramid whose level l has 2^l × 2^l cells. Differences:

- The paper counts only pixels on Canny's contours; here every pixel counts by the strength of its gradient. That needs
  no thresholds and no further library, and lets texture speak beside contours.
- Gradients are central differences instead of Sobel's. The border pixels are repeated outwards.
- Bins are centred on multiples of their width, so that upright and level edges, the commonest, fall into the middle of
  one bin; a weight between two centres is shared between them in proportion.
- An even picture, which has no orientations, gives zeros.

As in the paper the whole vector sums to 1. Every level counts all pixels, so each level sums to the same, 1/levels:
normalising level by level would be the same vector up to that factor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def phog(grey: Floats, bins: int, degrees: int, finest: int) -> Floats:
    """The histogram of a grey picture (h, w): levels 0 … finest, cells row by row, bins: (Σ 4^l · bins,), sum 1 or 0.

    degrees: 360 tells a bright-to-dark edge from a dark-to-bright one, 180 does not. An angle is that of the direction
    in which the picture brightens, counter-clockwise from the right.
    """
    rows, columns = grey.shape
    padded = np.pad(grey, 1, mode="edge")
    right = padded[1:-1, 2:] - padded[1:-1, :-2]
    up = padded[:-2, 1:-1] - padded[2:, 1:-1]
    strength = np.sqrt(right * right + up * up)
    # Slots of the bins' width all around, from -180° (slot 0) to 180°, which is the same direction, and one beyond.
    around = bins * 360 // degrees
    place = np.arctan2(up, right) * np.float32(around / (2 * np.pi)) + np.float32(around / 2)
    slot = place.astype(np.intp)
    for_next = strength * (place - slot).astype(np.float32)
    cells = 2**finest
    # A row's cell is ⌊row · 2^l / rows⌋ on level l, so every cell is exactly its four children.
    cell = (np.arange(rows) * cells // rows)[:, None] * cells + np.arange(columns) * cells // columns
    index = (cell * (around + 2) + slot).ravel()
    size = cells * cells * (around + 2)
    counts = np.bincount(index, (strength - for_next).ravel(), size)
    counts[1:] += np.bincount(index, for_next.ravel(), size)[:-1]
    counts = counts.reshape(cells, cells, around + 2)
    counts[:, :, :2] += counts[:, :, around:]
    turned = np.roll(counts[:, :, :around], -(around // 2), axis=2)  # from 0° on
    levels = [turned.reshape(cells, cells, around // bins, bins).sum(axis=2)]
    while len(levels) <= finest:
        side = len(levels[-1]) // 2
        levels.append(levels[-1].reshape(side, 2, side, 2, bins).sum(axis=(1, 3)))
    vector = np.concatenate([level.ravel() for level in reversed(levels)])
    total = vector.sum()
    return (vector / total if total > 0 else vector).astype(np.float32)
