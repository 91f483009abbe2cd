"""A target with its sources, ready to be leaned on: draws, kernels, source machines and factorised target machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...datasets import Amounts, DataError, FeaturePack, KernelData, TaskRows, draw_task, target_of
from ...methods.kernels import KernelName, MeanKernel
from ...methods.least_squares_svm import Factorisation, class_balance, factorise, train
from ...methods.source_weights import LeaveOneOut, leave_one_out
from ...methods.transfer_terms import hyperplane_products
from ...study import MOST, Positive, Seed, Strength

Floats = NDArray[np.float64]
CHUNK = 200
"""Source examples whose kernel with the target is held at once: what fits a cache is faster than what does not."""


class TaskChoices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a task is made with; the protocol file gives the reason for each. setting: empty where there is but one."""

    shots: Annotated[list[Positive], Meta(min_length=1)]
    setting: str | list[str] = ""
    negatives: Positive
    test_examples: Annotated[int, Meta(ge=15, le=MOST)]
    source_examples: Positive
    kernel: KernelName
    C: Strength
    overlap: Literal["repaired", "kept"]
    nonnegative: bool
    seed: Seed

    @property
    def amounts(self) -> Amounts:
        """How many pictures of each sort a task takes."""
        return Amounts(max(self.shots), self.negatives, self.test_examples, self.source_examples)


@dataclass(frozen=True)
class SourceMachines:
    """Least-squares machines f_j = Σ_i a_ij K(·, x_i) + b_j of all sources, on rows of the pack."""

    pack: FeaturePack
    kernel: MeanKernel
    rows: NDArray[np.intp]  # (n,), distinct training rows of all sources, sorted
    duals: Floats  # (n, k), zero where a source was not trained on a row
    biases: Floats  # (k,)

    def scores(self, examples: dict[str, Floats]) -> Floats:
        """f_j, (examples, k). Sources share background, so each distinct row meets the examples once."""
        scores = np.tile(self.biases, (len(next(iter(examples.values()))), 1))
        for start in range(0, len(self.rows), CHUNK):
            chunk = slice(start, start + CHUNK)
            scores += self.kernel(examples, self.pack.take(self.rows[chunk])) @ self.duals[chunk]
        return scores

    @cached_property
    def products(self) -> Floats:
        """⟨w_i, w_j⟩, (k, k)."""
        examples = self.pack.take(self.rows)
        return hyperplane_products(self.kernel(examples, examples), self.duals)


def train_sources(pack: FeaturePack, rows: TaskRows, kernel: MeanKernel, C: Sequence[float]) -> SourceMachines:
    """Train every source of a task on its own rows, with a C each."""
    distinct = rows.source_training
    duals = np.zeros((len(distinct), len(rows.sources)))
    biases = np.zeros(len(rows.sources))
    for index, source in enumerate(rows.sources.values()):
        training = np.r_[source.positives, source.negatives]
        examples = pack.take(training)
        labels = np.r_[np.ones(len(source.positives)), -np.ones(len(source.negatives))]
        alpha, biases[index] = train(kernel(examples, examples), labels, C[index])
        duals[np.searchsorted(distinct, training), index] = alpha
    return SourceMachines(pack, kernel, distinct, duals, biases)


@dataclass(frozen=True)
class Task:
    """What all conditions of a target share.

    Shapes: S splits, H shot counts, N training examples at the most shots, T test examples, k sources.
    """

    rows: TaskRows
    sources: SourceMachines
    shots: Sequence[int]
    C: float
    labels: Floats  # (S, H, N), zero where unused
    scores: Floats  # (S, H, N, k), source scores on the training examples, zero where unused
    balance: Floats  # (S, H, N)
    machines: Factorisation  # of (S, H) machines
    train_kernel: Floats  # (S, 1, N, N)
    test_kernel: Floats  # (S, 1, T, N)
    test_scores: Floats  # (S, 1, T, k)

    @property
    def names(self) -> list[str]:
        """The sources."""
        return list(self.rows.sources)

    @property
    def kinds(self) -> list[str]:
        """The kinds of feature."""
        return list(self.sources.kernel.functions)

    def kernels_of(self, kind: str) -> tuple[Floats, Floats]:
        """The kernels of one kind of feature alone: (S, H, N, N) among training examples, (S, 1, T, N) with them."""
        kernel = MeanKernel({kind: self.sources.kernel.functions[kind]})
        train, test = ([self.sources.pack.take(rows) for rows in part] for part in (self.rows.train, self.rows.test))
        among = np.stack([kernel(own, own) for own in train])[:, None]
        across = np.stack([kernel(other, own) for other, own in zip(test, train, strict=True)])[:, None]
        return np.broadcast_to(among, (*self.labels.shape, among.shape[-1])), across

    @cached_property
    def leave_one_out(self) -> LeaveOneOut:
        """The terms that β is learned from; no test example enters."""
        return leave_one_out(self.machines, self.labels, self.scores, self.balance)

    def decisions(self, weights: Floats) -> Floats:
        """Decision values (…, S, H, T) on the test examples, of machines with weights (…, S, H, k)."""
        targets = self.labels - (self.scores @ weights[..., None])[..., 0]
        alpha, bias = self.machines.dual(targets), self.machines.bias(targets)
        values = (self.test_kernel @ alpha[..., None])[..., 0] + bias[..., None]
        values += (self.test_scores @ weights[..., None])[..., 0]
        return values

    def accuracy(self, weights: Floats) -> Floats:
        """Balanced accuracy in percent of machines with weights (…, S, H, k), shape (…, S, H)."""
        return self.score(self.decisions(weights))

    def score(self, decisions: Floats) -> Floats:
        """Balanced accuracy in percent of decision values (…, T); a value of exactly zero counts as background."""
        called_positive = decisions > 0
        hits = called_positive[..., : self.rows.test_positives].mean(-1)
        return 50.0 * (hits + 1.0 - called_positive[..., self.rows.test_positives :].mean(-1))


