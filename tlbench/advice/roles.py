"""Who plays what: the target with all sources as its own, or in rehearsal a source as target with the others.

The background is divided once per seed into three pools, as in ``datasets.splits``: for the sources, for the target's
training and for its test. Where the background is made of the sources' own pictures, nobody who plays the target meets
its own among them, as the true target does not; and no source does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets import TaskRows, generator
from ..datasets.splits import SourceRows
from .material import Material

Rows = NDArray[np.intp]

MOST_NEGATIVES = 30
"""Background pictures that a target is trained against."""
MOST_SOURCE_EXAMPLES = 80
"""Of each class that a source is trained on."""
MOST_TEST_EXAMPLES = 50
"""Of each class that a rehearsal is tested on."""
FEWEST_TEST_EXAMPLES = 15
"""Positives that must be left for the test of a rehearsal."""


@dataclass(frozen=True)
class Pools:
    """Rows of the background: for the sources, for the target's training, for its test."""

    source: Rows
    training: Rows
    test: Rows


def divide(material: Material, seed: int, *without: str) -> Pools:
    """The pools, without what was set apart of some categories; what is left falls into the same pools for all."""
    shuffled = generator(seed, "background pools").permutation(material.background)
    allowed = material.outside(*without)
    return Pools(*(np.sort(pool[allowed[pool]]) for pool in np.array_split(shuffled, 3)))


def most_negatives(material: Material, seed: int) -> int:
    """How many negatives every target gets: as many as are there for each that may play it."""
    pools = [divide(material, seed), *(divide(material, seed, name) for name in material.sources)]
    return min(MOST_NEGATIVES, *(len(pool.training) for pool in pools))


def target_rows(material: Material, seed: int) -> TaskRows:
    """The true target: all of its positives, all sources; the test is the background that nobody is trained on."""
    pools = divide(material, seed)
    negatives = generator(seed, "target", material.target).permutation(pools.training)[: most_negatives(material, seed)]
    train = np.r_[negatives, material.positives]
    return TaskRows(material.target, _sources(material, seed, material.target), train[None], pools.test[None], 0)


def rehearsal_rows(material: Material, player: str, most_shots: int, draws: Sequence[int], seed: int) -> TaskRows:
    """A source as target, with the other sources as its own: pictures drawn anew for each draw."""
    pools, count = divide(material, seed, player), most_negatives(material, seed)
    own, train, test = material.sources[player], [], []
    test_positives = min(MOST_TEST_EXAMPLES, len(own) - most_shots)
    for draw in draws:
        random = generator(seed, "rehearsal", player, draw)
        positives, negatives = random.permutation(own), random.permutation(pools.training)[:count]
        train.append(np.r_[negatives, positives[:most_shots]])
        held = positives[most_shots : most_shots + test_positives]
        test.append(np.r_[held, random.permutation(pools.test)[:MOST_TEST_EXAMPLES]])
    return TaskRows(player, _sources(material, seed, player), np.array(train), np.array(test), test_positives)


def _sources(material: Material, seed: int, target: str) -> dict[str, SourceRows]:
    """Each source but the target, with negatives that are neither its own nor the target's."""
    drawn = {}
    for name, positives in material.sources.items():
        if name == target:
            continue
        random = generator(seed, f"source {name}", target)
        negatives = divide(material, seed, name, target).source
        drawn[name] = SourceRows(
            np.sort(random.permutation(positives)[:MOST_SOURCE_EXAMPLES]),
            np.sort(random.permutation(negatives)[:MOST_SOURCE_EXAMPLES]),
        )
    return drawn
