"""What the page says of one run, in plain words and numbers; how it looks is the page's."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import shown
from ..records import in_words
from ..sheet import Sheet, words

if TYPE_CHECKING:
    from ..claims import Finding
    from ..protocol import Figure, Protocol
    from ..results import Results


@dataclass(frozen=True)
class Picture:
    """A figure inside the page: its title, its bytes as a data address, and words for those who cannot see it."""

    title: str
    source: str
    words: str


@dataclass(frozen=True)
class Section:
    """One run."""

    anchor: str
    name: str
    dataset: str
    asks: str
    source: str
    profile: str
    troubles: tuple[str, ...]
    pictures: tuple[Picture, ...]
    verdicts: Sheet
    published: Sheet | None
    grids: tuple[Sheet, ...]
    summary: Sheet
    choices: Sheet
    provenance: tuple[tuple[str, str], ...]
    tally: tuple[tuple[str, int], ...]


def section(results: Results) -> Section:
    """A run as the page shows it. Raises RecordsError for a figure that its study no longer draws."""
    declared, manifest = results.protocol, results.manifest
    findings, published = results.findings(), results.findings_published()
    return Section(
        anchor=re.sub(r"[^\w\-]+", "-", f"{declared.name}-{results.records.folder.name}").strip("-"),
        name=declared.name,
        dataset=results.dataset,
        asks=declared.asks,
        source=declared.source,
        profile=_profile(results),
        troubles=_troubles(results, findings),
        pictures=tuple(_pictures(results)),
        verdicts=shown.verdict_sheet(results, findings, whole=True),
        published=_published(results, published) if published else None,
        grids=tuple(shown.grid_sheets(results)),
        summary=shown.summary_sheet(results),
        choices=_choices(declared, manifest["settings"]["choices"]),
        provenance=tuple(_provenance(results)),
        tally=tuple(_tally(findings)),
    )


def _profile(results: Results) -> str:
    name = str(results.manifest["profile"])
    changed = [f"{key} = {in_words(value)}" for key, value in results.manifest["changed"].items()]
    known = results.protocol.profiles.get(name)
    return "; ".join([f"profile {name}: {known.says}" if known else f"profile {name}", *changed])


def _troubles(results: Results, findings: Sequence[Finding]) -> tuple[str, ...]:
    troubles = [f"failed: {failure}" for failure in results.records.failures()]
    if results.missing:
        planned = results.manifest["cells"]
        troubles.append(f"{results.missing} of {planned} planned measurements are missing; cells without them show –")
    if unexpected := [finding.claim.id for finding in findings if not finding.expected(results.dataset)]:
        troubles.append(f"not as the protocol expects on this data set: {', '.join(unexpected)}")
    if results.manifest.get("mixed"):
        troubles.append("blocks were computed with different library versions or processors")
    return (*troubles, *results.notes)


def _pictures(results: Results) -> list[Picture]:
    drawn = []
    for figure in results.protocol.figures:
        for content in results.figure(figure, ("svg",)).values():
            source = "data:image/svg+xml;base64," + base64.b64encode(content).decode()
            drawn.append(Picture(figure.title, source, _words(figure)))
    return drawn


def _words(figure: Figure) -> str:
    """What a figure shows, for those who cannot see it."""
    if figure.kind == "curves":
        apart = f", one panel for each {figure.panels}" if figure.panels else ""
        axes = (figure.y_label or figure.y, figure.x_label or figure.x)
        return f"{figure.title}. Curves of {axes[0]} against {axes[1]}{apart}; the tables below have the numbers."
    if figure.kind == "heatmap":
        return f"{figure.title}. Heat map of {figure.value_label or figure.value} by {figure.x} and {figure.y}."
    return f"{figure.title}. The tables below have the numbers."


def _published(results: Results, findings: Sequence[Finding]) -> Sheet:
    reference = results.protocol.reference
    assert reference is not None  # noqa: S101 (its numbers were just judged)
    caption = f"The same claims on {reference.name}: {reference.says}"
    return replace(shown.verdict_sheet(results, findings, whole=True), caption=caption)


def _choices(declared: Protocol, values: Mapping[str, Any]) -> Sheet:
    rows = [(name, in_words(values.get(name, choice.value)), choice.why) for name, choice in declared.choices.items()]
    return words("What the papers leave open: our choices", ("choice", "value", "why"), rows)


def _provenance(results: Results) -> list[tuple[str, str]]:
    manifest = results.manifest
    data, blocks = manifest["data"], manifest["blocks"]
    return [
        ("run", str(manifest["run"])),
        ("data", f"{data['name']}, sha256 {data['fingerprint']}"),
        ("licence of the data", str(data["licence"])),
        *[("notice", str(notice)) for notice in data.get("notices", [])],
        ("computed", f"{blocks['finished']} of {blocks['planned']} blocks, {manifest['settings']['seeds']} splits"),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest["environment"].items())),
        ("files", f"{results.protocol.name}/{results.records.folder.name}/ in the results folder"),
    ]


def _tally(findings: Sequence[Finding]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.verdict] = counts.get(finding.verdict, 0) + 1
    order = ("reproduced", "equivalent", "inconclusive", "contradicted", "shown, not tested", "not run", "missing")
    return [(verdict, counts[verdict]) for verdict in order if verdict in counts]
