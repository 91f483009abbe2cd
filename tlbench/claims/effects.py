"""A claim's effect on a table of unit means, at each level where it must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..protocol import Claim, Selection, parts
from . import statistics
from .ranks import rank_correlation
from .selection import ClaimError, in_words, levels_within, relative, select
from .statistics import Estimate


@dataclass(frozen=True)
class Extent:
    """What a table of measurements covers.

    factors: the levels that were run, by factor. conditions: those that were run; None where that is not known. gaps:
    whether units may lack some of it, as published numbers do; then what is compared is each unit's mean over what
    there is, and a unit that lacks a side is left out. In our own runs a hole is an error.
    """

    factors: Mapping[str, Sequence[Any]]
    conditions: Sequence[str] | None = None
    gaps: bool = False


def effects(claim: Claim, means: pd.DataFrame, extent: Extent) -> dict[str, Estimate]:
    """The claim's effect at each level of ``every``, named like "layers 3"; else one, without a name.

    means: as ``tables.unit_means`` gives them, of one metric; for a rank correlation the study's table. Raises
    ClaimError where the table lacks what is named.
    """
    if claim.relative_to:
        means = relative(means, claim.relative_to, extent.factors)
    if claim.every is None:
        return {"": _effect(claim, means, extent, claim.over)}
    if claim.every not in extent.factors:
        raise ClaimError(f"{claim.every} is not a factor of this experiment")
    levels = levels_within(extent.factors[claim.every], claim.over.get(claim.every))
    if not levels:
        raise ClaimError(f"there are no results for {in_words(claim.over)}")
    return {
        f"{claim.every} {level}": _effect(claim, means, extent, {**claim.over, claim.every: level}) for level in levels
    }


def _effect(claim: Claim, means: pd.DataFrame, extent: Extent, over: Selection) -> Estimate:
    if claim.between is not None:
        return _rank_correlation(claim, claim.between, means, extent, over)
    keep = [claim.along] if claim.along else []
    of, to = (_side(parts(side), means, extent, over, keep) for side in (claim.of, claim.to))
    if claim.test == "two_sample":
        if shared := sorted(set(of.index) & set(to.index)):
            raise ClaimError(f"{shared[0]} is on both sides, which a two_sample test takes for independent")
        return statistics.two_groups(np.asarray(of, dtype=float), np.asarray(to, dtype=float))
    both = pd.concat([of, to], axis=1, keys=["of", "to"])
    whole = both.dropna()
    if whole.empty and claim.relative_to and not claim.along:
        return statistics.two_groups(np.asarray(of, dtype=float), np.asarray(to, dtype=float))
    sides = f"{_in_words(claim.of)} and {_in_words(claim.to)}"
    if whole.empty or (len(whole) < len(both) and not extent.gaps):
        raise ClaimError(f"{sides} were not both measured everywhere")
    differences = whole["of"] - whole["to"]
    if not claim.along:
        return statistics.paired(differences.to_numpy())
    table = differences.unstack(claim.along)
    if table.isna().any(axis=None) and not extent.gaps:
        raise ClaimError(f"{sides} were not both measured everywhere")
    return _slope(claim, table.dropna())


def _side(
    selections: Sequence[Selection], means: pd.DataFrame, extent: Extent, over: Selection, keep: Sequence[str]
) -> pd.Series[float]:
    """One side's value in each unit (and level of the factor along which a slope runs): the mean of its parts."""
    found = []
    for selection in selections:
        rows = select(means, {**over, **selection}, extent.factors)
        if rows.empty:
            raise ClaimError(f"there are no results for {in_words(selection)}")
        if rows["value"].isna().any():
            if not extent.gaps:
                lacking = rows["unit"][rows["value"].isna()].iloc[0]
                raise ClaimError(f"{lacking} lacks the value that {in_words(selection)} is relative to")
            rows = rows.dropna(subset="value")
        if absent := [column for column in keep if column not in rows.columns]:
            raise ClaimError(f"the results do not tell {absent[0]} apart")
        found.append(rows.groupby(["unit", *keep], sort=False)["value"].mean())
    together = pd.concat(found, axis=1)
    if together.isna().any(axis=None) and not extent.gaps:
        raise ClaimError(f"{' and '.join(map(in_words, selections))} were not all measured everywhere")
    return together.dropna().mean(axis=1)


def _rank_correlation(
    claim: Claim, between: tuple[str, str], table: pd.DataFrame, extent: Extent, over: Selection
) -> Estimate:
    """The correlation that a claim is about, on the rows it selects."""
    among = str(claim.among)
    if absent := [column for column in ("unit", among, *between) if column not in table.columns]:
        raise ClaimError(f"table {claim.table} has no column '{absent[0]}'")
    rows = pd.concat([select(table, {**over, **selection}, extent.factors) for selection in parts(claim.of)])
    if rows.empty:
        raise ClaimError(f"there are no results for {_in_words(claim.of)}")
    return rank_correlation(rows, between, among)


def _slope(claim: Claim, table: pd.DataFrame) -> Estimate:
    """The least-squares slope of each unit (rows) over the levels (columns)."""
    levels = table.columns.to_numpy(dtype=float)
    if len(levels) < 2:
        raise ClaimError(f"a slope needs at least two levels of {claim.along}")
    if claim.per == "doubling":
        levels = np.log2(levels)
    centred = levels - levels.mean()
    return statistics.paired(table.to_numpy() @ centred / (centred @ centred))


def left_out(claim: Claim, extent: Extent, declared: Mapping[str, Any]) -> str:
    """What a claim needs that a run of this extent was never meant to hold, in words; empty where it has all.

    declared: the protocol's factors. A level counts as left out where the protocol has it and the run has not; one that
    neither has, such as the zero of a condition that does not vary, is for the table to say.
    """
    sides = [{**claim.over, **part} for side in (claim.of, claim.to) for part in parts(side)]
    for selection in [*sides, *([claim.relative_to] if claim.relative_to else [])]:
        for column, wanted in selection.items():
            if column == "condition" and extent.conditions is not None:
                known, run = None, extent.conditions
            elif isinstance(declared.get(column), list) and column in extent.factors:
                known, run = declared[column], extent.factors[column]
            else:
                continue
            if reason := _absent(column, wanted, known, run):
                return reason
    if claim.along is not None and claim.along in extent.factors and isinstance(declared.get(claim.along), list):
        wanted = claim.over.get(claim.along)
        meant, there = (
            levels_within(levels, wanted) for levels in (declared[claim.along], extent.factors[claim.along])
        )
        if len(there) < 2 <= len(meant):
            return f"two levels of {claim.along}"
    return ""


def _absent(column: str, wanted: Any, known: Sequence[Any] | None, run: Sequence[Any]) -> str:
    """Which of the levels that are wanted the run left out, in words; known: those of the protocol, or None for any."""
    if isinstance(wanted, Mapping):
        outside = known is not None and levels_within(known, wanted) and not levels_within(run, wanted)
        return in_words({column: wanted}) if outside else ""
    if wanted == "most":
        return ""
    named = wanted if isinstance(wanted, list) else [wanted]
    absent = [level for level in named if level not in run and (known is None or level in known)]
    return in_words({column: absent}) if absent else ""


def _in_words(side: Selection | list[Selection]) -> str:
    return " and ".join(map(in_words, parts(side)))
