"""Rows of a table that a claim or a figure names, and their values counted from each unit's own zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..protocol import Selection


class ClaimError(Exception):
    """A claim or a figure names what the results do not have."""


def select(
    table: pd.DataFrame, wanted: Selection, factors: Mapping[str, Sequence[Any]], *, all_of_a_list: bool = True
) -> pd.DataFrame:
    """Rows of a table: by value, by list of values, by {from, to}, or at the "most".

    all_of_a_list: each value of a list has to be there, else ClaimError; otherwise what is there will do.
    """
    for column, value in wanted.items():
        if column not in table.columns:
            raise ClaimError(f"there is no column '{column}' in the results")
        cells = table[column]
        if value == "most":
            if not factors.get(column):
                raise ClaimError(f"{column} has no most: it is not a factor of this experiment, or has no level here")
            keep = cells == max(factors[column])
        elif isinstance(value, Mapping):
            keep = cells.between(value.get("from", cells.min()), value.get("to", cells.max()))
        elif isinstance(value, list):
            there = set(cells.unique().tolist()) if all_of_a_list else set(value)
            if absent := [level for level in value if level not in there]:
                raise ClaimError(f"{column} {', '.join(map(str, absent))} was not run")
            keep = cells.isin(value)
        else:
            keep = cells == value
        table = table.loc[keep]
    return table


def levels_within(levels: Iterable[Any], wanted: Any) -> list[Any]:
    """The levels of a factor that a selection of it takes: a value, a list, a range, "most", or None for all."""
    known = list(levels)
    if wanted is None:
        return known
    if wanted == "most":
        return [max(known)] if known else []
    if isinstance(wanted, Mapping):
        return [level for level in known if level >= wanted.get("from", level) and level <= wanted.get("to", level)]
    return [level for level in (wanted if isinstance(wanted, list) else [wanted]) if level in known]


def relative(means: pd.DataFrame, zero: Selection, factors: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """The same table of unit means with each value as its difference from the same unit's own at ``zero``.

    Factors that ``zero`` does not name have to agree; where it selects several rows their mean counts. A row whose unit
    has no such value becomes NaN. Raises ClaimError where there is none at all.
    """
    zeros = select(means, zero, factors)
    if zeros.empty:
        raise ClaimError(f"there are no results for {in_words(zero)}")
    keys = ["unit", "metric", *(factor for factor in factors if factor not in zero)]
    own = means[keys].join(zeros.groupby(keys, sort=False)["value"].mean(), on=keys)["value"]
    return means.assign(value=means["value"] - own)


def in_words(selection: Selection) -> str:
    """A selection for a person: "condition base and layers 4, 5"."""
    return " and ".join(f"{column} {_levels(value)}" for column, value in selection.items())


def _levels(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{end} {value[end]}" for end in ("from", "to") if end in value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
