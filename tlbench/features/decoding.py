"""A picture file as numbers, the way a person sees the picture.

The camera's note on which side is up is followed; what is transparent lies on white; of an animation the first frame
counts; 16-bit grey is scaled by its range instead of cut off. Embedded colour profiles are ignored: all colours are
taken for sRGB, and CMYK is converted by the plain formula. Grey is 0.299 R + 0.587 G + 0.114 B; of a JPEG it is the
file's own luminance, which is the same weighting and saves decoding the colours.

Numbers without a declared range (32-bit integer and float TIFF) are taken as they are where they fit 0…65535 and 0…1,
and are otherwise stretched from their least to their largest.

Only the formats below are opened: of the others that Pillow knows, some run other programs, some are not pictures, and
JPEG 2000 gives a cut-off file without a word.
"""

from __future__ import annotations

import codecs
import contextlib
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PictureError

Floats = NDArray[np.float32]

VERSION = 1  # of what this file makes of a picture; part of every kept feature's key
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
MOST_PIXELS = 100_000_000
_DRAFTS = {("L",): "L", ("RGB",): None, ("L", "RGB"): "YCbCr"}  # what a JPEG in colours is decoded to for these modes
_DRAFTED = ("JPEG", "MPO")
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF 6.0, section 8 and 19
_WHITE_IS_ZERO, _UNSIGNED = 0, 1


def read_grey(path: Path, at_most: int | None = None, most_pixels: int = MOST_PIXELS) -> Floats:
    """The picture in grey: (h, w), 0 is black and 1 white.

    at_most: longest side in pixels; a larger picture is scaled down with antialiasing, a smaller one left as it is.
    most_pixels: what the file may claim to hold before it is decoded.
    Raises PictureError where the file cannot be read, is no picture, is damaged or claims too many pixels.
    """
    (values,) = _read(path, ("L",), at_most, most_pixels)
    return values


def read_rgb(path: Path, at_most: int | None = None, most_pixels: int = MOST_PIXELS) -> Floats:
    """The picture in colour: (h, w, 3), red, green and blue in [0, 1]; otherwise like ``read_grey``."""
    (values,) = _read(path, ("RGB",), at_most, most_pixels)
    return _coloured(values)


def read_both(path: Path, at_most: int | None = None, most_pixels: int = MOST_PIXELS) -> tuple[Floats, Floats]:
    """The picture in grey and in colour, decoded once: just what ``read_grey`` gives, and (h, w, 3) of the same size.

    A JPEG is decoded to the luminance and chroma that it stores; its colours made of these differ from those of
    ``read_rgb`` by a step of 8 bits at most. The rare JPEG that stores red, green and blue has to be decoded twice.
    """
    try:
        grey, colours = _read(path, ("L", "RGB"), at_most, most_pixels)
    except PictureError:  # also of a file that is damaged, which is then told by the next line
        return read_grey(path, at_most, most_pixels), read_rgb(path, at_most, most_pixels)
    return grey, _coloured(colours)


def _coloured(values: Floats) -> Floats:
    return values if values.ndim == 3 else np.repeat(values[:, :, None], 3, axis=2)


def _read(path: Path, modes: tuple[str, ...], at_most: int | None, most_pixels: int) -> tuple[Floats, ...]:
    """The picture in each mode: (h, w) for L, or of one with more than 8 bits of grey; (h, w, 3) for RGB."""
    try:
        if path.exists() and not path.is_file():  # a named pipe would be waited for
            raise PictureError(path, "is not a file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on size, EXIF and palettes; we judge for ourselves
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                if width * height > most_pixels:
                    raise _too_large(path, f"claims to hold {width:,} × {height:,} pixels", most_pixels)
                if at_most is not None or "L" in modes:
                    # Twice the size wanted: what the decoder's own coarse scaling does is then smoothed over.
                    image.draft(_DRAFTS[modes], _fitted(image.size, at_most and 2 * at_most))
                drafted = image.size
                image.load()
                with contextlib.suppress(Exception):  # a damaged note on orientation leaves the picture as it is
                    ImageOps.exif_transpose(image, in_place=True)
                turned = image.size != drafted
                size = _fitted((height, width) if turned else (width, height), at_most)
                return tuple(_values(_as_seen(image, mode), size) for mode in modes)
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(path, "claims to hold far more pixels than can be decoded", most_pixels) from None
    except UnidentifiedImageError:
        raise PictureError(path, _what_else(path)) from None
    except MemoryError:
        raise PictureError(path, "needs more memory than there is") from None
    except Exception as error:  # whatever a decoder makes of damaged bytes
        if isinstance(error, OSError) and error.strerror:
            raise PictureError(path, f"cannot be opened ({error.strerror})") from None
        raise PictureError(path, f"cannot be decoded ({error or type(error).__name__})") from None


def _values(image: Image.Image, size: tuple[int, int]) -> Floats:
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    values = np.asarray(image, dtype=np.float32)
    return values if image.mode == "F" else values / np.float32(255)


def _fitted(size: tuple[int, int], at_most: int | None) -> tuple[int, int]:
    """The size with its longest side at most so long, in the same proportions."""
    longest = max(size)
    if at_most is None or longest <= at_most:
        return size
    width, height = (max(1, round(side * at_most / longest)) for side in size)
    return width, height


def _as_seen(image: Image.Image, mode: str) -> Image.Image:
    """The picture in mode L or RGB, or in mode F with values in [0, 1] where 8 bits cannot hold it."""
    if image.mode == "YCbCr" and mode == "L" and image.format in _DRAFTED:
        return image.getchannel("Y")
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(image))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image.convert("RGBA"))
        image = paper
    if image.mode in ("CMYK", "P", "PA", "YCbCr", "HSV"):
        image = image.convert("RGB")  # not each of these has a way to grey of its own
    return image if image.mode == mode else image.convert(mode)


def _scaled(image: Image.Image) -> Floats:
    """Grey of more than 8 bits in [0, 1]: (h, w). Raises ValueError where it is not finite."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        bits = tags.get(_BITS, (16,))[0]  # TIFF also has 12
        grey = values.astype(np.float32) / np.float32(2**bits - 1)
    else:
        if image.mode == "I" and tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)) == (_UNSIGNED,):
            values = values.view(np.uint32)  # Pillow reads them as signed
        grey = _stretched(values, 65535.0 if image.mode == "I" else 1.0)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = np.float32(1) - grey
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 1.0
    return grey


def _stretched(values: NDArray[np.generic], white: float) -> Floats:
    wide = values.astype(np.float64)
    least, largest = float(wide.min()), float(wide.max())
    if not (np.isfinite(least) and np.isfinite(largest)):
        raise ValueError("holds numbers that are not finite")
    if least < 0 or largest > white:
        wide = (wide / 2 - least / 2) / (max(largest / 2 - least / 2, np.finfo(float).tiny))
    else:
        wide /= white
    return wide.astype(np.float32)


def _too_large(path: Path, claim: str, most_pixels: int) -> PictureError:
    return PictureError(path, f"{claim}; at most {most_pixels / 1e6:g} million are decoded")


def _what_else(path: Path) -> str:
    """What a file is that is no picture, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "is empty"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "is an HTML page, not a picture"
    with contextlib.suppress(UnicodeDecodeError):
        codecs.getincrementaldecoder("utf-8")().decode(head)  # may end within a character
        if not any(byte < 9 or 13 < byte < 32 for byte in head):
            return "is text, not a picture"
    return f"is not a picture in a format that is read ({', '.join(FORMATS)}), or its first bytes are damaged"
