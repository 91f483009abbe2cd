"""An advice as a picture: the rehearsed curves, and what was gained by each source that played the target."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd

from .advising import Advice
from .machines import OPTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"none": "no transfer", "average": "average, 1/k", "equal": "equal, 1/√k", "ours": "taught weights"}
WIDTH, LEAST_HEIGHT, ROW = 10.5, 4.6, 0.24  # inches


def draw(advice: Advice) -> dict[str, bytes]:
    """``{"advice.png": …, "advice.svg": …}``; nothing where nothing was rehearsed."""
    import matplotlib as mpl

    from ..figures.style import STYLE, png, svg

    if advice.rehearsal.empty:
        return {}
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # other scripts: the tables have them
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        drawn = _drawn(advice)
        return {"advice.png": png(drawn), "advice.svg": svg(drawn)}


def _drawn(advice: Advice) -> Figure:
    from matplotlib.figure import Figure

    from ..figures.style import INK, MUTED, plain, title

    rehearsal = advice.rehearsal
    rows = rehearsal["source"].nunique() + (2 if advice.expected else 0)
    height = max(LEAST_HEIGHT, 1.75 + ROW * rows)
    drawn = Figure(figsize=(WIDTH, height))
    bottom, top = 0.75 / height, 1 - 0.82 / height
    labelled = "1 labelled picture" if advice.shots == 1 else f"{advice.shots} labelled pictures"
    title(drawn, _title(advice, labelled), 0.02)
    curves = drawn.add_axes((0.06, bottom, 0.38, top - bottom))
    gains = drawn.add_axes((0.66, bottom, 0.32, top - bottom))
    for axes, heading in (
        (curves, "Rehearsed accuracy by number of labels"),
        (gains, f"Each source as target, {labelled}"),
    ):
        axes.set_title(heading, loc="left", fontsize=10, color=INK, pad=8)
    _draw_curves(curves, advice)
    _draw_gains(gains, advice)
    caption = (
        "Balanced accuracy in %: 50 is guessing. Left: mean over the sources that played the target. Right: without "
        "transfer (open) and as advised (filled)"
    )
    more = "; the bar holds 95 of 100 new targets." if advice.expected else "."
    drawn.text(0.01, 0.012, plain(caption + more), fontsize=7, color=MUTED, va="bottom")
    return drawn


def _title(advice: Advice, labelled: str) -> str:
    if advice.expected is None:
        return f"{_short(advice.target)}, {labelled}: nothing can be promised"
    advised, plain = advice.expected.advised.mean, advice.expected.plain.mean
    if advice.option == "none":
        return f"{_short(advice.target)}: {advised:.0f} % expected of {labelled}, without transfer"
    return f"{_short(advice.target)}: {advised:.0f} % expected of {labelled}, {plain:.0f} % without transfer"


def _colour(option: str, advised: str) -> str:
    from ..figures.style import INK, PALETTE

    if option == advised:
        return PALETTE[1]
    return {"none": INK, "average": PALETTE[2], "equal": PALETTE[4], "ours": PALETTE[3]}[option]


def _draw_curves(axes: Any, advice: Advice) -> None:
    from ..figures.style import GRID, INK, MUTED, undress

    means = advice.rehearsal.groupby("shots")[list(OPTIONS)].mean()
    undress(axes)
    axes.set_xscale("log")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    ends = _apart({option: float(means[option].iloc[-1]) for option in OPTIONS}, float(means.to_numpy().min()))
    last = float(means.index[-1])
    for option in OPTIONS:
        colour, strong = _colour(option, advice.option), option == advice.option
        axes.plot(means.index, means[option], color=colour, linewidth=2.6 if strong else 1.4, marker="o", markersize=4)
        axes.text(last * 1.08, ends[option], NAMES[option], color=colour, va="center", fontsize=8.5,
                  weight="bold" if strong else "normal")  # fmt: skip
    low, high = axes.get_ylim()
    axes.axvline(advice.shots, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
    axes.annotate("yours", (advice.shots, low), xytext=(4, 3), textcoords="offset points", color=MUTED, fontsize=8.5)
    axes.set_ylim(low, high)
    _draw_worth(axes, advice, float(means[advice.option][advice.shots]))
    axes.set_xticks(list(means.index), [str(count) for count in means.index])
    axes.minorticks_off()
    axes.tick_params(length=0, colors=INK)
    axes.set_xlabel("labelled pictures of the target", color=INK)


def _draw_worth(axes: Any, advice: Advice, accuracy: float) -> None:
    """From the advised accuracy across to where the curve without transfer has it."""
    from matplotlib.patheffects import withStroke

    from ..figures.style import INK

    expected = advice.expected
    if expected is None or not expected.labels[1] or expected.labels[0] <= advice.shots * 1.15:
        return
    labels = expected.labels[0]
    axes.annotate(
        "", (labels, accuracy), (advice.shots, accuracy), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1}
    )
    axes.plot([labels], [accuracy], marker="o", markersize=6, markerfacecolor="white", markeredgecolor=INK)
    said = axes.annotate(
        f"≈ {labels:.0f} labels alone", (labels, accuracy), xytext=(8, -12), textcoords="offset points", color=INK
    )
    said.set(fontsize=8.5, path_effects=[withStroke(linewidth=3, foreground="white")])


def _apart(ends: dict[str, float], low: float) -> dict[str, float]:
    """Where names stand at the ends of their lines, moved apart so that none covers another."""
    gap = 0.055 * (max(ends.values()) - low + 1.0)
    placed: dict[str, float] = {}
    for option, value in sorted(ends.items(), key=lambda one: one[1]):
        above = max(placed.values(), default=-1e9) + gap
        placed[option] = max(value, above)
    return placed


def _draw_gains(axes: Any, advice: Advice) -> None:
    from ..figures.style import GRID, INK, MUTED, plain, undress

    at = advice.rehearsal[advice.rehearsal["shots"] == advice.shots]
    means: pd.DataFrame = at.groupby("source")[list(OPTIONS)].mean()
    means = means.loc[(means[advice.option] - means["none"]).sort_values().index]
    colour = _colour(advice.option, advice.option)
    undress(axes)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    places = [float(place) for place in range(len(means))]
    axes.hlines(places, means["none"], means[advice.option], color=colour, alpha=0.45, linewidth=2)
    axes.plot(means["none"], places, "o", color=INK, markerfacecolor="white", markersize=5)
    axes.plot(means[advice.option], places, "o", color=colour, markersize=6)
    names = [_short(plain(name)) for name in means.index]
    if expected := advice.expected:
        top = len(means) + 0.7
        axes.hlines([top], expected.advised.low, expected.advised.high, color=colour, alpha=0.35, linewidth=7)
        axes.plot([expected.plain.mean], [top], "o", color=INK, markerfacecolor="white", markersize=6)
        axes.plot([expected.advised.mean], [top], "o", color=colour, markersize=8)
        axes.axhline(len(means) - 0.15, color=GRID, linewidth=0.8)
        places, names = [*places, top], [*names, "expected of yours"]
    axes.set_yticks(places, names)
    axes.set_ylim(-0.7, max(places) + 0.7)
    axes.tick_params(length=0, colors=INK, labelsize=8.5)
    if advice.expected:
        axes.get_yticklabels()[-1].set_weight("bold")
    axes.axvline(50, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    axes.set_xlabel("balanced accuracy in %", color=INK)


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
