"""Gets the files a data set is made of: from the network, from a mirror, or carried by hand; never unverified."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from .downloads import Fault, Part, Progress, download, is_page, is_web
from .errors import DataError, DataMissingError
from .remote_files import (
    PIECE,
    RemoteFile,
    beside,
    create,
    deciding_checksum,
    hash_file,
    new_hash,
    reading,
    record_checksum,
    state,
    write,
    writing,
)

_flock: Callable[[int, int], None] | None
try:
    import fcntl
except ImportError:  # Windows: two processes at once then rest on the checksum alone
    _flock = None
else:
    _flock = fcntl.flock


def fetch(file: RemoteFile, folder: Path, progress: Progress | None = None) -> Path:
    """Return the file's place in the folder, after downloading it if it is missing or damaged.

    The addresses are tried in order, ``$TLBENCH_DATA_MIRROR`` before all; an interrupted download is continued
    where the server allows it, also one of an earlier run. Only a complete file with the right checksum is put in
    place, at one stroke. Of several processes at once, one downloads and the others wait. `progress` is told the
    bytes done and the bytes in all (0: not known).

    Raises DataMissingError when every address failed, with each one's reason and the place for a copy carried by
    hand, or when the disk is full; DataError when the folder cannot be written or the mirror is no web address.
    """
    target = folder / file.path
    if _usable(file, folder):
        tidy(target)
        return target
    with _locked(target, file.size):
        if not _usable(file, folder):
            _download(file, target, progress)
    return target


def tidy(target: Path) -> None:
    """Remove what a process left behind that was killed right after it had put the file in place."""
    if any(beside(target, suffix).exists() for suffix in (".lock", ".part", ".part.json")):
        with suppress(DataError, DataMissingError), _locked(target):
            Part(target).discard()


def adopt(file: RemoteFile, folder: Path, source: Path) -> Path:
    """Copy a hand-carried file into its place in the folder, and return that place.

    `source` is the file, or a folder that holds it, by its name or by its whole path. The copy is verified before
    it is put in place, at one stroke; whatever lay there is replaced. With no published checksum, the file is
    taken as it is, and what was recorded at an earlier first use gives way to it.

    Raises DataError when there is no such file, when it cannot be read, is a saved web page or has the wrong
    checksum, and when the folder cannot be written; DataMissingError when the disk is full.
    """
    target = folder / file.path
    if source.is_dir():
        places = [source / file.path, source / target.name]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DataError(f"{source} holds no {target.name}")
        source = found
    elif not source.is_file():
        raise DataError(f"there is no file {source}")
    with reading(source):
        size = source.stat().st_size
    with _locked(target, size):
        copy = beside(target, ".copy")
        try:
            digest = _copy(file, source, copy, size)
            _put_in_place(file, copy, target, digest)
        finally:
            with suppress(OSError):
                copy.unlink(missing_ok=True)
    return target


def _copy(file: RemoteFile, source: Path, copy: Path, size: int) -> str:
    """Copy what may be adopted as this file, and return its checksum."""
    algorithm, published = file.published
    hasher = new_hash(algorithm)
    with reading(source), source.open("rb") as original, create(copy, "wb", size) as handle:
        head = original.read(PIECE)
        if is_page(head, file):
            raise DataError(f"{source} is a saved web page, not {Path(file.path).name}")
        for piece in itertools.chain([head], iter(lambda: original.read(PIECE), b"")):
            hasher.update(piece)
            write(handle, piece, copy.parent, size)
    digest = hasher.hexdigest()
    if not digest.startswith((published or "").lower()):
        raise DataError(f"{source} is not the right file: its {algorithm} is {digest}, not {published}")
    return digest


def _download(file: RemoteFile, target: Path, progress: Progress | None) -> None:
    """Try every address in turn; put the file in place or say why not."""
    part = Part(target)
    reasons = []
    try:
        for url in _addresses(file):
            try:
                digest = download(file, url, target, progress)
            except Fault as fault:
                reasons.append(f"  {url}: {fault}")
            else:
                _put_in_place(file, part.path, target, digest)
                return
    finally:
        if not part.note.exists():  # a part that nothing vouches for cannot be continued
            with suppress(OSError):
                part.path.unlink(missing_ok=True)
    listed = "\n".join(reasons) or "  no address is known for it"
    raise DataMissingError(
        f"{file.path} is {'damaged' if target.exists() else 'missing'} and could not be fetched:\n{listed}\n"
        f"A copy got by other means belongs at {target.absolute()}"
    )


def _addresses(file: RemoteFile) -> tuple[str, ...]:
    mirror = os.environ.get("TLBENCH_DATA_MIRROR")
    if not mirror:
        return file.urls
    if not is_web(mirror):
        raise DataError(f"TLBENCH_DATA_MIRROR must begin with http:// or https://, but is {mirror!r}")
    return (f"{mirror.rstrip('/')}/{quote(file.path)}", *file.urls)


def _usable(file: RemoteFile, folder: Path) -> bool:
    """Tell whether the file is there and intact; a first use without a published checksum is recorded if it can be."""
    target = folder / file.path
    if state(file, folder) != "present":
        return False
    algorithm, wanted = deciding_checksum(file, target)
    if wanted is None:
        with suppress(OSError):
            record_checksum(target, hash_file(target, algorithm)[0].hexdigest())
    return True


def _put_in_place(file: RemoteFile, verified: Path, target: Path, digest: str) -> None:
    _, published = file.published
    with writing(target.parent):
        verified.replace(target)
        if not published:
            record_checksum(target, digest)
    Part(target).discard()


@contextmanager
def _locked(target: Path, need: int = 0) -> Iterator[None]:
    """Make the file's folder, hold ``<name>.lock`` in it against other processes, where the system can; then remove it.

    `need` is how many bytes the file will take, for the message on a full disk.
    """
    with writing(target.parent, need):
        target.parent.mkdir(parents=True, exist_ok=True)
    if _flock is None:
        yield
        return
    path = beside(target, ".lock")
    while True:
        with create(path, "ab") as handle:
            with suppress(OSError):  # a file system without locks
                _flock(handle.fileno(), fcntl.LOCK_EX)
            try:
                ours = os.path.samestat(os.fstat(handle.fileno()), path.stat())
            except FileNotFoundError:
                ours = False
            if not ours:  # the holder before us removed it while we waited
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            return
