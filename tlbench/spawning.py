"""Processes that begin empty, leave Ctrl-C to their parent, and never run the user's own script again.

Python's *spawn* runs the script that a process was started from in every process that it starts, so a script that calls
``tlbench.run`` without ``if __name__ == "__main__"`` would call it again in each, without end. Nothing that is sent to
these processes lives in the script, so they are started as if there were none.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.popen_spawn_posix import Popen

MAIN = "__main__"


class ProcessOfItsOwn(SpawnProcess):
    """A spawned process that knows nothing of the script."""

    @staticmethod
    def _Popen(process: BaseProcess) -> Popen:  # noqa: N802
        with _no_script():
            return SpawnProcess._Popen(process)


class OwnContext(SpawnContext):
    """The context that makes them."""

    Process = ProcessOfItsOwn


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes begun within never see Ctrl-C, not even while they start; this one sees it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def belong_to_parent() -> None:
    """In a process that was begun so: leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _no_script() -> Iterator[None]:
    script = sys.modules[MAIN]
    sys.modules[MAIN] = types.ModuleType(MAIN)
    try:
        yield
    finally:
        sys.modules[MAIN] = script
