"""The settings of a run: a protocol on a data set, under a profile, with what the user sets."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
from .study import OWN, Study

MOST_SEEDS = 100_000
DATA_KEYS = ("setting", "background", "categories", "features", "class_list")


@dataclass(frozen=True)
class Settings:
    """Everything that decides the numbers of a run, but for the data themselves.

    changed: the keys that differ from the protocol under its profile, as the folder's name shows them. scores: whether
    the score of every test example is kept.
    """

    profile: str
    seeds: int
    conditions: tuple[str, ...]
    factors: Mapping[str, Value]
    choices: Mapping[str, Value]
    data: Mapping[str, Any]
    changed: Mapping[str, Any] = field(default_factory=dict)
    scores: bool = False

    @property
    def parameters(self) -> dict[str, Value]:
        """Factors and choices together, as a study's Parameters take them."""
        return {**self.factors, **self.choices}


def resolve(
    protocol: Protocol, study: Study, profile: str | None, overrides: Mapping[str, str], dataset: str = ""
) -> Settings:
    """Settings of a run: the protocol, what it changes on a data set, then under a profile, then what the user sets.

    ``overrides`` maps keys to text as typed. Raises ProtocolError for an unknown profile, key or condition (with the
    nearest known one), for a value of the wrong type or outside its bounds, and for a protocol that speaks of what
    there is not.
    """
    profile = protocol.default_profile if profile is None else profile
    if profile not in protocol.profiles:
        raise ProtocolError(f"{protocol.name} has no profile '{profile}'; {nearest(profile, list(protocol.profiles))}")
    chosen = protocol.profiles[profile]
    changes = {**protocol.datasets.get(dataset, {}), **chosen.factors, **chosen.choices}
    factors = {key: changes.get(key, value) for key, value in protocol.factors.items()}
    usual: dict[str, Any] = {
        "seeds": chosen.seeds,
        "conditions": list(dict.fromkeys([*protocol.conditions, *(study.methods or ())])),
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
    values["conditions"] = list(dict.fromkeys(values["conditions"]))
    parameters = convert({key: values[key] for key in (*factors, *protocol.choices)}, study.Parameters, protocol.name)
    values |= {key: getattr(parameters, key) for key in (*factors, *protocol.choices)}
    values |= {key: sorted(set(levels)) for key in factors if isinstance(levels := values[key], list)}
    if not values["conditions"]:
        raise ProtocolError(f"{protocol.name} needs at least one condition; known are {', '.join(study.says)}")
    if type(values["seeds"]) is not int or not 1 <= values["seeds"] <= MOST_SEEDS:
        given = overrides.get("seeds", chosen.seeds)
        raise ProtocolError(f"seeds must be a whole number from 1 to {MOST_SEEDS:,}, not {given!r}")
    for condition in values["conditions"]:
        if condition not in study.says:
            raise ProtocolError(f"there is no condition '{condition}'; {_nearest_condition(condition, study)}")
    _refuse_unknown_words(protocol, study)
    return Settings(
        profile=profile,
        seeds=values["seeds"],
        conditions=tuple(values["conditions"]),
        factors={key: values[key] for key in factors},
        choices={key: values[key] for key in protocol.choices},
        data={key: values[key] for key in DATA_KEYS},
        changed={key: values[key] for key in usual if values[key] != usual[key]},
    )


def _refuse_unknown_words(protocol: Protocol, study: Study) -> None:
    """Data sets, claims, figures and oracles may speak of names, tables, columns and conditions that there are."""
    from .datasets import CATALOGUE

    known = list(dict.fromkeys(entry.name.partition(":")[0] for entry in CATALOGUE))
    for claim in protocol.claims:
        for name in claim.expects:  # also of data of a user's own, which are filed under names of their own
            if name not in known and difflib.get_close_matches(name, known, n=1, cutoff=0.85):
                raise ProtocolError(f"claim '{claim.id}': there is no data set '{name}'; {nearest(name, known)}")
    for name in protocol.datasets:
        if name not in known:
            raise ProtocolError(f"datasets.{name}: there is no data set '{name}'; {nearest(name, known)}")
    metrics = study.metrics or (protocol.metric,)
    if protocol.metric not in metrics:
        raise ProtocolError(f"metric: there is no metric '{protocol.metric}'; {nearest(protocol.metric, metrics)}")
    tables = {"measurements": ("unit", "split", "condition", *protocol.factors, "metric", "value"), **study.tables}
    for figure in protocol.figures:
        owner = f"figure '{figure.name}'"
        if figure.kind == "own" and figure.name not in study.draws:
            raise ProtocolError(f"{owner}: the study draws no such figure; {nearest(figure.name, list(study.draws))}")
        if figure.table not in tables:
            there = nearest(figure.table, list(tables))
            raise ProtocolError(f"{owner}: there is no table '{figure.table}'; {there}")
        for metric in figure.metrics:
            if metric not in metrics:
                raise ProtocolError(f"{owner}: there is no metric '{metric}'; {nearest(metric, metrics)}")
        for column in columns_used(figure):
            if column not in tables[figure.table]:
                raise ProtocolError(f"{owner}: there is no column '{column}'; {nearest(column, tables[figure.table])}")
    named: list[tuple[str, Claim | Figure]] = [(f"claim '{claim.id}'", claim) for claim in protocol.claims]
    for claim in protocol.claims:
        if claim.metric is not None and claim.metric not in metrics:
            raise ProtocolError(f"claim '{claim.id}': no metric '{claim.metric}'; {nearest(claim.metric, metrics)}")
        if claim.table is not None and claim.table not in tables:
            near = nearest(claim.table, list(tables))
            raise ProtocolError(f"claim '{claim.id}': there is no table '{claim.table}'; {near}")
        for column in claim.ranked:
            columns = tables[str(claim.table)]
            if column not in columns:
                raise ProtocolError(f"claim '{claim.id}': there is no column '{column}'; {nearest(column, columns)}")
    for owner, declared in (*named, *((f"figure '{figure.name}'", figure) for figure in protocol.figures)):
        for column, level in words_used(declared):
            if column == "condition" and level is not None:
                _refuse_unknown_condition(owner, level, study)
    for oracle in protocol.oracles:
        _refuse_unknown_condition("oracles", oracle, study)


def _refuse_unknown_condition(owner: str, condition: str, study: Study) -> None:
    if condition not in study.says:
        raise ProtocolError(f"{owner}: there is no condition '{condition}'; {_nearest_condition(condition, study)}")


def _nearest_condition(condition: str, study: Study) -> str:
    """Half a sentence that helps with a condition that there is not."""
    known = list(study.says)
    if not condition.startswith(OWN) or study.methods is None:
        return nearest(condition, known)
    if study.methods:
        return nearest(condition, study.methods)
    name = condition.removeprefix(OWN)
    return f'name its class with --method MODULE:{name}, or in the protocol file: methods = ["MODULE:{name}"]'


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
