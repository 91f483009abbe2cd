"""Reads an archive as a stream of checked entries: plain files and folders that lie inside it, and not too much."""

from __future__ import annotations

import gzip
import io
import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, NamedTuple, NoReturn

from .errors import DataError
from .remote_files import PIECE, reading

MOST_FILES = 200_000
MOST_BYTES = 20_000_000_000
MOST_RATIO = 200  # times as large as a .zip may become, if that makes more than a megabyte
MOST_LEVELS = 64  # folders in folders
MOST_HEADER = 1 << 20  # bytes that one header of a .tar may take

_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, EOFError)
_DAMAGE = (*_BROKEN, OSError, ValueError, LookupError, RuntimeError, OverflowError)

Read = Callable[[int], bytes]  # as many bytes as asked for; fewer at the end alone


class Entry(NamedTuple):
    """A file or folder in an archive, or what else is there."""

    name: str
    kind: str  # "file", "folder", or the end of a sentence that says what else it is
    size: int
    read: Read

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders it lies in, and its own name."""
        return PurePosixPath(self.name).parts


@contextmanager
def open_archive(path: Path, inner: str, most_files: int, most_bytes: int) -> Iterator[Archive]:
    """Open a .tar, .tar.gz or .zip, known by its content, or the .tar or .tar.gz in it that `inner` names."""
    with reading(path):
        handle = path.open("rb")
    with handle:
        yield Archive(path, handle, inner, most_files, most_bytes)


class Archive:
    """The entries in their order, and how many bytes are done of how many in all.

    Made, it has read on to its first entry, from where on `name` and `total` are those of the inner archive, if that
    is wanted. Raises DataError, wherever it is read, when it is no archive, is damaged or cut off, or lacks the inner
    one; when an entry would escape or is no plain file or folder; and when there is too much.
    """

    def __init__(self, path: Path, handle: io.BufferedReader, inner: str, most_files: int, most_bytes: int) -> None:
        self.name, self.handle, self.inner = str(path), handle, inner
        self.most_files, self.most_bytes = most_files, most_bytes
        self.total = self.size = os.fstat(handle.fileno()).st_size
        self.done = self._files = self._bytes = 0
        self._coming = self._entries()
        self._first = self._next()

    @property
    def left(self) -> int:
        """The bytes not done yet."""
        return self.total - self.done

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries as they are reached, once; each can be read until the next is asked for."""
        entry = self._first
        while entry is not None:
            self._check(entry)
            yield entry
            entry = self._next()

    def pieces(self, entry: Entry) -> Iterator[bytes]:
        """Yield what the entry holds."""
        left = entry.size
        while left:
            with _damage(self.name):
                piece = entry.read(min(PIECE, left))
                if not piece:
                    raise EOFError("it ends too early")
            left -= len(piece)
            yield piece

    def refuse(self, entry: Entry, why: str) -> NoReturn:
        """Raise what says that the archive is not unpacked because of this entry."""
        name = entry.name if len(entry.name) <= 200 else f"{entry.name[:200]}…"
        raise DataError(f"{self.name} is not unpacked, because its entry {name!r} {why}")

    def _check(self, entry: Entry) -> None:
        """Refuse all that is not a file or folder inside the tree, and what is too much."""
        if "\0" in entry.name:
            self.refuse(entry, "has a NUL in its name")
        if entry.name.startswith("/") or PureWindowsPath(entry.name).anchor:
            self.refuse(entry, "has an absolute path")
        if ".." in re.split(r"[/\\]", entry.name):
            self.refuse(entry, "leads out of the folder by '..'")
        if entry.kind not in ("file", "folder"):
            self.refuse(entry, entry.kind)
        if len(entry.parts) > MOST_LEVELS:
            self.refuse(entry, f"lies more than {MOST_LEVELS} folders deep")
        if not entry.parts and entry.kind == "file":
            self.refuse(entry, "has no name")
        self._files += 1
        self._bytes += entry.size
        if self._files > self.most_files:
            self.refuse(entry, f"is one too many: more than {self.most_files:,} files and folders")
        if self._bytes > self.most_bytes:
            self.refuse(entry, f"is too large: the whole would take more than {self.most_bytes / 1e6:,.1f} MB")

    def _next(self) -> Entry | None:
        with _damage(self.name):
            return next(self._coming, None)

    def _entries(self) -> Iterator[Entry]:
        if self._kind(self.handle) == "zip":
            yield from self._zip()
        elif self.inner:
            for entry in self._tar(self.handle):
                if entry.kind == "file" and PurePosixPath(entry.name) == PurePosixPath(self.inner):
                    yield from self._enter(entry.read, entry.size)
                    return
            raise self._lacking()
        else:
            yield from self._tar(self._counted(self.handle.read, self.size))

    def _zip(self) -> Iterator[Entry]:
        with zipfile.ZipFile(self.handle) as packed:
            infos = packed.infolist()
            if self.inner:
                infos = [info for info in infos if info.filename == self.inner][-1:]
                if not infos:
                    raise self._lacking()
            self.total = sum(info.file_size for info in infos)
            if self.total > max(MOST_RATIO * self.size, PIECE):
                worst = max(infos, key=lambda info: info.file_size / max(info.compress_size, 1))
                raise DataError(
                    f"{self.name} is not unpacked, because it would become more than {MOST_RATIO} times as large, most "
                    f"of all by its entry {worst.filename!r}"
                )
            for info in infos:
                if (kind := _kind_in_zip(info)) != "file":
                    yield Entry(info.orig_filename, kind, 0, lambda _: b"")
                    continue
                with packed.open(info) as content:
                    if self.inner:
                        yield from self._enter(content.read, info.file_size)
                        return
                    yield Entry(info.orig_filename, kind, info.file_size, content.read)
                self.done += info.file_size

    def _enter(self, read: Read, size: int) -> Iterator[Entry]:
        self.name, self.done, self.total = f"{self.inner} in {self.name}", 0, size
        stream = self._counted(read, size)
        if self._kind(stream) == "zip":
            raise DataError(f"{self.name} is a .zip, and a .zip inside another archive is not unpacked")
        yield from self._tar(stream)

    def _tar(self, stream: io.BufferedReader) -> Iterator[Entry]:
        packed = self._kind(stream) == "gzip"
        content = _Onward(gzip.GzipFile(fileobj=stream, mode="rb").read if packed else stream.read)
        tar = tarfile.TarFile(fileobj=content, encoding="utf-8")  # type: ignore[arg-type] # all it needs of a file
        while (info := tar.next()) is not None:
            if info.size < 0:
                raise tarfile.ReadError("negative size")
            yield Entry(info.name, _kind_in_tar(info), info.size if info.isreg() else 0, content.take)
            tar.members.clear()  # type: ignore[attr-defined] # it would keep them all
        if content.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end")
        for _ in range(64):  # what fills it up, and the checksum behind
            if not content.take(PIECE):
                return
        raise tarfile.ReadError("it goes on after its end")

    def _counted(self, read: Read, size: int) -> io.BufferedReader:
        return io.BufferedReader(_Counted(self, read, size), PIECE)

    def _lacking(self) -> DataError:
        return DataError(f"{self.name} holds no '{self.inner}'; it is not the archive that is wanted")

    def _kind(self, stream: io.BufferedReader) -> Literal["zip", "gzip", "tar"]:
        """Tell by its first bytes what kind of archive it is. Raises DataError, saying what it is, where it is none."""
        head = stream.peek(tarfile.BLOCKSIZE)[: tarfile.BLOCKSIZE]
        if head.startswith((b"PK\3\4", b"PK\5\6")):
            return "zip"
        if head.startswith(b"\x1f\x8b"):
            return "gzip"
        with suppress(tarfile.HeaderError):
            tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
            return "tar"
        if head[257:262] == b"ustar" or (head and not head.strip(b"\0")):
            return "tar"
        raise DataError(f"{self.name} is {_what(head)}, not a .tar, .tar.gz or .zip archive; get it again")


