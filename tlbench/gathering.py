"""A table that grows block by block and holds few bytes a row.

Whole numbers and numbers take eight bytes each; a name is held once, and four bytes a row say which it is (one or two
where the table is finished and there are few names). Blocks give Python's own objects, which take ten times as much:
none of them is held beyond its block.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any, Literal

import numpy as np
import pandas as pd

Kind = Literal["nothing", "whole", "number", "name", "object"]
NOTHING: type[None] = type(None)


class GrowingTable:
    """Columns of one length; one that some rows lack has nothing there."""

    def __init__(self) -> None:
        self._rows = 0
        self._columns: dict[str, _Column] = {}

    def extend(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows. Raises ValueError where columns differ in length."""
        counts = {len(values) for values in columns.values()}
        if len(counts) > 1:
            raise ValueError("all columns of a table need the same length")
        count = max(counts, default=0)
        if not count:
            return
        for name in columns:
            if name not in self._columns:
                self._columns[name] = _Column([None] * self._rows)
        for name, column in self._columns.items():
            column.extend(columns[name] if name in columns else [None] * count)
        self._rows += count

    def __len__(self) -> int:
        return self._rows

    def frame(self) -> pd.DataFrame:
        """The table, names as categories; it shares its numbers with this one, which grows no more."""
        return pd.DataFrame({name: column.values() for name, column in self._columns.items()}, copy=False)


class _Places(dict[Any, int]):
    """Name → its place among the names, in the order in which they came; nothing has place −1."""

    def __init__(self) -> None:
        super().__init__({None: -1})

    def __missing__(self, name: str) -> int:
        self[name] = place = len(self) - 1
        return place


class _Column:
    def __init__(self, cells: Sequence[None]) -> None:
        self._kind: Kind = "nothing"
        self._cells: Any = list(cells)
        self._places = _Places()

    def extend(self, values: Sequence[Any]) -> None:
        kind = _joined(self._kind, _kind_of(values)) if self._cells else _kind_of(values)
        try:
            added = self._held(kind, values)
        except OverflowError:  # a whole number of more than eight bytes
            kind, added = "object", list(values)
        if kind != self._kind:
            self._cells, self._kind = self._held(kind, self._objects()), kind
        self._cells.extend(added)

    def _held(self, kind: Kind, values: Iterable[Any]) -> Any:
        """Cells of a kind as they are held."""
        if kind == "whole":
            return array("q", values)
        if kind == "number":
            return array("d", [nan if value is None else value for value in values])
        if kind == "name":
            return array("i", map(self._places.__getitem__, values))
        return list(values)

    def _objects(self) -> list[Any]:
        """The cells as they came."""
        if self._kind == "name":
            names = [*list(self._places)[1:], None]
            return [names[place] for place in self._cells]
        return list(self._cells)

    def values(self) -> Any:
        """What pandas makes a column of."""
        if self._kind == "whole":
            return np.frombuffer(self._cells, dtype=np.int64)
        if self._kind == "number":
            return np.frombuffer(self._cells, dtype=np.float64)
        if self._kind == "name":
            names = pd.Index(list(self._places)[1:], dtype=str)
            return pd.Categorical.from_codes(np.frombuffer(self._cells, dtype=np.intc), names)
        return pd.Series(self._cells, dtype=object if self._kind == "nothing" else None)


def _kind_of(values: Iterable[Any]) -> Kind:
    kinds = set(map(type, values))
    if kinds == {int}:
        return "whole"
    if kinds == {NOTHING}:
        return "nothing"
    if kinds <= {int, float, NOTHING}:
        return "number"
    return "name" if kinds <= {str, NOTHING} else "object"


def _joined(first: Kind, second: Kind) -> Kind:
    """The kind of a column that holds cells of both."""
    both = {first, second}
    if len(both) == 1:
        return first
    if both <= {"nothing", "whole", "number"}:
        return "number"
    return "name" if both == {"nothing", "name"} else "object"
