"""Every claim of a protocol tested on a table, Holm over all of them, and what each comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from ..protocol import Claim, Protocol
from ..tables import unit_means
from .effects import Extent, effects, left_out
from .selection import ClaimError
from .statistics import LEVEL, Estimate, holm

FEWEST_UNITS = 4
COLUMNS = ("claim", "says", "source", "effect", "low", "high", "p", "p_holm", "units", "verdict")


DECIDED = ("reproduced", "contradicted", "equivalent")
"""Verdicts that say something of a claim."""


@dataclass(frozen=True)
class Finding:
    """One claim on one run.

    effect: mean over units, in the unit of the metric (for a slope: per doubling or step; for a rank correlation
    Spearman's), with its 95 % interval.
    p: of the null the claim's test is against. groups: the number of units, or of both groups where two are compared.
    at: the level where a claim that must hold at every level is weakest; effect, interval and p are those of that one,
    groups the fewest units at any. detectable: where the verdict is inconclusive, the distance from the null that would
    have been found with 80 % power at the claim's Holm level, or for an equivalence the margin. reason: why there is no
    verdict.
    """

    claim: Claim
    effect: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    p_holm: float = np.nan
    groups: tuple[int, ...] = (0,)
    verdict: str = "missing"
    at: str = ""
    detectable: float = np.nan
    reason: str = ""

    @property
    def units(self) -> int:
        """The number of units; of two groups that of the smaller."""
        return min(self.groups)

    def expected(self, dataset: str) -> bool:
        """Whether ``check`` accepts the verdict on this data set.

        What decides nothing speaks against no expectation: a small run, or one that was not meant to cover the claim.
        """
        if self.verdict not in DECIDED:
            return self.verdict != "missing"
        expectation = self.claim.expects.get(dataset)
        return self.verdict == expectation.verdict if expectation else self.verdict != "contradicted"


def assess(
    protocol: Protocol,
    measured: pd.DataFrame,
    factors: Mapping[str, Sequence[Any]] | Extent,
    tables: Mapping[str, pd.DataFrame] = MappingProxyType({}),
) -> list[Finding]:
    """Every claim of a protocol on a table of measurements, each on the protocol's metric or the one that it names.

    factors: the levels that were run, or all that is known of what the table covers. tables: the study's further ones.
    """
    extent = factors if isinstance(factors, Extent) else Extent(factors)
    metrics = {claim.metric or protocol.metric for claim in protocol.claims}
    means = {name: unit_means(measured[measured["metric"] == name], list(extent.factors)) for name in metrics}
    findings: list[Finding] = []
    found: list[dict[str, Estimate]] = []
    for claim in protocol.claims:
        estimates: dict[str, Estimate] = {}
        if reason := left_out(claim, extent, protocol.factors):
            finding = Finding(claim, verdict="not run", reason=reason)
        else:
            try:
                if claim.table and claim.table not in tables:
                    raise ClaimError(f"there is no table '{claim.table}' here")
                rows = tables[claim.table] if claim.table else means[claim.metric or protocol.metric]
                estimates = effects(claim, rows, extent)
                finding = _at_weakest(claim, estimates)
            except ClaimError as error:
                finding = Finding(claim, reason=str(error))
        findings.append(finding)
        found.append(estimates)
    adjusted, levels = holm([finding.p for finding in findings])
    return [
        _with_verdict(replace(finding, p_holm=p_holm), estimates, level)
        for finding, estimates, p_holm, level in zip(findings, found, adjusted, levels, strict=True)
    ]


def _at_weakest(claim: Claim, estimates: Mapping[str, Estimate]) -> Finding:
    """The finding at the level where the claim is weakest; p is missing where some level has too few units.

    All levels together are one test. A claim holds at every level where each level alone refutes its null, so the p of
    the weakest is valid as it is (Berger, Technometrics 24, 1982). Where the weakest level speaks against the claim, it
    was picked among all, and Bonferroni's factor is due.
    """
    testable = min(estimate.units for estimate in estimates.values()) >= FEWEST_UNITS
    at = min(estimates, key=lambda level: _strength(claim, estimates[level], testable))
    estimate = estimates[at]
    low, high = estimate.interval(1 - LEVEL)
    groups = min((one.groups for one in estimates.values()), key=min)
    p = np.nan
    if testable:
        favours = _favours(claim, estimate.mean)
        p = (
            estimate.p_equivalent(_margin(claim))
            if claim.test == "equivalent" and favours
            else _against(claim, estimate)
        )
        p = p if favours else min(1.0, len(estimates) * p)
    return Finding(claim, estimate.mean, low, high, p, groups=groups, at=at)


def _strength(claim: Claim, estimate: Estimate, testable: bool) -> float:
    """How strongly one level speaks for a claim; only the order counts."""
    if claim.test == "equivalent":
        return -estimate.p_equivalent(_margin(claim)) if testable else -abs(estimate.mean)
    return estimate.score(null_value(claim)) if testable else estimate.mean


def _against(claim: Claim, estimate: Estimate) -> float:
    """Two-sided p against the value that separates the claim from its contrary; of two margins the nearer."""
    if claim.test == "equivalent":
        return estimate.p(float(np.copysign(_margin(claim), estimate.mean)))
    return estimate.p(null_value(claim))


def _favours(claim: Claim, effect: float) -> bool:
    """Whether an effect lies on the side that the claim says."""
    if claim.test == "equivalent":
        return abs(effect) < _margin(claim)
    beyond = effect - null_value(claim)
    return bool(beyond < 0 if claim.direction == "falls" else beyond > 0)


def _with_verdict(finding: Finding, estimates: Mapping[str, Estimate], level: float) -> Finding:
    claim = finding.claim
    if finding.reason:
        return finding
    if np.isnan(finding.p):
        return replace(finding, verdict="shown, not tested")
    if finding.p_holm < LEVEL:
        return replace(finding, verdict="reproduced" if _favours(claim, finding.effect) else "contradicted")
    if claim.test == "equivalent":
        return replace(finding, verdict="inconclusive", detectable=estimates[finding.at].detectable_margin(level))
    if claim.margin is not None:
        intervals = [estimate.interval(1 - 2 * LEVEL) for estimate in estimates.values()]
        if all(-claim.margin < low and high < claim.margin for low, high in intervals):
            return replace(finding, verdict="equivalent")
    return replace(finding, verdict="inconclusive", detectable=estimates[finding.at].detectable(level))


def null_value(claim: Claim) -> float:
    """The effect that a test is against: −margin for not_worse, else zero."""
    return -_margin(claim) if claim.test == "not_worse" else 0.0


def _margin(claim: Claim) -> float:
    return np.nan if claim.margin is None else claim.margin


def as_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """``claims.csv``."""
    rows = [
        (f.claim.id, f.claim.says, f.claim.source, f.effect, f.low, f.high, f.p, f.p_holm, f.units, f.verdict)
        for f in findings
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
