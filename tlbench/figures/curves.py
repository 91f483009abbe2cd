"""Curves: means over units against a factor, one line a condition, in one panel or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import protocol
from .lines import Line
from .style import GRID, INK, MUTED, plain, title, undress

FEWEST_FOR_A_BAR = 3  # the interval of two values is a guess, and hides all the others
HEIGHT, LEFT, RIGHT, BETWEEN = 5.2, 0.688, 2.236, 0.3  # inches
NAME = 0.182208  # inches from one name to the next
ONE, MANY = 5.676, 4.1  # a panel's width where it is the only one, and where there are several
DASHED = (0, (4, 2.5))


def draw_curves(figure: protocol.Figure, declared: protocol.Protocol, lines: Sequence[Line]) -> Figure:
    """The lines of each panel with 95 % intervals as whiskers beside each other, named at their ends."""
    panels = list(dict.fromkeys(line.panel for line in lines))
    wide = ONE if len(panels) == 1 else MANY
    last = [line for line in lines if line.panel == panels[-1]]
    at_ends = len(last) == len({line.name for line in lines})
    longest = max(len(_name(line)) for line in lines)
    right = RIGHT if len(panels) == 1 else min(RIGHT, (0.45 if at_ends else 0.85) + 0.085 * longest)
    whole = LEFT + len(panels) * wide + (len(panels) - 1) * BETWEEN + right
    overlay = any(len(line.published) for line in lines)
    top = 0.88 - (0.04 if overlay else 0) - (0.05 if len(panels) > 1 else 0)
    drawn = Figure(figsize=(whole, HEIGHT))
    axes_of = {}
    for place, panel in enumerate(panels):
        left = LEFT + place * (wide + BETWEEN)
        axes_of[panel] = axes = drawn.add_axes((left / whole, 0.15, wide / whole, top - 0.15))
        _panel(axes, figure, [line for line in lines if line.panel == panel], _offsets(figure, lines))
    _share(list(axes_of.values()))
    if at_ends:
        _label_ends(axes_of[panels[-1]], last)
    else:
        _list_names(axes_of[panels[-1]], lines)
    for place, (panel, axes) in enumerate(axes_of.items()):
        undress(axes)
        axes.set_xlabel(plain(figure.x_label or figure.x), color=INK)
        axes.set_ylabel("" if place else plain(figure.y_label or figure.y), color=INK)
        axes.tick_params(labelleft=not place)
        axes.yaxis.grid(True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        if len(panels) > 1:
            units = max(line.points["units"].max() for line in lines if line.panel == panel)
            axes.set_title(plain(f"{panel} ({units} {declared.units})"), fontsize=10, color=INK, loc="left")
    title(drawn, figure.title, LEFT / whole)
    drawn.text(LEFT / whole, 0.905, plain(_below(figure, declared, lines, panels)), fontsize=8.5, color=MUTED)
    if overlay and declared.reference is not None:
        _explain_published(drawn, LEFT, f"{declared.reference.name} ({declared.reference.says})")
    return drawn


def _offsets(figure: protocol.Figure, lines: Sequence[Line]) -> dict[int, float]:
    """How far each line is moved aside, so that whiskers and dots do not cover each other."""
    several = len({x for line in lines for x in line.points["x"]}) > 1
    moved = list(dict.fromkeys(line.place for line in lines if not (line.is_level and several)))
    width = 0.8 if not several else 0.55 if figure.dots else 0.34
    return {place: width * (rank / max(1, len(moved) - 1) - 0.5) for rank, place in enumerate(moved)}


def _panel(axes: Any, figure: protocol.Figure, lines: Sequence[Line], offsets: dict[int, float]) -> None:
    """Draw the lines of one panel; one that has no offset is a height, which a thin line carries across."""
    if figure.relative_to:
        axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    for line in lines:
        heavy = line.name == figure.highlight
        offset = offsets.get(line.place, 0.0)
        points = line.points
        x = points["x"].to_numpy(dtype=float) + offset
        if line.place not in offsets:
            axes.axhline(points["mean"].iloc[0], color=line.colour, linewidth=0.8, alpha=0.45, zorder=1)
        if figure.dots:
            apart = line.units["x"].to_numpy(dtype=float) + offset
            axes.scatter(apart, line.units["value"], s=7, color=line.colour, alpha=0.3, linewidths=0, zorder=2)
        enough = points["units"] >= FEWEST_FOR_A_BAR
        low, high = points["low"].where(enough), points["high"].where(enough)
        axes.vlines(x, low, high, color=line.colour, linewidth=0.9, alpha=0.4, zorder=2)
        axes.plot(
            x,
            points["mean"],
            color=line.colour,
            linestyle=(0, (2, 2)) if line.oracle else "-",
            linewidth=2.6 if heavy else 1.4,
            marker="none" if line.oracle else "o",
            markersize=4.2 if heavy else 3.2,
            zorder=5 if heavy else 3,
        )
        if len(line.published):
            axes.plot(
                line.published["x"].to_numpy(dtype=float) + offset,
                line.published["mean"],
                color=line.colour,
                linestyle=DASHED,
                linewidth=0.9,
                marker="o",
                markersize=4.4,
                markerfacecolor="white",
                markeredgewidth=0.9,
                zorder=2.5,
            )
    axes.set_xticks(sorted({x for line in lines for x in line.points["x"]}))


def _share(panels: Sequence[Any]) -> None:
    """One scale for all panels, and a tick for every level in each."""
    limits = [axes.get_ylim() for axes in panels]
    ticks = sorted({tick for axes in panels for tick in axes.get_xticks()})
    wide = [axes.get_xlim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        axes.set_xlim(min(low for low, _ in wide), max(high for _, high in wide))
        axes.set_xticks(ticks)


def _below(figure: protocol.Figure, declared: protocol.Protocol, lines: Sequence[Line], panels: Sequence[str]) -> str:
    """What is shown, in a line: how many units, from which zero, and what bars and dots are."""
    most = [int(line.points["units"].max()) for line in lines]
    count = "" if len(panels) > 1 else f"{'up to ' if len(set(most)) > 1 else ''}{max(most)} "
    parts = [f"mean over {count}{declared.units}"]
    if figure.relative_to:
        parts[0] += f", each from its own {figure.relative_to.get('condition', 'zero')}"
    if figure.dots:
        parts.append(f"dots: single {declared.units}")
    few = any((line.points["units"] < FEWEST_FOR_A_BAR).any() for line in lines) and len(set(most)) > 1
    bars = f"95 % interval of that mean{f', of {FEWEST_FOR_A_BAR} or more' if few else ''}"
    parts.append(f"bars: {bars}{'' if figure.relative_to else ' (claims are tested on pairs)'}")
    return "; ".join(parts)


def _label_ends(axes: Any, lines: Sequence[Line]) -> None:
    """Names to the right of their lines, moved apart where they would overlap, each joined to its line's end."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    gap = (high - low) * NAME / (axes.get_position().height * HEIGHT)
    ends = sorted(((float(line.points["mean"].iloc[-1]), _name(line), line.colour) for line in lines), reverse=True)
    heights = _apart([value for value, _, _ in ends], gap, low + gap / 2)
    across = axes.get_yaxis_transform()
    for at, (value, name, colour) in zip(heights, ends, strict=True):
        axes.plot([1.0, 1.025], [value, at], color=colour, linewidth=0.8, transform=across, clip_on=False)
        axes.text(1.032, at, plain(name), color=colour, fontsize=9, va="center", transform=across)


