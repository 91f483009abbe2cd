"""Text as it is printed: plain lines and borderless tables, of the terminal's width or wide where there is none."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..records import printable
from ..sheet import Format, Sheet, written

PLAIN_WIDTH = 160
NARROWEST = 80
"""Columns below which a table would leave out words; a terminal that has fewer breaks its lines, and loses none."""
MARKS = {
    "strong": "bold",
    "muted": "dim",
    "reproduced": "green",
    "equivalent": "green",
    "contradicted": "red",
    "inconclusive": "yellow",
}


def console(stderr: bool = False) -> Console:
    """A console as wide as the terminal or, where there is none, as COLUMNS says or enough not to cut tables."""
    stream, columns = sys.stderr if stderr else sys.stdout, os.environ.get("COLUMNS", "")
    wide = int(columns) if columns.isdecimal() and int(columns) > 0 else PLAIN_WIDTH
    made = Console(stderr=stderr, width=None if stream.isatty() else wide, highlight=False, soft_wrap=False)
    if not stderr:
        made.width = max(made.width, NARROWEST)
    return made


def say(message: str, stderr: bool = False) -> None:
    """Lines of plain text, never wrapped or styled by what they hold."""
    print(plain(message), file=sys.stderr if stderr else sys.stdout)


def plain(text: str) -> str:
    """Each of its lines as ``one_line`` has it."""
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """Text with what would break or colour a line, and bytes of a file name that are no text, as escapes."""
    return re.sub(
        "[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", lambda found: ascii(found[0])[1:-1], text
    )


def show(sheets: Sequence[Sheet], form: Format = "table") -> None:
    """Sheets for a person, each a borderless table below its caption, or in a form that programs or pages read."""
    if form != "table":
        sys.stdout.write(f"{printable(written(sheets, form))}\n")  # every byte of it, for programs
        return
    for place, sheet in enumerate(sheets):
        if len(sheets) > 1:
            say(f"{chr(10) if place else ''}{sheet.caption}\n")
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column, heading in enumerate(sheet.headings):
            side: Literal["left", "right"] = "right" if sheet.is_number(column) else "left"
            table.add_column(Text(one_line(heading)), overflow="fold", justify=side)
        for row in sheet.rows:
            table.add_row(*(Text(one_line(cell.text), MARKS.get(cell.mark, "")) for cell in row))
        console().print(table)


def relative(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def duration(seconds: float) -> str:
    """Seconds in the words of a person waiting."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.0f} days"
