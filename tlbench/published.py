"""Numbers that others published, in the form of a run's measurements: read strictly, judged by the same claims."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from . import claims
from .protocol import Protocol, ProtocolError, Reference, nearest, shipped_folder


@dataclass(frozen=True)
class Published:
    """A protocol's published numbers. table: columns unit, split, condition, the factors, metric, value."""

    reference: Reference
    table: pd.DataFrame

    def findings(self, protocol: Protocol) -> list[claims.Finding]:
        """The protocol's claims on these numbers, each with its margin for them; what they lack was not run."""
        judged = [
            msgspec.structs.replace(claim, margin=claim.margin_published or claim.margin) for claim in protocol.claims
        ]
        extent = claims.Extent(
            factors={factor: _levels(protocol, factor, self.table) for factor in protocol.factors},
            conditions=list(dict.fromkeys(self.table["condition"])),
            gaps=True,
        )
        found = claims.assess(msgspec.structs.replace(protocol, claims=judged), self.table, extent)
        return [replace(one, verdict="not run") if one.verdict == "missing" else one for one in found]


def find(protocol: Protocol) -> Path | None:
    """The file of a protocol's published numbers: beside the protocol's own, else among those that ship, else None."""
    if protocol.reference is None:
        return None
    folders = [*([protocol.folder] if protocol.folder else []), shipped_folder() / "reference"]
    return next((path for folder in folders if (path := folder / protocol.reference.file).is_file()), None)


def load(protocol: Protocol) -> Published | None:
    """A protocol's published numbers; None where it declares none.

    Raises ProtocolError where the file is not there or does not hold what it should.
    """
    if protocol.reference is None:
        return None
    path = find(protocol)
    if path is None:
        where = protocol.folder or "the protocol file's folder"
        raise ProtocolError(f"reference: there is no {protocol.reference.file} in {where}, nor among those that ship")
    return Published(protocol.reference, read(path, list(protocol.factors), protocol.metric))


def read(path: Path, factors: Sequence[str], metric: str) -> pd.DataFrame:
    """A file of published numbers. Raises ProtocolError that names the file, the line and the column."""
    columns = ["unit", "split", "condition", *factors, "metric", "value"]
    table = _text(path, columns)
    for column in columns:
        if column not in table.columns:
            raise ProtocolError(f"{path} has no column '{column}'; {nearest(column, list(table.columns))}")
    for column in table.columns:
        if column not in columns:
            raise ProtocolError(f"{path} has an unknown column '{column}'; {nearest(column, columns)}")
    if table.empty:
        raise ProtocolError(f"{path} has columns and no row of metric '{metric}'; give each number a line")
    table = table.assign(**{column: _cells(path, column, table[column]) for column in columns})
    cell = [column for column in columns if column != "value"]
    if (twice := table.duplicated(cell)).any():
        raise ProtocolError(f"{path}, line {_line(twice)}: this {', '.join(cell)} was there before; keep one of them")
    if metric not in set(table["metric"]):
        raise ProtocolError(f"{path} has no row of metric '{metric}'; {nearest(metric, sorted(set(table['metric'])))}")
    return table


def _text(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A file of comma-separated values as text, every line as long as the first."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            heading, *rows = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ProtocolError(f"{path} cannot be read as a table ({error})") from None
    if not heading:
        raise ProtocolError(f"{path}, line 1: nothing stands there; it has to name the columns {', '.join(columns)}")
    if twice := [name for name in heading if heading.count(name) > 1]:
        raise ProtocolError(f"{path} has column '{twice[0]}' twice; leave one out")
    for number, row in enumerate(rows, 2):
        if len(row) != len(heading):
            raise ProtocolError(f"{path}, line {number}: {len(heading)} values are needed, not {len(row)}")
    return pd.DataFrame(rows, columns=heading, dtype=str)


def _cells(path: Path, column: str, cells: pd.Series[Any]) -> pd.Series[Any]:
    """One column, as numbers where all of it are; values and splits have to be."""
    if (empty := cells == "").any():
        raise ProtocolError(f"{path}, line {_line(empty)}: {column} is empty; leave the whole line out")
    if column in ("unit", "condition", "metric"):
        return cells
    numbers = pd.to_numeric(cells, errors="coerce")
    wrong = ~numbers.abs().lt(float("inf"))
    if not wrong.any():
        return numbers
    if column in ("split", "value"):
        raise ProtocolError(f"{path}, line {_line(wrong)}: {column} has to be a number, not '{cells[wrong].iloc[0]}'")
    return cells


def _line(marked: pd.Series[bool]) -> int:
    """The line of the file with the first marked row, its heading being line 1."""
    return int(marked.to_numpy().argmax()) + 2


def _levels(protocol: Protocol, factor: str, table: pd.DataFrame) -> list[Any]:
    """The protocol's levels of a factor that the table has."""
    levels, there = protocol.factors[factor], set(table[factor])
    return [level for level in (levels if isinstance(levels, list) else [levels]) if level in there]
