"""The unpacked trees of picture collections: where they lie, and how they come there from their archives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import caltech_pictures
from .caltech_pictures import Tree
from .downloads import Progress
from .errors import DataError
from .fetching import fetch
from .remote_files import RemoteFile, deciding_checksum, reading
from .tiny_imagenet import find_root
from .tree_marks import MARK, marking, read_mark
from .unpacking import unpack


@dataclass(frozen=True)
class Collection:
    """A collection that is used as its archive unpacks, besides the two of Caltech.

    archive: the official one. members: the folder in it that is unpacked, to a folder of the same name beside the
    archive. find: the tree in the archive's folder, whoever put it there.
    """

    archive: RemoteFile
    members: str
    find: Callable[[Path], Path | None]


def _named(members: str) -> Callable[[Path], Path | None]:
    return lambda folder: folder / members if (folder / members).is_dir() else None


COLLECTIONS = {
    "cifar10": Collection(
        RemoteFile(
            "cifar10/cifar-10-binary.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        "cifar-10-batches-bin",
        _named("cifar-10-batches-bin"),
    ),
    "cifar100": Collection(
        RemoteFile(
            "cifar100/cifar-100-binary.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",),
            168_513_733,
            "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        ),
        "cifar-100-binary",
        _named("cifar-100-binary"),
    ),
    "tiny-imagenet": Collection(
        RemoteFile(
            "tiny-imagenet/tiny-imagenet-200.zip",
            ("http://cs231n.stanford.edu/tiny-imagenet-200.zip",),
            248_100_043,
            None,  # not known; recorded at first use
        ),
        "tiny-imagenet-200",
        find_root,
    ),
}


def archive_of(which: str) -> RemoteFile:
    """The archive of a collection."""
    if which in COLLECTIONS:
        return COLLECTIONS[which].archive
    return caltech_pictures.COLLECTIONS[which].archive


def find_tree(which: str, data_folder: Path) -> Tree | None:
    """The tree of a collection in the data folder; None if there is none. Nothing is fetched or written.

    Verified is a tree that we unpacked from an archive with the published checksum, and that holds as much as then;
    any other has a notice. Raises DataError where it cannot be read.
    """
    if which not in COLLECTIONS:
        return caltech_pictures.find_tree(which, data_folder)
    collection = COLLECTIONS[which]
    folder = collection.find((data_folder / collection.archive.path).parent)
    if folder is None:
        return None
    published, mark = collection.archive.published[1], read_mark(folder)
    if published and mark == {"archive": published, **_held(folder)}:
        return Tree(folder, True, ())
    if not published and mark is not None:
        return Tree(
            folder, False, (f"{folder} is unverified: no checksum of its archive is published, ours is of first use",)
        )
    return Tree(folder, False, (f"{folder} is unverified: it is used as found, and known by its fingerprint alone",))


def ensure_tree(which: str, data_folder: Path, progress: Progress | None = None) -> Tree:
    """The tree of a collection, fetched and unpacked if there is none; one that is there is taken as it is.

    `progress` is told of the bytes fetched, and then, from nought again, of those unpacked.
    Raises DataMissingError when the archive cannot be had or the disk is full, DataError as `find_tree` does, for
    another archive, and when the data folder cannot be written.
    """
    if which not in COLLECTIONS:
        return caltech_pictures.ensure_tree(which, data_folder, progress)
    collection = COLLECTIONS[which]
    if find_tree(which, data_folder) is None:
        archive = fetch(collection.archive, data_folder, progress)
        folder = archive.parent / collection.members
        checksum = deciding_checksum(collection.archive, archive)[1]
        try:
            unpack(archive, folder, progress, members=collection.members, finish=marking(checksum, _held))
        except DataError:
            if not folder.is_dir():  # else another process was faster
                raise
    found = find_tree(which, data_folder)
    if found is None:
        archive = data_folder / collection.archive.path
        raise DataError(f"{archive.parent / collection.members} holds no {which}; remove it, and it is unpacked again")
    return found


def _held(folder: Path) -> dict[str, int]:
    """How many files a tree holds, and how many bytes they are."""
    with reading(folder):
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != MARK]
    return {"files": len(sizes), "bytes": sum(sizes)}
