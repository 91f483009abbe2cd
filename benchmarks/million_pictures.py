"""Describing pictures by streaming: as fast, and in the same memory, however many there are.

python -m benchmarks.million_pictures FOLDER --count 30607 1000000 --kind lbp

A million pictures are made of the few thousand of FOLDER (at any depth) by hard links beside it, at most 1,000 in a
folder, which are removed at the end. Each link is given an identity of its own, the hash of its name: identical bytes
have the same identity, and would be computed once. The files stay in the system's memory, so reading from the disk is
not measured; decoding, computing, looking up and keeping are. Each pass is a fresh process that takes the links from a
generator; the second finds everything kept.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tlbench import features

CHILD = "benchmarks.million_pictures"
IN_A_FOLDER = 1000
SHARES = (0.1, 0.5, 1.0)  # of the pictures, after which the resident memory is looked at
SUFFIXES = (".jpg", ".jpeg", ".png")


def link(folder: Path, links: Path, count: int) -> None:
    """Give the pictures of a folder so many names, in folders of ``IN_A_FOLDER`` in folders of as many."""
    originals = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    for number, original in zip(range(count), itertools.cycle(originals), strict=False):
        inner, place = divmod(number, IN_A_FOLDER)
        outer, inner = divmod(inner, IN_A_FOLDER)
        path = links / f"{outer:03}" / f"{inner:03}" / f"{place:03}{original.suffix}"
        if place == 0:
            path.parent.mkdir(parents=True)
        path.hardlink_to(original)


def pictures_in(links: Path) -> Iterator[features.Picture]:
    """Every picture of nested folders, one folder listed at a time."""
    for entry in sorted(os.scandir(links), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_dir():
            yield from pictures_in(path)
        else:
            yield features.Picture(hashlib.sha256(str(path).encode()).hexdigest()[:32], path)


class Resident:
    """The resident memory of this process and of its largest child, in MiB, at each of ``SHARES`` of the pictures."""

    def __init__(self, count: int) -> None:
        self.due = [share * count for share in SHARES]
        self.own: list[float] = []
        self.child: list[float] = []

    def __call__(self, done: int, *_: float) -> None:
        if len(self.own) < len(self.due) and done >= self.due[len(self.own)]:
            self.own.append(_mebibytes("self", "VmRSS"))
            self.child.append(max(_mebibytes(child.pid, "VmRSS") for child in multiprocessing.active_children()))


@dataclass
class Pass:
    """What one pass over the pictures took: seconds, MiB, and bytes on disk afterwards.

    own: of the process that looks up and keeps. child: of those that compute; their memory is that of the largest.
    """

    computed: int
    broken: int
    seconds: float
    own_seconds: float
    child_seconds: float
    own_resident: list[float]
    child_resident: list[float]
    own_peak: float
    child_peak: float
    bytes: int


def one_pass(links: Path, count: int, name: str, jobs: int, cache: Path) -> Pass:
    """Describe every picture that the cache lacks; what it took this process, and the processes that computed."""
    kind, resident = features.find(name), Resident(count)
    own, started = _processor_seconds(resource.RUSAGE_SELF), time.perf_counter()
    filled = features.ensure(pictures_in(links), [kind], cache, jobs, resident)
    return Pass(
        computed=filled.computed,
        broken=len(filled.broken),
        seconds=time.perf_counter() - started,
        own_seconds=_processor_seconds(resource.RUSAGE_SELF) - own,
        child_seconds=_processor_seconds(resource.RUSAGE_CHILDREN),
        own_resident=resident.own,
        child_resident=resident.child,
        own_peak=_mebibytes("self", "VmHWM"),
        child_peak=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        bytes=features.FeatureCache(cache, kind).path.stat().st_size,
    )


def _processor_seconds(whose: int) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def _mebibytes(process: int | str | None, field: str) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def fresh(*arguments: object) -> Pass:
    """``one_pass`` in a process of its own."""
    command = [sys.executable, "-m", CHILD, "--pass", *map(str, arguments)]
    return Pass(**json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))


def measure(folder: Path, count: int, name: str, jobs: int) -> None:
    """Print both passes over so many links."""
    with tempfile.TemporaryDirectory(prefix="links-", dir=folder.resolve().parent) as place:
        links, cache = Path(place) / "pictures", Path(place) / "cache"
        link(folder, links, count)
        first, again = (fresh(links, count, name, jobs, cache) for _ in range(2))
    print(
        f"{name}, {first.computed:,} pictures ({first.broken} cannot be read), {jobs} processes: "
        f"{first.computed / first.seconds:,.0f}/s, {first.computed / (first.own_seconds + first.child_seconds):,.0f} "
        f"a second of processor time; the process that keeps them takes {1e6 * first.own_seconds / count:.0f} µs of "
        f"it a picture, those that compute {1e6 * first.child_seconds / count:.0f}\n"
        f"  MiB resident after {_each(SHARES, '{:.0%}')}: that process {_each(first.own_resident)}, peak "
        f"{first.own_peak:.0f}; the largest that computes {_each(first.child_resident)}, peak {first.child_peak:.0f}\n"
        f"  cache: {first.bytes / 1e6:,.1f} MB, {first.bytes / count:.0f} bytes a picture\n"
        f"  again: {again.computed} computed, {again.seconds:.1f} s, {1e6 * again.own_seconds / count:.0f} µs of "
        f"processor time a picture, peak {again.own_peak:.0f} MiB",
        flush=True,
    )


def _each(values: Iterable[float], how: str = "{:.0f}") -> str:
    return ", ".join(map(how.format, values))


def main() -> None:
    """Print a few lines for each count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, nargs="+", default=[30_607, 1_000_000])
    parser.add_argument("--kind", default="lbp")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    for count in given.count:
        measure(given.folder, count, given.kind, given.jobs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pass"]:
        links, count, name, jobs, cache = sys.argv[2:]
        print(json.dumps(asdict(one_pass(Path(links), int(count), name, int(jobs), Path(cache)))))
    else:
        main()
