"""The picture itself, small: grey values of the whole picture squeezed to a square.

The values stay as they are, in [0, 1]: neither centred nor scaled. A kernel on distances does not see a common mean
anyway, and dividing by a norm would blow up the noise of almost even pictures. Whoever wants it can do it to the
vectors; the reverse cannot be done.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def pixels(grey: Floats, side: int) -> Floats:
    """Mean grey of each cell of a side × side grid over the picture (h, w), row by row: (side²,) in [0, 1].

    The proportions of the picture are lost on purpose: all of it is seen, none of it is padding. Where the picture is
    smaller than the grid, cells repeat the nearest pixel.
    """
    small = Image.fromarray(grey).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).reshape(-1)
