"""What to add to the loss when a network is fine-tuned from a source: each penalty's strength chosen alike.

The classes of a data set are split at random into a source's and a target's. A network learns the source's classes from
plenty of pictures; it is then fine-tuned on few of the target's, under a new head, with one penalty or another. Every
penalty's strength is chosen on *rehearsals*: splits of the classes of their own, on pictures that no reported unit ever
sees, by the mean accuracy there, for each number of labels, from one grid for all. What is reported is computed once,
with the strength that was chosen. Only the declaration lies here; what needs the optional part is in ``trainings``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from ...datasets import DataError, LabelledPictures
from ...study import Block, Columns, Keeping, Piece, Study
from .choices import Parameters
from .class_draws import draw_classes
from .drawing import draw_distance, draw_gain

SIDES = {"digits4": 8, "digits8": 8, "small32": 32}
"""Networks without normalisation and dropout: a penalty then sees the very function that is tested."""

SAYS = {
    "nothing": "plain fine-tuning",
    "l2": "the shared weights' squared norm",
    "l1": "the sum of their sizes",
    "lp": "the sum of their sizes to the power p",
    "l2-sp": "the squared distance from the source's weights",
    "l1-sp": "the sum of the distances from them",
    "group-lasso-sp": "the distances from them by feature map",
    "l2-sp-fisher": "the squared distance weighted by what mattered to the source",
    "delta": "the distance from the source's feature maps, weighted by channel",
    "bss": "the smallest singular value of a batch's features",
    "input-gradient": "the slope of the loss in the pictures",
    "laplacian": "differences of predictions between neighbours, unlabelled pictures included",
}


def cut(pictures: LabelledPictures, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Sources first, then rehearsals, then what is reported. Raises DataError where classes or pictures are too few.

    Sources and rehearsals measure nothing that is reported: they have no condition.
    """
    side, wanted = pictures.pixels.shape[1], SIDES[parameters.network]
    if side != wanted:
        fitting = [name for name, its in SIDES.items() if its == side]
        instead = f"set network={' or '.join(fitting)}" if fitting else "networks take 8 or 32 pixels a side"
        raise DataError(
            f"network {parameters.network} takes pictures of {wanted} × {wanted} pixels, and these have "
            f"{side} × {side}; {instead}"
        )
    reported = [f"draw {number:02}" for number in range(1, parameters.draws + 1)]
    rehearsed = [f"rehearsal {number}" for number in range(1, parameters.rehearsals + 1)]
    for unit in (*reported, *rehearsed):
        for split in range(seeds if unit in reported else 1):
            draw_classes(pictures, parameters.amounts, part_of(unit), parameters.seed, unit, split)
    sources = {unit: Piece(unit, (0,), "source", (), chain="source") for unit in (*rehearsed, *reported)}
    rehearsals = {
        condition: tuple(
            Piece(unit, (0,), f"rehearse {condition}", (), needs=(sources[unit],), chain=condition)
            for unit in rehearsed
        )
        for condition in conditions
        if condition != "nothing"
    }
    tunings = [
        Piece(
            unit,
            (split,),
            f"fine-tune {condition}",
            (condition,),
            needs=(sources[unit], *rehearsals.get(condition, ())),
            chain=condition,
        )
        for unit in reported
        for split in range(seeds)
        for condition in conditions
    ]
    return [*sources.values(), *(piece for pieces in rehearsals.values() for piece in pieces), *tunings]


def part_of(unit: str) -> Literal["rehearsal", "reported"]:
    """Which part of every class's pictures a unit draws from."""
    return "rehearsal" if unit.startswith("rehearsal") else "reported"


def prepare(pictures: LabelledPictures, block: Block) -> Any:
    """The pictures of a unit and split, drawn."""
    from .trainings import Task

    parameters = msgspec.convert(block.parameters, Parameters)
    drawn = draw_classes(
        pictures, parameters.amounts, part_of(block.unit), parameters.seed, block.unit, block.splits[0]
    )
    return Task(pictures, drawn, parameters, block.unit, block.splits[0])


def compute(task: Any, block: Block, keeping: Keeping) -> dict[str, Columns]:
    """Train a source, rehearse a condition, or measure it."""
    what, _, condition = block.group.partition(" ")
    tables: dict[str, Columns] = {
        "source": lambda: task.train_source(keeping),
        "rehearse": lambda: task.rehearse(condition, keeping),
        "fine-tune": lambda: task.measure(condition, len(block.needs) - 1, keeping),
    }[what]()
    return tables


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How strengths were chosen."""
    if "rehearsals" not in tables:
        return []
    strengths, rehearsals = (tables["rehearsals"][column].nunique() for column in ("strength", "unit"))
    return [
        f"Each strength is one of {strengths}, chosen on {rehearsals} rehearsal{'s' if rehearsals > 1 else ''} with "
        "pictures that are not reported; strengths.csv has those chosen, rehearsals.csv what they were chosen by."
    ]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={
        "sources": ("unit", "source_classes", "target_classes", "source_pictures", "source_loss"),
        "rehearsals": ("unit", "condition", "shots", "strength", "accuracy"),
        "strengths": ("condition", "shots", "strength"),
    },
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="pictures",
    side=lambda parameters: SIDES[parameters.network],
    part="networks",
    metrics=("accuracy", "distance"),
    draws={"gain": draw_gain, "distance": draw_distance},
)
