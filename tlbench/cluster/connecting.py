"""The near end: a Dask client whose executor takes the place of a pool of processes.

Why the traps of this way are none: no joblib is in between, which would wait for ever for a worker that was killed;
workers are daemons and may have no children, and a block starts none; a worker has one thread, or it is refused, so
that no two blocks share a process's random state; and tasks are small, so that nothing has to be scattered.
"""

from __future__ import annotations

import importlib.metadata
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any

from distributed import Client, KilledWorker

from ..working import Work
from .addressing import BETWEEN, wait_for_scheduler
from .errors import ClusterError, RefusedError, WeightsWantedError
from .worker import About, about, code, compute_there, unfit

FIRST_PATIENCE, PATIENCE = 10.0, 120.0
"""Seconds to wait for a scheduler that was never there, and for one that was."""
IN_FLIGHT = 1000


class Cluster:
    """A cluster as ``processes.Processes``; a context manager."""

    lost: tuple[type[BaseException], ...] = (Exception,)
    given_up: tuple[type[BaseException], ...] = (KilledWorker,)

    def __init__(self, where: str, say: Callable[[str], None], device: str) -> None:
        self._where, self._say, self._device = where, say, device
        self._client: Any = None
        self._quiet = ExitStack()
        self._connected = False
        self._refused: dict[str, str] = {}
        self._carries = False
        self._weights_wanted = False
        self.compute = partial(compute_there, code())

    def __enter__(self) -> Cluster:
        """Connect. Raises ClusterError where no scheduler answers."""
        self._quiet.enter_context(_quiet_dask())
        try:
            self._connect(FIRST_PATIENCE)
        except BaseException:
            self._quiet.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Disconnect; what the workers are at, nobody waits for."""
        self._disconnect()
        self._quiet.close()

    def open(self, work: Work, most: int) -> Executor:  # noqa: ARG002 (the cluster has as many as it has)
        """Dask's own executor on the workers that are fit. Raises ClusterError where none is."""
        fit = None
        while fit is None:
            if not self._connected:
                self._connect(PATIENCE)
            try:
                fit = self._fit(work)
            except OSError as error:  # the scheduler is gone while its workers are asked
                self.mourn(error)
        self._carries = self._weights_wanted or not all(found.sees_folder for found in fit.values())
        asked: dict[str, Any] = {"resources": {"GPU": 1}} if self._device != "cpu" else {}
        if self._refused:
            asked |= {"workers": list(fit), "allow_other_workers": False}
        return self._client.get_executor(pure=False, retries=0, **asked)

    def in_flight(self) -> int:
        """More than there are workers, and few enough for the scheduler's memory."""
        return IN_FLIGHT

    def carries(self) -> bool:
        """Whether a worker does not see the run's folder."""
        return self._carries

    def mourn(self, error: BaseException) -> None:
        """Refuse the worker, wait for the scheduler, or give up with a ClusterError."""
        match error:
            case RefusedError():
                address, why = error.args
                self._refuse(address, why)
            case WeightsWantedError():
                self._weights_wanted = True
            case CancelledError() | OSError():
                self._say("the connection to the scheduler is lost; waiting for it to come back")
                self._connected = False
            case _:
                kind = type(error).__name__
                raise ClusterError(f"a worker of the cluster cannot compute ({kind}: {error}); its own log says more")

    def stop(self, pool: Executor) -> None:
        """Cancel what waits; what runs, runs on to its end there."""
        self.close(pool)

    def close(self, pool: Executor) -> None:
        """Forget what may be left of it."""
        with suppress(Exception):
            pool.shutdown(wait=False)

    def _connect(self, patience: float) -> None:
        """A new client, as soon as the scheduler answers."""
        self._disconnect()
        address = wait_for_scheduler(self._where, patience)
        try:
            self._client = Client(address, set_as_default=False, timeout=max(1.0, patience))
        except (OSError, ValueError) as error:
            raise ClusterError(f"the scheduler at {address} takes no client ({error})") from None
        self._connected = True

    def _disconnect(self) -> None:
        with suppress(Exception):
            if self._client is not None:
                self._client.close(timeout=1)
        self._client, self._connected = None, False

    def _fit(self, work: Work) -> dict[str, About]:
        """The workers that may compute, once there is one; says who is refused. Raises ClusterError if all are."""
        told = ""
        while True:
            fit, there = {}, self._client.nthreads()
            for address, found in self._ask(work).items():
                if (why := found if isinstance(found, str) else unfit(found, code())) is not None:
                    self._refuse(address, why)
                elif address not in self._refused:
                    fit[address] = found
            able = {address: found for address, found in fit.items() if found.gpus or self._device == "cpu"}
            if able:
                return able
            if there and not fit:
                reasons = "; ".join(
                    f"{address}: {self._refused[address]}" for address in there if address in self._refused
                )
                raise ClusterError(f"no worker of {self._where} can be used: {reasons}")
            waits = "no worker that offers a GPU (--resources GPU=1)" if fit else "no worker"
            if told != waits:
                self._say(f"{self._where} has {waits} yet; waiting for one")
                told = waits
            time.sleep(BETWEEN)

    def _ask(self, work: Work) -> dict[str, Any]:
        """What each worker says of itself, or why it cannot.

        Its version first, by a function that every Python has: one without tlbench, or with another, knows no other.
        """
        found: dict[str, Any] = {}
        here = importlib.metadata.version("tlbench")
        for address, version in self._client.run(importlib.metadata.version, "tlbench", on_error="return").items():
            if isinstance(version, Exception):
                found[address] = "it has no tlbench: install it there, in the same version"
            elif version != here:
                found[address] = f"it has tlbench {version}, not {here}: install the same version there"
        right = [address for address in self._client.nthreads() if address not in found]
        asked = self._client.run(about, work, workers=right, on_error="return") if right else {}
        for address, answer in asked.items():
            found[address] = f"it does not answer ({answer})" if isinstance(answer, Exception) else answer
        return found

    def _refuse(self, address: str, why: str) -> None:
        if address not in self._refused:
            self._refused[address] = why
            self._say(f"worker {address} is refused: {why}")


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep Dask's own log, which tells of every lost connection, away from the user's terminal."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
