"""What a person sees: tables, progress and verdicts; plain lines when it is not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .claims import Finding
    from .results import Results

PLAIN_WIDTH = 160
SECONDS_BETWEEN_LINES = 2.0
VERDICT_STYLES = {"reproduced": "green", "equivalent": "green", "contradicted": "red", "inconclusive": "yellow"}


def console(stderr: bool = False) -> Console:
    """A console of the terminal's width, or wide enough not to cut tables where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False, soft_wrap=False)


def say(message: str, stderr: bool = False) -> None:
    """A line of plain text, never wrapped or styled by what it holds."""
    print(message, file=sys.stderr if stderr else sys.stdout)


def listing(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A borderless table of text."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def summary_table(results: Results, remarks: Sequence[str]) -> None:
    """Means by condition (down) and the first factor (across); the best that a user could choose is bold."""
    summary, oracles = results.summary(), set(results.protocol.oracles)
    factor = next(iter(results.factors))
    units = summary["units"]
    say(f"\n{results.caption}")
    say(f"{results.manifest['profile']}: {results.protocol.profiles[results.manifest['profile']].says}")
    metric = results.protocol.metric.replace("_", " ")
    say(f"{metric} in %, mean over {units.max()} {results.protocol.units}, by {factor}\n")
    grid = summary.pivot_table(index="condition", columns=factor, values="mean", sort=False)
    grid = grid.reindex([name for name in results.manifest["settings"]["conditions"] if name in grid.index])
    best = grid.drop(index=[name for name in grid.index if name in oracles]).max()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("condition", no_wrap=True)
    for level in grid.columns:
        table.add_column(str(level), justify="right", no_wrap=True)
    for name, row in grid.iterrows():
        oracle = name in oracles
        cells = [
            Text("–") if value != value else Text(f"{value:.1f}", "bold" if value == top and not oracle else "")
            for value, top in zip(row, best, strict=True)
        ]
        table.add_row(Text(f"{name} (oracle)" if oracle else str(name), "dim" if oracle else ""), *cells)
    console().print(table)
    say("")
    for remark in remarks:
        say(remark)
    if oracles & set(grid.index):
        say("An oracle is chosen on the test set: no user could choose it; shown, never tested.")
    if results.manifest.get("mixed"):
        say("Blocks were computed with different library versions or processors; manifest.json lists them.")
    if results.missing:
        say(f"INCOMPLETE: {results.missing} planned measurements are missing.")


def verdict_table(results: Results, findings: Sequence[Finding]) -> None:
    """Each claim with its effect, interval, corrected p and verdict."""
    from .claims import FEWEST_UNITS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, justify in (("claim", "left"), ("effect", "right"), ("95 % interval", "right"), ("p (Holm)", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("verdict", overflow="fold")
    for finding in findings:
        verdict = finding.verdict
        if finding.reason:
            verdict += f": {finding.reason}"
        elif finding.verdict == "shown, not tested":
            verdict += f" ({finding.units} of at least {FEWEST_UNITS} {results.protocol.units} needed for a test)"
        elif finding.detectable == finding.detectable:
            verdict += f" (would have found {finding.detectable:.1f})"
        if not finding.expected(results.dataset):
            verdict += " — not as expected"
        table.add_row(
            finding.claim.id + (f" (margin {finding.claim.margin:g})" if finding.claim.margin else ""),
            _number(finding.effect, "+.1f"),
            f"{_number(finding.low, '+.1f')} … {_number(finding.high, '+.1f')}",
            _number(finding.p_holm, ".2g"),
            Text(verdict, VERDICT_STYLES.get(finding.verdict, "")),
        )
    say(f"\nClaims, over {max((f.units for f in findings), default=0)} {results.protocol.units}, in points:\n")
    console().print(table)


def _number(value: float, form: str) -> str:
    return "–" if value != value else format(value, form)


def relative(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def duration(seconds: float) -> str:
    """Seconds in the words of a person waiting."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


Report = Callable[[float, float, float], Any]
"""(done, in all, seconds since the start)"""


@contextmanager
def progress(what: str, unit: str, quiet: bool) -> Iterator[Report]:
    """A bar on a terminal, a line every few seconds elsewhere, nothing if quiet; always ``n of N`` and time left."""
    out = console(stderr=True)
    if quiet:
        yield lambda *_: None
    elif out.is_terminal:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[words]}"))
        with Progress(*columns, console=out, transient=True) as bar:
            task = bar.add_task(what, total=None, words="")

            def show(done: float, total: float, seconds: float) -> None:
                bar.update(task, completed=done, total=total or None, words=_words(done, total, seconds, unit))

            yield show
    else:
        last = [-1e9]

        def line(done: float, total: float, seconds: float) -> None:
            now = time.monotonic()
            if done >= total > 0 or now - last[0] >= SECONDS_BETWEEN_LINES:
                last[0] = now
                say(f"{what}: {_words(done, total, seconds, unit)}", stderr=True)

        yield line


def _words(done: float, total: float, seconds: float, unit: str) -> str:
    count = f"{done:.1f} of {total:.1f}" if unit == "MB" else f"{done:.0f} of {total:.0f}"
    left = f", {duration(seconds / done * (total - done))} left" if 0 < done < total else ""
    rate = f", {done / seconds:.0f} a second" if unit == "pictures" and seconds > 0 and done else ""
    return f"{count if total else f'{done:.1f}'} {unit}{rate}{left}"
