"""Every experiment on data that come with the program, one after the other, as a new user types them.

Alone: ``python -m benchmarks.every_experiment`` prints each, then writes its row into ``results.csv``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tlbench import datasets, processes, protocol
from tlbench.records import environment

from .table import Row, show_and_keep

WANTED = 600
"""Seconds, ten minutes."""
NAME = "every experiment on embedded data"


def timed() -> Iterator[tuple[str, str, float]]:
    """(experiment, data set, seconds) of each, in a results folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in protocol.shipped():
            data = datasets.embedded_for(protocol.read(name).data.default)
            command = [sys.executable, "-m", "tlbench", "run", name, "--dataset", data, "--quiet"]
            begun = time.perf_counter()
            subprocess.run([*command, "--results", scratch, "--jobs", str(processes.cores())], check=True)
            yield name, data, time.perf_counter() - begun


def row() -> Row:
    taken = []
    for name, data, spent in timed():
        print(f"    {name:24} {data:14} {spent:6.1f} s", flush=True)
        taken.append((spent, name))
    whole = sum(spent for spent, _ in taken)
    longest = ", ".join(f"{name} {spent:.0f} s" for spent, name in sorted(taken, reverse=True)[:3])
    measure = (
        f"tlbench run, {len(taken)} experiments with their usual profiles, tables and figures, on {processes.cores()} "
        f"cores of {environment()['processor']}: {whole:.0f} s; longest {longest}"
    )
    return Row(NAME, "ten minutes", WANTED / whole, WANTED / whole, WANTED / whole, measure)


if __name__ == "__main__":
    show_and_keep([row()])
