"""What a study is: how one kind of experiment is cut into blocks, and what a block is handed and gives back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from .protocol import Value

Columns = dict[str, list[Any]]
"""A table as a study returns it: column → values, all of one length."""
Arrays = Mapping[str, NDArray[np.generic]]
MOST, MOST_SEED = 1_000_000, 2**63 - 1
"""Of whatever is counted in a study's parameters: more cannot be meant, and would only be waited for."""
LEAST, GREATEST = 1e-12, 1e12
"""Of a strength, a rate or a scale: beyond, squares and quotients are no numbers any more."""
Positive = Annotated[int, Meta(ge=1, le=MOST)]
Count = Annotated[int, Meta(ge=0, le=MOST)]
Seed = Annotated[int, Meta(ge=0, le=MOST_SEED)]
Strength = Annotated[float, Meta(ge=LEAST, le=GREATEST)]
Degree = Annotated[float, Meta(ge=0.0, le=GREATEST)]
"""A strength that may be none."""
OWN = "own:"
"""What the name of a condition begins with that a user brought: a classifier of their own."""


@dataclass(frozen=True)
class Block:
    """One piece of work; its key names its own parameters, its data and the study's version, nothing else.

    scores: whether it also gives the score of every test example, in a table ``scores``.
    """

    study: str
    version: int
    unit: str
    splits: tuple[int, ...]
    group: str
    conditions: tuple[str, ...]
    parameters: Mapping[str, Value]
    data: str
    needs: tuple[str, ...] = ()
    chain: str = ""
    scores: bool = False

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the key is the hash of."""
        return {
            "study": self.study,
            "version": self.version,
            "unit": self.unit,
            "splits": list(self.splits),
            "group": self.group,
            "conditions": list(self.conditions),
            "parameters": dict(self.parameters),
            "data": self.data,
            **({"needs": list(self.needs)} if self.needs else {}),
            **({"scores": True} if self.scores else {}),
        }

    @cached_property
    def key(self) -> str:
        """40 hexadecimal digits."""
        return digest(self.identity)[:40]

    @property
    def task(self) -> tuple[str, tuple[int, ...], str]:
        """Blocks with the same task share what ``prepare`` returns."""
        return self.unit, self.splits, self.chain


def digest(value: object) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


class Keeping(Protocol):
    """What a block is handed besides its data: where to compute, what to go on from, and the weights it needs."""

    device: str

    def begun(self) -> tuple[Arrays, str] | None:
        """What an interrupted computation of this very block left, with its notes."""

    def keep_begun(self, arrays: Arrays, notes: str) -> None:
        """Leave what the rest can go on from; gone once the block has finished."""

    def weights(self, need: int) -> Arrays:
        """The weights that the block's need of that number kept."""

    def keep_weights(self, arrays: Arrays) -> None:
        """Keep weights for the blocks that need this one."""


@dataclass(frozen=True)
class Piece:
    """What a study cuts its work into; the plan makes a block of each.

    at: levels of factors, and choices as they were settled, that this piece alone has; the rest of the parameters are
    the run's. needs: pieces whose weights it starts from. chain: pieces of one unit, splits and chain are computed one
    after the other by one process, and share what ``prepare`` returns.
    """

    unit: str
    splits: tuple[int, ...]
    group: str
    conditions: tuple[str, ...]
    at: Mapping[str, Value] = field(default_factory=dict)
    needs: tuple[Piece, ...] = ()
    chain: str = ""


@dataclass(frozen=True)
class Estimate:
    """What blocks will cost: seconds of each block on one core (or the device), bytes of memory a process, remarks."""

    seconds: tuple[float, ...]
    memory: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """How one kind of experiment is computed.

    version: raised when numbers change on purpose. Parameters: a msgspec struct that types every factor and choice.
    says: condition → what it is, in a line. tables: further tables it writes, with their columns in order.
    cut: (data, parameters, conditions, seeds) → the pieces of work, those that others need first; raises a data error
    where examples are too few for the parameters. prepare: (data, block) → what the block's task shares. compute:
    (shared, block, keeping) → tables of the block, among them ``measurements`` with columns split, condition, the
    factors, value and, where there are several, metric. remarks: (tables by name) → sentences that belong under the
    printed table. shape: of the data. side: of the pictures that parameters ask for. part: the optional part of tlbench
    that it computes with. metrics: those that it names; empty where it measures the protocol's. draws: name of a figure
    of its own → a pure function of the tables by name that gives a matplotlib figure, or None where they hold nothing
    to draw. estimate: (data, blocks, device) → what they will cost, measured now. methods: the conditions that a user
    brought; None where classifiers of a user's own cannot take part. keeps_scores: whether its blocks can give the
    score of every test example.
    """

    version: int
    Parameters: type[msgspec.Struct]
    says: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    cut: Callable[[Any, Any, Sequence[str], int], list[Piece]]
    prepare: Callable[[Any, Block], Any]
    compute: Callable[[Any, Block, Keeping], dict[str, Columns]]
    remarks: Callable[[Mapping[str, Any]], list[str]]
    shape: Literal["features", "pictures", "tables"] = "features"
    side: Callable[[Any], int | None] = lambda _: None
    part: str | None = None
    metrics: tuple[str, ...] = ()
    draws: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    estimate: Callable[[Any, Sequence[Block], str], Estimate] | None = None
    methods: tuple[str, ...] | None = None
    keeps_scores: bool = False


def units_by_groups(
    units: Callable[[Any, Any], Mapping[str, Mapping[str, Value]]], groups: Mapping[str, str], splits_per_block: int
) -> Callable[[Any, Any, Sequence[str], int], list[Piece]]:
    """A study's ``cut`` into units × batches of splits × groups of conditions that are computed together.

    units: (data, parameters) → the units of replication, each with the levels that it alone has. groups: condition →
    its group; adding a condition runs only its group. splits_per_block: splits that one block computes as a batch,
    fixed so that bytes never depend on what happened to be missing.
    """

    def cut(data: Any, parameters: Any, conditions: Sequence[str], seeds: int) -> list[Piece]:
        together: dict[str, list[str]] = {}
        for condition in conditions:
            together.setdefault(groups[condition], []).append(condition)
        starts = range(0, seeds, splits_per_block)
        batches = [tuple(range(start, min(start + splits_per_block, seeds))) for start in starts]
        return [
            Piece(unit, splits, group, tuple(members), at)
            for unit, at in units(data, parameters).items()
            for splits in batches
            for group, members in together.items()
        ]

    return cut
