"""Kernel machines that lean on source hyperplanes: who is leaned on, and how much.

Each category in turn is the target, the others are its sources; every task is a category against background. Sources
and target are class-balanced least-squares machines in one kernel space. A block computes all shot counts of all its
splits as one stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ..datasets import Amounts, FeaturePack, TaskRows, draw_task
from ..methods.kernels import MeanRBFKernel
from ..methods.least_squares_svm import Factorisation, class_balance, factorise, train
from ..methods.source_weights import LeaveOneOut, ball_weights, leave_one_out, scalar_weights
from ..study import Block, Columns, Keeping, Study, units_by_groups

Floats = NDArray[np.float64]
Positive = Annotated[int, Meta(ge=1)]
CHUNK = 200
"""Source examples whose kernel with the target is held at once: what fits a cache is faster than what does not."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value."""

    shots: Annotated[list[Positive], Meta(min_length=1)]
    negatives: Positive
    test_examples: Annotated[int, Meta(ge=15)]
    source_examples: Positive
    C: Annotated[float, Meta(gt=0)]
    overlap: Literal["repaired", "kept"]
    nonnegative: bool
    seed: Annotated[int, Meta(ge=0)]

    def __post_init__(self) -> None:
        """Refuse an infinite C, which has no balanced machine."""
        if not isfinite(self.C):
            raise ValueError("C must be a finite number")

    @property
    def amounts(self) -> Amounts:
        """How many pictures of each sort a task takes."""
        return Amounts(max(self.shots), self.negatives, self.test_examples, self.source_examples)


GROUPS = {
    "none": "none",
    "single-mean": "single",
    "single-selected": "single",
    "single-oracle": "single",
    "multi-average": "fixed",
    "multi-equal": "fixed",
    "multi-weighted": "weighted",
    "multi-weighted-l1": "weighted-l1",
}


SAYS = {
    "none": "no transfer: the target alone (β = 0)",
    "single-mean": "one source, its weight in [0, 1] learned by leave-one-out; mean over the sources",
    "single-selected": "the one source that leave-one-out selects",
    "single-oracle": "the one source that is best on the test set: nobody can know it",
    "multi-average": "all k sources, each with weight 1/k",
    "multi-equal": "all k sources, each with weight 1/√k",
    "multi-weighted": "all sources, weights learned by leave-one-out within ‖β‖₂ ≤ 1",
    "multi-weighted-l1": "the same within ‖β‖₁ ≤ 1",
}


@dataclass(frozen=True)
class Task:
    """What all conditions of a target share: draws, kernels, source scores and the factorised target machines.

    Shapes: S splits, H shot counts, N training examples at the most shots, T test examples, k sources.
    """

    rows: TaskRows
    sources: list[str]
    shots: list[int]
    labels: Floats  # (S, H, N), zero where unused
    scores: Floats  # (S, H, N, k), source scores on the training examples, zero where unused
    balance: Floats  # (S, H, N)
    machines: Factorisation  # of (S, H) machines
    test_kernel: Floats  # (S, 1, T, N)
    test_scores: Floats  # (S, 1, T, k)

    @property
    def leave_one_out(self) -> LeaveOneOut:
        """The terms that β is learned from; no test example enters."""
        return leave_one_out(self.machines, self.labels, self.scores, self.balance)

    def accuracy(self, weights: Floats) -> Floats:
        """Balanced accuracy in percent of machines with weights (…, S, H, k), shape (…, S, H)."""
        targets = self.labels - (self.scores @ weights[..., None])[..., 0]
        alpha, bias = self.machines.dual(targets), self.machines.bias(targets)
        decisions = (self.test_kernel @ alpha[..., None])[..., 0] + bias[..., None]
        decisions += (self.test_scores @ weights[..., None])[..., 0]
        return self.score(decisions)

    def score(self, decisions: Floats) -> Floats:
        """Balanced accuracy in percent of decision values (…, T); a value of exactly zero counts as background."""
        called_positive = decisions > 0
        hits = called_positive[..., : self.rows.test_positives].mean(-1)
        return 50.0 * (hits + 1.0 - called_positive[..., self.rows.test_positives :].mean(-1))


