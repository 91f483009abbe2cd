"""The figures that these studies draw themselves, of nothing but their tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...tables import summarise

SIZE_FACTORS = ("pictures", "layers", "hidden", "temperature")
ALONE, HINTS, TEACHER = "#000000", "#d55e00", "#6b6b6b"
COOL_TO_WARM = ("#9ad0f0", "#56b4e9", "#0072b2", "#00406b")  # temperatures, the lowest the palest
FEWEST_FOR_A_BAR = 3  # the interval of two values is a guess, and hides all the others
HINT_TEMPERATURE = 3.0  # that of FitNets
PANEL_WIDTH, PANEL_HEIGHT, LEFT, RIGHT, TOP, BOTTOM, APART = 3.5, 2.5, 0.75, 1.75, 0.95, 0.8, 0.32  # inches


@dataclass(frozen=True)
class Mark:
    """How a condition is shown."""

    name: str
    colour: str
    shape: str
    filled: bool


RECOGNISED = {
    "hard": Mark("labels", ALONE, "o", False),
    "hard-raised": Mark("labels, bias raised", ALONE, "o", True),
    "distilled": Mark("soft targets", "#0072b2", "o", False),
    "distilled-raised": Mark("soft targets, bias raised", "#0072b2", "o", True),
    "teacher": Mark("teacher", TEACHER, "D", True),
}


def draw_sizes(tables: Mapping[str, pd.DataFrame]) -> Any:
    """Accuracy against a student's width: a row of panels for each depth, a column for each size of the transfer set.

    None where there are no students.
    """
    from matplotlib.figure import Figure

    from ...figures.style import GRID, INK, MUTED, undress

    means = summarise(tables["measurements"], SIZE_FACTORS)
    students = means[means["condition"] != "teacher"]
    if students.empty:
        return None
    teacher = means[means["condition"] == "teacher"]["mean"]
    depths, sizes = (sorted(students[name].unique()) for name in ("layers", "pictures"))
    wide = LEFT + len(sizes) * PANEL_WIDTH + (len(sizes) - 1) * APART + RIGHT
    high = TOP + len(depths) * PANEL_HEIGHT + (len(depths) - 1) * 1.6 * APART + BOTTOM
    drawn = Figure(figsize=(wide, high))
    panels = []
    for row, depth in enumerate(depths):
        for column, size in enumerate(sizes):
            left = LEFT + column * (PANEL_WIDTH + APART)
            bottom = high - TOP - (row + 1) * PANEL_HEIGHT - row * 1.6 * APART
            axes = drawn.add_axes((left / wide, bottom / high, PANEL_WIDTH / wide, PANEL_HEIGHT / high))
            panels.append(axes)
            here = students[(students["layers"] == depth) & (students["pictures"] == size)]
            for rows, name, colour, style in _lines(here):
                _draw_line(axes, rows, name, colour, style)
            if len(teacher):
                axes.axhline(teacher.iloc[0], color=TEACHER, linewidth=1.2, linestyle=(0, (4, 2.5)), label="teacher")
            undress(axes)
            axes.set_xscale("log", base=2)
            widths = sorted(students["hidden"].unique())
            axes.set_xticks(widths, [str(width) for width in widths])
            axes.minorticks_off()
            axes.yaxis.grid(True, color=GRID, linewidth=0.8)
            axes.set_axisbelow(True)
            words = f"{size} pictures of each class, {depth} hidden layers"
            axes.set_title(words, fontsize=10, color=INK, loc="left")
            axes.tick_params(labelleft=not column, labelbottom=row + 1 == len(depths))
            axes.set_ylabel("" if column else "accuracy (%)", color=INK)
            axes.set_xlabel("units of each hidden layer" if row + 1 == len(depths) else "", color=INK)
    low = max(0.0, min(axes.get_ylim()[0] for axes in panels))
    for axes in panels:
        axes.set_ylim(low, 100.0)
    panels[len(sizes) - 1].legend(loc="upper left", bbox_to_anchor=(1.02, 1.02), frameon=False, fontsize=9)
    units = int(students["units"].max())
    below = f"mean over {units} draws of pictures and teacher; bars: 95 % intervals over draws"
    drawn.text(0.02, 1 - 0.47 / high, below, fontsize=8.5, color=MUTED)
    return drawn


def _lines(students: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str, Any]]:
    """Rows of each line, its name, colour and style."""
    alone = students[students["condition"] == "hard"]
    lowest = alone["temperature"].min()
    yield alone[alone["temperature"] == lowest], "alone, on labels", ALONE, "-"
    distilled = students[students["condition"] == "distilled"]
    degrees = sorted(distilled["temperature"].unique())
    for place, degree in enumerate(degrees):
        colour = COOL_TO_WARM[round(place * (len(COOL_TO_WARM) - 1) / max(1, len(degrees) - 1))]
        yield distilled[distilled["temperature"] == degree], f"distilled, T = {degree:g}", colour, "-"
    hints = students[students["condition"] == "hints"]
    if len(hints):
        degree = nearest(sorted(hints["temperature"].unique()), HINT_TEMPERATURE)
        yield hints[hints["temperature"] == degree], f"hints, then T = {degree:g}", HINTS, (0, (2, 1.5))


def nearest(levels: Sequence[float], wanted: float) -> float:
    """The level that is nearest to the one wanted."""
    return min(levels, key=lambda level: (abs(level - wanted), level))


def _draw_line(axes: Any, rows: pd.DataFrame, name: str, colour: str, style: Any) -> None:
    if rows.empty:
        return
    rows = rows.sort_values("hidden")
    if rows["units"].min() >= FEWEST_FOR_A_BAR:
        axes.vlines(rows["hidden"], rows["low"], rows["high"], color=colour, linewidth=0.9, alpha=0.4)
    axes.plot(
        rows["hidden"],
        rows["mean"],
        color=colour,
        linestyle=style,
        linewidth=2.0 if colour == ALONE else 1.5,
        marker="o",
        markersize=3.6,
        label=name,
    )


def draw_recognised(tables: Mapping[str, pd.DataFrame]) -> Any:
    """What share of each missing class's test pictures is recognised: a line a class, a dot a condition.

    At the highest temperature; None where no single class was missing.
    """
    from matplotlib.figure import Figure

    from ...figures.style import GRID, INK, MUTED, plain, undress

    rows = tables["measurements"]
    rows = rows[(rows["metric"] == "missing_accuracy") & (rows["missing"] == "one")]
    degree = rows["temperature"].max()
    rows = rows[rows["temperature"].isin([0.0, degree])]
    shares = rows.groupby(["unit", "condition"], sort=False)["value"].mean().unstack("condition")
    shown = [condition for condition in RECOGNISED if condition in shares]
    if shares.empty or not shown:
        return None
    count = len(shares)
    wide, high = 8.6, 1.75 + 0.32 * count
    drawn = Figure(figsize=(wide, high))
    axes = drawn.add_axes((0.13, 0.62 / high, 0.84, (high - 1.62) / high))
    heights = range(count)[::-1]
    axes.hlines(heights, 0, 100, color=GRID, linewidth=0.9, zorder=1)
    if {"distilled", "distilled-raised"} <= set(shown):
        axes.hlines(
            heights, shares["distilled"], shares["distilled-raised"], color=RECOGNISED["distilled"].colour, zorder=2
        )
    for condition in shown:
        mark = RECOGNISED[condition]
        axes.scatter(
            shares[condition],
            heights,
            s=46,
            marker=mark.shape,
            facecolors=mark.colour if mark.filled else "white",
            edgecolors=mark.colour,
            linewidths=1.5,
            label=mark.name,
            zorder=3,
            clip_on=False,
        )
    undress(axes)
    axes.set_yticks(list(heights), [plain(unit) for unit in shares.index])
    axes.tick_params(axis="y", pad=9)
    axes.set_ylim(-0.6, count - 0.4)
    axes.set_xlim(0, 100)
    axes.set_xlabel("test pictures of the missing class that are recognised (%)", color=INK)
    at: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "ncols": len(shown)}
    axes.legend(**at, frameon=False, fontsize=9, handletextpad=0.2, columnspacing=1.2)
    splits = rows["split"].nunique()
    drawn.text(
        0.02,
        1 - 0.47 / high,
        f"{splits} {'draw' if splits == 1 else 'draws'} of pictures and teacher each; soft targets at T = {degree:g}",
        fontsize=8.5,
        color=MUTED,
    )
    return drawn
