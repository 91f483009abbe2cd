"""From a protocol to blocks: the independent pieces of work that are scheduled, stored and resumed.

A study says how one kind of experiment is cut into blocks and computed; the plan only counts them out. Nothing here
computes or touches a disk.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from typing import Protocol as Interface

import msgspec
import numpy as np
from numpy.typing import NDArray

from .protocol import (
    Claim,
    Figure,
    Protocol,
    ProtocolError,
    Value,
    columns_used,
    convert,
    nearest,
    words_used,
)

Columns = dict[str, list[Any]]
"""A table as a study returns it: column → values, all of one length."""
Arrays = Mapping[str, NDArray[np.generic]]


class Keeping(Interface):
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
    that it computes with. estimate: (data, blocks, device) → what they will cost, measured now.
    """

    version: int
    Parameters: type[msgspec.Struct]
    says: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    cut: Callable[[Any, Any, Sequence[str], int], list[Piece]]
    prepare: Callable[[Any, Block], Any]
    compute: Callable[[Any, Block, Keeping], dict[str, Columns]]
    remarks: Callable[[Mapping[str, Any]], list[str]]
    shape: Literal["features", "pictures"] = "features"
    side: Callable[[Any], int | None] = lambda _: None
    part: str | None = None
    estimate: Callable[[Any, Sequence[Block], str], Estimate] | None = None


def units_by_groups(
    units: Callable[[Any, Any], list[str]], groups: Mapping[str, str], splits_per_block: int
) -> Callable[[Any, Any, Sequence[str], int], list[Piece]]:
    """A study's ``cut`` into units × batches of splits × groups of conditions that are computed together.

    units: (data, parameters) → the units of replication. groups: condition → its group; adding a condition runs only
    its group. splits_per_block: splits that one block computes as a batch, fixed so that bytes never depend on what
    happened to be missing.
    """

    def cut(data: Any, parameters: Any, conditions: Sequence[str], seeds: int) -> list[Piece]:
        together: dict[str, list[str]] = {}
        for condition in conditions:
            together.setdefault(groups[condition], []).append(condition)
        starts = range(0, seeds, splits_per_block)
        batches = [tuple(range(start, min(start + splits_per_block, seeds))) for start in starts]
        return [
            Piece(unit, splits, group, tuple(members))
            for unit in units(data, parameters)
            for splits in batches
            for group, members in together.items()
        ]

    return cut


@dataclass(frozen=True)
class Settings:
    """Everything that decides the numbers of a run, but for the data themselves.

    changed: the keys that differ from the protocol under its profile, as the folder's name shows them.
    """

    profile: str
    seeds: int
    conditions: tuple[str, ...]
    factors: Mapping[str, Value]
    choices: Mapping[str, Value]
    data: Mapping[str, Any]
    changed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Value]:
        """Factors and choices together, as a study's Parameters take them."""
        return {**self.factors, **self.choices}


@dataclass(frozen=True)
class Block:
    """One piece of work; its key names its own parameters, its data and the study's version, nothing else."""

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
        }

    @cached_property
    def key(self) -> str:
        """40 hexadecimal digits."""
        return digest(self.identity)[:40]

    @property
    def task(self) -> tuple[str, tuple[int, ...], str]:
        """Blocks with the same task share what ``prepare`` returns."""
        return self.unit, self.splits, self.chain


@dataclass(frozen=True)
class Plan:
    """All blocks of a run, in the order of its tables."""

    protocol: Protocol
    settings: Settings
    blocks: tuple[Block, ...]

    @property
    def short_hash(self) -> str:
        """Seven digits that stand for parameters, data and study; the manifest explains them."""
        return digest([block.key for block in self.blocks])[:7]

    @property
    def cells(self) -> int:
        """How many measurements of one metric are planned.

        Those of a block are of its own levels, and of all levels of a factor that it does not settle.
        """
        factors = self.settings.factors

        def levels(block: Block) -> int:
            count = 1
            for name in factors:
                value = block.parameters[name]
                count *= len(value) if isinstance(value, list) else 1
            return count

        return sum(levels(block) * len(block.conditions) * len(block.splits) for block in self.blocks)

    def tasks(self, blocks: Sequence[Block]) -> Iterator[list[Block]]:
        """The given blocks, those of one task together."""
        together: dict[object, list[Block]] = {}
        for block in blocks:
            together.setdefault(block.task, []).append(block)
        yield from together.values()


def digest(value: object) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


MOST_SEEDS = 100_000
DATA_KEYS = ("setting", "background", "categories", "features", "class_list")


