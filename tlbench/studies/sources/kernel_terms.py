"""½‖w_t − βw_s‖² taken apart: what leaning on one source is worth, and what each of its terms does, as β grows.

Each category in turn is the target, with a few positives; every other category is its one source. The regulariser is

    ½ (‖w_t‖² + β²‖w_s‖² − 2β ⟨w_t, w_s⟩):

the first term keeps the target simple, the second is the same for all w_t, the third rewards agreement with the source.
``methods/transfer_terms.py`` has the algebra. How much of w_s the examples ask for beyond β, or less if it is negative,
is the *pull* ⟨w_t − βw_s, w_s⟩ / ‖w_s‖², in percent: minus the slope of the least objective in β (by the envelope
theorem), relative to ‖w_s‖². While it is positive, the similarity term draws w_t where the examples draw it too.
Machines are those of ``source_task.py``: least squares, class-balanced, target and sources in one kernel space.

*How alike* a source and a target are is the cosine between w_s and the hyperplane that the target's category would have
with many examples: those of its own that the split neither trains nor tests on, against background that no source was
trained on. A user with a few examples could not know it, so "most" and "least alike" are an oracle's words; but no test
example enters them, and no accuracy does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...datasets import Amounts, DataError, FeaturePack, TaskRows, draw_task
from ...methods.kernels import KernelName
from ...methods.least_squares_svm import train
from ...methods.transfer_terms import least_squares_terms
from ...study import MOST, Block, Columns, Keeping, Piece, Positive, Seed, Strength, Study, units_by_groups
from .source_task import Task, make_task

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

NEED_HISTOGRAMS: tuple[KernelName, ...] = ("chi2", "intersection")
LEAST_APART = 10
"""Examples of each class that a hyperplane needs to tell what a source is like."""
SAYS = {
    "most-alike": "the source whose hyperplane is nearest to the target's own, had it many examples",
    "each-source": "one source at a time; mean over all of them",
    "least-alike": "the source whose hyperplane is farthest from it",
}


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value. kernel: one in a block, all in a run."""

    kernel: KernelName | Annotated[list[KernelName], Meta(min_length=1)]
    beta: Annotated[list[Annotated[float, Meta(ge=0, le=100)]], Meta(min_length=1)]
    shots: Positive
    negatives: Positive
    test_examples: Annotated[int, Meta(ge=15, le=MOST)]
    source_examples: Positive
    C: Strength
    seed: Seed

    @property
    def kernels(self) -> Sequence[KernelName]:
        """Those of a run, or the one of a block."""
        return self.kernel if isinstance(self.kernel, list) else [self.kernel]

    def rows(self, pack: FeaturePack, target: str, splits: Sequence[int]) -> TaskRows:
        """The draws of some splits; no source trains on an example of the target."""
        amounts = Amounts(self.shots, self.negatives, self.test_examples, self.source_examples)
        return draw_task(pack, target, amounts, "repaired", self.seed, splits)


def examples_apart(pack: FeaturePack, target: str, rows: TaskRows, split: int) -> tuple[Rows, Rows]:
    """Positives and negatives of a target that the split (by its place) does not use, nor any source: sorted rows."""
    used = np.unique(np.concatenate([rows.train[split], rows.test[split], rows.source_training]))
    positives = np.setdiff1d(pack.categories[target], used)
    return positives, np.setdiff1d(pack.background_of(target), np.r_[used, positives])


def units(pack: FeaturePack, parameters: Parameters) -> dict[str, dict[str, str]]:
    """The targets, each after a check that examples are enough and that the kernels can take them."""
    for kind, values in pack.features.items():
        for kernel in parameters.kernels:
            if kernel in NEED_HISTOGRAMS and values.min() < 0.0:
                raise DataError(
                    f"kernel {kernel} needs features of zero or more, and '{kind}' has others; leave it out"
                )
    for unit in pack.categories:
        apart = examples_apart(pack, unit, parameters.rows(pack, unit, [0]), 0)
        if (fewest := min(map(len, apart))) < LEAST_APART:
            raise DataError(
                f"'{unit}' has {fewest} examples of a class beyond training and test; {LEAST_APART} are needed to tell "
                "how alike its sources are, so lower test_examples"
            )
    return {unit: {} for unit in pack.categories}


_cut_units = units_by_groups(units, dict.fromkeys(SAYS, "sources"), splits_per_block=10)


def cut(pack: FeaturePack, parameters: Parameters, conditions: Sequence[str], seeds: int) -> list[Piece]:
    """Units × batches of splits × kernels: another kernel runs only its own blocks."""
    return [
        replace(piece, at={"kernel": kernel}, chain=kernel)
        for piece in _cut_units(pack, parameters, conditions, seeds)
        for kernel in parameters.kernels
    ]


@dataclass(frozen=True)
class Alike:
    """A task, and how alike its k sources are in each of its S splits: cosines (S, k), measured on so many examples."""

    task: Task
    cosines: Floats
    positives: int
    negatives: int


