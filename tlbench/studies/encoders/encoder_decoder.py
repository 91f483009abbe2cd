"""Heterogeneous transfer: the source's pictures are in one feature space, the target's, other pictures, in another.

A unit is a random set of classes; its pictures are divided anew in each split, so that no picture is both a source's
and a target's. Only the declaration lies here; what needs the optional part is in ``code_training``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ...datasets import DataError, FeaturePack, KernelData, generator
from ...study import Block, Columns, Keeping, Piece, Study
from .code_choices import LEAST_TEST_PICTURES, Floats, Parameters, Rows, Sight
from .views import ends_of, see, views_of

SAYS = {
    "none": "no transfer: the target's encoder and a head, from labelled target pictures alone",
    "own-autoencoder": "no source: unlabelled target pictures too, by reconstruction",
    "shared-head": "a source in its own space under the same head; nothing is aligned or reconstructed",
    "without-reconstruction": "encoder–decoder without decoders",
    "without-alignment": "encoder–decoder without the divergence of codes",
    "without-unlabelled": "encoder–decoder that sees labelled target pictures alone",
    "encoder-decoder": "an encoder and a decoder for each space, aligned codes, one head",
    "encoder-decoder-pairs": "the same, and some unlabelled target pictures are seen in the source's space too",
}


def cut(data: KernelData, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Sets of classes × splits × views × conditions; raises DataError where data or their pictures will not do."""
    pack = _pack_of(data, parameters)
    for view in dict.fromkeys(end for pair in parameters.pairs_of_views for end in ends_of(pair)):
        see(pack, view, parameters.noise, parameters.seed)
    return [
        Piece(f"classes {number:02}", (split,), condition, (condition,), {"views": pair}, chain=pair)
        for number in range(1, parameters.draws + 1)
        for split in range(seeds)
        for pair in parameters.pairs_of_views
        for condition in conditions
    ]


def _pack_of(data: KernelData, parameters: Parameters) -> FeaturePack:
    if not isinstance(data, FeaturePack):
        raise DataError("this experiment needs one set of examples in several feature spaces, not several settings")
    if len(views_of(data)) < 2:
        raise DataError("these data have one feature space; the experiment needs two, or square pictures as 'pixels'")
    if len(data.categories) < parameters.classes:
        raise DataError(f"these data have {len(data.categories)} categories; set classes to at most that")
    name, fewest = min(((name, len(rows)) for name, rows in data.categories.items()), key=lambda one: one[1])
    needed = parameters.source_pictures + parameters.target_pictures + LEAST_TEST_PICTURES
    if fewest < needed:
        raise DataError(
            f"category '{name}' has {fewest} examples, and {needed} are needed; set source_pictures or "
            "target_pictures lower"
        )
    for kind, values in data.features.items():
        if not np.isfinite(values).all():
            raise DataError(f"feature '{kind}' holds numbers that are not finite; remove those examples")
    return data


def look(pack: FeaturePack, parameters: Parameters, unit: str, split: int) -> Sight:
    """Draw a unit's classes and divide their pictures; all views, conditions and shots share the draw.

    Views are standardised by the means and deviations of the training pictures seen in them: the source's by those of
    the source, the target's by those of the target, labelled or not. Nothing of the test enters.
    """
    named = sorted(generator(parameters.seed, "classes", unit).permutation(len(pack.categories))[: parameters.classes])
    classes = [list(pack.categories)[place] for place in named]
    draw = generator(parameters.seed, "pictures of classes", unit, split)
    ends = np.cumsum([parameters.source_pictures, parameters.target_pictures, parameters.test_pictures])
    parts = [np.split(draw.permutation(pack.categories[name]), ends)[:3] for name in classes]
    source, target = (np.array([part[place] for part in parts]).T.ravel() for place in (0, 1))
    test = np.concatenate([part[2] for part in parts])
    labels = np.arange(len(classes))
    one, other = (see(pack, view, parameters.noise, parameters.seed) for view in ends_of(str(parameters.views)))
    seen_source, seen_target = _standardised(one, source), _standardised(other, target)
    pairs = target[-parameters.paired_pictures * len(classes) :]
    return Sight(
        source=(seen_source[source], np.tile(labels, parameters.source_pictures)),
        target=(seen_target[target], np.tile(labels, parameters.target_pictures)),
        paired=(seen_source[pairs], seen_target[pairs]),
        test=(seen_target[test], np.repeat(labels, [len(part[2]) for part in parts])),
        classes=tuple(classes),
    )


def _standardised(values: Floats, rows: Rows) -> Floats:
    """All rows, by the mean and deviation of some; a number that is the same in all of those stays zero there."""
    mean, deviation = values[rows].mean(0), values[rows].std(0)
    return (values - mean) / np.where(deviation > 1e-9, deviation, 1.0)


def prepare(pack: FeaturePack, block: Block) -> Sight:
    """The pictures that all conditions of a unit, split and pair of views share."""
    (split,) = block.splits
    return look(pack, msgspec.convert(block.parameters, Parameters), block.unit, split)


def compute(sight: Sight, block: Block, _: Keeping) -> dict[str, Columns]:
    """Train one condition at all shots; its accuracies, and which classes they were about."""
    from .code_training import accuracies

    parameters = msgspec.convert(block.parameters, Parameters)
    (condition,), (split,) = block.conditions, block.splits
    found = accuracies(sight, parameters, condition, block.unit, split)
    count = len(parameters.shots)
    return {
        "measurements": {
            "split": [split] * count,
            "condition": [condition] * count,
            "views": [str(parameters.views)] * count,
            "shots": list(parameters.shots),
            "value": found,
        },
        "classes": {
            "unit": [block.unit] * len(sight.classes),
            "class": list(sight.classes),
            "test_pictures": np.bincount(sight.test[1]).tolist(),
        },
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How many classes and pictures stand behind the numbers."""
    if "classes" not in tables:
        return []
    drawn = tables["classes"].drop_duplicates(["unit", "class"])
    sizes = drawn.groupby("unit").size()
    return [f"{len(sizes)} sets of {sizes.iloc[0]} classes, drawn from the same categories; classes.csv says which."]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"classes": ("unit", "class", "test_pictures")},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    part="networks",
)
