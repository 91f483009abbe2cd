"""Write the tables on dependence into docs/what-you-may-conclude.md: python docs/dependence_tables.py.

Runs are drawn in which no claim is true, or one is by as much as the program says it would have found. Effects of
units at several levels are normal; what units share is drawn once for all of them. The tests are those of
``tlbench.claims``, computed for all runs at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dependence_components as measured
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from tlbench.claims import LEVEL, Estimate

Floats = NDArray[np.float64]
PAGE = Path(__file__).parent / "what-you-may-conclude.md"
BEGIN, END = "<!-- dependence: {} -->", "<!-- /dependence: {} -->"
RUNS = 20_000
SHOTS = [1, 2, 3, 5, 10]
MARGIN = 3.0
"""Of an equivalence, in standard errors: near enough to zero to be missed, far enough to be found."""


@dataclass(frozen=True)
class World:
    """draw: (runs, generator) → effects (runs, units), of variance one and mean zero over all that is drawn."""

    says: str
    draw: Callable[[int, np.random.Generator], Floats]


def correlated(says: str, covariance: Floats) -> World:
    """Normal effects; their covariance is scaled to a mean variance of one."""
    factor = np.linalg.cholesky(covariance / np.diag(covariance).mean())
    return World(says, lambda runs, draw: draw.normal(size=(runs, len(factor))) @ factor.T)


def shared(units: int, share: float) -> Floats:
    """Covariance of units that have a share of their variance in common.

    >>> shared(2, 0.25).tolist()
    [[1.0, 0.25], [0.25, 1.0]]
    """
    return share * np.ones((units, units)) + (1 - share) * np.eye(units)


def leaning(leanings: Floats, own: float, source: float, pair: float, cell: float) -> Floats:
    """Covariance of targets that lean on each other.

    Variances of what a target has, of what a source gives to all, of what a pair gives to both, and of what is of one
    target and source alone.
    """
    lean = np.nan_to_num(leanings)
    alone = own * np.eye(len(lean)) + (pair + cell) * np.diag((lean**2).sum(axis=1))
    return alone + source * lean @ lean.T + pair * lean * lean.T


def class_splits(says: str, these: bool, classes: float = 0.5) -> World:
    """Halves A and B of four random splits of ten classes, of which ``classes`` of the variance comes.

    these: the mean over all splits of these classes is zero; else only that over all classes there might be.
    """

    def draw(runs: int, generator: np.random.Generator) -> Floats:
        values = generator.normal(size=(runs, 10))
        if these:
            values -= values.mean(axis=1, keepdims=True)
        halves = []
        for _ in range(4):
            order = generator.permuted(np.tile(np.arange(10), (runs, 1)), axis=1)
            picked = np.take_along_axis(values, order, axis=1)
            halves += [picked[:, :5].mean(axis=1), picked[:, 5:].mean(axis=1)]
        own = np.stack(halves, axis=1)
        return np.sqrt(classes) * own / own.std() + np.sqrt(1 - classes) * generator.normal(size=own.shape)

    return World(says, draw)


def t_of(effects: Floats) -> Floats:
    """Student's t (runs, …) of effects (runs, units, …)."""
    return effects.mean(axis=1) / (effects.std(axis=1, ddof=1) / np.sqrt(effects.shape[1]))


def two_sided(t: Floats, freedom: float | Floats) -> Floats:
    """The p of t."""
    return np.asarray(2 * stdtr(freedom, -np.abs(t)))


def p_difference(effects: Floats) -> Floats:
    """Of effects (runs, units) against zero."""
    return two_sided(t_of(effects), effects.shape[1] - 1)


def p_every(effects: Floats) -> Floats:
    """Of effects (runs, units, levels): that of the weakest level, or where it speaks against, times their number."""
    t = t_of(effects)
    weakest = t.min(axis=1)
    p = two_sided(weakest, effects.shape[1] - 1)
    return np.where(weakest > 0, p, np.minimum(1.0, p * t.shape[1]))


def p_equivalent(effects: Floats, margin: float) -> Floats:
    """Of effects (runs, units) within ± margin one-sided, or beyond it two-sided."""
    units = effects.shape[1]
    mean, error = effects.mean(axis=1), effects.std(axis=1, ddof=1) / np.sqrt(units)
    t = (np.abs(mean) - margin) / error
    return np.where(t < 0, stdtr(units - 1, t), two_sided(t, units - 1))


