"""What is shown of a run, wherever it is: verdicts and means as sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .claims import wording
from .sheet import Cell, Sheet

if TYPE_CHECKING:
    from .claims import Finding
    from .results import Grid, Results


def identity(results: Results) -> dict[str, str]:
    """What tells a run from others."""
    profile = str(results.manifest["profile"])
    return {"experiment": results.protocol.name, "dataset": results.dataset, "profile": profile}


def verdict_sheet(results: Results, findings: Sequence[Finding], whole: bool = False) -> Sheet:
    """Each claim with its verdict, effect, interval, corrected p and units.

    whole: claims by what they say, with the reason for what is expected; else by their names.
    """
    declared, dataset = results.protocol, results.dataset
    rows = []
    for finding in findings:
        claim = finding.claim
        margin = f" (margin {claim.margin:g})" if claim.margin else ""
        expected = claim.expects.get(dataset)
        why = f" Expected: {expected.why}." if whole and expected and finding.verdict == expected.verdict else ""
        rows.append(
            (
                Cell(claim.says + margin if whole else wording.name_of(finding)),
                Cell(wording.verdict_of(finding, declared, dataset=dataset) + why, mark=finding.verdict),
                Cell(wording.effect_of(finding, declared), finding.effect),
                Cell(wording.rounded(finding.low, finding, declared), finding.low),
                Cell(wording.rounded(finding.high, finding, declared), finding.high),
                Cell(wording.p_of(finding), finding.p_holm),
                Cell(wording.units_of(finding), finding.units),
            )
        )
    headings = ("claim", "verdict", "effect", "low", "high", "p (Holm)", "units")
    caption = f"Claims, over {declared.units}, {wording.unit_of_effects(findings, declared)}"
    return Sheet(caption, headings, tuple(rows), (False, False, *[True] * 5), identity(results))


def grid_sheets(results: Results) -> list[Sheet]:
    """Means by condition (down) and the last factor (across), a sheet for each level of the factors before it.

    The best that a user could choose is strong.
    """
    return [_grid_sheet(results, grid) for grid in results.grids()]


def _grid_sheet(results: Results, grid: Grid) -> Sheet:
    declared = results.protocol
    metric, unit = declared.metric.replace("_", " "), declared.metric_unit
    digits = 1 if unit == "%" else 2
    rows = []
    for name, means in grid.means.iterrows():
        oracle = name in declared.oracles
        cells = [
            Cell(wording.number(value, f".{digits}f"), value, "strong" if value == best and not oracle else "")
            for value, best in zip(means, grid.best, strict=True)
        ]
        rows.append((Cell(f"{name} (oracle)" if oracle else str(name), mark="muted" if oracle else ""), *cells))
    levels = [str(level) for level in grid.means.columns]
    at = {name: str(level) for name, level in grid.at.items()}
    numbers = (False, *[True] * len(levels))
    of = "".join(f", {name} {value}" for name, value in at.items())
    caption = f"{metric}{f' in {unit}' if unit else ''}{of}, mean over {grid.units} {declared.units}, by {grid.across}"
    return Sheet(caption, ("condition", *levels), tuple(rows), numbers, {**identity(results), **at})


def summary_sheet(results: Results) -> Sheet:
    """Everything that was measured, with 95 % intervals over units."""
    table = results.summary()
    numbers = tuple(table[name].dtype.kind in "fiu" for name in table.columns)
    rows = tuple(
        tuple(
            Cell(f"{value:.4g}" if isinstance(value, float) else str(value), float(value) if number else None)
            for value, number in zip(row, numbers, strict=True)
        )
        for row in table.itertuples(index=False)
    )
    return Sheet("Everything that was measured", tuple(map(str, table.columns)), rows, numbers, identity(results))
