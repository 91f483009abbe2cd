"""Labelled pictures as one file that many processes map into memory and share.

The file is one line of JSON, filled up with spaces, and then the arrays as raw bytes, each where the line says.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..whole_files import appearing
from .errors import DataError
from .labelled_pictures import LabelledPictures
from .pixels import ArrayPixels, FilePixels
from .remote_files import reading, writing

FORMAT = "tlbench pictures 1"
_KINDS = ("|u1", "<i8")  # of numbers, as numpy writes them; nothing else is mapped
_ALIGN = 64
_LONGEST_HEAD = 1 << 28  # bytes


def save_pictures(pictures: LabelledPictures, path: Path) -> None:
    """Write pictures as one file, at one stroke; of pictures that are decoded on demand, their paths.

    Raises DataError where the folder cannot be written, DataMissingError where the disk is full.
    """
    pixels = pictures.pixels
    arrays: dict[str, NDArray[Any]] = {"labels": pictures.labels.astype("<i8", copy=False)}
    if pictures.is_test is not None:
        arrays["is_test"] = pictures.is_test.astype(np.uint8)
    if isinstance(pixels, ArrayPixels):
        arrays["pixels"] = pixels.values
    elif isinstance(pixels, FilePixels):
        arrays |= {"names": pixels.names, "ends": pixels.ends.astype("<i8"), "sizes": pixels.sizes.astype("<i8")}
    head = {
        "format": FORMAT,
        "fingerprint": pictures.fingerprint,
        "digest": pixels.digest,
        "classes": pictures.classes,
        "kinds": pictures.kinds,
        "notices": pictures.notices,
        "files": {"root": str(pixels.root), "side": pixels.side} if isinstance(pixels, FilePixels) else None,
        "arrays": {name: [array.dtype.str, array.shape] for name, array in arrays.items()},
    }
    line = json.dumps(head).encode()
    with writing(path.parent, sum(array.nbytes for array in arrays.values())), appearing(path) as file:
        file.write(line.ljust(-(-(len(line) + 1) // _ALIGN) * _ALIGN - 1) + b"\n")
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)
            file.write(bytes(-array.nbytes % _ALIGN))


@dataclass(frozen=True)
class _Mapped:
    """The arrays of a file, each mapped read-only when asked for."""

    path: Path
    places: dict[str, tuple[np.dtype[Any], tuple[int, ...], int]]

    def get(self, name: str) -> NDArray[Any]:
        kind, shape, offset = self.places[name]
        if not int(np.prod(shape)):  # nothing cannot be mapped
            return np.zeros(shape, kind)
        return np.asarray(np.memmap(self.path, kind, "r", offset, shape))


def load_pictures(path: Path, verify: bool = False) -> LabelledPictures:
    """Open what ``save_pictures`` wrote, its pixels mapped read-only and known by the digest in the file.

    verify: read the pixels as well, and know them by what they are.
    Raises DataError where the file cannot be read, is none of ours, or is not as it was written: everything is compared
    with the fingerprint, the pixels themselves only if they are verified.
    """
    with reading(path), path.open("rb") as file:
        line = file.readline(_LONGEST_HEAD)
        held = file.seek(0, os.SEEK_END)
    try:
        head = json.loads(line)
        if head["format"] != FORMAT:
            raise ValueError("another format")
        mapped, needed = _places(path, head["arrays"], len(line))
        if held != needed:
            raise ValueError("another length")
        with reading(path):
            pictures = _assemble(head, mapped, verify)
        if pictures.fingerprint != head["fingerprint"]:
            raise ValueError("another content")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a file of pictures as it was written ({error}); remove it") from None
    return pictures


def _places(path: Path, arrays: dict[str, Any], start: int) -> tuple[_Mapped, int]:
    """Where each array lies, and how many bytes the file has to have."""
    places = {}
    for name, (kind, shape) in arrays.items():
        if kind not in _KINDS or not all(isinstance(length, int) and length >= 0 for length in shape):
            raise ValueError("another kind of array")
        places[name] = (np.dtype(kind), tuple(shape), start)
        size = np.dtype(kind).itemsize * int(np.prod(shape))
        start += size + -size % _ALIGN
    return _Mapped(path, places), start


def _assemble(head: dict[str, Any], mapped: _Mapped, verify: bool) -> LabelledPictures:
    pixels: ArrayPixels | FilePixels
    if (files := head["files"]) is None:
        pixels = ArrayPixels(mapped.get("pixels"), None if verify else head["digest"])
    else:
        names, ends, sizes = (mapped.get(name) for name in ("names", "ends", "sizes"))
        pixels = FilePixels(Path(files["root"]), names, ends, sizes, int(files["side"]))
    return LabelledPictures(
        pixels,
        np.array(mapped.get("labels"), dtype=np.int64),
        tuple(head["classes"]),
        np.array(mapped.get("is_test"), dtype=bool) if "is_test" in mapped.places else None,
        None if head["kinds"] is None else tuple(head["kinds"]),
        tuple(head["notices"]),
    )
