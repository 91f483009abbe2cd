"""Who is used for what: nothing twice."""

import numpy as np
import pytest

from tests.advice.conftest import make_material
from tlbench.advice.rehearsal import players
from tlbench.advice.roles import divide, rehearsal_rows, target_rows
from tlbench.datasets import DataError


@pytest.fixture(params=[True, False], ids=["a background", "set apart"])
def either(request):
    return make_material(own_background=request.param, pictures=60)


def distinct(*parts):
    together = np.concatenate([np.unique(part) for part in parts])
    return len(together) == len(np.unique(together))


def test_pools_are_apart_and_all_of_the_background(either):
    pools = divide(either, 0)
    assert distinct(pools.source, pools.training, pools.test)
    assert sorted(np.concatenate([pools.source, pools.training, pools.test])) == sorted(either.background)


def test_the_targets_pictures_all_train_and_nothing_else_has_them(either):
    rows = target_rows(either, 0)
    assert set(either.positives) <= set(rows.train[0])
    assert distinct(rows.train[0], rows.test[0], rows.source_training)
    assert list(rows.sources) == list(either.sources)


def test_in_rehearsal_nothing_of_the_test_is_trained_on(either):
    rows = rehearsal_rows(either, "source 1", 10, range(4), 0)
    assert "source 1" not in rows.sources
    for train, test in zip(rows.train, rows.test, strict=True):
        assert distinct(train, test, rows.source_training)
        own = set(either.sources["source 1"])
        assert set(train[-10:]) <= own
        assert set(test[: rows.test_positives]) <= own
        assert not own & (set(train[:-10]) | set(test[rows.test_positives :]) | set(rows.source_training))


def test_nobody_meets_its_own_pictures_among_other_things(material_without_background):
    material = material_without_background
    rows = rehearsal_rows(material, "source 1", 5, range(4), 0)
    apart = {name: set(own) for name, own in material.set_apart.items()}
    others = set(rows.train[:, :-5].ravel()) | set(rows.test[:, rows.test_positives :].ravel())
    assert others
    assert not apart["source 1"] & (others | set(rows.source_training))
    for name, source in rows.sources.items():
        assert not apart[name] & set(source.negatives)


def test_draws_differ_and_depend_on_the_seed(material):
    first, again, other = (rehearsal_rows(material, "source 0", 5, range(2), seed).train for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)


def test_players_have_pictures_for_what_is_rehearsed():
    material = make_material(sources=5, pictures=40)  # 40 − 15: up to 25
    names, shots = players(material, 3, 0)
    assert names == list(material.sources)
    assert shots == [1, 2, 3, 5, 10, 20]
    assert players(material, 7, 0)[1] == [1, 2, 3, 5, 7, 10, 20]
    assert players(material, 25, 0)[1][-1] == 25
    assert players(material, 26, 0) == ([], [])
    assert players(make_material(sources=2, pictures=40), 3, 0) == ([], [])


def test_many_sources_are_drawn_from():
    material = make_material(sources=20, pictures=20)
    names, _ = players(material, 3, 0)
    assert len(names) == len(set(names)) == 16
    assert names != players(material, 3, 1)[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [({"shots": 0}, "no picture"), ({"sources": 0}, "no source"), ({"background": 44}, "44 pictures of other things")],
    ids=str,
)
def test_too_little_is_refused(more, words):
    with pytest.raises(DataError, match=words):
        make_material(**more)
