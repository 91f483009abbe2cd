"""One loop that computes what is missing, on whatever processes; every block is kept as soon as it is done.

A block that raises fails alone. A process of this machine that dies takes the tasks in flight with it; the pool is
opened again and they are sent again, and one that was in flight at two breakages runs alone: if it kills again it is
set aside. A cluster tries by itself, and a task that it gives up runs alone once more.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from . import datasets
from .cluster import connect
from .keeping import intact, weights_path
from .preparing import Prepared, needs_of
from .processes import LocalProcesses, Processes, cores
from .records import RecordsError, describe, write_whole
from .spawning import deaf_to_interrupts
from .study import Block
from .task_line import TaskLine
from .working import Result, Work

if TYPE_CHECKING:
    from .opening import NamedData

BREAKAGES_BEFORE_ALONE = 2
KILLED = "The process died while it computed this block, alone and for the third time."

Report = Callable[[int, int, float], None]


@dataclass
class Outcome:
    """What became of the missing blocks."""

    finished: int = 0
    failed: dict[str, tuple[Block, Path]] = field(default_factory=dict)


def processes_for(
    cluster: str | None, jobs: int | None, device: str, say: Callable[[str], None]
) -> AbstractContextManager[Processes]:
    """The processes of the cluster of that name, or as many of this machine as are asked for, or as it has cores.

    say: is told what a user of a cluster should read. Raises what ``cluster.connect`` raises.
    """
    if cluster is not None:
        return connect(cluster, say, device)
    return nullcontext(LocalProcesses(jobs or (cores() if device == "cpu" else 1)))


def _nothing() -> None:
    """What there is to do meanwhile, unless somebody says so."""


def compute_missing(
    prepared: Prepared,
    missing: Sequence[Block],
    processes: Processes,
    report: Report,
    device: str = "cpu",
    named: NamedData | None = None,
    shared: Path | None = None,
    meanwhile: Callable[[], object] = _nothing,
) -> Outcome:
    """Compute and keep the missing blocks; those that others need come first.

    ``report`` is told (blocks done, blocks to do, seconds since the start) at the start and after each block. named,
    shared: the data by name and the folder of fetched ones, for processes that may not see the run's folder. meanwhile:
    is called when the first tasks of a pool are under way; what it raises ends the run.
    """
    account = _Account(prepared, missing, report)
    if not missing:
        return account.outcome
    breakages: Counter[object] = Counter()
    with prepared.records.swept(), prepared.records.scratch(f"pack-{secrets.token_hex(8)}") as packed:
        try:
            datasets.save_data(prepared.pack, packed)
        except OSError as error:
            raise RecordsError(f"{packed.parent} cannot hold the run's data ({error.strerror or error})") from None
        work = Work(packed, prepared.records.folder.absolute(), device, named, shared)
        while account.left:
            tasks = list(prepared.plan.tasks(list(account.left.values())))
            shaky = {task[0].task for task in tasks if breakages[task[0].task] >= BREAKAGES_BEFORE_ALONE}
            held_up = {block.key for task in tasks if task[0].task in shaky for block in task}
            steady = [t for t in tasks if t[0].task not in shaky and not held_up & needs_of(t)]
            account.line = TaskLine(steady or tasks, account.left)
            most = len(steady) or 1  # where none is steady, each of the others alone
            for task, times in _run_batch(processes, work, account, most, meanwhile):
                breakages[task[0].task] += times
                lost = [block for block in task if not account.is_done(block)]
                for block in task:
                    if block not in lost:
                        account.settle(block)
                if times and lost and not steady:
                    account.settle(lost[0], KILLED)
    return account.outcome


class _Account:
    """Which of the missing blocks are left, and what became of the others. line: the tasks of the present batch."""

    line: TaskLine

    def __init__(self, prepared: Prepared, missing: Sequence[Block], report: Report) -> None:
        self.outcome = Outcome()
        self.left = {block.key: block for block in missing}
        self._records, self._report = prepared.records, report
        self._needed = needs_of(missing)
        self._total, self._started = len(missing), time.monotonic()
        report(0, self._total, 0.0)

    def is_done(self, block: Block) -> bool:
        """Whether a process kept it before it died."""
        weights_lost = block.key in self._needed and not intact(self._records, block.key)
        return self._records.is_finished(block) and not weights_lost

    def settle(self, block: Block, traceback: str | None = None) -> None:
        """Strike a block off: it has finished or, with a traceback, failed."""
        del self.left[block.key]
        if traceback is None:
            self.outcome.finished += 1
        else:
            self.outcome.failed[block.key] = (block, self._records.save_failure(block, traceback))
        self.line.settled(block.key)
        self._report(self._total - len(self.left), self._total, time.monotonic() - self._started)

    def note(self, task: Sequence[Block], results: Sequence[Result]) -> None:
        """Keep what a task brings back, unless the process that computed it has done so."""
        for block, result in zip(task, results, strict=True):
            if result.weights is not None:
                write_whole(weights_path(self._records, block.key), result.weights)
            if result.content is not None and not self._records.is_finished(block):
                self._records.put(block, result.content)
            if result.traceback is None:
                self._records.add_timing(block, result.seconds)
            self.settle(block, result.traceback)

    def next_task(self) -> list[Block] | None:
        """The next task that can begin; those that start from what has failed are settled on the way."""
        while task := self.line.take():
            lost = needs_of(task) & self.outcome.failed.keys()
            if not lost:
                return task
            source, _ = self.outcome.failed[min(lost)]
            for block in task:
                self.settle(block, f"not computed: it starts from {describe(source)}, which failed")
        return None

    def weights_for(self, task: Sequence[Block]) -> dict[str, bytes]:
        """The files of the weights that a task needs."""
        return {key: weights_path(self._records, key).read_bytes() for key in sorted(needs_of(task))}


def _run_batch(
    processes: Processes, work: Work, account: _Account, most: int, meanwhile: Callable[[], object]
) -> list[tuple[list[Block], int]]:
    """Run the line's tasks on a fresh pool, each as soon as it can begin, but ``most`` in all.

    Returns those that it left undone, each with how often it may have broken a pool.
    """
    pool = processes.open(work, most)
    try:
        left = _send_and_gather(processes, pool, work, account, most, meanwhile)
    except BaseException:
        with deaf_to_interrupts():
            processes.stop(pool)
        raise
    processes.close(pool)
    return left


def _send_and_gather(
    processes: Processes, pool: Executor, work: Work, account: _Account, most: int, meanwhile: Callable[[], object]
) -> list[tuple[list[Block], int]]:
    tasks: dict[Future[list[Result]], list[Block]] = {}
    finished: SimpleQueue[Future[list[Result]]] = SimpleQueue()
    given_up: list[tuple[list[Block], int]] = []
    sent = 0
    while True:
        with deaf_to_interrupts():
            while len(tasks) < processes.in_flight() and sent < most and (task := account.next_task()):
                weights = account.weights_for(task) if processes.carries() else {}
                try:
                    future = pool.submit(processes.compute, task, work, weights)
                except BrokenExecutor:
                    return [(other, int(future.running())) for future, other in tasks.items()] or [(task, 1)]
                tasks[future] = task
                sent += 1
                future.add_done_callback(finished.put)
        if not tasks:
            return given_up
        meanwhile()
        meanwhile = _nothing
        running = {future for future in tasks if future.running()}
        future = finished.get()
        try:
            results = future.result()
        except processes.given_up:
            given_up.append((tasks.pop(future), BREAKAGES_BEFORE_ALONE))
        except processes.lost as error:
            processes.mourn(error)
            return given_up + [(task, int(future in running)) for future, task in tasks.items()]
        else:
            account.note(tasks.pop(future), results)
