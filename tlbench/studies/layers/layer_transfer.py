"""Networks that inherit their first n layers: from whom, how many, frozen or trained on.

The classes of a data set are split into halves A and B; a network learns each half from scratch, and others start from
its first n layers. Only the declaration lies here; what needs the optional part is in ``layer_training``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...datasets import DataError, LabelledPictures, most_classes_per_half
from ...protocol import ProtocolError, Value
from ...study import Block, Columns, Estimate, Keeping, Piece, Study
from .choices import NETWORKS, Half, Parameters, Training, draw_half

SAYS = {
    "base": "a network of its own, from scratch (layers = 0)",
    "BnB": "selffer: the first n layers of its own base, frozen; the others anew",
    "BnB+": "the same, with all layers trained on",
    "AnB": "transfer: the first n layers of the other half's base, frozen; the others anew",
    "AnB+": "the same, with all layers trained on",
    "random-gaussian": "the first n layers random and frozen, drawn as in the paper's prototxt files",
    "random-scaled": "the first n layers random and frozen, drawn so that they keep the variance",
}
OTHER_HALF = {"A": "B", "B": "A"}


def unit_name(class_split: str, draw: int, half: str) -> str:
    """A target half, the unit of replication: one draw of a class split, seen from one of its halves."""
    return f"{class_split}-{draw}-{half}"


def cut(pictures: LabelledPictures, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """One piece a training. Raises DataError where classes or pictures are too few, ProtocolError without bases."""
    if "base" not in conditions:
        raise ProtocolError("conditions must include 'base': the others start from it or are compared with it")
    side, wanted = pictures.pixels.shape[1], NETWORKS[parameters.network].side
    if side != wanted:
        raise DataError(
            f"network {parameters.network} takes pictures of {wanted} × {wanted} pixels, and these have "
            f"{side} × {side}; {_fitting(side, parameters.augmentation)}"
        )
    per_half = parameters.classes_per_half or min(
        most_classes_per_half(kind, pictures.classes, pictures.kinds) for kind in parameters.class_split
    )
    common: dict[str, Value] = {"classes_per_half": per_half, "precision": _settled(parameters.precision)}
    bases: list[Piece] = []
    others: list[Piece] = []
    for kind in parameters.class_split:
        for draw in range(seeds):
            own: dict[str, Piece] = {}
            for half in OTHER_HALF:
                unit = unit_name(kind, draw, half)
                at = {**common, "class_split": kind, "layers": 0}
                draw_half(pictures, msgspec.convert({**msgspec.structs.asdict(parameters), **at}, Training), unit)
                own[half] = Piece(unit, (draw,), "base", ("base",), at, chain="base")
            bases += own.values()
            for half, other in OTHER_HALF.items():
                sources = {"B": own[half], "A": own[other]}
                others += [
                    _heir(condition, layers, own[half], sources.get(condition[0]))
                    for condition in conditions
                    for layers in parameters.layers
                    if condition != "base"
                ]
    return [*bases, *others]


def _fitting(side: int, augmentation: str) -> str:
    """What to set for pictures of that side: a network, or else which sides there are."""
    fitting = [name for name, shape in NETWORKS.items() if shape.side == side]
    if not fitting:
        sides = sorted({shape.side for shape in NETWORKS.values()})
        return f"networks take {', '.join(map(str, sides))} pixels a side"
    return f"set network={' or '.join(fitting)}{'' if augmentation == 'none' else ' with augmentation=none'}"


def _heir(condition: str, layers: int, base: Piece, source: Piece | None) -> Piece:
    """A training on the half of ``base`` that starts from layers of ``source``, or from random ones."""
    return Piece(
        base.unit,
        base.splits,
        f"{condition} {layers}",
        (condition,),
        {**base.at, "layers": layers},
        needs=(source,) if source else (),
        # Frozen layers are the same along a chain; where none is frozen, a training is its own.
        chain=f"{condition} {layers}" if condition.endswith("+") else condition,
    )


def _settled(precision: str) -> Value:
    """What "auto" means on this processor; it becomes part of each block's identity."""
    if precision != "auto":
        return precision
    from ...methods.networks.training import has_bfloat16_units

    return "bfloat16" if has_bfloat16_units() else "float32"


def prepare(pictures: LabelledPictures, block: Block) -> Any:
    """The tensors that a chain of trainings shares."""
    from .layer_training import Chain

    training = msgspec.convert(block.parameters, Training)
    return Chain(pictures, draw_half(pictures, training, block.unit), training)


def compute(chain: Any, block: Block, keeping: Keeping) -> dict[str, Columns]:
    """Train one network; its accuracy, its training loss, and which classes it was about."""
    training = msgspec.convert(block.parameters, Training)
    accuracy, loss = chain.train(training, block, keeping)
    (condition,), (split,) = block.conditions, block.splits
    half: Half = chain.half
    kind, draw, name = block.unit.rsplit("-", 2)
    count = len(half.classes)
    return {
        "measurements": {
            "split": [split] * 2,
            "condition": [condition] * 2,
            "class_split": [training.class_split] * 2,
            "layers": [training.layers] * 2,
            "metric": ["accuracy", "train_loss"],
            "value": [accuracy, loss],
        },
        "halves": {
            "class_split": [kind] * count,
            "draw": [int(draw)] * count,
            "half": [name] * count,
            "class": list(half.classes),
            "training_pictures": [len(half.training) // count] * count,
            "test_pictures": [len(half.test) // count] * count,
        },
    }


def estimate(pictures: LabelledPictures, blocks: Sequence[Block], device: str) -> Estimate:
    """What trainings will cost, from steps of one measured here and now."""
    from .training_cost import measured_cost

    return measured_cost(pictures, blocks, device)


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How many classes and pictures stand behind the numbers."""
    halves = tables["halves"]
    classes = halves.groupby(["class_split", "draw", "half"]).size().iloc[0]
    training, test = halves["training_pictures"].iloc[0], halves["test_pictures"].iloc[0]
    return [
        f"Each half has {classes} classes, with {training} training and {test} test pictures each; halves.csv says "
        "which."
    ]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"halves": ("class_split", "draw", "half", "class", "training_pictures", "test_pictures")},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="pictures",
    side=lambda parameters: NETWORKS[parameters.network].side,
    part="networks",
    metrics=("accuracy", "train_loss"),
    estimate=estimate,
)
