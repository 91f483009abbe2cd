"""The far end: what a worker of the cluster says of itself, and what it does with a task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from distributed import Worker, get_worker

from .. import studies
from ..preparing import needs_of
from ..study import Block
from ..working import Result, UnfitError, Work, compute_task, sees, settle_process
from .errors import RefusedError, WeightsWantedError


@dataclass(frozen=True)
class About:
    """A worker. threads: how many tasks it computes at once in one process. code: digest of its program's text.

    gpus: how many graphics processors it offers.
    """

    code: str
    threads: int
    gpus: float
    sees_folder: bool


@cache
def code() -> str:
    """A sha256 of the program's text, for a version's number does not tell two checkouts apart."""
    package = Path(__file__).parents[1]
    text = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        text.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return text.hexdigest()


def about(work: Work, dask_worker: Worker) -> About:
    """What the worker that runs this is like; Dask itself hands over the one of that name."""
    state = dask_worker.state
    return About(code(), state.nthreads, state.total_resources.get("GPU", 0.0), sees(work))


def unfit(found: About, expected: str) -> str | None:
    """Why a worker must not compute, whatever the task, or None."""
    if found.code != expected:
        return (
            f"its tlbench is another ({found.code[:7]}, not {expected[:7]}): install the same there and start it again"
        )
    if found.threads != 1:
        return f"it has {found.threads} threads, which would share one process: start it with --nthreads 1"
    return None


def compute_there(expected: str, task: list[Block], work: Work, weights: Mapping[str, bytes]) -> list[Result]:
    """``working.compute_task`` on a worker. Raises RefusedError where that one must not, WeightsWantedError."""
    worker = get_worker()
    found = about(work, worker)
    if why := unfit(found, expected):
        raise RefusedError(worker.address, why)
    if needs_of(task) and not weights and not found.sees_folder:
        raise WeightsWantedError
    settle_process()
    try:
        studies.require_part(studies.find(task[0].study))
        _require_device(work.device)
        return compute_task(task, work, weights)
    except (UnfitError, studies.MissingPartError) as error:
        raise RefusedError(worker.address, str(error)) from None


def _require_device(device: str) -> None:
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise UnfitError(f"torch sees no device {device} there, though the worker offers a GPU")
