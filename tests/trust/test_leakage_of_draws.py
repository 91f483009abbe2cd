"""No draw uses an example twice, whatever the numbers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.understood import cases, understood
from tlbench.datasets import (
    Amounts,
    ArrayPixels,
    DataError,
    FeaturePack,
    LabelledPictures,
    draw_pictures,
    draw_task,
    generator,
)
from tlbench.studies.regularizers import class_draws

pytestmark = pytest.mark.fault("leakage")


@given(
    sizes=st.lists(st.integers(0, 60), min_size=2, max_size=4),
    background=st.integers(0, 150),
    amounts=st.builds(Amounts, st.integers(1, 40), st.integers(1, 40), st.integers(15, 60), st.integers(1, 50)),
    own=st.booleans(),
    seed=st.integers(0, 2**62),
)
@cases(60)
def test_no_example_has_two_uses_whatever_the_numbers(faults_tried, sizes, background, amounts, own, seed):
    ends = np.cumsum([0, *sizes, background])
    rows = [np.arange(start, end) for start, end in pairwise(ends)]
    names = [f"c{place}" for place in range(len(sizes))]
    shared = {name: generator(seed, name).permutation(rows[-1])[: background // 2] for name in names}
    pack = FeaturePack(
        tuple(f"{row:05}" for row in range(ends[-1])),
        {"x": np.arange(float(ends[-1]))[:, None]},
        dict(zip(names, rows, strict=False)),
        {name: np.sort(some) for name, some in shared.items()} if own else rows[-1],
    )
    with understood(DataError, faults_tried):
        task = draw_task(pack, "c0", amounts, "repaired", seed, [0, 1])
        for train, test in zip(task.train, task.test, strict=True):
            used = np.r_[train, test]
            assert len(set(used.tolist())) == len(used)
            assert not set(used.tolist()) & set(task.source_training.tolist())
        assert task.train.shape[1] == amounts.negatives + amounts.most_shots
        assert task.test_positives >= 15


@given(
    sizes=st.lists(st.integers(1, 14), min_size=2, max_size=5),
    tested=st.one_of(st.none(), st.lists(st.integers(1, 6), min_size=5, max_size=5)),
    training=st.one_of(st.none(), st.integers(0, 12)),
    test=st.one_of(st.none(), st.integers(0, 12)),
    seed=st.integers(0, 2**62),
)
@cases(60)
def test_no_picture_is_learned_from_and_tested_on(faults_tried, sizes, tested, training, test, seed):
    pictures = labelled(sizes, tested)
    with understood(DataError, faults_tried):
        learned, held = draw_pictures(pictures, pictures.classes, training, test, generator(seed, "pictures"))
        assert not set(learned.tolist()) & set(held.tolist())
        if pictures.is_test is not None:
            assert pictures.is_test[held].all()
            assert not pictures.is_test[learned].any()
        for rows in (learned, held):
            assert len(set(np.bincount(pictures.labels[rows], minlength=len(sizes)).tolist())) == 1


@given(
    sizes=st.lists(st.integers(2, 40), min_size=4, max_size=6),
    tested=st.one_of(st.none(), st.lists(st.integers(2, 20), min_size=6, max_size=6)),
    amounts=st.builds(
        class_draws.Amounts, st.just(0), st.integers(0, 9), st.integers(1, 6), st.integers(0, 9), st.integers(1, 9)
    ),
    seed=st.integers(0, 2**62),
)
@cases(60)
def test_strengths_are_chosen_without_a_picture_that_is_reported(faults_tried, sizes, tested, amounts, seed):
    pictures = labelled(sizes, tested)
    with understood(DataError, faults_tried):
        reported = class_draws.draw_classes(pictures, amounts, "reported", seed, "draw 01", 0)
        rehearsed = class_draws.draw_classes(pictures, amounts, "rehearsal", seed, "rehearsal 1", 0)
        seen = [part.ravel() for part in (rehearsed.source, rehearsed.labelled, rehearsed.unlabelled, rehearsed.test)]
        assert not set(reported.test.tolist()) & set(np.concatenate(seen).tolist())
        used = np.concatenate([reported.source, reported.labelled.ravel(), reported.unlabelled, reported.test])
        assert len(set(used.tolist())) == len(used)


def labelled(sizes, tested):
    """Classes with so many pictures, and of so many test pictures each where there is a test part."""
    tested = tested[: len(sizes)] if tested else [0] * len(sizes)
    labels = np.repeat(np.arange(len(sizes)), [size + more for size, more in zip(sizes, tested, strict=True)])
    flags = np.concatenate([np.arange(size + more) >= size for size, more in zip(sizes, tested, strict=True)])
    pixels = ArrayPixels(np.zeros((len(labels), 1, 1, 1), dtype=np.uint8))
    names = tuple(f"c{place}" for place in range(len(sizes)))
    return LabelledPictures(pixels, labels, names, flags if any(tested) else None)
