"""Visual words learned from pictures that somebody declares, kept like the vectors.

Nothing of a picture that is tested on may reach what is learned, and words are learned. So who calls says which
pictures may be learned from and which must not; a picture that stands in both, even under another name, is left out.

Words carry a key made of themselves and of all that they were learned by and from, and what counts them carries it on:
vectors by other words are never taken for these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cache import FeatureCache
from .errors import FeaturesError
from .extraction import Picture, Progress, describe, silent
from .kinds import BAGS, Bag, Kept, Kind, find
from .words import fit_words

Bytes = NDArray[np.uint8]

VERSION = 1  # of how words are learned from the same descriptors
SEED = 0
MOST_TO_LEARN_FROM = 1500  # pictures: 64 descriptors of each are 320 for a word


@dataclass(frozen=True)
class Vocabulary:
    """Words of a kind: (k, d). learned_from: identities of the pictures, sorted. origin: hash of these and the way."""

    name: str
    words: Bytes
    learned_from: tuple[str, ...]
    origin: str

    @property
    def key(self) -> str:
        """Hash of the words and their origin."""
        return hashlib.sha256(self.origin.encode() + self.words.tobytes()).hexdigest()

    @property
    def kind(self) -> Kind:
        """The kind of feature that counts these words."""
        return BAGS[self.name].kind(self.words, self.key)


def settle(
    names: Sequence[str | Kind],
    learn_from: Sequence[Picture],
    apart_from: Collection[str],
    cache: Path,
    jobs: int,
    skip_broken: bool = False,
    progress: Progress = silent,
) -> list[Kind]:
    """The kinds of these names, their words learned where they have any; see ``learn``. A kind stays as it is."""
    unlearned = [name for name in names if isinstance(name, str) and name not in BAGS]
    plain = {name: find(name) for name in unlearned}  # first: a name that is unknown costs no learning
    return [
        name
        if isinstance(name, Kind)
        else plain.get(name) or learn(name, learn_from, apart_from, cache, jobs, skip_broken, progress).kind
        for name in names
    ]


def learn(
    name: str,
    learn_from: Sequence[Picture],
    apart_from: Collection[str],
    cache: Path,
    jobs: int,
    skip_broken: bool = False,
    progress: Progress = silent,
) -> Vocabulary:
    """The words of a kind, from at most ``MOST_TO_LEARN_FROM`` of the pictures, none of whose identity must be apart.

    Identities are hashes, so the first of them in order are a fair draw, which does not depend on the pictures' order
    and hardly changes when some are added. Words that were learned before from the same pictures are read.
    Raises like ``describe``; FeaturesError also where the pictures do not show as many descriptors as words.
    """
    bag = BAGS[name]
    apart = frozenset(apart_from)
    candidates = {picture.identity: picture for picture in learn_from if picture.identity not in apart}
    chosen = [candidates[identity] for identity in sorted(candidates)[:MOST_TO_LEARN_FROM]]
    described = describe(chosen, [bag.sample], cache, jobs, skip_broken, progress)
    learned_from = tuple(chosen[place].identity for place in described.kept)
    origin = _origin(bag, learned_from)
    store = FeatureCache(cache, _kept_words(bag))
    kept = store.get([origin])
    if origin in kept:
        return Vocabulary(name, kept[origin].reshape(bag.words, -1).astype(np.uint8), learned_from, origin)
    descriptors = described.features[bag.sample.name].reshape(-1, _width(bag)).astype(np.uint8, copy=False)
    descriptors = descriptors[descriptors.any(axis=1)]  # zeros fill up a sample
    if len(descriptors) < bag.words:
        raise FeaturesError(
            f"'{name}' needs pictures to learn {bag.words} words from, apart from those that are described; "
            f"{len(learned_from)} such pictures show {len(descriptors)} patches with edges"
        )
    words = fit_words(descriptors, bag.words, np.random.default_rng(SEED))
    store.put({origin: words.ravel()})
    return Vocabulary(name, words, learned_from, origin)


def _width(bag: Bag) -> int:
    return bag.sample.dimension // int(bag.sample.parameters["sample"])


def _kept_words(bag: Bag) -> Kept:
    parameters: dict[str, int | str] = {"words": bag.words, "seed": SEED, "sample": bag.sample.key}
    return Kept(f"{bag.name}-words", parameters, VERSION, bag.words * _width(bag), dtype="|u1")


def _origin(bag: Bag, identities: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([_kept_words(bag).key, *identities]).encode()).hexdigest()
