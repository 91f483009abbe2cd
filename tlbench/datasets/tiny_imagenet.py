"""Tiny-ImageNet: 200 classes of ImageNet at 64 × 64, as the official archive unpacks or as plain folders of classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .class_folders import FoundPictures, ListedPictures, find_pictures, list_class_folders
from .errors import DataError
from .labelled_pictures import known_classes
from .picture_folder import label_folders
from .remote_files import reading

SIDE = 32  # to which the pictures are brought if nothing else is said
_NOTES = "val_annotations.txt"


def find_root(folder: Path) -> Path | None:
    """The folder with the training pictures: this one or one in it; None if there is none."""
    if not folder.is_dir():
        return None
    with reading(folder):
        inside = sorted(path for path in folder.iterdir() if ".unpacking-" not in path.name)
        return next((path for path in (folder, *inside) if (path / "train").is_dir()), None)


def list_tiny_imagenet(root: Path, categories: Sequence[str] = ()) -> ListedPictures:
    """List its pictures in either layout; the published validation set is the test part, classes are WordNet numbers.

    Official: train/CLASS/images/* and val/images/* with val/val_annotations.txt. Plain: train/CLASS/* and test/CLASS/*.
    Raises DataError for what is neither, an unknown class, and validation pictures without their class.
    """
    if not (root / "val" / _NOTES).is_file():
        return list_class_folders(root, categories)
    names = sorted(path.name for path in label_folders(root / "train"))
    classes = tuple(name for name in names if not categories or name in known_classes(categories, names))
    listed = ListedPictures(root, classes)
    for label, name in enumerate(classes):
        listed.add(_some(root / "train" / name / "images", f"train/{name}/images"), label, test=False)
    class_of = _annotations(root / "val" / _NOTES)
    validation = _some(root / "val" / "images", "val/images")
    members: dict[str, FoundPictures] = {name: FoundPictures() for name in names}
    for name, about in zip(validation.names, np.frombuffer(validation.about, np.int64).reshape(-1, 3), strict=True):
        found = members.get(class_of.get(name.rpartition("/")[2], ""))
        if found is None:
            raise DataError(f"{root / 'val' / _NOTES} does not tell the class of {name}; get the archive again")
        found.names.append(name)
        found.about.extend(about.tolist())
    for label, name in enumerate(classes):
        listed.add(members[name], label, test=True)
    return listed


def _some(folder: Path, prefix: str) -> FoundPictures:
    found = find_pictures(folder, prefix)
    if not found.names:
        raise DataError(f"{folder} holds no picture; get the archive again")
    return found


def _annotations(path: Path) -> dict[str, str]:
    """The class of each validation picture, by its name."""
    with reading(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {words[0]: words[1] for line in lines if len(words := line.split("\t")) > 1}
