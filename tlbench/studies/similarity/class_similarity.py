"""The more alike the classes, the more layers to share? Scores of likeness against what frozen transfer brings.

A unit is a target: some classes drawn at random, with few training pictures. A split is a source for it: as many of the
other classes, with more pictures; a target's pictures and its own network stay the same for all its sources. A network
learns each source, and networks for the target start from its first n layers, frozen, for every n. Table ``pairs`` has
a row a source: scores that see training pictures alone, beside what was gained on the test. Here lies the declaration;
``frozen_transfer`` trains and ``scores`` compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...datasets import DataError, LabelledPictures, generator
from ...protocol import ProtocolError
from ...study import Block, Columns, Keeping, Piece, Study
from ..layers.choices import NETWORKS
from .choices import Classes, Parameters, Rows, Task
from .drawing import draw_depth, draw_gain, draw_likeness

SAYS = {
    "base": "a network of the target's own, from scratch (layers = 0)",
    "AnB": "the first n layers of a source's network, frozen; the others anew",
}


def cut(pictures: LabelledPictures, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """A base a target, then a piece for each of its sources. Raises DataError where classes or pictures are too few."""
    if set(conditions) != set(SAYS):
        raise ProtocolError("conditions must be base and AnB: what a source brings is the difference of the two")
    side, wanted = pictures.pixels.shape[1], NETWORKS[parameters.network].side
    if side != wanted:
        fitting = [name for name in ("digits8", "small32") if NETWORKS[name].side == side]
        raise DataError(
            f"network {parameters.network} takes pictures of {wanted} × {wanted} pixels, and these have "
            f"{side} × {side}; {f'set network={fitting[0]}' if fitting else 'networks here take 8 or 32 pixels a side'}"
        )
    _refuse_too_few(pictures, parameters, seeds)
    bases, sources = [], []
    for target in range(parameters.targets):
        base = Piece(unit_name(target), (0,), "base", ("base",), {"layers": 0}, chain="base")
        bases.append(base)
        sources += [Piece(base.unit, (split,), "AnB", ("AnB",), needs=(base,)) for split in range(seeds)]
    return [*bases, *sources]


def unit_name(target: int) -> str:
    """A target by its number."""
    return f"target {target + 1:03}"


def _refuse_too_few(pictures: LabelledPictures, parameters: Parameters, seeds: int) -> None:
    count, each = len(pictures.classes), parameters.classes_per_task
    if count < 2 * each:
        raise DataError(
            f"there are {count} classes, and a target and a source of {each} need {2 * each}; set classes_per_task to "
            f"at most {count // 2}"
        )
    for what, of, asked in (
        ("targets", f"{count} classes", parameters.targets),
        ("sources (seeds)", f"{count - each} other classes", seeds),
    ):
        there = comb(int(of.split()[0]), each)
        if asked > there:
            raise DataError(f"{each} of {of} make {there} different {what}, not {asked}; set fewer")
    own, source = (
        parameters.pictures_per_class + parameters.validation_pictures_per_class,
        parameters.source_pictures_per_class,
    )
    test = parameters.test_pictures_per_class
    if pictures.is_test is None:
        needs = [("", np.ones(len(pictures.labels), dtype=bool), max(own + test, source))]
    else:
        needs = [("training ", ~pictures.is_test, max(own, source)), ("test ", pictures.is_test, test)]
    for word, part, needed in needs:
        sizes = np.bincount(pictures.labels[part], minlength=count)
        if sizes.min() < needed:
            raise DataError(
                f"class '{pictures.classes[int(sizes.argmin())]}' has {sizes.min():,} {word}pictures, and {needed:,} "
                "are asked for; set lower numbers of pictures_per_class, or of those of source, validation or test"
            )


def distinct_sets(classes: Classes, size: int, count: int, draw: Generator) -> list[Classes]:
    """Draw ``count`` different sets of so many classes, each in the classes' order; fewer are the first of more."""
    found: list[Classes] = []
    while len(found) < count:
        places = sorted(draw.permutation(len(classes))[:size].tolist())
        drawn = tuple(classes[place] for place in places)
        if drawn not in found:
            found.append(drawn)
    return found


def target_task(pictures: LabelledPictures, parameters: Parameters, unit: str) -> Task:
    """The target of a unit."""
    number = int(unit.rpartition(" ")[2])
    sets = distinct_sets(
        pictures.classes, parameters.classes_per_task, number, generator(parameters.seed, "target classes")
    )
    own, validation = parameters.pictures_per_class, parameters.validation_pictures_per_class
    draw = generator(parameters.seed, "target pictures", unit)
    parts = _draw_rows(pictures, sets[-1], (own, validation), parameters.test_pictures_per_class, draw)
    return Task(sets[-1], *parts)


