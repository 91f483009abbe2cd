"""The pictures of Caltech-256 and Caltech-101: where they come from, where they lie, what of them is declared here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .downloads import Progress
from .errors import DataError
from .fetching import fetch
from .picture_folder import PictureSet, label_folders, list_pictures, scan
from .remote_files import RemoteFile
from .tree_marks import marking, read_mark
from .unpacking import unpack

CALTECH256_MIXED = (
    "dog",
    "horse",
    "zebra",
    "helicopter",
    "fighter-jet",
    "motorbikes",
    "car-side",
    "dolphin",
    "goose",
    "cactus",
)
CALTECH256_RELATED = ("bulldozer", "fire-truck", "motorbikes", "school-bus", "snowmobile", "car-side")
CALTECH256_UNRELATED = ("fire-truck", "cowboy-hat", "microwave", "bonsai", "harp", "snake")
CALTECH101_MIXED = (
    "Motorbikes",
    "dalmatian",
    "joshua_tree",
    "helicopter",
    "airplanes",
    "car_side",
    "dolphin",
    "okapi",
    "llama",
    "ibis",
)
CALTECH101_RELATED = ("Motorbikes", "airplanes", "car_side", "helicopter", "ferry", "schooner")
CALTECH101_UNRELATED = ("wheelchair", "umbrella", "laptop", "bonsai", "electric_guitar", "scorpion")
SETTINGS_OF = {
    "caltech256": {
        "mixed": CALTECH256_MIXED,
        "related": CALTECH256_RELATED,
        "unrelated": CALTECH256_UNRELATED,
    },
    "caltech101": {
        "mixed": CALTECH101_MIXED,
        "related": CALTECH101_RELATED,
        "unrelated": CALTECH101_UNRELATED,
    },
}
"""The categories of each setting: those of Caltech-256 as released for the paper's, those of Caltech-101 our own."""


@dataclass(frozen=True)
class Caltech:
    """One of the two collections.

    archive: the official one. tree: where its pictures lie, below the data folder. inner, members: what of the archive
    they are. labels, pictures: how many there are officially, the background's among them. background: its label.
    """

    archive: RemoteFile
    tree: str
    inner: str
    members: str
    labels: int
    pictures: int
    background: str


COLLECTIONS = {
    "caltech256": Caltech(
        RemoteFile(
            "caltech256/256_ObjectCategories.tar",
            ("https://data.caltech.edu/records/nyy15-4j048/files/256_ObjectCategories.tar",),
            1_183_006_720,
            None,
            "67b4f42ca05d46448c6bb8ecd2220f6d",
        ),
        "caltech256/256_ObjectCategories",
        "",
        "256_ObjectCategories",
        257,
        30_607,
        "clutter",
    ),
    "caltech101": Caltech(
        RemoteFile(
            "caltech101/caltech-101.zip",
            ("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",),
            137_414_764,
            None,
            "3138e1922a9193bfa496528edbbc45d0",
        ),
        "caltech101/101_ObjectCategories",
        "caltech-101/101_ObjectCategories.tar.gz",
        "101_ObjectCategories",
        102,
        9_144,
        "BACKGROUND_Google",
    ),
}


@dataclass(frozen=True)
class Tree:
    """An unpacked collection. verified: we unpacked it from the official archive, and it holds as much as then."""

    folder: Path
    verified: bool
    notices: tuple[str, ...]


def plain_name(folder: str) -> str:
    """The name of a category without the number and the mark of Caltech-101: 'dog' of '056.dog'."""
    return re.sub(r"^\d{3}\.", "", folder).removesuffix("-101")


def find_tree(which: str, data_folder: Path) -> Tree | None:
    """The tree that is in the data folder, whoever put it there; None if there is none. Nothing is fetched or written.

    A tree that we did not unpack from the verified archive, or that has since changed in the number or the length of
    its pictures, is unverified, and a notice says so; so does one where it holds another number of pictures than the
    official tree. Raises DataError where it is no folder of folders, or cannot be read.
    """
    collection = _collection(which)
    folder = data_folder / collection.tree
    if not folder.exists():
        return None
    held = _held(folder)
    verified = read_mark(folder) == {"archive": collection.archive.published[1], **held}
    notices = [] if verified else [f"{folder} is unverified: it is used as found, and known by its fingerprint alone"]
    if (held["labels"], held["pictures"]) != (collection.labels, collection.pictures):
        notices.append(
            f"{folder} holds {held['pictures']:,} pictures in {held['labels']} folders, where the official tree has "
            f"{collection.pictures:,} in {collection.labels}"
        )
    return Tree(folder, verified, tuple(notices))


def ensure_tree(which: str, data_folder: Path, progress: Progress | None = None) -> Tree:
    """Return the tree in the data folder, having fetched and unpacked the official archive if there is none.

    A tree that is there is taken as it is and never unpacked over; see `find_tree`. The archive is verified before it
    is unpacked, and kept. `progress` is told of the bytes fetched, and then, from nought again, of those unpacked.

    Raises DataMissingError when the archive cannot be had or the disk is full; DataError as `find_tree` does, and when
    the data folder cannot be written.
    """
    collection = _collection(which)
    folder = data_folder / collection.tree
    if not folder.exists():
        archive = fetch(collection.archive, data_folder, progress)
        try:
            unpack(
                archive,
                folder,
                progress,
                inner=collection.inner,
                members=collection.members,
                finish=marking(collection.archive.published[1], _held),
            )
        except DataError:
            if not folder.is_dir():  # else another process was faster
                raise
    found = find_tree(which, data_folder)
    if found is None:
        raise DataError(f"{folder} was removed while it was being used; run it again")
    return found


def scan_tree(
    which: str,
    tree: Tree,
    categories: Sequence[str] = (),
    *,
    unused: int = 0,
    index: Path | None = None,
    progress: Progress | None = None,
) -> PictureSet:
    """The pictures of some categories and the background, by plain names, with the tree's notices before their own.

    `categories`, `unused`, `index` and `progress` are those of `scan`, and so are the errors.
    """
    collection = _collection(which)
    background = collection.background
    found = scan(tree.folder, categories, background, name_of=plain_name, unused=unused, index=index, progress=progress)
    return replace(found, notices=(*tree.notices, *found.notices))


def _collection(which: str) -> Caltech:
    if which not in COLLECTIONS:
        raise DataError(f"there is no collection '{which}'; there are {', '.join(COLLECTIONS)}")
    return COLLECTIONS[which]


def _held(folder: Path) -> dict[str, int]:
    """How many labels and pictures a tree holds, and how many bytes they are."""
    listed = [list_pictures(label) for label in label_folders(folder)]
    sizes = [size for label in listed for size, *_ in label.pictures.values()]
    return {"labels": len(listed), "pictures": len(sizes), "bytes": sum(sizes)}
