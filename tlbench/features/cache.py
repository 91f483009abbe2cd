"""Vectors kept on disk, one SQLite file for each key of a kind.

What is kept can be had again from the pictures, so nothing here is precious and nothing is trusted: every row carries a
checksum over its identity and its numbers, a row that does not match counts as missing, and a file that SQLite cannot
read is set aside and begun anew. A process may be killed at any moment; SQLite's rollback journal takes back what it
had not finished. Nobody waits for the disk, so a power cut may damage the file, which is then found, as above.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from .errors import FeaturesError
from .kinds import Kept, Vector

Result = TypeVar("Result")

PATIENCE = 60.0  # seconds to wait for another process that writes
_DAMAGED = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}  # the first: tables of another shape
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (identity TEXT PRIMARY KEY, checksum INTEGER, vector BLOB)"
_FIND = (
    "SELECT key, checksum, vector FROM json_each(?) CROSS JOIN vectors ON identity = value"  # key: place in the list
)


class FeatureCache:
    """The kept vectors of one kind. Any number of processes may read and write it at once.

    Every method raises FeaturesError where the folder cannot be used or the disk is full.
    """

    def __init__(self, folder: Path, kind: Kept) -> None:
        readable = re.sub(r"[^\w.-]", "-", kind.name)[-80:]  # a network's own weights have a path in their name
        self.path = folder / f"{readable}-{kind.key[:16]}.sqlite"
        self._dtype = np.dtype(kind.dtype)
        self._bytes = kind.dimension * self._dtype.itemsize

    def get(self, identities: Sequence[str]) -> dict[str, Vector]:
        """The vectors that are here and sound, by identity: (dimension,) each."""

        def read(connection: sqlite3.Connection) -> dict[str, Vector]:
            found = {}
            for place, checksum, blob in connection.execute(_FIND, (json.dumps(list(identities)),)):
                if self._is_sound(identities[place], checksum, blob):
                    native = self._dtype.newbyteorder("=")
                    found[identities[place]] = np.frombuffer(blob, dtype=self._dtype).astype(native, copy=False)
            return found

        return self._do(read)

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Keep vectors by identity, all or none of them, in place of what was there."""
        if not vectors:
            return
        rows = []
        for identity, vector in vectors.items():
            blob = np.ascontiguousarray(vector, dtype=self._dtype).tobytes()
            if len(blob) != self._bytes:
                size = self._dtype.itemsize
                raise ValueError(f"a vector of {len(blob) // size} numbers in place of {self._bytes // size}")
            rows.append((identity, _checksum(identity, blob), blob))

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")

        self._do(write)

    def _is_sound(self, identity: str, checksum: object, blob: object) -> bool:
        return isinstance(blob, bytes) and len(blob) == self._bytes and checksum == _checksum(identity, blob)

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Work on the open file; where it is damaged, set it aside and work on a new one.

        A connection lives for one piece of work under a shared lock, and a file is moved away under an exclusive one:
        SQLite finds its journal by name, so a file must never be moved from under an open connection.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked(fcntl.LOCK_SH), contextlib.suppress(_DamagedError):
                return self._try(work)
            with self._locked(fcntl.LOCK_EX):
                with contextlib.suppress(_DamagedError):  # another process may have set it aside meanwhile
                    return self._try(work)
                self._set_aside()
                return self._try(work)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except sqlite3.Error as error:
            raise self._unusable(str(error)) from None

    def _try(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            with contextlib.closing(sqlite3.connect(self.path, PATIENCE, isolation_level=None)) as connection:
                connection.execute(
                    "PRAGMA synchronous = OFF"
                )  # waiting for the disk would halve the speed of two processes
                connection.execute(_TABLE)
                return work(connection)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise _DamagedError(str(error)) from None
            raise

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("ab") as file:
            fcntl.flock(file, how)
            yield

    def _set_aside(self) -> None:
        free = (self.path.with_name(f"{self.path.name}.damaged-{number}") for number in itertools.count(1))
        aside = next(path for path in free if not path.exists())
        journal = self.path.with_name(f"{self.path.name}-journal")
        if journal.exists():
            journal.rename(f"{aside}-journal")
        self.path.rename(aside)

    def _unusable(self, reason: str) -> FeaturesError:
        return FeaturesError(f"features cannot be kept in {self.path.parent} ({reason})")


class _DamagedError(sqlite3.Error):
    """SQLite cannot make sense of the file."""


def _checksum(identity: str, blob: bytes) -> int:
    return zlib.crc32(blob, zlib.crc32(identity.encode()))
