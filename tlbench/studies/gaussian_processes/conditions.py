"""What both experiments compare and measure: a way to use the source, its predictions, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...methods.transfer_gaussian_process import (
    Fitted,
    correlation_of,
    fit_adaptive,
    fit_multitask,
    fit_one,
    fit_staged,
)

Floats = NDArray[np.float64]
Task = tuple[Floats, Floats]
"""Inputs (n, d) and outputs (n,)."""

SAYS: Mapping[str, str] = {
    "none": "a Gaussian process of the target's labelled examples alone",
    "pooled": "one Gaussian process of all examples, as if they were one task",
    "multi-task": "intrinsic coregionalisation: any 2 × 2 covariance of the tasks, by the joint likelihood",
    "adaptive": "adaptive transfer: one correlation λ of the tasks, by the likelihood of the target given the source",
    "adaptive-joint": "the model of adaptive, by the joint likelihood of source and target",
    "adaptive-staged": "adaptive, but only λ and the target's noise: the rest is learned from the source alone",
}
FITS: Mapping[str, Callable[[Task, Task], Fitted]] = {
    "none": lambda _, target: fit_one(*target),
    "pooled": lambda source, target: fit_one(*(np.concatenate(pair) for pair in zip(source, target, strict=True))),
    "multi-task": fit_multitask,
    "adaptive": fit_adaptive,
    "adaptive-joint": lambda source, target: fit_adaptive(source, target, conditional=False),
    "adaptive-staged": fit_staged,
}
FIXED: Mapping[str, float] = {"none": 0.0, "pooled": 1.0}
"""λ of the conditions that do not learn it."""

METRICS = ("error", "nlpd", "coverage", "miscoverage", "lambda")
PROMISED = 95.0
"""What a prediction interval should cover, in percent."""
HALF_WIDTH = 1.959963984540054
"""Standard deviations from the middle of a normal distribution to either end of its central 95 %."""


@dataclass(frozen=True)
class Scale:
    """A shift and a factor for each column, learned from training data."""

    middle: Floats
    size: Floats

    @classmethod
    def of(cls, values: Floats) -> Scale:
        """Mean and standard deviation of each column; a column that does not vary is only shifted."""
        size = values.std(axis=0)
        return cls(values.mean(axis=0), np.where(size > 0.0, size, 1.0))

    def __call__(self, values: Floats) -> Floats:
        """Values in units of the training data's standard deviations, from their mean."""
        return (values - self.middle) / self.size


def learned_correlation(condition: str, fitted: Fitted) -> float:
    """λ between source and target, as learned, or as the condition has it."""
    return FIXED[condition] if condition in FIXED else correlation_of(fitted.at.between)


def measure(mean: Floats, variance: Floats, truth: Floats) -> dict[str, float]:
    """How good predictions (n,) of test outputs (n,) are; all but ``coverage`` the better the smaller.

    error: the standardised mean squared error in percent, that of predicting the test outputs' own mean being 100
    (Rasmussen & Williams 2006, §2.5). nlpd: the mean of −log p(y), y in units of the test outputs' standard deviation;
    their own normal distribution has ½ log 2πe = 1.42. coverage: percent of outputs in their central 95 % interval;
    miscoverage: its distance from 95.
    """
    spread = truth.var()
    squares = np.square(truth - mean)
    coverage = 100.0 * float(np.mean(squares <= HALF_WIDTH**2 * variance))
    return {
        "error": 100.0 * float(squares.mean() / spread),
        "nlpd": float(0.5 * np.mean(np.log(2.0 * np.pi * variance / spread) + squares / variance)),
        "coverage": coverage,
        "miscoverage": abs(coverage - PROMISED),
    }


def measurement_columns(
    rows: Sequence[tuple[Mapping[str, object], Mapping[str, float]]],
) -> dict[str, list[object]]:
    """A table of measurements: what each row is of, repeated for every metric that was measured there."""
    columns: dict[str, list[object]] = {}
    for of, measured in rows:
        for metric, value in measured.items():
            for name, cell in {**of, "metric": metric, "value": value}.items():
                columns.setdefault(name, []).append(cell)
    return columns
