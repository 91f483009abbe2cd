"""Relations between tasks, learned with the tasks (MTRL), against relations that are known, and on digits.

On *tasks* a unit is a draw of tasks whose correlations are known exactly: all alike, or mixed, with opposite ones and
ones unrelated to any other. On data with categories a unit is a disjoint part of the examples, so that units share
nothing, and a task is one category against all the rest. Every learner has the same number of candidates for its
strengths (``learners.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...datasets import DataError, FeaturePack, KernelData
from ...study import MOST, Block, Columns, Keeping, Piece, Positive, Seed, Strength, Study, units_by_groups
from .drawing import draw_relationships
from .learner_tables import METRICS, TABLES, learn_all
from .learners import SAYS, Strengths
from .task_samples import Sample, draw_tasks, one_against_rest, parts_of

Loading = Annotated[float, Meta(gt=-1, lt=1)]
Relation = Literal["alike", "mixed", "as-found"]
GROUP_OF = {"single-task": "apart", "pooled": "apart", "mtrl": "learned", "known-relations": "known"}


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file has the reason for each. relation: one in a block, all in a run."""

    examples: Annotated[list[Annotated[int, Meta(ge=2, le=MOST)]], Meta(min_length=1)]
    relation: Relation | Annotated[list[Relation], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    loadings: Annotated[list[Loading], Meta(min_length=2)]
    alike: Annotated[float, Meta(gt=0, lt=1)]
    dimensions: Positive
    noise: Annotated[float, Meta(ge=0, le=100)]
    test_examples: Annotated[int, Meta(ge=5, le=MOST)]
    folds: Annotated[int, Meta(ge=2, le=MOST)]
    lambda_alone: Annotated[list[Strength], Meta(min_length=1)]
    lambda_1: Annotated[list[Strength], Meta(min_length=1)]
    lambda_2: Annotated[list[Strength], Meta(min_length=1)]
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse budgets that differ, and more tasks than there are directions."""
        refuse_other_budget(self.lambda_alone, self.lambda_1, self.lambda_2)
        if self.dimensions <= len(self.loadings):
            raise ValueError(f"{len(self.loadings)} tasks need more dimensions than {self.dimensions}")

    @property
    def relations(self) -> Sequence[Relation]:
        """Those of a run, or the one of a block."""
        return self.relation if isinstance(self.relation, list) else [self.relation]

    @property
    def strengths(self) -> Strengths:
        """The candidates."""
        return Strengths(self.lambda_alone, self.lambda_1, self.lambda_2)


def refuse_other_budget(alone: Sequence[float], lambda_1: Sequence[float], lambda_2: Sequence[float]) -> None:
    """Raise ValueError where one learner would have more candidates to choose from than another."""
    if len(alone) != len(lambda_1) * len(lambda_2):
        raise ValueError(
            f"lambda_alone has {len(alone)} candidates and lambda_1 × lambda_2 has {len(lambda_1) * len(lambda_2)}; "
            "give both the same number"
        )


def units(data: KernelData, parameters: Parameters) -> dict[str, dict[str, str]]:
    """The draws, by name. Raises DataError for data that do not fit the relation, and for too few examples."""
    if not isinstance(data, FeaturePack):
        raise DataError("this experiment takes one setting of a data set; choose it with --set setting=NAME")
    made_up = not data.identities
    possible: set[str] = {"alike", "mixed"} if made_up else {"as-found"}
    if not possible >= set(parameters.relations):
        raise DataError(f"the relation of these tasks is {' or '.join(sorted(possible))}; set relation to that")
    if not made_up:
        if min(parameters.examples) < 4 or any(count % 2 for count in parameters.examples):
            raise DataError("examples are half of a category and half not: set even numbers from 4 on")
        parts_of(data, parameters.draws, max(parameters.examples), parameters.seed)
    return {f"draw {number:03}": {} for number in range(1, parameters.draws + 1)}


_cut_units = units_by_groups(units, GROUP_OF, splits_per_block=10)


def cut(data: KernelData, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Units × batches of splits × relations × groups of conditions; relations are known of made-up tasks alone."""
    return [
        replace(piece, at={"relation": relation}, chain=relation)
        for piece in _cut_units(data, parameters, conditions, seeds)
        for relation in parameters.relations
        if not (piece.group == "known" and relation == "as-found")
    ]


def prepare(data: FeaturePack, block: Block) -> dict[int, Sample]:
    """The sample of each split."""
    parameters = msgspec.convert(block.parameters, Parameters)
    most, seed = max(parameters.examples), parameters.seed
    if data.identities:
        part = parts_of(data, parameters.draws, most, seed)[int(block.unit.removeprefix("draw ")) - 1]
        return {split: one_against_rest(data, part, most, seed, block.unit, split) for split in block.splits}
    (relation,) = parameters.relations
    loadings = parameters.loadings if relation == "mixed" else [parameters.alike] * len(parameters.loadings)
    given = (loadings, parameters.dimensions, parameters.noise, most, parameters.test_examples, seed, block.unit)
    return {split: draw_tasks(*given, split) for split in block.splits}


def compute(samples: Mapping[int, Sample], block: Block, _: Keeping) -> dict[str, Columns]:
    """Scores of the block's learners, and the relations that they found."""
    parameters = msgspec.convert(block.parameters, Parameters)
    (relation,) = parameters.relations
    labels = {"unit": block.unit, "relation": relation}
    given = (parameters.examples, block.conditions, parameters.strengths, parameters.folds)
    return learn_all(samples, *given, labels, standardise=False)


def remarks(_: Mapping[str, Any]) -> list[str]:
    """What the scores are of."""
    return ["Scores are of all tasks of a unit together."]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables=TABLES,
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    metrics=METRICS,
    draws={"relationships": draw_relationships},
)
