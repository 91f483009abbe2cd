"""What a run costs as its blocks grow in number: planning, scanning, tables, claims, figures and the page.

    python -m benchmarks.growth [--blocks 100 1000 10000 100000]

The plan is the real one of ``caltech-multisource``: targets × batches of ten splits × six groups of conditions, with as
many batches as targets, so that both grow as the square root. The records are made up, but written as a run writes
them: 40 measurements a condition, and the weights of three sources for those that learn them. Each stage is a process
of its own, with one thread; times are its processor time and its wall time, memory is the most that it held resident.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from .growth_stages import STAGES, Measure, make_records

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
GROUPS, ROWS_A_BLOCK = 6, 140
"""Of nine conditions in six groups: 60 measurements and 80 weights a block, in the mean."""


def side_of(blocks: int) -> int:
    """How many targets, and batches of splits, make about so many blocks."""
    return max(2, round(math.sqrt(blocks / GROUPS)))


def in_fresh_process(stage: Callable[[int, Path], Measure], side: int, folder: Path) -> Measure:
    """What a stage costs in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        return pool.submit(stage, side, folder).result()


def measure(blocks: int, folder: Path) -> tuple[int, dict[str, Measure]]:
    """How many blocks there are, and what making them and each stage cost."""
    side = side_of(blocks)
    found = {"(making the records)": in_fresh_process(make_records, side, folder)}
    for name, stage in STAGES.items():
        found[name] = in_fresh_process(stage, side, folder)
        print(f"  {side * side * GROUPS:,} blocks, {name}: {found[name]}", flush=True)
    return side * side * GROUPS, found


def table_of(found: dict[int, dict[str, Measure]]) -> str:
    """A line a stage: seconds at each number of blocks, then what the last step cost against a linear one."""
    sizes = list(found)
    heads = ["stage", *(f"{size:,}" for size in sizes), "µs a block", "against linear", "MiB"]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' --: |' * (len(heads) - 1)}"]
    for name in found[sizes[-1]]:
        measures = [found[size][name] for size in sizes]
        times = [f"{one.processor:.2f} ({one.wall:.2f})" for one in measures]
        last = measures[-1].processor
        ratio = "–"
        if len(sizes) > 1:
            ratio = f"{last / measures[-2].processor / (sizes[-1] / sizes[-2]):.2f}"
        memory = " → ".join(f"{one.peak / 2**20:.0f}" for one in measures[-2:])
        lines.append(f"| {' | '.join([name, *times, f'{1e6 * last / sizes[-1]:.0f}', ratio, memory])} |")
    return "\n".join(lines)


def bytes_a_row(found: dict[int, dict[str, Measure]], stage: str) -> float:
    """What the most memory of a stage grows by for each further row of the tables, over the last step."""
    (few, before), (many, after) = list(found.items())[-2:]
    return (after[stage].peak - before[stage].peak) / (ROWS_A_BLOCK * (many - few))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    # Before numpy is imported by the processes that are started here.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    found = {}
    for blocks in sorted(parser.parse_args().blocks):
        with tempfile.TemporaryDirectory() as folder:
            size, measures = measure(blocks, Path(folder))
            found[size] = measures
    print(f"\nSeconds of one processor (by the clock), by the number of blocks:\n\n{table_of(found)}")
    if len(found) > 1:
        for stage in ("tables and verdicts", "read again"):
            print(f"\n{stage}: {bytes_a_row(found, stage):.0f} bytes of memory for each further row")


if __name__ == "__main__":
    main()