def p_two_groups(effects: Floats, first: int) -> Floats:
    """Welch's, of the first units against the others."""
    of, to = effects[:, :first], effects[:, first:]
    parts = np.stack([side.var(axis=1, ddof=1) / side.shape[1] for side in (of, to)])
    freedom = parts.sum(0) ** 2 / (parts[0] ** 2 / (first - 1) + parts[1] ** 2 / (to.shape[1] - 1))
    return two_sided((of.mean(axis=1) - to.mean(axis=1)) / np.sqrt(parts.sum(0)), freedom)


def holm_rejects(p: Floats) -> NDArray[np.bool_]:
    """Whether anything of a family (runs, claims) falls: Holm's first step."""
    return np.asarray(p.min(axis=1) * p.shape[1] < LEVEL)


def rank_correlations(first: Floats, second: Floats) -> Floats:
    """Spearman's over the last axis."""
    ranks = [np.argsort(np.argsort(values, axis=-1), axis=-1).astype(float) for values in (first, second)]
    of, to = (values - values.mean(axis=-1, keepdims=True) for values in ranks)
    return np.asarray((of * to).sum(-1) / (of**2).sum(-1))


def columns(world: World, seed: int = 0, runs: int = RUNS) -> dict[str, float]:
    """What the tests do on a world: shares of runs."""
    generator = np.random.default_rng(seed)
    factor = np.linalg.cholesky(measured.between_levels(SHOTS))
    base = np.stack([world.draw(runs, generator) for _ in SHOTS], axis=-1)
    effects = base @ factor.T
    doublings = np.log2(SHOTS) - np.log2(SHOTS).mean()
    one, other = effects[..., :3].mean(axis=-1), effects[..., -1]
    units = one.shape[1]
    spread = one.std(axis=1, ddof=1).mean()
    margin = MARGIN * spread / np.sqrt(units)
    tests = {
        "difference": p_difference(one),
        "slope": p_difference(effects @ doublings),
        "every": p_every(effects),
        "not_worse": p_difference(other),
    }
    edge = one + margin
    tests["equivalent"] = p_equivalent(edge, margin)
    held = (tests["equivalent"] < LEVEL) & (np.abs(edge.mean(axis=1)) < margin)
    error = float(np.sqrt(one.var(axis=1, ddof=1).mean() / units))
    planted = Estimate(0.0, error, units - 1, (units,)).detectable(LEVEL)
    found = (p_difference(one + planted) < LEVEL) & (one.mean(axis=1) + planted > 0)
    half = stdtrit(units - 1, 1 - LEVEL / 2) * one.std(axis=1, ddof=1) / np.sqrt(units)
    return {
        **{name: float((p < LEVEL).mean()) for name, p in tests.items()},
        "equivalent": float(held.mean()),
        "family": float(holm_rejects(np.stack(list(tests.values()), axis=1)).mean()),
        "covers": float((np.abs(one.mean(axis=1)) < half).mean()),
        "power": float(found.mean()),
    }


def worlds() -> dict[str, World]:
    """The structures of the real experiments, with what was measured of them, and with more than that."""
    lean = measured.leanings()
    gains = measured.by_source()
    single, pair = measured.components(gains), measured.pairs(gains)
    among = leaning(lean, single.rows, single.columns, pair, max(single.cells - pair, 0.0))
    ground = measured.components(measured.by_background(measured.learned))
    share = ground.columns / (ground.rows + ground.columns + ground.cells)
    return {
        "independent": correlated("9 independent units", np.eye(9)),
        "sources": correlated("9 digits that lean on each other, as measured", among),
        "background": correlated(
            f"the same, and {share:.0%} of their variance is the background's, as measured",
            (1 - share) * among / np.diag(among).mean() + share,
        ),
        "good source": correlated(
            "9 targets; what a source gives to all varies as much as what a target has",
            leaning(lean, 1.0, 1.0, 0.0, 0.0),
        ),
        "quarter": correlated("9 units with a quarter in common", shared(9, 0.25)),
        "these classes": class_splits("8 halves of splits of ten classes; other splits of these", these=True),
        "other classes": class_splits("8 halves of splits of ten classes; other classes", these=False),
        "settings": correlated("40 units with 5% in common", shared(40, 0.05)),
    }


