"""A protocol file, tried before hours are spent on it: every profile, claim and figure by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

from msgspec import structs

from .. import claims, datasets, preparing, published
from ..protocol import Claim, Figure, Protocol, words_used
from ..settings import Settings
from ..study import Study
from .checks import Check, attempt


def try_protocol(protocol: Protocol, reference: str) -> list[Check]:
    """Everything that it declares, held against its study: the first that fails leaves the others to be tried.

    reference: the data set that it is to run on.
    """
    trial = Declared(protocol, reference)
    found = attempt("study, methods, data", trial.finds)
    if found.outcome == "problem":
        return [found]
    tried: dict[str, Callable[[], str | None]] = {
        **{f"profile {name}": partial(trial.settles, name) for name in protocol.profiles},
        **{f"claim {claim.id}": partial(trial.reads_claim, claim) for claim in protocol.claims},
        **{f"figure {figure.name}": partial(trial.reads_figure, figure) for figure in protocol.figures},
    }
    checks = [found, *(attempt(what, trying) for what, trying in tried.items())]
    if any(check.outcome == "problem" for check in checks):
        return [*checks, Check("the rest", "not tried")]
    return [*checks, attempt("the rest", trial.reads_the_rest)]


@dataclass(frozen=True)
class Declared:
    """What a protocol declares, on a data set."""

    protocol: Protocol
    reference: str

    @cached_property
    def study(self) -> Study:
        """With the methods of the user's own."""
        return preparing.study_of(self.protocol)

    def settled(self, profile: str, claims: list[Claim], figures: list[Figure]) -> Settings:
        """The settings under a profile, as if these were all that the protocol claims and draws."""
        part = structs.replace(self.protocol, claims=claims, figures=figures, oracles=[])
        part.__dict__.update(self.protocol.__dict__)
        return preparing.settle(part, profile, {}, self.reference)

    def finds(self) -> str:
        """What everything else needs."""
        datasets.require_shape(self.reference, self.study.shape)
        return ", ".join([self.protocol.study, *self.protocol.methods, self.reference])

    def settles(self, profile: str) -> str:
        """Choices and levels of the right types."""
        settings = self.settled(profile, [], [])
        levels = [f"{len(value)} {name}" for name, value in settings.factors.items() if isinstance(value, list)]
        return ", ".join([f"seeds {settings.seeds}", f"{len(settings.conditions)} conditions", *levels])

    def reads_claim(self, claim: Claim) -> str:
        """Columns, tables and conditions that there are; in words what the default profile leaves out."""
        profile = self.protocol.default_profile
        settings = self.settled(profile, [claim], [])
        levels = {key: value if isinstance(value, list) else [value] for key, value in settings.factors.items()}
        if lacking := claims.left_out(claim, claims.Extent(levels, settings.conditions), self.protocol.factors):
            return f"profile {profile} leaves out {lacking}"
        known = self._levels()
        odd = [f"{name} = {level}" for name, level in words_used(claim) if level not in known.get(name, [level])]
        return f"no profile has {', '.join(odd)}; the study has to measure that by itself" if odd else ""

    def _levels(self) -> dict[str, list[object]]:
        """Factor → the levels that are named anywhere in the protocol, and what stands for none or the most."""
        named = [self.protocol.factors, *(one.factors for one in self.protocol.profiles.values())]
        found: dict[str, list[object]] = {name: [None, "most"] for name in self.protocol.factors}
        for levels in [*named, *self.protocol.datasets.values()]:
            for name in set(levels) & set(found):
                value = levels[name]
                found[name] += value if isinstance(value, list) else [value]
        return found

    def reads_figure(self, figure: Figure) -> None:
        """Columns, tables, metrics and conditions that there are."""
        self.settled(self.protocol.default_profile, [], [figure])

    def reads_the_rest(self) -> str:
        """Oracles, what is said about data sets, and the numbers of others."""
        preparing.settle(self.protocol, None, {}, self.reference)
        beside = published.load(self.protocol)
        return f"{len(beside.table)} published numbers" if beside else ""
