"""The trainings of ``new_decoder``: the source's encoders once, and a decoder for each condition and task."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets import generator
from ...methods.networks.inherited_encoders import (
    batches,
    explained_variance,
    inherited,
    intersection_over_union,
    learn,
    learn_classes,
    new_decoder,
    new_encoder,
    outputs_of,
)
from ...methods.networks.stacked import StackedLinear
from ...study import Columns
from .decoder_choices import Drawn, Parameters, TaskName

EXAMPLES_SHOWN = 4
CENTRE = 0.5
"""Taken off all grey values, so that those of ink and ground lie around zero, whatever the data."""


class Unit:
    """A class split and its pictures; what conditions share is computed when first asked for."""

    def __init__(self, drawn: Drawn, parameters: Parameters, unit: str, split: int) -> None:
        self.drawn, self.parameters, self.unit, self.split = drawn, parameters, unit, split
        self.members = len(parameters.pictures)
        self.numbers = drawn.side**2

    def _draw(self, purpose: str) -> np.random.Generator:
        return generator(self.parameters.seed, purpose, self.unit, self.split)

    def _weights(self, part: str) -> torch.Generator:
        return torch.Generator().manual_seed(int(self._draw(f"weights: {part}").integers(2**63)))

    def _encoder(self, members: int) -> nn.Sequential:
        """From the unit's one draw of random weights: whatever is inherited began as *scratch* does."""
        p = self.parameters
        return new_encoder(members, self.numbers, p.hidden, p.code, self._weights("encoder"))

    def _decoder(self, members: int, part: str) -> nn.Sequential:
        p = self.parameters
        return new_decoder(members, p.code, p.hidden, self.numbers, self._weights(part))

    @cached_property
    def _source_batches(self) -> Tensor:
        p, count = self.parameters, len(self.drawn.source_labels)
        return torch.from_numpy(batches([count], p.batch, p.source_steps, self._draw("batches of the source")))

    @cached_property
    def classifier(self) -> nn.Sequential:
        """The encoder that learned to tell the source's classes apart, on noisy pictures."""
        p, encoder = self.parameters, self._encoder(1)
        head = StackedLinear(1, p.code, p.classes_per_half, self._weights("head"))
        labels = torch.from_numpy(self.drawn.source_labels.astype(np.int64))
        pairs = _inputs(self.drawn.source), labels
        learn_classes(encoder, head, pairs, self._source_batches, p.learning_rate)
        return encoder

    @cached_property
    def autoencoder(self) -> nn.Sequential:
        """The encoder that learned to rebuild the source's clean pictures from noisy ones."""
        p, encoder = self.parameters, self._encoder(1)
        decoder = self._decoder(1, "decoder of the source")
        pairs = _inputs(self.drawn.source), _wanted(self.drawn.source, "reconstruction", p.ink)
        learn(encoder, decoder, "reconstruction", pairs, self._source_batches, p.learning_rate)
        return encoder

    def start(self, condition: str) -> nn.Sequential:
        """The encoder that a condition starts from, for all training sizes."""
        if condition == "scratch":
            return self._encoder(self.members)
        if condition == "random-frozen":
            source = self._encoder(1)
        else:
            source = self.autoencoder if condition.startswith("autoencoder") else self.classifier
        return inherited(source, self.members, frozen=condition.endswith("frozen"))

    def train(self, condition: str, task: TaskName) -> tuple[NDArray[np.float64], list[float]]:
        """What the test pictures become at each training size, (K, N, p), and the score of each in percent."""
        p = self.parameters
        encoder, decoder = self.start(condition), self._decoder(self.members, "decoder")
        shown = batches(p.pictures, p.batch, p.steps, self._draw("batches of the target"))
        pairs = _inputs(self.drawn.target), _wanted(self.drawn.target, task, p.ink)
        learn(encoder, decoder, task, pairs, torch.from_numpy(shown), p.learning_rate)
        made = outputs_of(encoder, decoder, _inputs(self.drawn.test))
        truth = _wanted(self.drawn.test, task, p.ink).double().numpy()
        score = explained_variance if task == "reconstruction" else intersection_over_union
        scores: list[float] = (100.0 * score(made, truth)).tolist()
        return made, scores

    def examples(self, made: NDArray[np.float64], condition: str, task: TaskName) -> Columns:
        """The first test pictures as numbers from 0 to 255, row by row: seen, wanted, and made of the least data."""
        clean, noisy = self.drawn.test
        wanted = _wanted((clean, noisy), task, self.parameters.ink).numpy()
        count = min(EXAMPLES_SHOWN, len(clean))
        return {
            "task": [task] * count,
            "condition": [condition] * count,
            "pictures": [min(self.parameters.pictures)] * count,
            "example": list(range(1, count + 1)),
            "seen": [_written(noisy[row]) for row in range(count)],
            "wanted": [_written(wanted[row]) for row in range(count)],
            "made": [_written(made[np.argmin(self.parameters.pictures), row]) for row in range(count)],
        }


def _inputs(pictures: tuple[NDArray[np.float32], NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(pictures[1]) - CENTRE


def _wanted(pictures: tuple[NDArray[np.float32], NDArray[np.float32]], task: TaskName, ink: float) -> Tensor:
    """The clean picture, or where it has ink: values above ``ink``."""
    clean = torch.from_numpy(pictures[0])
    return clean if task == "reconstruction" else (clean > ink).float()


def _written(values: NDArray[np.floating]) -> str:
    return " ".join(str(int(value)) for value in np.rint(255 * np.clip(values, 0.0, 1.0)))
