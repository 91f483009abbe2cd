"""A table as it is shown, whatever shows it: headings, rows of cells, and the same as CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Format = Literal["table", "csv", "json", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True)
class Cell:
    """What is shown, the value behind it where that is a number, and what marks it: strong, muted, or a verdict."""

    text: str
    value: float | None = None
    mark: str = ""


@dataclass(frozen=True)
class Sheet:
    """Rows below headings; the first cell of a row says what it is about.

    caption: in words. of: what all rows share, such as the experiment; columns of their own where programs read.
    numbers: which columns are numbers; none where it is empty.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: tuple[bool, ...] = ()
    of: Mapping[str, str] = field(default_factory=dict)

    def is_number(self, column: int) -> bool:
        """Whether a column is made of numbers."""
        return bool(self.numbers) and self.numbers[column]


def words(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]], **of: str) -> Sheet:
    """A sheet of text alone."""
    return Sheet(caption, tuple(headings), tuple(tuple(Cell(text) for text in row) for row in rows), of=of)


def written(sheets: Sequence[Sheet], form: Format) -> str:
    """Sheets as a program or a page reads them; those that follow each other with the same columns become one table.

    CSV parts the tables that are left by an empty line, JSON is a list of them, each with its caption and its rows.
    """
    alike = [list(group) for _, group in itertools.groupby(sheets, lambda sheet: (tuple(sheet.of), sheet.headings))]
    if form == "json":
        content = [
            {"caption": group[0].caption, "rows": [record for sheet in group for record in _records(sheet)]}
            for group in alike
        ]
        return json.dumps(content, ensure_ascii=False, indent=1)
    if form == "markdown":
        return "\n\n".join(_markdown(sheet) for sheet in sheets)
    return "\n".join(_csv(group) for group in alike).rstrip("\n")


def _records(sheet: Sheet) -> list[dict[str, str | float | None]]:
    """Rows by heading; numbers as they are, and none where there is none."""
    return [
        {
            **sheet.of,
            **{
                heading: (None if cell.value != cell.value else cell.value) if sheet.is_number(place) else cell.text
                for place, (heading, cell) in enumerate(zip(sheet.headings, row, strict=True))
            },
        }
        for row in sheet.rows
    ]


def _csv(group: Sequence[Sheet]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*group[0].of, *group[0].headings])
    for sheet in group:
        for record in _records(sheet):
            writer.writerow(["" if value is None else value for value in record.values()])
    return text.getvalue()


def _markdown(sheet: Sheet) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    rule = ["--:" if sheet.is_number(place) else "---" for place in range(len(sheet.headings))]
    strong = [[f"**{c.text}**" if c.mark == "strong" else c.text for c in row] for row in sheet.rows]
    of = "".join(f", {value}" for value in sheet.of.values())
    return "\n".join([f"{sheet.caption}{of}", "", line(sheet.headings), f"| {' | '.join(rule)} |", *map(line, strong)])
