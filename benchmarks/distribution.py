"""What it costs to send blocks to processes, and what a second process brings: this machine's, and a Dask cluster's.

``python -m benchmarks.distribution`` prints both and puts the rows into ``results.csv``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tlbench import computing, datasets, preparing, protocol
from tlbench.cluster import connect
from tlbench.processes import Processes

from .dask_cluster import dask_cluster
from .empty_blocks import Nothing, nothing
from .table import Row, seconds, show_and_keep

BLOCKS = 1000
BLOCK_SECONDS = 0.15
"""What a block of the networks on the digits takes, about."""


def milliseconds_a_block(processes: Processes, folder: Path) -> float:
    """Of a run in which blocks cost nothing, less what its first block waits for."""
    pack = datasets.open_data("digits", datasets.Options(), folder)
    declared = protocol.read("caltech-multisource")
    asked = {"seeds": str(BLOCKS), "conditions": "none"}  # ten units × batches of ten splits, one block a task
    settings = preparing.settle(declared, "paper", asked, "digits")
    prepared = preparing.prepare(declared, settings, "digits", pack, folder)
    prepared.records.prepare()
    moments: list[float] = []
    outcome = computing.compute_missing(
        prepared, prepared.plan.blocks, processes, lambda *_: moments.append(time.perf_counter())
    )
    assert not outcome.failed
    return 1000 * (moments[-1] - moments[1]) / (len(moments) - 2)


def whole_command(*more: str) -> float:
    """Seconds of yosinski-layers on the digits."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tlbench", "run", "yosinski-layers", "--dataset", "digits", "--quiet"]
        return seconds(lambda: subprocess.run([*command, "--results", scratch, *more], check=True))


def rows() -> list[Row]:
    """What sending costs, and what a second process brings."""
    return [*overhead_rows(), *scaling_rows()]


def overhead_rows() -> list[Row]:
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        found["two processes"] = milliseconds_a_block(Nothing(2), folder / "local")
        with dask_cluster(2, folder) as address, connect(address, print) as cluster:
            cluster.compute = nothing
            found["two Dask workers"] = milliseconds_a_block(cluster, folder / "dask")
    return [
        Row(
            f"overhead of a block, {name}",
            f"a block of {1000 * BLOCK_SECONDS:.0f} ms",
            *[1000 * BLOCK_SECONDS / spent] * 3,
            f"{BLOCKS} blocks that compute nothing, one a task, sent, written, verified: {spent:.1f} ms each",
        )
        for name, spent in found.items()
    ]


def scaling_rows() -> list[Row]:
    local = [whole_command("--jobs", jobs) for jobs in ("1", "2")]
    clustered = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as scratch, dask_cluster(workers, Path(scratch)) as address:
            clustered.append(whole_command("--cluster", address))
    return [
        Row(
            f"yosinski-layers, two {name}",
            "one",
            *[single / double] * 3,
            f"tlbench run yosinski-layers --dataset digits, whole command on 2 cores: {double:.0f} s against "
            f"{single:.0f} s (at least 1.8 wanted)",
        )
        for name, (single, double) in {"processes": local, "Dask workers": clustered}.items()
    ]


if __name__ == "__main__":
    show_and_keep(rows())
