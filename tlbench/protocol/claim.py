"""What a paper says, as a test that is fixed before anything is run."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from .selection import Selection, Side, parts, refuse_unusable
from .strict import Name, Strict, Text

Margin = Annotated[float, Meta(gt=0)]

NEEDS = {
    "not_worse": {"margin"},
    "equivalent": {"margin"},
    "slope": {"along", "direction"},
    "rank_correlation": {"table", "between", "among"},
}
"""The keys that a kind of test needs; one that is not named needs none of them."""


class Expectation(Strict, frozen=True, kw_only=True):
    """A verdict that is expected on one data set, and why."""

    verdict: Literal["reproduced", "contradicted", "equivalent", "inconclusive", "shown, not tested"]
    why: Text


class Claim(Strict, frozen=True, kw_only=True):
    """What the paper says, as a test on differences between two sides, ``of`` minus ``to``.

    difference: ``of`` is better than ``to``, both averaged over ``over``. not_worse: ``of`` is not worse than ``to`` by
    ``margin``. equivalent: they differ by less than ``margin`` either way. slope: the difference changes along factor
    ``along`` in ``direction``, ``per`` doubling of it or per step of one. These pair each unit with itself.
    two_sample: ``of`` is better than ``to`` where they are measured on different units.
    rank_correlation: two columns, ``between``, of a study's ``table`` rank the levels of its column ``among`` alike, in
    the rows of ``of``; there is no ``to``. That is so within each unit, or with among = "unit" over the units.

    metric: what is compared, where it is not the protocol's. relative_to: a selection that gives each unit its own
    zero: all values count as differences from it. every: a factor; the claim must hold at each of its levels within
    ``over``. margin_published: the margin for published numbers, where it is another one.
    """

    id: Name
    says: Text
    test: Literal["difference", "not_worse", "equivalent", "slope", "two_sample", "rank_correlation"]
    of: Side
    to: Side = field(default_factory=dict)
    over: Selection = field(default_factory=dict)
    source: Text
    metric: Name | None = None
    margin: Margin | None = None
    margin_published: Margin | None = None
    along: str | None = None
    direction: Literal["rises", "falls"] | None = None
    per: Literal["doubling", "step"] = "doubling"
    relative_to: Selection | None = None
    every: str | None = None
    table: Name | None = None
    between: tuple[Text, Text] | None = None
    among: Text | None = None
    expects: dict[str, Expectation] = field(default_factory=dict)

    @property
    def selections(self) -> list[Selection]:
        """All selections it makes."""
        return [*parts(self.of), *parts(self.to), self.over, *([self.relative_to] if self.relative_to else [])]

    @property
    def columns(self) -> list[str]:
        """Columns it names outside its selections."""
        return [column for column in (self.along, self.every) if column is not None]

    @property
    def ranked(self) -> list[str]:
        """Columns of its table that a rank correlation names."""
        return [*(self.between or ()), *([self.among] if self.among else [])]

    def __post_init__(self) -> None:
        """Refuse keys that a kind of test lacks or has no use for."""
        owner = f"claim '{self.id}'"
        refuse_unusable(owner, *self.selections)
        needs = NEEDS.get(self.test, set())
        for key in ("margin", "along", "direction", "table", "between", "among"):
            if (getattr(self, key) is not None) != (key in needs):
                raise ValueError(f"{owner}: test {self.test} {'needs' if key in needs else 'has no'} '{key}'")
        if self.margin_published is not None and self.margin is None:
            raise ValueError(f"{owner}: test {self.test} has no 'margin_published'")
        if self.test != "slope" and self.per != "doubling":
            raise ValueError(f"{owner}: test {self.test} has no 'per'")
        if self.test == "slope" and self.every is not None:
            raise ValueError(f"{owner}: test slope has no 'every'")
        ranks = self.test == "rank_correlation"
        for key in ("to", "metric", "relative_to"):
            if ranks and getattr(self, key):
                raise ValueError(f"{owner}: test {self.test} has no '{key}'")
        for side, name in ((self.of, "of"), (self.to, "to")):
            if (not side or {} in parts(side)) and not (ranks and name == "to"):
                raise ValueError(f"{owner}: '{name}' selects nothing; name a condition")
        if self.relative_to == {}:
            raise ValueError(f"{owner}: 'relative_to' selects nothing; name a condition")
