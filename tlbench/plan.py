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
from typing import Any

import msgspec

from .protocol import Protocol, ProtocolError, Value, convert, nearest

Columns = dict[str, list[Any]]
"""A table as a study returns it: column → values, all of one length."""


@dataclass(frozen=True)
class Study:
    """How one kind of experiment is computed.

    version: raised when numbers change on purpose. Parameters: a msgspec struct that types every factor and choice.
    groups: condition → name of the group that is computed together; adding a condition runs only its group.
    says: condition → what it is, in a line.
    tables: further tables it writes, with their columns in order. splits_per_block: splits that one block computes as a
    batch, fixed so that bytes never depend on what happened to be missing.
    units: the units of replication that data offer; raises a data error where examples are too few for the parameters.
    prepare: (data, block) → what all groups of the block's task share. compute: (shared, block) → tables of the block,
    among them ``measurements`` with columns split, condition, the factors, value. remarks: (tables by name) → sentences
    that belong under the printed table.
    """

    version: int
    Parameters: type[msgspec.Struct]
    groups: Mapping[str, str]
    says: Mapping[str, str]
    tables: Mapping[str, tuple[str, ...]]
    splits_per_block: int
    units: Callable[[Any, Any], list[str]]
    prepare: Callable[[Any, Block], Any]
    compute: Callable[[Any, Block], dict[str, Columns]]
    remarks: Callable[[Mapping[str, Any]], list[str]]


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
        }

    @cached_property
    def key(self) -> str:
        """40 hexadecimal digits."""
        return digest(self.identity)[:40]

    @property
    def task(self) -> tuple[str, tuple[int, ...]]:
        """Blocks with the same task share what ``prepare`` returns."""
        return self.unit, self.splits


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

    def tasks(self, blocks: Sequence[Block]) -> Iterator[list[Block]]:
        """The given blocks, those of one task together."""
        together: dict[tuple[str, tuple[int, ...]], list[Block]] = {}
        for block in blocks:
            together.setdefault(block.task, []).append(block)
        yield from together.values()


def digest(value: object) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


MOST_SEEDS = 100_000
DATA_KEYS = ("setting", "background", "categories", "features")


def resolve(protocol: Protocol, study: Study, profile: str | None, overrides: Mapping[str, str]) -> Settings:
    """Settings of a run: the protocol under a profile, then what the user sets.

    ``overrides`` maps keys to text as typed. Raises ProtocolError for an unknown profile, key or condition (with the
    nearest known one) and for a value of the wrong type or outside its bounds.
    """
    profile = protocol.default_profile if profile is None else profile
    if profile not in protocol.profiles:
        raise ProtocolError(f"{protocol.name} has no profile '{profile}'; {nearest(profile, list(protocol.profiles))}")
    chosen = protocol.profiles[profile]
    factors = {**protocol.factors, **chosen.factors}
    usual: dict[str, Any] = {
        "seeds": chosen.seeds,
        "conditions": list(protocol.conditions),
        **{key: list(value) if isinstance(value := getattr(protocol.data, key), tuple) else value for key in DATA_KEYS},
        **{key: sorted(set(value)) if isinstance(value, list) else value for key, value in factors.items()},
        **{key: choice.value for key, choice in protocol.choices.items()},
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
        raise ProtocolError(f"{protocol.name} needs at least one condition; known are {', '.join(study.groups)}")
    if type(values["seeds"]) is not int or not 1 <= values["seeds"] <= MOST_SEEDS:
        raise ProtocolError(f"seeds must be a whole number from 1 to {MOST_SEEDS:,}, not {overrides.get('seeds')!r}")
    for condition in values["conditions"]:
        if condition not in study.groups:
            raise ProtocolError(f"there is no condition '{condition}'; {nearest(condition, list(study.groups))}")
    _refuse_unknown_words(protocol, study)
    _refuse_undrawable(protocol, study)
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
    """Claims may speak of conditions of the study and factors of the protocol alone."""
    columns = ["condition", "unit", "split", "metric", *protocol.factors]
    for claim in protocol.claims:
        for column, value in [*claim.of.items(), *claim.to.items(), *claim.over.items(), (claim.along or "unit", None)]:
            if column not in columns:
                raise ProtocolError(f"claim '{claim.id}': there is no column '{column}'; {nearest(column, columns)}")
            for condition in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
                if column == "condition" and condition not in study.groups:
                    known = nearest(str(condition), list(study.groups))
                    raise ProtocolError(f"claim '{claim.id}': there is no condition '{condition}'; {known}")


def _refuse_undrawable(protocol: Protocol, study: Study) -> None:
    """Figures may use tables and columns that there are, oracles be conditions that there are."""
    tables: dict[str, tuple[str, ...]] = {
        "measurements": ("unit", "split", "condition", *protocol.factors, "metric", "value"),
        **study.tables,
    }
    for figure in protocol.figures:
        if figure.table not in tables:
            raise ProtocolError(
                f"figure '{figure.name}': there is no table '{figure.table}'; {nearest(figure.table, list(tables))}"
            )
        columns = tables[figure.table]
        used = [figure.x, figure.by, *figure.where, *([] if figure.kind == "curves" else [figure.y, figure.value])]
        for column in used:
            if column is not None and column not in columns:
                raise ProtocolError(
                    f"figure '{figure.name}': there is no column '{column}'; {nearest(column, columns)}"
                )
    for oracle in protocol.oracles:
        if oracle not in study.groups:
            raise ProtocolError(f"oracles: there is no condition '{oracle}'; {nearest(oracle, list(study.groups))}")


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
    """Count out the blocks: units × batches of splits × groups. Raises what ``study.units`` raises."""
    parameters = msgspec.convert(settings.parameters, study.Parameters)
    groups: dict[str, list[str]] = {}
    for condition in settings.conditions:
        groups.setdefault(study.groups[condition], []).append(condition)
    size = study.splits_per_block
    batches = [tuple(range(start, min(start + size, settings.seeds))) for start in range(0, settings.seeds, size)]
    blocks = tuple(
        Block(
            study=protocol.study,
            version=study.version,
            unit=unit,
            splits=splits,
            group=group,
            conditions=tuple(conditions),
            parameters=settings.parameters,
            data=fingerprint,
        )
        for unit in study.units(data, parameters)
        for splits in batches
        for group, conditions in groups.items()
    )
    return Plan(protocol, settings, blocks)