def _apart(values: Sequence[float], gap: float, lowest: float) -> list[float]:
    """Heights near falling values and at least ``gap`` apart, none below ``lowest``: least squares, each group alone.

    Pool adjacent violators: names that would overlap form a group about the mean of their lines' ends.
    """
    groups: list[list[float]] = []
    for rank, value in enumerate(values):
        groups.append([value + rank * gap])
        while len(groups) > 1 and np.mean(groups[-2]) < np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [float(np.mean(group)) for group in groups for _ in group]
    floor = lowest + (len(values) - 1) * gap
    return [max(height, floor) - rank * gap for rank, height in enumerate(level)]


def _list_names(axes: Any, lines: Sequence[Line]) -> None:
    """Names to the right in the order of the protocol, for panels that do not all have all lines."""
    first = {line.name: line for line in reversed(lines)}
    handles = [
        Line2D([], [], color=line.colour, linewidth=1.4, marker="o", markersize=3.2, label=plain(_name(line)))
        for line in sorted(first.values(), key=lambda line: line.place)
    ]
    legend = axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize=9)
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set_color(handle.get_color())


def _name(line: Line) -> str:
    return f"{line.name} (oracle)" if line.oracle else line.name


def _explain_published(drawn: Figure, left: float, whose: str) -> None:
    """A sample of the dashed line with hollow points, and whose numbers they are."""
    wide = drawn.get_size_inches()[0]
    x, y = [left / wide, (left + 0.35) / wide], [0.875, 0.875]
    style: Any = {"color": MUTED, "linewidth": 0.9, "transform": drawn.transFigure}
    drawn.add_artist(Line2D(x, y, linestyle=DASHED, **style))
    middle = [sum(x) / 2]
    drawn.add_artist(Line2D(middle, y[:1], marker="o", markersize=4.4, markerfacecolor="white", **style))
    words = f"dashed, hollow: {whose}"
    drawn.text(x[1] + 0.08 / wide, y[0], plain(words), fontsize=8.5, color=MUTED, va="center")
