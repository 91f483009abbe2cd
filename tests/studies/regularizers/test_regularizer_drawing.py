"""The figures of penalties: every condition is named, and what is drawn are means of differences within a unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tlbench.studies.regularizers.drawing import draw_distance, draw_gain
from tlbench.studies.regularizers.parameter_regularizers import SAYS


def measurements(units=5, conditions=tuple(SAYS), shots=(1, 2, 20)):
    draw = np.random.default_rng(0)
    rows = [
        {"unit": f"draw {u}", "split": s, "condition": c, "shots": n, "metric": m, "value": draw.uniform(1, 90)}
        for u in range(units)
        for s in (0, 1)
        for c in conditions
        for n in shots
        for m in ("accuracy", "distance")
    ]
    return {"measurements": pd.DataFrame(rows)}


@pytest.mark.parametrize("draw", [draw_gain, draw_distance])
@pytest.mark.parametrize(
    "tables", [measurements(), measurements(units=1, shots=(1,)), measurements(conditions=("nothing", "bss"))]
)
def test_figures_name_every_condition_that_there_is(draw, tables):
    drawn = draw(tables)
    present = set(tables["measurements"]["condition"]) - ({"nothing"} if draw is draw_gain else set())
    assert {text.get_text() for axes in drawn.axes for text in axes.texts} == present


def test_gains_are_means_over_units_of_differences_within_a_unit():
    tables = measurements()
    rows = tables["measurements"]
    of = rows[rows["metric"] == "accuracy"].groupby(["unit", "shots", "condition"])["value"].mean().unstack()
    line = draw_gain(tables).axes[0].lines[1]  # after the line of zero
    expected = (of["l2"] - of["nothing"]).groupby("shots").mean()
    np.testing.assert_allclose(line.get_ydata(), expected.to_numpy())


def test_gains_that_are_all_the_same_are_drawn():
    tables = measurements()
    low, high = draw_gain({"measurements": tables["measurements"].assign(value=50.0)}).axes[0].get_ylim()
    assert low < 0 < high


def test_figures_of_nothing_are_none():
    assert draw_gain({}) is None
    assert draw_distance({}) is None
    assert draw_gain(measurements(conditions=("l2",))) is None
