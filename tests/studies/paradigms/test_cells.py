"""What is drawn for a cell is what its name says, the target is the same in all, and nothing of the test leaks."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets import DataError, FeaturePack, Options, SettingPacks, open_data
from tlbench.studies.paradigms.cells import Amounts, Draws, find_units, kinds_of, refuse_too_few, select_by_inputs

from .conftest import domain

CELLS = ("same-all", "selection-bias", "other-domain", "other-task", "both-differ", "other-space")


def places(domains, kind, rows):
    """(domain, row) of each example, looked up by its numbers."""
    index = {
        values.tobytes(): (name, row)
        for name, pack in domains.packs.items()
        for row, values in enumerate(pack.features[kind])
    }
    return [index[values.tobytes()] for values in np.ascontiguousarray(rows)]


def class_of(domains, place):
    name, row = place
    return next(one for one, rows in domains.packs[name].categories.items() if row in rows)


def test_units_are_ordered_pairs_and_draws_of_disjoint_classes(domains):
    units = find_units(domains, 3, 4, 0)
    assert list(units)[:2] == ["near to far 1", "near to far 2"]
    assert len(units) == 2 * 4
    for unit in units.values():
        assert len(set(unit.classes)) == len(set(unit.others)) == 3
        assert not set(unit.classes) & set(unit.others)
    assert len({unit.classes for unit in units.values()}) > 1
    assert len(find_units(domains, 5, 1, 0)["near to far 1"].others) == 2


@pytest.mark.parametrize(
    ("cell", "home", "shared"),
    [
        ("same-all", "far", True),
        ("selection-bias", "far", True),
        ("other-domain", "near", True),
        ("other-task", "far", False),
        ("both-differ", "near", False),
    ],
)
def test_each_cell_is_what_it_says(domains, problem, cell, home, shared):
    unit = find_units(domains, 3, 1, 0)["near to far 1"]
    found = problem(cell)
    origin = places(domains, "f", found.source)
    assert {name for name, _ in origin} == {home}
    wanted = unit.classes if shared else unit.others
    assert [class_of(domains, place) for place in origin] == [wanted[number] for number in found.source_labels]
    assert found.pairs is None


def test_the_other_space_is_the_same_domain_and_task_described_otherwise(domains, problem):
    here, there = problem("same-all"), problem("other-space")
    assert there.source.shape[1] == 9 != there.pool.shape[1]
    assert places(domains, "g", there.source) == places(domains, "f", here.source)
    assert places(domains, "g", there.pairs) == places(domains, "f", there.pool)


def test_the_target_is_the_same_in_every_cell_and_anew_in_every_split(problem):
    first = problem("same-all")
    for cell in CELLS:
        for name in ("labelled", "labels", "pool", "test", "test_labels"):
            np.testing.assert_array_equal(getattr(problem(cell), name), getattr(first, name))
    assert not np.array_equal(problem("same-all", split=1).test, first.test)


def test_labelled_examples_are_nested_one_of_each_class_after_the_other_and_in_the_pool(problem):
    found = problem("same-all")
    for shots in (0, 1, 3):
        examples, labels = found.shots(shots)
        np.testing.assert_array_equal(labels, np.tile([0, 1, 2], shots))
        np.testing.assert_array_equal(examples, found.labelled[: 3 * shots])
    pool = {row.tobytes() for row in found.pool}
    assert {row.tobytes() for row in found.labelled} <= pool
    assert len(pool) == 3 * 6
    np.testing.assert_array_equal(problem("same-all", labelled=1).labelled, found.labelled[:3])


@pytest.mark.parametrize("cell", CELLS)
def test_no_test_example_is_in_anything_else_nor_a_target_example_in_the_source(domains, problem, cell):
    for split in range(3):
        found = problem(cell, split)
        kind = "g" if cell == "other-space" else "f"
        test = set(places(domains, "f", found.test))
        training = set(places(domains, "f", np.concatenate([found.pool, found.labelled])))
        source = places(domains, kind, found.source)
        assert not test & training
        assert not set(source) & (test | training)
        assert len(set(source)) == len(source)


def test_a_picture_that_stands_in_both_domains_is_kept_apart_by_its_identity():
    """The shifted digits are the same pictures in all domains."""
    both = SettingPacks({"a": domain(1, 0.0, "same"), "b": domain(1, 0.7, "same")})
    unit = find_units(both, 3, 1, 0)["a to b 1"]
    for split in range(4):
        drawn = Draws(both, "a to b 1", unit, Amounts(4, 8, 8, 8), 2.0, 0)
        found = drawn.problem("other-domain", split)
        source = {row for _, row in places(both, "f", found.source)}
        target = {row for _, row in places(both, "f", np.concatenate([found.pool, found.test]))}
        assert len(source) == 3 * 8
        assert not source & target


def test_selection_depends_on_inputs_alone_and_moves_them():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(600, 4)) * [3.0, 1.0, 1.0, 1.0]
    candidates = [np.arange(0, 600, 2), np.arange(1, 600, 2)]

    def along(bias, seed=1):
        rows = select_by_inputs(values, candidates, 100, bias, np.random.default_rng(seed))
        kept = np.concatenate(rows)
        assert len(kept) == 200
        assert all(set(own.tolist()) <= set(had.tolist()) for own, had in zip(rows, candidates, strict=True))
        # Labels say nothing of the inputs here, so a selection by inputs keeps both classes alike.
        assert abs(len(rows[0]) - len(rows[1])) < 40
        return values[kept, 0].mean()

    assert abs(along(0.0)) < 0.5
    assert abs(along(2.0)) > 2.0
    assert abs(along(2.0)) < abs(along(50.0))
    # Selected entirely by rank, the axis has the sign of its largest entry.
    top = np.sort(values[:, 0])[-200:].mean()
    assert along(1e6) == pytest.approx(top, abs=0.05)


def test_a_selection_keeps_two_of_each_class():
    values = np.r_[np.zeros(30), np.full(30, 10.0)][:, None]
    first, second = select_by_inputs(values, [np.arange(30), np.arange(30, 60)], 10, 100.0, np.random.default_rng(0))
    assert len(first) == 2
    assert len(second) == 20


def test_data_that_are_not_domains():
    for reference in ("digits", "tasks"):
        with pytest.raises(DataError, match="needs several domains of the same classes; shifted-digits, mnist-usps"):
            find_units(open_data(reference, Options(), None), 3, 1, 0)
    one = domain(1, 0.0, "n")
    with pytest.raises(DataError, match="needs several domains"):
        find_units(SettingPacks({"only": one}), 3, 1, 0)
    other = FeaturePack(one.identities, one.features, {"x": np.arange(9)}, np.zeros(0, dtype=np.intp))
    with pytest.raises(DataError, match="'near' and 'odd' have different classes"):
        find_units(SettingPacks({"near": one, "odd": other}), 3, 1, 0)
    with pytest.raises(DataError, match="there are 7 classes; tasks of 7 leave none"):
        find_units(SettingPacks({"a": one, "b": one}), 7, 1, 0)


def test_too_few_examples(domains):
    unit = find_units(domains, 3, 1, 0)["near to far 1"]
    refuse_too_few(domains, unit, Amounts(8, 8, 8, 5))
    with pytest.raises(
        DataError, match="of domain 'far' has 24 examples, 8 of them for target training; 9 shots need 27"
    ):
        refuse_too_few(domains, unit, Amounts(9, 9, 8, 5))
    empty = FeaturePack(
        domains.packs["near"].identities,
        domains.packs["near"].features,
        {**domains.packs["near"].categories, unit.others[1]: np.zeros(0, dtype=np.intp)},
        np.zeros(0, dtype=np.intp),
    )
    with pytest.raises(DataError, match=f"class '{unit.others[1]}' of domain 'near' has no examples"):
        refuse_too_few(SettingPacks({**domains.packs, "near": empty}), unit, Amounts(1, 2, 8, 5))


def test_kinds_that_all_domains_have(domains):
    assert kinds_of(domains) == ["f", "g"]
    plain = SettingPacks({"a": domains.packs["near"], "b": domain(3, 0.1, "b", second=False)})
    assert kinds_of(plain) == ["f"]
