"""A picture of one draw: what is known of the target alone, and what sources of known correlation add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...study import Columns
from .conditions import HALF_WIDTH
from .drawn_tasks import Drawn, Prediction

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FUNCTIONS = ("unit", "condition", "labels", "correlation", "learned", "what", "x", "value", "low", "high")
PICTURED = ("draw 001", 0)
"""The unit and the split that are pictured: the first, whatever it looks like."""
SHOWN = ("none", "adaptive")


def pictured_labels(levels: Sequence[int]) -> int:
    """The number of labels that is pictured: the lower of the middle levels."""
    return levels[(len(levels) - 1) // 2]


def empty_functions() -> Columns:
    """A table without a row."""
    return {name: [] for name in FUNCTIONS}


def add_functions(table: Columns, unit: str, condition: str, drawn: Drawn, found: Prediction) -> None:
    """Add what a panel shows: the source, the labelled target examples, the target's function and its prediction."""
    if condition not in SHOWN:
        return
    half = HALF_WIDTH * np.sqrt(found.variance)
    source, target = drawn.sources[found.rho], drawn.target
    parts = {
        "source": (*source, source[1], source[1]),
        "labelled": tuple(values[: found.labels] for values in (*target, target[1], target[1])),
        "function": (drawn.test[0], *[drawn.functions] * 3),
        "prediction": (drawn.test[0], found.mean, found.mean - half, found.mean + half),
    }
    for what, (inputs, *values) in parts.items():
        order = np.argsort(inputs[:, 0])
        cells = {"unit": unit, "condition": condition, "labels": found.labels, "correlation": found.rho}
        for name, cell in {**cells, "learned": found.learned, "what": what}.items():
            table[name] += [cell] * len(order)
        for name, column in zip(("x", "value", "low", "high"), (inputs[:, 0], *values), strict=True):
            table[name] += column[order].tolist()


def draw_functions(tables: Mapping[str, Any]) -> Figure | None:
    """Panels side by side: the target alone, then with sources of the lowest, the least and the highest correlation."""
    from matplotlib.figure import Figure

    from ...figures.style import GRID, INK, MUTED, undress

    table = tables["functions"]
    adaptive = table[table["condition"] == "adaptive"]
    if adaptive.empty:
        return None
    levels = adaptive["correlation"].unique()
    wanted = dict.fromkeys([levels.min(), levels[np.argmin(np.abs(levels))], levels.max()])
    alone = table[table["condition"] == "none"]
    panels = [("no transfer", alone[alone["correlation"] == levels.min()], False)] if len(alone) else []
    for rho in wanted:
        rows = adaptive[adaptive["correlation"] == rho]
        panels.append((f"ρ = {rho:g}, learned λ = {rows['learned'].iloc[0]:.2f}".replace("-", "−"), rows, True))
    wide, high = 0.8 + 2.9 * len(panels), 4.2
    drawn = Figure(figsize=(wide, high))
    limits = _limits(table)
    for place, (says, rows, transfers) in enumerate(panels):
        left = 0.55 + 2.9 * place
        axes = drawn.add_axes((left / wide, 0.75 / high, 2.7 / wide, (high - 1.75) / high))
        _panel(axes, rows, transfers)
        undress(axes)
        axes.set_ylim(limits)
        axes.set_title(says, fontsize=10, color=INK, loc="left")
        axes.set_xlabel("input", color=INK)
        axes.tick_params(labelleft=not place)
        axes.yaxis.grid(True, color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
    handles, names = drawn.axes[-1].get_legend_handles_labels()
    drawn.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0.5 / wide, 1 - 0.42 / high),
        ncols=len(names),
        frameon=False,
        fontsize=9,
        labelcolor=MUTED,
        borderaxespad=0.0,
        columnspacing=1.6,
        handletextpad=0.5,
    )
    return drawn


def _limits(table: Any) -> tuple[float, float]:
    """What shows all examples and functions; a band that goes beyond is cut."""
    values: NDArray[np.float64] = table.loc[table["what"] != "prediction", "value"].to_numpy(dtype=float)
    rest = 0.08 * float(np.ptp(values))
    return float(values.min()) - rest, float(values.max()) + rest


def _panel(axes: Any, rows: Any, transfers: bool) -> None:
    from ...figures.style import INK, PALETTE

    of = {what: rows[rows["what"] == what] for what in ("source", "labelled", "function", "prediction")}
    prediction = of["prediction"]
    x = prediction["x"].to_numpy(dtype=float)
    colour, source = PALETTE[1], PALETTE[5]
    if transfers:
        axes.scatter(
            of["source"]["x"],
            of["source"]["value"],
            s=11,
            facecolors="none",
            edgecolors=source,
            linewidths=0.8,
            zorder=2,
            label="source examples",
        )
    low, high = (prediction[end].to_numpy(dtype=float) for end in ("low", "high"))
    axes.plot(
        of["function"]["x"],
        of["function"]["value"],
        color=INK,
        linewidth=1.1,
        linestyle=(0, (3, 2)),
        zorder=3,
        label="target function",
    )
    axes.scatter(of["labelled"]["x"], of["labelled"]["value"], s=24, color=INK, zorder=5, label="labelled target")
    axes.plot(x, prediction["value"], color=colour, linewidth=1.8, zorder=4, label="prediction")
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=1, label="95 % interval of an output")
