"""Halves of classes and draws of pictures: what they may be, how often each comes, and what holds what."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets import (
    ArrayPixels,
    DataError,
    LabelledPictures,
    draw_class_split,
    draw_pictures,
    most_classes_per_half,
)

CLASSES = tuple("abcdefghi")
KINDS = ("natural", "man-made", "natural", "", "man-made", "natural", "natural", "man-made", "natural")


def made(counts, test_counts=None):
    """Pictures without pixels worth a look: so many of each class, and so many test pictures of each."""
    labels = np.repeat(np.arange(len(counts)), counts)
    is_test = None
    if test_counts:
        labels = np.concatenate([labels, np.repeat(np.arange(len(counts)), test_counts)])
        is_test = np.arange(len(labels)) >= sum(counts)
    order = np.random.default_rng(5).permutation(len(labels))
    labels, is_test = labels[order], None if is_test is None else is_test[order]
    pixels = ArrayPixels(np.zeros((len(labels), 1, 1, 1), np.uint8))
    return LabelledPictures(pixels, labels, CLASSES[: len(counts)], is_test)


@pytest.mark.parametrize("per_half", [None, 2, 4])
def test_random_halves_are_disjoint_and_of_one_size(per_half):
    for seed in range(20):
        first, second = draw_class_split("random", CLASSES, None, per_half, np.random.default_rng(seed))
        assert len(first) == len(second) == (per_half or 4)
        assert not set(first) & set(second)
        assert set(first) | set(second) <= set(CLASSES)
        assert list(first) == sorted(first)
        assert (first, second) == draw_class_split("random", CLASSES, None, per_half, np.random.default_rng(seed))


def test_every_class_is_as_likely_in_either_half():
    draw = np.random.default_rng(0)
    halves = [draw_class_split("random", CLASSES, None, 3, draw) for _ in range(3000)]
    for half in (0, 1):
        shares = np.array([sum(name in pair[half] for pair in halves) for name in CLASSES]) / 3000
        assert np.abs(shares - 3 / 9).max() < 4 * np.sqrt(1 / 3 * 2 / 3 / 3000)


def test_natural_against_man_made():
    naturals = set()
    for seed in range(20):
        first, second = draw_class_split("natural-manmade", CLASSES, KINDS, None, np.random.default_rng(seed))
        assert second == ("b", "e", "h")
        assert len(first) == 3
        assert set(first) <= {"a", "c", "f", "g", "i"}
        assert list(first) == sorted(first)
        naturals.add(first)
    assert len(naturals) > 3
    first, second = draw_class_split("natural-manmade", CLASSES, KINDS, 2, np.random.default_rng(0))
    assert (len(first), len(second)) == (2, 2)


def test_how_many_classes_a_half_can_have():
    assert most_classes_per_half("random", CLASSES, None) == 4
    assert most_classes_per_half("natural-manmade", CLASSES, KINDS) == 3


@pytest.mark.parametrize(
    ("kind", "classes", "kinds", "per_half", "says"),
    [
        (
            "natural-manmade",
            CLASSES,
            None,
            None,
            "cifar10, cifar100, tiny-imagenet, imagenet and caltech101, .*class_list",
        ),
        ("random", CLASSES, None, 5, "classes_per_half is 5; the random split has 4 classes for each half here"),
        ("natural-manmade", CLASSES, KINDS, 4, "classes_per_half is 4; the natural-manmade split has 3"),
        ("random", CLASSES, None, 1, "classes_per_half is 1; a half with fewer than 2 classes cannot be learned"),
        ("random", CLASSES, None, 0, "classes_per_half is 0; a half with fewer than 2 classes"),
        ("random", "abc", None, None, "has 1 class for each half here, and a half with one class cannot be learned"),
        ("natural-manmade", "abc", ("natural", "man-made", ""), None, "a half with one class cannot be learned"),
        ("by colour", CLASSES, KINDS, None, "no class split 'by colour'; known are random, natural-manmade"),
    ],
)
def test_a_split_that_cannot_be_is_refused(kind, classes, kinds, per_half, says):
    with pytest.raises(DataError, match=says):
        draw_class_split(kind, classes, kinds, per_half, np.random.default_rng(0))


def test_pictures_come_from_their_own_parts_equally_many_of_each_class():
    pictures = made([12, 9, 20], [5, 4, 6])
    train, test = draw_pictures(pictures, ["c", "a"], 7, 3, np.random.default_rng(0))
    assert np.bincount(pictures.labels[train]).tolist() == [7, 0, 7]
    assert np.bincount(pictures.labels[test]).tolist() == [3, 0, 3]
    assert not pictures.is_test[train].any()
    assert pictures.is_test[test].all()
    for rows in (train, test):
        assert rows.tolist() == sorted(set(rows.tolist()))
    for all_of_them in (None, 0):
        train, test = draw_pictures(pictures, ["a", "b"], all_of_them, all_of_them, np.random.default_rng(0))
        assert np.bincount(pictures.labels[train]).tolist() == [9, 9]
        assert np.bincount(pictures.labels[test]).tolist() == [4, 4]


@pytest.mark.parametrize("test_counts", [None, [9, 3, 8, 7]])
def test_all_halves_have_as_many_pictures_as_the_smallest_class_of_all_allows(test_counts):
    pictures = made([40, 30, 13, 20], test_counts)
    for training, test, expected in (
        (0, 0, (13, 3) if test_counts else (10, 3)),
        (None, 2, (13, 2) if test_counts else (11, 2)),
        (5, None, (5, 3)),
    ):
        for half in ("ab", "cd", "ad"):
            drawn = draw_pictures(pictures, half, training, test, np.random.default_rng(0))
            assert tuple(len(rows) / 2 for rows in drawn) == expected
            assert not set(drawn[0]) & set(drawn[1])
    whole = draw_pictures(pictures, "ab", 0, 0, np.random.default_rng(3))
    part = draw_pictures(pictures, "ab", 4, 1, np.random.default_rng(3))
    assert all(set(fewer) < set(more) for fewer, more in zip(part, whole, strict=True))


def test_asked_for_in_numbers_larger_classes_may_give_more_than_the_smallest_has():
    pictures = made([40, 30, 13, 20])
    train, test = draw_pictures(pictures, "ab", 20, 10, np.random.default_rng(0))
    assert (train.tolist()[:6], test.tolist()[:6]) == (
        [1, 2, 7, 11, 12, 13],
        [3, 5, 8, 9, 16, 20],
    )  # as they were drawn
    assert (len(train), len(test)) == (40, 20)


def test_without_a_test_part_test_pictures_are_held_apart():
    pictures = made([20, 16, 30])
    train, test = draw_pictures(pictures, CLASSES[:3], None, None, np.random.default_rng(0))
    assert np.bincount(pictures.labels[test]).tolist() == [4, 4, 4]
    assert np.bincount(pictures.labels[train]).tolist() == [12, 12, 12]
    assert not set(train) & set(test)
    train, test = draw_pictures(pictures, CLASSES[:3], 10, 6, np.random.default_rng(0))
    assert (len(train), len(test)) == (30, 18)
    assert not set(train) & set(test)
    train, test = draw_pictures(made([2, 2]), "ab", None, None, np.random.default_rng(0))
    assert (len(train), len(test)) == (2, 2)


@pytest.mark.parametrize("test_counts", [None, [9, 9, 9]])
def test_a_larger_draw_holds_a_smaller_one(test_counts):
    pictures = made([40, 40, 40], test_counts)

    def draw(training, test, classes="abc"):
        return draw_pictures(pictures, classes, training, test, np.random.default_rng(3))

    train, test = draw(20, 8)
    assert set(draw(5, 8)[0]) < set(train)
    assert np.array_equal(draw(5, 8)[1], test)
    assert np.array_equal(draw(20, 3)[0], train)
    assert set(draw(20, 3)[1]) < set(test)
    assert all(np.array_equal(one, other) for one, other in zip(draw(20, 8), draw(20, 8, "cab"), strict=True))


def test_every_picture_is_as_likely():
    pictures, draw = made([10, 10]), np.random.default_rng(0)
    drawn = [draw_pictures(pictures, "ab", 3, 2, draw) for _ in range(2000)]
    for part, share in ((0, 0.3), (1, 0.2)):
        shares = np.bincount(np.concatenate([pair[part] for pair in drawn]), minlength=20) / 2000
        assert np.abs(shares - share).max() < 4 * np.sqrt(share * (1 - share) / 2000)


@pytest.mark.parametrize(
    ("pictures", "training", "test", "says"),
    [
        (
            made([12, 9], [5, 4]),
            10,
            2,
            "'b' has 9 training pictures; pictures_per_class can be at most 9 with it, not 10",
        ),
        (
            made([12, 9], [5, 4]),
            5,
            5,
            "'b' has 4 test pictures; test_pictures_per_class can be at most 4 with it, not 5",
        ),
        (made([12, 9]), 8, 3, "'b' has 9 pictures; test_pictures_per_class can be at most 1 with it, not 3"),
        (made([12, 9]), None, 10, "'b' has 9 pictures; test_pictures_per_class can be at most 8 with it, not 10"),
        (made([12, 9]), 9, 3, "'b' has 9 pictures; pictures_per_class can be at most 6 with it, not 9"),
        (made([12, 9]), 8, None, "'b' has 9 pictures; pictures_per_class can be at most 7 with it, not 8"),
        (made([12, 9, 4]), None, 6, "'c' has 4 pictures; test_pictures_per_class can be at most 3 with it, not 6"),
        (made([12, 1]), None, None, "class 'b' has 1 picture; each class needs at least two"),
        (made([3, 3], [1, 0]), None, None, "class 'b' has 0 test pictures; each class needs at least one"),
        (made([3, 3], [1, 0]), 1, 2, "class 'b' has 0 test pictures; each class needs at least one"),
        (made([3, 3]), -1, None, "a number of pictures a class cannot be negative"),
    ],
)
def test_too_few_pictures_are_counted(pictures, training, test, says):
    with pytest.raises(DataError, match=says):
        draw_pictures(pictures, "ab", training, test, np.random.default_rng(0))


def test_an_unknown_class_is_refused():
    with pytest.raises(DataError, match="there is no class 'z'"):
        draw_pictures(made([3, 3]), "az", None, None, np.random.default_rng(0))
