"""What to add to the loss when a network is fine-tuned from a source: each penalty's strength chosen alike.

The classes of a data set are split at random into a source's and a target's. A network learns the source's classes from
plenty of pictures; it is then fine-tuned on few of the target's, under a new head, with one penalty or another. Every
penalty's strength is chosen on *rehearsals*: splits of the classes of their own, on pictures that no reported unit ever
sees, by the mean accuracy there, for each number of labels, from one grid for all. What is reported is computed once,
with the strength that was chosen. Only the declaration lies here; what needs the optional part is in ``trainings``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...datasets import DataError, LabelledPictures
from ...study import Block, Columns, Keeping, Piece, Study
from .class_draws import Amounts, draw_classes
from .drawing import draw_distance, draw_gain

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Above = Annotated[float, Meta(gt=0)]

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


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value.

    classes_per_half: 0 for half of all classes. source_pictures: of each class, 0 for all there are.
    """

    shots: Annotated[list[Positive], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    rehearsals: Annotated[int, Meta(ge=1, le=99)]
    strengths: Annotated[list[Above], Meta(min_length=1)]
    network: Literal["digits4", "digits8", "small32"]
    classes_per_half: Count
    source_pictures: Count
    unlabelled: Count
    test_pictures: Positive
    source_epochs: Positive
    steps: Positive
    batch: Positive
    learning_rate: Above
    head_decay: Annotated[float, Meta(ge=0)]
    p: Annotated[float, Meta(ge=1)]
    k: Positive
    neighbours: Positive
    seed: Count

    def __post_init__(self) -> None:
        """Refuse numbers that are not finite, a strength twice, and fewer pictures than a graph of neighbours needs."""
        for name in ("learning_rate", "head_decay", "p"):
            if not isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number")
        if not all(isfinite(strength) for strength in self.strengths):
            raise ValueError("strengths must be finite numbers")
        if len(set(self.strengths)) < len(self.strengths):
            raise ValueError("strengths names one of them twice; each counts once")
        if self.unlabelled <= self.neighbours:
            raise ValueError(f"{self.neighbours} neighbours need more unlabelled pictures than {self.unlabelled}")

    @property
    def amounts(self) -> Amounts:
        """Pictures that a unit uses."""
        return Amounts(
            self.classes_per_half, self.source_pictures, max(self.shots), self.unlabelled, self.test_pictures
        )


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
