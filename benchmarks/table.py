"""One measured ratio, and how ratios are taken, shown and written."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median

FELL = 0.8
RESULTS = Path(__file__).with_name("results.csv")


@dataclass(frozen=True)
class Row:
    """``ratio`` above 1: we are that much faster or smaller; median, least and greatest over the repeats."""

    benchmark: str
    against: str
    ratio: float
    low: float
    high: float
    measure: str


def row(benchmark: str, against: str, ours: Sequence[float], other: Sequence[float], measure: str) -> Row:
    """Each repeat of ``other`` over the repeat of ``ours`` beside it."""
    ratios = [theirs / mine for mine, theirs in zip(ours, other, strict=True)]
    return Row(benchmark, against, median(ratios), min(ratios), max(ratios), measure)


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def interleaved(
    ours: Callable[[], object], *others: Callable[[], object], repeats: int, warm: bool = True
) -> list[list[float]]:
    """Seconds of each piece of work in turn, A B A B …, so that a slow minute of the machine hits all alike."""
    if warm:
        for work in (ours, *others):
            work()
    taken = [[seconds(work) for work in (ours, *others)] for _ in range(repeats)]
    return [list(times) for times in zip(*taken, strict=True)]


def show(rows: Sequence[Row], committed: Path | None = None) -> None:
    """Print rows, each beside the ratio that is kept in ``committed``; ``!`` where it fell by more than a fifth."""
    before = {row[0]: float(row[2]) for row in _kept(committed)} if committed else {}
    print(f"{'benchmark':34} {'against':26} {'ratio':>8} {'low':>8} {'high':>8} {'before':>8}")
    for entry in rows:
        numbers = " ".join(f"{value:8.3g}" for value in (entry.ratio, entry.low, entry.high))
        kept = before.get(entry.benchmark)
        beside = "" if kept is None else f" {kept:8.3g}{' !' if entry.ratio < FELL * kept else ''}"
        print(f"{entry.benchmark:34} {entry.against:26} {numbers}{beside}\n    {entry.measure}")


def written(entry: Row) -> list[str]:
    """A row as it is kept."""
    return [f"{value:.4g}" if isinstance(value, float) else value for value in astuple(entry)]


def write(rows: Sequence[Row], path: Path) -> None:
    """Keep rows, in the place of those of the same name and beside the others, in the order they first came in."""
    kept = {row[0]: row for row in _kept(path)} | {entry.benchmark: written(entry) for entry in rows}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[field.name for field in fields(Row)], *kept.values()])
    path.write_text(text.getvalue(), encoding="utf-8")


def _kept(path: Path) -> list[list[str]]:
    if not path.exists():
        return []
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]


def show_and_keep(rows: Sequence[Row]) -> None:
    """Print rows beside what is kept, and keep them in its place."""
    show(rows, RESULTS)
    write(rows, RESULTS)
