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
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.popen_spawn_posix import Popen

MAIN = "__main__"
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


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
    """Processes begun within never see Ctrl-C, nor SIGTERM while they start; this one sees both afterwards.

    One that is left half begun, by its parent or by a signal of its own, would say so in a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    _start_tracker()
    noted: list[int] = []
    is_asked = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in INTERRUPTS if is_asked}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        for number in handlers:  # another thread, say of BLAS, may take a signal in this one's place
            signal.signal(number, lambda number, _: noted.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if noted:
            signal.raise_signal(noted[0])


@cache
def _start_tracker() -> None:
    """Python starts it with the first process otherwise, and lets all signals through again when it does."""
    resource_tracker.ensure_running()


def belong_to_parent() -> None:
    """In a process that was begun so: leave Ctrl-C to the parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
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