def units(pack: FeaturePack, parameters: Parameters) -> list[str]:
    """The categories, each after a check that there are pictures enough for it as a target and as a source."""
    for target in pack.categories:
        draw_task(pack, target, parameters.amounts, parameters.overlap, parameters.seed, [0])
    return list(pack.categories)


def prepare(pack: FeaturePack, block: Block) -> Task:
    """Draw the pictures, train the sources and factorise every target machine of a block's splits."""
    parameters = msgspec.convert(block.parameters, Parameters)
    rows = draw_task(pack, block.unit, parameters.amounts, parameters.overlap, parameters.seed, block.splits)
    kernel = MeanRBFKernel.fit(pack.take(rows.source_training))
    # No product is centred on test examples: not even rounding carries them into what is fitted.
    train_rows, test_rows = np.unique(rows.train), np.unique(rows.test)
    training, testing = pack.take(train_rows), pack.take(test_rows)
    train_at, test_at = np.searchsorted(train_rows, rows.train), np.searchsorted(test_rows, rows.test)
    used_rows = np.union1d(train_rows, test_rows)
    scores = _source_scores(pack, kernel, rows, pack.take(used_rows), parameters.C)
    train_kernel = kernel(training, training)[train_at[:, :, None], train_at[:, None, :]]
    test_kernel = kernel(testing, training)[test_at[:, :, None], train_at[:, None, :]]
    shots = np.array(parameters.shots)
    place = np.arange(rows.train.shape[1])
    in_task = np.broadcast_to(place < parameters.negatives + shots[:, None], (len(rows.train), len(shots), len(place)))
    labels = np.where(in_task, np.where(place < parameters.negatives, -1.0, 1.0), 0.0)
    balance = class_balance(labels, in_task)
    stacked = np.broadcast_to(train_kernel[:, None], (*in_task.shape, len(place)))
    return Task(
        rows=rows,
        sources=list(rows.sources),
        shots=parameters.shots,
        labels=labels,
        scores=scores[np.searchsorted(used_rows, rows.train)][:, None] * in_task[..., None],
        balance=balance,
        machines=factorise(stacked, balance, parameters.C, in_task),
        test_kernel=test_kernel[:, None],
        test_scores=scores[np.searchsorted(used_rows, rows.test)][:, None],
    )


def _source_scores(
    pack: FeaturePack, kernel: MeanRBFKernel, rows: TaskRows, used: dict[str, Floats], C: float
) -> Floats:
    """Decision values of every source on the target's examples, shape (examples, k), each example by itself.

    Sources share background pictures, so the kernel between target and sources is computed once for each distinct one.
    """
    distinct = rows.source_training
    duals = np.zeros((len(distinct), len(rows.sources)))
    biases = np.zeros(len(rows.sources))
    for index, source in enumerate(rows.sources.values()):
        training = np.r_[source.positives, source.negatives]
        examples = pack.take(training)
        labels = np.r_[np.ones(len(source.positives)), -np.ones(len(source.negatives))]
        alpha, biases[index] = train(kernel(examples, examples), labels, C)
        duals[np.searchsorted(distinct, training), index] = alpha
    scores = np.tile(biases, (len(next(iter(used.values()))), 1))
    for start in range(0, len(distinct), CHUNK):
        chunk = slice(start, start + CHUNK)
        scores += kernel(used, pack.take(distinct[chunk])) @ duals[chunk]
    return scores


