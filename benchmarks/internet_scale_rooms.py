"""What the program itself keeps of a target: the numbers at which its rooms have to change."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass, replace

import msgspec

from .workload import whole_run


@dataclass(frozen=True)
class Rooms:
    """Of the main experiment with the papers' conditions, ten splits and ten shot counts."""

    blocks: int
    """Of one target."""
    rows: int
    """Measurements of one target."""
    block_bytes: float
    """Of one planned block in memory, with its key."""
    key_seconds: float
    """Processor time to plan one block and to make its key."""
    record_bytes: float
    """Of one block's record, without the environment."""


def measure_rooms(targets: int = 2000) -> Rooms:
    """Plan the blocks of so many targets, and compute one."""
    run = whole_run(None)
    own = run.tasks[0]
    tracemalloc.start()
    begun = time.process_time()
    planned = [replace(block, unit=f"category {number:07}") for number in range(targets) for block in own]
    keys = {block.key for block in planned}
    spent = time.process_time() - begun
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    task = run.study.prepare(run.pack, own[0])
    tables = [run.study.compute(task, block, None) for block in own]
    records = [{"block": block.identity, "tables": table} for block, table in zip(own, tables, strict=True)]
    return Rooms(
        blocks=len(own),
        rows=sum(len(table["measurements"]["value"]) for table in tables),
        block_bytes=held / len(keys),
        key_seconds=spent / len(keys),
        record_bytes=sum(len(msgspec.json.encode(record)) for record in records) / len(own),
    )
