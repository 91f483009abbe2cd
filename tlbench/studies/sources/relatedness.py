"""A ladder of relatedness: how alike each source is to the target is known exactly, so weights can be held against it.

A unit is a draw of a target and its sources, from nothing but the seed and the unit's name: units are independent. With
the kernel *linear* tasks are hyperplanes, with *rbf* mixtures of random waves of the very kernel that the machines use
(``methods/related_tasks.py``), so every task is a hyperplane of the machines' own space. Similarity is the correlation
of two tasks' functions; half of the sources have none with the target, and are as well learnable as any other: noise to
the target alone. Sources and target are trained as in ``source_weighting.py``, and the conditions are its own.

Beyond accuracy two numbers describe the weights of a condition: the share of Σ_j|β_j| on sources of no similarity, and
the effective number of sources (Σ_j|β_j|)² / Σ_j β_j². Both are zero where all weights are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...datasets import DataError, FeaturePack, KernelData, draw_task, generator
from ...methods.related_tasks import RelatedTasks, related_hyperplanes, related_waves
from ...study import MOST, Block, Columns, Keeping, Piece, Positive, Seed, Strength, Study, units_by_groups
from .source_baselines import Strengths
from .source_task import Task, make_task
from .source_weighting import GROUP_OF, SAYS, find_in

Floats = NDArray[np.float64]
Kernel = Literal["linear", "rbf"]

FIXED: Mapping[str, Callable[[int], float]] = {
    "none": lambda _: 0.0,
    "multi-average": lambda k: 1.0 / k,
    "multi-equal": lambda k: 1.0 / sqrt(k),
}
"""The weight of each of k sources where it is not learned."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value. kernel: one in a block, all in a run."""

    shots: Annotated[list[Positive], Meta(min_length=1)]
    kernel: Kernel | Annotated[list[Kernel], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    similarities: Annotated[list[Annotated[float, Meta(ge=-1, le=1)]], Meta(min_length=1)]
    dimensions: Positive
    negatives: Positive
    test_examples: Annotated[int, Meta(ge=15, le=MOST)]
    source_examples: Positive
    C: Strength
    nonnegative: bool
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse more tasks than there are directions."""
        if self.dimensions <= len(self.similarities):
            raise ValueError(f"{len(self.similarities)} sources and a target need more dimensions")

    @property
    def kernels(self) -> Sequence[Kernel]:
        """Those of a run, or the one of a block."""
        return self.kernel if isinstance(self.kernel, list) else [self.kernel]

    @property
    def names(self) -> list[str]:
        """The sources, each with its similarity."""
        return [f"{number} ({similarity:g})" for number, similarity in enumerate(self.similarities, 1)]

    @property
    def strengths(self) -> Strengths:
        """What the conditions ask for; what is chosen about baselines is as usual."""
        (kernel,) = self.kernels
        return Strengths(
            shots=self.shots,
            negatives=self.negatives,
            test_examples=self.test_examples,
            source_examples=self.source_examples,
            kernel=kernel,
            C=self.C,
            overlap="repaired",
            nonnegative=self.nonnegative,
            seed=self.seed,
        )


def units(data: KernelData, parameters: Parameters) -> dict[str, dict[str, str]]:
    """The draws, by name."""
    if not isinstance(data, FeaturePack) or data.identities:
        raise DataError("this experiment draws its own tasks; leave --dataset out, or name 'tasks'")
    return {f"draw {number:03}": {} for number in range(1, parameters.draws + 1)}


_cut_units = units_by_groups(units, GROUP_OF, splits_per_block=10)


def cut(data: KernelData, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Units × batches of splits × kernels × groups of conditions."""
    return [
        replace(piece, at={"kernel": kernel}, chain=kernel)
        for piece in _cut_units(data, parameters, conditions, seeds)
        for kernel in parameters.kernels
    ]


def draw_tasks(parameters: Parameters, unit: str) -> RelatedTasks:
    """A unit's target and sources, with examples to spare: about twice as many of each class as any task needs.

    γ is 1/(2 dimensions), the inverse mean squared distance of examples x ~ N(0, I), as the machines will choose it.
    """
    (kernel,) = parameters.kernels
    draw = generator(parameters.seed, f"related tasks, {kernel}", unit)
    target = max(*parameters.shots, parameters.negatives) + parameters.test_examples
    count = 4 * max(target, parameters.source_examples)
    given = (parameters.similarities, parameters.dimensions, count, draw)
    return related_hyperplanes(*given) if kernel == "linear" else related_waves(*given, 0.5 / parameters.dimensions)


def as_pack(tasks: RelatedTasks, names: Sequence[str]) -> FeaturePack:
    """The target and its sources as categories, each with a background of its own: its examples of the other class.

    Examples are shortened to E‖x‖² = 1, so that one C means the same to both kernels. Unshortened, the linear machine
    would nearly interpolate, and be worst where it has as many examples as there are dimensions.
    """
    names = ["target", *names]
    count, per_task = tasks.labels.size, tasks.labels.shape[1]
    of_task = np.repeat(np.arange(len(names)), per_task)
    positive = tasks.labels.ravel() > 0
    rows = {
        sign: [np.flatnonzero((of_task == task) & (positive == sign)) for task in range(len(names))]
        for sign in (True, False)
    }
    return FeaturePack(
        identities=tuple(f"{row:07}" for row in range(count)),
        features={"numbers": tasks.examples.reshape(count, -1) / sqrt(tasks.examples.shape[-1])},
        categories=dict(zip(names, rows[True], strict=True)),
        background=dict(zip(names, rows[False], strict=True)),
    )


def prepare(_: KernelData, block: Block) -> Task:
    """Draw a unit's tasks, train the sources and factorise every target machine.

    Raises DataError where a task has so few examples of a class that a source would borrow another's.
    """
    parameters = msgspec.convert(block.parameters, Parameters)
    pack = as_pack(draw_tasks(parameters, block.unit), parameters.names)
    choices = parameters.strengths
    fewest = min(min(len(rows), len(pack.background_of(name))) for name, rows in pack.categories.items())
    if fewest < max(
        parameters.source_examples, parameters.test_examples + max(*parameters.shots, parameters.negatives)
    ):
        raise DataError(f"a task of {block.unit} has {fewest} examples of one class; choose another seed")
    rows = draw_task(pack, "target", choices.amounts, "repaired", parameters.seed, block.splits)
    return make_task(pack, rows, parameters.shots, choices.kernel, parameters.C)


def compute(task: Task, block: Block, _: Keeping) -> dict[str, Columns]:
    """Accuracies, weights beside the truth, and what describes the weights."""
    parameters = msgspec.convert(block.parameters, Parameters)
    found = find_in(task, block, parameters.strengths)
    weights = {name: beta for name, beta in found.weights.items() if name in block.conditions}
    stack = (len(block.splits), len(task.shots), len(task.names))
    fixed = {name: np.full(stack, FIXED[name](stack[-1])) for name in block.conditions if name in FIXED}
    noise = np.array(parameters.similarities) == 0.0
    measured = [(name, "balanced_accuracy", found.accuracies[name]) for name in block.conditions]
    for name, beta in {**weights, **fixed}.items():
        size = np.abs(beta)
        measured.append((name, "noise_share", _share(size[..., noise].sum(-1), size.sum(-1))))
        measured.append((name, "effective_sources", _share(np.square(size.sum(-1)), np.square(size).sum(-1))))
    (kernel,) = parameters.kernels
    return {
        "measurements": _measurements(block.splits, task.shots, kernel, measured),
        "weights": _weights(block, task, kernel, parameters.similarities, weights),
    }


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0.0)


