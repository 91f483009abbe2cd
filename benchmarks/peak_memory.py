"""A process of its own: computes every block, then prints the most bytes that it held resident."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from threadpoolctl import threadpool_limits

from .workload import whole_run


def peak_bytes() -> int:
    # ru_maxrss of a new process starts at what its parent held; the status file's peak is the process's own.
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    with threadpool_limits(1):
        tables = whole_run(Path(sys.argv[1]) if len(sys.argv) > 1 else None).compute()
    print(peak_bytes())
