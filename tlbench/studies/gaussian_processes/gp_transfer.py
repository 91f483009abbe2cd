"""Gaussian processes across real tasks: from one group of examples to another of which few outputs are known.

Every ordered pair of a data set's tasks is a direction. A unit is a draw within a direction: source examples, labelled
target examples (fewer are the first of more) and test examples, which are target examples that no model has seen; the
test is the same for all amounts of labels. Units of a direction share their pool of examples, so they are not
independent: what is tested is the method on draws from these data.

Inputs are standardised by all the training inputs that a condition uses, outputs likewise: *none* knows only the
labelled target examples. With ``outputs = "each"`` each task's outputs are standardised by its own, which tasks in
different units need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from ...datasets import DataError, RegressionTables, generator
from ...study import MOST, Block, Columns, Keeping, Seed, Study, units_by_groups
from .conditions import FITS, METRICS, SAYS, Scale, Task, learned_correlation, measure, measurement_columns

LEAST_TEST_EXAMPLES = 15


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value."""

    labels: Annotated[list[Annotated[int, Meta(ge=2, le=MOST)]], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    source_examples: Annotated[int, Meta(ge=2, le=5000)]
    test_examples: Annotated[int, Meta(ge=LEAST_TEST_EXAMPLES)]
    outputs: Literal["together", "each"]
    seed: Seed


@dataclass(frozen=True)
class Drawn:
    """What a split of a unit works on, in the data's own units; the target's examples are the most labels."""

    source: Task
    target: Task
    test: Task


def directions(data: RegressionTables) -> dict[str, tuple[str, str]]:
    """All ordered pairs of tasks, by name. Raises DataError where there is one task only."""
    if len(data.categories) < 2:
        raise DataError(f"there is one task, '{data.categories[0]}'; transfer needs at least two")
    return {f"{source} to {target}": (source, target) for source, target in permutations(data.categories, 2)}


def units(data: RegressionTables, parameters: Parameters) -> dict[str, dict[str, Any]]:
    """The draws of each direction. Raises DataError where a task has too few examples for a test."""
    needed = max(parameters.labels) + LEAST_TEST_EXAMPLES
    for task, outputs in data.targets.items():
        if len(outputs) < needed:
            raise DataError(
                f"task '{task}' has {len(outputs)} examples; {max(parameters.labels)} labels and a test of at least "
                f"{LEAST_TEST_EXAMPLES} need {needed}"
            )
        if not np.ptp(outputs) > 0.0:
            raise DataError(f"all outputs of task '{task}' are the same; there is nothing to predict")
    return {
        f"{direction}, draw {number:02}": {}
        for direction in directions(data)
        for number in range(1, parameters.draws + 1)
    }


def draw(data: RegressionTables, parameters: Parameters, unit: str, split: int) -> Drawn:
    """A unit's examples, drawn by its name. Raises DataError where all test outputs are the same."""
    source, target = directions(data)[unit.rpartition(", draw ")[0]]
    most = max(parameters.labels)
    rows = generator(parameters.seed, "source examples", unit, split).permutation(len(data.targets[source]))
    own = generator(parameters.seed, "target examples", unit, split).permutation(len(data.targets[target]))

    def task(name: str, chosen: Any) -> Task:
        return data.inputs[name][chosen], data.targets[name][chosen]

    drawn = Drawn(
        task(source, rows[: parameters.source_examples]),
        task(target, own[:most]),
        task(target, own[most : most + parameters.test_examples]),
    )
    if not np.ptp(drawn.test[1]) > 0.0:
        raise DataError(f"all test outputs of '{unit}' are the same; choose more test examples or another seed")
    return drawn


def prepare(data: RegressionTables, block: Block) -> list[Drawn]:
    """The examples of each split."""
    parameters = msgspec.convert(block.parameters, Parameters)
    return [draw(data, parameters, block.unit, split) for split in block.splits]


def compute(shared: list[Drawn], block: Block, _: Keeping) -> dict[str, Columns]:
    """Errors, calibration and λ at every number of labels."""
    parameters = msgspec.convert(block.parameters, Parameters)
    rows = [
        (
            {"split": split, "condition": condition, "labels": labels},
            evaluate(condition, drawn, labels, parameters.outputs),
        )
        for split, drawn in zip(block.splits, shared, strict=True)
        for condition in block.conditions
        for labels in parameters.labels
    ]
    return {"measurements": measurement_columns(rows)}


def evaluate(condition: str, drawn: Drawn, labels: int, outputs: str) -> dict[str, float]:
    """Fit a condition to the source and the first labelled target examples, and measure it on the test."""
    source, target = drawn.source, (drawn.target[0][:labels], drawn.target[1][:labels])
    used = [target] if condition == "none" else [source, target]
    of_inputs = Scale.of(np.concatenate([inputs for inputs, _ in used]))
    of_target = Scale.of(target[1] if outputs == "each" else np.concatenate([known for _, known in used]))
    of_source = Scale.of(source[1]) if outputs == "each" else of_target
    fitted = FITS[condition]((of_inputs(source[0]), of_source(source[1])), (of_inputs(target[0]), of_target(target[1])))
    mean, variance = fitted.predict(of_inputs(drawn.test[0]))
    measured = measure(mean, variance, of_target(drawn.test[1]))
    return {**measured, "lambda": learned_correlation(condition, fitted)}


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How far the p values carry."""
    names = [str(unit).rpartition(", draw ")[0] for unit in tables["measurements"]["unit"].unique()]
    if not names:
        return []
    pairs = "; ".join(dict.fromkeys(names))
    return [f"Directions: {pairs}. Units of a direction are drawn from the same examples: not independent."]


cut = units_by_groups(units, {name: name for name in SAYS}, splits_per_block=1)
STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="tables",
    metrics=METRICS,
)
