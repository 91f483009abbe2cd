"""Tables from records: one row a measurement, then means and intervals over units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .plan import Plan
from .records import BlockRecord, Records
from .study import Block

LEVEL = 0.95


def collect(
    plan: Plan, dataset: str, found: Iterable[tuple[Block, BlockRecord]], tables: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """``measurements`` and the study's further tables, in the order of the plan.

    Rows that several blocks state alike appear once. A study that measures several things names each in a column
    ``metric``; one that has no such column measures the protocol's.
    """
    factors = list(plan.settings.factors)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("measurements", *tables)}
    for block, record in found:
        for name, columns in record.tables.items():
            part = pd.DataFrame(columns)
            if name == "measurements":
                part.insert(0, "unit", block.unit)
            if len(part):
                parts[name].append(part)
    collected = {name: pd.concat(part, ignore_index=True).drop_duplicates() for name, part in parts.items() if part}
    if "measurements" in collected:
        measured = collected["measurements"].assign(
            experiment=plan.protocol.name, dataset=dataset, profile=plan.settings.profile
        )
        if "metric" not in measured:
            measured["metric"] = plan.protocol.metric
        order = ["experiment", "dataset", "profile", "unit", "split", "condition", *factors, "metric", "value"]
        collected["measurements"] = _in_order(measured[order], plan)
    return collected


def _in_order(measured: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Sorted by unit and condition as planned, then by split; factors as the study lists them."""
    units = {unit: place for place, unit in enumerate(dict.fromkeys(block.unit for block in plan.blocks))}
    conditions = {condition: place for place, condition in enumerate(plan.settings.conditions)}
    keys = pd.DataFrame(
        {"unit": measured["unit"].map(units), "condition": measured["condition"].map(conditions)},
        index=measured.index,
    )
    keys["split"] = measured["split"]
    return measured.loc[keys.sort_values(["unit", "condition", "split"], kind="stable").index].reset_index(drop=True)


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
    present = measured[np.isfinite(measured["value"])].drop_duplicates(["unit", "split", "condition", *factors])
    split = present["split"]
    present = present[present["unit"].isin(units) & split.between(0, seeds - 1) & (split % 1 == 0)]
    for condition in conditions:
        rows = present[present["condition"] == condition]
        for name, levels in {**factors, **(own_levels or {}).get(condition, {})}.items():
            rows = rows[rows[name].isin(levels)]
        cells -= len(rows)
    return cells


def to_csv(table: pd.DataFrame) -> bytes:
    """Comma-separated text with six significant digits and Unix line ends."""
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()


def text_columns(table: pd.DataFrame) -> list[str]:
    """The columns that hold names."""
    return [str(column) for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]


def read_csv(records: Records, name: str, text: Sequence[str]) -> pd.DataFrame:
    """A table that a run left, all but the ``text`` columns as numbers. Raises OSError or ValueError."""
    table = pd.read_csv(records.folder / f"{name}.csv", dtype=str, keep_default_na=False)
    if absent := set(text) - set(table.columns):
        raise ValueError(f"there is no column '{min(absent)}'")
    for column in table.columns:
        if column not in text:
            table[column] = pd.to_numeric(table[column])
    return table
