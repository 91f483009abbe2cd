"""Which picture is used for what: nothing twice, nothing of a reported unit in a rehearsal, and what is too few."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tlbench.datasets import ArrayPixels, DataError, LabelledPictures
from tlbench.datasets.digits import load_digit_pictures
from tlbench.studies.regularizers.class_draws import Amounts, draw_classes

AMOUNTS = Amounts(classes_per_half=0, source_pictures=0, most_shots=20, unlabelled=30, test_pictures=40)


@pytest.fixture(scope="module")
def digits():
    return load_digit_pictures()


def made(classes=4, each=20, own_test=None):
    """Pictures of which only the numbers matter; own_test: how many of each class are the data set's test part."""
    labels = np.repeat(np.arange(classes), each)
    values = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), dtype=np.uint8)
    is_test = None if own_test is None else np.tile(np.arange(each) < own_test, classes)
    return LabelledPictures(ArrayPixels(values), labels, tuple(f"c{n}" for n in range(classes)), is_test)


def used(drawn):
    return np.concatenate([drawn.source, drawn.labelled.ravel(), drawn.unlabelled, drawn.test])


@pytest.mark.parametrize("part", ["rehearsal", "reported"])
def test_every_picture_has_one_use_and_the_class_that_it_is_used_for(digits, part):
    drawn = draw_classes(digits, AMOUNTS, part, 0, "draw 01", 0)
    assert len(drawn.source_classes) == len(drawn.target_classes) == 5
    assert not set(drawn.source_classes) & set(drawn.target_classes)
    assert len(np.unique(used(drawn))) == len(used(drawn))
    assert drawn.labelled.shape == (5, 20)
    assert len(drawn.unlabelled) == 30
    assert len(drawn.test) == 5 * 40
    assert len(drawn.source) >= 5 * 85
    names = np.array(digits.classes)[digits.labels]
    for rows, classes in ((drawn.source, drawn.source_classes), (drawn.test, drawn.target_classes)):
        assert set(names[rows]) == set(classes)
    assert set(names[drawn.unlabelled]) <= set(drawn.target_classes)
    for name, rows in zip(drawn.target_classes, drawn.labelled, strict=True):
        assert set(names[rows]) == {name}


def test_no_picture_of_a_rehearsal_is_in_a_reported_unit(digits):
    seen = [
        np.unique(np.concatenate([used(draw_classes(digits, AMOUNTS, part, 0, f"{part} {n}", 0)) for n in range(12)]))
        for part in ("rehearsal", "reported")
    ]
    assert not set(seen[0]) & set(seen[1])
    assert all(len(rows) > 850 for rows in seen)


def test_fewer_shots_are_a_part_of_more_and_leave_the_test_as_it_is(digits):
    less = dataclasses.replace(AMOUNTS, most_shots=3)
    many, few = (draw_classes(digits, amounts, "reported", 0, "draw 01", 0) for amounts in (AMOUNTS, less))
    np.testing.assert_array_equal(many.labelled[:, :3], few.labelled)
    np.testing.assert_array_equal(many.test, few.test)
    np.testing.assert_array_equal(many.source, few.source)


def test_a_split_draws_the_targets_pictures_anew_and_a_unit_or_seed_everything(digits):
    first = draw_classes(digits, AMOUNTS, "reported", 0, "draw 01", 0)
    split = draw_classes(digits, AMOUNTS, "reported", 0, "draw 01", 1)
    assert split.target_classes == first.target_classes
    np.testing.assert_array_equal(split.source, first.source)
    assert not np.array_equal(split.labelled, first.labelled)
    for seed, unit in ((0, "draw 02"), (1, "draw 01")):
        other = draw_classes(digits, AMOUNTS, "reported", seed, unit, 0)
        assert not np.array_equal(other.source, first.source)


def test_tests_come_from_the_data_sets_own_test_part():
    pictures = made(each=40, own_test=16)
    drawn = draw_classes(pictures, Amounts(2, 5, 4, 6, 8), "reported", 0, "draw 01", 0)
    assert pictures.is_test[drawn.test].all()
    assert not pictures.is_test[np.concatenate([drawn.source, drawn.labelled.ravel(), drawn.unlabelled])].any()
    assert len(drawn.test) == 2 * 8
    assert len(drawn.source) == 2 * 5


@pytest.mark.parametrize(
    ("pictures", "amounts", "says"),
    [
        (
            made(),
            Amounts(0, 0, 5, 2, 6),
            r"class 'c\d' has 10 such .*test_pictures=6 and shots=5 need 11, so set fewer",
        ),
        (made(), Amounts(0, 11, 2, 2, 4), "source_pictures=11 need 11"),
        (made(), Amounts(0, 0, 5, 11, 4), "have 2 pictures left in the reported part; set unlabelled to no more"),
        (made(each=40, own_test=10), Amounts(0, 0, 5, 2, 6), "has 5 such .*test_pictures=6 need 6"),
        (made(each=40, own_test=30), Amounts(0, 0, 6, 2, 6), "has 5 such .*shots=6 need 6"),
        (made(classes=3), Amounts(0, 0, 1, 1, 1), "at least 2"),
        (made(), Amounts(3, 0, 1, 1, 1), "classes_per_half is 3; the random split has 2 classes"),
    ],
)
def test_too_few_pictures_or_classes_are_told(pictures, amounts, says):
    with pytest.raises(DataError, match=says):
        draw_classes(pictures, amounts, "reported", 0, "draw 01", 0)
