"""Students of several sizes that learn from labels, from a teacher's soft targets, or from its hints before those.

A unit is a draw of the pictures that a teacher learns from, of those that all are tested on, and of the teacher. A
split is a draw of the students' transfer set, a part of the teacher's pictures, and of their weights. Students are
compared after the same number of steps, from the same weights, on the same pictures in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ...datasets import DataError, LabelledPictures
from ...protocol import Value
from ...study import MOST, Block, Columns, Keeping, Piece, Positive, Study
from .choices import (
    SIDE,
    Drawn,
    Temperature,
    batches_of_splits,
    draw,
    require_teacher,
)
from .distillation_work import Common, Shared, Work

SAYS = {
    "teacher": "two wide hidden layers with dropout, from the labels of all training pictures (its levels are 0)",
    "hard": "a student on its own, from the labels of its transfer set",
    "distilled": "from the teacher's soft targets, with T², and a little from labels",
    "unscaled": "the same without the factor T²",
    "hints": "first a part of the steps on the teacher's hint layer, then as distilled",
}
GROUPS = {"hard": "students", "distilled": "students", "unscaled": "students", "hints": "hints"}


class Parameters(Common, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of a run.

    pictures: of each class in the transfer set. layers, hidden: hidden layers of a student, and units of each.
    """

    pictures: Annotated[list[Positive], Meta(min_length=1)]
    layers: Annotated[list[Annotated[int, Meta(ge=2, le=MOST)]], Meta(min_length=1)]
    hidden: Annotated[list[Positive], Meta(min_length=1)]
    temperature: Annotated[list[Temperature], Meta(min_length=1)]


def cut(pictures: LabelledPictures, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """A teacher a unit, then batches of splits × transfer sets × depths × groups of conditions."""
    require_teacher(conditions)
    together: dict[str, list[str]] = {}
    for condition in conditions:
        if condition != "teacher":
            together.setdefault(GROUPS[condition], []).append(condition)
    without: dict[str, Value] = {"pictures": 0, "layers": 0, "hidden": [0], "temperature": [0.0]}
    pieces: list[Piece] = []
    for number in range(1, parameters.draws + 1):
        unit = f"draw {number:02}"
        _refuse_large(draw(pictures, parameters, unit, 0), len(pictures.classes), max(parameters.pictures))
        teacher = Piece(unit, (0,), "teacher", ("teacher",), without, chain="teacher")
        pieces.append(teacher)
        pieces += [
            Piece(unit, splits, group, tuple(members), {"pictures": size, "layers": layers}, (teacher,))
            for splits in batches_of_splits(seeds)
            for size in parameters.pictures
            for layers in parameters.layers
            for group, members in together.items()
        ]
    return pieces


def _refuse_large(drawn: Drawn, classes: int, most: int) -> None:
    each = len(drawn.training) // classes
    if most > each:
        raise DataError(f"pictures can be at most {each}, not {most}: the teacher has {each} pictures of each class")


def prepare(pictures: LabelledPictures, block: Block) -> Shared:
    """Draw a unit's pictures."""
    return Shared(pictures, draw(pictures, msgspec.convert(block.parameters, Work), block.unit, 0))


def compute(shared: Shared, block: Block, keeping: Keeping) -> dict[str, Columns]:
    """Train a teacher, or a stack of students for each width; their accuracies on the test."""
    from . import distillation_blocks

    work = msgspec.convert(block.parameters, Work)
    teaches = block.group == "teacher"
    train = distillation_blocks.teacher_accuracy if teaches else distillation_blocks.student_accuracies
    found = train(shared, work, block, keeping)
    grid = [
        (condition, hidden, temperature, split)
        for condition in block.conditions
        for hidden in work.hidden
        for temperature in work.temperature
        for split in block.splits
    ]
    condition, hidden, temperature, split = (list(column) for column in zip(*grid, strict=True))
    return {
        "measurements": {
            "split": split,
            "condition": condition,
            "pictures": [work.pictures] * len(grid),
            "layers": [work.layers] * len(grid),
            "hidden": hidden,
            "temperature": temperature,
            "value": np.concatenate([found[name].ravel() for name in block.conditions]).tolist(),
        }
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """The teacher beside the best students."""
    means = tables["measurements"].groupby(["condition", "pictures", "layers", "hidden", "temperature"])["value"].mean()
    students = means.drop("teacher")
    if students.empty:
        return []
    condition, pictures, layers, hidden, temperature = students.idxmax()
    how = condition if condition == "hard" else f"{condition} at T = {temperature:g}"
    return [
        f"The teachers are right on {means['teacher'].mean():.1f} % of the test pictures, the best students on "
        f"{students.max():.1f} % ({how}, {layers} layers of {hidden} units, {pictures} pictures of each class)."
    ]


def _draw_sizes(tables: Mapping[str, Any]) -> Any:
    from .figures import draw_sizes

    return draw_sizes(tables)


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="pictures",
    side=lambda _: SIDE,
    part="networks",
    draws={"size": _draw_sizes},
)
