"""Two figures: what each penalty adds to plain fine-tuning, and how far from the source it takes the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FAMILIES = {
    "towards zero": ("l2", "l1", "lp"),
    "towards the source's weights": ("l2-sp", "l1-sp", "group-lasso-sp", "l2-sp-fisher"),
    "on what the network computes": ("delta", "bss", "input-gradient", "laplacian"),
}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8a4b9c")
PLAIN = "nothing"
WIDTH, HEIGHT = 11.6, 4.6
ROW = 0.17  # inches from one name to the next


def draw_gain(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Accuracy less that of plain fine-tuning against labels a class, in a panel for each family of penalties."""
    from matplotlib.figure import Figure

    from ...figures.style import GRID, INK, MUTED, undress

    accuracy = _by_unit(tables, "accuracy")
    if accuracy is None or PLAIN not in accuracy.columns:
        return None
    gains = accuracy.drop(columns=PLAIN).sub(accuracy[PLAIN], axis=0)
    shots = sorted(set(gains.index.get_level_values("shots")))
    bars = {name: _intervals(gains[name], shots) for name in gains}
    low = min((mean - half).min() for mean, half in bars.values())
    high = max((mean + half).max() for mean, half in bars.values())
    room = max(0.05 * (high - low), 0.5)
    drawn = Figure(figsize=(WIDTH, HEIGHT))
    wide, first, between = 2.3, 0.75, 1.3
    for place, (family, members) in enumerate(FAMILIES.items()):
        left = first + place * (wide + between)
        axes = drawn.add_axes((left / WIDTH, 0.215, wide / WIDTH, 0.58))
        undress(axes)
        axes.set_title(family, fontsize=10, color=INK, loc="left")
        axes.yaxis.grid(True, color=GRID, linewidth=0.8)
        axes.axhline(0.0, color=MUTED, linewidth=1.0)
        axes.set_xlim(-0.25, len(shots) - 0.75)
        axes.set_ylim(low - room, high + room)
        axes.tick_params(labelleft=not place)
        plain = [accuracy[PLAIN].xs(shot, level="shots").mean() for shot in shots]
        axes.set_xticks(range(len(shots)), [f"{shot}\n({mean:.0f} %)" for shot, mean in zip(shots, plain, strict=True)])
        present = [name for name in members if name in bars]
        for number, name in enumerate(present):
            mean, half = bars[name]
            x = np.arange(len(shots)) + 0.07 * (number - (len(present) - 1) / 2)
            axes.vlines(x, mean - half, mean + half, color=COLOURS[number], linewidth=1.0, alpha=0.5)
            axes.plot(x, mean, color=COLOURS[number], linewidth=1.6, marker="o", markersize=3.6)
        ends = [
            (name, len(shots) - 1 + 0.07 * (number - (len(present) - 1) / 2), float(bars[name][0][-1]), COLOURS[number])
            for number, name in enumerate(present)
        ]
        _name_points(axes, sorted(ends, key=lambda end: -end[2]))
        if place == 0:
            axes.set_ylabel("accuracy gained (points)", color=INK)
        if place == 1:
            axes.set_xlabel("labels a class (accuracy of plain fine-tuning)", color=INK)
    units = accuracy.index.get_level_values("unit").nunique()
    drawn.text(
        0.02,
        1 - 0.5 / HEIGHT,
        f"accuracy less that of plain fine-tuning, mean over {units} class splits; bars: 95 % interval of that mean",
        fontsize=8.5,
        color=MUTED,
    )
    return drawn


