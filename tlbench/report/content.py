"""What the page says of one run, in plain words and numbers; how it looks is the page's."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..claims import wording
from ..records import in_words

if TYPE_CHECKING:
    from ..claims import Finding
    from ..protocol import Figure, Protocol
    from ..results import Grid, Results


@dataclass(frozen=True)
class Cell:
    """What is shown, what it is sorted by, and what marks it: strong, muted, or a verdict."""

    text: str
    by: str | float = ""
    mark: str = ""

    @property
    def key(self) -> str:
        """What a column is sorted by, as text that a page can hold."""
        return self.text if self.by == "" else str(self.by)


@dataclass(frozen=True)
class Table:
    """Rows below headings; the first cell of a row says what it is about. numbers: which columns are numbers."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: tuple[bool, ...]


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
    verdicts: Table
    published: Table | None
    grids: tuple[Table, ...]
    summary: Table
    choices: Table
    provenance: tuple[tuple[str, str], ...]
    tally: tuple[tuple[str, int], ...]


def section(results: Results) -> Section:
    """A run as the page shows it. Raises RecordsError for a figure that its study no longer draws."""
    declared, manifest = results.protocol, results.manifest
    findings, published = results.findings(), results.findings_published()
    verdicts = _verdicts(findings, declared, f"Claims, {wording.unit_of_effects(findings, declared)}", results.dataset)
    reference = declared.reference
    return Section(
        anchor=re.sub(r"[^\w\-]+", "-", f"{declared.name}-{results.records.folder.name}").strip("-"),
        name=declared.name,
        dataset=results.dataset,
        asks=declared.asks,
        source=declared.source,
        profile=_profile(results),
        troubles=_troubles(results, findings),
        pictures=tuple(_pictures(results)),
        verdicts=verdicts,
        published=_verdicts(published, declared, f"The same claims on {reference.name}: {reference.says}")
        if published and reference
        else None,
        grids=tuple(_grid(grid, declared) for grid in results.grids()),
        summary=_summary(results),
        choices=_choices(declared, manifest["settings"]["choices"]),
        provenance=tuple(_provenance(results)),
        tally=tuple(_tally(findings)),
    )


def _profile(results: Results) -> str:
    name = str(results.manifest["profile"])
    changed = [f"{key} = {in_words(value)}" for key, value in results.manifest["changed"].items()]
    return "; ".join([f"profile {name}: {results.protocol.profiles[name].says}", *changed])


def _troubles(results: Results, findings: Sequence[Finding]) -> tuple[str, ...]:
    troubles = [f"failed: {failure}" for failure in results.records.failures()]
    if results.missing:
        planned = results.manifest["cells"]
        troubles.append(f"{results.missing} of {planned} planned measurements are missing; cells without them show –")
    if unexpected := [finding.claim.id for finding in findings if not finding.expected(results.dataset)]:
        troubles.append(f"not as the protocol expects on this data set: {', '.join(unexpected)}")
    if results.manifest.get("mixed"):
        troubles.append("blocks were computed with different library versions or processors")
    return tuple(troubles)


def _pictures(results: Results) -> list[Picture]:
    drawn = []
    for figure in results.protocol.figures:
        for content in [content for name, content in results.figure(figure).items() if name.endswith(".svg")]:
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


def _verdicts(findings: Sequence[Finding], declared: Protocol, caption: str, dataset: str | None = None) -> Table:
    rows = []
    for finding in findings:
        word = wording.verdict_of(finding, declared, dataset=dataset)
        expected = finding.claim.expects.get(dataset or "")
        why = f" Expected: {expected.why}." if expected and finding.verdict == expected.verdict else ""
        rows.append(
            (
                Cell(finding.claim.says + (f" (margin {finding.claim.margin:g})" if finding.claim.margin else "")),
                Cell(word + why, finding.verdict, finding.verdict.split(",")[0].replace(" ", "-")),
                Cell(wording.effect_of(finding, declared), finding.effect),
                Cell(wording.interval_of(finding, declared), finding.low),
                Cell(wording.p_of(finding), finding.p_holm),
                Cell(wording.units_of(finding), finding.units),
            )
        )
    headings = ("claim", "verdict", "effect", "95 % interval", "p (Holm)", declared.units)
    return Table(caption, headings, tuple(rows), (False, False, True, True, True, True))


def _grid(grid: Grid, declared: Protocol) -> Table:
    digits = 1 if declared.metric_unit == "%" else 2
    of = "".join(f", {name} {value}" for name, value in grid.at.items())
    unit = f" in {declared.metric_unit}" if declared.metric_unit else ""
    caption = (
        f"{declared.metric.replace('_', ' ')}{unit}{of}: mean over {grid.units} {declared.units}, by {grid.across}"
    )
    rows = []
    for name, means in grid.means.iterrows():
        oracle = name in declared.oracles
        cells = [
            Cell(wording.number(value, f".{digits}f"), value, "strong" if value == best and not oracle else "")
            for value, best in zip(means, grid.best, strict=True)
        ]
        rows.append((Cell(f"{name} (oracle)" if oracle else str(name), mark="muted" if oracle else ""), *cells))
    levels = tuple(str(level) for level in grid.means.columns)
    return Table(caption, ("condition", *levels), tuple(rows), (False, *[True] * len(levels)))


def _summary(results: Results) -> Table:
    table = results.summary()
    numbers = tuple(table[name].dtype.kind in "fiu" for name in table.columns)
    rows = tuple(
        tuple(Cell(f"{value:.4g}" if isinstance(value, float) else str(value), value) for value in row)
        for row in table.itertuples(index=False)
    )
    return Table("All that was measured, with 95 % intervals over units", tuple(table.columns), rows, numbers)


def _choices(declared: Protocol, values: Mapping[str, Any]) -> Table:
    rows = tuple(
        (Cell(name), Cell(in_words(values.get(name, choice.value))), Cell(choice.why))
        for name, choice in declared.choices.items()
    )
    return Table("What the papers leave open: our choices", ("choice", "value", "why"), rows, (False, False, False))


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
