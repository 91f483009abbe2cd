"""Dense SIFT: descriptors of overlapping patches on a grid over a grey picture.

The descriptor is that of Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, section 6: edges
by 8 orientations in 4 × 4 cells, each pixel shared between neighbouring cells and orientations, normalised, clipped at
0.2 and normalised again, without turning the patch. The grid is that of Bosch, Zisserman & Munoz, "Image classification
using random forests and ferns", ICCV 2007: every ten pixels four patches, of radius 4, 8, 12 and 16. (The histograms
that were released for Caltech-256 count a multiple of four descriptors in every picture.) Differences:

- Gradients are those of ``phog``: the picture is not smoothed first, by how much depending on the patch.
- The Gaussian that lets the middle of a patch count more is constant within a cell, as in fast implementations.
- Almost even patches, whose direction is noise, have no descriptor: counted too, they cost accuracy (docs/pictures.md).

Numbers are rounded to bytes, 512 for a length of 1, as Lowe's program does it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

VERSION = 1  # of what this file makes of a picture
ORIENTATIONS = 8
CELLS = 4  # in each direction
LENGTH = CELLS * CELLS * ORIENTATIONS
SPACING = 10
RADII = (4, 8, 12, 16)
CLIP = 0.2
UNIT = 512
EVEN = 0.05  # length before it is normalised, below which there is none; a black and white edge makes 0.3 to 1.3


def dense_sift(grey: Floats) -> Bytes:
    """The descriptors of a picture (h, w): (n, 128), by radius, then row by row; none of a picture without edges.

    Numbers of a descriptor: rows of cells from the top, cells from the left, orientations counter-clockwise from the
    right.
    """
    maps = _orientation_maps(grey)
    raw = np.concatenate([_patches(maps, radius) for radius in RADII])
    length = np.sqrt(np.einsum("ij,ij->i", raw, raw))
    has_edges = length > EVEN
    raw = raw[has_edges] / length[has_edges, None]
    np.minimum(raw, np.float32(CLIP), out=raw)
    raw *= np.float32(UNIT) / np.sqrt(np.einsum("ij,ij->i", raw, raw))[:, None]
    return np.minimum(np.rint(raw), 255).astype(np.uint8)


def spread_sample(descriptors: Bytes, count: int) -> Bytes:
    """``count`` of the descriptors, evenly over places and radii: (count, 128); zeros follow where there are fewer."""
    sample = np.zeros((count, LENGTH), dtype=np.uint8)
    chosen = descriptors
    if len(descriptors) > count:
        chosen = descriptors[np.arange(count) * len(descriptors) // count]
    sample[: len(chosen)] = chosen
    return sample


def _orientation_maps(grey: Floats) -> Floats:
    """The strength of a picture's edges, shared between the two nearest orientations: (8, h, w)."""
    padded = np.pad(grey, 1, mode="edge")
    right = padded[1:-1, 2:] - padded[1:-1, :-2]
    up = padded[:-2, 1:-1] - padded[2:, 1:-1]
    strength = np.sqrt(right * right + up * up)
    # Orientations all around, from -180° (slot 0) to 180°, which is the same direction, and one beyond.
    place = np.arctan2(up, right) * np.float32(ORIENTATIONS / (2 * np.pi)) + np.float32(ORIENTATIONS / 2)
    slot = place.astype(np.intp)
    for_next = strength * (place - slot).astype(np.float32)
    maps = np.zeros((ORIENTATIONS + 2, *grey.shape), dtype=np.float32)
    np.put_along_axis(maps, slot[None], (strength - for_next)[None], axis=0)
    np.put_along_axis(maps, slot[None] + 1, for_next[None], axis=0)
    maps[:2] += maps[ORIENTATIONS:]
    return np.roll(maps[:ORIENTATIONS], -(ORIENTATIONS // 2), axis=0)  # from 0° on


def _patches(maps: Floats, radius: int) -> Floats:
    """The weighted strength of edges in the cells of every patch of a radius: (n, 128)."""
    _, rows, columns = maps.shape
    down, across = _cells(rows, radius), _cells(columns, radius)
    halfway = down @ maps.transpose(1, 0, 2).reshape(rows, -1)  # (cells down, orientations · columns)
    turned = halfway.reshape(-1, ORIENTATIONS, columns).transpose(2, 0, 1).reshape(columns, -1)
    cells = (across @ turned).reshape(-1, CELLS, down.shape[0] // CELLS, CELLS, ORIENTATIONS)
    return cells.transpose(2, 0, 3, 1, 4).reshape(-1, LENGTH)


@lru_cache(maxsize=1024)
def _cells(length: int, radius: int) -> sparse.csr_matrix:
    """How much each pixel of a row counts for the four cells of each patch along it: (4 · patches, length).

    The weight falls from the middle of a cell to nothing at the middles of its neighbours, which shares a pixel between
    them. Patches stand in the middle of the row; what reaches beyond it sees nothing.
    """
    from scipy import sparse  # takes longer to load than all else here, and is needed for this alone

    size = 2 * radius / CELLS
    count = (length - 1) // SPACING + 1
    first = ((length - 1) - (count - 1) * SPACING) / 2
    offsets = np.arange(CELLS) - (CELLS - 1) / 2
    middles = first + SPACING * np.arange(count)[:, None] + size * offsets
    distances = np.abs(np.arange(length) - middles[:, :, None]) / size
    towards_middle = np.exp(-(offsets**2) / (2 * (CELLS / 2) ** 2))
    weights = np.maximum(1 - distances, 0) / size * towards_middle[:, None]
    return sparse.csr_matrix(weights.reshape(-1, length).astype(np.float32))
