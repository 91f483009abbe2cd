"""Which classes make up the halves A and B, and which of their pictures are trained on and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from .errors import DataError
from .labelled_pictures import Flags, LabelledPictures, known_classes
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
        raise DataError(
            f"classes_per_half is {count}; a half with fewer than {LEAST_CLASSES} classes cannot be learned"
        )
    if count > most:
        raise DataError(f"classes_per_half is {count}; the {kind} split has {most} classes for each half here")
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
    training pictures from what is left. None or 0 pictures a class are as many as the smallest class of the whole data
    set allows, whichever `classes` are drawn, so that all halves have equally many; where there is no test part, a
    quarter of that class is for the test and the rest for training. From the same state of the generator, and whatever
    the order of `classes`, a smaller number of either gives a part of what a larger one gives.
    Raises DataError for an unknown class, and for one that has fewer pictures than asked for.
    """
    if min(per_class_training or 0, per_class_test or 0) < 0:
        raise DataError("a number of pictures a class cannot be negative")
    chosen = known_classes(classes, pictures.classes)
    places = [place for place, name in enumerate(pictures.classes) if name in chosen]
    if pictures.is_test is None:
        counts = _counts_of_whole(pictures, places, per_class_training or 0, per_class_test or 0)
    else:
        counts = (
            _count_of_part(pictures, places, ~pictures.is_test, per_class_training or 0, "training"),
            _count_of_part(pictures, places, pictures.is_test, per_class_test or 0, "test"),
        )
    training, test = [], []
    for place in places:
        rows = np.flatnonzero(pictures.labels == place)
        if pictures.is_test is None:
            drawn = generator.permutation(rows)
            learned, held = drawn[::-1], drawn  # from the other end, so that neither number moves the other draw
        else:
            own = pictures.is_test[rows]
            learned, held = generator.permutation(rows[~own]), generator.permutation(rows[own])
        training.append(learned[: counts[0]])
        test.append(held[: counts[1]])
    return np.sort(np.concatenate(training)), np.sort(np.concatenate(test))


def _count_of_part(pictures: LabelledPictures, places: list[int], part: Flags, asked: int, word: str) -> int:
    """Pictures a class of the training or the test part; for 0, as many as every class of the data set has in it."""
    sizes = np.bincount(pictures.labels[part], minlength=len(pictures.classes))
    smallest = int(sizes.min())
    if (sizes[places].min() if asked else smallest) < max(1, asked):
        name = "test_pictures_per_class" if word == "test" else "pictures_per_class"
        end = _at_most(name, smallest, asked) if asked and smallest else "each class needs at least one"
        raise DataError(f"class '{pictures.classes[sizes.argmin()]}' has {_pictures(smallest, f'{word} ')}; {end}")
    return asked or smallest


def _counts_of_whole(pictures: LabelledPictures, places: list[int], training: int, test: int) -> tuple[int, int]:
    """Training and test pictures a class where there is no test part; for 0, what the smallest class allows."""
    sizes = np.bincount(pictures.labels, minlength=len(pictures.classes))
    smallest = int(sizes.min())
    held = test or max(1, smallest // TEST_SHARE)
    learned = training or smallest - held
    if learned < 1 or learned + held > sizes[places].min():
        room = smallest - (training or 1)
        if smallest < 2:
            end = "each class needs at least two, one to train on and one for the test"
        elif test and room > 0:
            end = _at_most("test_pictures_per_class", room, test)
        else:
            end = _at_most("pictures_per_class", max(1, smallest - held), training)
        raise DataError(f"class '{pictures.classes[sizes.argmin()]}' has {_pictures(smallest)}; {end}")
    return learned, held


def _at_most(name: str, most: int, asked: int) -> str:
    return f"{name} can be at most {most:,} with it, not {asked:,}"


def _pictures(count: int, word: str = "") -> str:
    return f"{count:,} {word}{'picture' if count == 1 else 'pictures'}"


def _classes(count: int) -> str:
    return "class" if count == 1 else "classes"
