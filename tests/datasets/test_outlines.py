"""Data sets that are not here, by their published numbers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tlbench.datasets import CATALOGUE, declared_kinds, draw_class_split, draw_pictures, generator, outline
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
    assert set(OUTLINES) < {entry.name for entry in CATALOGUE if entry.load_pictures}
    for name in ("digits", "caltech101", "folder:photos", "features:x.csv", ""):
        assert outline(name) is None


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
