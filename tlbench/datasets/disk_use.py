"""What the data folder takes: fetched data sets, and caches of what was computed from pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .access import all_files
from .catalogue import CATALOGUE
from .errors import DataError
from .remote_files import writing
from .trees import find_tree

CACHES = {
    "features": "descriptions of pictures; described again when they are needed",
    "pictures": "decoded pictures for networks; decoded again when they are needed",
    "weights": "weights of networks; fetched again when they are needed",
    "identities": "what each picture file holds; read again when it is needed",
}
"""Folders of ours beside the data."""


@dataclass(frozen=True)
class Taken:
    """Something that can be freed. paths: files and folders of its own."""

    name: str
    says: str
    paths: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes on disk; a file that vanishes meanwhile counts as nothing."""
        return sum(_size(file) for path in self.paths for file in _files(path))


def taken(folder: Path) -> list[Taken]:
    """Everything of ours in the data folder; what is not ours is never listed."""
    found = []
    for entry in CATALOGUE:
        paths = [folder / file.path for file in all_files(entry)]
        # A tree that we did not unpack is the user's, wherever it lies.
        if entry.collection and (tree := find_tree(entry.collection, folder)) and tree.verified:
            paths.append(tree.folder)
        if there := tuple(path for path in paths if path.exists()):
            found.append(Taken(entry.name, "fetched; fetched again when it is needed", there))
    caches = [Taken(name, says, (folder / name,)) for name, says in CACHES.items() if (folder / name).exists()]
    return found + caches


def free(folder: Path, name: str) -> int:
    """Remove one of them; returns the bytes that it took.

    Raises DataError for a name that is not among them, and where something cannot be removed.
    """
    known = {one.name: one for one in taken(folder)}
    if name not in known:
        there = f"there are {', '.join(known)}" if known else "it holds nothing of ours"
        raise DataError(f"there is no '{name}' to free in {folder}; {there}")
    size = known[name].size
    for path in known[name].paths:
        with writing(path.parent):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return size


def _files(path: Path) -> Iterator[Path]:
    """A file, or the files below a folder; links are not followed."""
    if path.is_symlink() or path.is_file():
        yield path
    elif path.is_dir():
        for parent, _, names in os.walk(path):
            yield from (Path(parent) / name for name in names)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