def source_task(pictures: LabelledPictures, parameters: Parameters, unit: str, split: int) -> Task:
    """The source of a split: none of the target's classes."""
    target = target_task(pictures, parameters, unit).classes
    others = tuple(name for name in pictures.classes if name not in target)
    draw = generator(parameters.seed, "source classes", unit)
    sets = distinct_sets(others, parameters.classes_per_task, split + 1, draw)
    pictures_drawn = generator(parameters.seed, "source pictures", unit, split)
    parts = _draw_rows(pictures, sets[-1], (parameters.source_pictures_per_class, 0), 0, pictures_drawn)
    return Task(sets[-1], *parts)


def _draw_rows(
    pictures: LabelledPictures, classes: Classes, parts: tuple[int, int], test: int, draw: Generator
) -> tuple[Rows, Rows, Rows]:
    """Rows of two disjoint parts of each class, and of a test from the data's own test part or from what is left."""
    found: list[list[Rows]] = [[], [], []]
    for name in classes:
        rows = np.flatnonzero(pictures.labels == pictures.classes.index(name))
        own = np.zeros(len(rows), dtype=bool) if pictures.is_test is None else pictures.is_test[rows]
        shuffled = draw.permutation(rows[~own])
        left = shuffled[sum(parts) :] if pictures.is_test is None else draw.permutation(rows[own])
        for place, part in enumerate((shuffled[: parts[0]], shuffled[parts[0] : sum(parts)], left[:test])):
            found[place].append(part)
    training, validation, held = (np.sort(np.concatenate(part)) for part in found)
    return training, validation, held


def prepare(pictures: LabelledPictures, _: Block) -> LabelledPictures:
    """Nothing is shared."""
    return pictures


def compute(pictures: LabelledPictures, block: Block, keeping: Keeping) -> dict[str, Columns]:
    """A target's own network, or one source: accuracies at every n, and its row of ``pairs``."""
    from .frozen_transfer import train_base, transfer

    parameters = msgspec.convert(block.parameters, Parameters)
    target, split = target_task(pictures, parameters, block.unit), block.splits[0]
    if block.conditions == ("base",):
        base = train_base(pictures, target, parameters, block.unit, keeping)
        return {"measurements": _measurements("base", split, [0], base[None])}
    source = source_task(pictures, parameters, block.unit, split)
    found = transfer(pictures, target, source, parameters, (block.unit, split), keeping)
    names = {"unit": block.unit, "split": split, "condition": "AnB"}
    names |= {"target": " ".join(target.classes), "source": " ".join(source.classes)}
    return {
        "measurements": _measurements("AnB", split, parameters.depths, found.accuracies),
        "pairs": {name: [value] for name, value in {**names, **found.scores, **found.outcomes(parameters)}.items()},
    }


def _measurements(condition: str, split: int, depths: Sequence[int], accuracies: NDArray[np.float64]) -> Columns:
    """accuracies: (depths, 2), of validation and of test."""
    count = len(depths)
    return {
        "split": [split] * 2 * count,
        "condition": [condition] * 2 * count,
        "layers": [*depths, *depths],
        "metric": ["validation_accuracy"] * count + ["accuracy"] * count,
        "value": accuracies.T.ravel().tolist(),
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How many pairs there are, how much they differ, and what choosing n brings."""
    if "pairs" not in tables:
        return []
    pairs = tables["pairs"]
    low, high = pairs["gain"].quantile([0.1, 0.9])
    chosen, brought = pairs["best"].mean(), pairs["gain_at_best"].mean()
    return [
        f"{len(pairs)} pairs of target and source; with the deeper half of the layers eight in ten gain {low:+.1f} to "
        f"{high:+.1f} points (pairs.csv).",
        f"n as validation pictures choose it is {chosen:.1f} on average, and brings {brought:+.1f} points.",
    ]


SCORES = ("relief", "beta_mass", "closeness", "cka", "logme", "leep", "h_score")
OUTCOMES = ("gain", "shareable", "best", "gain_at_best")
STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"pairs": ("unit", "split", "condition", "target", "source", *SCORES, "base", *OUTCOMES)},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    shape="pictures",
    side=lambda parameters: NETWORKS[parameters.network].side,
    part="networks",
    metrics=("accuracy", "validation_accuracy"),
    draws={"gain": draw_gain, "depth": draw_depth, "likeness": draw_likeness},
)
