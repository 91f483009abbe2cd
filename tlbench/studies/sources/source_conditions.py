"""Ways to lean on sources: each takes a task and gives accuracies and, where it learns them, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets import generator
from ...methods.source_weights import ball_weights, scalar_weights
from ...methods.taught_weights import teach, train_members
from .source_task import Task, TaskChoices

Floats = NDArray[np.float64]
LESSONS = 6
"""Draws in which each source plays the target."""


@dataclass(frozen=True)
class Found:
    """By condition: balanced accuracies (S, H) in percent, and weights (S, H, k) of those that learn them.

    decisions: the values (S, H, T) on the test examples, of conditions that are one machine.
    """

    accuracies: Mapping[str, Floats]
    weights: Mapping[str, Floats] = field(default_factory=dict)
    decisions: Mapping[str, Floats] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, decisions: Mapping[str, Floats], weights: Mapping[str, Floats] | None = None) -> Found:
        """Conditions that are one machine each, by what it decides."""
        return cls({name: task.score(values) for name, values in decisions.items()}, weights or {}, decisions)


@dataclass(frozen=True)
class Group:
    """Conditions that are computed together; says: condition → what it is, in a line; compute: (task, choices) →."""

    says: Mapping[str, str]
    compute: Callable[[Task, Any], Found]


def _none(task: Task, _: TaskChoices) -> Found:
    return Found.of(task, {"none": task.decisions(np.zeros((*task.labels.shape[:2], task.scores.shape[-1])))})


def _single(task: Task, _: TaskChoices) -> Found:
    k = task.scores.shape[-1]
    alone, bound = scalar_weights(task.leave_one_out)
    decisions = task.decisions(np.moveaxis(alone[..., None, :] * np.eye(k), -2, 0))
    each = task.score(decisions)
    chosen = np.argmin(bound, axis=-1)
    return Found(
        {
            "single-mean": each.mean(axis=0),
            "single-selected": np.take_along_axis(each, chosen[None], axis=0)[0],
            "single-oracle": each.max(axis=0),
        },
        {"single-selected": alone * (np.arange(k) == chosen[..., None])},
        {"single-selected": np.take_along_axis(decisions, chosen[None, ..., None], axis=0)[0]},
    )


def _fixed(task: Task, _: TaskChoices) -> Found:
    k = task.scores.shape[-1]
    stack = (*task.labels.shape[:2], k)
    return Found.of(
        task,
        {
            "multi-average": task.decisions(np.full(stack, 1.0 / k)),
            "multi-equal": task.decisions(np.full(stack, 1.0 / np.sqrt(k))),
        },
    )


def _weighted(task: Task, choices: TaskChoices) -> Found:
    weights = ball_weights(task.leave_one_out, "l2", choices.nonnegative)
    return Found.of(task, {"multi-weighted": task.decisions(weights)}, {"multi-weighted": weights})


def _weighted_l1(task: Task, choices: TaskChoices) -> Found:
    weights = ball_weights(task.leave_one_out, "l1", choices.nonnegative)
    return Found.of(task, {"multi-weighted-l1": task.decisions(weights)}, {"multi-weighted-l1": weights})


def _taught(task: Task, choices: TaskChoices) -> Found:
    """Each source plays the target with the others as its own, on what it was trained on; see ``taught_weights``."""
    examples = task.sources.pack.take(task.sources.rows)
    members = [
        (np.searchsorted(task.sources.rows, source.positives), np.searchsorted(task.sources.rows, source.negatives))
        for source in task.rows.sources.values()
    ]
    lesson = teach(
        task.sources.kernel(examples, examples),
        members,
        task.shots,
        choices.negatives,
        task.C,
        LESSONS,
        generator(choices.seed, "taught", task.rows.target),
    )
    machine = train_members(task.train_kernel, task.labels, task.scores).mean(lesson)
    decisions = machine.decisions(task.test_kernel, task.test_scores)
    return Found.of(task, {"multi-taught": decisions}, {"multi-taught": machine.weights})


OF_THE_PAPER: Mapping[str, Group] = {
    "none": Group({"none": "no transfer: the target alone (β = 0)"}, _none),
    "single": Group(
        {
            "single-mean": "one source, its weight in [0, 1] learned by leave-one-out; mean over the sources",
            "single-selected": "the one source that leave-one-out selects",
            "single-oracle": "the one source that is best on the test set: nobody can know it",
        },
        _single,
    ),
    "fixed": Group(
        {
            "multi-average": "all k sources, each with weight 1/k",
            "multi-equal": "all k sources, each with weight 1/√k",
        },
        _fixed,
    ),
    "weighted": Group(
        {"multi-weighted": "all sources, weights learned by leave-one-out within ‖β‖₂ ≤ 1"},
        _weighted,
    ),
    "weighted-l1": Group({"multi-weighted-l1": "the same within ‖β‖₁ ≤ 1"}, _weighted_l1),
}

OURS: Mapping[str, Group] = {
    "taught": Group(
        {"multi-taught": "ours: a mean of ways to weight sources, by what each is worth when sources play the target"},
        _taught,
    ),
}
