"""Two panels: accuracy against the number of candidates, and what leave-one-out promises against what the test says."""

from __future__ import annotations

from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from tlbench.figures.style import GRID, INK, PALETTE, STYLE, png, title, undress

SHOWN = 3
"""Labelled positives."""
APART = 1.6
"""Least distance of two labels, in percent."""
QUERIES = {
    "truth": PALETTE[0],
    "class mean": PALETTE[5],
    "its own hyperplane": PALETTE[1],
    "leave-one-out": PALETTE[4],
    "nearest mean": PALETTE[6],
    "at random": PALETTE[7],
}


def draw(found: pd.DataFrame) -> bytes:
    """The figure as PNG, of one row a target, way of choosing, number of sources and shot count."""
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(9.6, 4.3))
        title(drawn, f"Choosing among very many sources, {SHOWN} labelled positives", 0.06)
        mean = found[found["shots"] == SHOWN].groupby(["way", "sources"])[["promised", "accuracy"]].mean()
        _candidates(drawn.add_axes((0.06, 0.14, 0.34, 0.74)), mean)
        _promises(drawn.add_axes((0.61, 0.14, 0.25, 0.74)), mean)
        return png(drawn)


def _candidates(axes: Any, mean: pd.DataFrame) -> None:
    ends = {"no transfer": (float(mean.loc[("none", 0), "accuracy"]), INK)}
    axes.axhline(ends["no transfer"][0], color=INK, linestyle=":", linewidth=1)
    for way, colour in QUERIES.items():
        own = mean.loc[way, "accuracy"].loc[:64]
        axes.plot(own.index, own, "o-", color=colour, markersize=4)
        ends[way] = (float(own.iloc[-1]), colour)
    lowest = -100.0
    for way, (height, colour) in sorted(ends.items(), key=lambda entry: entry[1][0]):
        lowest = max(height, lowest + APART)
        axes.annotate(way, (64, lowest), (8, 0), textcoords="offset points", va="center", color=colour)
    _dress(axes, "candidates kept, of all sources", "balanced accuracy, %", [1, 4, 16, 64])


def _promises(axes: Any, mean: pd.DataFrame) -> None:
    best = mean.loc["best of strangers"]
    axes.plot(best.index, best["promised"], "o--", color=PALETTE[1], markersize=4)
    axes.plot(best.index, best["accuracy"], "o-", color=PALETTE[1], markersize=4)
    for column, words in (("promised", "promised by\nleave-one-out"), ("accuracy", "on the test")):
        place = (best.index[-1], best[column].iloc[-1])
        axes.annotate(words, place, (6, 0), textcoords="offset points", va="center", color=PALETTE[1])
    _dress(axes, "unrelated sources, the best-looking is chosen", "balanced accuracy, %", list(best.index))


def _dress(axes: Any, x: str, y: str, ticks: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    undress(axes)
