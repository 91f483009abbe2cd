"""What the papers claimed, tested: paired differences over units, Holm over the claims of an experiment.

The unit of replication is what the protocol says it is; splits are averaged within units first. p-values are two-sided
and come from Student's t over units; intervals are unadjusted 95 % ones. docs/caltech-multisource.md says what may be
concluded from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .protocol import Claim, Protocol, Selection
from .tables import unit_means

LEVEL = 0.05
POWER = 0.8
FEWEST_UNITS = 4
COLUMNS = ("claim", "says", "source", "effect", "low", "high", "p", "p_holm", "units", "verdict")


class ClaimError(Exception):
    """A claim names what the results do not have."""


@dataclass(frozen=True)
class Finding:
    """One claim on one run.

    effect: mean over units, in the unit of the metric (for a slope: per doubling), with its 95 % interval.
    p: of the null the claim's test is against. detectable: where the verdict is inconclusive, the distance from that
    null that would have been found with 80 % power at the claim's Holm level. reason: why there is no verdict.
    """

    claim: Claim
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    p_holm: float = np.nan
    units: int = 0
    verdict: str = "missing"
    detectable: float = np.nan
    reason: str = ""

    def expected(self, dataset: str) -> bool:
        """Whether ``check`` accepts the verdict on this data set."""
        if self.verdict == "missing":
            return False
        expectation = self.claim.expects.get(dataset)
        return self.verdict == expectation.verdict if expectation else self.verdict != "contradicted"


def assess(protocol: Protocol, measured: pd.DataFrame, factors: Mapping[str, Sequence[Any]]) -> list[Finding]:
    """Every claim of a protocol on a table of measurements; ``factors`` are the levels that were run."""
    means = unit_means(measured, list(factors))
    findings: list[Finding] = []
    samples: list[NDArray[np.float64] | None] = []
    for claim in protocol.claims:
        try:
            effects = unit_effects(claim, means, factors)
        except ClaimError as error:
            findings.append(Finding(claim, reason=str(error)))
            samples.append(None)
            continue
        mean, low, high = mean_interval(effects, 1 - LEVEL)
        testable = len(effects) >= FEWEST_UNITS
        p = paired_p(effects - null_value(claim)) if testable else np.nan
        findings.append(Finding(claim, mean, low, high, p, units=len(effects)))
        samples.append(effects if testable else None)
    adjusted, levels = holm([finding.p for finding in findings])
    return [
        _with_verdict(replace(finding, p_holm=p_holm), effects, level)
        for finding, effects, p_holm, level in zip(findings, samples, adjusted, levels, strict=True)
    ]


def _with_verdict(finding: Finding, effects: NDArray[np.float64] | None, level: float) -> Finding:
    claim = finding.claim
    if finding.reason:
        return finding
    if effects is None:
        return replace(finding, verdict="shown, not tested")
    beyond = finding.effect - null_value(claim)
    if claim.direction == "falls":
        beyond = -beyond
    if finding.p_holm < LEVEL:
        return replace(finding, verdict="reproduced" if beyond > 0 else "contradicted")
    if claim.margin is not None:
        _, low, high = mean_interval(effects, 1 - 2 * LEVEL)
        if -claim.margin < low and high < claim.margin:
            return replace(finding, verdict="equivalent")
    return replace(finding, verdict="inconclusive", detectable=detectable(effects, level))


def null_value(claim: Claim) -> float:
    """The effect that a test is against: −margin for not_worse, else zero."""
    return -claim.margin if claim.test == "not_worse" and claim.margin is not None else 0.0


def unit_effects(claim: Claim, means: pd.DataFrame, factors: Mapping[str, Sequence[Any]]) -> NDArray[np.float64]:
    """The claim's effect in every unit. Raises ClaimError where the results lack what it names."""
    keep = [claim.along] if claim.along else []
    sides = []
    for side in (claim.of, claim.to):
        rows = select(means, {**claim.over, **side}, factors)
        if rows.empty:
            raise ClaimError(f"there are no results for {_words(side)}")
        sides.append(rows.groupby(["unit", *keep], sort=False)["value"].mean())
    paired = pd.concat(sides, axis=1, keys=["of", "to"])
    if paired.isna().any(axis=None):
        raise ClaimError(f"{_words(claim.of)} and {_words(claim.to)} were not both measured everywhere")
    differences = paired["of"] - paired["to"]
    if not claim.along:
        return differences.to_numpy()
    table = differences.unstack(claim.along)
    levels = np.log2(table.columns.to_numpy(dtype=float))
    if len(levels) < 2:
        raise ClaimError(f"a slope needs at least two levels of {claim.along}")
    centred = levels - levels.mean()
    slopes: NDArray[np.float64] = table.to_numpy() @ centred / (centred @ centred)
    return slopes


