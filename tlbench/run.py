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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from . import datasets, studies
from .plan import Block, Plan, Settings, make_plan, resolve
from .protocol import Protocol
from .records import Records, RecordsError, run_folder

BREAKAGES_BEFORE_ALONE = 2


@dataclass
class Prepared:
    """A run that is planned but not begun."""

    plan: Plan
    records: Records
    pack: datasets.FeaturePack
    data: dict[str, object]

    def scan(self) -> tuple[list[Block], int]:
        """The blocks that no trusted file holds, in the plan's order, and how many of them have a damaged one."""
        missing = [block for block in self.plan.blocks if self.records.load(block) is None]
        return missing, sum(self.records.exists(block) for block in missing)


@dataclass
class Outcome:
    """What became of the missing blocks."""

    finished: int = 0
    failed: dict[str, tuple[Block, Path]] = field(default_factory=dict)


def settle(protocol: Protocol, profile: str | None, overrides: dict[str, str], reference: str) -> Settings:
    """The settings of a run before its data are opened; raises what ``plan.resolve`` raises.

    What the protocol chooses about its default data set does not carry over to another one.
    """
    settings = resolve(protocol, studies.find(protocol.study), profile, overrides)
    if reference == protocol.data.default:
        return settings
    return replace(settings, data={key: value if key in overrides else None for key, value in settings.data.items()})


def data_options(settings: Settings) -> datasets.Options:
    """What the settings choose about the data."""
    chosen = settings.data
    categories, kinds = (tuple(chosen[key] or ()) for key in ("categories", "features"))
    return datasets.Options(chosen["setting"], chosen["background"], categories, kinds)


def prepare(
    protocol: Protocol, settings: Settings, reference: str, pack: datasets.FeaturePack, results: Path
) -> Prepared:
    """Plan the blocks on the data. Raises what ``units`` of the study refuses."""
    plan = make_plan(protocol, studies.find(protocol.study), settings, pack, pack.fingerprint)
    entry, _ = datasets.find(reference)
    name = datasets.short_name(reference, pack)
    data = {
        "name": name,
        "reference": datasets.public_name(reference),
        "fingerprint": pack.fingerprint,
        "licence": entry.licence,
        "categories": len(pack.categories),
        **{key: value for key, value in settings.data.items() if value},
        "notices": list(pack.notices),
    }
    folder = run_folder(results, protocol.name, name, settings.profile, settings.changed)
    return Prepared(plan, Records(folder), pack, data)


def compute_missing(
    prepared: Prepared, missing: Sequence[Block], jobs: int, report: Callable[[int, int, float], None]
) -> Outcome:
    """Compute and keep the missing blocks with ``jobs`` processes.

    ``report`` is told (blocks done, blocks to do, seconds since the start) at the start and after each task.
    """
    outcome = Outcome()
    breakages: Counter[object] = Counter()
    left = list(missing)
    started = time.monotonic()

    def settled(block: Block, traceback: str | None = None) -> None:
        left.remove(block)
        if traceback is None:
            outcome.finished += 1
        else:
            outcome.failed[block.key] = (block, prepared.records.save_failure(block, traceback))

    def note(task: list[Block], results: Sequence[_Result]) -> None:
        for block, result in zip(task, results, strict=True):
            settled(block, result.traceback)
            if result.traceback is None:
                prepared.records.add_timing(block, result.seconds)
        report(len(missing) - len(left), len(missing), time.monotonic() - started)

    report(0, len(missing), 0.0)
    with prepared.records.swept(), prepared.records.scratch("pack") as packed:
        try:
            datasets.save_pack(prepared.pack, packed)
        except OSError as error:
            raise RecordsError(f"{packed.parent} cannot hold the run's data ({error.strerror or error})") from None
        while left:
            tasks = list(prepared.plan.tasks(left))
            steady = [task for task in tasks if breakages[task[0].task] < BREAKAGES_BEFORE_ALONE]
            batch = steady or tasks[:1]
            for task, was_running in _run_batch(prepared, packed, batch, min(jobs, len(batch)), note):
                breakages[task[0].task] += was_running
                lost = [block for block in task if prepared.records.load(block) is None]
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


def _run_batch(
    prepared: Prepared,
    packed: Path,
    batch: list[list[Block]],
    jobs: int,
    note: Callable[[list[Block], Sequence[_Result]], None],
) -> list[tuple[list[Block], bool]]:
    """Run tasks on a fresh pool; returns those left by a pool that broke, and whether each was running then."""
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start_worker)
    tasks: dict[Future[list[_Result]], list[Block]] = {}
    try:
        with _children_deaf_to_interrupts():
            for task in batch:
                tasks[pool.submit(_compute_task, task, packed, prepared.records.folder)] = task
        while tasks:
            running = {future for future in tasks if future.running()}
            finished, _ = wait(tasks, return_when=FIRST_COMPLETED)
            for future in finished:
                try:
                    results = future.result()
                except BrokenProcessPool:
                    return [(task, future in running) for future, task in tasks.items()]
                note(tasks.pop(future), results)
    except BrokenProcessPool:
        return [(task, future.running()) for future, task in tasks.items()] or [(task, True) for task in batch]
    except BaseException:
        with _children_deaf_to_interrupts():
            _stop(pool)
        raise
    finally:
        # Processes that are idle or gone; those of an interrupted run are, too, by now.
        pool.shutdown(wait=sys.exc_info()[0] is None, cancel_futures=True)
    return []


@contextmanager
def _children_deaf_to_interrupts() -> Iterator[None]:
    """Processes begun within never see Ctrl-C, not even while they start; this one sees it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@lru_cache(maxsize=1)
def _open(packed: Path) -> datasets.FeaturePack:
    """The data of a run, read once a process."""
    return datasets.load_pack(packed)


def _compute_task(task: list[Block], packed: Path, folder: Path) -> list[_Result]:
    """Compute the blocks of one task and keep each where it belongs; failures come back as text."""
    from threadpoolctl import threadpool_limits

    records = Records(folder)
    results = []
    with threadpool_limits(1):
        begun = time.perf_counter()
        try:
            study = studies.find(task[0].study)
            pack = _open(packed)
            if pack.fingerprint != task[0].data:
                raise datasets.DataError("the data are not those that the run was planned on; run it again")
            shared = study.prepare(pack, task[0])
        except Exception:
            return [_Result(0.0, traceback.format_exc())] * len(task)
        preparation = (time.perf_counter() - begun) / len(task)
        for block in task:
            begun = time.perf_counter()
            try:
                records.save(block, study.compute(shared, block))
                results.append(_Result(preparation + time.perf_counter() - begun))
            except Exception:
                results.append(_Result(0.0, traceback.format_exc()))
    return results
