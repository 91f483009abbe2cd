"""What is drawn for each cell of the map: a source task and a target task, from two domains with the same classes.

Pan & Yang (TKDE 2010) tell transfer problems apart by whether source and target have the same domain (feature space and
distribution) and the same task (classes). Every unit is an ordered pair of domains and a draw of two disjoint sets of
classes; the target (its classes, training and test examples) is the same in all cells, only the source changes:

- *same-all*: other examples of the target's own domain and classes.
- *selection-bias*: the same, selected by their inputs alone: p(x) differs, p(y | x) does not.
- *other-domain*: examples of the other domain, of the target's classes.
- *other-task*: examples of the target's domain, of other classes.
- *both-differ*: examples of the other domain, of other classes.
- *other-space*: as same-all, but described by other features, in as many dimensions as those have; the unlabelled
  target examples are known in both descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import Data, DataError, FeaturePack, SettingPacks, generator

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

PARTS = 3
"""A class of the target's domain is divided into equal parts: test, target training, source."""


class Amounts(NamedTuple):
    """Examples of each class: labelled at most, unlabelled with these among them, of the test, of the source."""

    labelled: int
    unlabelled: int
    test: int
    source: int


class Problem(NamedTuple):
    """One source and one target. Labels are class numbers from 0, of the source's own classes and of the target's."""

    source: Floats
    """(n_S, d_S)."""
    source_labels: Integers
    labelled: Floats
    """(k · most shots, d): one example of each class after the other, so that fewer shots are the first rows."""
    labels: Integers
    pool: Floats
    """(n_U, d): the target's training examples without labels; the labelled ones are among them, no test example is."""
    test: Floats
    test_labels: Integers
    pairs: Floats | None
    """(n_U, d_S): the pool as the source's features describe it, where these are others than the target's."""

    def shots(self, shots: int) -> tuple[Floats, Integers]:
        """So many labelled target examples of each class."""
        first = shots * (int(self.test_labels.max()) + 1)
        return self.labelled[:first], self.labels[:first]


class Unit(NamedTuple):
    """The domains by name, and the classes by name: the target's, and the others."""

    source: str
    target: str
    classes: tuple[str, ...]
    others: tuple[str, ...]


def find_units(data: Data, classes: int, draws: int, seed: int) -> dict[str, Unit]:
    """Ordered pairs of domains × draws of classes, by name.

    Raises DataError for data that are not several domains with the same classes, and where these are too few.
    """
    if not isinstance(data, SettingPacks) or len(data.packs) < 2:
        raise DataError(
            "this experiment needs several domains of the same classes; shifted-digits, mnist-usps and "
            "office-caltech10 have them"
        )
    domains = {name: list(pack.categories) for name, pack in data.packs.items()}
    first, known = next(iter(domains.items()))
    for name, own in domains.items():
        if set(own) != set(known):
            raise DataError(f"domains '{first}' and '{name}' have different classes; all domains need the same ones")
    if len(known) < classes + 1:
        raise DataError(f"there are {len(known)} classes; tasks of {classes} leave none for another task")
    units = {}
    for source, target in permutations(domains, 2):
        for number in range(1, draws + 1):
            name = f"{source} to {target} {number}"
            order = generator(seed, "classes", name).permutation(known).tolist()
            units[name] = Unit(source, target, tuple(order[:classes]), tuple(order[classes : 2 * classes]))
    return units


