"""Curves: means over units against a factor, one line a condition, in one panel or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import protocol
from .lines import Line
from .style import GRID, INK, MUTED, plain, title, undress, width_of

FEWEST_FOR_A_BAR = 3  # the interval of two values is a guess, and hides all the others
WIDTH, HEIGHT, LEFT, BETWEEN = 8.6, 5.2, 0.688, 0.3  # inches; the width is that of a figure of one panel
PANEL = 4.1  # inches: a panel's width where there are several
JOIN, MARGIN, SAMPLE, MOST = 0.18, 0.15, 0.5, 2.3  # inches right of a panel: to a name, beyond it, a list's lines, all
NAME = 0.182208  # inches from one name to the next
FIRST_ROW, ROW = 0.494, 0.2  # inches from the top to what stands below the title, and from one row of it to the next
BELOW, NAMES = 8.5, 9.0  # points
DASHED = (0, (4, 2.5))


def draw_curves(
    figure: protocol.Figure, declared: protocol.Protocol, lines: Sequence[Line], only: Sequence[str] = ()
) -> Figure:
    """The lines of each panel with 95 % intervals as whiskers beside each other, named at their ends.

    only: what was selected of what there is, in words.
    """
    panels = list(dict.fromkeys(line.panel for line in lines))
    last = [line for line in lines if line.panel == panels[-1]]
    at_ends = len(last) == len({line.name for line in lines})
    longest = max(width_of(_name(line), NAMES) for line in lines)
    right = min(MOST, JOIN + longest + MARGIN + (0.0 if at_ends else SAMPLE))
    wide = WIDTH - LEFT - right if len(panels) == 1 else PANEL
    whole = LEFT + len(panels) * wide + (len(panels) - 1) * BETWEEN + right
    overlay = any(len(line.published) for line in lines)
    rows = _rows(_below(figure, declared, lines, panels, only), whole - LEFT - MARGIN)
    top = 1 - (FIRST_ROW + (len(rows) + overlay) * ROW - 0.07 + (0.26 if len(panels) > 1 else 0)) / HEIGHT
    drawn = Figure(figsize=(whole, HEIGHT))
    axes_of, offsets = {}, _offsets(figure, lines)
    for place, panel in enumerate(panels):
        left = LEFT + place * (wide + BETWEEN)
        axes_of[panel] = axes = drawn.add_axes((left / whole, 0.15, wide / whole, top - 0.15))
        _panel(axes, figure, [line for line in lines if line.panel == panel], offsets)
    _share(list(axes_of.values()))
    if at_ends:
        _label_ends(axes_of[panels[-1]], last, offsets)
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
            axes.set_title(
                plain(f"{figure.panels} {panel} ({units} {declared.units})"), fontsize=10, color=INK, loc="left"
            )
    title(drawn, figure.title, LEFT / whole)
    for place, row in enumerate(rows):
        drawn.text(LEFT / whole, 1 - (FIRST_ROW + place * ROW) / HEIGHT, plain(row), fontsize=BELOW, color=MUTED)
    if overlay and declared.reference is not None:
        middle = 1 - (FIRST_ROW + len(rows) * ROW - 0.045) / HEIGHT
        _explain_published(drawn, middle, f"{declared.reference.name} ({declared.reference.says})")
    return drawn


def _offsets(figure: protocol.Figure, lines: Sequence[Line]) -> dict[int, float]:
    """How far each line is moved aside, so that whiskers and dots do not cover each other.

    At most a twentieth of the axis for all of them, with dots a twelfth: lines that lean must not look higher or lower
    for it.
    """
    levels = sorted({x for line in lines for x in line.points["x"]})
    several = len(levels) > 1
    step = float(np.diff(levels).min()) if several else 1.0
    moved = list(dict.fromkeys(line.place for line in lines if not (line.is_level(levels[0]) and several)))
    most = (levels[-1] - levels[0]) / (12 if figure.dots else 20)
    width = step * 0.8 if not several else min(step * (0.4 if figure.dots else 0.34), most)
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


def _below(
    figure: protocol.Figure,
    declared: protocol.Protocol,
    lines: Sequence[Line],
    panels: Sequence[str],
    only: Sequence[str],
) -> list[str]:
    """What is shown: how many units, from which zero, of what alone, and what dots and bars are."""
    most = [int(line.points["units"].max()) for line in lines]
    count = "" if len(panels) > 1 else f"{'up to ' if len(set(most)) > 1 else ''}{max(most)} "
    parts = [f"mean over {count}{declared.units}"]
    if figure.relative_to:
        parts[0] += f", each from its own {' at '.join(map(str, figure.relative_to.values()))}"
    if only:
        parts.append(f"only {', '.join(only)}")
    if figure.dots:
        parts.append(f"dots: single {declared.units}")
    if max(most) < FEWEST_FOR_A_BAR:
        return [*parts, f"no bars: fewer than {FEWEST_FOR_A_BAR} {declared.units}"]
    few = any((line.points["units"] < FEWEST_FOR_A_BAR).any() for line in lines)
    bars = f"95 % interval of that mean{f', of {FEWEST_FOR_A_BAR} or more' if few else ''}"
    return [*parts, f"bars: {bars}{'' if figure.relative_to else ' (claims are tested on pairs)'}"]


def _rows(parts: Sequence[str], wide: float) -> list[str]:
    """The parts in as few rows as so many inches allow."""
    rows = [parts[0]]
    for part in parts[1:]:
        longer = f"{rows[-1]}; {part}"
        rows[-1:] = [longer] if width_of(longer, BELOW) <= wide else [f"{rows[-1]};", part]
    return rows


def _label_ends(axes: Any, lines: Sequence[Line], offsets: dict[int, float]) -> None:
    """Names to the right of their lines, moved apart where they would overlap, each joined to its line's end.

    offsets: those of ``_offsets``; a line without one is carried across the panel and ends at its edge.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    first, last = axes.get_xlim()
    box, across = axes.get_position(), axes.get_yaxis_transform()
    gap = (high - low) * NAME / (box.height * HEIGHT)
    inch = 1 / (box.width * axes.figure.get_figwidth())
    ordered = sorted(lines, key=lambda line: float(line.points["mean"].iloc[-1]), reverse=True)
    ends = [float(line.points["mean"].iloc[-1]) for line in ordered]
    for line, end, at in zip(ordered, ends, _apart(ends, gap, low + gap / 2, high - gap / 2), strict=True):
        x = last if line.place not in offsets else line.points["x"].iloc[-1] + offsets[line.place]
        joined = [(x - first) / (last - first), 1 + (JOIN - 0.05) * inch]
        axes.plot(joined, [end, at], color=line.colour, linewidth=0.6, transform=across, clip_on=False, zorder=2.2)
        axes.text(
            1 + JOIN * inch, at, plain(_name(line)), color=line.colour, fontsize=NAMES, va="center", transform=across
        )


