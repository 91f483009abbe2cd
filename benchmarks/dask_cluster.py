"""A scheduler and workers on this machine, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def dask_cluster(workers: int, folder: Path) -> Iterator[str]:
    """The scheduler's address, once so many workers have joined; all end with the block."""
    from distributed import Client

    file, root = folder / f"scheduler-{workers}.json", Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    started: list[subprocess.Popen[bytes]] = []

    def start(kind: str, *arguments: str) -> None:
        place = folder / f"{kind}-{workers}-{len(started)}"
        place.mkdir()
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=place, env=environment, **quiet))

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        while not file.exists():
            time.sleep(0.1)
        time.sleep(0.5)
        for _ in range(workers):
            start("worker", "--scheduler-file", str(file), "--nthreads", "1", "--memory-limit", "0")
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)
            yield client.scheduler.address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()
