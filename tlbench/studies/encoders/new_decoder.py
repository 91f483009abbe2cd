"""An encoder inherited from some classes, under a new decoder for pictures of others: frozen, tuned, or from scratch.

The classes of a data set are split into two sets. On the source's an encoder learns to tell classes apart, another to
rebuild pictures; on the target's, a decoder learns to rebuild the clean picture of a noisy one, or to mark its ink.
Only the declaration lies here; what needs the optional part is in ``decoder_training``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ...datasets import DataError, LabelledPictures, draw_class_split, generator, most_classes_per_half
from ...study import Block, Columns, Keeping, Piece, Study
from .decoder_choices import Drawn, Floats, Parameters, Rows
from .decoder_pictures import draw_pictures_made

SAYS = {
    "scratch": "encoder and decoder from random weights",
    "random-frozen": "a random encoder, frozen, under a decoder that learns",
    "frozen": "the encoder of the source's classifier, frozen, under a new decoder",
    "tuned": "the same, learned on with the decoder",
    "autoencoder-frozen": "the encoder of the source's autoencoder, frozen, under a new decoder",
    "autoencoder-tuned": "the same, learned on with the decoder",
}


def cut(data: LabelledPictures, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Class splits × splits of pictures × tasks × conditions; raises DataError where the data will not do."""
    _, height, width, _ = data.pixels.shape
    if height != width:
        raise DataError(f"these pictures have {height} × {width} pixels; this experiment takes square ones")
    most = most_classes_per_half("random", data.classes, None)
    if parameters.classes_per_half > most:
        raise DataError(f"these data have {len(data.classes)} classes; set classes_per_half to at most {most}")
    needed = max(parameters.pictures) + parameters.test_pictures
    smallest = np.sort(np.bincount(data.labels, minlength=len(data.classes)))[: parameters.classes_per_half].sum()
    if smallest < needed:
        raise DataError(
            f"{parameters.classes_per_half} classes can have as few as {smallest} pictures, and {needed} are needed; "
            "set pictures or test_pictures lower"
        )
    return [
        Piece(f"split {number:02}", (split,), f"{task} {condition}", (condition,), {"task": task})
        for number in range(1, parameters.draws + 1)
        for split in range(seeds)
        for task in parameters.tasks
        for condition in conditions
    ]


def draw(data: LabelledPictures, parameters: Parameters, unit: str, split: int) -> Drawn:
    """Draw the class split and the target's pictures; smaller training sets are the beginnings of larger ones.

    The noise of a picture is drawn once: all units, tasks and conditions see the same.
    """
    halves = draw_class_split(
        "random",
        data.classes,
        None,
        parameters.classes_per_half,
        generator(parameters.seed, "classes of encoder and decoder", unit),
    )
    places = [[data.classes.index(name) for name in half] for half in halves]
    source, own = (np.flatnonzero(np.isin(data.labels, half)) for half in places)
    shuffled = generator(parameters.seed, "pictures of the decoder", unit, split).permutation(own)
    test, target = (
        shuffled[: parameters.test_pictures],
        shuffled[parameters.test_pictures :][: max(parameters.pictures)],
    )
    return Drawn(
        source=_seen(data, parameters, source),
        source_labels=np.searchsorted(places[0], data.labels[source]),
        target=_seen(data, parameters, target),
        test=_seen(data, parameters, test),
        classes=halves,
        side=data.pixels.shape[1],
    )


def _seen(data: LabelledPictures, parameters: Parameters, rows: Rows) -> tuple[Floats, Floats]:
    """Clean and noisy pictures of some rows, (n, side²)."""
    clean = (data.pixels.take(rows).mean(-1) / 255.0).reshape(len(rows), -1).astype(np.float32)
    noise = generator(parameters.seed, "noise of pictures").standard_normal(
        (data.pixels.shape[0], clean.shape[1]), dtype=np.float32
    )
    return clean, clean + np.float32(parameters.noise) * noise[rows]


def prepare(data: LabelledPictures, block: Block) -> Any:
    """A unit's pictures, and the source's encoders as they are asked for."""
    from .decoder_training import Unit

    parameters = msgspec.convert(block.parameters, Parameters)
    (split,) = block.splits
    return Unit(draw(data, parameters, block.unit, split), parameters, block.unit, split)


def compute(unit: Any, block: Block, _: Keeping) -> dict[str, Columns]:
    """Train one condition on one task at all training sizes; its scores, and in the first unit some pictures made."""
    parameters = msgspec.convert(block.parameters, Parameters)
    (condition,), (split,), (task,) = block.conditions, block.splits, parameters.tasks
    made, scores = unit.train(condition, task)
    count = len(parameters.pictures)
    drawn: Drawn = unit.drawn
    tables = {
        "measurements": {
            "split": [split] * count,
            "condition": [condition] * count,
            "task": [task] * count,
            "pictures": list(parameters.pictures),
            "value": scores,
        },
        "halves": {
            "unit": [block.unit] * 2,
            "half": ["source", "target"],
            "classes": [" ".join(half) for half in drawn.classes],
        },
    }
    if (block.unit, split) == ("split 01", 0):
        tables["examples"] = unit.examples(made, condition, task)
    return tables


def remarks(_: Mapping[str, Any]) -> list[str]:
    """What the score is."""
    return ["score: explained variance of the clean picture (reconstruction), intersection over union (segmentation)."]


EXAMPLES = ("task", "condition", "pictures", "example", "seen", "wanted", "made")
STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"halves": ("unit", "half", "classes"), "examples": EXAMPLES},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="pictures",
    part="networks",
    draws={"pictures": draw_pictures_made},
)
