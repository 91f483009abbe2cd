"""Data sets that are not here, by their published numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tlbench.datasets import (
    CATALOGUE,
    DataError,
    Options,
    declared_kinds,
    draw_class_split,
    draw_pictures,
    generator,
    outline,
)
from tlbench.datasets.outlines import OUTLINES, AbsentPixels

PUBLISHED = {  # classes, training and test pictures of a class, side
    "cifar10": (10, 5000, 1000, 32),
    "cifar100": (100, 500, 100, 32),
    "tiny-imagenet": (200, 500, 50, 32),
    "imagenet": (1000, 732, 50, 256),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_outline_has_the_published_numbers(name):
    count, training, test, side = PUBLISHED[name]
    about = outline(name)
    assert len(about.classes) == len(set(about.classes)) == count
    assert about.pixels.shape == (count * (training + test), side, side, 3)
    assert Counter(about.labels[~about.is_test].tolist()) == dict.fromkeys(range(count), training)
    assert Counter(about.labels[about.is_test].tolist()) == dict.fromkeys(range(count), test)
    assert about.kinds == declared_kinds(about.classes)
    assert set(about.kinds) == {"natural", "man-made"}
    assert about.notices == (f"{name} is not here: planned from its published numbers",)


def test_imagenet_has_the_papers_natural_and_man_made_classes():
    assert Counter(outline("imagenet").kinds) == {"natural": 449, "man-made": 551}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("kind", ["random", "natural-manmade"])
def test_halves_can_be_drawn_of_it(name, kind):
    about = outline(name)
    a, b = draw_class_split(kind, about.classes, about.kinds, None, generator(0, "class split", kind, 0))
    assert len(a) == len(b) > 1
    training, test = draw_pictures(about, a, 20, 10, generator(0, "pictures", "x", 0))
    assert (len(training), len(test)) == (20 * len(a), 10 * len(a))


def test_all_that_networks_can_fetch_or_are_known_have_one():
    assert set(OUTLINES) == set(PUBLISHED)
    assert set(OUTLINES) < {entry.name for entry in CATALOGUE if "pictures" in entry.offers}
    for name in ("digits", "caltech101", "folder:photos", "features:x.csv", ""):
        assert outline(name) is None


@pytest.mark.parametrize("name", ["tiny-imagenet", "imagenet"])
def test_pictures_that_would_be_decoded_to_another_side_are_planned_with_it(name):
    assert outline(name, Options(side=8)).pixels.shape[1:] == (8, 8, 3)


def test_classes_and_kinds_are_those_that_a_run_on_the_data_would_have(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("class,kind\ncat,man-made\ndog,man-made\nship,natural\ntruck,natural\n")
    about = outline("cifar10", Options(categories=("truck", "ship", "dog", "cat", "frog"), class_list=path))
    assert dict(zip(about.classes, about.kinds, strict=True)) == {
        "cat": "man-made",
        "dog": "man-made",
        "frog": "",
        "ship": "natural",
        "truck": "natural",
    }
    assert about.pixels.shape == (5 * 6000, 32, 32, 3)
    assert np.bincount(about.labels[about.is_test]).tolist() == [1000] * 5
    assert len(outline("imagenet", Options(categories=("n01440764", "n01443537"))).labels) == 2 * 782
    with pytest.raises(DataError, match="there is no class 'cats'; did you mean 'cat'"):
        outline("cifar10", Options(categories=("cats", "dog")))


@pytest.mark.parametrize("options", [Options(categories=("n01443537",)), Options(class_list="none.csv")])
def test_classes_of_tiny_imagenet_are_not_known_before_it_is_here(options):
    about = outline("tiny-imagenet", options)
    assert len(about.classes) == 200
    (notice,) = about.notices
    assert notice.endswith("and without categories or class_list, which need the names of its classes")


def test_absent_pictures_are_grey_and_can_be_counted():
    pixels = AbsentPixels((9, 4, 5, 3))
    taken = pixels.take(np.array([2, 2, 7]))
    assert taken.shape == (3, 4, 5, 3)
    assert taken.dtype == np.uint8
    assert (taken == 127).all()
    fewer = pixels.only(np.array([1, 3]))
    assert fewer.shape == (2, 4, 5, 3)
    assert fewer.digest != pixels.digest


def test_fingerprints_are_of_the_shape_alone():
    prints = {name: outline(name).fingerprint for name in PUBLISHED}
    assert prints == {name: outline(name).fingerprint for name in PUBLISHED}
    assert len(set(prints.values())) == len(PUBLISHED)
