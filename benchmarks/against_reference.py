"""The grid of classifiers, batched as the study does it, against a plain loop over classifiers."""

from __future__ import annotations

import numpy as np

from . import reference
from .shared_inputs import Inputs, shared_inputs
from .table import Row, interleaved, row
from .workload import WholeRun

REPEATS = 3


def rows(run: WholeRun) -> list[Row]:
    """With β learned by both sides, and with β given to both."""
    inputs = shared_inputs(run)
    stacks = sum(one.task.labels[..., 0].size for one in inputs)
    sources = len(inputs[0].task.names)
    classifiers = f"{stacks * (sources + 5):,} classifiers"
    learned = f"{2 * stacks:,} β within a ball and {sources * stacks:,} scalar β"
    ours, plain = interleaved(
        lambda: [one.compute() for one in inputs],
        lambda: [reference.accuracies(one.target) for one in inputs],
        repeats=REPEATS,
        warm=False,
    )
    ours_given, plain_given = interleaved(
        lambda: [_batched(one) for one in inputs],
        lambda: [_one_by_one(one) for one in inputs],
        repeats=2 * REPEATS + 1,
    )
    equal, cells = _agreement(inputs)
    shared = f"{run.data_name}; draws, kernels and source scores given to both"
    return [
        row(
            "source-weight grid",
            "one solve a classifier",
            ours,
            plain,
            f"{classifiers}, {learned}, same β solver (a stack of one there); {shared}; ours = factorise + "
            f"leave-one-out + β + accuracies + tables: {np.median(ours):.3f} s against {np.median(plain):.2f} s; "
            f"{equal:,} of {cells:,} accuracies equal",
        ),
        row(
            "source-weight grid, β given",
            "one solve a classifier",
            ours_given,
            plain_given,
            f"the same {classifiers}, trained and scored with given β, so without the β solver; {shared}: "
            f"{np.median(ours_given):.4f} s against {np.median(plain_given):.3f} s",
        ),
    ]


def _agreement(inputs: list[Inputs]) -> tuple[int, int]:
    """How many accuracies of study and reference are equal, of how many."""
    equal = cells = 0
    for one in inputs:
        plain = reference.accuracies(one.target)
        for condition, values in one.accuracies().items():
            equal += int(np.isclose(values, plain[condition], rtol=0.0, atol=1e-9).sum())
            cells += values.size
    return equal, cells


def given_betas(sources: int) -> np.ndarray:
    """As many weight vectors as a stack has classifiers, (sources + 5, sources), inside the unit ball."""
    return np.random.default_rng(0).uniform(0.0, 1.0 / np.sqrt(sources), size=(sources + 5, sources))


def _batched(one: Inputs) -> np.ndarray:
    betas = given_betas(len(one.task.names))
    stack = one.task.labels.shape[:2]
    weights = np.broadcast_to(betas[:, None, None], (len(betas), *stack, betas.shape[1]))
    return one.factorised().accuracy(weights)


def _one_by_one(one: Inputs) -> list[float]:
    betas = given_betas(len(one.task.names))
    return [
        problem.accuracy(reference.given_weights(problem, beta), beta)
        for problem in one.target.problems()
        for beta in betas
    ]