def _apart(values: Sequence[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Heights near falling values, at least ``gap`` apart and within bounds: least squares, each group alone.

    Pool adjacent violators: names that would overlap form a group about the mean of their lines' ends. Where there is
    not room for all, they go beyond ``highest``.
    """
    groups: list[list[float]] = []
    for rank, value in enumerate(values):
        groups.append([value + rank * gap])
        while len(groups) > 1 and np.mean(groups[-2]) < np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    level = [float(np.mean(group)) for group in groups for _ in group]
    floor = lowest + (len(values) - 1) * gap
    return [max(min(height, highest), floor) - rank * gap for rank, height in enumerate(level)]


def _list_names(axes: Any, lines: Sequence[Line]) -> None:
    """Names to the right in the order of the protocol, for panels that do not all have all lines."""
    first = {line.name: line for line in reversed(lines)}
    handles = [
        Line2D([], [], color=line.colour, linewidth=1.4, marker="o", markersize=3.2, label=plain(_name(line)))
        for line in sorted(first.values(), key=lambda line: line.place)
    ]
    legend = axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize=NAMES)
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set_color(handle.get_color())


def _name(line: Line) -> str:
    return f"{line.name} (oracle)" if line.oracle else line.name


def _explain_published(drawn: Figure, height: float, whose: str) -> None:
    """A sample of the dashed line with hollow points, and whose numbers they are; its height is one of the figure."""
    wide = drawn.get_figwidth()
    x, y = [LEFT / wide, (LEFT + 0.35) / wide], [height, height]
    style: Any = {"color": MUTED, "linewidth": 0.9, "transform": drawn.transFigure}
    drawn.add_artist(Line2D(x, y, linestyle=DASHED, **style))
    middle = [sum(x) / 2]
    drawn.add_artist(Line2D(middle, y[:1], marker="o", markersize=4.4, markerfacecolor="white", **style))
    words = f"dashed, hollow: {whose}"
    drawn.text(x[1] + 0.08 / wide, y[0], plain(words), fontsize=BELOW, color=MUTED, va="center")
