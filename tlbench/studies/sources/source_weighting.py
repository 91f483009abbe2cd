"""Kernel machines that lean on source hyperplanes: who is leaned on, and how much.

Each category in turn is the target, the others are its sources; every task is a category against background. Sources
and target are class-balanced least-squares machines in one kernel space. A block computes all shot counts of all its
splits as one stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from ...datasets import KernelData
from ...study import Block, Columns, Keeping, Study, units_by_groups
from .own_conditions import find_own
from .source_baselines import BASELINES, Strengths
from .source_conditions import OF_THE_PAPER, OURS, Found, Group
from .source_task import Task, prepare_task, units

GROUPS: Mapping[str, Group] = {**OF_THE_PAPER, **OURS, **BASELINES}
SAYS = {condition: what for group in GROUPS.values() for condition, what in group.says.items()}
GROUP_OF = {condition: name for name, group in GROUPS.items() for condition in group.says}


def prepare(data: KernelData, block: Block) -> Task:
    """Draw the pictures, train the sources and factorise every target machine of a block's splits."""
    return prepare_task(data, block.unit, block.splits, msgspec.convert(block.parameters, Strengths))


def find_in(task: Task, block: Block, choices: Strengths) -> Found:
    """What the block's conditions come to, be they ours or a user's own."""
    if block.group in GROUPS:
        return GROUPS[block.group].compute(task, choices)
    return find_own(task, block, choices.seed)


def compute(task: Task, block: Block, _: Keeping) -> dict[str, Columns]:
    """Measurements of the block's conditions, and the weights of those that learn them."""
    choices = msgspec.convert(block.parameters, Strengths)
    found = find_in(task, block, choices)
    return {
        "measurements": _measurements(block, task, found),
        "weights": _weights(block, task, found),
        "sizes": sizes(block, task),
        **({"scores": _scores(block, task, found)} if block.scores else {}),
    }


def _scores(block: Block, task: Task, found: Found) -> Columns:
    """The decision value of every test example; conditions that are a mean over machines, or an oracle, have none."""
    columns: dict[str, list[Any]] = {name: [] for name in SCORES}
    identities = np.array(task.sources.pack.identities, dtype=object)[task.rows.test]
    labels = np.where(np.arange(identities.shape[1]) < task.rows.test_positives, 1, 0)
    for condition in block.conditions:
        if condition not in found.decisions:
            continue
        values = found.decisions[condition]
        split, shots, place = np.meshgrid(block.splits, task.shots, np.arange(values.shape[-1]), indexing="ij")
        columns["target"] += [block.unit] * values.size
        columns["condition"] += [condition] * values.size
        columns["split"] += split.ravel().tolist()
        columns["shots"] += shots.ravel().tolist()
        columns["example"] += np.repeat(identities[:, None], len(task.shots), axis=1).ravel().tolist()
        columns["positive"] += labels[place].ravel().tolist()
        columns["score"] += values.ravel().tolist()
    return columns


def _measurements(block: Block, task: Task, found: Found) -> Columns:
    split, shots = np.meshgrid(block.splits, task.shots, indexing="ij")
    setting = block.parameters.get("setting")
    return {
        "split": np.tile(split.ravel(), len(block.conditions)).tolist(),
        "condition": np.repeat(block.conditions, split.size).tolist(),
        **({"setting": [setting] * (split.size * len(block.conditions))} if setting else {}),
        "shots": np.tile(shots.ravel(), len(block.conditions)).tolist(),
        "value": np.concatenate([found.accuracies[condition].ravel() for condition in block.conditions]).tolist(),
    }


def _weights(block: Block, task: Task, found: Found) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in ("target", "source", "split", "shots", "condition", "beta")}
    split, shots, source = np.meshgrid(block.splits, task.shots, task.names, indexing="ij")
    for condition, beta in found.weights.items():
        if condition not in block.conditions:
            continue
        columns["target"] += [block.unit] * beta.size
        columns["source"] += source.ravel().tolist()
        columns["split"] += split.ravel().tolist()
        columns["shots"] += shots.ravel().tolist()
        columns["condition"] += [condition] * beta.size
        columns["beta"] += beta.ravel().tolist()
    return columns


def sizes(block: Block, task: Task) -> Columns:
    """How many examples each source was trained on, and the target tested on."""
    rows = task.rows
    return {
        "target": [block.unit] * len(task.names),
        "source": task.names,
        "source_positives": [len(source.positives) for source in rows.sources.values()],
        "source_negatives": [len(source.negatives) for source in rows.sources.values()],
        "test_positives": [rows.test_positives] * len(task.names),
        "test_negatives": [rows.test.shape[1] - rows.test_positives] * len(task.names),
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How many examples stand behind the numbers."""
    sizes = tables["sizes"]

    def amount(column: str) -> str:
        low, high = sizes[column].min(), sizes[column].max()
        return str(low) if low == high else f"{low}–{high}"

    return [
        f"Tested on {amount('test_positives')} + {amount('test_negatives')} examples held apart; each source was "
        f"trained on {amount('source_positives')} + {amount('source_negatives')}."
    ]


SCORES = ("target", "condition", "split", "shots", "example", "positive", "score")
STUDY = Study(
    version=1,
    Parameters=Strengths,
    says=SAYS,
    tables={
        "weights": ("target", "source", "split", "shots", "condition", "beta"),
        "sizes": (
            "target",
            "source",
            "source_positives",
            "source_negatives",
            "test_positives",
            "test_negatives",
        ),
        "scores": SCORES,
    },
    keeps_scores=True,
    cut=units_by_groups(units, GROUP_OF, splits_per_block=10),
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    methods=(),
)
