"""Which rows of a table a claim or a figure speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .claim import Claim
    from .figure import Figure

Selection = dict[str, Any]
"""Which rows of a table: column → value, list of values, {from = x}, {to = x}, or "most"."""

Side = Selection | list[Selection]
"""What a claim compares: one selection, or several whose means over a unit are averaged with equal weight."""


def parts(side: Side) -> list[Selection]:
    """The selections that a side averages."""
    return side if isinstance(side, list) else [side]


def refuse_unusable(owner: str, *selections: Selection) -> None:
    """Refuse a selection that would select nothing it says, or whose levels are none. Raises ValueError."""
    for selection in selections:
        for column, value in selection.items():
            if value in ({}, []):
                raise ValueError(f"{owner}: {column} selects nothing; name a level, a list of levels or a range")
            if isinstance(value, dict) and (unknown := set(value) - {"from", "to"}):
                raise ValueError(f"{owner}: unknown key '{min(unknown)}' for {column}; a range has 'from' and 'to'")
            for end, at in value.items() if isinstance(value, dict) else ():
                if type(at) not in (int, float) or not isfinite(at):
                    raise ValueError(f"{owner}: '{end}' of {column} has to be a number, not {at!r}")
            for level in levels_named(value):
                if type(level) not in (int, float, str):
                    raise ValueError(f"{owner}: a level of {column} has to be a number or a name, not {level!r}")


def levels_named(value: Any) -> list[Any]:
    """The levels that a column's part of a selection names one by one; none for a range or "most"."""
    if value == "most" or isinstance(value, dict):
        return []
    return value if isinstance(value, list) else [value]


def words_used(declared: Claim | Figure) -> list[tuple[str, Any]]:
    """Every (column, level) that a claim's or a figure's selections name; None where they name no single level.

    A list of levels gives one pair for each; a range or "most" gives the column alone.
    """
    return [pair for selection in declared.selections for pair in _pairs(selection)]


def columns_used(declared: Claim | Figure) -> list[str]:
    """Every column of its table that a claim or a figure names, once each."""
    return list(dict.fromkeys([*declared.columns, *(column for column, _ in words_used(declared))]))


def _pairs(selection: Selection) -> Iterator[tuple[str, Any]]:
    for column, value in selection.items():
        yield from ((column, level) for level in levels_named(value) or [None])
