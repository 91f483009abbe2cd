"""The stages that ``growth`` measures, each on a real plan over made-up records."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tlbench import protocol, report, studies
from tlbench import results as results_room
from tlbench.datasets import FeaturePack
from tlbench.plan import Plan, make_plan
from tlbench.preparing import Prepared
from tlbench.records import HIDDEN, Records, run_folder
from tlbench.settings import resolve
from tlbench.study import Block, Columns

from .peak_memory import peak_bytes

EXPERIMENT, SHOTS, SOURCES, SPLITS = "caltech-multisource", (1, 2, 3, 10), 3, 10
LEARN_WEIGHTS = ("single-selected", "multi-weighted", "multi-weighted-l1", "multi-taught")
EXAMPLES, BACKGROUND = 100, 300


@dataclass(frozen=True)
class Measure:
    """Seconds of the processor, seconds by the clock, and the most bytes that the process held resident."""

    processor: float
    wall: float
    peak: int

    def __str__(self) -> str:
        return f"{self.processor:.2f} s of the processor, {self.wall:.2f} s, {self.peak / 2**20:.0f} MiB"


class Watch:
    """Times what is done under it."""

    processor = wall = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        processor, wall = time.process_time(), time.perf_counter()
        yield
        self.processor, self.wall = time.process_time() - processor, time.perf_counter() - wall

    @property
    def measure(self) -> Measure:
        return Measure(self.processor, self.wall, peak_bytes())


def pack_of(targets: int) -> FeaturePack:
    """So many categories of made-up pictures and one background; the plan asks who they are, not how they look."""
    count = targets * EXAMPLES + BACKGROUND
    return FeaturePack(
        identities=tuple(f"picture {row:07}" for row in range(count)),
        features={"made-up": np.random.default_rng(0).normal(size=(count, 2))},
        categories={f"category {n:04}": np.arange(EXAMPLES) + n * EXAMPLES for n in range(targets)},
        background=np.arange(count - BACKGROUND, count),
    )


def plan_of(side: int, pack: FeaturePack) -> Plan:
    """The blocks of the experiment on so many targets and batches of splits."""
    declared = protocol.read(EXPERIMENT)
    study = studies.find(declared.study)
    typed = {"seeds": str(SPLITS * side), "shots": ",".join(map(str, SHOTS))}
    return make_plan(declared, study, resolve(declared, study, None, typed), pack, pack.fingerprint)


def prepared(side: int, folder: Path) -> Prepared:
    """The run that is planned on them; its records lie in the folder."""
    pack = pack_of(side)
    plan = plan_of(side, pack)
    data: dict[str, object] = {"name": "made-up", "fingerprint": pack.fingerprint, "licence": "none"}
    place = run_folder(folder, EXPERIMENT, "made-up", plan.settings.profile, plan.settings.changed)
    return Prepared(plan, Records(place), pack, data)


def made_up(block: Block, draw: np.random.Generator, targets: int) -> dict[str, Columns]:
    """Tables of a block's shape: accuracies that rise with shots, weights of a few sources, and their sizes."""
    split, shots = (axis.ravel() for axis in np.meshgrid(block.splits, SHOTS, indexing="ij"))
    count, conditions = len(split), block.conditions
    rise = 60 + 5 * np.log2(np.tile(shots, len(conditions)))
    own = int(block.unit.split()[1])
    sources = [f"category {(own + step) % targets:04}" for step in range(1, SOURCES + 1)]
    learned = [name for name in conditions if name in LEARN_WEIGHTS]
    each = count * SOURCES
    return {
        "measurements": {
            "split": np.tile(split, len(conditions)).tolist(),
            "condition": np.repeat(conditions, count).tolist(),
            "shots": np.tile(shots, len(conditions)).tolist(),
            "value": (rise + draw.normal(size=count * len(conditions))).tolist(),
        },
        "weights": {
            "target": [block.unit] * (each * len(learned)),
            "source": sources * (count * len(learned)),
            "split": np.tile(np.repeat(split, SOURCES), len(learned)).tolist(),
            "shots": np.tile(np.repeat(shots, SOURCES), len(learned)).tolist(),
            "condition": np.repeat(learned, each).tolist(),
            "beta": draw.random(each * len(learned)).tolist(),
        },
        "sizes": {
            "target": [block.unit] * SOURCES,
            "source": sources,
            **dict.fromkeys(("source_positives", "source_negatives"), [80] * SOURCES),
            **dict.fromkeys(("test_positives", "test_negatives"), [50] * SOURCES),
        },
    }


def make_records(side: int, folder: Path) -> Measure:
    """Write every block of the run."""
    run, watch = prepared(side, folder), Watch()
    run.records.prepare()
    draw = np.random.default_rng(0)
    with watch.running():
        for block in run.plan.blocks:
            run.records.save(block, made_up(block, draw, side))
    return watch.measure


def plan(side: int, folder: Path) -> Measure:
    """Settings, blocks and their keys, of data that are open."""
    pack, watch = pack_of(side), Watch()
    _ = pack.fingerprint, folder
    with watch.running():
        _ = plan_of(side, pack).short_hash
    return watch.measure


def scan(side: int, folder: Path, *, cold: bool) -> Measure:
    """Find that nothing is missing. cold: the system has forgotten what the files hold, but not where they lie."""
    run, watch = prepared(side, folder), Watch()
    _ = run.plan.short_hash
    if cold:
        for path in (run.records.folder / HIDDEN / "blocks").rglob("*.json"):
            forget(path)
    with watch.running():
        missing, damaged = run.scan()
    assert (missing, damaged) == ([], 0)
    return watch.measure


def forget(path: Path) -> None:
    """Let the system drop its copy of a file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def publish(side: int, folder: Path) -> Measure:
    """From blocks to tables, manifest and claims."""
    run, watch = prepared(side, folder), Watch()
    _ = run.plan.short_hash
    study = studies.find(run.plan.protocol.study)
    with watch.running():
        results_room.publish(run.plan, run.records, run.data, study.tables)
    return watch.measure


def opened(folder: Path) -> results_room.Results:
    """The run as it lies in the folder."""
    (manifest,) = folder.rglob("manifest.json")
    return results_room.reopen(manifest.parent)


def reopen(side: int, folder: Path) -> Measure:
    """Read the tables again, as ``plot``, ``check`` and ``report`` do first."""
    watch = Watch()
    with watch.running():
        found = opened(folder)
    assert found.missing == 0
    assert found.measured["unit"].nunique() == side
    return watch.measure


def claims(side: int, folder: Path) -> Measure:  # noqa: ARG001
    """Judge every claim."""
    found, watch = opened(folder), Watch()
    with watch.running():
        found.findings()
    return watch.measure


def figures(side: int, folder: Path) -> Measure:  # noqa: ARG001
    """Draw and write every figure."""
    found, watch = opened(folder), Watch()
    with watch.running():
        found.draw()
    return watch.measure


def page(side: int, folder: Path) -> Measure:  # noqa: ARG001
    """The page of the run, figures within."""
    found, watch = opened(folder), Watch()
    with watch.running():
        report.render([report.section(found)])
    return watch.measure


STAGES = {
    "plan": plan,
    "scan, cold": partial(scan, cold=True),
    "scan, warm": partial(scan, cold=False),
    "tables and verdicts": publish,
    "read again": reopen,
    "claims": claims,
    "figures": figures,
    "page": page,
}