class _Onward:
    """A stream as `tarfile` wants it, that goes on only, and hands out no header so long that it would fill memory."""

    def __init__(self, read: Read) -> None:
        self.more, self.place, self.last = read, 0, b""

    def tell(self) -> int:
        return self.place

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self.last = self.take(size)
        return self.last

    def take(self, size: int) -> bytes:
        data = self.more(size)
        self.place += len(data)
        return data

    def seek(self, place: int) -> None:
        if place < self.place:
            raise tarfile.ReadError("an entry within another")
        while self.place < place and self.take(min(PIECE, place - self.place)):
            pass


class _Counted(io.RawIOBase):
    """The next `size` bytes that `read` gives, counted as done."""

    def __init__(self, archive: Archive, read: Read, size: int) -> None:
        self.archive, self.take, self.left = archive, read, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what BufferedReader hands it
        data = self.take(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        self.archive.done += len(data)
        return len(data)


def _kind_in_tar(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return f"is a {'symbolic' if info.issym() else 'hard'} link"
    if info.isdir():
        return "folder"
    if info.isreg() and not info.issparse():
        return "file"
    return "is a pipe" if info.isfifo() else "is a device" if info.isdev() else "is not a plain file"


def _kind_in_zip(info: zipfile.ZipInfo) -> str:
    match (info.external_attr >> 16) & 0o170000 if info.create_system == 3 else 0:
        case 0o120000:
            return "is a symbolic link"
        case 0o010000:
            return "is a pipe"
        case 0o020000 | 0o060000:
            return "is a device"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that is not read here"
    return "folder" if info.filename.endswith("/") else "file"


def _what(head: bytes) -> str:
    """Say what begins like this."""
    if not head:
        return "empty"
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML)"
    names = {b"Rar!": ".rar", b"7z\xbc\xaf": ".7z", b"\xfd7zXZ": ".xz", b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst"}
    for start, name in names.items():
        if head.startswith(start):
            return f"packed as {name}"
    return "something else" if re.search(rb"[\0-\x08\x0e-\x1a]", head) else "a text"


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Say that an archive cannot be read for what it holds."""
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"{name} is damaged or cut off ({error}); remove it and get it again") from error
