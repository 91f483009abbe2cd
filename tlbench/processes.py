"""Where tasks are computed: processes of this machine, behind the interface that a cluster's are behind, too."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import ClassVar, Protocol

from .spawning import OwnContext, belong_to_parent
from .study import Block
from .working import Result, Work, compute_task, settle_process

IN_FLIGHT_A_PROCESS = 4


Compute = Callable[[list[Block], Work, Mapping[str, bytes]], list[Result]]


class Processes(Protocol):
    """What a run needs to know of the processes that compute for it."""

    @property
    def lost(self) -> tuple[type[BaseException], ...]:
        """Errors of a future whose pool is gone, with everything that was in flight."""

    @property
    def given_up(self) -> tuple[type[BaseException], ...]:
        """Errors of a future that alone is given up, after its pool has tried more than once."""

    @property
    def compute(self) -> Compute:
        """What is sent to a process, to be called with the arguments of ``working.compute_task``."""

    def open(self, work: Work, most: int) -> Executor:
        """A pool to send tasks to, ``most`` of which there will ever be at once."""

    def in_flight(self) -> int:
        """How many tasks keep the pool busy."""

    def carries(self) -> bool:
        """Whether weights have to be sent with the tasks, because a process of the pool does not see the folder."""

    def mourn(self, error: BaseException) -> None:
        """Be told why a pool was lost; raises where there is no use in opening another."""

    def stop(self, pool: Executor) -> None:
        """Let go of a pool at once, whatever it is doing."""

    def close(self, pool: Executor) -> None:
        """Let go of a pool that has nothing left to do, or is broken."""


@dataclass(frozen=True)
class LocalProcesses:
    """Spawned processes of this machine, one thread each."""

    jobs: int
    lost: ClassVar = (BrokenProcessPool,)
    given_up: ClassVar = ()
    compute = staticmethod(compute_task)

    def open(self, work: Work, most: int) -> Executor:  # noqa: ARG002 (they see all there is to see)
        """A fresh pool."""
        return ProcessPoolExecutor(min(self.jobs, most), OwnContext(), _start)

    def in_flight(self) -> int:
        """Some in the queue, so that no process waits for the next."""
        return IN_FLIGHT_A_PROCESS * self.jobs

    def carries(self) -> bool:
        """They see the run's folder."""
        return False

    def mourn(self, error: BaseException) -> None:
        """A process died, and there is nothing to learn from it."""

    def stop(self, pool: Executor) -> None:
        """What the processes have not written is done again next time."""
        processes = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()
        for process in processes:
            process.join()

    def close(self, pool: Executor) -> None:
        """Its processes are idle or gone."""
        pool.shutdown(wait=True, cancel_futures=True)


def cores() -> int:
    """How many processes can compute at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start() -> None:
    """Leave Ctrl-C to the parent, end with it, and compute with one thread."""
    settle_process()  # ``compute_task`` sees to what is loaded already
    belong_to_parent()
