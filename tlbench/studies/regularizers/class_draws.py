"""Which classes are the source's and which the target's, and which picture is used for what.

The pictures of every class are divided once into two parts. All units that are reported draw from one, all rehearsals,
where strengths are chosen, from the other: no picture of a reported test was ever seen by a choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...datasets import DataError, LabelledPictures, draw_class_split, generator

Rows = NDArray[np.int64]
Part = Literal["rehearsal", "reported"]


@dataclass(frozen=True)
class Amounts:
    """Classes of each half and pictures a class, but for ``unlabelled``, which are of all target classes together.

    classes_per_half: 0 for half of them all. source_pictures: 0 for as many as each class has.
    """

    classes_per_half: int
    source_pictures: int
    most_shots: int
    unlabelled: int
    test_pictures: int


@dataclass(frozen=True)
class ClassDraw:
    """A source and a target of disjoint classes.

    source: rows. labelled: rows (classes, most shots); the first s of each class are the s-shot task, so smaller tasks
    are nested in larger ones. unlabelled: rows of any target class, neither labelled nor tested. test: rows.
    """

    source_classes: tuple[str, ...]
    target_classes: tuple[str, ...]
    source: Rows
    labelled: Rows
    unlabelled: Rows
    test: Rows


def draw_classes(
    pictures: LabelledPictures, amounts: Amounts, part: Part, seed: int, unit: str, split: int
) -> ClassDraw:
    """Draw the classes of a unit and its source's pictures, and for each split anew the target's pictures.

    What is learned comes from the data set's own training part and the test from its test part, where it has one.
    Raises DataError where there are too few classes or pictures, with how many there are and how many are needed.
    """
    source_classes, target_classes = draw_class_split(
        "random", pictures.classes, None, amounts.classes_per_half or None, generator(seed, f"{part} classes", unit)
    )
    drawn = generator(seed, f"{part} source", unit)
    source = []
    for name in source_classes:
        rows, _ = _rows_of_class(pictures, name, part, seed)
        count = amounts.source_pictures or len(rows)
        _refuse_too_few(name, part, len(rows), {"source_pictures": max(1, count)})
        source.append(drawn.permutation(rows)[:count])
    drawn = generator(seed, f"{part} target", unit, split)
    labelled, left, test = [], [], []
    for name in target_classes:
        learned, held = (drawn.permutation(rows) for rows in _rows_of_class(pictures, name, part, seed))
        if pictures.is_test is None:
            wanted = {"test_pictures": amounts.test_pictures, "shots": amounts.most_shots}
            _refuse_too_few(name, part, len(learned), wanted)
            held, learned = learned[: amounts.test_pictures], learned[amounts.test_pictures :]
        _refuse_too_few(name, part, len(held), {"test_pictures": amounts.test_pictures})
        _refuse_too_few(name, part, len(learned), {"shots": amounts.most_shots})
        labelled.append(learned[: amounts.most_shots])
        left.append(learned[amounts.most_shots :])
        test.append(held[: amounts.test_pictures])
    pool = np.concatenate(left)
    if len(pool) < amounts.unlabelled:
        raise DataError(
            f"the target's classes have {len(pool)} pictures left in the {part} part; set unlabelled to no more, or "
            "fewer shots"
        )
    return ClassDraw(
        source_classes,
        target_classes,
        np.sort(np.concatenate(source)),
        np.array(labelled),
        np.sort(drawn.permutation(pool)[: amounts.unlabelled]),
        np.sort(np.concatenate(test)),
    )


def _rows_of_class(pictures: LabelledPictures, name: str, part: Part, seed: int) -> tuple[Rows, Rows]:
    """A class's half for that part: pictures to learn from and to test on, or all and none without a test part."""
    of_class = pictures.labels == pictures.classes.index(name)
    tested = np.zeros_like(of_class) if pictures.is_test is None else pictures.is_test
    drawn = generator(seed, "parts", name)
    halves = []
    for rows in (np.flatnonzero(of_class & ~tested), np.flatnonzero(of_class & tested)):
        shuffled, middle = drawn.permutation(rows), len(rows) // 2
        halves.append(np.sort(shuffled[:middle] if part == "rehearsal" else shuffled[middle : 2 * middle]))
    return halves[0], halves[1]


def _refuse_too_few(name: str, part: Part, count: int, wanted: dict[str, int]) -> None:
    if count < sum(wanted.values()):
        asked = " and ".join(f"{key}={number}" for key, number in wanted.items())
        raise DataError(
            f"class '{name}' has {count} such pictures in its {part} half; {asked} need {sum(wanted.values())}, so set "
            "fewer"
        )