def kernel_names(pack: FeaturePack, name: KernelName) -> dict[str, KernelName]:
    """The kernel of each kind of feature: "chi2" is for numbers of zero or more, and the others are given "rbf"."""
    return {
        kind: "rbf" if name == "chi2" and float(values.min(initial=0.0)) < 0.0 else name
        for kind, values in pack.features.items()
    }


def refuse_kernel(pack: FeaturePack, name: KernelName) -> None:
    """Raise DataError where a kind of feature has numbers that the kernel cannot take."""
    for kind, values in pack.features.items():
        if name == "intersection" and float(values.min(initial=0.0)) < 0.0:
            raise DataError(f"feature '{kind}' has numbers below zero, which {name} cannot take; set kernel=rbf")


def make_task(
    pack: FeaturePack,
    rows: TaskRows,
    shots: Sequence[int],
    kernel_name: KernelName,
    C: float,
    source_C: Sequence[float] | None = None,
) -> Task:
    """Train the sources and factorise every target machine of some splits. source_C: C of each source, if it differs.

    The kernel's parameters are fitted on what the sources were trained on. Raises ValueError where a kernel cannot take
    the features.
    """
    kernel = MeanKernel.fit(pack.take(rows.source_training), kernel_names(pack, kernel_name))
    # No product is centred on test examples: not even rounding carries them into what is fitted.
    train_rows, test_rows = np.unique(rows.train), np.unique(rows.test)
    training, testing = pack.take(train_rows), pack.take(test_rows)
    train_at, test_at = np.searchsorted(train_rows, rows.train), np.searchsorted(test_rows, rows.test)
    used_rows = np.union1d(train_rows, test_rows)
    sources = train_sources(pack, rows, kernel, source_C or [C] * len(rows.sources))
    scores = sources.scores(pack.take(used_rows))
    train_kernel = kernel(training, training)[train_at[:, :, None], train_at[:, None, :]][:, None]
    test_kernel = kernel(testing, training)[test_at[:, :, None], train_at[:, None, :]][:, None]
    place = np.arange(rows.train.shape[1])
    negatives = len(place) - max(shots)
    in_task = np.broadcast_to(place < negatives + np.array(shots)[:, None], (len(rows.train), len(shots), len(place)))
    labels = np.where(in_task, np.where(place < negatives, -1.0, 1.0), 0.0)
    balance = class_balance(labels, in_task)
    stacked = np.broadcast_to(train_kernel, (*in_task.shape, len(place)))
    return Task(
        rows=rows,
        sources=sources,
        shots=shots,
        C=C,
        labels=labels,
        scores=scores[np.searchsorted(used_rows, rows.train)][:, None] * in_task[..., None],
        balance=balance,
        machines=factorise(stacked, balance, C, in_task),
        train_kernel=train_kernel,
        test_kernel=test_kernel,
        test_scores=scores[np.searchsorted(used_rows, rows.test)][:, None],
    )


def units(data: KernelData, choices: TaskChoices) -> dict[str, dict[str, str]]:
    """The targets with their setting, each after a check that there are pictures enough for it and its sources."""
    found: dict[str, dict[str, str]] = {}
    for unit, setting in setting_of_units(data, choices.setting).items():
        pack, target = target_of(data, unit)
        refuse_kernel(pack, choices.kernel)
        draw_task(pack, target, choices.amounts, choices.overlap, choices.seed, [0])
        found[unit] = {"setting": setting} if setting else {}
    return found


def setting_of_units(data: KernelData, setting: str | list[str]) -> dict[str, str]:
    """The setting of every target; of data that are one setting, the one level is a mere label.

    Raises DataError for several levels there.
    """
    if not isinstance(data, FeaturePack):
        return {unit: unit.partition(": ")[0] for unit in data.categories}
    levels = [setting] if isinstance(setting, str) else setting
    if len(levels) > 1:
        raise DataError("these data have no settings; give the factor one level to call them by, like setting=mine")
    return dict.fromkeys(data.categories, levels[0])


def prepare_task(data: KernelData, unit: str, splits: Sequence[int], choices: TaskChoices) -> Task:
    """Draw the pictures of a unit's splits and make its task."""
    pack, target = target_of(data, unit)
    rows = draw_task(pack, target, choices.amounts, choices.overlap, choices.seed, splits)
    return make_task(pack, rows, choices.shots, choices.kernel, choices.C)
