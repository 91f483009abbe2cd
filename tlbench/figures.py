"""Figures from tables, of the few kinds that a protocol can declare; the same tables give the same bytes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from . import protocol
from .claims import select
from .tables import summarise

INK, MUTED, GRID = "#222222", "#6b6b6b", "#e3e3e3"
# Okabe & Ito's colours, told apart by every kind of eye; the darkest first.
PALETTE = ("#000000", "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#8a4b9c", "#9a9a9a")
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "svg.hashsalt": "tlbench",
    "svg.fonttype": "path",
}


def draw(
    figure: protocol.Figure,
    declared: protocol.Protocol,
    tables: Mapping[str, pd.DataFrame],
    factors: Mapping[str, Sequence[Any]],
    caption: str,
) -> dict[str, bytes]:
    """One declared figure as ``{"NAME.png": …, "NAME.svg": …}``; nothing where its table has no such rows."""
    import matplotlib as mpl

    table = tables.get(figure.table)
    if table is None or (rows := select(table, figure.where, factors)).empty:
        return {}
    if figure.kind == "curves" and (rows := rows[rows["metric"] == figure.y]).empty:
        return {}
    with mpl.rc_context(), warnings.catch_warnings():
        # A script that the bundled font lacks is drawn as boxes, the same everywhere; the tables have the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()  # a style of the user's own must not change a byte
        mpl.rcParams.update(STYLE)
        drawn = _curves(figure, declared, rows, factors) if figure.kind == "curves" else _heatmap(figure, rows)
        drawn.text(0.01, 0.008, _plain(caption), fontsize=7, color=MUTED, va="bottom")
        return {f"{figure.name}.png": _png(drawn), f"{figure.name}.svg": _svg(drawn)}


def _curves(
    figure: protocol.Figure, declared: protocol.Protocol, rows: pd.DataFrame, factors: Mapping[str, Sequence[Any]]
) -> Figure:
    """Mean over units against a factor, one line a condition, 95 % intervals as whiskers beside each other."""
    summary = summarise(rows, list(factors))
    by = figure.by or "condition"
    names = list(dict.fromkeys(summary[by]))
    drawn = Figure(figsize=(8.6, 5.2))
    axes = drawn.add_axes((0.08, 0.15, 0.66, 0.73))
    width = 0.34 if summary[figure.x].nunique() > 1 else 0.8
    ends: list[tuple[float, str, str]] = []
    order = declared.conditions if by == "condition" else names
    for place, name in enumerate(names):
        line = summary[summary[by] == name]
        colour = PALETTE[(order.index(name) if name in order else place) % len(PALETTE)]
        oracle = name in declared.oracles
        x = line[figure.x].to_numpy(dtype=float) + width * (place / max(1, len(names) - 1) - 0.5)
        heavy = name == figure.highlight
        axes.vlines(x, line["low"], line["high"], color=colour, linewidth=0.9, alpha=0.4, zorder=2)
        axes.plot(
            x,
            line["mean"],
            color=colour,
            linestyle=(0, (2, 2)) if oracle else "-",
            linewidth=2.6 if heavy else 1.4,
            marker="none" if oracle else "o",
            markersize=4.2 if heavy else 3.2,
            zorder=5 if heavy else 3,
        )
        ends.append((float(line["mean"].iloc[-1]), f"{name} (oracle)" if oracle else name, colour))
    _label_ends(axes, ends)
    axes.set_xticks(sorted(summary[figure.x].unique()))
    _dress(drawn, axes, figure)
    axes.yaxis.grid(True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    mean = f"mean over {summary['units'].max()} {declared.units}"
    below = f"{mean}; bars: 95 % interval of that mean (claims are tested on pairs)"
    drawn.text(0.08, 0.905, _plain(below), fontsize=8.5, color=MUTED)
    return drawn


def _label_ends(axes: Any, ends: Sequence[tuple[float, str, str]]) -> None:
    """Names to the right of their lines, moved apart where they would overlap, each joined to its line's end."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    gap = (high - low) * 0.048
    ordered = sorted(ends, reverse=True)
    heights: list[float] = []
    for value, _, _ in ordered:
        heights.append(min(value, heights[-1] - gap) if heights else value)
    surplus = sum(height - value for height, (value, _, _) in zip(heights, ordered, strict=True)) / len(ordered)
    across = axes.get_yaxis_transform()
    for height, (value, name, colour) in zip(heights, ordered, strict=True):
        at = height - surplus
        axes.plot([1.0, 1.025], [value, at], color=colour, linewidth=0.8, transform=across, clip_on=False)
        axes.text(1.032, at, _plain(name), color=colour, fontsize=9, va="center", transform=across)


def _heatmap(figure: protocol.Figure, rows: pd.DataFrame) -> Figure:
    """Mean of a value over all that two columns do not say; cells that cannot be are left blank."""
    columns, lines = list(dict.fromkeys(rows[figure.y])), list(dict.fromkeys(rows[figure.x]))
    order = [name for name in columns if name in lines] + [name for name in lines if name not in columns]
    grid = rows.pivot_table(index=figure.y, columns=figure.x, values=figure.value, aggfunc="mean").loc[columns, order]
    values = grid.to_numpy()
    side = 0.52 * max(len(columns), 6)
    drawn = Figure(figsize=(side + 2.9, side + 2.1))
    wide, tall = drawn.get_size_inches()
    axes = drawn.add_axes((1.5 / wide, 1.25 / tall, side / wide, side / tall))
    bar_axes = drawn.add_axes(((1.7 + side) / wide, 1.25 / tall, 0.16 / wide, side / tall))
    limit = float(np.nanmax(np.abs(values))) or 1.0
    signed = bool(np.nanmin(values) < 0)
    axes.set_facecolor("#f1f1f1")  # a cell that cannot be is not a zero
    image = axes.imshow(values, cmap="RdBu" if signed else "Blues", vmin=-limit if signed else 0.0, vmax=limit)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            dark = abs(value) > 0.6 * limit
            axes.text(
                column,
                row,
                f"{value:.2f}".replace("0.", "."),
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if dark else INK,
            )
    axes.set_xticks(range(len(order)), map(_plain, order), rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(columns)), map(_plain, columns))
    bar = drawn.colorbar(image, cax=bar_axes)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=MUTED)
    bar.set_label(_plain(figure.value_label or figure.value), color=MUTED, fontsize=9)
    _dress(drawn, axes, figure)
    return drawn


def _plain(text: object) -> str:
    """A user's name as it is: a dollar sign starts no formula."""
    return str(text).replace("$", r"\$")


def _dress(drawn: Figure, axes: Any, figure: protocol.Figure) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.set_xlabel(_plain(figure.x_label or figure.x), color=INK)
    axes.set_ylabel(_plain(figure.y_label or figure.y), color=INK)
    left = axes.get_position().x0
    drawn.text(
        left if figure.kind == "curves" else 0.02, 0.955, _plain(figure.title), fontsize=12.5, color=INK, weight="bold"
    )


def _png(drawn: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(drawn).print_figure(buffer, dpi=150, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _svg(drawn: Figure) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasSVG(drawn).print_figure(buffer, facecolor="white", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
