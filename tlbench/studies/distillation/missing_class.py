"""Students that never see a picture of some classes, and are told of them by a teacher that knows them all.

A unit is a class: it alone is missing from the transfer set (*one*), or it and the next class are all that there is
(*all but two*). A split draws the pictures that a teacher learns from, those of the test, the teacher and its students.
The transfer set is all of the teacher's pictures but those of the missing classes.

The bias of missing classes is raised by one number, which makes their mean probability on the teacher's training
pictures, without their labels, what their share among these is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...datasets import LabelledPictures
from ...protocol import Value
from ...study import Block, Columns, Keeping, Piece, Study
from .choices import SIDE, Temperature, batches_of_splits, draw, require_teacher
from .missing_class_work import Common, Missing, Shared, Work

SAYS = {
    "teacher": "two wide hidden layers with dropout, from the labels of all training pictures",
    "hard": "a student on its own, from the labels of its transfer set",
    "hard-raised": "the same with the bias of the missing classes raised",
    "distilled": "a student of the teacher's soft targets on the same transfer set, and a little of its labels",
    "distilled-raised": "the same with the bias of the missing classes raised",
}
GROUPS = {"hard": "hard", "hard-raised": "hard", "distilled": "distilled", "distilled-raised": "distilled"}
METRICS = ("accuracy", "missing_accuracy")
OFFSETS = ("unit", "split", "missing", "condition", "temperature", "offset")


class Parameters(Common, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of a run. missing: which classes the transfer set lacks."""

    missing: Annotated[list[Missing], Meta(min_length=1)]
    temperature: Annotated[list[Temperature], Meta(min_length=1)]


def cut(pictures: LabelledPictures, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Teachers of a unit, then its students: batches of splits × missing classes × groups of conditions."""
    require_teacher(conditions)
    together: dict[str, list[str]] = {}
    for condition in conditions:
        if condition != "teacher":
            together.setdefault(GROUPS[condition], []).append(condition)
    without: dict[str, Value] = {"temperature": [0.0]}
    pieces: list[Piece] = []
    for unit in pictures.classes:
        draw(pictures, parameters, unit, 0)
        for splits in batches_of_splits(seeds):
            teachers = Piece(unit, splits, "teacher", ("teacher",), without, chain="teacher")
            pieces.append(teachers)
            pieces += [
                Piece(
                    unit,
                    splits,
                    group,
                    tuple(members),
                    {"missing": [missing], **(without if group == "hard" else {})},
                    (teachers,),
                )
                for missing in parameters.missing
                for group, members in together.items()
            ]
    return pieces


def prepare(pictures: LabelledPictures, block: Block) -> Shared:
    """Draw a unit's pictures."""
    work = msgspec.convert(block.parameters, Work)
    return Shared(pictures, tuple(draw(pictures, work, block.unit, split) for split in block.splits))


def compute(shared: Shared, block: Block, keeping: Keeping) -> dict[str, Columns]:
    """Train a stack of teachers or students; how many test pictures they recognise, in all and of missing classes."""
    from . import missing_class_blocks

    work = msgspec.convert(block.parameters, Work)
    teaches = block.group == "teacher"
    found = (missing_class_blocks.teach if teaches else missing_class_blocks.learn)(shared, work, block, keeping)
    rows = [
        (split, condition, missing, temperature, metric, float(found.accuracies[condition][number, place, degree, own]))
        for condition in block.conditions
        for number, metric in enumerate(METRICS)
        for place, missing in enumerate(work.missing)
        for degree, temperature in enumerate(work.temperature)
        for own, split in enumerate(block.splits)
    ]
    names = ("split", "condition", "missing", "temperature", "metric", "value")
    offsets = [
        (block.unit, split, work.missing[0], condition, temperature, float(values[degree, own]))
        for condition, values in found.offsets.items()
        for degree, temperature in enumerate(work.temperature)
        for own, split in enumerate(block.splits)
    ]
    return {"measurements": _columns(names, rows), "offsets": _columns(OFFSETS, offsets)}


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Columns:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """By how much biases were raised."""
    offsets = tables.get("offsets")
    if offsets is None or offsets.empty:
        return []
    means = offsets.groupby(["condition", "missing"], sort=False)["offset"].mean()
    said = ", ".join(f"{value:.1f} ({condition}, missing {missing})" for (condition, missing), value in means.items())
    return [f"Biases of missing classes were raised by {said}, in the mean; offsets.csv has them all."]


def _draw_recognised(tables: Mapping[str, Any]) -> Any:
    from .figures import draw_recognised

    return draw_recognised(tables)


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"offsets": OFFSETS},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="pictures",
    side=lambda _: SIDE,
    part="networks",
    metrics=METRICS,
    draws={"recognised": _draw_recognised},
)
