"""Describing pictures: two processes against one, and memory against the number of pictures.

python -m benchmarks.pictures FOLDER     a folder of folders of pictures, such as 101_ObjectCategories
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
REPEATS = 3


def describe_some(folder: str, count: int, jobs: int, cache: str) -> dict[str, float]:
    """Describe the first ``count`` pictures of a folder and say what it took, this process and the largest child."""
    import resource

    from tlbench import features

    paths = sorted(Path(folder).glob("*/*.jpg"))[:count]
    pictures = [features.Picture(str(path), path) for path in paths]
    started = time.perf_counter()
    filled = features.ensure(pictures, ["phog"], Path(cache), jobs)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = int(status.partition("VmHWM:")[2].split()[0])
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"pictures": filled.computed, "seconds": seconds, "own_mib": own / 1024, "child_mib": child / 1024}


def fresh(folder: str, count: int, jobs: int, cache: str | None = None) -> dict[str, float]:
    """The same in a process of its own, with an empty cache unless one is given."""
    with tempfile.TemporaryDirectory() as empty:
        arguments = [folder, str(count), str(jobs), cache or empty]
        done = subprocess.run([sys.executable, "-m", CHILD, *arguments], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def main(folder: str) -> None:
    """Print the three answers."""
    ratios = []
    for _ in range(REPEATS):
        one, two = (fresh(folder, PICTURES_FOR_TIME, jobs) for jobs in (1, 2))
        ratios.append(one["seconds"] / two["seconds"])
        rate = [run["pictures"] / run["seconds"] for run in (one, two)]
        print(f"{one['pictures']:.0f} pictures: {rate[0]:.0f}/s with one process, {rate[1]:.0f}/s with two")
    median = sorted(ratios)[REPEATS // 2]
    print(f"two processes against one: {median:.2f} times as fast ({min(ratios):.2f}–{max(ratios):.2f})")
    for count in (1000, 9144):
        run = fresh(folder, count, 2)
        print(f"{run['pictures']:.0f} pictures: {run['own_mib']:.0f} MiB, largest child {run['child_mib']:.0f} MiB")
    with tempfile.TemporaryDirectory() as cache:
        first, again = (fresh(folder, PICTURES_FOR_TIME, 2, cache) for _ in range(2))
        print(f"again: {again['pictures']:.0f} computed, {again['seconds']:.2f} s against {first['seconds']:.2f} s")


if __name__ == "__main__":
    if len(sys.argv) == 5:
        print(json.dumps(describe_some(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])))
    else:
        main(sys.argv[1])
