"""The picture of four panels: plenty, few, transfer from a related source, transfer from an unrelated one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RED, BLUE, REACH = "#c8372d", "#2166ac", 4.0
PALE_RED, PALE_BLUE = "#fbe6e2", "#e2ecf7"
SIDE, LEFT, BETWEEN, HEAD, TOP, FOOT = 3.6, 0.25, 0.35, 0.72, 0.55, 0.85
"""Inches: a panel, what is left of it, between two, above each, above all and below all."""


def draw_boundary(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Four panels of one draw; None where the draw that is to be shown was not run."""
    from matplotlib.figure import Figure

    from ...figures.style import INK, MUTED

    lines, points = tables.get("boundaries"), tables.get("drawn_points")
    if lines is None or points is None or not len(lines):
        return None
    line_of = {str(row["condition"]): row for _, row in lines.iterrows()}
    panels = [
        panel
        for panel in (
            ("a  The source, from plenty", "source", "source", "source"),
            ("b  The target alone, from few", "target", "none", ""),
            ("c  Leaning on the source", "target", "fixed", "source"),
            ("d  Leaning on an unrelated source", "target", "unrelated-learned", "unrelated-source"),
        )
        if panel[2] in line_of
    ]
    wide = 2 * LEFT + 2 * SIDE + BETWEEN
    tall = TOP + 2 * (HEAD + SIDE) + FOOT
    drawn = Figure(figsize=(wide, tall))
    for place, (says, which, condition, source) in enumerate(panels):
        row, column = divmod(place, 2)
        left, top = LEFT + column * (SIDE + BETWEEN), TOP + row * (HEAD + SIDE)
        axes = drawn.add_axes((left / wide, 1 - (top + HEAD + SIDE) / tall, SIDE / wide, SIDE / tall))
        line = line_of[condition]
        _shade(axes, line)
        if which == "target":
            _scatter(axes, points[points["of"] == "population"], size=13, alpha=0.28, edge="none")
            _line(axes, line_of["truth"], color=MUTED, linestyle=(0, (5, 3)), linewidth=1.2)
            if source:
                _line(axes, line_of[source], color=MUTED, linestyle=(0, (1, 1.6)), linewidth=1.6)
            _scatter(axes, points[points["of"] == "target"], size=120, alpha=1.0, edge="white")
        else:
            _scatter(axes, points[points["of"] == which], size=20, alpha=0.75, edge="white")
        _line(axes, line, color=INK, linewidth=2.4)
        axes.text(0, 1.105, says, transform=axes.transAxes, fontsize=10.5, color=INK, weight="bold")
        axes.text(0, 1.035, _in_words(line, condition), transform=axes.transAxes, fontsize=8.8, color=MUTED)
        axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(color="#d0d0d0", linewidth=0.8)
    _legend(drawn, wide, tall)
    few = int(line_of["none"]["points"]) if "none" in line_of else 0
    note = f"one draw, {few} labelled points of each class in the target; means over many draws are in the other figure"
    drawn.text(0.02, 1 - 0.494 / tall, note, fontsize=8.5, color=MUTED)
    return drawn


def _in_words(line: pd.Series[Any], condition: str) -> str:
    right = f"right {line['accuracy']:.0f} % of the time"
    if condition == "source":
        return f"taken over as it is, {right} in the target"
    learned = "β learned: " if condition.endswith("learned") else ""
    return right if condition == "none" else f"{learned}β = {line['beta']:.2g}, {right}"


def _shade(axes: Any, line: pd.Series[Any]) -> None:
    """The side that is called red, and the side that is called blue."""
    from matplotlib.colors import ListedColormap

    grid = np.linspace(-REACH, REACH, 400)
    values = line["x_weight"] * grid + line["y_weight"] * grid[:, None] + line["bias"]
    extent = (-REACH, REACH, -REACH, REACH)
    colours = ListedColormap([PALE_BLUE, PALE_RED])
    axes.imshow(values > 0.0, extent=extent, origin="lower", cmap=colours, vmin=0, vmax=1, zorder=0, aspect="auto")


def _line(axes: Any, line: pd.Series[Any], **style: Any) -> None:
    """Where the value is zero, from one end of the panel to the other; nothing for a line of no direction."""
    normal = np.array([line["x_weight"], line["y_weight"]], dtype=float)
    size = float(normal @ normal)
    if size == 0.0:
        return
    foot = -float(line["bias"]) * normal / size
    ends = foot + np.outer([-9.0, 9.0], [-normal[1], normal[0]]) / np.sqrt(size)
    axes.plot(ends[:, 0], ends[:, 1], solid_capstyle="butt", zorder=3, **style)


def _scatter(axes: Any, points: pd.DataFrame, size: float, alpha: float, edge: str) -> None:
    """Red circles and blue triangles."""
    for label, marker, colour in ((1, "o", RED), (-1, "^", BLUE)):
        rows = points[points["label"] == label]
        style = {"color": colour, "alpha": alpha, "edgecolors": edge, "linewidths": 0.6 if size < 50 else 1.2}
        axes.scatter(rows["x"], rows["y"], s=size * (1.15 if marker == "^" else 1.0), marker=marker, zorder=4, **style)


def _legend(drawn: Figure, wide: float, tall: float) -> None:
    """What the lines and the pale points are, in a row below the panels."""
    from matplotlib.lines import Line2D

    from ...figures.style import INK, MUTED

    handles = [
        Line2D([], [], color=INK, linewidth=2.4, label="boundary found"),
        Line2D([], [], color=MUTED, linewidth=1.2, linestyle=(0, (5, 3)), label="best boundary of the target"),
        Line2D([], [], color=MUTED, linewidth=1.6, linestyle=(0, (1, 1.6)), label="the source's boundary"),
        Line2D([], [], color=RED, marker="o", linestyle="none", markersize=5, alpha=0.35, label="not seen in training"),
    ]
    place = (LEFT / wide, 0.32 / tall)
    legend = drawn.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=4, frameon=False, fontsize=8.8)
    legend.set_in_layout(False)
    for text in legend.get_texts():
        text.set_color(INK)
