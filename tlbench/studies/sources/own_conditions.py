"""A classifier of a user's own on a target with its sources: the task's draws and source machines, on plain arrays.

X holds the kinds of feature side by side, each multiplied by one number so that two of the examples that the sources
were trained on are, in the mean, 1/kinds apart in it (squared): kinds weigh alike, and over all kinds together the mean
squared distance is 1. No example of the target enters.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ... import own_methods
from ...datasets import FeaturePack, generator
from ...methods.kernels import mean_squared_distance
from ...study import Block
from .source_conditions import Found
from .source_task import SourceMachines, Task

Floats = NDArray[np.float64]
REMEMBERED = 4
"""Sets of examples whose source scores are kept: every source is asked about the same few."""


@dataclass(frozen=True)
class SideBySide:
    """Kinds of feature as one array and back again; columns and factors by kind."""

    columns: Mapping[str, slice]
    factors: Mapping[str, float]

    @classmethod
    def fit(cls, features: Mapping[str, Floats]) -> Self:
        """Choose the factors from (n, d) arrays, one a kind, that describe the same n examples; 1 for a constant."""
        ends = np.cumsum([0, *(values.shape[1] for values in features.values())]).tolist()
        apart = {kind: mean_squared_distance(values) * len(features) for kind, values in features.items()}
        return cls(
            {kind: slice(*ends[place : place + 2]) for place, kind in enumerate(features)},
            {kind: 1.0 / np.sqrt(distance) if distance > 0.0 else 1.0 for kind, distance in apart.items()},
        )

    def join(self, features: Mapping[str, Floats]) -> Floats:
        """X (n, d)."""
        return np.hstack([features[kind] * factor for kind, factor in self.factors.items()])

    def part(self, X: Floats) -> dict[str, Floats]:
        """What ``join`` was given."""
        return {kind: X[:, self.columns[kind]] / factor for kind, factor in self.factors.items()}


def sources_of(machines: SourceMachines, names: list[str], beside: SideBySide) -> list[own_methods.Source]:
    """The task's source machines as classifiers on X."""
    dimensions = max(columns.stop for columns in beside.columns.values())

    @lru_cache(maxsize=REMEMBERED)
    def scores(content: bytes) -> Floats:
        return machines.scores(beside.part(np.frombuffer(content).reshape(-1, dimensions)))

    def source(name: str, place: int) -> own_methods.Source:
        return own_methods.Source(name, dimensions, lambda X: scores(X.tobytes())[:, place].copy())

    return [source(name, place) for place, name in enumerate(names)]


def find_own(task: Task, block: Block, seed: int) -> Found:
    """Balanced accuracies of the block's own method, and weights where it learns them: one fit a split and shot count.

    Raises BrokenMethodError where it has been edited since the run was planned, ContractError for what it must not do,
    and whatever the method raises.
    """
    method, (condition,) = own_methods.planned(block.group), block.conditions
    pack: FeaturePack = task.sources.pack
    beside = SideBySide.fit(pack.take(task.rows.source_training))
    sources = sources_of(task.sources, task.names, beside)
    decisions = np.empty((*task.labels.shape[:2], task.rows.test.shape[1]))
    weights: list[Any] = []
    for place, split in enumerate(block.splits):
        random_state = int(generator(seed, "own method", block.unit, split).integers(2**31))
        training, testing = (beside.join(pack.take(rows[place])) for rows in (task.rows.train, task.rows.test))
        for count, labels in enumerate(task.labels[place]):
            used = labels != 0.0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `tlbench validate` tells them once, and not for every fit
                signs = labels[used].astype(np.intp)
                estimator = own_methods.fit(method.make, sources, training[used], signs, random_state)
                decisions[place, count] = own_methods.decide(estimator, testing)
            weights.append(own_methods.source_weights(estimator, len(sources)))
    if any(one is None for one in weights):
        return Found.of(task, {condition: decisions})
    return Found.of(
        task, {condition: decisions}, {condition: np.array(weights).reshape(*task.labels.shape[:2], len(sources))}
    )