def main_table(found: Iterable[World]) -> list[str]:
    """Level, coverage and power of each world."""
    lines = [
        "| units | difference | slope | at every level | equivalent | family of five, Holm | interval covers | power |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    names = ("difference", "slope", "every", "equivalent", "family", "covers", "power")
    for world in found:
        seen = columns(world)
        lines.append(f"| {world.says} | " + " | ".join(f"{100 * seen[name]:.1f}" for name in names) + " |")
    return lines


def other_rates(seed: int = 0, runs: int = RUNS) -> dict[str, tuple[str, float]]:
    """False verdicts of tests that the other table has not, each with its words."""
    draw = np.random.default_rng(seed)

    def groups(share: float) -> float:
        sides = [correlated("", shared(6, share)).draw(runs, draw) for _ in range(2)]
        return float((p_two_groups(np.concatenate(sides, axis=1), 6) < LEVEL).mean())

    def ranks(share: float) -> float:
        noise, popular = draw.normal(size=(runs, 9, 8)), draw.normal(size=(2, runs, 1, 8))
        weights = np.sqrt(share) * popular[0] + np.sqrt(1 - share) * noise
        likeness = np.sqrt(share) * popular[1] + np.sqrt(1 - share) * draw.normal(size=noise.shape)
        return float((p_difference(rank_correlations(weights, likeness)) < LEVEL).mean())

    within, between = measured.within_and_between()
    own = max(between - within / 10, 0.0)
    splits = np.sqrt(own) * draw.normal(size=(runs, 9, 1)) + np.sqrt(within) * draw.normal(size=(runs, 9, 10))
    return {
        "groups": ("two_sample: 6 against 6 independent units", groups(0.0)),
        "groups 5": ("two_sample: 5% in common within each group", groups(0.05)),
        "groups 25": ("two_sample: a quarter in common within each group", groups(0.25)),
        "ranks": ("rank_correlation within 9 targets over 8 sources, nothing in common", ranks(0.0)),
        "ranks 25": ("rank_correlation: a quarter of both columns is the source's, for all targets alike", ranks(0.25)),
        "ranks 50": ("rank_correlation: half of both columns is the source's", ranks(0.5)),
        "splits in units": ("ten splits of 9 digits, averaged within digits first", _level(splits.mean(axis=2))),
        "splits as units": ("the same as ninety units, which the program never does", _level(splits.reshape(runs, -1))),
    }


def _level(effects: Floats) -> float:
    return float((p_difference(effects) < LEVEL).mean())


def other_table(rates: dict[str, tuple[str, float]]) -> list[str]:
    """``other_rates`` as a table."""
    lines = ["| test | false verdicts |", "|---|--:|"]
    return lines + [f"| {says} | {100 * rate:.1f} |" for says, rate in rates.values()]


def endured(p: float, units: int) -> float:
    """The share that units may have in common for a two-sided p of paired units to stay below 5 %, uncorrected.

    With a share ρ the variance of the mean is 1 + J ρ/(1 − ρ) times what the spread of J units says.
    """
    critical = stdtrit(units - 1, 1 - LEVEL / 2)
    excess = float((stdtrit(units - 1, p / 2) / critical) ** 2 - 1)
    return excess / (units + excess)


def endured_table() -> list[str]:
    """``endured`` of the claims that the committed run on the digits decides."""
    lines = ["| claim | p | stays below 5 % up to a share of |", "|---|--:|--:|"]
    claims = pd.read_csv(measured.DIGITS / "claims.csv")
    for claim, p, units in claims[claims["p"] < LEVEL][["claim", "p", "units"]].itertuples(index=False):
        lines.append(f"| {claim} | {p:.2g} | {100 * endured(p, units):.0f} % |")
    return lines


def between_marks(page: str, name: str, lines: Sequence[str]) -> str:
    """The page with lines between the marks of that name."""
    before, _, rest = page.partition(BEGIN.format(name))
    _, _, after = rest.partition(END.format(name))
    return "\n".join([before + BEGIN.format(name), *lines, END.format(name) + after])


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    text = between_marks(text, "units", main_table(worlds().values()))
    text = between_marks(text, "tests", other_table(other_rates()))
    text = between_marks(text, "claims", endured_table())
    PAGE.write_text(text, encoding="utf-8")
