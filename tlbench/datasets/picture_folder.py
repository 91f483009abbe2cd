"""A folder of folders of pictures: which pictures there are, under which label, and which are the same."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ..whole_files import appearing, sweep
from .downloads import Progress
from .errors import DataError
from .feature_pack import USUAL_BACKGROUNDS
from .remote_files import hash_file, reading

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


@dataclass(frozen=True)
class PictureSet:
    """Distinct pictures, each under one label.

    pictures: (identity, file, label), sorted by identity, which is the first half of the file's SHA-256 in hexadecimal.
    categories: the labels of the categories in the order asked for, else sorted. background: the label of what is none.
    unused: (identity, file) of some pictures of labels that are neither. notices: sentences that a user of these data
    should read.
    """

    pictures: tuple[tuple[str, Path, str], ...]
    categories: tuple[str, ...]
    background: str
    notices: tuple[str, ...] = ()
    unused: tuple[tuple[str, Path], ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 of everything that can change a result: the pictures, and who belongs where."""
        members: dict[str, list[str]] = {label: [] for label in (*sorted(self.categories), self.background)}
        for identity, _, label in self.pictures:
            members[label].append(identity)
        without = members.pop(self.background)
        return hashlib.sha256(json.dumps([list(members.items()), without]).encode()).hexdigest()


@dataclass
class LabelFolder:
    """What lies in one folder: its pictures by name with size and times, and how many other files and folders.

    Both times count: the modification time can be set by anyone, that of the last change of the file's status cannot.
    """

    path: Path
    pictures: dict[str, tuple[int, int, int]]
    others: int = 0
    folders: int = 0


def scan(
    folder: Path,
    categories: Sequence[str] = (),
    background: str | None = None,
    suffixes: Sequence[str] = SUFFIXES,
    *,
    name_of: Callable[[str], str] = str,
    unused: int = 0,
    index: Path | None = None,
    progress: Progress | None = None,
) -> PictureSet:
    """Find the pictures of a folder in which each folder is a label, and know them by their content.

    `categories` keeps those alone, in that order; empty, all but the background are taken. `background` names its
    label; None looks for a usual name. `name_of` makes the label from a folder's name; a user may give either. Pictures
    are told by `suffixes` in any case and lie directly in their label's folder; hidden files, Thumbs.db and __MACOSX do
    not count, and what else is there is passed over with a notice. `unused` is how many pictures of other labels to
    list besides, drawn by the hash of their names, without those that are in use. `index` is a folder of ours in which
    the identities are remembered by path, size and time of change, so that only what is new or changed is read; without
    it, or where it cannot be written, all is read each time. `progress` is told the pictures done and in all.

    A picture that stands twice under one label is kept once, with a notice. Raises DataError for one that stands under
    two, for what is no such folder or cannot be read, for two folders of one label, fewer than two categories, an
    unknown label (naming the nearest), a category without a picture, and a background that is missing or a category.
    """
    folders = folders_by_label(folder, name_of)
    if len(folders) < 3:
        raise DataError(
            f"{folder} holds {_names(list(folders))} alone; a background and at least two categories are needed, a "
            "folder each"
        )
    background = _background(folders, background, folder)
    wanted = tuple(dict.fromkeys(_known(name, folders, folder) for name in categories))
    wanted = wanted or tuple(sorted(set(folders) - {background}))
    if background in wanted:
        raise DataError(f"'{background}' is the background and cannot be a category as well")
    if len(wanted) < 2:
        raise DataError(f"only '{wanted[0]}' is a category; an experiment needs at least two")
    listed = {label: list_pictures(folders[label], suffixes) for label in (*wanted, background)}
    for label, found in listed.items():
        if not found.pictures:
            deeper = f" directly ({found.folders} folders in it were not looked into)" if found.folders else ""
            raise DataError(f"'{label}' has no picture in {found.path}{deeper}; add some or remove the folder")
    others = _some([list_pictures(folders[label], suffixes) for label in folders if label not in listed], unused)
    identified = list(_identified(folder, {**listed, **others}, index, progress))
    pictures, notices = _distinct(one for one in identified if one[2] in listed)
    used = {identity for identity, _, _ in pictures}
    rest = {identity: path for identity, path, label in identified if label not in listed and identity not in used}
    return PictureSet(pictures, wanted, background, (*notices, *passed_over(listed)), tuple(sorted(rest.items())))


