"""What can be done with the sources: nothing, their average, equal weights, or weights of our own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..datasets import FeaturePack, TaskRows, generator
from ..methods.taught_weights import LEAST_TEST_EXAMPLES, Lesson, Machine, teach, train_members
from ..studies.sources.source_task import Task, kernel_names, make_task

Floats = NDArray[np.float64]

OPTIONS: Mapping[str, str] = {
    "none": "no transfer: the target's pictures alone",
    "average": "all k sources, each with weight 1/k",
    "equal": "all k sources, each with weight 1/√k",
    "ours": "weights that were taught by letting sources play the target",
}
STRENGTH = 10.0
"""C of the sources, and of the target's machine but for those of which ``ours`` is a mean."""
LESSONS = 6
"""Draws in which each source plays the target to teach weights."""


def cast(pack: FeaturePack, rows: TaskRows, shots: list[int]) -> Task:
    """Train the sources and factorise the target's machines; kernels are fitted on what the sources are trained on."""
    return make_task(pack, rows, shots, "rbf", STRENGTH)


def train_options(task: Task, seed: int) -> dict[str, Machine]:
    """The machine of each option, with duals (S, H, N), biases (S, H) and weights (S, H, k)."""
    count = len(task.names)
    fixed = {"none": 0.0, "average": 1.0 / count, "equal": 1.0 / np.sqrt(count)}
    machines = {name: _lean(task, weight) for name, weight in fixed.items()}
    members = train_members(task.train_kernel, task.labels, task.scores)
    return machines | {"ours": members.mean(lessons(task, seed))}


def _lean(task: Task, weight: float) -> Machine:
    weights = np.full((*task.labels.shape[:2], len(task.names)), weight)
    targets = task.labels - (task.scores @ weights[..., None])[..., 0]
    return Machine(task.machines.dual(targets), task.machines.bias(targets), weights)


def lessons(task: Task, seed: int) -> Lesson:
    """What the sources teach for each shot count, each by itself: one that has not enough for many teaches for few."""
    examples = task.sources.pack.take(task.sources.rows)
    kernel = task.sources.kernel(examples, examples)
    members = [
        (np.searchsorted(task.sources.rows, source.positives), np.searchsorted(task.sources.rows, source.negatives))
        for source in task.rows.sources.values()
    ]
    # A small background leaves a source too little to be tested on against as many negatives as the target has.
    spare = min(len(source.negatives) for source in task.rows.sources.values()) - LEAST_TEST_EXAMPLES
    negatives = max(1, min(task.rows.train.shape[1] - max(task.shots), spare))
    each = [
        teach(kernel, members, [shots], negatives, task.C, LESSONS, generator(seed, "taught", task.rows.target, shots))
        for shots in task.shots
    ]
    return Lesson(*(np.concatenate(parts, axis=1) for parts in zip(*each, strict=True)))


def likeness(task: Task) -> Floats:
    """How well the sources' mean score tells the target's few positives from background held apart, (S, H).

    The share of pairs that are in order (the area under the ROC curve): 0.5 is chance. No label of the test enters but
    that its background is background, and nothing is fitted to it.
    """
    own = task.scores.mean(axis=-1)  # (S, H, N)
    other = task.test_scores[:, :, task.rows.test_positives :].mean(axis=-1)  # (S, 1, T)
    above = (own[..., None] > other[:, :, None]).mean(axis=-1)
    return np.asarray(np.mean(above, axis=-1, where=task.labels > 0))


def kernels(task: Task) -> dict[str, tuple[str, float]]:
    """Of each kind of feature the kernel's name and γ."""
    names = kernel_names(task.sources.pack, "rbf")
    return {kind: (names[kind], float(task.sources.kernel.functions[kind].gamma)) for kind in task.kinds}  # type: ignore[attr-defined]
