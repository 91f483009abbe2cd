"""Tables say what the blocks say, in the order of the plan; means and intervals are those of a textbook."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tlbench import tables
from tlbench.records import BlockRecord, Records

COLUMNS = ["experiment", "dataset", "profile", "unit", "split", "condition", "shots", "metric", "value"]


def number(unit, condition, split, shots):
    return 100 * ord(unit) + 10 * len(condition) + split + shots / 10


def collected(plan, toy_tables, blocks=None, value=number):
    found = [
        (block, BlockRecord(toy_tables(block, value), {})) for block in (plan.blocks if blocks is None else blocks)
    ]
    return tables.collect(plan, "toy-data", found, ["weights"])


# From blocks to rows


def test_every_measurement_stands_once_in_the_order_of_the_plan(toy, toy_tables):
    plan = toy.plan({"seeds": "11", "conditions": "right,plain"}, units=("b", "a"))
    measured = collected(plan, toy_tables)["measurements"]
    expected = [
        ("toy", "toy-data", "short", unit, split, condition, shots, "accuracy", number(unit, condition, split, shots))
        for unit in "ba"
        for condition in ("right", "plain")
        for split in range(11)
        for shots in (1, 2, 4)
    ]
    assert list(measured.columns) == COLUMNS
    assert list(measured.itertuples(index=False, name=None)) == expected


def test_the_order_in_which_blocks_are_found_does_not_show(toy, toy_tables):
    plan = toy.plan({"seeds": "21"})
    forwards = collected(plan, toy_tables)["measurements"]
    backwards = collected(plan, toy_tables, plan.blocks[::-1])["measurements"]
    pd.testing.assert_frame_equal(forwards, backwards, check_categorical=False)


def test_what_several_blocks_state_alike_stands_once_and_what_differs_stays(toy, toy_tables):
    plan = toy.plan()
    block = plan.blocks[1]
    said = {"weights": {"source": ["s"], "beta": [0.5]}}
    also = {"weights": {"source": ["s", "s"], "beta": [0.5, 0.25]}}
    found = tables.collect(plan, "d", [(block, BlockRecord(said, {})), (block, BlockRecord(also, {}))], ["weights"])
    assert found["weights"].to_dict("list") == {"source": ["s", "s"], "beta": [0.5, 0.25]}


def test_equal_measurements_of_different_splits_are_not_repeats(toy, toy_tables):
    plan = toy.plan({"seeds": "12"})
    measured = collected(plan, toy_tables, value=lambda *_: 50.0)["measurements"]
    assert len(measured) == 2 * 12 * 3 * 3


def test_a_study_that_names_its_metrics_keeps_them(toy, toy_tables):
    plan = toy.plan()

    def named(block, value):
        found = toy_tables(block, value)["measurements"]
        return {"measurements": {**found, "metric": ["loss"] * len(found["value"])}}

    measured = collected(plan, named)["measurements"]
    assert list(measured.columns) == COLUMNS
    assert set(measured["metric"]) == {"loss"}


def test_nothing_found_is_no_table(toy, toy_tables):
    assert collected(toy.plan(), toy_tables, []) == {}


# Means and intervals


def frame(rows):
    table = pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"])
    return table.astype({"value": float}).assign(metric="accuracy")


def test_splits_are_averaged_within_units_before_units_are_compared():
    # Unit means 10, 20 and 60; the five numbers alone would have another mean, spread and count.
    measured = frame(
        [("a", 0, "c", 1, 10), ("b", 0, "c", 1, 15), ("b", 1, "c", 1, 25), ("d", 0, "c", 1, 50), ("d", 1, "c", 1, 70)]
    )
    (row,) = tables.summarise(measured, ["shots"]).to_dict("records")
    assert row["mean"] == pytest.approx(30)
    # 4.302653 is the 97.5 % point of Student's t with two degrees of freedom; the deviation of 10, 20, 60 is √700.
    half = 4.302652729911275 * math.sqrt(700) / math.sqrt(3)
    assert (row["low"], row["high"]) == (pytest.approx(30 - half), pytest.approx(30 + half))
    assert row["units"] == 3
    assert list(row) == ["condition", "shots", "metric", "mean", "low", "high", "units"]


@given(
    values=st.lists(st.lists(st.floats(0, 100), min_size=1, max_size=3), min_size=2, max_size=6).filter(
        lambda values: np.std([np.mean(splits) for splits in values]) > 1e-6
    )
)
def test_intervals_are_those_of_student(values):
    rows = [(f"u{unit}", split, "c", 2, v) for unit, splits in enumerate(values) for split, v in enumerate(splits)]
    (row,) = tables.summarise(frame(rows), ["shots"]).to_dict("records")
    means = [np.mean(splits) for splits in values]
    low, high = scipy.stats.t.interval(0.95, len(means) - 1, np.mean(means), scipy.stats.sem(means))
    np.testing.assert_allclose(
        [row["mean"], row["low"], row["high"]], [np.mean(means), low, high], rtol=1e-9, atol=1e-9
    )


def test_one_unit_has_a_mean_and_no_interval():
    (row,) = tables.summarise(frame([("a", 0, "c", 1, 10), ("a", 1, "c", 1, 20)]), ["shots"]).to_dict("records")
    assert row["mean"] == 15
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])
    assert row["units"] == 1


def test_cells_are_kept_apart_and_in_order():
    rows = [(u, 0, c, s, v + (u == "b")) for u in "ab" for c, s, v in (("z", 2, 1), ("z", 1, 2), ("a", 2, 3))]
    summary = tables.summarise(frame(rows), ["shots"])
    assert list(zip(summary["condition"], summary["shots"], summary["mean"], strict=True)) == [
        ("z", 2, 1.5),
        ("z", 1, 2.5),
        ("a", 2, 3.5),
    ]


# What is missing

UNITS, CONDITIONS, SHOTS, SEEDS = ["b", "a"], ["plain", "right"], [1, 2, 4], 2
ALL = [(u, s, c, n, 50.0) for u in UNITS for s in range(SEEDS) for c in CONDITIONS for n in SHOTS]


def missing(measured):
    return tables.missing_cells(measured, UNITS, CONDITIONS, SEEDS, {"shots": SHOTS})


@given(gone=st.sets(st.integers(0, len(ALL) - 1)), order=st.randoms())
def test_exactly_the_removed_rows_are_missing(gone, order):
    rows = [row for place, row in enumerate(ALL) if place not in gone]
    order.shuffle(rows)
    assert missing(frame(rows)) == len(gone)


def test_a_row_without_a_value_is_missing_and_others_do_not_stand_in_for_it():
    rows = [*ALL[1:], (*ALL[0][:4], np.nan)]
    assert missing(frame(rows)) == 1
    foreign = [("c", 0, "plain", 1, 1.0), ("a", 2, "plain", 1, 1.0), ("a", 0, "far", 1, 1.0), ("a", 0, "plain", 3, 1.0)]
    assert missing(frame([*rows, *foreign, *ALL[5:]])) == 1


def test_cells_that_are_no_full_grid_are_counted_as_planned():
    # The plain condition does not vary: one cell a unit and split, at a level that is none of the factor's.
    rows = [
        (u, s, c, n, 50.0) for u in UNITS for s in range(SEEDS) for c, n in [("plain", 0), ("right", 1), ("right", 2)]
    ]

    def lacking(rows):
        own = {"plain": {"shots": [0]}}
        return tables.missing_cells(frame(rows), UNITS, CONDITIONS, SEEDS, {"shots": [1, 2]}, len(ALL) // 2, own)

    assert len(rows) == len(ALL) // 2
    for gone in (0, 1, 5):
        assert lacking(rows[gone:]) == gone
    assert lacking([*rows[1:], rows[2]]) == 1
    for foreign in ("c", 0, "plain", 0), ("a", 2, "plain", 0), ("a", -1, "plain", 0), ("a", 0, "far", 1):
        assert lacking([*rows[1:], (*foreign, 1.0)]) == 1
    for level in (("right", 0), ("right", 7), ("plain", 1), ("plain", 7)):
        assert lacking([*rows[1:], ("a", 0, *level, 1.0)]) == 1, "a level that is not planned stands in for none"


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_was_not_measured(value):
    assert missing(frame([*ALL[1:], (*ALL[0][:4], value)])) == 1


# As text


def test_a_csv_is_plain_and_has_six_digits():
    table = pd.DataFrame({"unit": ["a,b", 'say "x"', "zoë"], "n": [1, 2, 10], "value": [100 / 3, 1e-7 / 3, np.nan]})
    assert tables.to_csv(table).decode() == 'unit,n,value\n"a,b",1,33.3333\n"say ""x""",2,3.33333e-08\nzoë,10,\n'