def draw_distance(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Accuracy against the distance from the source's weights, in a panel for the fewest labels and for the most."""
    from matplotlib.figure import Figure

    from ...figures.style import GRID, INK, MUTED, undress, width_of

    accuracy, distance = _by_unit(tables, "accuracy"), _by_unit(tables, "distance")
    if accuracy is None or distance is None:
        return None
    shots = sorted(set(accuracy.index.get_level_values("shots")))
    shown = list(dict.fromkeys((shots[0], shots[-1])))
    family = {name: number for number, members in enumerate(FAMILIES.values()) for name in members}
    colour = {name: COLOURS[family[name]] if name in family else INK for name in map(str, accuracy)}
    drawn = Figure(figsize=(WIDTH, HEIGHT))
    wide, first, between = 3.6, 0.75, 1.9
    for place, shot in enumerate(shown):
        left = first + place * (wide + between)
        axes = drawn.add_axes((left / WIDTH, 0.18, wide / WIDTH, 0.6))
        undress(axes)
        axes.grid(True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_title(f"{shot} label{'s' if shot > 1 else ''} a class", fontsize=10, color=INK, loc="left")
        axes.set_xscale("log")
        points = [
            (str(name), float(distance[name].xs(shot, level="shots").mean()), float(values.mean()), colour[str(name)])
            for name in accuracy
            for values in (accuracy[name].xs(shot, level="shots"),)
        ]
        points.sort(key=lambda point: -point[2])
        for _, x, y, shade in points:
            axes.scatter(x, y, s=46, color=shade, zorder=3, edgecolors="white", linewidths=0.8)
        axes.margins(x=0.12, y=0.1)
        axes.minorticks_off()
        ticks = _ticks(*axes.get_xlim())
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        _name_points(axes, points)
        axes.set_xlabel("distance from the source's weights", color=INK)
        if place == 0:
            axes.set_ylabel("accuracy (%)", color=INK)
    across = 0.02
    top = 1 - 0.5 / HEIGHT
    for number, name in enumerate(FAMILIES):
        drawn.text(across, top, f"● {name}", fontsize=8.5, color=COLOURS[number])
        across += (width_of(f"● {name}", 8.5) + 0.3) / WIDTH
    units = accuracy.index.get_level_values("unit").nunique()
    drawn.text(across, top, f"mean over {units} class splits", fontsize=8.5, color=MUTED)
    return drawn


def _by_unit(tables: Mapping[str, pd.DataFrame], metric: str) -> pd.DataFrame | None:
    """Mean over splits: rows (unit, shots), a column for each condition; only units that have all."""
    measured = tables.get("measurements")
    if measured is None or measured.empty:
        return None
    rows = measured[measured["metric"] == metric]
    table = rows.pivot_table(index=["unit", "shots"], columns="condition", values="value", sort=False).dropna()
    return None if table.empty else table[list(dict.fromkeys(rows["condition"]))]


def _intervals(values: pd.Series[float], shots: Sequence[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Mean over units and half of its 95 % t interval, at each number of labels; no interval below three units."""
    from scipy.special import stdtrit

    means, halves = [], []
    for shot in shots:
        of_units = values.xs(shot, level="shots").to_numpy()
        count = len(of_units)
        spread = of_units.std(ddof=1) / np.sqrt(count) if count > 2 else 0.0
        means.append(of_units.mean())
        halves.append(float(stdtrit(max(count - 1, 1), 0.975)) * spread)
    return np.array(means), np.array(halves)


def _name_points(axes: Any, points: Sequence[tuple[str, float, float, str]]) -> None:
    """Names in a column to the right of a panel, from high to low, each joined to its point."""
    heights = _apart(axes, [y for _, _, y, _ in points])
    for (name, x, y, colour), height in zip(points, heights, strict=True):
        axes.annotate(
            name,
            (x, y),
            xytext=(1.06, height),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            annotation_clip=False,
            color=colour,
            fontsize=9,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.5,
                "alpha": 0.6,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )


def _apart(axes: Any, falling: Sequence[float]) -> list[float]:
    """Heights near falling values, at least a row of text apart, in the panel's own scale."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    gap = (high - low) * ROW / (axes.get_position().height * HEIGHT)
    groups: list[list[float]] = []
    for rank, value in enumerate(falling):
        groups.append([value + rank * gap])
        while len(groups) > 1 and np.mean(groups[-2]) < np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [float(np.mean(group)) for group in groups for _ in group]
    floor = low + (len(falling) - 1) * gap
    return [max(min(height, high), floor) - rank * gap for rank, height in enumerate(level)]


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade between two positive numbers."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    every = [float(step * 10.0**decade) for decade in decades for step in (1, 2, 5)]
    return [tick for tick in every if low <= tick <= high]
