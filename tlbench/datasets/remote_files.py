"""The files a data set is made of: what each is, where it lies, whether it is intact, how it is read and written."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal

import platformdirs

from .errors import DataError, DataMissingError

PIECE = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set: where it lies, where it comes from, how it is known to be right.

    With neither checksum published, the file is trusted at its first use, and its SHA-256 is recorded beside it
    as ``<name>.sha256``; from then on that record decides.
    """

    path: str  # below the data folder, with forward slashes
    urls: tuple[str, ...]  # tried in order
    size: int  # bytes; 0 if not known
    sha256: str | None  # or its first digits, where no more are published; None: not published
    md5: str | None = None  # counts only where there is no SHA-256

    def __post_init__(self) -> None:
        """Refuse a path that would lie outside the data folder."""
        path = PurePosixPath(self.path)
        if path.is_absolute() or not path.name or ".." in path.parts:
            raise ValueError(f"{self.path!r} is not a path below the data folder")

    @property
    def published(self) -> tuple[str, str | None]:
        """The algorithm and the published checksum, if there is one."""
        return ("md5", self.md5) if self.md5 and not self.sha256 else ("sha256", self.sha256)


def data_folder(given: Path | None) -> Path:
    """Return the data folder: the one given, else ``$TLBENCH_DATA_DIR``, else one in the user's cache.

    It is not created.
    """
    if given is not None:
        return given
    if named := os.environ.get("TLBENCH_DATA_DIR"):
        return Path(named).expanduser()
    return platformdirs.user_cache_path("tlbench") / "data"


def state(file: RemoteFile, folder: Path) -> Literal["present", "missing", "damaged"]:
    """Tell whether the file lies in the folder and is intact, by reading it once; nothing is written.

    "damaged" is a file whose checksum is not the published one (or, where none is published, not the one recorded
    at first use), and a folder in the file's place. With neither a published nor a recorded checksum, a file that
    exists is "present". Raises DataError where the file cannot be read.
    """
    target = folder / file.path
    with reading(target):
        if not target.is_file():
            return "damaged" if target.exists() else "missing"
        algorithm, wanted = deciding_checksum(file, target)
        return "present" if hash_file(target, algorithm)[0].hexdigest().startswith(wanted or "") else "damaged"


def deciding_checksum(file: RemoteFile, target: Path) -> tuple[str, str | None]:
    """Return the algorithm and the checksum that decide: the published one, else the recorded one, else none."""
    algorithm, published = file.published
    if published:
        return algorithm, published.lower()
    try:
        recorded = re.match(r"[0-9a-f]{64}\b", record_of(target).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "sha256", None
    return "sha256", recorded[0] if recorded else None


def record_of(target: Path) -> Path:
    """Return where the checksum of a first use is recorded."""
    return beside(target, ".sha256")


def record_checksum(target: Path, digest: str) -> None:
    """Record the SHA-256 of a first use, in the form that ``sha256sum -c`` reads."""
    record_of(target).write_text(f"{digest}  {target.name}\n", encoding="utf-8")


def new_hash(algorithm: str) -> hashlib._Hash:
    """Return an empty hash, to recognise a file by and not to keep a secret."""
    return hashlib.new(algorithm, usedforsecurity=False)


def hash_file(path: Path, algorithm: str) -> tuple[hashlib._Hash, int]:
    """Return the hash of what the file holds, which more can be added to, and how many bytes it holds."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: new_hash(algorithm)), handle.tell()


def beside(target: Path, suffix: str) -> Path:
    """Return the place of something that belongs to the file and lies next to it."""
    return target.with_name(target.name + suffix)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file that cannot be read."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror or error})") from error


@contextmanager
def writing(folder: Path, need: int = 0) -> Iterator[None]:
    """Tell a full disk from a folder that cannot be written; `need` is how many bytes more it would take, if known."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            much = f"{max(need, 1e5) / 1e6:.1f} MB more are" if need > 0 else "more space is"
            raise DataMissingError(f"the disk is full: {much} needed in {folder.absolute()}") from error
        raise DataError(
            f"cannot write in the data folder {folder.absolute()} ({error.strerror or error}); "
            "make it writable or choose another"
        ) from error


@contextmanager
def create(path: Path, mode: Literal["ab", "wb"], need: int = 0) -> Iterator[IO[bytes]]:
    """Open a file to write; a full disk shows at each write, not only at the close."""
    with writing(path.parent, need):
        handle = path.open(mode, buffering=0)
    with handle:
        yield handle


def write(handle: IO[bytes], data: bytes, folder: Path, need: int) -> None:
    """Write all the data; `folder` and `need` are for the message if that fails."""
    with writing(folder, need):
        _write(handle, data)


def _write(handle: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[handle.write(view) :]


def discard(*paths: Path) -> None:
    """Remove the files there are among these."""
    for path in paths:
        with writing(path.parent):
            path.unlink(missing_ok=True)
