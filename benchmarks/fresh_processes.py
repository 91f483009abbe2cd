"""What a fresh process costs: the memory of a whole run, and the wait for ``--help``."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from .table import Row, interleaved, row
from .workload import WholeRun

GIBIBYTE = 1 << 30
MEMORY_REPEATS, HELP_REPEATS = 3, 15


def rows(run: WholeRun) -> list[Row]:
    """Both rows."""
    return [_memory(run), _help()]


def _memory(run: WholeRun) -> Row:
    command = [sys.executable, "-m", "benchmarks.peak_memory", *([str(run.folder)] if run.folder else [])]
    peaks = [int(_run(command)) for _ in range(MEMORY_REPEATS)]
    return row(
        "peak memory of the whole run",
        "1 GiB",
        peaks,
        [GIBIBYTE] * len(peaks),
        f"{run.data_name}; a fresh process that reads the data and computes every block, keeping all tables: "
        f"peak resident {median(peaks) / 2**20:.0f} MiB",
    )


def _help() -> Row:
    ours, click = interleaved(
        lambda: _run([sys.executable, "-m", "tlbench", "--help"]),
        lambda: _run([sys.executable, "-c", "import click"]),
        repeats=HELP_REPEATS,
    )
    return row(
        "tlbench --help",
        "import click",
        ours,
        click,
        f"fresh processes, {HELP_REPEATS} each: {1000 * median(ours):.0f} ms against {1000 * median(click):.0f} ms; "
        f"ours is {median(ours) / median(click):.2f} times the other (at most 3 wanted)",
    )


def _run(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