def _some(labels: Sequence[LabelFolder], count: int) -> dict[str, LabelFolder]:
    """So many of their pictures, by the hash of their names, under keys that are no labels."""
    every = [(found.path, name) for found in labels for name in found.pictures]
    every.sort(key=lambda one: hashlib.sha256(os.fsencode(f"{one[0].name}/{one[1]}")).digest())
    chosen = set(every[:count])
    return {
        f"/{found.path.name}": replace(
            found, pictures={name: about for name, about in found.pictures.items() if (found.path, name) in chosen}
        )
        for found in (labels if count else ())
    }


def list_pictures(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> LabelFolder:
    """List the pictures directly in a folder, without opening them. Raises DataError for one that is no plain file."""
    endings = tuple(suffix.casefold() for suffix in suffixes)
    found = LabelFolder(folder, {})
    with reading(folder):
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        name = entry.name.casefold()
        if does_not_count(name):
            continue
        _refuse_dangling(Path(entry.path))
        with reading(Path(entry.path)):
            deeper = entry.is_dir()
        if deeper:
            found.folders += 1
        elif not name.endswith(endings):
            found.others += 1
        else:
            with reading(Path(entry.path)):
                about = entry.stat()
            if not stat.S_ISREG(about.st_mode):
                raise DataError(f"{entry.path} is no plain file; remove it")
            found.pictures[entry.name] = (about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    return found


def does_not_count(name: str) -> bool:
    """Whether a casefolded name is hidden, or what systems leave behind."""
    return name.startswith(".") or name in ("thumbs.db", "__macosx")


def label_folders(folder: Path) -> list[Path]:
    """The folders in a folder that can be labels, sorted. Raises DataError where it is no folder or holds none."""
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "is not there"
        raise DataError(f"{folder} {what}; give the folder in which each label has a folder of pictures")
    with reading(folder):
        entries = list(os.scandir(folder))
        for entry in entries:
            _refuse_dangling(Path(entry.path))
        names = sorted(entry.name for entry in entries if entry.is_dir())
    names = [name for name in names if not name.startswith(".") and name.casefold() != "__macosx"]
    if not names:
        raise DataError(f"{folder} has no folders in it; put the pictures of each label into a folder of its own")
    return [folder / name for name in names]


def _refuse_dangling(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise DataError(f"{path} is a link to nowhere; mend or remove it")


def folders_by_label(folder: Path, name_of: Callable[[str], str] = str) -> dict[str, Path]:
    """The folder of each label; labels are in Unicode's composed form, whatever the file system's is.

    Raises DataError as ``label_folders`` does, and for a name that is not UTF-8 and two folders of one label.
    """
    folders: dict[str, Path] = {}
    for path in label_folders(folder):
        label = unicodedata.normalize("NFC", name_of(path.name))
        if re.search("[\ud800-\udfff]", label):
            raise DataError(f"the name of the folder {path.name!r} in {folder} is not UTF-8; rename it")
        if label in folders:
            raise DataError(f"{folders[label]} and {path} are both '{label}'; rename or remove one of them")
        folders[label] = path
    return folders


def _background(folders: Mapping[str, Path], named: str | None, folder: Path) -> str:
    if named is not None:
        return _known(named, folders, folder)
    usual = [
        label
        for label, path in folders.items()
        if label.casefold() in USUAL_BACKGROUNDS or path.name.casefold() in USUAL_BACKGROUNDS
    ]
    if len(usual) != 1:
        which = f"{_names(usual)} could each be the background" if usual else "no label is a background"
        raise DataError(f"{which}; name one with --background ({_names(list(folders))})")
    return usual[0]


def _known(name: str, folders: Mapping[str, Path], folder: Path) -> str:
    """The label that a user's word names, be it the label or its folder. Raises DataError with the nearest known."""
    word = unicodedata.normalize("NFC", name)
    if word in folders:
        return word
    for label, path in folders.items():
        if unicodedata.normalize("NFC", path.name) == word:
            return label
    known = {label.casefold(): label for label in folders}
    close = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=0.5)
    hint = f"did you mean '{known[close[0]]}'?" if close else f"there are {_names(list(folders))}"
    raise DataError(f"there is no label '{name}' in {folder}; {hint}")


def _identified(
    folder: Path, listed: Mapping[str, LabelFolder], index: Path | None, progress: Progress | None
) -> Iterator[tuple[str, Path, str]]:
    """Yield each picture with its identity, remembered or read; at the end, come what may, remember those."""
    known = _Index(folder, index)
    known.forget_but(found for label, found in listed.items() if not label.startswith("/"))
    done, total = 0, sum(len(found.pictures) for found in listed.values())
    try:
        for label, found in listed.items():
            for name, about in found.pictures.items():
                path = found.path / name
                yield known.identity(path, about), path, label
                done += 1
                if progress is not None:
                    progress(done, total)
    finally:
        known.save()


class _Index:
    """The identities of a folder's pictures, each by path, size and time of change, as remembered in a file."""

    def __init__(self, folder: Path, place: Path | None) -> None:
        self.folder = folder
        name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
        self.file = None if place is None else place / f"pictures-{name}.json"
        self.known: dict[str, tuple[int, int, int, str]] = {}
        self.changed = False
        if self.file is not None:
            with suppress(OSError, ValueError, TypeError, AttributeError):  # one that cannot be read is none
                kept = json.loads(self.file.read_text(encoding="utf-8"))
                self.known = {
                    str(path): (int(size), int(time), int(change), identity)
                    for path, (size, time, change, identity) in kept["pictures"].items()
                    if re.fullmatch("[0-9a-f]{32}", identity)
                }

    def identity(self, path: Path, about: tuple[int, int, int]) -> str:
        key = f"{path.parent.name}/{path.name}"
        *remembered, identity = self.known.get(key, (-1, -1, -1, ""))
        if tuple(remembered) == about:
            return str(identity)
        with reading(path):
            identity = hash_file(path, "sha256")[0].hexdigest()[:32]
            now = path.stat()
        self.known.pop(key, None)
        if (
            now.st_size,
            now.st_mtime_ns,
            now.st_ctime_ns,
        ) == about:  # else it was being written, and will be read again
            self.known[key] = (*about, identity)
        self.changed = True
        return identity

    def forget_but(self, listed: Iterable[LabelFolder]) -> None:
        """Forget pictures that are no longer in these folders."""
        there = {found.path.name: found.pictures for found in listed}
        for key in list(self.known):
            name, _, picture = key.partition("/")
            if name in there and picture not in there[name]:
                del self.known[key]
                self.changed = True

    def save(self) -> None:
        if self.file is None or not self.changed:
            return
        content = {"folder": str(self.folder), "pictures": dict(sorted(self.known.items()))}
        with suppress(OSError):
            sweep(self.file.parent)
            with appearing(self.file) as file:
                file.write(json.dumps(content).encode())


def _distinct(found: Iterable[tuple[str, Path, str]]) -> tuple[tuple[tuple[str, Path, str], ...], list[str]]:
    """The distinct pictures, sorted by identity, and what was left out."""
    first: dict[str, tuple[str, Path, str]] = {}
    repeats: dict[str, int] = {}
    for identity, path, label in found:
        _, other, others = first.setdefault(identity, (identity, path, label))
        if others != label:
            raise DataError(
                f"{other} (label '{others}') and {path} (label '{label}') are the same picture; remove one of them"
            )
        if other != path:
            repeats[label] = repeats.get(label, 0) + 1
    notices = [
        f"{_count(times, 'picture stands', 'pictures stand')} twice under '{label}': kept once"
        for label, times in repeats.items()
    ]
    return tuple(first[identity] for identity in sorted(first)), notices


def passed_over(listed: Mapping[str, LabelFolder]) -> Iterator[str]:
    """What lies in folders beside their pictures, a sentence each."""
    for label, found in listed.items():
        if found.others:
            yield f"{_count(found.others, 'file', 'files')} under '{label}' not named like a picture: passed over"
        if found.folders:
            yield f"{_count(found.folders, 'folder', 'folders')} inside '{label}': not looked into"


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _names(labels: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(f"'{label}'" for label in labels[:most])
    return shown + (f" and {len(labels) - most} more" if len(labels) > most else "")
