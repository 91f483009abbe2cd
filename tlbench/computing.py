"""One loop that computes what is missing: spawned processes, one thread each, every block kept as soon as it is done.

A block that raises fails alone. A process that dies takes the tasks in flight with it; the pool is rebuilt and they are
sent again, and one that was in flight at two breakages runs alone: if it kills again it is set aside.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from . import datasets, studies
from .keeping import BlockKeeping, intact
from .preparing import Prepared, needs_of
from .records import Records, RecordsError, describe
from .spawning import OwnContext, deaf_to_interrupts
from .study import Block

BREAKAGES_BEFORE_ALONE = 2


def cores() -> int:
    """How many processes can compute at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Outcome:
    """What became of the missing blocks."""

    finished: int = 0
    failed: dict[str, tuple[Block, Path]] = field(default_factory=dict)


def compute_missing(
    prepared: Prepared,
    missing: Sequence[Block],
    jobs: int,
    report: Callable[[int, int, float], None],
    device: str = "cpu",
) -> Outcome:
    """Compute and keep the missing blocks with ``jobs`` processes; those that others need come first.

    ``report`` is told (blocks done, blocks to do, seconds since the start) at the start and after each task.
    """
    outcome = Outcome()
    breakages: Counter[object] = Counter()
    left = {block.key: block for block in missing}
    needed = needs_of(missing)
    started = time.monotonic()

    def done(block: Block) -> bool:
        weights_lost = block.key in needed and not intact(prepared.records, block.key)
        return prepared.records.load(block) is not None and not weights_lost

    def settled(block: Block, traceback: str | None = None) -> None:
        del left[block.key]
        if traceback is None:
            outcome.finished += 1
        else:
            outcome.failed[block.key] = (block, prepared.records.save_failure(block, traceback))
        report(len(missing) - len(left), len(missing), time.monotonic() - started)

    def note(task: list[Block], results: Sequence[_Result]) -> None:
        for block, result in zip(task, results, strict=True):
            if result.traceback is None:
                prepared.records.add_timing(block, result.seconds)
            settled(block, result.traceback)

    def ready(tasks: list[list[Block]]) -> list[list[Block]]:
        """Takes out of ``tasks`` those that can begin, and settles those whose needs have failed."""
        begin = []
        for task in list(tasks):
            sources = needs_of(task)
            if lost := sources & set(outcome.failed):
                tasks.remove(task)
                source, _ = outcome.failed[min(lost)]
                for block in task:
                    settled(block, f"not computed: it starts from {describe(source)}, which failed")
            elif not sources & set(left):
                tasks.remove(task)
                begin.append(task)
        return begin

    report(0, len(missing), 0.0)
    with prepared.records.swept(), prepared.records.scratch("pack") as packed:
        try:
            datasets.save_data(prepared.pack, packed)
        except OSError as error:
            raise RecordsError(f"{packed.parent} cannot hold the run's data ({error.strerror or error})") from None
        work = _Work(packed, prepared.records.folder, device)
        while left:
            tasks = list(prepared.plan.tasks(list(left.values())))
            shaky = [task for task in tasks if breakages[task[0].task] >= BREAKAGES_BEFORE_ALONE]
            held_up = {block.key for task in shaky for block in task}
            steady = [t for t in tasks if t not in shaky and not any(held_up & set(block.needs) for block in t)]
            batch = steady or ready(tasks)[:1]
            if not batch:
                continue
            for task, was_running in _run_batch(work, batch, min(jobs, len(batch)), note, ready):
                breakages[task[0].task] += was_running
                lost = [block for block in task if not done(block)]
                for block in task:
                    if block not in lost:
                        settled(block)
                if not steady and lost:
                    settled(lost[0], "The process died while it computed this block, alone and for the third time.")
    return outcome


@dataclass(frozen=True)
class _Result:
    seconds: float
    traceback: str | None = None


@dataclass(frozen=True)
class _Work:
    """What every task is sent with: the data's file, the run's folder, the device."""

    packed: Path
    folder: Path
    device: str


def _run_batch(
    work: _Work,
    batch: list[list[Block]],
    jobs: int,
    note: Callable[[list[Block], Sequence[_Result]], None],
    ready: Callable[[list[list[Block]]], list[list[Block]]],
) -> list[tuple[list[Block], bool]]:
    """Run tasks on a fresh pool, each as soon as ``ready`` lets it.

    Returns those left by a pool that broke, and whether each was running then.
    """
    waiting = list(batch)
    pool = ProcessPoolExecutor(jobs, OwnContext(), _start_worker)
    tasks: dict[Future[list[_Result]], list[Block]] = {}
    try:
        while True:
            with deaf_to_interrupts():
                for task in ready(waiting):
                    tasks[pool.submit(_compute_task, task, work)] = task
            if not tasks:
                break
            running = {future for future in tasks if future.running()}
            finished, _ = wait(tasks, return_when=FIRST_COMPLETED)
            for future in finished:
                try:
                    results = future.result()
                except BrokenProcessPool:
                    left = [(task, future in running) for future, task in tasks.items()]
                    return left + [(task, False) for task in waiting]
                note(tasks.pop(future), results)
    except BrokenProcessPool:
        left = [(task, future.running()) for future, task in tasks.items()]
        return (left or [(task, True) for task in batch]) + [(task, False) for task in waiting if left]
    except BaseException:
        with deaf_to_interrupts():
            _stop(pool)
        raise
    finally:
        # Processes that are idle or gone; those of an interrupted run are, too, by now.
        pool.shutdown(wait=sys.exc_info()[0] is None, cancel_futures=True)
    return []


def _stop(pool: ProcessPoolExecutor) -> None:
    """Let go of a pool at once; what its processes have not written is done again next time."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, end with it, and compute with one thread."""
    # For libraries that are loaded later; ``_compute_task`` sees to those that are there already.
    os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS may add up in another order each time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@lru_cache(maxsize=1)
def _open(packed: Path, shape: datasets.Shape) -> datasets.Data:
    """The data of a run, read once a process."""
    return datasets.load_data(packed, shape)


def _compute_task(task: list[Block], work: _Work) -> list[_Result]:
    """Compute the blocks of one task and keep each where it belongs; failures come back as text."""
    from threadpoolctl import threadpool_limits

    records = Records(work.folder)
    results = []
    with threadpool_limits(1):
        begun = time.perf_counter()
        try:
            study = studies.find(task[0].study)
            pack = _open(work.packed, study.shape)
            if pack.fingerprint != task[0].data:
                raise datasets.DataError("the data are not those that the run was planned on; run it again")
            shared = study.prepare(pack, task[0])
        except Exception:
            return [_Result(0.0, traceback.format_exc())] * len(task)
        preparation = (time.perf_counter() - begun) / len(task)
        for block in task:
            begun = time.perf_counter()
            keeping = BlockKeeping(records, block, work.device)
            try:
                records.save(block, study.compute(shared, block, keeping), work.device if study.part else None)
                keeping.finish()
                results.append(_Result(preparation + time.perf_counter() - begun))
            except Exception:
                results.append(_Result(0.0, traceback.format_exc()))
    return results
