"""Many pictures to vectors, on several processes, each picture once for ever.

Pictures are looked up in the cache a batch at a time. What it lacks is computed in chunks, a bounded number of them
under way at a time, and kept as each arrives: an interruption costs what was under way. ``ensure`` holds no list of
pictures, so its memory does not grow with their number; ``describe`` returns all vectors, so its memory does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from . import kinds as catalogue
from .cache import FeatureCache
from .errors import FeaturesError, several
from .kinds import Kind, Vector
from .workers import Results, Task, compute_all

Item = TypeVar("Item")
Progress = Callable[[int, int, float], None]

AT_ONCE = 256  # pictures that are looked up in the cache together
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

    def taken(self) -> dict[str, NDArray[np.float64]]:
        """The features in double precision, for good: each kind's own go as soon as they are converted."""
        return {kind: self.features.pop(kind).astype(np.float64) for kind in list(self.features)}


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

    kinds: by name, or as they are, such as one that counts learned words. progress: as of ``ensure``. What is returned
    takes n · d numbers for each kind; where the vectors are only to be kept, ``ensure`` alone does it without.
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
    pictures: Iterable[Picture], kinds: Sequence[str | Kind], cache: Path, jobs: int, progress: Progress = silent
) -> Filled:
    """Compute and keep what the cache lacks, without returning any vector; pictures that cannot be read are reported.

    pictures: taken one after the other as processes come free, at most ``AT_ONCE + 2 * jobs * workers.CHUNK`` of them
    ahead of what is kept, so that a generator of any length will do. A picture that comes again is not computed again.
    Memory grows with the pictures that cannot be read, and with nothing else.
    progress: is told (pictures done, pictures to compute, seconds since the start) at the start and as they arrive. How
    many are to be computed is counted before the start where ``pictures`` is a sequence; otherwise it is how many were
    found so far. It is mended at the end where pictures came again or another process computed them meanwhile.
    Raises FeaturesError, like ``describe``, and what taking a picture raises, with what was done by then kept.
    """
    settled = _settled(kinds)
    stores = {kind.name: FeatureCache(cache, kind) for kind in settled}
    counted = sum(1 for _ in _lacking(pictures, settled, stores)) if isinstance(pictures, Sequence) else None
    started = time.monotonic()
    progress(0, counted or 0, 0.0)
    filled = Filled()
    if counted == 0:
        return filled
    done, under_way = 0, set[str]()
    lacking = _lacking(pictures, settled, stores, under_way, filled.broken)
    with contextlib.closing(compute_all(_noted(lacking, under_way), jobs)) as arriving:  # its processes end with it
        for results in arriving:
            _keep(results, stores, filled)
            under_way.difference_update(task.identity for task, _ in results)
            done += len(results)
            progress(done, max(counted or 0, done + len(under_way)), time.monotonic() - started)
    if done < (counted or 0):
        progress(done, done, time.monotonic() - started)
    return filled


def _keep(results: Results, stores: dict[str, FeatureCache], filled: Filled) -> None:
    described = {task.identity: result for task, result in results if not isinstance(result, str)}
    for name, store in stores.items():
        store.put({identity: vectors[name] for identity, vectors in described.items() if name in vectors})
    filled.computed += len(described)
    filled.broken |= {task.identity: result for task, result in results if isinstance(result, str)}


def _lacking(
    pictures: Iterable[Picture],
    kinds: Sequence[Kind],
    stores: dict[str, FeatureCache],
    under_way: Collection[str] = (),
    broken: Collection[str] = (),
) -> Iterator[Task]:
    """Tasks, in order, for what is neither in the cache, under way nor broken when its batch is looked up."""
    for some in _batches(pictures):
        new: dict[str, Path] = {}
        for picture in some:
            if picture.identity not in under_way and picture.identity not in broken:
                new.setdefault(picture.identity, picture.path)
        here = {name: set(store.get(list(new))) for name, store in stores.items()}
        for identity, path in new.items():
            lacking = tuple(kind for kind in kinds if identity not in here[kind.name])
            if lacking:
                yield Task(identity, path, lacking)


def _noted(tasks: Iterable[Task], under_way: set[str]) -> Iterator[Task]:
    """The same tasks, each noted as under way before it leaves."""
    for task in tasks:
        under_way.add(task.identity)
        yield task


def _settled(kinds: Sequence[str | Kind]) -> list[Kind]:
    """The kinds themselves, each once."""
    every = [catalogue.find(kind) if isinstance(kind, str) else kind for kind in kinds]
    by_name = {kind.name: kind for kind in every}
    if len({kind.key for kind in every}) > len(by_name):
        raise ValueError("two different kinds of one name")
    return list(by_name.values())


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


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    coming = iter(items)
    while some := list(islice(coming, AT_ONCE)):
        yield some
