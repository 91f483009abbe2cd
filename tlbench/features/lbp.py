"""Local binary patterns: which of a pixel's eight neighbours are at least as bright as itself.

After Ojala, Pietikäinen & Mäenpää, "Multiresolution gray-scale and rotation invariant texture classification with local
binary patterns", PAMI 2002, section 2.2: eight neighbours on a circle of radius 1, those between pixels interpolated,
and patterns that are turns of one another counted as one, which leaves 36 (in scikit-image: method "ror").

Features of this kind that were released for Caltech-256 have 37 numbers: one, and then these 36 by their codes, as
their averages over pictures show. What the first counts is not said. Here it counts even neighbourhoods, where all nine
pixels are equal; otherwise they would pass for pixels that are darker than all around them, which look different.

Pixels are compared by their differences, so that equal ones stay equal when interpolated, and what is darker by less
than rounding can make is not darker. Border pixels are repeated outwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# (row, column) counter-clockwise from the right, as the bits of a pattern
_CIRCLE = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
_DIAGONAL = np.float32(np.sqrt(0.5))  # how far right and up the neighbours between pixels are
_ROUNDING = np.float32(1e-6)  # steps of 16 bits are fifteen times as large


def _least_turns() -> list[int]:
    """For each pattern of 8 bits the least number that turning it gives."""
    return [min((pattern >> turn | pattern << (8 - turn)) & 255 for turn in range(8)) for pattern in range(256)]


_LEAST = np.unique(_least_turns())
_BIN = np.searchsorted(_LEAST, _least_turns()) + 1  # 0 is for even neighbourhoods
BINS = 1 + len(_LEAST)


def lbp(grey: Floats) -> Floats:
    """Shares of a picture's pixels (h, w): even ones, then the 36 patterns by their least code: (37,), sum 1."""
    rows, columns = grey.shape
    padded = np.pad(grey, 1, mode="edge")
    steps = [padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns] - grey for down, right in _CIRCLE]
    pattern = np.zeros(grey.shape, dtype=np.uint8)
    is_even = np.ones(grey.shape, dtype=bool)
    for bit, step in enumerate(steps):
        is_even &= step == 0
        if bit % 2:
            beside = steps[bit - 1] + steps[(bit + 1) % 8]
            step = _DIAGONAL * ((1 - _DIAGONAL) * beside + _DIAGONAL * step)
        pattern |= (step >= -_ROUNDING).view(np.uint8) << np.uint8(bit)
    counts = np.bincount(np.where(is_even, 0, _BIN[pattern]).ravel(), minlength=BINS)
    return (counts / grey.size).astype(np.float32)
