"""Findings in words and rounded numbers, the same wherever they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol import Protocol
from .verdicts import FEWEST_UNITS, Finding


def name_of(finding: Finding) -> str:
    """The claim's name, with its margin."""
    return finding.claim.id + (f" (margin {finding.claim.margin:g})" if finding.claim.margin else "")


def effect_of(finding: Finding, protocol: Protocol) -> str:
    """The effect, signed."""
    return rounded(finding.effect, finding, protocol)


def rounded(value: float, finding: Finding, protocol: Protocol) -> str:
    """A number in the unit of the claim's effect, signed."""
    return number(value, f"+.{_digits(finding, protocol)}f")


def interval_of(finding: Finding, protocol: Protocol) -> str:
    """Its interval; one unit has none."""
    if finding.low != finding.low:
        return "–"
    return f"{rounded(finding.low, finding, protocol)} … {rounded(finding.high, finding, protocol)}"


def p_of(finding: Finding) -> str:
    """The corrected p."""
    return number(finding.p_holm, ".2g")


def units_of(finding: Finding) -> str:
    """How many units there were, of both groups where two are compared."""
    return " / ".join(map(str, finding.groups)) if finding.units else "–"


def verdict_of(
    finding: Finding, protocol: Protocol, units: str = "", dataset: str | None = None, margin: float | None = None
) -> str:
    """The verdict and what belongs to it.

    units: their name, where no column counts them. dataset: whose expectation it is held against. margin: where it is
    not the one that stands with the claim's name.
    """
    word, more = finding.verdict, [] if margin is None else [f"margin {margin:g}"]
    if finding.at:
        more.append(f"weakest: {finding.at.replace(' ', ' = ', 1)}")
    if finding.verdict == "shown, not tested" and units:
        more.append(f"{finding.units} of at least {FEWEST_UNITS} {units} needed for a test")
    if finding.detectable == finding.detectable:
        what = "shown a margin of" if finding.claim.test == "equivalent" else "found"
        more.append(f"would have {what} {finding.detectable:.{_digits(finding, protocol)}f}")
    if finding.reason:
        word += f": {finding.reason}"
    elif more:
        word += f" ({'; '.join(more)})"
    return word if dataset is None or finding.expected(dataset) else f"{word} — not as expected"


def unit_of_effects(findings: Sequence[Finding], protocol: Protocol) -> str:
    """What the effects are in: points where the metric is a percentage."""
    if protocol.metric_unit != "%":
        return f"in {protocol.metric_unit or 'the unit of what each is about'}"
    other = any(_digits(finding, protocol) > 1 for finding in findings)
    return "in points" + (" (with two digits: in the unit of what it is about)" if other else "")


def number(value: float, form: str) -> str:
    """A number, or a dash where there is none; what rounds to zero has no sign."""
    if value != value:
        return "–"
    text = format(value, form)
    return text if float(text) else text.lstrip("+-")


def _digits(finding: Finding, protocol: Protocol) -> int:
    """Percentages need one digit; what else a claim may be about is a share, a correlation or an error."""
    percent = protocol.metric_unit == "%" and not finding.claim.metric and not finding.claim.between
    return 1 if percent else 2
