"""Some test pictures as they are seen, as wanted, and as each condition makes them of the fewest training pictures."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SIDE, GAP, APART = 0.62, 0.07, 0.22
"""Inches: of a picture, between two, and between what is given and what is made, or two tasks."""
LEFT, RIGHT, ABOVE, BELOW = 0.55, 0.3, 1.05, 0.45


def draw_pictures_made(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """A row a picture, a block of rows a task, a column a condition; dark is ink. None without examples."""
    from matplotlib.figure import Figure

    from ...figures.style import INK, MUTED, plain

    rows = tables.get("examples")
    if rows is None or not len(rows):
        return None
    tasks, conditions = list(dict.fromkeys(rows["task"])), list(dict.fromkeys(rows["condition"]))
    examples = sorted(set(rows["example"]))
    columns = ["seen", "wanted", *conditions]
    wide = LEFT + len(columns) * (SIDE + GAP) + APART + RIGHT
    tall = ABOVE + len(tasks) * len(examples) * (SIDE + GAP) + (len(tasks) - 1) * APART + BELOW
    drawn = Figure(figsize=(wide, tall))
    lefts = [LEFT + place * (SIDE + GAP) + (APART if place > 1 else 0.0) for place in range(len(columns))]
    for left, name in zip(lefts, columns, strict=True):
        text = plain(name.replace("-", "\n"))
        drawn.text((left + SIDE / 2) / wide, 1 - (ABOVE - 0.08) / tall, text, fontsize=6.5, color=INK, ha="center")
    for block, task in enumerate(tasks):
        top = ABOVE + block * (len(examples) * (SIDE + GAP) + APART)
        middle = 1 - (top + len(examples) * (SIDE + GAP) / 2) / tall
        drawn.text(0.3 / wide, middle, plain(task), fontsize=9, color=INK, rotation=90, ha="center", va="center")
        for place, example in enumerate(examples):
            below = 1 - (top + place * (SIDE + GAP) + SIDE) / tall
            own = rows[(rows["task"] == task) & (rows["example"] == example)].set_index("condition")
            shown = [own["seen"].iloc[0], own["wanted"].iloc[0], *own["made"].reindex(conditions)]
            for left, numbers in zip(lefts, shown, strict=True):
                _show(drawn, (left / wide, below, SIDE / wide, SIDE / tall), numbers)
    few = rows["pictures"].iloc[0]
    note = f"test pictures of classes that the encoder never saw; {few} training pictures"
    drawn.text(LEFT / wide, 1 - 0.49 / tall, note, fontsize=8, color=MUTED)
    return drawn


def _show(drawn: Figure, box: tuple[float, float, float, float], numbers: Any) -> None:
    axes = drawn.add_axes(box)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color="#d0d0d0", linewidth=0.6)
    if not isinstance(numbers, str):
        return  # not run yet
    values = np.array([int(number) for number in numbers.split()])
    axes.imshow(values.reshape(isqrt(len(values)), -1), cmap="Greys", vmin=0, vmax=255, interpolation="nearest")
