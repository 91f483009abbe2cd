"""Networks that inherit their first n layers: from whom, how many, frozen or trained on.

The classes of a data set are split into halves A and B; a network learns each half from scratch, and others start from
its first n layers. Only the declaration lies here; what needs the optional part is in ``layer_training``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...datasets import DataError, LabelledPictures, draw_class_split, draw_pictures, generator, most_classes_per_half
from ...protocol import ProtocolError, Value
from ...study import Block, Columns, Estimate, Keeping, Piece, Study

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
ClassSplit = Literal["random", "natural-manmade"]


@dataclass(frozen=True)
class Shape:
    """What must be known of a network before it is built: pixels a side of the pictures it is fed from, and layers."""

    side: int
    layers: int


NETWORKS = {
    "digits8": Shape(8, 8),
    "small32": Shape(32, 8),
    "caffenet": Shape(256, 8),
    "resnet18": Shape(32, 10),
    "resnet34": Shape(32, 18),
    "resnet50": Shape(256, 18),
}


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How networks are trained and on how much; the protocol file gives the reason for each value.

    pictures_per_class, test_pictures_per_class: 0 for as many as the smallest class of the whole data set allows, so
    that all halves have equally many; without a test part a quarter of that class is for the test. classes_per_half: 0
    for as many as every class split of the run has. report: "last" is the accuracy after the last epoch; "ten-best"
    the mean of the ten best tests, one an epoch, as the authors report it: it selects on test pictures.
    """

    network: Literal["digits8", "small32", "caffenet", "resnet18", "resnet34", "resnet50"]
    initialisation: Literal["scaled", "gaussian"]
    classes_per_half: Count
    pictures_per_class: Count
    test_pictures_per_class: Count
    epochs: Positive
    batch: Positive
    learning_rate: Annotated[float, Meta(gt=0)]
    schedule: Literal["cosine", "steps"]
    augmentation: Literal["none", "crop-and-mirror"]
    precision: Literal["auto", "float32", "bfloat16"]
    report: Literal["last", "ten-best"]
    seed: Count

    def __post_init__(self) -> None:
        """Refuse a rate that is no number and crops from pictures that leave no room for them."""
        if not isfinite(self.learning_rate):
            raise ValueError("learning_rate must be a finite number")
        if self.augmentation == "crop-and-mirror" and self.network not in ("caffenet", "resnet50"):
            raise ValueError(f"network {self.network} takes whole pictures; set augmentation=none")
        if self.batch == 1 and self.network in ("resnet18", "resnet34"):
            raise ValueError(f"network {self.network} normalises over a batch; set batch=2 or more")


class Parameters(Choices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of a run."""

    class_split: Annotated[list[ClassSplit], Meta(min_length=1)]
    layers: Annotated[list[Positive], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse to inherit layers that the network does not have, or all of them."""
        super().__post_init__()
        most = NETWORKS[self.network].layers - 1
        if max(self.layers) > most:
            raise ValueError(
                f"layers may be 1 to {most}, not {max(self.layers)}: network {self.network} has {most + 1}, and the "
                "last one depends on the classes"
            )


class Training(Choices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Those of one training; layers: how many are inherited, 0 for a base."""

    class_split: ClassSplit
    layers: Count


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


@dataclass(frozen=True)
class Half:
    """The classes of a target half, and the rows of its training and test pictures."""

    classes: tuple[str, ...]
    training: Any
    test: Any


def draw_half(pictures: LabelledPictures, training: Training, unit: str) -> Half:
    """Draw the classes and pictures of a unit; every condition of the unit shares them.

    The class split is drawn once for both its halves.
    """
    kind, draw, half = unit.rsplit("-", 2)
    halves = draw_class_split(
        training.class_split,
        pictures.classes,
        pictures.kinds,
        training.classes_per_half,
        generator(training.seed, "class split", kind, int(draw)),
    )
    classes = halves["AB".index(half)]
    rows = draw_pictures(
        pictures,
        classes,
        training.pictures_per_class,
        training.test_pictures_per_class,
        generator(training.seed, "pictures", unit, int(draw)),
    )
    return Half(classes, *rows)


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