def prepare(pack: FeaturePack, block: Block) -> Alike:
    """Train the sources, factorise the target machines, and measure how alike the sources are."""
    parameters = msgspec.convert(block.parameters, Parameters)
    rows = parameters.rows(pack, block.unit, block.splits)
    (kernel,) = parameters.kernels
    task = make_task(pack, rows, [parameters.shots], kernel, parameters.C)
    apart = [examples_apart(pack, block.unit, rows, place) for place in range(len(block.splits))]
    cosines = np.stack([_cosines(task, *one) for one in apart])
    return Alike(task, cosines, len(apart[0][0]), len(apart[0][1]))


def _cosines(task: Task, positives: Rows, negatives: Rows) -> Floats:
    """Cosines (k,) between the sources' hyperplanes and the one that separates these examples of the target."""
    examples = task.sources.pack.take(np.r_[positives, negatives])
    labels = np.r_[np.ones(len(positives)), -np.ones(len(negatives))]
    kernel = task.sources.kernel(examples, examples)
    dual, _ = train(kernel.copy(), labels, task.C)
    # Σ_i a_i = 0, so the biases in the scores drop out of ⟨w, w_j⟩ = Σ_i a_i f_j(x_i).
    products = dual @ task.sources.scores(examples)
    cosines: Floats = products / np.sqrt((dual @ kernel @ dual) * np.diagonal(task.sources.products))
    return cosines


def compute(alike: Alike, block: Block, _: Keeping) -> dict[str, Columns]:
    """Accuracy, the three terms, the cosine of w_t and w_s and the pull at every β, of the sources that are picked."""
    parameters = msgspec.convert(block.parameters, Parameters)
    measured = _measured(alike.task, np.array(parameters.beta))
    picked = {"most-alike": alike.cosines.argmax(axis=1), "least-alike": alike.cosines.argmin(axis=1)}
    (kernel,) = parameters.kernels
    columns: Columns = {name: [] for name in ("split", "condition", "kernel", "beta", "metric", "value")}
    split, beta = np.meshgrid(block.splits, parameters.beta, indexing="ij")
    for condition in block.conditions:
        for metric, values in measured.items():
            if condition in picked:
                found = np.take_along_axis(values, picked[condition][:, None, None], axis=1)[:, 0]
            else:
                found = values.mean(axis=1)
            columns["split"] += split.ravel().tolist()
            columns["condition"] += [condition] * split.size
            columns["kernel"] += [kernel] * split.size
            columns["beta"] += beta.ravel().tolist()
            columns["metric"] += [metric] * split.size
            columns["value"] += found.ravel().tolist()
    return {"measurements": columns, "alikeness": _alikeness(alike, block, kernel)}


def _measured(task: Task, betas: Floats) -> dict[str, Floats]:
    """By metric: values (S, k, B) with each source alone at each β."""
    splits, k = len(task.labels), len(task.names)
    alone = betas[:, None, None, None, None] * np.eye(k)[:, None, None, :]
    accuracy = task.accuracy(np.broadcast_to(alone, (len(betas), k, splits, 1, k)))[..., 0]
    scores = np.moveaxis(task.scores[:, 0], -1, 1)
    lengths = np.broadcast_to(np.diagonal(task.sources.products), (splits, k))
    terms = least_squares_terms(
        kernel=np.broadcast_to(task.train_kernel, (splits, k, *task.train_kernel.shape[2:])),
        labels=np.repeat(task.labels, k, axis=1),
        scores=scores,
        squared_norm=lengths,
        betas=betas,
        C=task.C,
    )
    # ⟨w_t, w_s⟩ = β‖w_s‖² + Σ_i a_i f_s(x_i) itself, as −2β⟨w_t, w_s⟩ hides it where β is zero.
    own = task.machines.dual(task.labels)
    lent = np.moveaxis(task.machines.dual_columns(task.scores)[:, 0], -1, 1)
    slopes = lengths - np.sum(lent * scores, axis=-1)
    agreement = np.sum(own * scores, axis=-1)[..., None] + betas * slopes[..., None]
    return {
        "balanced_accuracy": np.moveaxis(accuracy, [0, 1, 2], [2, 1, 0]),
        "target": terms.target,
        "source": terms.source,
        "similarity": terms.cross,
        "cosine": agreement / np.sqrt(terms.target * lengths[..., None]),
        "pull": 100.0 * (agreement / lengths[..., None] - betas),
    }


def _alikeness(alike: Alike, block: Block, kernel: str) -> Columns:
    split, source = np.meshgrid(block.splits, alike.task.names, indexing="ij")
    return {
        "target": [block.unit] * split.size,
        "source": source.ravel().tolist(),
        "split": split.ravel().tolist(),
        "kernel": [kernel] * split.size,
        "cosine": alike.cosines.ravel().tolist(),
        "positives": [alike.positives] * split.size,
        "negatives": [alike.negatives] * split.size,
    }


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """What the words most and least alike rest on."""
    table = tables["alikeness"]
    amounts = " + ".join(
        str(low) if (low := table[name].min()) == (high := table[name].max()) else f"{low}–{high}"
        for name in ("positives", "negatives")
    )
    return [
        f"How alike a source is was measured on {amounts} examples of the target that are neither in its training nor "
        "in its test: an oracle's knowledge."
    ]


STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"alikeness": ("target", "source", "split", "kernel", "cosine", "positives", "negatives")},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    metrics=("balanced_accuracy", "target", "source", "similarity", "cosine", "pull"),
)
