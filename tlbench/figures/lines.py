"""The lines of a figure of curves, as numbers: what is drawn, before it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .. import protocol
from ..claims import ClaimError, relative, select
from ..claims.selection import levels_within
from ..tables import summarise, unit_means
from .style import PALETTE


@dataclass(frozen=True)
class Line:
    """One line of one panel.

    points: means over units by x: columns x, mean, low, high, units. units: the values behind them: columns x, value.
    published: the means of the published numbers likewise, perhaps without a row. place: which of the figure's lines it
    is, the same in all panels.
    """

    panel: str
    name: str
    place: int
    colour: str
    oracle: bool
    points: pd.DataFrame
    units: pd.DataFrame
    published: pd.DataFrame

    def is_level(self, lowest: float) -> bool:
        """Whether it has one point alone, at the lowest x of all, and stands for a height: what has none of x."""
        return len(self.points) == 1 and self.points["x"].iloc[0] == lowest


def lines_of(
    figure: protocol.Figure,
    declared: protocol.Protocol,
    table: pd.DataFrame,
    factors: Mapping[str, Sequence[Any]],
    published: pd.DataFrame | None = None,
) -> list[Line]:
    """All lines of a figure, panel by panel; none where the table has no such rows."""
    means = _values(figure, table, factors)
    others = None if published is None or not figure.published else _values(figure, published, factors)
    named = dict(_named(figure, means, factors))
    colours = _colours(figure, declared, list(named))
    drawn, ours, beside = [], [], []
    for panel in _panels(figure, declared, means):
        for place, (name, selection) in enumerate(named.items()):
            wanted = selection if figure.panels is None else {**selection, figure.panels: panel}
            rows = select(means, wanted, factors, all_of_a_list=False)
            if rows.empty:
                continue
            drawn.append((panel, name, place))
            ours.append(rows)
            beside.append(means[:0] if others is None else select(others, wanted, factors, all_of_a_list=False))
    found = zip(drawn, ours, _points(ours, figure.x), _points(beside, figure.x), strict=True)
    return [
        Line(
            panel=panel,
            name=name,
            place=place,
            colour=colours[name],
            oracle=name in declared.oracles,
            points=points,
            units=rows[[figure.x, "value"]].rename(columns={figure.x: "x"}),
            published=published_points,
        )
        for (panel, name, place), rows, points, published_points in found
    ]


def left_of(figure: protocol.Figure, table: pd.DataFrame, factors: Mapping[str, Sequence[Any]]) -> list[str]:
    """In words, what the figure selects where that leaves something of the run out and no axis, panel or name says so.

    One entry a column: "class_split = random".
    """
    named = None if figure.lines or figure.kind != "curves" else figure.by or "condition"
    said = []
    for column, wanted in figure.where.items():
        there = list(factors[column]) if column in factors else table[column].unique().tolist()
        kept = levels_within(there, wanted)
        if column not in (figure.x, figure.y, figure.panels, named) and len(kept) < len(there):
            said.append(f"{column} = {', '.join(map(str, kept))}")
    return said


def _values(figure: protocol.Figure, table: pd.DataFrame, factors: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """The figure's unit means, each unit's from its own zero where it has one; the zeros themselves are left out."""
    if not any("metric" in selection for selection in figure.lines.values()):
        table = table[table["metric"] == figure.y]
    means = unit_means(table, list(factors))
    if figure.relative_to:
        try:
            zeros = select(means, figure.relative_to, factors).index
            means = relative(means, figure.relative_to, factors).drop(index=zeros).dropna(subset="value")
        except ClaimError:
            means = means[:0]
    return select(means, figure.where, factors, all_of_a_list=False)


def _named(
    figure: protocol.Figure, means: pd.DataFrame, factors: Mapping[str, Sequence[Any]]
) -> Iterator[tuple[str, protocol.Selection]]:
    """The name of each line that has rows, and which they are."""
    if not figure.lines:
        by = figure.by or "condition"
        yield from ((str(level), {by: level}) for level in dict.fromkeys(means[by]))
    for name, selection in figure.lines.items():
        if not select(means, selection, factors, all_of_a_list=False).empty:
            yield name, selection


def _panels(figure: protocol.Figure, declared: protocol.Protocol, means: pd.DataFrame) -> list[Any]:
    """The levels that have a panel each, in the protocol's order; one without a name where there are no panels."""
    if figure.panels is None:
        return [""] if len(means) else []
    levels = declared.factors.get(figure.panels)
    order = list(levels) if isinstance(levels, list) else []
    there = list(dict.fromkeys(means[figure.panels]))
    return [level for level in order if level in there] + [level for level in there if level not in order]


def _colours(figure: protocol.Figure, declared: protocol.Protocol, names: Sequence[str]) -> dict[str, str]:
    """Each line's colour: its condition's own in all figures, or the first that no line has."""
    conditions = {name: figure.where.get("condition", "") for name in names}
    if not figure.lines and figure.by in (None, "condition"):
        conditions = {name: name for name in names}
    conditions |= {name: line.get("condition", conditions.get(name, "")) for name, line in figure.lines.items()}
    known = {condition: PALETTE[place % len(PALETTE)] for place, condition in enumerate(declared.conditions)}
    colours: dict[str, str] = {}
    for name in names:
        colour = known.get(conditions[name]) if isinstance(conditions[name], str) else None
        if colour is not None and colour not in colours.values():
            colours[name] = colour
    for place, name in enumerate(names):
        if name not in colours:
            free = [colour for colour in PALETTE if colour not in colours.values()]
            colours[name] = free[0] if free else PALETTE[place % len(PALETTE)]
    return {name: colours[name] for name in names}


def _points(lines: Sequence[pd.DataFrame], x: str) -> list[pd.DataFrame]:
    """Mean over units at each x of each line, with its interval, all lines at once.

    What else tells the rows of a line apart is averaged within a unit.
    """
    if not lines:
        return []
    together = pd.concat([rows[[x, "unit", "value"]].assign(line=place) for place, rows in enumerate(lines)])
    single = together.groupby(["line", x, "unit"], sort=False)["value"].mean().reset_index()
    summary = summarise(single.assign(condition="", metric=""), ["line", x]).rename(columns={x: "x"})
    summary = summary.sort_values(["line", "x"])
    columns = ["x", "mean", "low", "high", "units"]
    return [summary.loc[summary["line"] == place, columns].reset_index(drop=True) for place in range(len(lines))]
