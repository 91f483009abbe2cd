"""A teacher trained on labels, and stacks of students trained on labels, soft targets and hints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...datasets import LabelledPictures, generator
from ...methods.networks.distillation import Regressor, distillation_loss, hard_loss, hint_loss
from ...methods.networks.perceptrons import Descent, Perceptrons, batches, descend, draw_perceptrons
from ...study import Arrays
from .choices import Choices, Rows

SCALE, CENTRE = 64.0, 127.5  # pixels come in from −2 to 2, whatever the data: nothing of a data set enters


@dataclass(frozen=True)
class Draws:
    """Random numbers of a block's splits, by purpose: what is compared shares them, as no condition enters."""

    seed: int
    unit: str
    splits: tuple[int, ...]

    def generators(self, purpose: str) -> list[torch.Generator]:
        """One for each split, on the CPU."""
        seeds = [int(generator(self.seed, purpose, self.unit, split).integers(2**62)) for split in self.splits]
        return [torch.Generator().manual_seed(seed) for seed in seeds]


@dataclass(frozen=True)
class Lesson:
    """What students learn from, split by split.

    inputs (P, n, d), labels (P, n), and the teachers' scores (P, n, classes) on the same pictures.
    """

    inputs: Tensor
    labels: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Way:
    """One way to learn: from soft targets of a temperature, with or without T², and how much from labels besides."""

    temperature: float
    hard_weight: float
    scaled: bool = True


ALONE = Way(1.0, 1.0)


def inputs_of(pictures: LabelledPictures, rows: Rows, device: torch.device) -> Tensor:
    """Pictures of rows (…) as numbers from −2 to 2, (…, height · width · channels)."""
    pixels = pictures.pixels.take(rows.ravel()).reshape(*rows.shape, -1)
    return (torch.from_numpy(pixels).to(device).float() - CENTRE) / SCALE


def labels_of(pictures: LabelledPictures, rows: Rows, device: torch.device) -> Tensor:
    """Classes of pictures as places among the data set's, in the shape of the rows."""
    return torch.from_numpy(pictures.labels[rows]).to(device)


def train_teachers(inputs: Tensor, labels: Tensor, classes: int, choices: Choices, draws: Draws) -> Perceptrons:
    """A teacher for each split: two wide hidden layers with dropout, trained on labels.

    inputs (P, n, d), labels (P, n).
    """
    sizes = [inputs.shape[2], choices.teacher_units, choices.teacher_units, classes]
    teachers = draw_perceptrons(sizes, draws.generators("teacher's weights"), inputs.device)
    dropped = draws.generators("teacher's dropout")
    descent = Descent(choices.teacher_steps, choices.batch, choices.learning_rate)

    def loss(rows: Tensor) -> Tensor:
        scores = teachers.scores(_take(inputs, rows), choices.dropout, dropped)
        return hard_loss(scores, _take(labels, rows))

    order = batches(inputs.shape[1], descent, draws.generators("teacher's order"))
    descend(teachers.parameters, loss, order, descent)
    return teachers


def draw_students(lesson: Lesson, layers: int, hidden: int, draws: Draws) -> Perceptrons:
    """A student for each split, the same for all ways of learning."""
    sizes = [lesson.inputs.shape[2], *[hidden] * layers, lesson.scores.shape[2]]
    return draw_perceptrons(sizes, draws.generators(f"student's weights {layers} {hidden}"), lesson.inputs.device)


def train_students(
    students: Perceptrons, lesson: Lesson, ways: Sequence[Way], descent: Descent, draws: Draws
) -> Perceptrons:
    """The students (P) trained in K ways from the same weights, in the same order of pictures: K · P networks.

    Network k P + p has learned split p in way k.
    """
    splits, times = len(students), len(ways)
    stack = students.repeated(times)
    device = lesson.inputs.device

    def each(values: Sequence[float | bool]) -> Tensor:
        return torch.tensor(values, device=device).repeat_interleave(splits)

    temperature = each([way.temperature for way in ways])
    hard_weight = each([way.hard_weight for way in ways])
    scaled = each([way.scaled for way in ways])

    def loss(rows: Tensor) -> Tensor:
        inputs, labels, scores = (_take(one, rows) for one in (lesson.inputs, lesson.labels, lesson.scores))
        return distillation_loss(
            stack.scores(inputs.repeat(times, 1, 1)),
            scores.repeat(times, 1, 1),
            labels.repeat(times, 1),
            temperature,
            hard_weight,
            scaled=scaled,
        )

    order = batches(lesson.inputs.shape[1], descent, draws.generators("student's order"))
    descend(stack.parameters, loss, order, descent)
    return stack


def train_on_hints(students: Perceptrons, lesson: Lesson, hints: Tensor, descent: Descent, draws: Draws) -> None:
    """Train the lower half of the students' hidden layers so that a regressor makes the hints of them, in place.

    hints: the teachers' hint layer (P, n, units) on the lesson's pictures. Stage 1 of Romero et al. (2015), section
    2.2; as there, hint and guided layer are the middle ones.
    """
    guided = middle(students)
    regressor = Regressor(students.weights[guided - 1].shape[2], hints)
    trained = [*students.parameters[: 2 * guided], *regressor.parameters]

    def loss(rows: Tensor) -> Tensor:
        units = students.hidden(_take(lesson.inputs, rows), guided)
        return hint_loss(regressor(units), _take(hints, rows))

    order = batches(lesson.inputs.shape[1], descent, draws.generators("order of hints"))
    descend(trained, loss, order, descent)


def middle(networks: Perceptrons) -> int:
    """The number of the middle hidden layer; of two middle ones, the lower."""
    return networks.depth // 2


def percent_right(scores: Tensor, labels: Tensor) -> Tensor:
    """Percent of pictures (…) whose highest score of (…, n, classes) is that of their class (…, n)."""
    return 100.0 * (scores.argmax(-1) == labels).double().mean(-1)


def as_arrays(networks: Perceptrons) -> Arrays:
    """Weights for the blocks that need them."""
    return {name: tensor.cpu().numpy() for name, tensor in networks.tensors().items()}


def as_networks(arrays: Arrays, device: torch.device) -> Perceptrons:
    """The networks whose weights were kept."""
    return Perceptrons.of({name: torch.from_numpy(np.array(values)).to(device) for name, values in arrays.items()})


def _take(values: Tensor, rows: Tensor) -> Tensor:
    """Rows (P, b) of values (P, n, …)."""
    return values[torch.arange(len(values))[:, None], rows]