def _measurements(
    splits: Sequence[int], shots: Sequence[int], kernel: str, measured: Sequence[tuple[str, str, Floats]]
) -> Columns:
    split, shot = np.meshgrid(splits, shots, indexing="ij")
    return {
        "split": np.tile(split.ravel(), len(measured)).tolist(),
        "condition": np.repeat([name for name, _, _ in measured], split.size).tolist(),
        "kernel": [kernel] * (split.size * len(measured)),
        "shots": np.tile(shot.ravel(), len(measured)).tolist(),
        "metric": np.repeat([metric for _, metric, _ in measured], split.size).tolist(),
        "value": np.concatenate([values.ravel() for _, _, values in measured]).tolist(),
    }


def _weights(
    block: Block, task: Task, kernel: str, similarities: Sequence[float], weights: Mapping[str, Floats]
) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in WEIGHTS}
    split, shots, source = np.meshgrid(block.splits, task.shots, np.arange(len(task.names)), indexing="ij")
    for condition, beta in weights.items():
        columns["unit"] += [block.unit] * beta.size
        columns["source"] += np.array(task.names)[source.ravel()].tolist()
        columns["similarity"] += np.array(similarities)[source.ravel()].tolist()
        columns["kernel"] += [kernel] * beta.size
        columns["split"] += split.ravel().tolist()
        columns["shots"] += shots.ravel().tolist()
        columns["condition"] += [condition] * beta.size
        columns["beta"] += beta.ravel().tolist()
    return columns


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """What stands behind the sources' names."""
    if "weights" not in tables:
        return []
    known = tables["weights"].drop_duplicates("source")
    unrelated = int((known["similarity"] == 0.0).sum())
    return [f"{len(known)} sources, {unrelated} of them of no similarity to the target; every unit is drawn anew."]


WEIGHTS = ("unit", "source", "similarity", "kernel", "split", "shots", "condition", "beta")
STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"weights": WEIGHTS},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    metrics=("balanced_accuracy", "noise_share", "effective_sources"),
    methods=(),
)
