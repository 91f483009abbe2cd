"""The figures of ``class_similarity``: what scores say against what sources bring, and the curves behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "relief": "learned β",
    "closeness": "closeness",
    "cka": "linear CKA",
    "logme": "LogME",
    "leep": "LEEP",
    "h_score": "H-score",
}
SAYS = {
    "relief": "leave-one-out error it takes off",
    "closeness": "−discrepancy of features",
    "cka": "both networks' features",
    "logme": "evidence of the labels",
    "leep": "expected log prediction",
    "h_score": "explained by class means",
}
SHOWN_AS_CURVES = ("relief", "cka", "logme")
WITHIN, OVER = "#0072b2", "#d55e00"


def draw_gain(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Each score against the gain with the deeper half of the layers."""
    return _draw_scores(tables, "gain", "gain with deep layers (points)")


def draw_depth(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Each score against the number of layers that can be shared."""
    return _draw_scores(tables, "shareable", "layers that can be shared")


def _draw_scores(tables: Mapping[str, pd.DataFrame], outcome: str, label: str) -> Figure | None:
    """A column a score; above the sources of each target, counted from the target's mean, below the targets' means."""
    from matplotlib.figure import Figure

    from ...figures.style import INK, MUTED

    pairs = tables.get("pairs")
    if pairs is None or pairs.empty:
        return None
    columns = [*LABELS, outcome]
    means = pairs.groupby("unit", sort=False)[columns].mean()
    apart = pairs[columns] - pairs[["unit"]].join(means, on="unit")[columns]
    drawn = Figure(figsize=(11.4, 5.6))
    grid = drawn.subplots(2, len(LABELS), sharey="row")
    drawn.subplots_adjust(left=0.075, right=0.99, top=0.81, bottom=0.14, wspace=0.09, hspace=0.42)
    for place, (score, name) in enumerate(LABELS.items()):
        upper, lower = grid[:, place]
        _scatter(upper, apart[score], apart[outcome], WITHIN, _correlation(pairs, score, outcome, "split"))
        _scatter(lower, means[score], means[outcome], OVER, _correlation(pairs, score, outcome, "unit"))
        upper.text(0.0, 1.25, name, transform=upper.transAxes, fontsize=11, color=INK, weight="bold")
        upper.text(0.0, 1.145, SAYS[score], transform=upper.transAxes, fontsize=7.5, color=MUTED)
    grid[0, 0].set_ylabel(f"{label},\nfrom the target's mean", fontsize=8.5, color=INK)
    grid[1, 0].set_ylabel(f"{label},\nmean of a target", fontsize=8.5, color=INK)
    middle = (grid[0, 0].get_position().x0 + grid[0, -1].get_position().x1) / 2
    for row, text in zip(grid, ("score, from the target's mean", "score, mean of a target"), strict=True):
        below = row[0].get_position().y0 - 0.075
        drawn.text(middle, below, text, ha="center", fontsize=8.5, color=MUTED)
    sources = f"● a source against the others of its target ({len(pairs)} sources)"
    drawn.text(0.84, 0.012, sources, ha="right", fontsize=8.5, color=WITHIN)
    drawn.text(0.99, 0.012, f"● a target ({len(means)} targets)", ha="right", fontsize=8.5, color=OVER)
    return drawn


def _scatter(axes: Axes, x: pd.Series[float], y: pd.Series[float], colour: str, says: str) -> None:
    """Points, the least-squares line for the eye, and the rank correlation."""
    from ...figures.style import GRID, INK, MUTED

    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.scatter(x, y, s=13, color=colour, alpha=0.55, linewidths=0)
    if np.ptp(x) > 0:
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, np.polyval(np.polyfit(x, y, 1), ends), color=MUTED, linewidth=1.2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK, labelsize=7.5)
    axes.locator_params(axis="x", nbins=3)
    axes.set_title(says, fontsize=7.8, color=colour, loc="left", pad=3)


def _correlation(pairs: pd.DataFrame, score: str, outcome: str, among: str) -> str:
    """As a claim would test it: "ρ = 0.52 (0.31 … 0.68)"."""
    from ...claims.ranks import rank_correlation

    found = rank_correlation(pairs, (score, outcome), among)
    low, high = found.interval(0.95)
    interval = f" ({low:.2f} … {high:.2f})" if low == low else ""
    return f"ρ = {found.mean:.2f}{interval}".replace("-", "−")


def draw_likeness(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Gain against n: of the source that a score puts first for each target, of that which it puts last, of others."""
    from matplotlib.figure import Figure

    from ...figures.style import GRID, INK, MUTED

    pairs = tables.get("pairs")
    if pairs is None or pairs.groupby("unit").size().max() < 2:
        return None
    gains = _gains(tables["measurements"])
    drawn = Figure(figsize=(10.2, 3.9))
    panels = drawn.subplots(1, len(SHOWN_AS_CURVES), sharey=True)
    drawn.subplots_adjust(left=0.07, right=0.985, top=0.8, bottom=0.165, wspace=0.07)
    for axes, score in zip(panels, SHOWN_AS_CURVES, strict=True):
        axes.axhline(0.0, color=MUTED, linewidth=1.0)
        axes.grid(True, axis="y", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        for group, (colour, width) in GROUPS.items():
            chosen = _grouped(pairs, score, group)
            curve = gains.merge(chosen, on=["unit", "split"]).groupby(["layers", "unit"])["gain"].mean().unstack(0)
            if not curve.empty:
                _draw_curve(axes, curve, colour, width, banded=group != "between")
        axes.text(0.0, 1.05, f"by {LABELS[score]}", transform=axes.transAxes, fontsize=10, color=INK, weight="bold")
        axes.set_xlabel("n, layers inherited and frozen", fontsize=8.5, color=INK)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(length=0, colors=INK, labelsize=8)
    panels[0].set_ylabel("accuracy, points from own base", fontsize=8.5, color=INK)
    shown = f"mean over {pairs['unit'].nunique()} targets, with its 95 % interval"
    drawn.text(0.985, 0.012, shown, ha="right", fontsize=8.5, color=MUTED)
    for place, (group, (colour, _)) in enumerate(GROUPS.items()):
        panels[0].text(0.03, 0.06 + 0.075 * (2 - place), NAMED[group], transform=panels[0].transAxes, fontsize=8.5,
                       color=colour, weight="bold")  # fmt: skip
    return drawn


GROUPS = {"most": ("#0072b2", 2.2), "between": ("#9a9a9a", 1.4), "least": ("#d55e00", 2.2)}
NAMED = {"most": "each target's most alike source", "between": "those between", "least": "its least alike"}


def _grouped(pairs: pd.DataFrame, score: str, group: str) -> pd.DataFrame:
    """Units and splits of the sources that a score puts first, last or between for their target."""
    ranks = pairs.groupby("unit")[score].rank(method="first")
    sizes = pairs.groupby("unit")[score].transform("size")
    keep = {"most": ranks == sizes, "least": ranks == 1, "between": (ranks > 1) & (ranks < sizes)}[group]
    return pairs.loc[keep, ["unit", "split"]]


def _gains(measured: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of each source at each n, in points from the target's base; 0 at n = 0."""
    import pandas as pd

    measured = measured[measured["metric"] == "accuracy"]
    base = measured[measured["condition"] == "base"].set_index("unit")["value"]
    gains = measured[measured["condition"] == "AnB"][["unit", "split", "layers", "value"]]
    gains = gains.assign(gain=gains["value"] - gains["unit"].map(base))
    zeros = gains.drop_duplicates(["unit", "split"]).assign(layers=0, gain=0.0)
    return pd.concat([zeros, gains], ignore_index=True)


def _draw_curve(axes: Any, curve: pd.DataFrame, colour: str, width: float, banded: bool) -> None:
    """The mean over targets (rows) at each n (columns), with its 95 % interval."""
    from ...claims.statistics import paired

    found = [paired(curve[depth].to_numpy()) for depth in curve.columns]
    axes.plot(curve.columns, [one.mean for one in found], color=colour, linewidth=width, marker="o", markersize=3.5)
    if banded and len(curve) > 1:
        low, high = zip(*(one.interval(0.95) for one in found), strict=True)
        axes.fill_between(curve.columns, low, high, color=colour, alpha=0.15, linewidth=0)
