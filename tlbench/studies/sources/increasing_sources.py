"""How much it helps to know more: the same target with ever more of its sources, added in random orders.

The draws, kernels and source machines of a target are those of ``source_weighting`` with all its sources; what varies
is how many of them are leaned on. Each split adds them in an order of its own, so a smaller number is a part of a
larger one, and every condition sees the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ...datasets import DataError, KernelData, generator
from ...study import Block, Columns, Keeping, Positive, Study, units_by_groups
from . import source_task
from .source_conditions import OF_THE_PAPER
from .source_task import Task, TaskChoices, prepare_task
from .source_weighting import STUDY as SOURCE_WEIGHTING
from .source_weighting import remarks, sizes

SAYS = {condition: what for group in OF_THE_PAPER.values() for condition, what in group.says.items()}
GROUP_OF = {condition: name for name, group in OF_THE_PAPER.items() for condition in group.says}


class Parameters(TaskChoices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """sources: how many are leaned on."""

    sources: Annotated[list[Positive], Meta(min_length=1)]


def units(data: KernelData, parameters: Parameters) -> Mapping[str, Mapping[str, Any]]:
    """The targets. Raises DataError where some target has fewer sources than asked for."""
    found = source_task.units(data, parameters)
    packs = getattr(data, "packs", {"": data}).values()
    most = min(len(pack.categories) for pack in packs) - 1
    if max(parameters.sources) > most:
        raise DataError(
            f"{max(parameters.sources)} sources are asked for; each target has {most}; set sources=1,…,{most}"
        )
    return found


def prepare(data: KernelData, block: Block) -> Task:
    """The task with all its sources."""
    return prepare_task(data, block.unit, block.splits, msgspec.convert(block.parameters, Parameters))


def compute(task: Task, block: Block, _: Keeping) -> dict[str, Columns]:
    """Accuracies with the first of the sources, for each number of them."""
    parameters = msgspec.convert(block.parameters, Parameters)
    group = OF_THE_PAPER[block.group]
    order = np.array(
        [
            generator(parameters.seed, "order of sources", block.unit, split).permutation(len(task.names))
            for split in block.splits
        ]
    )
    split, shots = np.meshgrid(block.splits, task.shots, indexing="ij")
    setting = block.parameters.get("setting")
    columns: dict[str, list[Any]] = {name: [] for name in ("split", "condition", "shots", "sources", "value")}
    for count in parameters.sources:
        first = order[:, None, None, :count]
        known = replace(
            task,
            scores=np.take_along_axis(task.scores, first, axis=-1),
            test_scores=np.take_along_axis(task.test_scores, first, axis=-1),
        )
        accuracies = group.compute(known, parameters).accuracies
        for condition in block.conditions:
            columns["split"] += split.ravel().tolist()
            columns["condition"] += [condition] * split.size
            columns["shots"] += shots.ravel().tolist()
            columns["sources"] += [count] * split.size
            columns["value"] += accuracies[condition].ravel().tolist()
    if setting:
        columns["setting"] = [setting] * len(columns["value"])
    return {"measurements": columns, "sizes": sizes(block, task)}


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"sizes": SOURCE_WEIGHTING.tables["sizes"]},
    cut=units_by_groups(units, GROUP_OF, splits_per_block=10),
    prepare=prepare,
    compute=compute,
    remarks=remarks,
)
