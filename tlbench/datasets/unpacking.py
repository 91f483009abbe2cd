"""Unpacks an archive into a new folder: whole or not at all, and nothing outside that folder."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from .archive_entries import MOST_BYTES, MOST_FILES, Archive, Entry, open_archive
from .downloads import Progress
from .errors import DataError, DataMissingError
from .remote_files import PIECE, beside, write, writing

_one_at_a_time = threading.Lock()  # within this process; others have a number of their own


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
            with open_archive(archive, inner, most_files, most_bytes) as source:
                _Tree(source, made, members).fill(progress)
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
    """The folder being filled."""

    def __init__(self, source: Archive, root: Path, members: str) -> None:
        self.source, self.root, self.members = source, root, PurePosixPath(members).parts
        self.folders: set[tuple[str, ...]] = set()

    def fill(self, progress: Progress | None) -> None:
        """Unpack all that is wanted, or raise."""
        source, told = self.source, 0
        self._begin()
        for entry in source:
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

    def _take(self, entry: Entry) -> None:
        """Put the entry in its place, or pass over it."""
        depth = len(self.members)
        if entry.parts[:depth] != self.members:
            return
        parts = entry.parts[depth:]
        if entry.kind == "folder":
            self._folder(entry, parts)
        elif parts:
            self._file(entry, self._folder(entry, parts[:-1]) / parts[-1])

    def _folder(self, entry: Entry, parts: tuple[str, ...]) -> Path:
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

    def _file(self, entry: Entry, path: Path) -> None:
        with self._writing(entry), path.open("xb", buffering=0) as handle:
            for piece in self.source.pieces(entry):
                write(handle, piece, self.root.parent, self.source.left)
            path.chmod(0o644)

    @contextmanager
    def _writing(self, entry: Entry) -> Iterator[None]:
        """Say what is wrong with the entry, or else with the disk."""
        with writing(self.root.parent, self.source.left):
            try:
                yield
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                self.source.refuse(entry, "would overwrite another one of that name")
            except UnicodeEncodeError:
                self.source.refuse(entry, "has a name that cannot be written here")
            except OSError as error:
                if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                    self.source.refuse(entry, f"has a name that cannot be written here ({error.strerror})")
                raise
