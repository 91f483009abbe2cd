"""Claims and what they come to as a printed table, beside the published numbers where a protocol names some."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from .lines import console, say

if TYPE_CHECKING:
    from ..claims import Finding
    from ..results import Results

STYLES = {"reproduced": "green", "equivalent": "green", "contradicted": "red", "inconclusive": "yellow"}
SIDE_BY_SIDE = 150  # columns that two findings a line need
WHOLE_NAMES, BROKEN_NAME = 110, 22  # below so many columns the names of claims are broken, at hyphens, to so many
LONGEST_WORD = 12  # contradicted, inconclusive


def verdict_table(results: Results, findings: Sequence[Finding]) -> None:
    """Each claim with its effect, interval, corrected p and verdict; the published numbers' beside or below it."""
    published, units = results.findings_published(), results.protocol.units
    tested = {finding.groups for finding in findings if finding.units}
    counted = published is not None or len(tested) > 1
    width = console().width
    most = max((max(finding.groups) for finding in findings), default=0)
    say(f"\nClaims, over {'up to ' if counted else ''}{most} {units}, {_unit(results, findings)}:\n")
    percent = results.protocol.metric_unit == "%"
    verdicts = [_verdict(finding, percent, "" if counted else units, results.dataset) for finding in findings]
    if published is None or results.protocol.reference is None:
        console().print(_table(findings, verdicts, percent, counted, width))
        if results.protocol.reference is not None:
            say(
                f"\n{results.protocol.reference.file} is not here: name the protocol file to see the published numbers."
            )
        return
    name, says = results.protocol.reference.name, results.protocol.reference.says
    theirs = [
        _verdict(other, percent, "", margin=other.claim.margin if other.claim.margin != ours.claim.margin else None)
        for ours, other in zip(findings, published, strict=True)
    ]
    if width >= SIDE_BY_SIDE:
        console().print(_both(findings, verdicts, published, theirs, percent, name))
        say(f"\n{name}: {says}; shown beside the run, never part of what is expected of it.")
    else:
        console().print(_table(findings, verdicts, percent, counted, width))
        say(f"\nThe same claims on {name} ({says}):\n")
        console().print(_table(published, theirs, percent, counted, width))


def _unit(results: Results, findings: Sequence[Finding]) -> str:
    """What effects are in: points where the metric is a percentage."""
    if results.protocol.metric_unit != "%":
        return f"in {results.protocol.metric_unit or 'the unit of what each is about'}"
    other = any(_digits(finding, percent=True) > 1 for finding in findings)
    return "in points" + (" (with two digits: in the unit of what it is about)" if other else "")


def _table(findings: Sequence[Finding], verdicts: Sequence[Text], percent: bool, counted: bool, width: int) -> Table:
    """One finding a line; ``counted``: with a column for the number of units."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("claim", no_wrap=True)
    for heading in ("effect", "95 % interval", "p (Holm)", *(["units"] if counted else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=LONGEST_WORD)
    for finding, verdict in zip(findings, verdicts, strict=True):
        units = [_units(finding)] if counted else []
        claim = _claim(finding) if width >= WHOLE_NAMES else textwrap.fill(_claim(finding), BROKEN_NAME)
        table.add_row(claim, *_effect(finding, percent), _number(finding.p_holm, ".2g"), *units, verdict)
    return table


def _both(
    findings: Sequence[Finding],
    verdicts: Sequence[Text],
    published: Sequence[Finding],
    theirs: Sequence[Text],
    percent: bool,
    name: str,
) -> Table:
    """Two findings a line: the run's, then those of the published numbers under their own name."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nclaim", no_wrap=True)
    for heading in ("\neffect", "this run\n95 % interval", "\np (Holm)", "\nunits"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("\nverdict", overflow="fold", min_width=LONGEST_WORD)
    for heading in ("\neffect", f"{name}\n95 % interval", "\nunits"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("\nverdict", overflow="fold", min_width=LONGEST_WORD)
    for ours, verdict, other, word in zip(findings, verdicts, published, theirs, strict=True):
        run = (*_effect(ours, percent), _number(ours.p_holm, ".2g"), _units(ours), verdict)
        table.add_row(_claim(ours), *run, *_effect(other, percent), _units(other), word)
    return table


def _claim(finding: Finding) -> str:
    return finding.claim.id + (f" (margin {finding.claim.margin:g})" if finding.claim.margin else "")


def _effect(finding: Finding, percent: bool) -> tuple[str, str]:
    """The effect and its interval; one unit has no interval."""
    form = f"+.{_digits(finding, percent)}f"
    ends = f"{_number(finding.low, form)} … {_number(finding.high, form)}"
    return _number(finding.effect, form), ends if finding.low == finding.low else "–"


def _digits(finding: Finding, percent: bool) -> int:
    """Percentages need one digit; what else a claim may be about is a share, a correlation or an error."""
    return 1 if percent and not finding.claim.metric and not finding.claim.between else 2


def _units(finding: Finding) -> str:
    return " / ".join(map(str, finding.groups)) if finding.units else "–"


def _verdict(
    finding: Finding, percent: bool, units: str, dataset: str | None = None, margin: float | None = None
) -> Text:
    """The verdict and what belongs to it.

    units: their name, where no column counts them. dataset: whose expectation it is held against. margin: where it is
    not the one that stands with the claim's name.
    """
    from ..claims import FEWEST_UNITS

    word, more = finding.verdict, [] if margin is None else [f"margin {margin:g}"]
    if finding.at:
        more.append(f"weakest: {finding.at.replace(' ', ' = ', 1)}")
    if finding.verdict == "shown, not tested" and units:
        more.append(f"{finding.units} of at least {FEWEST_UNITS} {units} needed for a test")
    if finding.detectable == finding.detectable:
        what = "shown a margin of" if finding.claim.test == "equivalent" else "found"
        more.append(f"would have {what} {finding.detectable:.{_digits(finding, percent)}f}")
    if finding.reason:
        word += f": {finding.reason}"
    elif more:
        word += f" ({'; '.join(more)})"
    if dataset is not None and not finding.expected(dataset):
        word += " — not as expected"
    return Text(word, STYLES.get(finding.verdict, ""))


def _number(value: float, form: str) -> str:
    """A number, or a dash where there is none; what rounds to zero has no sign."""
    if value != value:
        return "–"
    text = format(value, form)
    return text if float(text) else text.lstrip("+-")
