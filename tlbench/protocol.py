"""An experiment as data: what a paper did, what we choose ourselves, and what it claimed.

A protocol is a TOML file. Those that ship lie in ``experiments/``; a user copies one, edits it and runs it by its path.
Everything is typed here; whether choices and factors fit the study is for ``plan`` to say.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Value = bool | int | float | str | list[int | float | str]
Selection = dict[str, Any]
"""Which rows of a table: column → value, list of values, {from = x}, {to = x}, or "most"."""


T = TypeVar("T")


class ProtocolError(Exception):
    """A protocol file, or what a user sets in it, cannot be used; the message names the key."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Choice(_Strict, frozen=True, kw_only=True):
    """A value that the paper leaves open: ours, with its reason."""

    value: Value
    why: Text


class Data(_Strict, frozen=True, kw_only=True):
    """The data set of the paper, and what is chosen about it."""

    default: Text
    setting: str | None = None
    background: str | None = None
    categories: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


class Profile(_Strict, frozen=True, kw_only=True):
    """How much is run under one name; what is not said here is as in the protocol."""

    says: Text
    seeds: Annotated[int, Meta(ge=1)]
    factors: dict[str, Value] = {}


class Figure(_Strict, frozen=True, kw_only=True):
    """One figure, of one of a few declarative kinds; the columns named are those of ``table``."""

    name: Name
    kind: Literal["curves", "heatmap"]
    title: Text
    x: Text
    y: Text
    table: Name = "measurements"
    value: str = "value"
    where: Selection = {}
    by: str | None = None
    highlight: str | None = None
    x_label: str | None = None
    y_label: str | None = None
    value_label: str | None = None

    def __post_init__(self) -> None:
        """Refuse a selection that would select nothing it says."""
        _refuse_unknown_ends(f"figure '{self.name}'", self.where)


def _refuse_unknown_ends(owner: str, *selections: Selection) -> None:
    for selection in selections:
        for column, value in selection.items():
            if isinstance(value, dict) and (unknown := set(value) - {"from", "to"}):
                raise ValueError(f"{owner}: unknown key '{min(unknown)}' for {column}; a range has 'from' and 'to'")


class Expectation(_Strict, frozen=True, kw_only=True):
    """A verdict that is expected on one data set, and why."""

    verdict: Literal["reproduced", "contradicted", "equivalent", "inconclusive", "shown, not tested"]
    why: Text


class Claim(_Strict, frozen=True, kw_only=True):
    """What the paper says, as a test on paired differences between two conditions.

    difference: ``of`` is better than ``to``, both averaged over ``over``. not_worse: ``of`` is not worse than ``to`` by
    ``margin``. slope: the difference changes along factor ``along`` (per doubling of it) in ``direction``.
    """

    id: Name
    says: Text
    test: Literal["difference", "not_worse", "slope"]
    of: Selection
    to: Selection
    over: Selection = {}
    source: Text
    margin: Annotated[float, Meta(gt=0)] | None = None
    along: str | None = None
    direction: Literal["rises", "falls"] | None = None
    expects: dict[str, Expectation] = {}

    def __post_init__(self) -> None:
        """Refuse keys that a kind of test lacks or has no use for."""
        _refuse_unknown_ends(f"claim '{self.id}'", self.of, self.to, self.over)
        uses = {"not_worse": {"margin"}, "slope": {"along", "direction"}}.get(self.test, set())
        for key in ("margin", "along", "direction"):
            if (getattr(self, key) is not None) != (key in uses):
                raise ValueError(
                    f"claim '{self.id}': a {self.test} test {'needs' if key in uses else 'has no'} '{key}'"
                )


class Protocol(_Strict, frozen=True, kw_only=True):
    """An experiment; see ``docs/architecture.md`` for a walk through one."""

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
    figures: list[Figure] = []
    claims: list[Claim] = []
    oracles: list[str] = []

    def __post_init__(self) -> None:
        """Refuse a default profile that is not there and names used twice."""
        if self.default_profile not in self.profiles:
            raise ValueError(f"default_profile '{self.default_profile}' is not among the profiles")
        for what, names in (("claim", [c.id for c in self.claims]), ("figure", [f.name for f in self.figures])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what} '{twice[0]}' is declared twice")


def shipped() -> dict[str, Path]:
    """The protocol files that come with tlbench, by name."""
    here = Path(__file__).parent
    folder = next(f for f in (here / "experiments", here.parent / "experiments") if f.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read(reference: str) -> Protocol:
    """The protocol of a shipped experiment's name, or of a path to a TOML file.

    Raises ProtocolError for an unknown name (with the nearest known one), a file that cannot be read, or content that
    does not fit.
    """
    known = shipped()
    if reference in known:
        path = known[reference]
    elif reference.endswith(".toml") or "/" in reference:
        path = Path(reference)
    else:
        raise ProtocolError(f"there is no experiment '{reference}'; {nearest(reference, list(known))}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProtocolError(f"there is no protocol file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"protocol file {path} cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"protocol file {path} is not TOML: {error}") from None
    declared = parse(content, str(path))
    if reference not in known and declared.name in known and declared != read(declared.name):
        raise ProtocolError(
            f"protocol file {path} differs from the shipped '{declared.name}' but bears its name and would overwrite "
            "its results; give it a name of its own"
        )
    return declared


def parse(content: object, origin: str) -> Protocol:
    """A protocol from plain data; ``origin`` names it in errors."""
    return convert(content, Protocol, origin)


def convert(content: object, shape: type[T], origin: str) -> T:
    """Plain data as a strict type. Raises ProtocolError that names the key, with the nearest known one."""
    try:
        return msgspec.convert(content, shape, strict=True)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"{origin}: {_in_words(str(error), shape)}") from None


def nearest(word: str, known: Sequence[str]) -> str:
    """Half a sentence that helps with a mistyped name."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"


def _in_words(message: str, shape: type) -> str:
    """Msgspec's message with the key first, and the nearest known key for an unknown one."""
    complaint, _, path = message.partition(" - at `$")
    place = path.rstrip("`").lstrip(".") or "the file"
    place = place.replace("[...]", "[…]")
    unknown = re.search(r"contains unknown field `(.+)`", complaint)
    if not unknown:
        complaint = re.sub("^(Expected|Object|Invalid)", lambda word: word[0].lower(), complaint).replace("`", "'")
        return complaint if place == "the file" else f"{place}: {complaint}"
    known = [field.name for field in msgspec.structs.fields(_struct_at(place, shape))]
    within = "" if place == "the file" else f" in {place}"
    return f"unknown key '{unknown[1]}'{within}; {nearest(unknown[1], known)}"


def _struct_at(place: str, shape: Any) -> type[msgspec.Struct]:
    """The struct that a path of keys leads to, by its last named part."""
    parts: dict[str, type[msgspec.Struct]] = {
        "data": Data,
        "choices": Choice,
        "profiles": Profile,
        "figures": Figure,
        "claims": Claim,
    }
    if shape is not Protocol or place == "the file":
        struct: type[msgspec.Struct] = shape
        return struct
    if ".expects" in place:
        return Expectation
    return parts[re.split(r"[.\[]", place)[0]]
