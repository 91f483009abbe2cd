"""The shape of data that kernel experiments work on: arrays by identity, categories, and a background."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class FeaturePack:
    """Distinct examples, each with one row in every kind of feature.

    identities: n different names, sorted, so that row numbers depend on identities alone. features: kind → (n, d).
    categories: name → rows of its positive examples. background: rows shared by all categories, or a mapping from
    category to its own background rows. All row lists are sorted.
    notices: sentences that a user of these data should read.
    """

    identities: tuple[str, ...]
    features: Mapping[str, Floats]
    categories: Mapping[str, Rows]
    background: Rows | Mapping[str, Rows]
    notices: tuple[str, ...] = ()

    @property
    def own_backgrounds(self) -> bool:
        """Whether each category brings a background of its own."""
        return isinstance(self.background, Mapping)

    def background_of(self, category: str) -> Rows:
        """Background rows of a category; the shared ones where there is one background."""
        return self.background[category] if isinstance(self.background, Mapping) else self.background

    def take(self, rows: Rows) -> dict[str, Floats]:
        """The features of some rows, by kind."""
        return {kind: values[rows] for kind, values in self.features.items()}

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 of everything that can change a result: identities, numbers and who belongs where."""
        digest = hashlib.sha256()
        for kind in sorted(self.features):
            digest.update(f"{kind} {self.features[kind].shape}".encode())
            digest.update(np.ascontiguousarray(self.features[kind], dtype="<f8").tobytes())
        groups = {f"+{name}": rows for name, rows in self.categories.items()}
        groups |= {f"-{name}": self.background_of(name) for name in self.categories}
        for name in sorted(groups):
            digest.update("\0".join([name, *(self.identities[row] for row in groups[name])]).encode())
        return digest.hexdigest()

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """All but the notices, as arrays by name."""
        arrays: dict[str, NDArray[np.generic]] = {"identities": np.array(self.identities, dtype=str)}
        arrays |= {f"features/{kind}": values for kind, values in self.features.items()}
        arrays |= {f"category/{name}": rows for name, rows in self.categories.items()}
        if isinstance(self.background, Mapping):
            return arrays | {f"background/{name}": rows for name, rows in self.background.items()}
        return arrays | {"background": self.background}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> FeaturePack:
        """What ``to_arrays`` gave."""
        return cls(
            identities=tuple(arrays["identities"].tolist()),
            features=below("features/", arrays),
            categories=below("category/", arrays),
            background=arrays.get("background", below("background/", arrays)),
        )


def below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def build(
    examples: Sequence[tuple[str, str]],
    features: Mapping[str, Floats],
    background: str | None,
    categories: Sequence[str] = (),
    what: str = "example",
) -> FeaturePack:
    """A pack with one shared background from (identity, label) pairs in the order of the rows.

    ``background`` names its label; None looks for a usual name. ``categories`` keeps those alone, in that order. Rows
    that repeat an earlier row of the same label to the last digit are kept once, with a notice.
    Raises DataError for fewer than two categories, an unknown name, an identity used twice, numbers that are not
    finite, or one picture under two labels.
    """
    labels = list(dict.fromkeys(label for _, label in examples))
    if background is None:
        background = next((label for label in labels if label.casefold() in USUAL_BACKGROUNDS), None)
        if background is None:
            raise DataError(f"no label is a background; name one with --background ({_names(labels)})")
    for name in [background, *categories]:
        if name not in labels:
            raise DataError(f"there is no label '{name}'; there are {_names(labels)}")
    wanted = list(dict.fromkeys(categories)) or sorted(label for label in labels if label != background)
    if background in wanted:
        raise DataError(f"'{background}' is the background and cannot be a category as well")
    if len(wanted) < 2:
        raise DataError(
            f"one label is the background and {len(wanted)} a category; an experiment needs at least two categories"
        )
    if odd := [name for pair in examples for name in pair if "\0" in name]:
        raise DataError(f"a name holds a NUL character ({odd[0]!r}); remove it")
    _refuse_bad_numbers(features, [identity for identity, _ in examples])
    order = np.array(sorted(range(len(examples)), key=lambda row: examples[row][0]), dtype=np.intp)
    kept, repeats = _distinct(examples, features, order, what)
    members = {label: [row for row, (_, other) in enumerate(kept) if other == label] for label in [*wanted, background]}
    rows = {label: np.array(rows, dtype=np.intp) for label, rows in members.items()}
    places = np.array([place for place, _ in kept], dtype=np.intp)
    return FeaturePack(
        identities=tuple(examples[place][0] for place in places),
        features={kind: values[places] for kind, values in features.items()},
        categories={label: rows[label] for label in wanted},
        background=rows[background],
        notices=(f"{repeats} {what}s repeat another of the same label to the last digit: kept once",)
        if repeats
        else (),
    )


LARGEST = 1e150
"""Squares of larger numbers soon overflow."""
USUAL_BACKGROUNDS = ("background", "background_google", "257.clutter", "clutter")


def _names(labels: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(f"'{label}'" for label in labels[:most])
    return shown + (f" and {len(labels) - most} more" if len(labels) > most else "")


def _refuse_bad_numbers(features: Mapping[str, Floats], identities: Sequence[str]) -> None:
    for kind, values in features.items():
        for what, wrong in (
            ("NaN or infinity", ~np.isfinite(values)),
            (f"a number beyond {LARGEST:g}", np.abs(values) > LARGEST),
        ):
            if (rows := wrong.any(axis=1)).any():
                first = identities[int(rows.argmax())]
                raise DataError(f"{what} in {int(rows.sum())} rows of '{kind}', first '{first}'; fill or remove them")


def _distinct(
    examples: Sequence[tuple[str, str]], features: Mapping[str, Floats], order: Rows, what: str
) -> tuple[list[tuple[int, str]], int]:
    """(row, label) of the distinct examples in the given order, and how many repeat one of them."""
    by_identity: dict[str, int] = {}
    by_content: dict[bytes, int] = {}
    kept: list[tuple[int, str]] = []
    whole = np.concatenate([features[kind] for kind in sorted(features)], axis=1) + 0.0
    for row in order:
        identity, label = examples[row]
        if (other := by_identity.setdefault(identity, row)) != row:
            raise DataError(f"identity '{identity}' stands in rows {other + 1} and {row + 1}; give each {what} its own")
        if (other := by_content.setdefault(whole[row].tobytes(), row)) == row:
            kept.append((row, label))
        elif examples[other][1] != label:
            raise DataError(
                f"'{identity}' (label '{label}') and '{examples[other][0]}' (label '{examples[other][1]}') are the "
                f"same {what}; remove one of them"
            )
    return kept, len(examples) - len(kept)
