"""Rehearsal: each source plays the target with the others as its own, and is tested on pictures held apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ..datasets import generator
from ..spawning import OwnContext, belong_to_parent, deaf_to_interrupts
from .machines import OPTIONS, cast, likeness, train_options
from .material import Material
from .roles import FEWEST_TEST_EXAMPLES, rehearsal_rows

FEWEST_PLAYERS = 3
"""Sources that can play the target, below which nothing is said of what to expect."""
MOST_PLAYERS = 16
"""More sources than that are drawn from."""
DRAWS = 5
SHOTS = (1, 2, 3, 5, 10, 20, 30, 50)
"""Where the curves are rehearsed, besides at the user's own number."""
SHARE_THAT_REACHES = 0.75
"""The curves go as far as that share of the players has pictures for."""

Progress = Callable[[int, int], None]
COLUMNS = ("source", "draw", "shots", *OPTIONS, "likeness")


def players(material: Material, shots: int, seed: int) -> tuple[list[str], list[int]]:
    """Who can play a target with so many labelled pictures, and the shot counts to rehearse, which all of them have.

    Both are empty where fewer than ``FEWEST_PLAYERS`` sources have enough pictures.
    """
    spare = {name: len(rows) - FEWEST_TEST_EXAMPLES for name, rows in material.sources.items()}
    able = [name for name, most in spare.items() if most >= shots]
    if len(able) < FEWEST_PLAYERS:
        return [], []
    wanted = max(FEWEST_PLAYERS, SHARE_THAT_REACHES * len(able))
    most = max(n for n in {shots, *(s for s in SHOTS if s > shots)} if sum(spare[name] >= n for name in able) >= wanted)
    able = [name for name in able if spare[name] >= most]
    if len(able) > MOST_PLAYERS:
        able = sorted(generator(seed, "players").permutation(able)[:MOST_PLAYERS].tolist())
    return able, sorted({shots, *(s for s in SHOTS if s <= most)})


def rehearse(
    material: Material, names: Sequence[str], shots: Sequence[int], seed: int, jobs: int, progress: Progress
) -> pd.DataFrame:
    """Balanced accuracies in percent of all options, one row a (source, draw, shot count); see ``COLUMNS``.

    ``progress`` is told the players done and in all. The same numbers whatever ``jobs`` is.
    """
    tables: dict[str, pd.DataFrame] = {}
    progress(0, len(names))
    for several in _played(material, names, list(shots), seed, jobs):
        tables |= several
        progress(len(tables), len(names))
    if not tables:
        return pd.DataFrame({column: [] for column in COLUMNS})
    return pd.concat([tables[name] for name in names], ignore_index=True)


def rehearse_source(material: Material, player: str, shots: list[int], seed: int) -> pd.DataFrame:
    """The rehearsal with one source as target; one thread, so that no machine computes other bytes."""
    with threadpool_limits(1):
        rows = rehearsal_rows(material, player, max(shots), range(DRAWS), seed)
        task = cast(material.pack, rows, shots)
        machines = train_options(task, seed)
        accuracies = {
            option: task.score(machine.decisions(task.test_kernel, task.test_scores))
            for option, machine in machines.items()
        }
        draw, count = np.meshgrid(range(DRAWS), shots, indexing="ij")
        columns = {"source": player, "draw": draw.ravel(), "shots": count.ravel()}
        return pd.DataFrame(
            {**columns, **{name: values.ravel() for name, values in {**accuracies, "likeness": likeness(task)}.items()}}
        )


def _played(
    material: Material, names: Sequence[str], shots: list[int], seed: int, jobs: int
) -> Iterator[dict[str, pd.DataFrame]]:
    """Tables by player, some at a time: a process is handed the material with a few players, not with each."""
    if min(jobs, len(names)) <= 1:
        yield from (_play(material, [name], shots, seed) for name in names)
        return
    size = max(1, len(names) // (2 * jobs))
    executor = ProcessPoolExecutor(min(jobs, len(names)), OwnContext(), belong_to_parent)
    try:
        handed = [names[start : start + size] for start in range(0, len(names), size)]
        with deaf_to_interrupts():
            waiting = [executor.submit(_play, material, some, shots, seed) for some in handed]
        yield from (done.result() for done in as_completed(waiting))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _play(material: Material, names: Sequence[str], shots: list[int], seed: int) -> dict[str, pd.DataFrame]:
    return {name: rehearse_source(material, name, shots, seed) for name in names}
