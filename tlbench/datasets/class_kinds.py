"""Which classes are natural and which are man-made: the lists that come with the program, and a user's own.

imagenet.csv is the list of Yosinski et al. (2014), by WordNet number: 449 natural classes, 551 man-made. The other
three are declared here, since no published list is known for them: animals, plants and their fruits, people and
landscapes are natural; what is built, cooked or drawn is man-made. The borderline ones are decided so:

- CIFAR-100: `dinosaur` natural (models and drawings of an animal), `plain` natural and `road` man-made (the landscape
  and what is built in it), `mouse` natural (the animal), `bowl`, `can` and `plate` man-made whatever lies in them.
- Caltech-101: `bonsai`, `brain`, `trilobite`, `brontosaurus` and `stegosaurus` natural, although grown in a pot, in
  models or drawings; `buddha` (statues), `garfield` and `snoopy` (drawn animals) man-made; `pizza` man-made, as
  prepared dishes are in the paper's list.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

from .errors import DataError
from .labelled_pictures import LabelledPictures, nearest_class, restrict_classes
from .remote_files import reading

LISTS = ("imagenet.csv", "cifar10.csv", "cifar100.csv", "caltech101.csv")
KINDS = ("natural", "man-made")
_COLUMNS = ("class", "kind")


def declared_kinds(classes: Sequence[str]) -> tuple[str, ...] | None:
    """The kind of each class, by the first list that knows all of them; None if none does.

    Names are compared without regard to case, and to whether words are joined by '_', '-' or a space.
    """
    for name in LISTS:
        known = _declared(name)
        kinds = [known.get(_plain(one)) for one in classes]
        if classes and None not in kinds:
            return tuple(kind for kind in kinds if kind)
    return None


def declared_classes(name: str) -> tuple[str, ...]:
    """The classes of one of our lists, in its order."""
    return tuple(_declared(name))


def read_class_list(path: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """The kind of each class by a user's CSV file with the header class,kind; '' for one that is not listed.

    A name that is no class as it stands is compared as in ``declared_kinds``.
    Raises DataError for a file that cannot be read or lacks a column, a class that is unknown or listed twice, a name
    that may be several classes, a kind that is neither natural nor man-made, and a kind with fewer than two classes.
    """
    try:
        with reading(path), path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
            columns = list(rows[0]) if rows else []
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8 ({error})") from None
    if lacking := [name for name in _COLUMNS if name not in columns]:
        raise DataError(f"{path} has no column '{lacking[0]}'; its first line must be class,kind, and classes follow")
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(_plain(name), []).append(name)
    found = [""] * len(classes)
    for number, row in enumerate(rows, 2):
        name, kind = ((row[column] or "").strip() for column in _COLUMNS)
        meant = [name] if name in classes else alike.get(_plain(name), [])
        if not meant:
            raise DataError(f"line {number} of {path}: there is no class '{name}'; {nearest_class(name, classes)}")
        if len(meant) > 1:
            raise DataError(f"line {number} of {path}: '{name}' may be '{meant[0]}' or '{meant[1]}'; write it as one")
        if kind not in KINDS:
            raise DataError(f"line {number} of {path}: '{kind}' is neither natural nor man-made")
        place = classes.index(meant[0])
        if found[place]:
            raise DataError(f"line {number} of {path}: class '{name}' stands there twice")
        found[place] = kind
    for kind in KINDS:
        if found.count(kind) < 2:
            raise DataError(f"{path} names {found.count(kind)} {kind} of these classes; at least two are needed")
    return tuple(found)


def as_chosen(pictures: LabelledPictures, categories: Sequence[str], class_list: Path | str | None) -> LabelledPictures:
    """Only the classes that a user chose, all if none, each with its kind.

    Kinds are those of the user's list, else of a list of ours that knows all the classes, else None.
    Raises DataError as ``restrict_classes`` and ``read_class_list`` do.
    """
    if categories and set(categories) != set(pictures.classes):
        pictures = restrict_classes(pictures, categories)
    if class_list is None:
        return replace(pictures, kinds=declared_kinds(pictures.classes))
    if not str(class_list):
        raise DataError("class_list is empty; give it the path of a CSV file with the header class,kind")
    kinds = read_class_list(Path(class_list).expanduser(), pictures.classes)
    notice = (
        f"class_list names {kinds.count(KINDS[0])} natural and {kinds.count(KINDS[1])} man-made of {len(kinds)} "
        "classes; random halves do not use it, class_split=natural-manmade does"
    )
    return replace(pictures, kinds=kinds, notices=(*pictures.notices, notice))


@cache
def _declared(name: str) -> dict[str, str]:
    """A list of ours, by plain name of the class."""
    text = resources.files(__package__).joinpath("class_kinds", name).read_text(encoding="utf-8")
    return {_plain(row[0]): row[1] for row in csv.reader(text.splitlines()[1:])}


def _plain(name: str) -> str:
    return name.strip().casefold().replace("-", "_").replace(" ", "_")
