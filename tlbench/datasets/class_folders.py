"""Folders of pictures in which each folder is a class: which pictures there are, without opening them."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .errors import DataError
from .feature_pack import USUAL_BACKGROUNDS
from .labelled_pictures import known_classes
from .picture_folder import SUFFIXES, does_not_count, folders_by_label, label_folders
from .pixels import Integers
from .remote_files import reading

TEST_NAMES = ("test", "val", "validation")


@dataclass
class ListedPictures:
    """Picture files below a folder, in the order of classes and names.

    names: relative paths with forward slashes. labels: places in `classes`. is_test: of each whether it is in the test
    part; empty where the folder has none.
    """

    root: Path
    classes: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    is_test: list[bool] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    _about: array[int] = field(default_factory=lambda: array("q"))

    @property
    def about(self) -> Integers:
        """Of each file the size and the times of change of content and status in nanoseconds: int64 (N, 3)."""
        return np.frombuffer(self._about, np.int64).reshape(-1, 3)

    def add(self, found: FoundPictures, label: int, test: bool | None) -> None:
        """Add the pictures of one folder to a class; test: None where there is no test part."""
        self.names += found.names
        self.labels += [label] * len(found.names)
        if test is not None:
            self.is_test += [test] * len(found.names)
        self._about.extend(found.about)


@dataclass
class FoundPictures:
    """What one folder holds: relative paths of pictures, three numbers on each, and how much else."""

    names: list[str] = field(default_factory=list)
    about: array[int] = field(default_factory=lambda: array("q"))
    others: int = 0
    folders: int = 0


def list_class_folders(
    root: Path, categories: Sequence[str] = (), leave_out: Collection[str] = (), inside: str = ""
) -> ListedPictures:
    """List the pictures of root/train/CLASS and root/test/CLASS, or of root/CLASS where there are no such parts.

    The test part may be called test, val or validation. `categories` keeps those classes alone; `leave_out` are
    folders that are no class, besides those with a usual name of a background. inside: a folder in each class's
    folder in which its pictures lie.
    Raises DataError for what is no such folder or cannot be read, a class of one part that the other lacks, an unknown
    class, and one without a picture.
    """
    parts, notices = _parts(root)
    folders = {part: folders_by_label(root / part) for part in parts}
    names = list(dict.fromkeys(name for found in folders.values() for name in found))
    if unknown := set(leave_out) - set(names):
        raise DataError(f"{root} has no folder '{min(unknown)}' to leave out")
    background = [name for name in names if name in leave_out or name.casefold() in USUAL_BACKGROUNDS]
    if categories:
        if both := set(categories) & set(background):
            raise DataError(f"'{min(both)}' is a background and no class; take it out of the categories")
        chosen = known_classes(categories, [name for name in names if name not in background])
        classes = tuple(sorted(chosen))
    else:
        notices += [f"'{name}' is a background and no class: left out" for name in background]
        classes = tuple(sorted(name for name in names if name not in background))
    listed = ListedPictures(root, classes, notices=notices)
    others = deeper = 0
    for part, found in folders.items():
        for label, name in enumerate(classes):
            if name not in found:
                raise DataError(
                    f"class '{name}' of {root} is not in {part}/; each class needs training and test pictures"
                )
            path = found[name] / inside
            pictures = find_pictures(path, path.relative_to(root).as_posix())
            if not pictures.names:
                inner = f" directly ({pictures.folders} folders in it were not looked into)" if pictures.folders else ""
                raise DataError(f"class '{name}' has no picture in {path}{inner}; add some or remove the folder")
            listed.add(pictures, label, part != parts[0] if len(parts) > 1 else None)
            others, deeper = others + pictures.others, deeper + pictures.folders
    if others:
        listed.notices.append(f"{others:,} {'file' if others == 1 else 'files'} not named like a picture: passed over")
    if deeper:
        listed.notices.append(f"{deeper:,} {'folder' if deeper == 1 else 'folders'} inside classes: not looked into")
    return listed


def find_pictures(folder: Path, prefix: str) -> FoundPictures:
    """The pictures directly in a folder, by name; `prefix` is put before each name. Links are followed.

    Raises DataError for a folder that cannot be read, a link to nowhere, and a picture that is no plain file.
    """
    found = FoundPictures()
    with reading(folder):
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        name = entry.name.casefold()
        if does_not_count(name):
            continue
        try:
            if entry.is_dir():
                found.folders += 1
            elif not name.endswith(SUFFIXES):
                found.others += 1
            else:
                about = entry.stat()
                if not stat.S_ISREG(about.st_mode):
                    raise DataError(f"{entry.path} is no plain file; remove it")
                found.names.append(f"{prefix}/{entry.name}")
                found.about.extend((about.st_size, about.st_mtime_ns, about.st_ctime_ns))
        except OSError as error:
            raise DataError(f"cannot read {entry.path} ({error.strerror or error})") from None
    return found


def _parts(root: Path) -> tuple[tuple[str, ...], list[str]]:
    """The folders of the training and the test part, or one that is the root itself; and a notice on others."""
    names = {path.name.casefold(): path.name for path in label_folders(root)}
    tests = [names[name] for name in TEST_NAMES if name in names]
    if "train" not in names:
        return ("",), []
    if not tests:
        if len(names) == 1:
            raise DataError(
                f"{root} has a folder '{names['train']}' and none with test pictures; call it "
                f"{', '.join(TEST_NAMES[:-1])} or {TEST_NAMES[-1]}, or give the folder '{names['train']}' itself"
            )
        return ("",), []
    unused = [f"'{name}' was not used: '{tests[0]}' is the test part" for name in tests[1:]]
    return (names["train"], tests[0]), unused
