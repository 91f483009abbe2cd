"""The map itself: paradigms down, cells across, coloured by what each gains over no transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARADIGMS: Mapping[str, Sequence[str]] = {
    "references": ("source-only", "pooled"),
    "model": ("model",),
    "instances": ("tradaboost", "kmm"),
    "features": ("coral", "subspace", "tca", "discriminants", "cca"),
}
"""What is transferred → the conditions that do so, from the top down."""
CELLS: Mapping[str, tuple[str, str]] = {
    "same-all": ("same domain\nsame task", "$D_S = D_T$   $T_S = T_T$"),
    "selection-bias": ("other $p(x)$\nsame task", "$D_S \\neq D_T$   $T_S = T_T$"),
    "other-domain": ("other domain\nsame task", "$D_S \\neq D_T$   $T_S = T_T$"),
    "other-task": ("same domain\nother task", "$D_S = D_T$   $T_S \\neq T_T$"),
    "both-differ": ("other domain\nother task", "$D_S \\neq D_T$   $T_S \\neq T_T$"),
    "other-space": ("other features\nsame task", "$X_S \\neq X_T$   $T_S = T_T$"),
}
"""Cell → its name and what it is in Pan & Yang's words, from the left."""
TILE, GAP = (1.62, 0.44), 0.1
"""Inches of a tile, and between groups of rows or columns."""
LEFT, RIGHT, TOP, BOTTOM = 2.15, 1.0, 1.75, 0.85


