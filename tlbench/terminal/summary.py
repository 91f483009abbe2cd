"""A run's means as a printed table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from .lines import console, say

if TYPE_CHECKING:
    import pandas as pd

    from ..results import Results


def summary_table(results: Results, remarks: Sequence[str]) -> None:
    """Means by condition (down) and the last factor (across), a table for each level of the factors before it.

    The best that a user could choose is bold.
    """
    whole, oracles = results.summary(), set(results.protocol.oracles)
    *apart, across = results.factors
    summary = _as_declared(whole[whole["metric"] == results.protocol.metric], apart, results)
    metric, unit = results.protocol.metric.replace("_", " "), results.protocol.metric_unit
    measured = f"{metric} in {unit}" if unit else metric
    say(f"\n{results.caption}")
    say(f"{results.manifest['profile']}: {results.protocol.profiles[results.manifest['profile']].says}")
    for level, part in summary.groupby(apart, sort=False) if apart else [((), summary)]:
        of = "".join(f", {name} {value}" for name, value in zip(apart, level, strict=True))
        units = part["units"].max()
        say(f"{measured}{of}, mean over {units} {results.protocol.units}, by {across}\n")
        console().print(_grid(results, part, across))
        say("")
    for remark in remarks:
        say(remark)
    if others := sorted(set(whole["metric"]) - {results.protocol.metric}):
        say(f"Also measured: {', '.join(others)} (summary.csv).")
    if oracles & set(summary["condition"]):
        say("An oracle is chosen on the test set: no user could choose it; shown, never tested.")
    if results.manifest.get("mixed"):
        say("Blocks were computed with different library versions or processors; manifest.json lists them.")
    if results.missing:
        say(f"INCOMPLETE: {results.missing} planned measurements are missing.")


def _as_declared(summary: pd.DataFrame, factors: Sequence[str], results: Results) -> pd.DataFrame:
    """The levels of each factor in the protocol's order; a level that it does not have comes last."""
    for factor in reversed(factors):
        levels = results.protocol.factors[factor]
        place = {level: rank for rank, level in enumerate(levels if isinstance(levels, list) else [levels])}
        summary = summary.loc[summary[factor].map(place).sort_values(kind="stable").index]
    return summary


def _grid(results: Results, summary: pd.DataFrame, across: str) -> Table:
    oracles = set(results.protocol.oracles)
    grid = summary.pivot_table(index="condition", columns=across, values="mean", sort=False)
    grid = grid.reindex([name for name in results.manifest["settings"]["conditions"] if name in grid.index])
    grid = grid[sorted(grid.columns)]
    chosen = grid.drop(index=[name for name in grid.index if name in oracles])
    best = chosen.min() if results.protocol.lower_is_better else chosen.max()
    digits = 1 if results.protocol.metric_unit == "%" else 2
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("condition", no_wrap=True)
    for level in grid.columns:
        table.add_column(str(level), justify="right", no_wrap=True)
    for name, row in grid.iterrows():
        oracle = name in oracles
        cells = [
            Text("–") if value != value else Text(f"{value:.{digits}f}", "bold" if value == top and not oracle else "")
            for value, top in zip(row, best, strict=True)
        ]
        table.add_row(Text(f"{name} (oracle)" if oracle else str(name), "dim" if oracle else ""), *cells)
    return table
