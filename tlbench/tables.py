"""Tables from records: one row a measurement, then means and intervals over units."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .gathering import GrowingTable
from .plan import Plan
from .records import BlockRecord, Records
from .study import Block
from .whole_files import plain_file

LEVEL = 0.95
ROWS_AT_ONCE = 50_000
"""Rows of a table that are text of their own before they are part of the file's."""


def collect(
    plan: Plan, dataset: str, found: Iterable[tuple[Block, BlockRecord]], tables: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """``measurements`` and the study's further tables, in the order of the plan.

    Rows that several blocks state alike appear once. A study that measures several things names each in a column
    ``metric``; one that has no such column measures the protocol's.
    """
    factors = list(plan.settings.factors)
    growing = {name: GrowingTable() for name in ("measurements", *tables)}
    for block, record in found:
        for name, columns in record.tables.items():
            if name == "measurements":
                count = len(next(iter(columns.values()), ()))
                growing[name].extend({"unit": [block.unit] * count, **columns})
            else:
                growing[name].extend(columns)
    collected = {name: _distinct(table.frame()) for name, table in growing.items() if len(table)}
    if "measurements" in collected:
        measured = collected.pop("measurements")
        count = len(measured)
        words = {"experiment": plan.protocol.name, "dataset": dataset, "profile": plan.settings.profile}
        if "metric" not in measured:
            words["metric"] = plan.protocol.metric
        measured = measured.assign(**{name: _constant(word, count) for name, word in words.items()})
        order = ["experiment", "dataset", "profile", "unit", "split", "condition", *factors, "metric", "value"]
        collected = {"measurements": _in_order(measured[order], plan), **collected}
    return collected


def _distinct(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without those that were there before."""
    repeated = table.duplicated()
    return table[~repeated] if repeated.any() else table


def _constant(word: str, count: int) -> pd.Categorical[str]:
    """The same name in every row, one byte each."""
    return pd.Categorical.from_codes(np.zeros(count, dtype=np.int8), pd.Index([word], dtype=str))


def _in_order(measured: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Sorted by unit and condition as planned, then by split; factors as the study lists them."""
    units = _places(measured["unit"], list(dict.fromkeys(block.unit for block in plan.blocks)))
    conditions = _places(measured["condition"], plan.settings.conditions)
    return measured.take(np.lexsort((measured["split"], conditions, units))).reset_index(drop=True)


def _places(names: pd.Series[Any], order: Sequence[str]) -> NDArray[np.int32]:
    """Where each name stands in an order; what does not is last."""
    place = {name: rank for rank, name in enumerate(order)}
    ranks = [place.get(name, len(order)) for name in names.cat.categories]
    return np.array(ranks, dtype=np.int32)[names.cat.codes]


def unit_means(measured: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Mean over splits of each unit, condition and cell: columns condition, factors, metric, unit, value."""
    by = ["condition", *factors, "metric", "unit"]
    return measured.groupby(by, sort=False)["value"].mean().reset_index()


def summarise(measured: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Mean over units with a 95 % t interval: condition, factors, metric, mean, low, high, units.

    Splits are averaged within a unit first. With one unit the interval is missing.
    """
    from scipy.special import stdtrit

    by = ["condition", *factors, "metric"]
    grouped = unit_means(measured, factors).groupby(by, sort=False)["value"]
    summary = grouped.agg(["mean", "std", "count"]).reset_index()
    units = summary["count"].to_numpy()
    spread = summary["std"].to_numpy(dtype=float) / np.sqrt(units)
    half = stdtrit(np.maximum(units - 1, 1), 0.5 + LEVEL / 2) * spread
    return summary[by].assign(
        mean=summary["mean"], low=summary["mean"] - half, high=summary["mean"] + half, units=units
    )


def missing_cells(
    measured: pd.DataFrame,
    units: Sequence[str],
    conditions: Sequence[str],
    seeds: int,
    factors: Mapping[str, Sequence[Any]],
    cells: int | None = None,
    own_levels: Mapping[str, Mapping[str, Sequence[Any]]] | None = None,
) -> int:
    """How many of the planned measurements of one metric the table lacks; one that is not finite is lacking.

    cells: how many are planned in all, where that is not every condition at every level in every unit, as when a unit
    has one level of a factor. own_levels: condition → factor → levels, of a condition that has others than ``factors``.
    """
    if cells is None:
        cells = len(units) * len(conditions) * seeds * int(np.prod([len(levels) for levels in factors.values()]))
    split = measured["split"]
    planned = measured["unit"].isin(units) & split.between(0, seeds - 1) & (split % 1 == 0)
    present = measured.loc[planned & np.isfinite(measured["value"]), ["unit", "split", "condition", *factors]]
    counts = (
        present[~present.duplicated()].groupby(["condition", *factors], sort=False).size().reset_index(name="cells")
    )
    for condition in conditions:
        rows = counts[counts["condition"] == condition]
        for name, levels in {**factors, **(own_levels or {}).get(condition, {})}.items():
            rows = rows[rows[name].isin(levels)]
        cells -= int(rows["cells"].sum())
    return cells


def to_csv(table: pd.DataFrame) -> bytes:
    """Comma-separated text with six significant digits and Unix line ends, as pandas would write it."""
    text = [_line(map(str, table.columns)).encode()]
    for start in range(0, len(table), ROWS_AT_ONCE):
        part = table.iloc[start : start + ROWS_AT_ONCE]
        columns = [_cells(part[name]) for name in table.columns]
        text.append("".join(f"{row}\n" for row in map(",".join, zip(*columns, strict=True))).encode())
    return b"".join(text)


def _cells(column: pd.Series[Any]) -> list[str]:
    """The text of each cell; nothing where there is no value."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = [*map(_quoted, column.cat.categories), ""]  # a code of −1 takes the last
        return [words[code] for code in column.cat.codes.tolist()]
    if column.dtype.kind in "iu":
        return list(map(str, column.tolist()))
    if column.dtype.kind == "f":
        return ["" if value != value else f"{value:.6g}" for value in column.tolist()]
    return ["" if absent else _quoted(cell) for cell, absent in zip(column, column.isna(), strict=True)]


def _quoted(cell: object) -> str:
    """A cell as it stands in a line, in quotes where it has to be."""
    return _line([cell, ""])[:-2]


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def text_columns(table: pd.DataFrame) -> list[str]:
    """The columns that hold names."""
    return [str(column) for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]


def read_csv(records: Records, name: str, text: Sequence[str]) -> pd.DataFrame:
    """A table that a run left, all but the ``text`` columns as numbers. Raises OSError or ValueError."""
    # Opened here: of a name, pandas would make a home folder of ~ and an address of http:.
    with plain_file(records.folder / f"{name}.csv").open("rb") as file:
        columns = list(pd.read_csv(file, dtype=str, nrows=0).columns)
        file.seek(0)
        if absent := set(text) - set(columns):
            raise ValueError(f"there is no column '{min(absent)}'")
        empty = {column: [""] for column in columns if column not in text}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # what is no number is refused below
            table = pd.read_csv(file, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=empty)
    for column in columns:
        if column not in text and table[column].dtype.kind not in "iuf":
            table[column] = pd.to_numeric(table[column].astype(str))
    return table
