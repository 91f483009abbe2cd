"""What released pictures and scripts are worth that let a model see its test: each leak alone, all, and ways to close.

The features and scripts released with Patricia & Caputo (CVPR 2014) for the settings of Tommasi, Orabona & Caputo
(CVPR 2010) leak in three ways: (a) categories share background pictures, so that a source is trained on the target's
test negatives; (b) the target's C is the one with the best test accuracy, for each target, split, shot count and
condition; (c) each source's C is the one with the best accuracy on all the target's pictures, training and test.
Everything but the leak is as in ``source_weighting``: the same draws, kernel, machines and conditions.

Deviations from the scripts: they choose a source's C for each kind of feature apart, here a source has one kernel, the
mean over kinds, and one C; where C is not chosen it is fixed in advance, for which the scripts have no counterpart.

Data with one background have no overlap. Each of their categories is given a background of its own, drawn from that
one, so that the leak is made on purpose and the audit can be seen to find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...datasets import (
    Amounts,
    FeaturePack,
    KernelData,
    Overlap,
    TaskRows,
    draw_task,
    generator,
    target_of,
)
from ...methods.kernels import KernelName, MeanKernel
from ...methods.least_squares_svm import class_balance, factorise
from ...methods.source_weights import ball_weights, scalar_weights
from ...study import MOST, Block, Columns, Keeping, Piece, Positive, Seed, Strength, Study
from .source_conditions import OF_THE_PAPER
from .source_task import Task, make_task, setting_of_units, train_sources

Floats = NDArray[np.float64]
Leak = Literal[
    "repaired",
    "kept",
    "same-number",
    "no-refill",
    "test-rows",
    "target-C",
    "target-C-fair",
    "source-C",
    "source-C-fair",
    "all",
]
Chooser = Literal["nobody", "test", "own"]
"""Who chooses C: nobody (it is fixed), the test (for a source: all the target's pictures), or one's own pictures."""
SPLITS_PER_BLOCK = 10


@dataclass(frozen=True)
class Way:
    """How the pictures are drawn, and who chooses the C of the target and of each source."""

    overlap: Overlap = "repaired"
    target_by: Chooser = "nobody"
    source_by: Chooser = "nobody"


WAYS: Mapping[Leak, Way] = {
    "repaired": Way(),
    "kept": Way("kept"),
    "same-number": Way("same-number"),
    "no-refill": Way("no-refill"),
    "test-rows": Way("test-rows"),
    "target-C": Way(target_by="test"),
    "target-C-fair": Way(target_by="own"),
    "source-C": Way(source_by="test"),
    "source-C-fair": Way(source_by="own"),
    "all": Way("kept", "test", "test"),
}
SEEN = ("negatives", "shared_with_target", "shared_with_test", "test_negatives")
CONDITIONS = ("none", "single-selected", "multi-average", "multi-equal", "multi-weighted")
SAYS = {name: what for group in OF_THE_PAPER.values() for name, what in group.says.items() if name in CONDITIONS}


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value. A block has one setting and one leak."""

    setting: str | Annotated[list[str], Meta(min_length=1)]
    shots: Annotated[list[Positive], Meta(min_length=1)]
    leak: Leak | Annotated[list[Leak], Meta(min_length=1)]
    negatives: Positive
    test_examples: Annotated[int, Meta(ge=15, le=MOST)]
    source_examples: Positive
    kernel: KernelName
    C: Strength
    grid: Annotated[list[Strength], Meta(min_length=1)]
    nonnegative: bool
    seed: Seed

    @property
    def amounts(self) -> Amounts:
        """How many pictures of each sort a task takes."""
        return Amounts(max(self.shots), self.negatives, self.test_examples, self.source_examples)


@dataclass(frozen=True)
class Target:
    """A category that plays the target, in a pack with a background for each category, as released or planted by us."""

    pack: FeaturePack
    category: str
    background: Literal["released", "planted"]

    def rows(self, parameters: Parameters, leak: Leak, splits: Sequence[int]) -> TaskRows:
        """The pictures of some splits. Raises DataError where they are too few."""
        return draw_task(self.pack, self.category, parameters.amounts, WAYS[leak].overlap, parameters.seed, splits)


def open_target(data: KernelData, unit: str, parameters: Parameters) -> Target:
    """A unit as a target; one shared background is dealt out to the categories, each its own draw from all of it.

    Each gets as many as a source is trained on, as in the release, but no more than half: a source can be refilled.
    """
    pack, category = target_of(data, unit)
    if isinstance(pack.background, Mapping):
        return Target(pack, category, "released")
    everyone = pack.background
    count = min(parameters.source_examples, len(everyone) // 2)
    own = {
        name: np.sort(generator(parameters.seed, "planted background", name).permutation(everyone)[:count])
        for name in pack.categories
    }
    return Target(replace(pack, background=own), category, "planted")


def cut(data: KernelData, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """A block for each target, leak and batch of splits, each after a check that there are pictures enough."""
    leaks = parameters.leak if isinstance(parameters.leak, list) else [parameters.leak]
    pieces = []
    for unit, setting in setting_of_units(data, parameters.setting).items():
        target = open_target(data, unit, parameters)
        for leak in leaks:
            target.rows(parameters, leak, [0])
            step = 1 if WAYS[leak].overlap == "test-rows" else SPLITS_PER_BLOCK
            for start in range(0, seeds, step):
                splits = tuple(range(start, min(start + step, seeds)))
                pieces.append(Piece(unit, splits, leak, tuple(conditions), {"setting": setting, "leak": leak}))
    return pieces


def prepare(data: KernelData, block: Block) -> Target:
    """The target; what is drawn and trained for it differs from leak to leak."""
    return open_target(data, block.unit, msgspec.convert(block.parameters, Parameters))


def compute(target: Target, block: Block, _: Keeping) -> dict[str, Columns]:
    """Accuracies under the block's leak, and what its sources were trained on and with."""
    parameters = msgspec.convert(block.parameters, Parameters)
    leak: Leak = msgspec.convert(block.parameters["leak"], Leak)
    rows = target.rows(parameters, leak, block.splits)
    source_C = choose_for_sources(target, rows, parameters, WAYS[leak].source_by)
    task = make_task(target.pack, rows, parameters.shots, parameters.kernel, parameters.C, source_C)
    accuracies = find_accuracies(task, block.conditions, parameters, WAYS[leak].target_by)
    split, shots = (
        np.tile(axis.ravel(), len(block.conditions)).tolist()
        for axis in np.meshgrid(block.splits, parameters.shots, indexing="ij")
    )
    return {
        "measurements": {
            "split": split,
            "condition": np.repeat(block.conditions, len(split) // len(block.conditions)).tolist(),
            "setting": [parameters.setting] * len(split),
            "shots": shots,
            "leak": [leak] * len(split),
            "value": np.concatenate([accuracies[condition].ravel() for condition in block.conditions]).tolist(),
        },
        "sources": _sources(target, block, rows, source_C),
    }


def choose_for_sources(target: Target, rows: TaskRows, parameters: Parameters, chosen_by: Chooser) -> list[float]:
    """C of each source: of equally good ones the smallest, as in the scripts."""
    if chosen_by == "nobody":
        return [parameters.C] * len(rows.sources)
    kernel = MeanKernel.fit(target.pack.take(rows.source_training), parameters.kernel)
    grid = sorted(parameters.grid)
    right = np.array([_right(target, rows, kernel, C, own=chosen_by == "own") for C in grid])
    return [grid[place] for place in right.argmax(axis=0)]


def _right(target: Target, rows: TaskRows, kernel: MeanKernel, C: float, *, own: bool) -> Floats:
    """Share of right answers of each source with that C: by leave-one-out on its own pictures, or on the target's."""
    if not own:
        positives = target.pack.categories[target.category]
        pool = target.pack.take(np.r_[positives, target.pack.background_of(target.category)])
        scores = train_sources(target.pack, rows, kernel, [C] * len(rows.sources)).scores(pool)
        is_positive = np.arange(len(scores)) < len(positives)
        return ((scores > 0) == is_positive[:, None]).mean(axis=0)
    shares = []
    for source in rows.sources.values():
        examples = target.pack.take(np.r_[source.positives, source.negatives])
        labels = np.r_[np.ones(len(source.positives)), -np.ones(len(source.negatives))]
        machine = factorise(kernel(examples, examples), class_balance(labels), C)
        left_out = labels - machine.dual(labels) / machine.diagonal
        shares.append((labels * left_out > 0).mean())
    return np.array(shares)


def find_accuracies(
    task: Task, conditions: Sequence[str], parameters: Parameters, chosen_by: Chooser
) -> dict[str, Floats]:
    """Balanced accuracies (S, H) of each condition, its C chosen for each split and shot count.

    By the test: the best accuracy. By its own pictures: the least bound on the leave-one-out error, with the weights
    that the condition has at that C.
    """
    grid = [parameters.C] if chosen_by == "nobody" else sorted(parameters.grid)
    tried = [with_machines_of(task, C) for C in grid]
    found = {}
    for condition in conditions:
        weights = [weights_of(condition, one, parameters.nonnegative) for one in tried]
        accuracies = np.array([one.accuracy(beta) for one, beta in zip(tried, weights, strict=True)])
        if chosen_by == "own":
            bounds = [one.leave_one_out.bound(beta) for one, beta in zip(tried, weights, strict=True)]
            found[condition] = np.take_along_axis(accuracies, np.argmin(bounds, axis=0)[None], axis=0)[0]
        else:
            found[condition] = accuracies.max(axis=0)
    return found


def with_machines_of(task: Task, C: float) -> Task:
    """The same target and sources with machines of another C."""
    stacked = np.broadcast_to(task.train_kernel, (*task.labels.shape, task.labels.shape[-1]))
    return replace(task, C=C, machines=factorise(stacked, task.balance, C, task.labels != 0))


def weights_of(condition: str, task: Task, nonnegative: bool) -> Floats:
    """β (S, H, k) of a condition; each is what ``source_conditions`` gives the condition of that name."""
    k = len(task.names)
    if condition == "multi-weighted":
        return ball_weights(task.leave_one_out, "l2", nonnegative)
    if condition == "single-selected":
        alone, bound = scalar_weights(task.leave_one_out)
        return alone * (np.arange(k) == bound.argmin(axis=-1)[..., None])
    share = {"none": 0.0, "multi-average": 1.0 / k, "multi-equal": 1.0 / np.sqrt(k)}[condition]
    return np.full((*task.labels.shape[:2], k), share)


def _sources(target: Target, block: Block, rows: TaskRows, C: Sequence[float]) -> Columns:
    """What each source was trained on: how many negatives, and how many of them the target uses or is tested on."""
    pool = target.pack.background_of(target.category)
    tests = rows.test[:, rows.test_positives :]
    negatives = [source.negatives for source in rows.sources.values()]
    setting, leak = block.parameters["setting"], block.parameters["leak"]
    fixed = {"setting": setting, "target": block.unit, "leak": leak, "background": target.background}
    seen = (
        [len(own) for own in negatives],
        [int(np.isin(own, pool).sum()) for own in negatives],
        [float(np.mean([np.isin(test, own).sum() for test in tests])) for own in negatives],
        [tests.shape[1]] * len(negatives),
    )
    return {
        **{name: [value] * len(negatives) for name, value in fixed.items()},
        "source": list(rows.sources),
        "C": list(C),
        **dict(zip(SEEN, seen, strict=True)),
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How much the sources see of the test, as released and repaired."""
    sources = tables["sources"]
    said = [
        f"{leak}: a source was trained on {part['shared_with_test'].mean():.1f} of the target's "
        f"{part['test_negatives'].mean():.0f} test negatives, on average."
        for leak, part in sources.groupby("leak")
        if leak in ("kept", "repaired")
    ]
    repaired = sources[sources["leak"] == "repaired"]
    most = sources["negatives"].max()
    for setting, part in repaired[repaired["negatives"] < most].groupby("setting"):
        said.append(
            f"{setting}, repaired: {len(part)} sources could be refilled to {part['negatives'].min()} negatives or "
            f"more, not to {most}, as the target's pool leaves too few."
        )
    if (sources["background"] == "planted").any():
        said.append("These data have one background: each category was given its own draw from it, to make the leak.")
    return said


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"sources": ("setting", "target", "leak", "background", "source", "C", *SEEN)},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
)
