"""Which classes make up the halves A and B, and which of their pictures are trained on and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from .errors import DataError
from .labelled_pictures import LabelledPictures, known_classes
from .pixels import Rows

SplitKind = Literal["random", "natural-manmade"]
Halves = tuple[tuple[str, ...], tuple[str, ...]]

LEAST_CLASSES = 2  # in a half: with one there is nothing to tell apart
TEST_SHARE = 4  # one picture in so many is a test picture, where nothing else is said
_HALVES = ("natural", "man-made")


def most_classes_per_half(kind: SplitKind, classes: Sequence[str], kinds: Sequence[str] | None) -> int:
    """How many classes each half can have. Raises DataError for an unknown split, and where kinds are not known."""
    if kind == "random":
        return len(classes) // 2
    return min(len(places) for places in _by_kind(kind, kinds))


def draw_class_split(
    kind: SplitKind,
    classes: Sequence[str],
    kinds: Sequence[str] | None,
    per_half: int | None,
    generator: np.random.Generator,
) -> Halves:
    """Draw two disjoint sets of equally many classes, A and B, each in the data set's order.

    random: both from all classes. natural-manmade: A from the natural ones, B from the man-made, by `kinds`, the kind
    of each class ('' for neither). per_half: how many each has; None: as many as there can be.
    Raises DataError for an unknown split, kinds that are not known, more classes than there are, and fewer than two.
    """
    most = most_classes_per_half(kind, classes, kinds)
    count = most if per_half is None else per_half
    if most < LEAST_CLASSES:
        raise DataError(
            f"the {kind} split has {most} {_classes(most)} for each half here, and a half with one class cannot be "
            f"learned; at least {LEAST_CLASSES} of each are needed"
        )
    if count < LEAST_CLASSES:
        raise DataError(f"{count} {_classes(count)} a half are asked for; a half with one class cannot be learned")
    if count > most:
        raise DataError(f"{count} classes a half are asked for; the {kind} split has {most} for each here")
    if kind == "random":
        drawn = generator.permutation(len(classes))
        halves = drawn[:count], drawn[count : 2 * count]
    else:
        natural, man_made = _by_kind(kind, kinds)
        halves = generator.permutation(natural)[:count], generator.permutation(man_made)[:count]
    first, second = (tuple(classes[place] for place in sorted(half)) for half in halves)
    return first, second


def _by_kind(kind: SplitKind, kinds: Sequence[str] | None) -> tuple[list[int], list[int]]:
    """The places of the natural classes and of the man-made ones."""
    if kind not in get_args(SplitKind):
        raise DataError(f"there is no class split '{kind}'; known are {', '.join(get_args(SplitKind))}")
    if kinds is None:
        raise DataError(
            "which of these classes are natural and which man-made is not known; it is for cifar10, cifar100, "
            "tiny-imagenet, imagenet and caltech101, and for others a list can be given as class_list: a CSV file "
            "with the header class,kind"
        )
    natural, man_made = ([place for place, one in enumerate(kinds) if one == half] for half in _HALVES)
    return natural, man_made


def draw_pictures(
    pictures: LabelledPictures,
    classes: Sequence[str],
    per_class_training: int | None,
    per_class_test: int | None,
    generator: np.random.Generator,
) -> tuple[Rows, Rows]:
    """Draw the same number of training pictures of each class, and of test pictures; both as sorted rows.

    They come from the data set's own training and test part. Where it has none, test pictures are drawn first and
    training pictures from what is left. None or 0 pictures a class are as many as the smallest class has; of test
    pictures, where the data set has no test part, a quarter of that. From the same state of the generator, and
    whatever the order of `classes`, a smaller number of either gives a part of what a larger one gives.
    Raises DataError for an unknown class, and for one that has fewer pictures than asked for.
    """
    if min(per_class_training or 0, per_class_test or 0) < 0:
        raise DataError("a number of pictures a class cannot be negative")
    chosen = known_classes(classes, pictures.classes)
    training: dict[str, Rows] = {}
    test: dict[str, Rows] = {}
    for place, name in enumerate(pictures.classes):
        if name not in chosen:
            continue
        rows = np.flatnonzero(pictures.labels == place)
        if pictures.is_test is None:
            test[name] = generator.permutation(rows)
            training[name] = test[name][::-1]  # from the other end, so that neither number moves the other draw
        else:
            own = pictures.is_test[rows]
            training[name], test[name] = generator.permutation(rows[~own]), generator.permutation(rows[own])
    if pictures.is_test is None:
        smallest = min((len(rows) for rows in test.values()), default=0)
        held = per_class_test or max(1, smallest // TEST_SHARE)
        training = {name: rows[: max(0, len(rows) - held)] for name, rows in training.items()}
        return _cut(training, per_class_training, "left for training"), _cut(test, held, "in all")
    return _cut(training, per_class_training, "for training"), _cut(test, per_class_test, "for the test")


def _cut(drawn: dict[str, Rows], count: int | None, where: str) -> Rows:
    """The first pictures of each class, as sorted rows."""
    smallest = min((len(rows) for rows in drawn.values()), default=0)
    for name, rows in drawn.items():
        if len(rows) < max(1, count or 0):
            asked = f"; {count} a class are asked for" if count else ""
            raise DataError(
                f"class '{name}' has {len(rows)} {'picture' if len(rows) == 1 else 'pictures'} {where}{asked}"
            )
    return np.sort(np.concatenate([rows[: count or smallest] for rows in drawn.values()] or [np.empty(0, np.intp)]))


def _classes(count: int) -> str:
    return "class" if count == 1 else "classes"
