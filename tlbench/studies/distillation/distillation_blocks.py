"""The blocks of ``distillation``: one teacher, or the students of one transfer set and depth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ...methods.networks.perceptrons import Descent, Perceptrons
from ...study import Block, Keeping
from .distillation_work import Shared, Work, draw_transfer_set
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
    middle,
    percent_right,
    train_on_hints,
    train_students,
    train_teachers,
)

Floats = NDArray[np.float64]
Accuracies = Mapping[str, Floats]
"""Condition → accuracies in percent (widths, temperatures, splits)."""


def teacher_accuracy(shared: Shared, work: Work, block: Block, keeping: Keeping) -> Accuracies:
    """Train the unit's teacher and keep it; its accuracy (1, 1, 1)."""
    device = torch.device(keeping.device)
    rows = shared.drawn.training[None]
    inputs, labels = inputs_of(shared.pictures, rows, device), labels_of(shared.pictures, rows, device)
    draws = Draws(work.seed, block.unit, block.splits)
    teacher = train_teachers(inputs, labels, len(shared.pictures.classes), work, draws)
    keeping.keep_weights(as_arrays(teacher))
    return {"teacher": _tested(teacher, shared, device).reshape(1, 1, 1)}


def student_accuracies(shared: Shared, work: Work, block: Block, keeping: Keeping) -> Accuracies:
    """Train students of every width, each stack in all its ways at once."""
    device = torch.device(keeping.device)
    rows = np.stack([draw_transfer_set(shared.pictures, shared.drawn, work, block.unit, one) for one in block.splits])
    inputs, labels = inputs_of(shared.pictures, rows, device), labels_of(shared.pictures, rows, device)
    teacher = as_networks(keeping.weights(0), device).repeated(len(rows))
    lesson = Lesson(inputs, labels, teacher.scores_of(inputs))
    draws = Draws(work.seed, block.unit, block.splits)
    ways = {condition: _ways(condition, work) for condition in block.conditions}
    widths = [_of_width(hidden, teacher, lesson, ways, work, block, draws) for hidden in work.hidden]
    shape = len(work.temperature), len(rows)
    found: dict[str, Floats] = {}
    start = 0
    accuracies = np.stack([_tested(students, shared, device).reshape(-1, len(rows)) for students in widths])
    for condition, some in ways.items():
        part = accuracies[:, start : start + len(some)]
        found[condition] = np.broadcast_to(part, (len(widths), *shape))
        start += len(some)
    return found


def _of_width(
    hidden: int,
    teacher: Perceptrons,
    lesson: Lesson,
    ways: Mapping[str, list[Way]],
    work: Work,
    block: Block,
    draws: Draws,
) -> Perceptrons:
    """Students of one width, the splits of one way after those of the other; hints come first and cost steps."""
    students = draw_students(lesson, work.layers, hidden, draws)
    steps = work.steps
    if block.group == "hints":
        with torch.no_grad():
            hints = teacher.hidden(lesson.inputs, middle(teacher))
        train_on_hints(students, lesson, hints, Descent(work.hint_steps, work.batch, work.learning_rate), draws)
        steps -= work.hint_steps
    every = [way for some in ways.values() for way in some]
    return train_students(students, lesson, every, Descent(steps, work.batch, work.learning_rate), draws)


def _ways(condition: str, work: Work) -> list[Way]:
    """One for each temperature; a student on its own learns in one, whatever the temperature."""
    if condition == "hard":
        return [ALONE]
    return [Way(temperature, work.hard_weight, condition != "unscaled") for temperature in work.temperature]


def _tested(networks: Perceptrons, shared: Shared, device: torch.device) -> Floats:
    """Percent of the test pictures that each network is right on."""
    rows = shared.drawn.test
    inputs, labels = inputs_of(shared.pictures, rows, device), labels_of(shared.pictures, rows, device)
    accuracies: Floats = percent_right(networks.scores_of(inputs), labels).cpu().numpy()
    return accuracies
