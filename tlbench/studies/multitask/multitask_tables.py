"""Relations between the tasks of a regression table (schools, patients), learned with the tasks (MTRL).

A unit is a disjoint group of the tasks, or a disjoint part of every task's examples, or both, so that units share
nothing. Learners and their budget are those of ``multitask_similarity.py``; columns are standardised on the training
examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...datasets import DataError, RegressionTables
from ...study import MOST, Block, Columns, Keeping, Seed, Strength, Study, units_by_groups
from .drawing import draw_relationships
from .learner_tables import TABLES, learn_all
from .learners import SAYS, Strengths
from .multitask_similarity import GROUP_OF, refuse_other_budget
from .task_samples import Sample, groups_of, regressions


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value."""

    examples: Annotated[list[Annotated[int, Meta(ge=2, le=MOST)]], Meta(min_length=1)]
    groups: Annotated[int, Meta(ge=1, le=99)]
    parts: Annotated[int, Meta(ge=1, le=99)]
    folds: Annotated[int, Meta(ge=2, le=MOST)]
    lambda_alone: Annotated[list[Strength], Meta(min_length=1)]
    lambda_1: Annotated[list[Strength], Meta(min_length=1)]
    lambda_2: Annotated[list[Strength], Meta(min_length=1)]
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse budgets that differ."""
        refuse_other_budget(self.lambda_alone, self.lambda_1, self.lambda_2)


def units(data: RegressionTables, parameters: Parameters) -> dict[str, dict[str, str]]:
    """The groups and parts, by name. Raises DataError for tasks that are too few, too small or nothing to learn."""
    for name, targets in data.targets.items():
        if (targets == targets[0]).all():
            raise DataError(f"task '{name}' has the same target everywhere; remove it")
    most = max(parameters.examples)
    found = groups_of(data, parameters.groups, parameters.parts, most, parameters.seed)
    return {unit: {} for unit in found}


def prepare(data: RegressionTables, block: Block) -> dict[int, Sample]:
    """The sample of each split."""
    parameters = msgspec.convert(block.parameters, Parameters)
    most, seed = max(parameters.examples), parameters.seed
    members = groups_of(data, parameters.groups, parameters.parts, most, seed)[block.unit]
    return {split: regressions(data, members, most, seed, block.unit, split) for split in block.splits}


def compute(samples: Mapping[int, Sample], block: Block, _: Keeping) -> dict[str, Columns]:
    """Scores of the block's learners, and the relations that they found."""
    parameters = msgspec.convert(block.parameters, Parameters)
    strengths = Strengths(parameters.lambda_alone, parameters.lambda_1, parameters.lambda_2)
    given = (parameters.examples, block.conditions, strengths, parameters.folds)
    return learn_all(samples, *given, {"unit": block.unit}, standardise=True)


def remarks(_: Mapping[str, Any]) -> list[str]:
    """What the scores are of."""
    return ["Scores are of all tasks of a unit together."]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says={name: says for name, says in SAYS.items() if name != "known-relations"},
    tables=TABLES,
    cut=units_by_groups(units, GROUP_OF, splits_per_block=10),
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="tables",
    metrics=("explained_variance",),
    draws={"relationships": draw_relationships},
)
