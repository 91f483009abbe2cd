"""Gaussian processes on tasks whose correlation is known: whether the learned λ follows it, below zero too.

A unit is a draw of two independent functions g and h of one input from the Gaussian process with kernel
exp(−(x − x')² / 2ℓ²), and of noise. The target is g; for each correlation ρ there is a source ρ g + √(1 − ρ²) h, so
that both are draws of the adaptive process with λ = ρ, and all ρ share the target, its examples and its test. Inputs
are uniform over [−√3, √3]: mean zero and variance one. Units share nothing. The condition *truth* is the model that
the tasks were drawn from, λ and all: no method that does not know it can promise more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from ...datasets import DataError, FeaturePack, generator
from ...methods.gaussian_process import Hyperparameters, predict, squared_distances
from ...methods.transfer_gaussian_process import TARGET, adaptive_covariance, two_tasks
from ...study import MOST, Block, Columns, Keeping, Seed, Study, units_by_groups
from . import conditions
from .conditions import FITS, METRICS, learned_correlation, measure, measurement_columns
from .drawn_tasks import Drawn, Prediction
from .pictured_functions import FUNCTIONS, PICTURED, add_functions, draw_functions, empty_functions, pictured_labels

TRUTH = "truth"
SAYS = {**conditions.SAYS, TRUTH: "the adaptive model with the λ, lengthscale and noise that the tasks were drawn with"}
HALF_RANGE = np.sqrt(3.0)
STEADY = 1e-9
"""Added to the variance of the functions drawn, whose covariance is singular to rounding; far below any noise."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value."""

    labels: Annotated[list[Annotated[int, Meta(ge=2, le=MOST)]], Meta(min_length=1)]
    correlation: Annotated[list[Annotated[float, Meta(ge=-1, le=1)]], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    source_examples: Annotated[int, Meta(ge=2, le=2000)]
    test_examples: Annotated[int, Meta(ge=15, le=2000)]
    lengthscale: Annotated[float, Meta(ge=0.05, le=50)]
    noise: Annotated[float, Meta(ge=1e-4, le=10)]
    seed: Seed


def units(data: FeaturePack, parameters: Parameters) -> dict[str, dict[str, Any]]:
    """The draws, by name."""
    if not isinstance(data, FeaturePack) or data.identities:
        raise DataError("this experiment draws its own tasks; leave --dataset out, or name 'tasks'")
    return {f"draw {number:03}": {} for number in range(1, parameters.draws + 1)}


cut = units_by_groups(units, {name: name for name in SAYS}, splits_per_block=1)


def draw(parameters: Parameters, unit: str, split: int) -> Drawn:
    """Two functions at the inputs of source, target and test, mixed into a source for each ρ."""
    amounts = (parameters.source_examples, max(parameters.labels), parameters.test_examples)
    count = sum(amounts)
    random = generator(parameters.seed, "correlated functions", unit, split)
    inputs = random.uniform(-HALF_RANGE, HALF_RANGE, (count, 1))
    covariance = np.exp(squared_distances(inputs, inputs) * (-0.5 / parameters.lengthscale**2))
    factor = np.linalg.cholesky(covariance + STEADY * np.eye(count))
    g, h = factor @ random.standard_normal(count), factor @ random.standard_normal(count)
    noise = np.sqrt(parameters.noise) * random.standard_normal(count)
    source, target, test = np.split(np.arange(count), np.cumsum(amounts[:2]))
    mixed = {rho: rho * g[source] + np.sqrt(1.0 - rho**2) * h[source] for rho in parameters.correlation}
    return Drawn(
        {rho: (inputs[source], values + noise[source]) for rho, values in mixed.items()},
        (inputs[target], g[target] + noise[target]),
        (inputs[test], g[test] + noise[test]),
        g[test],
    )


def prepare(_: FeaturePack, block: Block) -> list[Drawn]:
    """The tasks of each split."""
    parameters = msgspec.convert(block.parameters, Parameters)
    return [draw(parameters, block.unit, split) for split in block.splits]


def compute(shared: list[Drawn], block: Block, _: Keeping) -> dict[str, Columns]:
    """Errors, calibration and λ at every correlation and number of labels, and the functions of the first draw."""
    parameters = msgspec.convert(block.parameters, Parameters)
    rows, functions = [], empty_functions()
    for split, drawn in zip(block.splits, shared, strict=True):
        for condition in block.conditions:
            for found in predictions(condition, drawn, parameters):
                of = {"split": split, "condition": condition, "labels": found.labels, "correlation": found.rho}
                rows.append((of, {**measure(found.mean, found.variance, drawn.test[1]), "lambda": found.learned}))
                if (block.unit, split) == PICTURED and found.labels == pictured_labels(parameters.labels):
                    add_functions(functions, block.unit, condition, drawn, found)
    return {
        "measurements": measurement_columns(rows),
        "correlations": {
            "unit": [block.unit] * len(rows),
            **{name: [of[name] for of, _ in rows] for name in ("split", "condition", "labels", "correlation")},
            "learned": [measured["lambda"] for _, measured in rows],
        },
        "functions": functions,
    }


def predictions(condition: str, drawn: Drawn, parameters: Parameters) -> Iterator[Prediction]:
    """A condition's predictions of the test outputs at each number of labels and each ρ; *none* sees no source."""
    for labels in parameters.labels:
        target = (drawn.target[0][:labels], drawn.target[1][:labels])
        alone = FITS["none"](target, target) if condition == "none" else None
        for rho, source in drawn.sources.items():
            if condition == TRUTH:
                noise = np.full(2, parameters.noise)
                at = Hyperparameters(adaptive_covariance(1.0, rho), parameters.lengthscale, noise)
                mean, variance = predict(two_tasks(source, target), at, drawn.test[0], TARGET)
                yield Prediction(labels, rho, rho, mean, variance)
            else:
                fitted = alone or FITS[condition](source, target)
                yield Prediction(labels, rho, learned_correlation(condition, fitted), *fitted.predict(drawn.test[0]))


CORRELATIONS = ("unit", "split", "condition", "labels", "correlation", "learned")
STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"correlations": CORRELATIONS, "functions": FUNCTIONS},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=lambda _: ["Each unit is a new draw of both functions: units are independent."],
    metrics=METRICS,
    draws={"functions": draw_functions},
)
