"""A run's means as a printed table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from .lines import console, say

if TYPE_CHECKING:
    from ..results import Grid, Results


def summary_table(results: Results, remarks: Sequence[str]) -> None:
    """Means by condition (down) and the last factor (across), a table for each level of the factors before it.

    The best that a user could choose is bold.
    """
    declared, manifest = results.protocol, results.manifest
    say(f"\n{results.caption}")
    say(f"{manifest['profile']}: {declared.profiles[manifest['profile']].says}")
    metric = declared.metric.replace("_", " ")
    measured = f"{metric} in {declared.metric_unit}" if declared.metric_unit else metric
    for grid in results.grids():
        of = "".join(f", {name} {value}" for name, value in grid.at.items())
        say(f"{measured}{of}, mean over {grid.units} {declared.units}, by {grid.across}\n")
        console().print(as_table(grid, declared.oracles, 1 if declared.metric_unit == "%" else 2))
        say("")
    for remark in remarks:
        say(remark)
    if others := sorted(set(results.measured["metric"]) - {declared.metric}):
        say(f"Also measured: {', '.join(others)} (summary.csv).")
    if set(declared.oracles) & set(results.measured["condition"]):
        say("An oracle is chosen on the test set: no user could choose it; shown, never tested.")
    if manifest.get("mixed"):
        say("Blocks were computed with different library versions or processors; manifest.json lists them.")
    if results.missing:
        say(f"INCOMPLETE: {results.missing} planned measurements are missing.")


def as_table(grid: Grid, oracles: Sequence[str], digits: int) -> Table:
    """One grid, its best in bold."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("condition", no_wrap=True)
    for level in grid.means.columns:
        table.add_column(str(level), justify="right", no_wrap=True)
    for name, row in grid.means.iterrows():
        oracle = name in oracles
        cells = [
            Text("–") if value != value else Text(f"{value:.{digits}f}", "bold" if value == best and not oracle else "")
            for value, best in zip(row, grid.best, strict=True)
        ]
        table.add_row(Text(f"{name} (oracle)" if oracle else str(name), "dim" if oracle else ""), *cells)
    return table