def select(table: pd.DataFrame, wanted: Selection, factors: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Rows of a table: by value, by list of values (each must be there), by {from, to}, or at the "most"."""
    for column, value in wanted.items():
        if column not in table.columns:
            raise ClaimError(f"there is no column '{column}' in the results")
        cells = table[column]
        if value == "most":
            if column not in factors:
                raise ClaimError(f"{column} has no most: it is not a factor of this experiment")
            keep = cells == max(factors[column])
        elif isinstance(value, Mapping):
            keep = cells.between(value.get("from", cells.min()), value.get("to", cells.max()))
        elif isinstance(value, list):
            if absent := [level for level in value if level not in set(cells)]:
                raise ClaimError(f"{column} {', '.join(map(str, absent))} was not run")
            keep = cells.isin(value)
        else:
            keep = cells == value
        table = table.loc[keep]
    return table


def _words(side: Selection) -> str:
    return " and ".join(f"{key} {value}" for key, value in side.items())


def mean_interval(values: NDArray[np.float64], level: float) -> tuple[float, float, float]:
    """Mean and two-sided t interval of independent values; the interval is missing for fewer than two."""
    from scipy.special import stdtrit

    count = len(values)
    mean = float(np.mean(values))
    if count < 2:
        return mean, np.nan, np.nan
    half = float(stdtrit(count - 1, 0.5 + level / 2) * np.std(values, ddof=1) / np.sqrt(count))
    return mean, mean - half, mean + half


def paired_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of a one-sample t test against zero; differences without any spread are 0 or 1 by their mean."""
    from scipy.special import stdtr

    count = len(differences)
    error = float(np.std(differences, ddof=1) / np.sqrt(count))
    mean = float(np.mean(differences))
    if error <= 1e-12 * max(1.0, abs(mean)):
        return 1.0 if abs(mean) <= 1e-12 else 0.0
    return float(2 * stdtr(count - 1, -abs(mean) / error))


def holm(p_values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Holm's adjusted p-values and the level each p is held against; NaN stays NaN and does not count.

    Holm, Scandinavian Journal of Statistics 6 (1979): valid whatever the dependence between the tests.
    """
    tested = [place for place, p in enumerate(p_values) if not np.isnan(p)]
    adjusted, levels = [np.nan] * len(p_values), [np.nan] * len(p_values)
    worst = 0.0
    for rank, place in enumerate(sorted(tested, key=lambda place: p_values[place])):
        remaining = len(tested) - rank
        worst = max(worst, min(1.0, remaining * p_values[place]))
        adjusted[place], levels[place] = worst, LEVEL / remaining
    return adjusted, levels


def detectable(values: NDArray[np.float64], level: float) -> float:
    """The mean that a two-sided t test at ``level`` finds with 80 % power, given these values' spread."""
    from scipy.optimize import brentq
    from scipy.special import nctdtr, stdtrit

    count = len(values)
    error = float(np.std(values, ddof=1) / np.sqrt(count))
    if error == 0.0:
        return 0.0
    critical = float(stdtrit(count - 1, 1 - level / 2))

    def lacking(shift: float) -> float:
        return float(nctdtr(count - 1, shift, critical)) - (1 - POWER)

    return error * float(brentq(lacking, 0.0, 10 * critical + 10))


def as_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """``claims.csv``."""
    rows = [
        (f.claim.id, f.claim.says, f.claim.source, f.effect, f.low, f.high, f.p, f.p_holm, f.units, f.verdict)
        for f in findings
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
