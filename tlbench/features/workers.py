"""The processes that decode pictures and compute their vectors.

A decoder fed with damaged bytes may take its whole process down. Its chunk is then done again picture by picture, so
that the one that did it is found; it is given up after the second process that dies with it alone.

Each process has a pipe of its own to the parent. On the one pipe that an executor's processes share, one that is
killed in the middle of an answer would leave the parent waiting for the rest for ever, and answers are large here.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import traceback
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ..spawning import OwnContext, belong_to_parent, deaf_to_interrupts
from . import kinds as catalogue
from .errors import FeaturesError, PictureError

CHUNK = 32  # pictures sent to a process at a time: a fraction of a second's work
DEATHS = 2  # of a process that a picture was alone in, before the picture is given up
FALSE_STARTS = 3  # in a row, before no more processes are started
KILLS = "kills the process that decodes it"


@dataclass(frozen=True)
class Task:
    """A picture, and the kinds wanted of it."""

    identity: str
    path: Path
    kinds: tuple[catalogue.Kind, ...]


Outcome = dict[str, catalogue.Vector] | str  # kind → vector, or why the picture cannot be read
Results = list[tuple[Task, Outcome]]


def compute_all(tasks: Iterable[Task], jobs: int) -> Generator[Results, None, None]:
    """Compute tasks with ``jobs`` processes; yields them in chunks as they are done, in no fixed order.

    Tasks are taken as there is room for them: each process holds one chunk at a time, and as many wait for the first
    that is free, so 2 · ``jobs`` · ``CHUNK`` tasks at most are taken and not yet yielded. The processes end when the
    generator does, however it does. Raises FeaturesError where processes cannot be started, RuntimeError for a mistake
    in a kind, and what taking a task raises.
    """
    coming = iter(tasks)
    if multiprocessing.current_process().daemon:  # a cluster's worker, which may have no children
        while chunk := list(islice(coming, CHUNK)):
            yield [(task, _describe(task)) for task in chunk]
        return
    waiting: deque[list[Task]] = deque()
    deaths: Counter[str] = Counter()
    false_starts = 0
    workers: dict[Connection, _Worker] = {}
    try:
        while _fill(waiting, coming, jobs) or any(worker.chunk for worker in workers.values()):
            while len(workers) < min(max(1, jobs), len(waiting)):
                with deaf_to_interrupts():  # until it is among those that are ended
                    worker = _Worker()
                    workers[worker.connection] = worker
            for worker in workers.values():
                if waiting and worker.is_ready and not worker.chunk:
                    worker.give(waiting.popleft())
            for connection in wait(list(workers)):
                worker = workers[connection]  # type: ignore[index]
                try:
                    answer = worker.connection.recv()
                except (EOFError, OSError):
                    del workers[worker.connection]
                    lost = worker.end()
                    false_starts += not worker.is_ready
                    if false_starts == FALSE_STARTS:
                        raise FeaturesError(
                            "the processes that compute features die as soon as they start; what they said is above"
                        ) from None
                    if len(lost) == 1:
                        deaths[lost[0].identity] += 1
                        if deaths[lost[0].identity] == DEATHS:
                            yield [(lost.pop(), KILLS)]
                    waiting.extendleft([task] for task in reversed(lost))
                    continue
                if isinstance(answer, str):
                    raise RuntimeError(answer)
                done, worker.chunk = worker.chunk, []
                worker.is_ready = True
                false_starts = 0
                if waiting:
                    worker.give(waiting.popleft())  # before the answer is kept, so that it need not wait for that
                if done:
                    yield list(zip(done, answer, strict=True))
    finally:
        for worker in workers.values():
            worker.end()


def _fill(waiting: deque[list[Task]], coming: Iterator[Task], jobs: int) -> bool:
    """Take tasks until a chunk for each process waits or no more come; returns whether any waits."""
    while len(waiting) < max(1, jobs) and (chunk := list(islice(coming, CHUNK))):
        waiting.append(chunk)
    return bool(waiting)


class _Worker:
    """A process, the parent's end of its pipe, and the chunk that it holds. It is ready when it has first answered."""

    def __init__(self) -> None:
        context = OwnContext()
        self.connection, theirs = context.Pipe()
        self.chunk: list[Task] = []
        self.is_ready = False
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends with the process

    def give(self, chunk: list[Task]) -> None:
        self.chunk = chunk
        with contextlib.suppress(OSError):  # it has died, which the pipe will tell
            self.connection.send(chunk)

    def end(self) -> list[Task]:
        """Let go of the process at once, whatever it is doing; returns what it held."""
        self._process.kill()
        self._process.join()
        self.connection.close()
        return self.chunk


def _serve(connection: Connection) -> None:
    """Answer once to say that it is there, then each chunk with its outcomes, or with the traceback of a mistake.

    Leaves Ctrl-C to the parent and ends with it. BLAS gets one thread, so that processes do not fight for cores.
    """
    belong_to_parent()
    threadpool_limits(1)
    # glibc's malloc learns from the largest block that is freed what to keep for itself. Without this one it would hand
    # a picture's memory back to the kernel and fetch it again, page by page, which takes a third of the time or more.
    np.empty(16 << 20, np.uint8)
    answer: list[Outcome] | str = []
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        while True:
            connection.send(answer)
            tasks = connection.recv()
            try:
                answer = [_describe(task) for task in tasks]
            except Exception:
                answer = traceback.format_exc()


def _describe(task: Task) -> Outcome:
    """Decode a picture once and compute all kinds wanted of it."""
    try:
        if any(kind.in_colour for kind in task.kinds):
            grey, colours = catalogue.read_both(task.path)
        else:
            grey = colours = catalogue.read(task.path)
    except PictureError as error:
        return error.reason
    return {kind.name: kind.compute(colours if kind.in_colour else grey) for kind in task.kinds}
