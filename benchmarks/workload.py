"""The main job as a benchmark sees it: the data, the blocks, and a whole run of them in this process.

The conditions are those of the papers: the loop and the limit that they are measured against know no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlbench import datasets, protocol, studies
from tlbench.datasets import FeaturePack, Options
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.sources.source_conditions import OF_THE_PAPER
from tlbench.study import Block, Columns, Study

EXPERIMENT, DATASET, SETTING = "caltech-multisource", "caltech256-features", "mixed"
CONDITIONS = [condition for group in OF_THE_PAPER.values() for condition in group.says]


@dataclass(frozen=True)
class WholeRun:
    """Every block of the experiment, those that share a task together; ``folder`` None means synthetic data."""

    folder: Path | None
    pack: FeaturePack
    study: Study
    tasks: list[list[Block]]

    @property
    def data_name(self) -> str:
        return "released Caltech-256 features" if self.folder else "synthetic features of the released shape"

    def compute(self) -> list[dict[str, Columns]]:
        """Draws, kernels, sources, targets and tables of all blocks, one after the other."""
        tables = []
        for blocks in self.tasks:
            task = self.study.prepare(self.pack, blocks[0])
            tables += [self.study.compute(task, block, None) for block in blocks]
        return tables


def whole_run(data_dir: Path | None, overrides: Mapping[str, str] | None = None) -> WholeRun:
    """The papers' conditions, with ``overrides`` as typed after --set, on the released data where they are."""
    folder = data_dir if data_dir is not None and _is_there(data_dir) else None
    pack = datasets.open_data(DATASET, Options(SETTING), folder) if folder else synthetic_pack()
    declared = protocol.read(EXPERIMENT)
    study = studies.find(declared.study)
    settings = resolve(declared, study, None, {"conditions": ",".join(CONDITIONS), **(overrides or {})})
    plan = make_plan(declared, study, settings, pack, pack.fingerprint)
    return WholeRun(folder, pack, study, list(plan.tasks(plan.blocks)))


def _is_there(data_dir: Path) -> bool:
    files = datasets.needed_files(DATASET, Options(SETTING))
    return all(datasets.state(file, data_dir) == "present" for file in files)


CATEGORIES, EXAMPLES, BACKGROUND_PICTURES = 10, 80, 228
DIMENSIONS: Mapping[str, int] = {"sift": 300, "phog": 40, "lbp": 37, "regcov": 28}


def synthetic_pack(categories: int = CATEGORIES, dimensions: Mapping[str, int] = DIMENSIONS) -> FeaturePack:
    """Categories of 80 examples with 80 of one background of 228 pictures each, so that backgrounds overlap.

    Categories that stand next to each other share part of their centre: some sources help a target, others do not.
    """
    draw = np.random.default_rng(0)
    names = [f"category {number}" for number in range(categories)]
    rows = {name: np.arange(EXAMPLES) + EXAMPLES * number for number, name in enumerate(names)}
    pictures = EXAMPLES * categories + np.arange(BACKGROUND_PICTURES)
    features = {kind: _features(draw, categories, size) for kind, size in dimensions.items()}
    return FeaturePack(
        identities=tuple(f"picture {row:05}" for row in range(EXAMPLES * categories + BACKGROUND_PICTURES)),
        features=features,
        categories=rows,
        background={name: np.sort(draw.choice(pictures, EXAMPLES, replace=False)) for name in names},
    )


def _features(draw: np.random.Generator, categories: int, size: int) -> np.ndarray:
    centres = draw.normal(size=(categories, size))
    centres = 0.25 * (centres + np.roll(centres, 1, axis=0))
    foreground = np.repeat(centres, EXAMPLES, axis=0)
    return np.concatenate([foreground, np.zeros((BACKGROUND_PICTURES, size))]) + draw.normal(
        size=(len(foreground) + BACKGROUND_PICTURES, size)
    )
