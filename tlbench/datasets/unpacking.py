"""Unpacks an archive into a new folder: whole or not at all, and nothing outside that folder."""

from __future__ import annotations

import errno
import gzip
import io
import os
import platform
import re
import shutil
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal, NamedTuple, NoReturn

from .downloads import Progress
from .errors import DataError, DataMissingError
from .remote_files import PIECE, beside, reading, write, writing

MOST_FILES = 200_000
MOST_BYTES = 20_000_000_000
MOST_RATIO = 200  # times as large as a .zip may become, if that makes more than a megabyte
MOST_LEVELS = 64  # folders in folders
MOST_HEADER = 1 << 20  # bytes that one header of a .tar may take

Read = Callable[[int], bytes]  # as many bytes as asked for; fewer at the end alone

_one_at_a_time = threading.Lock()  # within this process; others have a number of their own


class _Entry(NamedTuple):
    name: str
    kind: str  # "file", "folder", or the end of a sentence that says what else it is
    size: int
    read: Read


def unpack(
    archive: Path,
    folder: Path,
    progress: Progress | None = None,
    *,
    inner: str = "",
    members: str = "",
    finish: Callable[[Path], None] | None = None,
    most_files: int = MOST_FILES,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Unpack a .tar, .tar.gz or .zip, known by its content, into a folder that must not exist yet; return the folder.

    It appears at one stroke, complete: until then the work is done in ``<folder>.unpacking-<host>-<pid>`` beside it,
    which is removed when anything goes wrong, and by the next call if the process died. Of several processes at once
    the first to finish gives the folder its name, and the others remove their own. Files get the mode 0644, folders
    0755. `inner` names a .tar or .tar.gz in the archive that is unpacked in its place, as it streams by. `members`
    names a folder in the archive whose content alone is unpacked. `finish` is called with the complete folder before
    it gets its name. `progress` is told the bytes done and the bytes in all.

    Raises DataError, and leaves nothing, when the folder exists; when the archive is none, is damaged or cut off, or
    lacks what is named; when an entry would escape, is no plain file or folder, or would overwrite another one where
    it is unpacked; when there are more than `most_files` entries or `most_bytes` bytes, or a .zip would become more
    than 200 times as large. Raises DataMissingError when the disk is full.
    """
    with _one_at_a_time:
        if os.path.lexists(folder):
            raise DataError(f"{folder} exists already and nothing is unpacked over it; remove it to have it unpacked")
        with writing(folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        made = beside(folder, f".unpacking-{_host()}-{os.getpid()}")
        try:
            with reading(archive):
                handle = archive.open("rb")
            with handle:
                _Tree(_Source(archive, handle, inner), made, members, most_files, most_bytes).fill(progress)
            if finish is not None:
                finish(made)
            with writing(folder.parent):
                _give_name(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def _give_name(made: Path, folder: Path) -> None:
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes of this machine were unpacking for this folder when they died."""
    prefix = f"{folder.name}.unpacking-{_host()}-"
    with writing(folder.parent):
        places = list(folder.parent.iterdir())
    for path in places:
        number = path.name.removeprefix(prefix)
        if path.name.startswith(prefix) and number.isdecimal() and not _alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", platform.node()) or "host"


def _alive(pid: int) -> bool:
    """Tell whether another process of that number may still be at work; we ourselves are only about to begin."""
    if pid == os.getpid():
        return False
    if os.name != "posix":  # elsewhere signal 0 is not harmless
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


class _Tree:
    """The folder being filled, and how much went into it."""

    def __init__(self, source: _Source, root: Path, members: str, most_files: int, most_bytes: int) -> None:
        self.source, self.root, self.members = source, root, PurePosixPath(members).parts
        self.most_files, self.most_bytes = most_files, most_bytes
        self.entries = self.bytes = 0
        self.folders: set[tuple[str, ...]] = set()

    def fill(self, progress: Progress | None) -> None:
        """Unpack all that is wanted, or raise."""
        source, told, first = self.source, 0, True
        entries = source.entries()
        while True:
            with _damage(source.name):
                entry = next(entries, None)
            if first:
                self._begin()
                first = False
            if entry is None:
                break
            self._take(entry)
            if progress is not None and source.done - told >= PIECE:
                told = source.done
                progress(told, source.total)
        if not self.folders:
            wanted = f"no folder '{'/'.join(self.members)}'" if self.members else "nothing"
            raise DataError(f"{source.name} holds {wanted}; it is not the archive that is wanted")
        if progress is not None:
            progress(source.total, source.total)

    def _begin(self) -> None:
        """Make the folder, where the disk has room for what is at least to come."""
        home, need = self.root.parent, self.source.total
        with writing(home, need):
            self.root.mkdir()
            self.root.chmod(0o755)
            free = shutil.disk_usage(home).free
        if free < need:
            raise DataMissingError(
                f"the disk is full: {need / 1e6:.1f} MB are needed in {home.absolute()} to unpack {self.source.name}, "
                f"and {free / 1e6:.1f} MB are free"
            )

    def _take(self, entry: _Entry) -> None:
        """Refuse the entry, pass over it, or put it in its place."""
        parts = self._place(entry)
        self.entries += 1
        self.bytes += entry.size
        if self.entries > self.most_files:
            self._refuse(entry, f"is one too many: more than {self.most_files:,} files and folders")
        if self.bytes > self.most_bytes:
            self._refuse(entry, f"is too large: the whole would take more than {self.most_bytes / 1e6:,.1f} MB")
        if parts[: len(self.members)] != self.members:
            return
        parts = parts[len(self.members) :]
        if entry.kind == "folder":
            self._folder(entry, parts)
        elif parts:
            self._file(entry, self._folder(entry, parts[:-1]) / parts[-1])

    def _place(self, entry: _Entry) -> tuple[str, ...]:
        """Return the parts of the entry's name, having refused all that is not a file or folder inside the tree."""
        name = entry.name
        if "\0" in name:
            self._refuse(entry, "has a NUL in its name")
        if name.startswith("/") or PureWindowsPath(name).anchor:
            self._refuse(entry, "has an absolute path")
        if ".." in re.split(r"[/\\]", name):
            self._refuse(entry, "leads out of the folder by '..'")
        if entry.kind not in ("file", "folder"):
            self._refuse(entry, entry.kind)
        parts = PurePosixPath(name).parts
        if len(parts) > MOST_LEVELS:
            self._refuse(entry, f"lies more than {MOST_LEVELS} folders deep")
        if not parts and entry.kind == "file":
            self._refuse(entry, "has no name")
        return parts

    def _folder(self, entry: _Entry, parts: tuple[str, ...]) -> Path:
        self.folders.add(())
        for end in range(1, len(parts) + 1):
            if parts[:end] not in self.folders:
                path = self.root.joinpath(*parts[:end])
                with self._writing(entry):
                    try:
                        path.mkdir()
                    except FileExistsError:
                        if not path.is_dir():  # where case makes no difference, it may be another folder of ours
                            raise
                    path.chmod(0o755)
                self.folders.add(parts[:end])
        return self.root.joinpath(*parts)

    def _file(self, entry: _Entry, path: Path) -> None:
        left = entry.size
        with self._writing(entry), path.open("xb", buffering=0) as handle:
            while left:
                with _damage(self.source.name):
                    piece = entry.read(min(PIECE, left))
                    if not piece:
                        raise EOFError("it ends too early")
                left -= len(piece)
                write(handle, piece, self.root.parent, self.source.total - self.source.done)
            path.chmod(0o644)

    @contextmanager
    def _writing(self, entry: _Entry) -> Iterator[None]:
        """Say what is wrong with the entry, or else with the disk."""
        with writing(self.root.parent, self.source.total - self.source.done):
            try:
                yield
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                self._refuse(entry, "would overwrite another one of that name")
            except UnicodeEncodeError:
                self._refuse(entry, "has a name that cannot be written here")
            except OSError as error:
                if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                    self._refuse(entry, f"has a name that cannot be written here ({error.strerror})")
                raise

    def _refuse(self, entry: _Entry, why: str) -> NoReturn:
        name = entry.name if len(entry.name) <= 200 else f"{entry.name[:200]}…"
        raise DataError(f"{self.source.name} is not unpacked, because its entry {name!r} {why}")


class _Source:
    """The archive, or from when it is reached the inner one: its entries in their order, and how far we are."""

    def __init__(self, archive: Path, handle: io.BufferedReader, inner: str) -> None:
        self.name, self.handle, self.inner = str(archive), handle, inner
        self.total = self.size = os.fstat(handle.fileno()).st_size
        self.done = 0

    def entries(self) -> Iterator[_Entry]:
        """Yield the entries as they are reached; each can be read until the next is asked for."""
        if self._kind(self.handle) == "zip":
            yield from self._zip()
        elif self.inner:
            for entry in self._tar(self.handle):
                if entry.kind == "file" and PurePosixPath(entry.name) == PurePosixPath(self.inner):
                    yield from self._enter(entry.read, entry.size)
                    return
            raise self._lacking()
        else:
            yield from self._tar(_buffered(self, self.handle.read, self.size))

    def _zip(self) -> Iterator[_Entry]:
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
                    yield _Entry(info.orig_filename, kind, 0, lambda _: b"")
                    continue
                with packed.open(info) as content:
                    if self.inner:
                        yield from self._enter(content.read, info.file_size)
                        return
                    yield _Entry(info.orig_filename, kind, info.file_size, content.read)
                self.done += info.file_size

    def _enter(self, read: Read, size: int) -> Iterator[_Entry]:
        self.name, self.done, self.total = f"{self.inner} in {self.name}", 0, size
        stream = _buffered(self, read, size)
        if self._kind(stream) == "zip":
            raise DataError(f"{self.name} is a .zip, and a .zip inside another archive is not unpacked")
        yield from self._tar(stream)

    def _tar(self, stream: io.BufferedReader) -> Iterator[_Entry]:
        packed = self._kind(stream) == "gzip"
        content = _Onward(gzip.GzipFile(fileobj=stream, mode="rb").read if packed else stream.read)
        tar = tarfile.TarFile(fileobj=content, encoding="utf-8")  # type: ignore[arg-type] # all it needs of a file
        while (info := tar.next()) is not None:
            if info.size < 0:
                raise tarfile.ReadError("negative size")
            yield _Entry(info.name, _kind_in_tar(info), info.size if info.isreg() else 0, content.take)
            tar.members.clear()  # type: ignore[attr-defined] # it would keep them all
        if content.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end")
        for _ in range(64):  # what fills it up, and the checksum behind
            if not content.take(PIECE):
                return
        raise tarfile.ReadError("it goes on after its end")

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

    def __init__(self, source: _Source, read: Read, size: int) -> None:
        self.source, self.take, self.left = source, read, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what BufferedReader hands it
        data = self.take(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        self.source.done += len(data)
        return len(data)


def _buffered(source: _Source, read: Read, size: int) -> io.BufferedReader:
    return io.BufferedReader(_Counted(source, read, size), PIECE)


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
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        LookupError,
        RuntimeError,
        OverflowError,
    ) as error:
        raise DataError(f"{name} is damaged or cut off ({error}); remove it and get it again") from error
