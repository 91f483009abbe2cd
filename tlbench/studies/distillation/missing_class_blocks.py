"""The blocks of ``missing_class``: the teachers of a unit, or students whose transfer set lacks some classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ...datasets import LabelledPictures
from ...methods.absent_classes import raise_for_share
from ...methods.networks.perceptrons import Descent, Perceptrons
from ...study import Block, Keeping
from .choices import Rows
from .missing_class_work import Shared, Work, missing_classes
from .teaching import (
    ALONE,
    Draws,
    Lesson,
    Way,
    as_arrays,
    as_networks,
    draw_students,
    inputs_of,
    labels_of,
    train_students,
    train_teachers,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """accuracies: condition → percent (metrics, missing, temperatures, splits). offsets: → (temperatures, splits)."""

    accuracies: Mapping[str, Floats]
    offsets: Mapping[str, Floats] = field(default_factory=dict)


def teach(shared: Shared, work: Work, block: Block, keeping: Keeping) -> Found:
    """Train a teacher for each split and keep them; what they recognise."""
    device = torch.device(keeping.device)
    pictures, rows = shared.pictures, _training(shared)
    inputs, labels = inputs_of(pictures, rows, device), labels_of(pictures, rows, device)
    teachers = train_teachers(inputs, labels, len(pictures.classes), work, Draws(work.seed, block.unit, block.splits))
    keeping.keep_weights(as_arrays(teachers))
    scores = _scores(teachers, pictures, _test(shared), device)
    lacking = [missing_classes(kind, block.unit, pictures.classes) for kind in work.missing]
    recognised = [recognised_percent(scores, pictures.labels[_test(shared)], one) for one in lacking]
    return Found({"teacher": np.stack(recognised, axis=1)})


def learn(shared: Shared, work: Work, block: Block, keeping: Keeping) -> Found:
    """Train students that never see the missing classes, raise the bias of these, and say what is recognised."""
    device = torch.device(keeping.device)
    pictures, rows, test = shared.pictures, _training(shared), _test(shared)
    (kind,) = work.missing
    lacking = missing_classes(kind, block.unit, pictures.classes)
    seen = rows[~lacking[pictures.labels[rows]]].reshape(len(rows), -1)
    inputs = inputs_of(pictures, seen, device)
    teachers = as_networks(keeping.weights(0), device)
    lesson = Lesson(inputs, labels_of(pictures, seen, device), teachers.scores_of(inputs))
    draws = Draws(work.seed, block.unit, block.splits)
    students = draw_students(lesson, work.layers, work.hidden, draws)
    alone = block.group == "hard"
    ways = [ALONE] if alone else [Way(temperature, work.hard_weight) for temperature in work.temperature]
    trained = train_students(students, lesson, ways, Descent(work.steps, work.batch, work.learning_rate), draws)
    offsets = raised_by(_scores(trained, pictures, rows, device), lacking)
    plain = _scores(trained, pictures, test, device)
    found, said = {}, {}
    for condition in block.conditions:
        raised = condition.endswith("-raised")
        scores = plain + offsets[..., None, None] * lacking if raised else plain
        found[condition] = recognised_percent(scores, pictures.labels[test], lacking)[:, None]
        if raised:
            said[condition] = offsets
    return Found(found, said)


def raised_by(scores: Floats, lacking: Flags) -> Floats:
    """For scores (…, n, classes) of pictures equally many of each class, the offset of each (…)."""
    flat = scores.reshape(-1, *scores.shape[-2:])
    return np.array([raise_for_share(one, lacking, lacking.mean()) for one in flat]).reshape(scores.shape[:-2])


def recognised_percent(scores: Floats, labels: NDArray[np.int64], lacking: Flags) -> Floats:
    """Of scores (…, splits, n, classes) and labels (splits, n): all that is right, and of missing classes: (2, …)."""
    right = scores.argmax(-1) == labels
    of_missing = np.broadcast_to(lacking[labels], right.shape)
    every = right.mean(-1)
    missing = (right & of_missing).sum(-1) / of_missing.sum(-1)
    return 100.0 * np.stack([every, missing])


def _training(shared: Shared) -> Rows:
    return np.stack([drawn.training for drawn in shared.drawn])


def _test(shared: Shared) -> Rows:
    return np.stack([drawn.test for drawn in shared.drawn])


def _scores(networks: Perceptrons, pictures: LabelledPictures, rows: Rows, device: torch.device) -> Floats:
    """Scores (ways, splits, n, classes) on each split's own pictures, rows (splits, n)."""
    inputs = inputs_of(pictures, rows, device)
    times = len(networks) // len(rows)
    scores = networks.scores_of(inputs.repeat(times, 1, 1))
    found: Floats = scores.double().reshape(times, *rows.shape, -1).cpu().numpy()
    return found
