"""What the ratios were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from threadpoolctl import threadpool_info

from tlbench.records import environment


def describe() -> list[str]:
    """Processor, cores, BLAS with its threads, and versions; one line each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pools = {
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', '?')}), {pool['num_threads']} thread"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    packages = ", ".join(f"{name} {version(name)}" for name in ("tlbench", "numpy", "scipy", "clarabel", "click"))
    return [
        f"processor: {environment()['processor']} ({platform.machine()}), {cores} cores, one used",
        f"BLAS: {'; '.join(sorted(pools))}",
        f"versions: Python {platform.python_version()}, {packages}",
    ]
