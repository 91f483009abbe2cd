"""The processes that decode pictures and compute their vectors.

A decoder fed with damaged bytes may take its whole process down. The pool is then built anew and what was under way is
done again picture by picture, so that the one that did it is found; it is given up after the second time alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import kinds as catalogue
from .errors import FeaturesError, PictureError

Floats = NDArray[np.float32]

CHUNK = 32  # pictures sent to a process at a time: a fraction of a second's work
CHUNKS_EACH = 3  # under way for each process, so that none waits while the parent writes
DEATHS = 2  # of a process that a picture was alone in, before the picture is given up
KILLS = "kills the process that decodes it"


@dataclass(frozen=True)
class Task:
    """A picture, and the kinds wanted of it."""

    identity: str
    path: Path
    kinds: tuple[catalogue.Kind, ...]


Outcome = dict[str, Floats] | str  # kind → vector, or why the picture cannot be read
Results = list[tuple[Task, Outcome]]
_Pending = Future[list[Outcome]]


def compute_all(tasks: Sequence[Task], jobs: int) -> Generator[Results, None, None]:
    """Compute tasks with ``jobs`` processes; yields them in chunks as they are done, in no fixed order.

    Only a bounded number of chunks is held at a time. The processes end when the iterator does, however it does.
    Raises FeaturesError where processes cannot be started.
    """
    chunks = deque(list(tasks[start : start + CHUNK]) for start in range(0, len(tasks), CHUNK))
    suspects: deque[Task] = deque()  # were under way when a process died; done one at a time
    deaths: Counter[str] = Counter()
    under_way: dict[_Pending, list[Task]] = {}
    jobs = max(1, min(jobs, len(chunks)))
    pool = _pool(jobs)
    try:
        while chunks or suspects or under_way:
            try:
                if suspects and not under_way:
                    under_way[pool.submit(_compute, [suspects[0]])] = [suspects[0]]
                    suspects.popleft()
                while not suspects and chunks and len(under_way) < CHUNKS_EACH * jobs:
                    under_way[pool.submit(_compute, chunks[0])] = chunks[0]
                    chunks.popleft()
                finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    outcomes = future.result()
                    yield list(zip(under_way.pop(future), outcomes, strict=True))
            except BrokenProcessPool:
                lost = [task for chunk in under_way.values() for task in chunk]
                under_way.clear()
                _stop(pool)
                pool = _pool(jobs)
                _try_out(pool)
                if len(lost) == 1:
                    deaths[lost[0].identity] += 1
                    if deaths[lost[0].identity] == DEATHS:
                        yield [(lost.pop(), KILLS)]
                suspects.extendleft(reversed(lost))
    finally:
        _stop(pool)


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start)


def _try_out(pool: ProcessPoolExecutor) -> None:
    """Have a process do nothing. Raises FeaturesError where even that kills it, as no picture is to blame then."""
    try:
        pool.submit(_compute, []).result()
    except BrokenProcessPool:
        raise FeaturesError(
            "the processes that compute features die as soon as they start; what they said is above"
        ) from None


def _stop(pool: ProcessPoolExecutor) -> None:
    """Let go of a pool at once, whatever it is doing."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def _start() -> None:
    """Leave Ctrl-C to the parent and end with it. Nothing here calls BLAS, so each process has one busy thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # glibc's malloc learns from the largest block that is freed what to keep for itself. Without this one it would hand
    # a picture's memory back to the kernel and fetch it again, page by page, which takes a third of the time or more.
    np.empty(16 << 20, np.uint8)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _compute(tasks: Sequence[Task]) -> list[Outcome]:
    return [_describe(task) for task in tasks]


def _describe(task: Task) -> Outcome:
    """Decode a picture once and compute all kinds wanted of it."""
    try:
        grey = catalogue.read(task.path)
    except PictureError as error:
        return error.reason
    return {kind.name: kind.of_grey(grey) for kind in task.kinds}
