"""A world with a planted structure, as large as wanted: few of very many sources are related to a target.

A category's centre is that of its domain, plus that of its kind, plus its own. Kinds have Zipf's sizes, so that most
have a handful of the sources; a target's *relatives* are the sources of its kind. Pictures lie around their category's
centre. Every part has the same covariance, whose eigenvalues fall like 1/i, as those of features do; the shares below
are those with which a target alone gets about what it gets on Caltech-256 *mixed* (docs/caltech-multisource.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlbench.methods.kernels import Linear
from tlbench.methods.least_squares_svm import train

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
DOMAIN, KIND, OWN, PICTURE = 0.03, 0.06, 0.04, 0.87
"""Shares of a picture's squared length."""
DOMAINS = 30
POOL = 4000
"""Background pictures that sources draw from; as many others are the targets'."""
EXAMPLES = 80
"""Positives of a source, and as many negatives."""
C = 10.0


@dataclass(frozen=True)
class Size:
    """How large a world is."""

    sources: int
    kinds: int
    dimensions: int


@dataclass(frozen=True)
class Targets:
    """Targets with their pictures; of the training pictures the negatives come first, of the test pictures last."""

    kinds: Integers  # (t,)
    centres: Floats  # (t, d)
    train: Floats  # (t, N, d)
    test: Floats  # (t, T, d)


@dataclass(frozen=True)
class World:
    """Sources as hyperplanes w_j·x + b_j, and what targets are drawn from."""

    scales: Floats  # (d,), standard deviations
    kinds: Floats  # (kinds, d), centres
    popularity: Floats  # (kinds,)
    source_kinds: Integers  # (k,)
    source_centres: Floats  # (k, d)
    hyperplanes: Floats  # (k, d)
    biases: Floats  # (k,)
    background: Floats  # (POOL, d), the targets'
    seed: int

    @classmethod
    def draw(cls, size: Size, seed: int) -> World:
        """Draw the world and train its sources, each on 80 + 80 pictures by ``least_squares_svm.train``."""
        draw = np.random.default_rng([seed, 0])
        scales = 1.0 / np.sqrt(np.arange(1, size.dimensions + 1))
        scales /= np.linalg.norm(scales)
        domains = np.sqrt(DOMAIN) * _spread(draw, DOMAINS, scales)
        kinds = domains[draw.integers(DOMAINS, size=size.kinds)] + np.sqrt(KIND) * _spread(draw, size.kinds, scales)
        popularity = 1.0 / np.arange(1, size.kinds + 1)
        popularity /= popularity.sum()
        pools = [_background(draw, kinds, popularity, scales) for _ in range(2)]
        of_kind = draw.choice(size.kinds, size=size.sources, p=popularity)
        centres = kinds[of_kind] + np.sqrt(OWN) * _spread(draw, size.sources, scales)
        hyperplanes, biases = np.zeros(centres.shape), np.zeros(size.sources)
        labels = np.repeat([1.0, -1.0], EXAMPLES)
        for number, centre in enumerate(centres):
            own = centre + np.sqrt(PICTURE) * _spread(draw, EXAMPLES, scales)
            examples = np.concatenate([own, pools[0][_distinct(draw, 1, EXAMPLES)[0]]])
            dual, biases[number] = train(Linear()(examples, examples), labels, C)
            hyperplanes[number] = dual @ examples
        return cls(scales, kinds, popularity, of_kind, centres, hyperplanes, biases, pools[1], seed)

    def targets(self, count: int, batch: int, negatives: int, positives: int, test: int) -> Targets:
        """A batch of new categories, every kind as likely as any other, with ``test`` + ``test`` pictures to test on.

        No background picture of a target trains and tests it, or has trained a source.
        """
        draw = np.random.default_rng([self.seed, 1, batch])
        of_kind = draw.integers(len(self.kinds), size=count)
        centres = self.kinds[of_kind] + np.sqrt(OWN) * _spread(draw, count, self.scales)
        own = np.sqrt(PICTURE) * _spread(draw, count * (positives + test), self.scales)
        own = centres[:, None] + own.reshape(count, positives + test, -1)
        other = self.background[_distinct(draw, count, negatives + test)]
        return Targets(
            of_kind,
            centres,
            np.concatenate([other[:, :negatives], own[:, :positives]], axis=1),
            np.concatenate([own[:, positives:], other[:, negatives:]], axis=1),
        )

    def relatives(self, targets: Targets) -> NDArray[np.bool_]:
        """Which sources are of the target's kind, (t, k)."""
        return targets.kinds[:, None] == self.source_kinds


def _spread(draw: np.random.Generator, count: int, scales: Floats) -> Floats:
    return draw.standard_normal((count, len(scales))) * scales


def _background(draw: np.random.Generator, kinds: Floats, popularity: Floats, scales: Floats) -> Floats:
    """One picture each of as many categories, of kinds by their popularity."""
    centres = kinds[draw.choice(len(kinds), size=POOL, p=popularity)]
    return centres + np.sqrt(OWN + PICTURE) * _spread(draw, POOL, scales)


def _distinct(draw: np.random.Generator, sets: int, count: int) -> Integers:
    """Rows of a pool, distinct within each set: a run of neighbours, as the pool itself is in random order."""
    return (draw.integers(POOL, size=(sets, 1)) + np.arange(count)) % POOL
