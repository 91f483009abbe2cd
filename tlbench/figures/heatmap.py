"""A heat map: one value by two columns."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .. import protocol
from .style import INK, MUTED, plain, title, undress

CELL, SIDE = 0.52, 20.0
"""Inches: a cell's side, and the most of the whole map, beyond which cells become smaller."""
NUMBER, LABEL = 0.36, 0.16
"""Inches that a cell needs to have its number printed, and a row or a column to have its name."""


def draw_heatmap(figure: protocol.Figure, rows: pd.DataFrame, only: Sequence[str] = ()) -> Figure:
    """Mean of a value over all that two columns do not say; cells that cannot be are left blank.

    With many rows or columns cells become smaller and lose their numbers, then only every so manieth has its name.
    only: what was selected of what there is, in words.
    """
    columns, lines = rows[figure.y].unique().tolist(), rows[figure.x].unique().tolist()
    order = [name for name in columns if name in lines] + [name for name in lines if name not in columns]
    grid = rows.pivot_table(index=figure.y, columns=figure.x, values=figure.value, aggfunc="mean").loc[columns, order]
    values = grid.to_numpy()
    cell = min(CELL, SIDE / max(len(columns), 1))
    side = cell * max(len(columns), 6)
    drawn = Figure(figsize=(side + 2.9, side + 2.1))
    wide, tall = drawn.get_size_inches()
    axes = drawn.add_axes((1.5 / wide, 1.25 / tall, side / wide, side / tall))
    bar_axes = drawn.add_axes(((1.7 + side) / wide, 1.25 / tall, 0.16 / wide, side / tall))
    limit = float(np.nanmax(np.abs(values))) or 1.0
    signed = bool(np.nanmin(values) < 0)
    axes.set_facecolor("#f1f1f1")  # a cell that cannot be is not a zero
    image = axes.imshow(values, cmap="RdBu" if signed else "Blues", vmin=-limit if signed else 0.0, vmax=limit)
    for (row, column), value in np.ndenumerate(values if cell >= NUMBER else values[:0]):
        if not np.isnan(value):
            dark = abs(value) > 0.6 * limit
            axes.text(
                column,
                row,
                _short(value),
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if dark else INK,
            )
    named = max(1, math.ceil(LABEL / cell))
    below, beside = (range(0, len(names), named) for names in (order, columns))
    axes.set_xticks(below, map(plain, order[::named]), rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(beside, map(plain, columns[::named]))
    bar = drawn.colorbar(image, cax=bar_axes)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=MUTED)
    bar.set_label(plain(figure.value_label or figure.value), color=MUTED, fontsize=9)
    undress(axes)
    axes.set_xlabel(plain(figure.x_label or figure.x), color=INK)
    axes.set_ylabel(plain(figure.y_label or figure.y), color=INK)
    title(drawn, figure.title, 0.02)
    if only:
        drawn.text(0.02, 1 - 0.494 / tall, plain(f"only {', '.join(only)}"), fontsize=8.5, color=MUTED)
    return drawn


def _short(value: float) -> str:
    """Two decimals, without the nought before them and without the sign of a zero."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{round(value, 2) + 0.0:.2f}")
