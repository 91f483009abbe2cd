"""A growing table is what pandas would make of its parts put together, and its names are held once."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlbench.gathering import GrowingTable

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
KINDS = {
    "whole": st.integers(-(2**60), 2**60),
    "number": NUMBERS,
    "lacking": st.none() | NUMBERS,
    "name": st.text(max_size=3),
    "unnamed": st.none() | st.sampled_from(["a", "b"]),
    "yes": st.booleans(),
}


def grown(parts):
    table = GrowingTable()
    for part in parts:
        table.extend(part)
    return table


@st.composite
def parts_of(draw):
    names = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, unique=True))
    sizes = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    cells = {name: KINDS[name] for name in names}
    return [{name: draw(st.lists(cells[name], min_size=n, max_size=n)) for name in names} for n in sizes]


@given(parts=parts_of())
def test_it_is_its_parts_put_together(parts):
    cells = {name: [cell for part in parts for cell in part[name]] for name in parts[0]}
    frame = grown(parts).frame()
    if not frame.empty:
        for name, column in cells.items():
            back = [None if pd.isna(cell) else cell for cell in frame[name]]
            assert back == column
            assert pd.api.types.is_numeric_dtype(frame[name]) == pd.api.types.is_numeric_dtype(pd.Series(column))


def test_whole_numbers_stay_whole_until_a_part_has_others():
    assert grown([{"n": [1]}, {"n": [2]}]).frame()["n"].dtype == "int64"
    assert list(grown([{"n": [1]}, {"n": [2.5]}]).frame()["n"]) == [1.0, 2.5]
    assert list(grown([{"n": [1]}, {"n": ["x"]}, {"n": [2**70]}]).frame()["n"]) == [1, "x", 2**70]


def test_what_a_part_lacks_is_nothing_there():
    frame = grown([{"a": [1, 2]}, {"a": [3], "b": ["x"]}, {"b": ["y"]}]).frame()
    assert [None if pd.isna(cell) else cell for cell in frame["b"]] == [None, None, "x", "y"]
    assert frame["a"].isna().tolist() == [False, False, False, True]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="the same length"):
        GrowingTable().extend({"a": [1], "b": []})


def test_a_name_costs_a_byte_and_a_number_eight():
    frame = grown([{"unit": ["a rather long name"] * 1000, "n": [1] * 1000, "x": [0.5] * 1000}] * 20).frame()
    assert frame.memory_usage(index=False).sum() < 20_000 * 17 + 1000
