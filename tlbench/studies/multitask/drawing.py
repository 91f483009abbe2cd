"""The relations between tasks, known and learned, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SIDE, LEFT, BETWEEN, RIGHT, BELOW, ABOVE = 2.75, 1.15, 0.3, 0.85, 1.15, 1.05
"""Inches: of a panel, and of what is around it."""


def draw_relationships(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Correlations between tasks: as known, as Ω of the true weights would have them, and as MTRL learned them.

    Where nothing is known, the learned ones alone. Where units have tasks of their own, those of the first.
    """
    from matplotlib.figure import Figure

    from ...figures.style import INK, MUTED, plain, undress

    rows = next((tables[name] for name in ("known_relationships", "relationships") if len(tables.get(name, ()))), None)
    if rows is None:
        return None
    if "mixed" in set(rows["relation"]):
        rows = rows[rows["relation"] == "mixed"]
    first = rows[rows["unit"] == rows["unit"].iloc[0]]
    names = list(dict.fromkeys([*first["task"], *first["other"]]))
    rows = rows[rows["task"].isin(names) & rows["other"].isin(names)]
    panels = _panels(rows, names)
    limit = max(float(np.nanmax(np.abs(grid.to_numpy()))) for _, grid in panels)
    wide = LEFT + len(panels) * SIDE + (len(panels) - 1) * BETWEEN + RIGHT
    tall = BELOW + SIDE + ABOVE
    drawn = Figure(figsize=(wide, tall))
    image: Any = None
    for place, (says, grid) in enumerate(panels):
        left = LEFT + place * (SIDE + BETWEEN)
        axes = drawn.add_axes((left / wide, BELOW / tall, SIDE / wide, SIDE / tall))
        axes.set_facecolor("#f1f1f1")
        image = axes.imshow(grid.to_numpy(), cmap="RdBu", vmin=-limit, vmax=limit)
        _write_values(axes, grid, limit)
        axes.set_xticks(
            range(len(names)), map(plain, names), rotation=45, ha="right", rotation_mode="anchor", fontsize=8
        )
        axes.set_yticks(range(len(names)), map(plain, names) if not place else [""] * len(names), fontsize=8)
        axes.set_title(plain(says), fontsize=9.5, color=INK, loc="left")
        undress(axes)
    bar_axes = drawn.add_axes(((wide - RIGHT + 0.15) / wide, BELOW / tall, 0.13 / wide, SIDE / tall))
    bar = drawn.colorbar(image, cax=bar_axes)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=MUTED)
    units = rows["unit"].nunique()
    note = f"correlation of two tasks; learned: mean over {units} unit{'s' if units > 1 else ''}"
    drawn.text(0.02, 1 - 0.494 / tall, note, fontsize=8.5, color=MUTED)
    return drawn


def _panels(rows: pd.DataFrame, names: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """(title, values by task and task) of each panel."""
    levels = sorted(set(rows["examples"]))
    found = []
    if "known" in rows:
        found = [("as drawn", _square(rows, "known", names)), ("Ω of the true weights", _square(rows, "ideal", names))]
    for count in dict.fromkeys([levels[0], levels[-1]]):
        learned = _square(rows[rows["examples"] == count], "learned", names)
        found.append((f"Ω learned from {count} a task", learned))
    return found


def _square(rows: pd.DataFrame, value: str, names: list[str]) -> pd.DataFrame:
    """The mean of a value by task and other task, both ways round."""
    half = rows.pivot_table(index="task", columns="other", values=value, aggfunc="mean").reindex(names, columns=names)
    return half.combine_first(half.T).reindex(names, columns=names)


def _write_values(axes: Any, grid: pd.DataFrame, limit: float) -> None:
    """Each value in its cell, where there is room to read it."""
    if len(grid) > 10:
        return
    for row, line in enumerate(grid.to_numpy()):
        for column, value in enumerate(line):
            if value == value:
                text = f"{round(float(value), 2) + 0.0:.2f}".replace("0.", ".", 1)
                colour = "white" if abs(value) > 0.6 * limit else "#222222"
                axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
