"""A whole experiment, typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, field

from .claim import Claim
from .columns import refuse_misused_columns
from .figure import Figure
from .strict import Name, Strict, Text, Value, nearest


class Choice(Strict, frozen=True, kw_only=True):
    """A value that the paper leaves open: ours, with its reason."""

    value: Value
    why: Text


class Data(Strict, frozen=True, kw_only=True):
    """The data set of the paper, and what is chosen about it."""

    default: Text
    setting: str | None = None
    background: str | None = None
    categories: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    class_list: str | None = None


class Profile(Strict, frozen=True, kw_only=True):
    """How much is run under one name; what is not said here is as in the protocol."""

    says: Text
    seeds: Annotated[int, Meta(ge=1)]
    factors: dict[str, Value] = field(default_factory=dict)
    choices: dict[str, Value] = field(default_factory=dict)


class Reference(Strict, frozen=True, kw_only=True):
    """Numbers that others published, shown beside a run's and judged by the same claims.

    file: a name in the protocol file's folder or in the shipped ``experiments/reference/``. says: who published them.
    name: what they are, short enough to head a column.
    """

    file: Name
    says: Text
    name: Text


class Protocol(Strict, frozen=True, kw_only=True, dict=True):
    """An experiment; see ``docs/architecture.md`` for a walk through one.

    datasets: what is another choice or another list of levels on one data set; 'folder' stands for any folder. What a
    profile says comes before it. metric_unit: of the metric, "%" for accuracies, "" for what has none.
    lower_is_better: of the metric; claims compare ``of`` minus ``to`` all the same. methods: classifiers of a user's
    own, MODULE:Class or the names of entry points, that take part as conditions own:Class.
    """

    name: Name
    asks: Text
    study: Name
    source: Text
    metric: Name
    units: Text
    default_profile: Name
    data: Data
    conditions: Annotated[list[str], Meta(min_length=1)]
    factors: dict[str, Value]
    choices: dict[str, Choice]
    profiles: Annotated[dict[str, Profile], Meta(min_length=1)]
    datasets: dict[Name, dict[str, Value]] = field(default_factory=dict)
    reference: Reference | None = None
    figures: list[Figure] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    oracles: list[str] = field(default_factory=list)
    metric_unit: str = "%"
    lower_is_better: bool = False
    methods: list[Text] = field(default_factory=list)

    @property
    def folder(self) -> Path | None:
        """Where its file lies; None where it was not read from a file. Not part of what is declared."""
        found: Path | None = self.__dict__.get("folder_read_from")
        return found

    def __post_init__(self) -> None:
        """Refuse a default profile that is not there, names used twice, and what speaks of what is not declared."""
        if self.default_profile not in self.profiles:
            raise ValueError(f"default_profile '{self.default_profile}' is not among the profiles")
        for what, names in (("claim", [c.id for c in self.claims]), ("figure", [f.name for f in self.figures])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what} '{twice[0]}' is declared twice")
        factors, choices = list(self.factors), list(self.choices)
        for name, profile in self.profiles.items():
            _refuse_unknown_keys(f"profiles.{name}.factors", profile.factors, factors, "factor")
            _refuse_unknown_keys(f"profiles.{name}.choices", profile.choices, choices, "choice")
            _refuse_mixed_levels(f"profiles.{name}.factors", profile.factors)
        for name, changes in self.datasets.items():
            _refuse_unknown_keys(f"datasets.{name}", changes, [*factors, *choices], "factor or choice")
            _refuse_mixed_levels(f"datasets.{name}", changes)
        _refuse_mixed_levels("factors", self.factors)
        refuse_misused_columns(self.claims, self.figures, self.factors)
        if self.reference is None:
            for figure in self.figures:
                if figure.published:
                    raise ValueError(f"figure '{figure.name}': 'published' needs a [reference] that says which numbers")


def _refuse_unknown_keys(place: str, changes: dict[str, Value], known: list[str], what: str) -> None:
    for key in changes:
        if key not in known:
            raise ValueError(f"{place}: there is no {what} '{key}' to change; {nearest(key, known)}")


def _refuse_mixed_levels(place: str, values: dict[str, Value]) -> None:
    for key, levels in values.items():
        if isinstance(levels, list) and len({isinstance(level, str) for level in levels}) > 1:
            raise ValueError(f"{place}: '{key}' mixes numbers and names; its levels have to be all of one kind")
