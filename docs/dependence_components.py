"""How much of a unit's effect is its own, and how much it shares with other units: measured on the digits.

A table of effects, one factor down and one across, is taken apart by half the mean squared difference of its cells:
cells of one row differ by what columns and cells have, cells of one column by what rows and cells have, and cells that
have neither in common by all three (the analysis of variance with two random factors, some cells missing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tlbench.datasets import FeaturePack, Options, open_data
from tlbench.methods.source_weights import ball_weights, scalar_weights
from tlbench.studies.sources.source_task import Task, TaskChoices, prepare_task

Floats = NDArray[np.float64]
ROOT = Path(__file__).parent.parent
DIGITS = ROOT / "results" / "caltech-multisource" / "digits-paper"
SPLITS, SHOTS = tuple(range(5)), [1, 2, 3]
CHOICES = msgspec.convert(
    {
        "shots": SHOTS,
        "negatives": 10,
        "test_examples": 50,
        "source_examples": 80,
        "kernel": "rbf",
        "C": 10.0,
        "overlap": "repaired",
        "nonnegative": True,
        "seed": 0,
    },
    TaskChoices,
)


@dataclass(frozen=True)
class Components:
    """Variances of a table of effects: of its rows, of its columns, and of what is left in each cell."""

    rows: float
    columns: float
    cells: float


def components(table: Floats) -> Components:
    """Of effects (rows, columns), NaN where there is none; an estimate below zero counts as zero.

    >>> additive = np.add.outer([0.0, 2.0, 4.0], [0.0, 1.0, 5.0])
    >>> found = components(additive)
    >>> found.rows == np.var([0.0, 2.0, 4.0], ddof=1), bool(abs(found.cells) < 1e-12)
    (True, True)
    """
    rows, columns = np.nonzero(~np.isnan(table))
    values = table[rows, columns]
    half = np.square(np.subtract.outer(values, values)) / 2
    same_row, same_column = np.equal.outer(rows, rows), np.equal.outer(columns, columns)
    neither = half[~same_row & ~same_column].mean()
    in_row, in_column = half[same_row & ~same_column].mean(), half[~same_row & same_column].mean()
    return Components(max(neither - in_row, 0.0), max(neither - in_column, 0.0), max(in_row + in_column - neither, 0.0))


def pairs(table: Floats) -> float:
    """Variance of what a cell has in common with its mirror image across the diagonal.

    >>> symmetric = np.array([[np.nan, 1.0, 5.0], [1.0, np.nan, 3.0], [5.0, 3.0, np.nan]])
    >>> pairs(symmetric) == np.mean([(1 - 5) ** 2, (1 - 3) ** 2, (5 - 3) ** 2]) / 2
    True
    """
    rows, columns = np.nonzero(~np.isnan(table))
    values = table[rows, columns]
    half = np.square(np.subtract.outer(values, values)) / 2
    mirrored = np.equal.outer(rows, columns) & np.equal.outer(columns, rows)
    neither = ~np.equal.outer(rows, rows) & ~np.equal.outer(columns, columns) & ~mirrored
    return max(float(half[neither].mean() - half[mirrored].mean()), 0.0)


def digits() -> FeaturePack:
    """The ten digits, of which 8 is the background."""
    pack = open_data("digits", Options(), Path("unused"))
    assert isinstance(pack, FeaturePack)  # noqa: S101 (the digits are one setting)
    return pack


def with_background(pack: FeaturePack, name: str) -> FeaturePack:
    """The same pictures with another digit as the background."""
    everything = {**pack.categories, "eight": pack.background}
    return replace(pack, categories={k: v for k, v in everything.items() if k != name}, background=everything[name])


def each_source(task: Task) -> dict[str, float]:
    """What each source alone, its weight learned, adds to no transfer: points, mean over splits and shots."""
    k = len(task.names)
    alone, _ = scalar_weights(task.leave_one_out)
    gains = task.accuracy(np.moveaxis(alone[..., None, :] * np.eye(k), -2, 0)) - _none(task)
    return dict(zip(task.names, gains.mean((1, 2)).tolist(), strict=True))


def learned(task: Task) -> float:
    """What learned weights add to no transfer."""
    return float((task.accuracy(ball_weights(task.leave_one_out, "l2", nonnegative=True)) - _none(task)).mean())


def equal(task: Task) -> float:
    """What equal weights add to no transfer."""
    k = len(task.names)
    return float((task.accuracy(np.full((*task.labels.shape[:2], k), k**-0.5)) - _none(task)).mean())


def _none(task: Task) -> Floats:
    return task.accuracy(np.zeros((*task.labels.shape[:2], len(task.names))))


def by_source() -> Floats:
    """Targets down, sources across: what each source alone adds."""
    pack = digits()
    gains = {target: each_source(prepare_task(pack, target, SPLITS, CHOICES)) for target in pack.categories}
    return pd.DataFrame(gains).T.reindex(columns=list(pack.categories)).to_numpy(dtype=float)


def by_background(gain: Callable[[Task], float]) -> Floats:
    """Targets down, digits that are the background across: what learned or equal weights add."""
    names = [*digits().categories, "eight"]
    table = np.full((10, 10), np.nan)
    for column, background in enumerate(names):
        pack = with_background(digits(), background)
        for target in pack.categories:
            table[names.index(target), column] = gain(prepare_task(pack, target, SPLITS, CHOICES))
    return table


def leanings() -> Floats:
    """Targets down, sources across: mean learned weight in the committed run, of each target's sum."""
    weights = pd.read_csv(DIGITS / "weights.csv").query("condition == 'multi-weighted' and shots <= 3")
    table = weights.pivot_table(index="target", columns="source", values="beta", sort=False)
    table = table.reindex(columns=table.index)
    return table.div(table.sum(axis=1), axis=0).to_numpy(dtype=float)


def between_levels(shots: list[int]) -> Floats:
    """Covariance over shots of what learned weights add, between the targets of the committed run."""
    measured = pd.read_csv(DIGITS / "measurements.csv")
    means = measured.groupby(["condition", "unit", "shots"])["value"].mean().unstack()
    gain = means.loc["multi-weighted"] - means.loc["none"]
    return gain[shots].cov().to_numpy()


def within_and_between() -> tuple[float, float]:
    """Variance of one split's effect within a target, and between targets' means over ten splits; shots 1 to 3."""
    measured = pd.read_csv(DIGITS / "measurements.csv").query("shots <= 3")
    means = measured.groupby(["condition", "unit", "split"])["value"].mean()
    gain = (means["multi-weighted"] - means["none"]).unstack()
    return float(gain.var(axis=1).mean()), float(gain.mean(axis=1).var())


def halves() -> dict[str, tuple[int, float]]:
    """Of each committed run of yosinski-layers, random splits: their number, and how A and B of one are correlated.

    What: AnB − base, mean over layers 4 to 7.
    """
    found = {}
    for folder in sorted((ROOT / "results" / "yosinski-layers").iterdir()):
        measured = pd.read_csv(folder / "measurements.csv").query("metric == 'accuracy' and class_split == 'random'")
        value = measured.groupby(["unit", "condition", "layers"])["value"].mean()
        base = value.xs("base", level="condition").droplevel("layers")
        transfer = value.xs("AnB", level="condition").loc[:, 4:].groupby("unit").mean()
        drop = transfer - base
        a, b = (drop[drop.index.str.endswith(half)].to_numpy() for half in ("A", "B"))
        centre = drop.mean()
        correlation = float(((a - centre) * (b - centre)).mean() / drop.var(ddof=0))
        found[folder.name.partition("-")[0]] = (len(a), correlation)
    return found
