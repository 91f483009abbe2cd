"""What claims and figures may ask of a table: columns that are there, and numbers where numbers are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .claim import Claim
from .figure import Figure
from .selection import columns_used, levels_named
from .strict import Value, nearest


def refuse_misused_columns(claims: Sequence[Claim], figures: Sequence[Figure], factors: Mapping[str, Value]) -> None:
    """Refuse what could only fail once everything has been computed. Raises ValueError.

    The columns of a heatmap's table are the study's to know; here it is only held against the kinds of those known.
    """
    compared = ("unit", "condition", *factors)  # splits are averaged within a unit, and one metric is looked at
    for claim in claims:
        owner = f"claim '{claim.id}'"
        _refuse_unknown(owner, claim, compared)
        _refuse_wrong_kinds(owner, claim, factors)
        if claim.along is not None:
            _refuse_other(owner, "'along'", claim.along, _numbers(factors))
        if claim.every is not None:
            _refuse_other(owner, "'every'", claim.every, list(factors))
    for figure in figures:
        owner = f"figure '{figure.name}'"
        _refuse_wrong_kinds(owner, figure, factors)
        if figure.kind == "curves":
            _refuse_unknown(owner, figure, (*compared, "metric") if figure.lines else compared)
            _refuse_other(owner, "'x'", figure.x, _numbers(factors))


def _refuse_unknown(owner: str, declared: Claim | Figure, columns: Sequence[str]) -> None:
    for column in columns_used(declared):
        if column not in columns:
            raise ValueError(f"{owner}: there is no column '{column}'; {nearest(column, columns)}")


def _refuse_wrong_kinds(owner: str, declared: Claim | Figure, factors: Mapping[str, Value]) -> None:
    """Ranges and numbers are for columns of numbers, names for columns of names, "most" for factors."""
    numbers = {"split", "value", *_numbers(factors)}
    names = {"unit", "condition", "metric", *factors} - numbers
    for column, value in (pair for selection in declared.selections for pair in selection.items()):
        if value == "most":
            _refuse_other(owner, '"most"', column, list(factors))
        if isinstance(value, dict) and column in names:
            raise ValueError(f"{owner}: {column} is made of names, which have no range; list those that are meant")
        for level in levels_named(value):
            if column in (numbers if isinstance(level, str) else names):
                kind = "numbers" if column in numbers else "names"
                raise ValueError(f"{owner}: {column} is made of {kind}, and {level!r} is none")


def _refuse_other(owner: str, key: str, column: str, known: Sequence[str]) -> None:
    if column not in known:
        raise ValueError(f"{owner}: {key} goes with {' or '.join(known) or 'no column here'}, not with '{column}'")


def _numbers(factors: Mapping[str, Value]) -> list[str]:
    """The factors whose levels are numbers."""

    def levels(value: Value) -> list[Any]:
        return list(value) if isinstance(value, list) else [value]

    return [key for key, value in factors.items() if not any(isinstance(level, str) for level in levels(value))]
