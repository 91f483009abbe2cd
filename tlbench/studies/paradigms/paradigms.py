"""The map of transfer learning, measured: one source and one target, solved by each paradigm where it is meant for.

A *model* is transferred by what it decides (parameters), *instances* by weighing the source's examples, *features* by a
space in which source and target are alike. ``cells.py`` draws the problem of each cell of the table same / other domain
× same / other task, ``learners.py`` solves it; a learner that a cell is not meant for is absent there, not bad.

Everything is inductive: what is unlabelled of the target is a part of its training examples, and no test example
reaches anything that is fitted. The number of shots is that of each class; with none, only what needs no label is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from ...datasets import Data, DataError, SettingPacks
from ...study import MOST, Block, Columns, Count, Degree, Keeping, Piece, Positive, Seed, Strength, Study
from .cells import Amounts, Draws, find_units, kinds_of, refuse_too_few
from .drawing import draw_map

if TYPE_CHECKING:
    from .learners import Strengths

Cell = Literal["same-all", "selection-bias", "other-domain", "other-task", "both-differ", "other-space"]

HOMOGENEOUS: tuple[Cell, ...] = ("same-all", "selection-bias", "other-domain", "other-task", "both-differ")
SHARED_TASK: tuple[Cell, ...] = HOMOGENEOUS[:3]
MEANT_FOR: Mapping[str, tuple[Cell, ...]] = {
    "none": (*HOMOGENEOUS, "other-space"),
    "model": (*HOMOGENEOUS, "other-space"),
    "source-only": SHARED_TASK,
    "pooled": SHARED_TASK,
    "tradaboost": SHARED_TASK,
    "kmm": SHARED_TASK,
    "coral": SHARED_TASK,
    "subspace": SHARED_TASK,
    "tca": SHARED_TASK,
    "discriminants": HOMOGENEOUS,
    "cca": ("other-space",),
}
"""The cells in which each condition is run."""
NEEDS_LABELS = ("none", "model", "tradaboost", "discriminants")
"""Conditions that say nothing without a labelled example of the target."""
TOGETHER: Mapping[str, str] = {
    "none": "target-alone",
    "model": "target-alone",
    "source-only": "as-is",
    "pooled": "as-is",
}
"""Conditions that are computed in one block; any other has blocks of its own."""
SPLITS_PER_BLOCK = 10

SAYS: Mapping[str, str] = {
    "none": "the target's labelled examples alone",
    "source-only": "the source's machine as it is, no label of the target",
    "pooled": "source and labelled target examples together, as if there were no difference",
    "model": "model transfer: Multi-KT, leaning on the machines of the source's classes",
    "tradaboost": "instance transfer: source examples that boosting gets wrong lose their weight",
    "kmm": "instance transfer: source examples weighted by kernel mean matching, then pooled",
    "coral": "feature transfer: the source's covariance made the target's, then pooled",
    "subspace": "feature transfer: the source's principal axes turned to the target's, then pooled",
    "tca": "feature transfer: transfer components of both, then pooled",
    "discriminants": "feature transfer: the target alone, seen also along what tells the source's classes apart",
    "cca": "feature transfer between spaces: canonical correlations of unlabelled pairs, then pooled",
}


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value. cell: one in a block, all in a run."""

    cell: Cell | Annotated[list[Cell], Meta(min_length=1)]
    shots: Annotated[list[Count], Meta(min_length=1)]
    classes: Annotated[int, Meta(ge=3, le=MOST)]
    class_draws: Annotated[int, Meta(ge=1, le=99)]
    source_examples: Annotated[int, Meta(ge=2, le=MOST)]
    unlabelled: Annotated[int, Meta(ge=2, le=MOST)]
    test_examples: Positive
    bias: Degree
    dimensions: Positive
    mu: Strength
    ridge: Strength
    rounds: Positive
    weak_c: Strength
    C: Strength
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse more labelled examples than there are to learn from."""
        if max(self.shots) > self.unlabelled:
            raise ValueError(
                "the labelled examples are among the unlabelled: 'unlabelled' must be at least the most shots"
            )

    @property
    def cells(self) -> Sequence[Cell]:
        """Those of a run, or the one of a block."""
        return self.cell if isinstance(self.cell, list) else [self.cell]

    @property
    def amounts(self) -> Amounts:
        """Examples of each class."""
        return Amounts(max(self.shots), self.unlabelled, self.test_examples, self.source_examples)

    @property
    def strengths(self) -> Strengths:
        """What the learners ask for."""
        from .learners import Strengths

        return Strengths(self.C, self.weak_c, self.rounds, self.dimensions, self.mu, self.ridge)


def cut(data: Data, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Units × batches of splits × cells × conditions that the cell is meant for; those of a unit share their draws.

    Raises DataError for data that are not domains, and where examples, classes or descriptions are too few.
    """
    units = find_units(data, parameters.classes, parameters.class_draws, parameters.seed)
    assert isinstance(data, SettingPacks)  # noqa: S101 (no others have units)
    if "other-space" in parameters.cells and len(kinds_of(data)) < 2:
        raise DataError(
            "these data describe an example in one way; leave the cell out that needs two (--set "
            f"cell={','.join(cell for cell in parameters.cells if cell != 'other-space')})"
        )
    for unit in units.values():
        refuse_too_few(data, unit, parameters.amounts)
    starts = range(0, seeds, SPLITS_PER_BLOCK)
    batches = [tuple(range(start, min(start + SPLITS_PER_BLOCK, seeds))) for start in starts]
    work = {cell: _groups(cell, parameters.shots, conditions) for cell in parameters.cells}
    if not any(work.values()):
        raise DataError("no condition that is asked for is meant for any cell that is asked for, with these shots")
    return [
        Piece(unit, splits, group, members, {"cell": cell, "shots": shots})
        for unit in units
        for splits in batches
        for cell, groups in work.items()
        for group, members, shots in groups
    ]