def refuse_too_few(data: SettingPacks, unit: Unit, amounts: Amounts) -> None:
    """Raise DataError where a class of the unit has too few examples for the shots, or a kind of source has none."""
    for name in unit.classes:
        available = len(data.packs[unit.target].categories[name])
        training = -(-available // PARTS)
        if available < PARTS or training < amounts.labelled:
            raise DataError(
                f"class '{name}' of domain '{unit.target}' has {available} examples, {training} of them for target "
                f"training; {amounts.labelled} shots need {PARTS * max(1, amounts.labelled)}"
            )
    for domain, names in ((unit.source, unit.classes + unit.others), (unit.target, unit.others)):
        for name in names:
            if not len(data.packs[domain].categories[name]):
                raise DataError(f"class '{name}' of domain '{domain}' has no examples")


def kinds_of(data: SettingPacks) -> list[str]:
    """The descriptions that all domains have, the first of them the target's."""
    packs = list(data.packs.values())
    return [kind for kind in packs[0].features if all(kind in pack.features for pack in packs)]


class Division(NamedTuple):
    """Rows of the target's domain for each class of the target."""

    training: Mapping[str, Integers]
    test: Mapping[str, Integers]
    source: Mapping[str, Integers]


@dataclass
class Draws:
    """The problems of one unit, each drawn when it is first asked for; every split draws anew."""

    data: SettingPacks
    name: str
    unit: Unit
    amounts: Amounts
    bias: float
    seed: int
    _drawn: dict[tuple[str, int], Problem] = field(default_factory=dict)

    def problem(self, cell: str, split: int) -> Problem:
        """The problem of a cell in a split; the target's rows do not depend on the cell."""
        if (cell, split) not in self._drawn:
            self._drawn[cell, split] = self._draw(cell, split)
        return self._drawn[cell, split]

    def _draw(self, cell: str, split: int) -> Problem:
        target = self.data.packs[self.unit.target]
        division = self._divide(split)
        kind, *further = kinds_of(self.data)
        source_kind = further[0] if cell == "other-space" else kind
        pack, rows = self._source(cell, split, division)
        values, most = target.features[kind], self.amounts.labelled
        training = [division.training[name][: self.amounts.unlabelled] for name in self.unit.classes]
        labelled = np.stack([own[:most] for own in training], axis=1).ravel()
        pool = np.concatenate(training)
        tests = [division.test[name] for name in self.unit.classes]
        return Problem(
            source=pack.features[source_kind][np.concatenate(rows)],
            source_labels=_numbers(rows),
            labelled=values[labelled],
            labels=np.tile(np.arange(len(training)), most),
            pool=values[pool],
            test=values[np.concatenate(tests)],
            test_labels=_numbers(tests),
            pairs=target.features[source_kind][pool] if cell == "other-space" else None,
        )

    def _divide(self, split: int) -> Division:
        training, test, source = {}, {}, {}
        for name, rows in self.data.packs[self.unit.target].categories.items():
            shuffled = generator(self.seed, f"target {name}", self.name, split).permutation(rows)
            training[name], held, source[name] = np.array_split(shuffled, PARTS)
            test[name] = held[: self.amounts.test]
        return Division(training, test, source)

    def _source(self, cell: str, split: int, division: Division) -> tuple[FeaturePack, list[Integers]]:
        """The source's domain, and its rows of each of the source's classes."""
        target = self.data.packs[self.unit.target]
        count = self.amounts.source
        if cell == "selection-bias":
            candidates = [division.source[name] for name in self.unit.classes]
            draw = generator(self.seed, "selection", self.name, split)
            return target, select_by_inputs(target.features[kinds_of(self.data)[0]], candidates, count, self.bias, draw)
        if cell == "other-task":
            return target, self._others(target, split)
        other = self.data.packs[self.unit.source]
        if cell == "both-differ":
            return other, self._others(other, split)
        if cell == "other-domain":
            return other, [self._apart(other, name, split, division)[:count] for name in self.unit.classes]
        return target, [division.source[name][:count] for name in self.unit.classes]

    def _others(self, pack: FeaturePack, split: int) -> list[Integers]:
        draws = {name: generator(self.seed, f"source {name}", self.name, split) for name in self.unit.others}
        return [draw.permutation(pack.categories[name])[: self.amounts.source] for name, draw in draws.items()]

    def _apart(self, pack: FeaturePack, name: str, split: int, division: Division) -> Integers:
        """Rows of a class in the source's domain, without the pictures that the target trains on or is tested on.

        One picture may stand in both domains, changed in one of them; it bears the same identity.
        """
        target = self.data.packs[self.unit.target]
        own = set(target.categories[name].tolist()) - set(division.source[name].tolist())
        hidden = {target.identities[row] for row in own}
        shuffled = generator(self.seed, f"source {name}", self.name, split).permutation(pack.categories[name])
        return np.array([row for row in shuffled if pack.identities[row] not in hidden], dtype=np.intp)


LEAST_SELECTED = 2
"""Examples of each class that a selection keeps at least."""


def select_by_inputs(
    values: Floats, candidates: list[Integers], count: int, bias: float, draw: np.random.Generator
) -> list[Integers]:
    """Rows of each class, selected with odds exp(bias · z) where z is the standardised first principal component.

    ``count`` for each class on average, of half the candidates at most: which class a row has plays no part, but that
    each keeps two (after the biased sampling of Huang, Smola, Gretton, Borgwardt & Schölkopf, NIPS 2006).
    """
    rows, labels = np.concatenate(candidates), _numbers(candidates)
    centred = values[rows] - values[rows].mean(axis=0)
    *_, axes = np.linalg.svd(centred, full_matrices=False)
    axis = axes[0] * np.sign(axes[0][np.abs(axes[0]).argmax()])
    along = centred @ axis
    # Weighted sampling without replacement: the largest of log odds plus Gumbel noise.
    keys = bias * along / along.std() + draw.gumbel(size=len(rows))
    order = np.argsort(-keys)
    chosen = set(order[: min(count * len(candidates), len(rows) // 2)].tolist())
    for number in range(len(candidates)):
        chosen |= set([place for place in order.tolist() if labels[place] == number][:LEAST_SELECTED])
    kept = np.array(sorted(chosen), dtype=np.intp)
    return [rows[kept[labels[kept] == number]] for number in range(len(candidates))]


def _numbers(rows: list[Integers]) -> Integers:
    return np.repeat(np.arange(len(rows)), [len(own) for own in rows])
