"""What one process does with a task: it prepares what the blocks share, computes them one by one, and keeps each.

A process that sees the run's folder writes what it computes there. One that does not, on another machine of a cluster,
opens the data for itself, and what it computes goes back with the result.
"""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from . import datasets, studies
from .keeping import BlockKeeping, CarriedKeeping
from .methods.conditioning import IllConditionedWarning
from .records import Records, packed_block
from .study import Block

if TYPE_CHECKING:
    from .opening import NamedData

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


class UnfitError(Exception):
    """A process cannot have the data that the run was planned on; the message says why."""


@dataclass(frozen=True)
class Work:
    """What every task is sent with.

    packed: the run's data as one file in its folder. named: the data by name, for a process that may not see that file;
    None where every process does. shared: the folder in which fetched data lie for the process that planned.
    """

    packed: Path
    folder: Path
    device: str
    named: NamedData | None = None
    shared: Path | None = None


@dataclass(frozen=True)
class Result:
    """What became of a block. content, weights: its files, for a run's folder that this process may not see."""

    seconds: float
    traceback: str | None = None
    content: bytes | None = None
    weights: bytes | None = None


def settle_process() -> None:
    """For libraries that are loaded later: one thread, and sums in the same order each time on a device."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"


def sees(work: Work) -> bool:
    """Whether this process reads the run's data beside its results, and may write there."""
    try:
        return work.packed.is_file() and os.access(work.packed.parent / "blocks", os.W_OK)
    except OSError:  # another user's folder
        return False


def compute_task(task: list[Block], work: Work, weights: Mapping[str, bytes]) -> list[Result]:
    """Compute the blocks of one task and keep each where it belongs; failures come back as text.

    weights: files of the weights that the blocks need, by key, for a process that does not see the run's folder.
    Raises UnfitError where this process cannot have the run's data.
    """
    from threadpoolctl import threadpool_limits

    records = Records(work.folder) if work.named is None or sees(work) else None
    if records is None:
        _opened(work, task[0].data)
    with threadpool_limits(1):
        begun = time.perf_counter()
        try:
            study = studies.find(task[0].study)
            data = _opened(work, task[0].data) if records is None else _packed(work.packed, study.shape)
            if data.fingerprint != task[0].data:
                raise datasets.DataError("the data are not those that the run was planned on; run it again")
            with _noting() as common:
                shared = study.prepare(data, task[0])
        except Exception:
            return [Result(0.0, traceback.format_exc())] * len(task)
        preparation = (time.perf_counter() - begun) / len(task)
        results = []
        for block in task:
            begun = time.perf_counter()
            keeping = (
                BlockKeeping(records, block, work.device) if records else CarriedKeeping(block, work.device, weights)
            )
            try:
                with _noting() as own:
                    tables = study.compute(shared, block, keeping)
                content = packed_block(block, tables, work.device if study.part else None, sorted(common | own))
                if records:
                    records.put(block, content)
                kept = keeping.finish()
            except Exception:
                results.append(Result(0.0, traceback.format_exc()))
                continue
            seconds = preparation + time.perf_counter() - begun
            results.append(Result(seconds, content=None if work.named is None else content, weights=kept))
    return results


@contextmanager
def _noting() -> Iterator[set[str]]:
    """The sentences that say how poor numbers are, which are kept with them; other warnings go their way."""
    said: set[str] = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, IllConditionedWarning):
                said.add(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.simplefilter("always", IllConditionedWarning)
        warnings.showwarning = note
        yield said


@lru_cache(maxsize=1)
def _packed(packed: Path, shape: datasets.Shape) -> datasets.Data:
    """The data of a run, read once a process."""
    return datasets.load_data(packed, shape)


@lru_cache(maxsize=1)
def _opened(work: Work, fingerprint: str) -> datasets.Data:
    """The data by name, opened once a process: in the planning process's data folder if it is here, else in ours."""
    assert work.named is not None  # noqa: S101 (else every process sees the run's folder)
    why = ""
    for folder in dict.fromkeys(filter(None, (work.shared, datasets.data_folder(None)))):
        try:
            data = work.named.open(folder, 1)
        except Exception as error:
            why = why or f"{type(error).__name__}: {error}"
            continue
        if data.fingerprint == fingerprint:
            return data
        why = (
            f"{work.named.reference} is {data.fingerprint[:12]} there, and {fingerprint[:12]} where the run was planned"
        )
    raise UnfitError(f"it cannot have the run's data ({why})")