def resolve(
    protocol: Protocol, study: Study, profile: str | None, overrides: Mapping[str, str], dataset: str = ""
) -> Settings:
    """Settings of a run: the protocol on a data set, under a profile, then what the user sets.

    ``overrides`` maps keys to text as typed. Raises ProtocolError for an unknown profile, key or condition (with the
    nearest known one) and for a value of the wrong type or outside its bounds.
    """
    profile = protocol.default_profile if profile is None else profile
    if profile not in protocol.profiles:
        raise ProtocolError(f"{protocol.name} has no profile '{profile}'; {nearest(profile, list(protocol.profiles))}")
    chosen = protocol.profiles[profile]
    changes = {**protocol.datasets.get(dataset, {}), **chosen.choices}
    factors = {key: changes.get(key, value) for key, value in {**protocol.factors, **chosen.factors}.items()}
    usual: dict[str, Any] = {
        "seeds": chosen.seeds,
        "conditions": list(protocol.conditions),
        **{
            key: list(value) if isinstance(value := getattr(protocol.data, key, None), tuple) else value
            for key in DATA_KEYS
        },
        **{key: sorted(set(value)) if isinstance(value, list) else value for key, value in factors.items()},
        **{key: changes.get(key, choice.value) for key, choice in protocol.choices.items()},
    }
    values = dict(usual)
    for key, text in overrides.items():
        if key not in usual:
            raise ProtocolError(f"{protocol.name} has no key '{key}' to set; {nearest(key, list(usual))}")
        values[key] = _typed(text, like=usual[key])
    parameters = convert({key: values[key] for key in (*factors, *protocol.choices)}, study.Parameters, protocol.name)
    values |= msgspec.structs.asdict(parameters)
    values |= {key: sorted(set(levels)) for key in factors if isinstance(levels := values[key], list)}
    if not values["conditions"]:
        raise ProtocolError(f"{protocol.name} needs at least one condition; known are {', '.join(study.says)}")
    if type(values["seeds"]) is not int or not 1 <= values["seeds"] <= MOST_SEEDS:
        raise ProtocolError(f"seeds must be a whole number from 1 to {MOST_SEEDS:,}, not {overrides.get('seeds')!r}")
    for condition in values["conditions"]:
        if condition not in study.says:
            raise ProtocolError(f"there is no condition '{condition}'; {nearest(condition, list(study.says))}")
    _refuse_unknown_words(protocol, study)
    if unknown := set(chosen.factors) - set(protocol.factors):
        raise ProtocolError(f"profile '{profile}' sets '{min(unknown)}', which is not a factor")
    return Settings(
        profile=profile,
        seeds=values["seeds"],
        conditions=tuple(dict.fromkeys(values["conditions"])),
        factors={key: values[key] for key in factors},
        choices={key: values[key] for key in protocol.choices},
        data={key: values[key] for key in DATA_KEYS},
        changed={key: values[key] for key in usual if values[key] != usual[key]},
    )


def _refuse_unknown_words(protocol: Protocol, study: Study) -> None:
    """Claims, figures and oracles may speak of tables, columns and conditions that there are."""
    measured = ("unit", "split", "condition", *protocol.factors, "metric")
    tables = {"measurements": (*measured, "value"), **study.tables}
    named: list[tuple[str, Claim | Figure, tuple[str, ...]]] = [
        (f"claim '{claim.id}'", claim, measured) for claim in protocol.claims
    ]
    for figure in protocol.figures:
        if figure.table not in tables:
            known = nearest(figure.table, list(tables))
            raise ProtocolError(f"figure '{figure.name}': there is no table '{figure.table}'; {known}")
        named.append((f"figure '{figure.name}'", figure, tables[figure.table]))
    for owner, declared, columns in named:
        for column in columns_used(declared):
            if column not in columns:
                raise ProtocolError(f"{owner}: there is no column '{column}'; {nearest(column, columns)}")
        for column, level in words_used(declared):
            if column == "condition" and level is not None:
                _refuse_unknown_condition(owner, str(level), study)
    for oracle in protocol.oracles:
        _refuse_unknown_condition("oracles", oracle, study)


def _refuse_unknown_condition(owner: str, condition: str, study: Study) -> None:
    if condition not in study.says:
        raise ProtocolError(f"{owner}: there is no condition '{condition}'; {nearest(condition, list(study.says))}")


def _typed(text: str, like: object) -> Any:
    """A value as typed on the command line, read as TOML where that gives the kind of value that stands there now."""
    if isinstance(like, list):
        items = [part.strip() for part in text.strip("[] ").split(",") if part.strip()]
        return [_typed(item, like=like[0] if like else "") for item in items]
    if isinstance(like, str) or like is None:
        return text
    if "#" in text or "\n" in text:
        return text
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return float(value) if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool) else value


def make_plan(protocol: Protocol, study: Study, settings: Settings, data: Any, fingerprint: str) -> Plan:
    """Make blocks of the pieces that the study cuts its work into. Raises what ``study.cut`` raises."""
    parameters = msgspec.convert(settings.parameters, study.Parameters)
    blocks: dict[int, Block] = {}
    for piece in (pieces := study.cut(data, parameters, settings.conditions, settings.seeds)):
        blocks[id(piece)] = Block(
            study=protocol.study,
            version=study.version,
            unit=piece.unit,
            splits=piece.splits,
            group=piece.group,
            conditions=piece.conditions,
            parameters={**settings.parameters, **piece.at},
            data=fingerprint,
            needs=tuple(blocks[id(need)].key for need in piece.needs),
            chain=piece.chain,
        )
    return Plan(protocol, settings, tuple(blocks[id(piece)] for piece in pieces))
