"""A run's means as a printed table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lines import say, show

if TYPE_CHECKING:
    from ..results import Results


def summary_table(results: Results, remarks: Sequence[str]) -> None:
    """Means by condition (down) and the last factor (across), a table for each level of the factors before it.

    The best that a user could choose is bold.
    """
    from .. import shown  # not before there are results: it brings pandas along

    declared, manifest = results.protocol, results.manifest
    say(f"\n{results.caption}")
    say(f"{manifest['profile']}: {declared.profiles[manifest['profile']].says}")
    for sheet in shown.grid_sheets(results):
        say(f"{sheet.caption}\n")
        show([sheet])
        say("")
    for remark in remarks:
        say(remark)
    if others := sorted(set(results.measured["metric"]) - {declared.metric}):
        say(f"Also measured: {', '.join(others)} (summary.csv).")
    if set(declared.oracles) & set(results.measured["condition"]):
        say("An oracle knows what no user can, the test set or the truth: shown, never tested.")
    if manifest.get("mixed"):
        say("Blocks were computed with different library versions or processors; manifest.json lists them.")
    if results.missing:
        say(f"INCOMPLETE: {results.missing} planned measurements are missing.")
