"""A picture file as a square of bytes, the way a person sees the picture.

A picture of the wanted size is taken as it is. Of any other the middle square is scaled to it: by whole factors as the
mean of the pixels (so 64 × 64 becomes 32 × 32 by means of four), otherwise bilinearly with antialiasing; small ones
are enlarged. The camera's note on which side is up is followed, what is transparent lies on white, of an animation the
first frame counts, and grey of more than 8 bits is scaled by its range. Colour profiles are ignored.

Only the formats below are opened: of the others that Pillow knows, some run other programs, and some are not pictures.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

VERSION = 1  # of what this file makes of a picture
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
MOST_PIXELS = 100_000_000  # that a file may claim to hold before it is decoded
_WIDE_WHITE = 65_535  # of grey in 16 bits


class UndecodableError(Exception):
    """The bytes are no picture that can be used; the message continues the file's name to a sentence."""


class Square(NamedTuple):
    """A decoded picture: uint8 (side, side, 1 for grey or 3 for colour), and whether its file had that size."""

    pixels: NDArray[np.uint8]
    exact: bool


@contextmanager
def no_remarks() -> Iterator[None]:
    """Silence Pillow's remarks on size, EXIF and palettes; not to be entered by several threads at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode_square(data: bytes, side: int) -> Square:
    """Decode a picture file's bytes to a square of `side` pixels.

    Raises UndecodableError for what is no picture, is cut off or damaged, or claims too many pixels.
    """
    with _decoding(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise UndecodableError(f"claims to hold {width:,} × {height:,} pixels, and {MOST_PIXELS:,} are the most")
        if min(width, height) >= 4 * side:
            image.draft(None, (2 * side, 2 * side))  # the decoder's own coarse scaling, smoothed over below
        image.load()
        with contextlib.suppress(Exception):  # a damaged note on orientation leaves the picture as it is
            ImageOps.exif_transpose(image, in_place=True)
        pixels = np.asarray(_fitted(_plain(image), side))
    return Square(pixels.reshape(side, side, -1), (width, height) == (side, side))


def measure(path: Path) -> tuple[int, int]:
    """Width and height as the head of a file tells them; no more is read. Raises UndecodableError where it does not."""
    with _decoding(), Image.open(path, formats=FORMATS) as image:
        return image.size


@contextmanager
def _decoding() -> Iterator[None]:
    """Say what is wrong with the bytes, whatever a decoder makes of them."""
    try:
        yield
    except UndecodableError:
        raise
    except UnidentifiedImageError:
        raise UndecodableError(f"is not a picture that can be read ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        raise UndecodableError("claims to hold far more pixels than can be decoded") from None
    except MemoryError:
        raise UndecodableError("needs more memory than there is") from None
    except Exception as error:
        raise UndecodableError(f"cannot be decoded ({error or type(error).__name__})") from None


def _plain(image: Image.Image) -> Image.Image:
    """The picture in mode L or RGB."""
    if image.mode in ("L", "RGB") and not image.has_transparency_data:
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_narrowed(np.asarray(image)))
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
        image = paper
    return image.convert("L" if grey else "RGB")


def _narrowed(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of more than 8 bits in 8: as 16-bit numbers, or as 0…1 of floats; stretched where that does not fit."""
    wide = values.astype(np.float64)
    least, largest = float(wide.min()), float(wide.max())
    if not (np.isfinite(least) and np.isfinite(largest)):
        raise UndecodableError("holds numbers that are not finite")
    white = 1.0 if values.dtype.kind == "f" else float(_WIDE_WHITE)
    if least < 0 or largest > white:
        wide, white = wide - least, max(largest - least, np.finfo(np.float64).tiny)
    return np.rint(wide * (255 / white)).astype(np.uint8)


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """The middle square at the wanted size."""
    width, height = image.size
    short = min(width, height)
    if width != height:
        left, top = (width - short) // 2, (height - short) // 2
        image = image.crop((left, top, left + short, top + short))
    if short == side:
        return image
    if short % side == 0:
        return image.reduce(short // side)
    return image.resize((side, side), Image.Resampling.BILINEAR)