@given(
    words=st.lists(st.none() | st.text('ab,"\n\r; é', max_size=4), min_size=1, max_size=9),
    numbers=st.lists(st.none() | st.floats(), min_size=1, max_size=9),
    wholes=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9),
    rows_at_once=st.integers(1, 4),
)
def test_a_csv_is_what_pandas_writes(words, numbers, wholes, rows_at_once):
    count = min(map(len, (words, numbers, wholes)))
    table = pd.DataFrame({"a,b": words[:count], "x": np.array(numbers[:count], dtype=float), "n": wholes[:count]})
    expected = table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "ROWS_AT_ONCE", rows_at_once)
        assert tables.to_csv(table) == expected
        assert tables.to_csv(table.astype({"a,b": "category"})) == expected


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda word: word.strip() == word)


@given(units=st.lists(WORDS, min_size=1), numbers=st.lists(st.floats(-1e9, 1e9), min_size=1))
def test_a_csv_comes_back_with_its_words_and_six_digits(tmp_path_factory, units, numbers):
    count = min(len(units), len(numbers))
    table = pd.DataFrame({"unit": units[:count], "value": np.array(numbers[:count]) + 0.0})  # −0 is 0
    folder = tmp_path_factory.mktemp("csv")
    (folder / "measurements.csv").write_bytes(tables.to_csv(table))
    back = tables.read_csv(Records(folder), "measurements", ["unit"])
    assert list(back["unit"]) == list(table["unit"])
    np.testing.assert_allclose(back["value"], table["value"], rtol=5e-6)
    assert tables.to_csv(back) == tables.to_csv(table)


@pytest.mark.parametrize("name", ["NA", "null", "None", "nan", "N/A", "True", "-", "inf", "001", "7", "1e3"])
def test_a_name_stays_what_it_is(tmp_path, name):
    table = pd.DataFrame({"unit": [name, name], "condition": ["c", "d"], "value": [1.0, 2.0]})
    (tmp_path / "measurements.csv").write_bytes(tables.to_csv(table))
    assert list(tables.read_csv(Records(tmp_path), "measurements", ["unit", "condition"])["unit"]) == [name, name]


def test_a_csv_is_what_other_programs_read():
    table = pd.DataFrame({"condition": ["x"], "value": [12.5]})
    assert pd.read_csv(io.BytesIO(tables.to_csv(table))).to_dict("records") == [{"condition": "x", "value": 12.5}]
