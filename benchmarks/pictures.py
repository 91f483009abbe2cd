"""Describing pictures: how fast each kind is, two processes against one, and memory against the number of pictures.

python -m benchmarks.pictures FOLDER     a folder of folders of pictures, such as 101_ObjectCategories
python -m benchmarks.pictures FOLDER N   the same with at most N pictures

Of the pictures every fifth is there to learn words from, the others are described.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHILD = "benchmarks.pictures"
PICTURES_FOR_TIME = 3000
MOST_PICTURES = 9144
REPEATS = 3
CALTECH_256 = 30_607  # pictures
EVERY = 5


def describe_some(folder: str, count: int, jobs: int, names: str, cache: str) -> dict[str, float]:
    """Describe some pictures of a folder and say what it took, this process and its children.

    Time is that of describing; words are learned before, which ``learning`` is the time of.
    """
    import resource

    from tlbench import features

    every = [features.Picture(str(path), path) for path in sorted(Path(folder).glob("*/*.jpg"))]
    learn_from = every[::EVERY]
    pictures = [picture for place, picture in enumerate(every) if place % EVERY][:count]
    started = time.perf_counter()
    kinds = features.settle(names.split(","), learn_from, (), Path(cache), jobs)
    learnt = time.perf_counter()
    before = _processor_seconds(resource.getrusage(resource.RUSAGE_CHILDREN))
    filled = features.ensure(pictures, kinds, Path(cache), jobs)
    seconds = time.perf_counter() - learnt
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = int(status.partition("VmHWM:")[2].split()[0])
    return {
        "pictures": filled.computed,
        "seconds": seconds,
        "processor_seconds": _processor_seconds(children) - before,
        "learning": learnt - started,
        "bytes": sum(features.FeatureCache(Path(cache), kind).path.stat().st_size for kind in kinds),
        "own_mib": own / 1024,
        "child_mib": children.ru_maxrss / 1024,
    }


def _processor_seconds(usage: object) -> float:
    return usage.ru_utime + usage.ru_stime  # type: ignore[attr-defined]


def fresh(folder: str, count: int, jobs: int, names: str = "phog", cache: str | None = None) -> dict[str, float]:
    """The same in a process of its own, with an empty cache unless one is given."""
    with tempfile.TemporaryDirectory() as empty:
        arguments = [folder, str(count), str(jobs), names, cache or empty]
        done = subprocess.run([sys.executable, "-m", CHILD, *arguments], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def each_kind(folder: str, count: int) -> None:
    """Print what each kind and all of them together cost."""
    from tlbench import features

    for names in (*features.names(), ",".join(features.names())):
        run = fresh(folder, count, 1, names)
        rate = run["pictures"] / run["processor_seconds"]
        learning = f", words learned in {run['learning']:.0f} s" if run["learning"] > 1 else ""
        print(
            f"{names}: {run['pictures'] / run['seconds']:.0f}/s with one process, {rate:.0f} a second of processor "
            f"time; {run['bytes'] / run['pictures']:,.0f} bytes a picture on disk; largest process "
            f"{run['child_mib']:.0f} MiB{learning}; Caltech-256: {CALTECH_256 / rate / 60:.1f} min of processor time, "
            f"{CALTECH_256 * run['bytes'] / run['pictures'] / 1e6:.0f} MB"
        )


def main(folder: str, most: int = MOST_PICTURES) -> None:
    """Print the answers."""
    some = min(PICTURES_FOR_TIME, most)
    each_kind(folder, some)
    ratios = []
    for _ in range(REPEATS):
        one, two = (fresh(folder, some, jobs) for jobs in (1, 2))
        ratios.append(one["seconds"] / two["seconds"])
        rate = [run["pictures"] / run["seconds"] for run in (one, two)]
        print(f"phog, {one['pictures']:.0f} pictures: {rate[0]:.0f}/s with one process, {rate[1]:.0f}/s with two")
    median = sorted(ratios)[REPEATS // 2]
    print(f"two processes against one: {median:.2f} times as fast ({min(ratios):.2f}–{max(ratios):.2f})")
    for names in ("phog", "sift,regcov"):
        for count in (some // 3, most):
            run = fresh(folder, count, 2, names)
            print(
                f"{names}, {run['pictures']:.0f} pictures: {run['own_mib']:.0f} MiB, "
                f"largest child {run['child_mib']:.0f} MiB"
            )
    with tempfile.TemporaryDirectory() as cache:
        first, again = (fresh(folder, some, 2, cache=cache) for _ in range(2))
        print(f"again: {again['pictures']:.0f} computed, {again['seconds']:.2f} s against {first['seconds']:.2f} s")


if __name__ == "__main__":
    if len(sys.argv) == 6:
        print(json.dumps(describe_some(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5])))
    else:
        main(sys.argv[1], *map(int, sys.argv[2:]))
