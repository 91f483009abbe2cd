"""Which picture is used for what: the only place where pictures are drawn, always by identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from .errors import DataError
from .feature_pack import FeaturePack, Rows

LEAST_TEST_EXAMPLES = 15
Overlap = Literal["repaired", "kept", "same-number", "no-refill", "test-rows"]


def generator(seed: int, purpose: str, unit: str = "", split: int = 0) -> np.random.Generator:
    """The generator of one draw; it depends on what is drawn and on nothing else."""
    words = hashlib.sha256(f"{purpose}\0{unit}".encode()).digest()[:16]
    return np.random.default_rng([seed, split, *np.frombuffer(words, dtype="<u4")])


@dataclass(frozen=True)
class Amounts:
    """How many pictures a task uses, as a protocol asks for them."""

    most_shots: int
    negatives: int
    test_examples: int
    source_examples: int


@dataclass(frozen=True)
class SourceRows:
    """What one source model is trained on."""

    positives: Rows
    negatives: Rows


@dataclass(frozen=True)
class TaskRows:
    """One target with its sources.

    train: (splits, negatives + most shots), the negatives first; the first s positives are the s-shot task, so smaller
    tasks are nested in larger ones. test: (splits, test_positives + test negatives), positives first. No row of any
    ``train`` or ``test`` stands in ``sources`` unless the overlap was kept.
    """

    target: str
    sources: Mapping[str, SourceRows]
    train: Rows
    test: Rows
    test_positives: int

    @cached_property
    def source_training(self) -> Rows:
        """The distinct rows that any source is trained on, sorted."""
        return np.unique(np.concatenate([np.r_[s.positives, s.negatives] for s in self.sources.values()]))


def draw_task(
    pack: FeaturePack, target: str, amounts: Amounts, overlap: Overlap, seed: int, splits: Sequence[int]
) -> TaskRows:
    """Draw the pictures of a target and of its sources.

    A pack with one shared background has it divided once per seed into three equal pools (sources, target training,
    target test), the same for all targets and splits. In a pack with a background for each category a target uses its
    own. Sources are drawn once per seed and target, targets anew for each split.

    ``overlap`` says what becomes of pictures that a source shares with the target's pool, training and test together.
    repaired: they are removed from the source, which is refilled up to ``source_examples`` with background that the
    target never sees (fewer, where there is not enough). kept: sources train on all they were released with. The rest
    take the leak apart. no-refill: removed, and the source stays small. same-number: kept, but as many negatives of the
    source are drawn as no-refill would leave. test-rows: only what the target is tested on is removed, and refilled
    with background outside the target's pool; for one split at a time, as each has another test.
    Raises DataError where examples are too few (how many there are, how many are needed).
    """
    if overlap == "test-rows" and len(splits) > 1:
        raise ValueError("overlap 'test-rows' is for one split at a time")
    positives = pack.categories[target]
    training_pool, test_pool, source_pool = _background_pools(pack, target, overlap, seed)
    test_positives = _test_size(len(positives), amounts.most_shots, amounts, f"category '{target}'", "shots")
    test_negatives = _test_size(
        len(test_pool),
        0 if training_pool is not test_pool else amounts.negatives,
        amounts,
        "the background",
        "negatives",
    )
    if len(training_pool) < amounts.negatives:
        raise DataError(
            f"the background of '{target}' leaves {len(training_pool)} examples for target training; "
            f"{amounts.negatives} negatives are needed"
        )

    train, test = [], []
    for split in splits:
        draw = generator(seed, "target", target, split)
        drawn_positives = draw.permutation(positives)
        drawn_negatives = draw.permutation(training_pool)
        held_apart = drawn_negatives[amounts.negatives :] if training_pool is test_pool else draw.permutation(test_pool)
        train.append(np.r_[drawn_negatives[: amounts.negatives], drawn_positives[: amounts.most_shots]])
        held_positives = drawn_positives[amounts.most_shots : amounts.most_shots + test_positives]
        test.append(np.r_[held_positives, held_apart[:test_negatives]])
    pool = np.concatenate([positives, training_pool, test_pool])
    sources = _draw_sources(pack, target, _Closing(overlap, pool, np.concatenate(test)), source_pool, amounts, seed)
    return TaskRows(target, sources, np.array(train, dtype=np.intp), np.array(test, dtype=np.intp), test_positives)


@dataclass(frozen=True)
class _Closing:
    """How the overlap is closed: the rows of the target's pool, and those of its test."""

    overlap: Overlap
    pool: Rows
    test: Rows

    @property
    def hidden(self) -> Rows:
        """Rows that no source may train on."""
        return {"kept": self.pool[:0], "same-number": self.pool[:0], "test-rows": self.test}.get(
            self.overlap, self.pool
        )

    @property
    def refills(self) -> bool:
        """Whether what was removed is replaced."""
        return self.overlap in ("repaired", "test-rows")


def _background_pools(pack: FeaturePack, target: str, overlap: Overlap, seed: int) -> tuple[Rows, Rows, Rows]:
    """Rows for target training, for target test, and for sources to draw from."""
    if isinstance(pack.background, Mapping):
        own = pack.background[target]
        everything = np.unique(np.concatenate(list(pack.background.values())))
        return own, own, everything
    if overlap != "repaired":
        raise DataError(
            "these data have one background, divided between sources and target: there is no overlap to keep; "
            "leave overlap at repaired"
        )
    shuffled = generator(seed, "background pools").permutation(pack.background)
    source, training, test = (np.sort(part) for part in np.array_split(shuffled, 3))
    return training, test, source


def _test_size(available: int, used: int, amounts: Amounts, what: str, use: str) -> int:
    size = min(amounts.test_examples, available - used)
    if size < LEAST_TEST_EXAMPLES:
        wanted = f"{used} {use} and a" if used else "a"
        raise DataError(
            f"{what} has {available} examples{'' if used else ' for the test'}; {wanted} test set of at least "
            f"{LEAST_TEST_EXAMPLES} need {used + LEAST_TEST_EXAMPLES}"
        )
    return size


def _draw_sources(
    pack: FeaturePack, target: str, closing: _Closing, source_pool: Rows, amounts: Amounts, seed: int
) -> dict[str, SourceRows]:
    """Rows of each source: its own without the hidden ones, negatives refilled where they are too few."""
    hidden, taken = (np.zeros(len(pack.identities), dtype=bool) for _ in range(2))
    hidden[closing.hidden] = True
    taken[closing.pool] = True
    refill = source_pool[~taken[source_pool]] if closing.refills else source_pool[:0]
    drawn = {}
    for name in pack.categories:
        if name == target:
            continue
        draw = generator(seed, f"source {name}", target)
        positives, own = pack.categories[name], pack.background_of(name)
        positives = draw.permutation(positives[~hidden[positives]])[: amounts.source_examples]
        most = int((~taken[own]).sum()) if closing.overlap == "same-number" else amounts.source_examples
        own = draw.permutation(own[~hidden[own]])[: min(most, amounts.source_examples)]
        new = np.ones(len(hidden), dtype=bool)
        new[own] = False
        added = draw.permutation(refill[new[refill]])[: amounts.source_examples - len(own)]
        negatives = np.sort(np.concatenate([own, added]))
        if not len(positives) or not len(negatives):
            lacking = "background" if len(positives) else "positive"
            raise DataError(f"source '{name}' has no {lacking} example left that the target does not use")
        drawn[name] = SourceRows(np.sort(positives), negatives)
    return drawn