def draw_map(tables: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Methods × cells; in each tile the gain over ``none`` in points at each number of shots, mean over units.

    Bold where the 95 % interval over units leaves zero out. A cell that a method is not meant for has no tile. The row
    above all is the accuracy without transfer itself. None where nothing can be compared.
    """
    from matplotlib.figure import Figure

    measured = tables.get("measurements")
    if measured is None or measured.empty:
        return None
    gains = _gains(measured[measured["metric"] == "balanced_accuracy"])
    if gains.empty:
        return None
    shots = sorted(set(gains["shots"]))
    rows = {name: [one for one in members if one in set(gains["condition"])] for name, members in PARADIGMS.items()}
    rows = {"": ["none"], **{name: members for name, members in rows.items() if members}}
    columns = [cell for cell in CELLS if cell in set(gains["cell"])]
    left_of = {
        cell: LEFT + place * (TILE[0] + GAP) + GAP * (cell == "other-space") for place, cell in enumerate(columns)
    }
    wide = left_of[columns[-1]] + TILE[0] + RIGHT
    count = sum(len(members) for members in rows.values())
    tall = TOP + count * (TILE[1] + 0.04) + GAP * (len(rows) - 1) + BOTTOM
    drawn = Figure(figsize=(wide, tall))
    axes = drawn.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(0, tall))
    axes.axis("off")
    compared = gains[gains["condition"] != "none"]
    limit = max(
        5.0, float(np.ceil(compared.groupby(["condition", "cell", "shots"])["gain"].mean().abs().max() / 5)) * 5
    )
    _head(axes, {cell: left_of[cell] for cell in columns}, tall)
    base = tall - TOP
    for name, members in rows.items():
        _side(axes, name, base, len(members))
        for condition in members:
            base -= TILE[1] + 0.04
            _label(axes, condition, base)
            for cell in columns:
                at = gains[(gains["condition"] == condition) & (gains["cell"] == cell)]
                _tile(axes, left_of[cell], base, at, shots, None if condition == "none" else limit)
        base -= GAP
    for cell in columns:
        _foot(axes, left_of[cell], base + GAP - 0.02, shots)
    _bar(drawn, wide, tall, limit)
    return drawn


def _gains(measured: pd.DataFrame) -> pd.DataFrame:
    """condition, cell, shots, unit, gain over ``none``; of ``none`` itself the accuracy. Means over splits."""
    keys = ["cell", "shots", "unit"]
    means = measured.groupby(["condition", *keys], sort=False)["value"].mean().reset_index()
    own = means[means["condition"] == "none"].set_index(keys)["value"]
    zero = means[keys].join(own.rename("zero"), on=keys)["zero"]
    gain = means["value"] - zero.where(means["condition"] != "none", 0.0)
    return means.assign(gain=gain)[zero.notna()]


def _tile(axes: Axes, left: float, base: float, rows: pd.DataFrame, shots: Sequence[int], limit: float | None) -> None:
    """One method in one cell: a box for each number of shots, or a hairline where it is not meant for the cell."""
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    from ...figures.style import INK, MUTED

    if rows.empty:
        middle = base + TILE[1] / 2
        axes.plot([left + 0.62, left + TILE[0] - 0.62], [middle, middle], color="#d0d0d0", lw=1.0)
        return
    wide = TILE[0] / len(shots)
    for place, count in enumerate(shots):
        values = rows.loc[rows["shots"] == count, "gain"].to_numpy()
        if not len(values):
            continue
        mean, sure = float(values.mean()), _is_sure(values)
        colour = "white" if limit is None else colormaps["RdBu"](0.5 + 0.5 * mean / limit)
        box = (left + place * wide, base)
        axes.add_patch(Rectangle(box, wide - 0.02, TILE[1], facecolor=colour, edgecolor="none"))
        dark = limit is not None and abs(mean) > 0.52 * limit
        axes.text(
            box[0] + wide / 2 - 0.01,
            base + TILE[1] / 2,
            f"{mean:.1f}" if limit is None else f"{round(mean, 1) + 0.0:+.1f}".replace("-", "−"),
            ha="center",
            va="center",
            fontsize=8.5,
            color="white" if dark else (MUTED if limit is None or not sure else INK),
            weight="bold" if limit is not None and sure else "normal",
        )


def _is_sure(values: Any) -> bool:
    """Whether Student's 95 % interval of the mean leaves zero out."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return False
    half = float(stdtrit(len(values) - 1, 0.975)) * values.std(ddof=1) / np.sqrt(len(values))
    return bool(abs(values.mean()) > half)


def _head(axes: Axes, left_of: Mapping[str, float], tall: float) -> None:
    from ...figures.style import INK, MUTED

    groups = {
        "one feature space": [c for c in left_of if c != "other-space"],
        "two": [c for c in left_of if c == "other-space"],
    }
    for name, cells in groups.items():
        if cells:
            start, end, height = left_of[cells[0]], left_of[cells[-1]] + TILE[0], tall - TOP + 0.88
            axes.plot([start, end], [height, height], color=MUTED, lw=0.8)
            axes.text(
                (start + end) / 2,
                height + 0.08,
                {"two": "two feature spaces"}.get(name, name),
                ha="center",
                fontsize=9,
                color=MUTED,
            )
    for cell, left in left_of.items():
        name, symbols = CELLS[cell]
        axes.text(
            left + TILE[0] / 2,
            tall - TOP + 0.44,
            name,
            ha="center",
            va="bottom",
            fontsize=9.5,
            color=INK,
            weight="bold",
            linespacing=1.15,
        )
        axes.text(left + TILE[0] / 2, tall - TOP + 0.16, symbols, ha="center", va="bottom", fontsize=8.5, color=MUTED)


def _side(axes: Axes, name: str, base: float, count: int) -> None:
    from ...figures.style import MUTED, PALETTE

    if not name:
        return
    tall = count * (TILE[1] + 0.04)
    colour = dict(zip(PARADIGMS, ("#9a9a9a", PALETTE[1], PALETTE[4], PALETTE[3]), strict=True))[name]
    axes.plot([0.52, 0.52], [base - tall + 0.02, base - 0.04], color=colour, lw=4, solid_capstyle="butt")
    axes.text(0.34, base - tall / 2, name, rotation=90, ha="center", va="center", fontsize=8.5, color=MUTED)


def _label(axes: Axes, condition: str, base: float) -> None:
    from ...figures.style import INK

    said = "no transfer\n(accuracy, %)" if condition == "none" else condition
    axes.text(
        LEFT - 0.14,
        base + TILE[1] / 2,
        said,
        ha="right",
        va="center",
        fontsize=9.5 if condition != "none" else 8.5,
        color=INK,
    )


def _foot(axes: Axes, left: float, base: float, shots: Sequence[int]) -> None:
    from ...figures.style import MUTED

    wide = TILE[0] / len(shots)
    for place, count in enumerate(shots):
        axes.text(
            left + (place + 0.5) * wide - 0.01, base - 0.06, str(count), ha="center", va="top", fontsize=8, color=MUTED
        )


def _bar(drawn: Figure, wide: float, tall: float, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from ...figures.style import MUTED

    height = min(2.4, tall - TOP - BOTTOM)
    bar_axes = drawn.add_axes(((wide - 0.78) / wide, (tall - TOP - height) / tall, 0.14 / wide, height / tall))
    bar = drawn.colorbar(ScalarMappable(Normalize(-limit, limit), "RdBu"), cax=bar_axes)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=MUTED)
    bar.set_label("points above no transfer", color=MUTED, fontsize=8.5)
    said = (
        "Below each column: labelled target examples of each class. Bold: the 95 % interval leaves zero out. "
        "Hairline: not meant for this cell."
    )
    drawn.text(LEFT / wide, 0.36 / tall, said, fontsize=8.5, color=MUTED)