def _groups(
    cell: Cell, shots: list[int], conditions: Sequence[str]
) -> list[tuple[str, tuple[str, ...], list[int | float | str]]]:
    """(group, its conditions, their shots) of a cell."""
    together: dict[str, list[str]] = {}
    for condition in conditions:
        if cell in MEANT_FOR[condition]:
            together.setdefault(TOGETHER.get(condition, condition), []).append(condition)
    found = []
    for group, members in together.items():
        able: list[int | float | str] = [count for count in shots if count or members[0] not in NEEDS_LABELS]
        if able:
            found.append((group, tuple(members), able))
    return found


def prepare(data: Data, block: Block) -> Draws:
    """The unit's draws, shared by all its cells and conditions."""
    parameters = msgspec.convert(block.parameters, Parameters)
    units = find_units(data, parameters.classes, parameters.class_draws, parameters.seed)
    assert isinstance(data, SettingPacks)  # noqa: S101 (no others have units)
    return Draws(data, block.unit, units[block.unit], parameters.amounts, parameters.bias, parameters.seed)


def compute(draws: Draws, block: Block, _: Keeping) -> dict[str, Columns]:
    """Balanced accuracies in %, the mean over classes of the share that is recognised, and leanings where known."""
    from .learners import LEARNERS

    parameters = msgspec.convert(block.parameters, Parameters)
    (cell,) = parameters.cells
    measured: Columns = {name: [] for name in ("split", "condition", "cell", "shots", "metric", "value")}
    for split in block.splits:
        problem = draws.problem(cell, split)
        for condition in block.conditions:
            for shots, solution in LEARNERS[condition](problem, parameters.shots, parameters.strengths).items():
                accuracy = balanced_accuracy(solution.scores.argmax(axis=1), problem.test_labels)
                for metric, value in (("balanced_accuracy", accuracy), ("leaning", solution.leaning)):
                    if value is not None:
                        for name, entry in zip(measured, (split, condition, cell, shots, metric, value), strict=True):
                            measured[name].append(entry)
    return {"measurements": measured}


def balanced_accuracy(decided: Any, labels: Any) -> float:
    """Mean over classes of the share of a class's examples that are decided for it, in %."""
    return 100.0 * float(np.mean([np.mean(decided[labels == number] == number) for number in np.unique(labels)]))


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """What a dash means."""
    if tables["measurements"].empty:
        return []
    return [
        "A condition that is not in a cell's table is not meant for it; a dash: it needs labels of the target.",
        "Units share pictures, and pairs of domains share domains: p speaks of these data.",
    ]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    part="adaptation",
    metrics=("balanced_accuracy", "leaning"),
    draws={"map": draw_map},
)
