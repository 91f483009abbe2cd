"""A figure as data, of one of a few declarative kinds."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import field

from .selection import Selection, refuse_unusable
from .strict import Name, Strict, Text

ONLY_CURVES = ("relative_to", "published", "panels", "dots", "lines")


class Figure(Strict, frozen=True, kw_only=True):
    """One figure; the columns named are those of ``table``.

    curves: the mean over units of metric ``y`` against ``x``, one line for each level of ``by`` (else each condition)
    or for each of ``lines``, which maps a name to a selection, perhaps of a metric of its own. panels: a column; one
    panel for each of its levels, side by side. relative_to: a selection that gives each unit its own zero. dots: the
    single units too. published: the protocol's published numbers drawn over ours, treated alike.
    heatmap: the mean of ``value`` by ``x`` and ``y``. own: drawn by the study's function of that name, which needs no
    more than the title.
    """

    name: Name
    kind: Literal["curves", "heatmap", "own"]
    title: Text
    x: str = ""
    y: str = ""
    table: Name = "measurements"
    value: str = "value"
    where: Selection = field(default_factory=dict)
    by: str | None = None
    lines: dict[Text, Selection] = field(default_factory=dict)
    panels: str | None = None
    relative_to: Selection | None = None
    dots: bool = False
    published: bool = False
    highlight: str | None = None
    x_label: str | None = None
    y_label: str | None = None
    value_label: str | None = None

    @property
    def metrics(self) -> list[str]:
        """Those that curves show."""
        if self.kind != "curves":
            return []
        return [self.y, *(str(selection["metric"]) for selection in self.lines.values() if "metric" in selection)]

    @property
    def selections(self) -> list[Selection]:
        """All selections it makes."""
        return [self.where, *self.lines.values(), *([self.relative_to] if self.relative_to else [])]

    @property
    def columns(self) -> list[str]:
        """Columns it names outside its selections."""
        if self.kind == "own":
            return []
        of_kind = [self.panels] if self.kind == "curves" else [self.y, self.value]
        return [column for column in (self.x, self.by, *of_kind) if column is not None]

    def __post_init__(self) -> None:
        """Refuse a selection that would select nothing it says, and keys that the kind has no use for."""
        owner = f"figure '{self.name}'"
        refuse_unusable(owner, *self.selections)
        said = set(msgspec.to_builtins(self)) - {"name", "kind", "title"}
        if self.kind == "own" and said:
            raise ValueError(f"{owner}: the study draws it, so it has no '{min(said)}'")
        if self.kind != "own" and (lacks := {"x", "y"} - said):
            raise ValueError(f"{owner}: a figure of kind {self.kind} needs '{min(lacks)}'")
        if self.kind != "curves":
            for key in ONLY_CURVES:
                if getattr(self, key):
                    raise ValueError(f"{owner}: a {self.kind} has no '{key}'")
        if self.kind == "curves" and self.table != "measurements":
            raise ValueError(f"{owner}: curves are drawn of table 'measurements' alone; leave 'table' out")
        if self.lines and self.by is not None:
            raise ValueError(f"{owner}: 'by' and 'lines' both say what a line is; leave one out")
        if self.relative_to == {}:
            raise ValueError(f"{owner}: 'relative_to' selects nothing; name a condition")
