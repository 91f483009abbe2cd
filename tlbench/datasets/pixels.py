"""The pixels of many pictures of one size: in memory or in a mapped file, or decoded from big files when asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .picture_decoding import UndecodableError, decode_square, no_remarks
from .remote_files import reading

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Rows = NDArray[np.intp]
Shape = tuple[int, int, int, int]

_AT_ONCE = 1 << 24  # bytes hashed at once


class Pixels(Protocol):
    """Many pictures of one size."""

    @property
    def shape(self) -> Shape:
        """(N, height, width, channels)."""

    @property
    def digest(self) -> str:
        """A sha256 of what can change a result."""

    def take(self, rows: Rows) -> Bytes:
        """The pictures of some rows: uint8 (n, height, width, channels)."""

    def only(self, rows: Rows) -> Pixels:
        """Those rows as pixels of their own."""


class ArrayPixels:
    """Pixels that lie in an array or a memory map: uint8 (N, height, width, channels).

    A digest that is handed over, of a file for instance, is believed; otherwise it is computed at the first question.
    """

    def __init__(self, values: Bytes, digest: str | None = None) -> None:
        if values.ndim != 4 or values.dtype != np.uint8 or values.shape[3] not in (1, 3):
            raise ValueError(f"pixels are uint8 (N, height, width, 1 or 3), not {values.dtype} {values.shape}")
        self.values = values
        self._digest = digest

    @property
    def shape(self) -> Shape:
        """(N, height, width, channels)."""
        count, height, width, channels = self.values.shape
        return count, height, width, channels

    @property
    def digest(self) -> str:
        """A sha256 of the shape and all the pixels."""
        if self._digest is None:
            digest = hashlib.sha256(f"array {self.shape}".encode())
            step = max(1, _AT_ONCE // max(1, self.values[:1].nbytes))
            for start in range(0, len(self.values), step):
                digest.update(np.ascontiguousarray(self.values[start : start + step]).data)
            self._digest = digest.hexdigest()
        return self._digest

    def take(self, rows: Rows) -> Bytes:
        """The pictures of some rows, as a new array: uint8 (n, height, width, channels)."""
        return np.asarray(self.values[rows])

    def only(self, rows: Rows) -> ArrayPixels:
        """Those rows as pixels of their own."""
        return ArrayPixels(self.take(rows))


@dataclass(frozen=True, eq=False)
class FilePixels:
    """Pixels of colour pictures that are decoded each time they are taken, for those that do not fit into memory.

    root: the folder below which they lie. names: their relative paths, one after the other as UTF-8 bytes; ends: int64
    (N,), where each one ends; sizes: int64 (N,), bytes of each file. As arrays they can be mapped from a file, and a
    million names cost nothing. side: height and width in pixels.
    """

    root: Path
    names: Bytes
    ends: Integers
    sizes: Integers
    side: int

    @classmethod
    def of(cls, root: Path, paths: Sequence[str], sizes: Sequence[int] | Integers, side: int) -> FilePixels:
        """Of relative paths with forward slashes."""
        words = [os.fsencode(path) for path in paths]
        ends = np.cumsum([len(word) for word in words], dtype=np.int64)
        return cls(root, np.frombuffer(b"".join(words), np.uint8), ends, np.asarray(sizes, np.int64), side)

    @property
    def shape(self) -> Shape:
        """(N, side, side, 3)."""
        return len(self.ends), self.side, self.side, 3

    @cached_property
    def digest(self) -> str:
        """A sha256 of the side, the relative paths and the files' sizes; the files themselves are not read."""
        digest = hashlib.sha256(f"files {self.shape}".encode())
        for part in (self.names, self.ends.astype("<i8"), self.sizes.astype("<i8")):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def path(self, row: int) -> Path:
        """The file of one row."""
        return self.root / os.fsdecode(self._name(row))

    def take(self, rows: Rows) -> Bytes:
        """Decode the pictures of some rows: uint8 (n, side, side, 3), grey ones as colour.

        Raises DataError for a file that cannot be read or decoded, naming it.
        """
        taken = np.empty((len(rows), *self.shape[1:]), np.uint8)
        with no_remarks():
            for place, row in enumerate(rows):
                path = self.path(int(row))
                with reading(path):
                    data = path.read_bytes()
                try:
                    taken[place] = decode_square(data, self.side).pixels
                except UndecodableError as error:
                    raise DataError(f"{path} {error}; get it again or remove it") from None
        return taken

    def only(self, rows: Rows) -> FilePixels:
        """Those rows as pixels of their own."""
        words = [self._name(int(row)) for row in rows]
        ends = np.cumsum([len(word) for word in words], dtype=np.int64)
        return FilePixels(self.root, np.frombuffer(b"".join(words), np.uint8), ends, self.sizes[rows], self.side)

    def _name(self, row: int) -> bytes:
        return self.names[self.ends[row - 1] if row else 0 : self.ends[row]].tobytes()
