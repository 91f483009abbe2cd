"""Curves are the means and intervals of their tables, told apart and named."""

from __future__ import annotations

import itertools

import matplotlib.colors
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection

from tlbench import figures
from tlbench.claims import select
from tlbench.figures import style
from tlbench.figures.curves import _apart
from tlbench.tables import summarise


def test_curves_are_means_over_units_with_their_intervals(declared, curves_figure, made):
    table = made.measurements()
    drawn = made.curves(curves_figure, declared, table, made.factors)
    lines = made.curves_of(drawn)
    whiskers = [c for c in drawn.axes[0].collections if isinstance(c, LineCollection)]
    assert len(lines) == len(whiskers) == 3
    summary = summarise(table, ["shots"])
    for place, (line, bars, condition) in enumerate(zip(lines, whiskers, ("plain", "left", "right"), strict=True)):
        by_hand = [50 + 3 * place + 2 * n + (1 + place) + 0.5 for n in made.shots]
        np.testing.assert_allclose(line.get_ydata(), by_hand)
        offset = np.asarray(line.get_xdata()) - made.shots
        assert np.ptp(offset) < 1e-12
        assert abs(offset[0]) < 0.5, "a point belongs to the nearest tick"
        expected = summary[summary["condition"] == condition]
        segments = np.array(bars.get_segments())
        np.testing.assert_allclose(segments[:, :, 0], np.asarray(line.get_xdata())[:, None] * [1, 1])
        np.testing.assert_allclose(np.sort(segments[:, :, 1]), expected[["low", "high"]])
    assert list(drawn.axes[0].get_xticks()) == made.shots
    low, high = drawn.axes[0].get_ylim()
    assert low <= summary["low"].min()
    assert high >= summary["high"].max()
    assert any(text.startswith("mean over 3 places; bars: 95 % interval") for text in made.words(drawn))


def test_curves_stand_beside_each_other(declared, curves_figure, made):
    first = [
        line.get_xdata()[0]
        for line in made.curves_of(made.curves(curves_figure, declared, made.measurements(), made.factors))
    ]
    assert len(set(first)) == 3
    assert first == sorted(first)


def test_each_curve_is_named_in_its_colour_and_an_oracle_is_marked(declared, curves_figure, made):
    drawn = made.curves(curves_figure, declared, made.measurements(), made.factors)
    lines = dict(zip(("plain", "left", "right"), made.curves_of(drawn), strict=True))
    names = {text.get_text(): text for text in drawn.axes[0].texts}
    assert set(names) == {"plain", "left (oracle)", "right"}
    for condition, line in lines.items():
        label = names[f"{condition} (oracle)" if condition == "left" else condition]
        assert matplotlib.colors.same_color(label.get_color(), line.get_color())
    assert len({line.get_color() for line in lines.values()}) == 3
    assert [name for name, line in lines.items() if line.get_linestyle() == "--"] == ["left"]
    assert max(lines, key=lambda name: lines[name].get_linewidth()) == "right"


def test_names_stand_in_the_order_of_their_ends_and_do_not_overlap(declared, curves_figure, made):
    table = made.measurements(conditions=tuple("abcdefgh"))
    table["value"] = 50.0 + table["condition"].map({c: i / 100 for i, c in enumerate("abcdefgh")}) + table["shots"]
    drawn = made.curves(curves_figure, declared, table, made.factors)
    texts = drawn.axes[0].texts
    heights = {text.get_text(): text.get_position()[1] for text in texts}
    assert sorted(heights, key=heights.get) == list("abcdefgh")
    style.png(drawn)
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
    assert all(below.y1 - above.y0 < 0.35 * below.height for below, above in itertools.pairwise(boxes))


def test_a_condition_keeps_its_colour_when_others_are_left_out(declared, curves_figure, made):
    whole = made.curves_of(made.curves(curves_figure, declared, made.measurements(), made.factors))
    fewer = made.measurements(conditions=("left", "right"))
    some = made.curves_of(made.curves(curves_figure, declared, fewer, made.factors))
    assert [line.get_color() for line in some] == [line.get_color() for line in whole[1:]]


def test_where_takes_rows_of_the_figure(declared, curves_figure, made):
    drawn = made.curves(curves_figure, declared, made.measurements(), made.factors)
    assert len(made.curves_of(drawn)) == 3
    picked = select(made.measurements(), {"condition": ["plain", "right"]}, made.factors)
    assert len(made.curves_of(made.curves(curves_figure, declared, picked, made.factors))) == 2


def test_one_unit_one_level_one_condition(declared, curves_figure, made):
    table = made.measurements(conditions=("plain",), units="a", shots=[2])
    drawn = figures.draw(curves_figure, declared, made.both(measurements=table), {"shots": [2]}, made.caption)
    assert set(drawn) == {"lines.png", "lines.svg"}
    (line,) = made.curves_of(made.curves(curves_figure, declared, table, {"shots": [2]}))
    np.testing.assert_allclose(line.get_ydata(), [54.5])


def test_axes_and_title_say_what_is_shown(declared, curves_figure, heatmap_figure, made):
    named = made.changed(curves_figure, x_label="labels", y_label="per cent")
    (axes,) = made.curves(named, declared, made.measurements(), made.factors).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("labels", "per cent")
    drawn = made.curves(curves_figure, declared, made.measurements(), made.factors)
    assert (drawn.axes[0].get_xlabel(), drawn.axes[0].get_ylabel()) == ("shots", "accuracy")
    assert "Lines" in made.words(drawn)
    drawn = figures.draw_heatmap(made.changed(heatmap_figure, value_label="trust"), made.weights())
    assert (drawn.axes[0].get_xlabel(), drawn.axes[0].get_ylabel()) == ("source", "target")
    assert drawn.axes[1].get_ylabel() == "trust"
    assert "Map" in made.words(drawn)


# Names that would overlap


@given(values=st.lists(st.floats(-50, 50), min_size=1, max_size=9), gap=st.floats(0.1, 20))
def test_names_are_moved_apart_as_little_as_can_be(values, gap):
    values = sorted(values, reverse=True)
    heights = _apart(values, gap, -1e9, 1e9)
    assert all(above - below > gap * (1 - 1e-9) - 1e-9 for above, below in itertools.pairwise(heights))
    assert np.mean(heights) == pytest.approx(np.mean(values), abs=1e-6)
    if all(above - below >= gap for above, below in itertools.pairwise(values)):
        assert heights == pytest.approx(values)
    # No other heights that keep the gaps are nearer: moving one name or any run of neighbours makes it worse.
    cost = np.sum((np.array(heights) - values) ** 2)
    for first, last in itertools.combinations(range(len(values) + 1), 2):
        for step in (0.01, -0.01):
            moved = np.array(heights)
            moved[first:last] += step
            if all(above - below >= gap for above, below in itertools.pairwise(moved)):
                assert np.sum((moved - values) ** 2) >= cost - 1e-9


@given(values=st.lists(st.floats(0, 50), min_size=1, max_size=9), gap=st.floats(0.1, 5))
def test_no_name_stands_below_the_lowest_place_nor_without_need_above_the_highest(values, gap):
    heights = _apart(sorted(values, reverse=True), gap, 3.0, 45.0)
    assert min(heights) >= 3.0 - 1e-9
    assert max(heights) <= max(45.0, 3.0 + (len(values) - 1) * gap) + 1e-9
    assert all(above - below > gap * (1 - 1e-9) - 1e-9 for above, below in itertools.pairwise(heights))
