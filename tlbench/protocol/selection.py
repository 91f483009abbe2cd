"""Which rows of a table a claim or a figure speaks of."""

from __future__ import annotations

from collections.abc import Iterator
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


def refuse_unknown_ends(owner: str, *selections: Selection) -> None:
    """Refuse a selection that would select nothing it says. Raises ValueError."""
    for selection in selections:
        for column, value in selection.items():
            if isinstance(value, dict) and (unknown := set(value) - {"from", "to"}):
                raise ValueError(f"{owner}: unknown key '{min(unknown)}' for {column}; a range has 'from' and 'to'")


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
        if isinstance(value, list):
            yield from ((column, level) for level in value)
        else:
            yield column, None if value == "most" or isinstance(value, dict) else value
