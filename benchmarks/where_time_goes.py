"""Where the time of each experiment goes, as a Markdown table: ``python -m benchmarks.where_time_goes [EXPERIMENT …]``.

Each is run on its embedded data with its usual profile by two processes, phase by phase; then a task of the group of
conditions that takes longest is computed again under a profiler: which function spends the most time in itself?
"""

from __future__ import annotations

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tlbench.preparing import Prepared

JOBS = 2
PHASES = ("imports", "data", "blocks", "waiting", "tables", "figures")


def table(names: list[str]) -> Iterator[str]:
    """The lines, each as soon as it is measured."""
    yield f"| experiment | whole, s | {' | '.join(PHASES)} | most of a block's time |"
    yield f"|{' --- |' * (len(PHASES) + 3)}"
    for name in names:
        command = [sys.executable, "-m", "benchmarks.where_time_goes", "--one", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        shares = " | ".join(f"{100 * found[phase] / found['whole']:.0f} %" for phase in PHASES)
        yield f"| {name} | {found['whole']:.1f} | {shares} | {found['function']} |"


def one(name: str) -> dict[str, float | str]:
    """Seconds of the phases of one experiment.

    blocks: what the processes computed, over their number. waiting: the rest of their time, in which they start, read
    the data, and have nothing to do at the end.
    """
    taken: dict[str, float] = {}

    @contextmanager
    def phase(of: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        taken[of] = time.perf_counter() - begun

    with phase("imports"):
        from tlbench import computing, datasets, opening, preparing, protocol, results, studies

        declared = protocol.read(name)
        study = studies.find(declared.study)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with phase("data"):
            reference = datasets.embedded_for(declared.data.default)
            settings = preparing.settle(declared, None, {}, reference)
            named = opening.NamedData(study.shape, reference, preparing.data_options(study, settings, reference))
            data = named.open(folder / "data", JOBS)
            prepared = preparing.prepare(declared, settings, reference, data, folder)
            prepared.records.prepare()
        with phase("computing"), computing.processes_for(None, JOBS, "cpu", print) as processes:
            outcome = computing.compute_missing(prepared, prepared.plan.blocks, processes, lambda *_: None)
            assert not outcome.failed
        with phase("tables"):
            published = results.publish(prepared.plan, prepared.records, prepared.data, study.tables)
            published.findings()
        with phase("figures"):
            published.draw()
        whole = sum(taken.values())
        spent = seconds_by_group(prepared.records.folder)
        function = heaviest_function(prepared, max(spent, key=spent.__getitem__), folder / "packed")
    blocks = sum(spent.values()) / JOBS
    return {**taken, "whole": whole, "blocks": blocks, "waiting": taken["computing"] - blocks, "function": function}


def seconds_by_group(run: Path) -> dict[str, float]:
    """Seconds of the blocks of each group, from what the run noted."""
    spent: dict[str, float] = {}
    for line in (run / ".tlbench" / "timings.tsv").read_text(encoding="utf-8").splitlines():
        group, _, seconds = line.split("\t")
        spent[group] = spent.get(group, 0.0) + float(seconds)
    return spent


def heaviest_function(prepared: Prepared, group: str, packed: Path) -> str:
    """What the last task with a block of that group spends most time in itself, and the share of its time."""
    from tlbench import datasets, working

    datasets.save_data(prepared.pack, packed)
    (*_, task) = (task for task in prepared.plan.tasks(prepared.plan.blocks) if any(b.group == group for b in task))
    profiler = cProfile.Profile()
    work = working.Work(packed, prepared.records.folder, "cpu")
    working.compute_task(task, work, {})  # what is read and imported once
    profiler.runcall(working.compute_task, task, work, {})
    stats = pstats.Stats(profiler)
    (file, _, function), (_, _, own, _, _) = max(stats.stats.items(), key=lambda item: item[1][2])
    where = Path(file).stem if file != "~" else ""
    name = function.strip("<>").removeprefix("built-in method ") if not where else f"{where}.{function}"
    return f"`{name}`, {100 * own / stats.total_tt:.0f} %"


def main() -> None:
    if "--one" in sys.argv:
        print(json.dumps(one(sys.argv[-1])))
        return
    from tlbench import protocol

    for line in table(sys.argv[1:] or protocol.shipped()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
