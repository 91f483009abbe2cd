"""What learners of several tasks leave: measurements, and the relations that each found beside the known ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...methods.task_relationships import correlations
from ...study import Columns
from .learners import Learned, Strengths, balanced_accuracy, explained_variance, first_of, learn
from .task_samples import Sample

Floats = NDArray[np.float64]

FOUND = ("unit", "relation", "split", "examples", "condition", "pair", "task", "other", "learned")
TABLES = {"relationships": FOUND, "known_relationships": (*FOUND, "known", "ideal")}
"""What MTRL found of each pair of tasks; the second where the truth is known, the first where it is not.

known: the correlation of the true functions. ideal: what Ω says of the true weights, which is less.
"""
METRICS = ("explained_variance", "unrelated_variance", "negatives_found", "balanced_accuracy")


def learn_all(
    samples: Mapping[int, Sample],
    examples: Sequence[int],
    conditions: Sequence[str],
    strengths: Strengths,
    folds: int,
    labels: Mapping[str, str],
    standardise: bool,
) -> dict[str, Columns]:
    """Every condition at every number of examples on the sample of each split.

    labels: columns that all rows share: the unit, and its level of ``relation`` where that is a factor.
    """
    measurements: dict[str, list[Any]] = {name: [] for name in ("split", "condition", "examples", "metric", "value")}
    relationships: dict[str, Columns] = {name: {column: [] for column in TABLES[name]} for name in TABLES}
    for split, whole in samples.items():
        for count in examples:
            sample = first_of(whole, count, standardise)
            for condition in conditions:
                learned = learn(sample, condition, strengths, folds)
                for metric, value in _measured(sample, learned).items():
                    for column, cell in zip(measurements, (split, condition, count, metric, value), strict=True):
                        measurements[column].append(cell)
                if condition == "mtrl":
                    rows = _relations(sample, learned.relations)
                    shared = {"split": split, "examples": count, "condition": condition, "relation": "", **labels}
                    table = relationships["relationships" if sample.known is None else "known_relationships"]
                    for column, cells in table.items():
                        cells += rows[column] if column in rows else [shared[column]] * len(rows["pair"])
    if "relation" in labels:
        measurements["relation"] = [labels["relation"]] * len(measurements["split"])
    return {"measurements": measurements, **relationships}


def _measured(sample: Sample, learned: Learned) -> dict[str, float]:
    found = {"explained_variance": explained_variance(sample, learned.predictions)}
    if sample.classes:
        found["balanced_accuracy"] = balanced_accuracy(sample, learned.predictions)
    if sample.known is not None:
        others = np.where(np.eye(len(sample.known)) > 0.0, 0.0, sample.known)
        unrelated = np.flatnonzero(~others.any(axis=1))
        if len(unrelated):
            found["unrelated_variance"] = explained_variance(sample, learned.predictions, unrelated.tolist())
        if (others < 0.0).any():
            found["negatives_found"] = 100.0 * float((learned.relations[others < 0.0] < 0.0).mean())
    return found


def _relations(sample: Sample, learned: Floats) -> dict[str, list[Any]]:
    """One row for each pair of tasks."""
    rows, columns = np.triu_indices(len(sample.names), 1)
    tasks, others = ([sample.names[place] for place in places] for places in (rows, columns))
    found = {
        "pair": [f"{task} & {other}" for task, other in zip(tasks, others, strict=True)],
        "task": tasks,
        "other": others,
        "learned": learned[rows, columns].tolist(),
    }
    if sample.known is not None:
        found["known"] = sample.known[rows, columns].tolist()
        found["ideal"] = correlations(_root(sample.known))[rows, columns].tolist()
    return found


def _root(matrix: Floats) -> Floats:
    """The square root of known correlations: Ω of the true weights, but for its scale."""
    sizes, directions = np.linalg.eigh(matrix)
    root: Floats = (directions * np.sqrt(np.maximum(sizes, 0.0))) @ directions.T
    return root
