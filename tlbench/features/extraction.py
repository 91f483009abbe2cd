"""Many pictures to vectors, on several processes, each picture once for ever.

What the cache lacks is computed in chunks, a bounded number of them under way at a time, and kept as each arrives: an
interruption costs what was under way, and memory does not grow with the number of pictures.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from . import kinds as catalogue
from .cache import FeatureCache
from .errors import FeaturesError, several
from .kinds import Kind, Vector
from .workers import Task, compute_all

Item = TypeVar("Item")
Progress = Callable[[int, int, float], None]

AT_ONCE = 256  # pictures whose kept vectors are read together
ATTEMPTS = 3


@dataclass(frozen=True)
class Picture:
    """A picture file. identity: of its bytes' sha256, in hex; two files with the same one are the same picture."""

    identity: str
    path: Path


@dataclass(frozen=True)
class Described:
    """Pictures as vectors.

    features: kind → (n, d), one row for each of ``kept``, the places of the pictures that could be read. broken: path
    of each of the others, and a reason that continues it to a sentence. computed: pictures that were not kept before.
    """

    features: dict[str, Vector]
    kept: list[int]
    broken: list[tuple[Path, str]]
    computed: int


@dataclass
class Filled:
    """What ``ensure`` did. computed: how many pictures; broken: identity → why it could not be."""

    computed: int = 0
    broken: dict[str, str] = field(default_factory=dict)


def silent(done: int, total: int, seconds: float) -> None:
    """Report nothing."""


def describe(
    pictures: Sequence[Picture],
    kinds: Sequence[str | Kind],
    cache: Path,
    jobs: int,
    skip_broken: bool = False,
    progress: Progress = silent,
) -> Described:
    """The vectors of pictures in their order, computed with ``jobs`` processes where the cache does not have them.

    kinds: by name, or as they are, such as one that counts learned words.
    ``progress`` is told (pictures done, pictures to compute, seconds since the start) at the start and as they arrive.
    Raises PictureError for pictures that cannot be read, once all others are computed and kept, unless
    ``skip_broken``; FeaturesError for an unknown kind, a cache that cannot be used or processes that cannot start.
    """
    settled = _settled(kinds)
    computed = 0
    for _ in range(ATTEMPTS):
        filled = ensure(pictures, settled, cache, jobs, progress)
        computed += filled.computed
        kept = [place for place, picture in enumerate(pictures) if picture.identity not in filled.broken]
        broken = [(p.path, filled.broken[p.identity]) for p in pictures if p.identity in filled.broken]
        if broken and not skip_broken:
            raise several(broken)
        features = _read([pictures[place].identity for place in kept], settled, cache)
        if features is not None:
            return Described(features, kept, broken, computed)
    raise FeaturesError(f"features kept in {cache} are gone or damaged by the time they are read; check the disk")


def ensure(
    pictures: Sequence[Picture], kinds: Sequence[str | Kind], cache: Path, jobs: int, progress: Progress = silent
) -> Filled:
    """Compute and keep what the cache lacks, without returning any vector; pictures that cannot be read are reported.

    Raises FeaturesError, like ``describe``.
    """
    settled = _settled(kinds)
    stores = {kind.name: FeatureCache(cache, kind) for kind in settled}
    missing = _missing(pictures, settled, stores)
    filled = Filled()
    started = time.monotonic()
    progress(0, len(missing), 0.0)
    done = 0
    with contextlib.closing(compute_all(missing, jobs)) as arriving:  # its processes end with the block
        for results in arriving:
            described = {task.identity: result for task, result in results if not isinstance(result, str)}
            for name, store in stores.items():
                store.put({identity: vectors[name] for identity, vectors in described.items() if name in vectors})
            filled.broken |= {task.identity: result for task, result in results if isinstance(result, str)}
            done += len(results)
            progress(done, len(missing), time.monotonic() - started)
    filled.computed = done - len(filled.broken)
    return filled


def _settled(kinds: Sequence[str | Kind]) -> list[Kind]:
    """The kinds themselves, each once."""
    every = [catalogue.find(kind) if isinstance(kind, str) else kind for kind in kinds]
    by_name = {kind.name: kind for kind in every}
    if len({kind.key for kind in every}) > len(by_name):
        raise ValueError("two different kinds of one name")
    return list(by_name.values())


def _missing(pictures: Sequence[Picture], kinds: Sequence[Kind], stores: dict[str, FeatureCache]) -> list[Task]:
    """What is to be computed, each picture once and in order."""
    missing: list[Task] = []
    seen: set[str] = set()
    for some in _batches(pictures):
        new = {picture.identity: picture.path for picture in reversed(some) if picture.identity not in seen}
        seen.update(new)
        here = {name: store.get(list(new)).keys() for name, store in stores.items()}
        for identity, path in reversed(new.items()):
            lacking = tuple(kind for kind in kinds if identity not in here[kind.name])
            if lacking:
                missing.append(Task(identity, path, lacking))
    return missing


def _read(identities: Sequence[str], kinds: Sequence[Kind], cache: Path) -> dict[str, Vector] | None:
    """The kinds' (n, d) from the cache alone; None where a vector is not there."""
    features: dict[str, Vector] = {}
    for kind in kinds:
        store = FeatureCache(cache, kind)
        rows = features[kind.name] = np.empty((len(identities), kind.dimension), np.dtype(kind.dtype).newbyteorder("="))
        row = 0
        for some in _batches(identities):
            vectors = store.get(some)
            for identity in some:
                if identity not in vectors:
                    return None
                rows[row] = vectors[identity]
                row += 1
    return features


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))