def compute(task: Task, block: Block, _: Keeping) -> dict[str, Columns]:
    """Measurements of the block's conditions, and the weights of those that learn them."""
    parameters = msgspec.convert(block.parameters, Parameters)
    accuracies: dict[str, Floats] = {}
    weights: dict[str, Floats] = {}
    stack, k = task.labels.shape[:2], len(task.sources)
    match block.group:
        case "none":
            accuracies["none"] = task.accuracy(np.zeros((*stack, k)))
        case "single":
            alone, bound = scalar_weights(task.leave_one_out)
            each = task.accuracy(np.moveaxis(alone[..., None, :] * np.eye(k), -2, 0))
            chosen = np.argmin(bound, axis=-1)
            accuracies["single-mean"] = each.mean(axis=0)
            accuracies["single-selected"] = np.take_along_axis(each, chosen[None], axis=0)[0]
            accuracies["single-oracle"] = each.max(axis=0)
            weights["single-selected"] = alone * (np.arange(k) == chosen[..., None])
        case "fixed":
            accuracies["multi-average"] = task.accuracy(np.full((*stack, k), 1.0 / k))
            accuracies["multi-equal"] = task.accuracy(np.full((*stack, k), 1.0 / np.sqrt(k)))
        case "weighted" | "weighted-l1":
            (condition,) = block.conditions
            norm: Literal["l1", "l2"] = "l1" if condition.endswith("l1") else "l2"
            weights[condition] = ball_weights(task.leave_one_out, norm, parameters.nonnegative)
            accuracies[condition] = task.accuracy(weights[condition])
    return {
        "measurements": _measurements(block, task, accuracies),
        "weights": _weights(block, task, {name: beta for name, beta in weights.items() if name in block.conditions}),
        "sizes": _sizes(block, task),
    }


def _measurements(block: Block, task: Task, accuracies: dict[str, Floats]) -> Columns:
    split, shots = np.meshgrid(block.splits, task.shots, indexing="ij")
    return {
        "split": np.tile(split.ravel(), len(block.conditions)).tolist(),
        "condition": np.repeat(block.conditions, split.size).tolist(),
        "shots": np.tile(shots.ravel(), len(block.conditions)).tolist(),
        "value": np.concatenate([accuracies[condition].ravel() for condition in block.conditions]).tolist(),
    }


def _weights(block: Block, task: Task, weights: dict[str, Floats]) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in ("target", "source", "split", "shots", "condition", "beta")}
    split, shots, source = np.meshgrid(block.splits, task.shots, task.sources, indexing="ij")
    for condition, beta in weights.items():
        columns["target"] += [block.unit] * beta.size
        columns["source"] += source.ravel().tolist()
        columns["split"] += split.ravel().tolist()
        columns["shots"] += shots.ravel().tolist()
        columns["condition"] += [condition] * beta.size
        columns["beta"] += beta.ravel().tolist()
    return columns


def _sizes(block: Block, task: Task) -> Columns:
    rows = task.rows
    return {
        "target": [block.unit] * len(task.sources),
        "source": list(task.sources),
        "source_positives": [len(source.positives) for source in rows.sources.values()],
        "source_negatives": [len(source.negatives) for source in rows.sources.values()],
        "test_positives": [rows.test_positives] * len(task.sources),
        "test_negatives": [rows.test.shape[1] - rows.test_positives] * len(task.sources),
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """How many examples stand behind the numbers."""
    sizes = tables["sizes"]

    def amount(column: str) -> str:
        low, high = sizes[column].min(), sizes[column].max()
        return str(low) if low == high else f"{low}–{high}"

    return [
        f"Tested on {amount('test_positives')} + {amount('test_negatives')} examples held apart; each source was "
        f"trained on {amount('source_positives')} + {amount('source_negatives')}."
    ]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={
        "weights": ("target", "source", "split", "shots", "condition", "beta"),
        "sizes": (
            "target",
            "source",
            "source_positives",
            "source_negatives",
            "test_positives",
            "test_negatives",
        ),
    },
    cut=units_by_groups(units, GROUPS, splits_per_block=10),
    prepare=prepare,
    compute=compute,
    remarks=remarks,
)
