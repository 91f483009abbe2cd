"""Claims and what they come to as a printed table, beside the published numbers where a protocol names some."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from .lines import MARKS, console, one_line, say

if TYPE_CHECKING:
    from ..claims import Finding
    from ..protocol import Protocol
    from ..results import Results

SIDE_BY_SIDE = 150  # columns that two findings a line need
WHOLE_NAMES, BROKEN_NAME = 110, 22  # below so many columns the names of claims are broken, at hyphens, to so many
LONGEST_WORD = 12  # contradicted, inconclusive


def verdict_table(results: Results, findings: Sequence[Finding]) -> None:
    """Each claim with its effect, interval, corrected p and verdict; the published numbers' beside or below it."""
    from ..claims import wording

    declared, published, units = results.protocol, results.findings_published(), results.protocol.units
    tested = {finding.groups for finding in findings if finding.units}
    counted = published is not None or len(tested) > 1
    width = console().width
    most = max((max(finding.groups) for finding in findings), default=0)
    unit = wording.unit_of_effects(findings, declared)
    say(f"\nClaims, over {'up to ' if counted else ''}{most} {units}, {unit}:\n")
    verdicts = [_verdict(finding, declared, "" if counted else units, results.dataset) for finding in findings]
    if published is None or declared.reference is None:
        console().print(_table(findings, verdicts, declared, counted, width))
        if declared.reference is not None:
            say(f"\n{declared.reference.file} is not here: name the protocol file to see the published numbers.")
        return
    name, says = one_line(declared.reference.name), declared.reference.says
    theirs = [
        _verdict(other, declared, margin=other.claim.margin if other.claim.margin != ours.claim.margin else None)
        for ours, other in zip(findings, published, strict=True)
    ]
    if width >= SIDE_BY_SIDE:
        console().print(_both(findings, verdicts, published, theirs, declared, name))
        say(f"\n{name}: {says}; shown beside the run, never part of what is expected of it.")
    else:
        console().print(_table(findings, verdicts, declared, counted, width))
        say(f"\nThe same claims on {name} ({says}):\n")
        console().print(_table(published, theirs, declared, counted, width))


def _table(
    findings: Sequence[Finding], verdicts: Sequence[Text], declared: Protocol, counted: bool, width: int
) -> Table:
    """One finding a line; ``counted``: with a column for the number of units."""
    from ..claims import wording

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("claim", no_wrap=True)
    for heading in ("effect", "95 % interval", "p (Holm)", *(["units"] if counted else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold", min_width=LONGEST_WORD)
    for finding, verdict in zip(findings, verdicts, strict=True):
        units = [wording.units_of(finding)] if counted else []
        name = wording.name_of(finding)
        claim = name if width >= WHOLE_NAMES else textwrap.fill(name, BROKEN_NAME)
        table.add_row(claim, *_numbers(finding, declared), wording.p_of(finding), *units, verdict)
    return table


def _both(
    findings: Sequence[Finding],
    verdicts: Sequence[Text],
    published: Sequence[Finding],
    theirs: Sequence[Text],
    declared: Protocol,
    name: str,
) -> Table:
    """Two findings a line: the run's, then those of the published numbers under their own name."""
    from ..claims import wording

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("\nclaim", no_wrap=True)
    for heading in ("\neffect", "this run\n95 % interval", "\np (Holm)", "\nunits"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("\nverdict", overflow="fold", min_width=LONGEST_WORD)
    for heading in ("\neffect", f"{name}\n95 % interval", "\nunits"):
        table.add_column(Text(heading), justify="right", no_wrap=True)
    table.add_column("\nverdict", overflow="fold", min_width=LONGEST_WORD)
    for ours, verdict, other, word in zip(findings, verdicts, published, theirs, strict=True):
        run = (*_numbers(ours, declared), wording.p_of(ours), wording.units_of(ours), verdict)
        table.add_row(wording.name_of(ours), *run, *_numbers(other, declared), wording.units_of(other), word)
    return table


def _numbers(finding: Finding, declared: Protocol) -> tuple[str, str]:
    from ..claims import wording

    return wording.effect_of(finding, declared), wording.interval_of(finding, declared)


def _verdict(
    finding: Finding, declared: Protocol, units: str = "", dataset: str | None = None, margin: float | None = None
) -> Text:
    from ..claims import wording

    text = wording.verdict_of(finding, declared, units, dataset, margin)
    return Text(one_line(text), MARKS.get(finding.verdict, ""))
