"""A network as a row of stages, so that "the first n layers" means the same for every architecture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class PlainGaussian:
    """How the paper's prototxt files draw a layer: weights from N(0, std²), biases all alike."""

    std: float
    bias: float


class Dropout(nn.Module):
    """Zeroes each value with probability ``rate`` and scales the rest up, with draws from a generator handed in.

    It opens the stage it feeds: what a frozen stage puts out is then the same in every epoch, and the units that a
    trained layer sees are still dropped, as in the authors' Caffe, where a frozen layer's dropout stays on.

    >>> dropout = Dropout(0.5)
    >>> dropout.generator = torch.Generator().manual_seed(0)
    >>> sorted(set(dropout(torch.ones(100)).tolist())), dropout.eval()(torch.ones(2)).tolist()
    ([0.0, 2.0], [1.0, 1.0])
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape. Raises RuntimeError where no generator was handed in for training."""
        if not self.training:
            return values
        if self.generator is None:
            raise RuntimeError("dropout needs a generator; set it before training")
        kept = torch.empty_like(values).bernoulli_(1 - self.rate, generator=self.generator)
        return values * kept / (1 - self.rate)


class StagedNetwork(nn.Module):
    """Stages applied one after the other; the last one gives the class scores.

    A layer is a stage: what has weights, with all that follows it before the next weights. gaussians: each stage's
    PlainGaussian. side, channels: of the square pictures it takes. scale, centre: a pixel value p of 0…255 comes in as
    (p − centre) / scale.

    >>> network = StagedNetwork([nn.Linear(1, 3), nn.Linear(3, 2)], [], side=1, channels=1, scale=1.0, centre=0.0)
    >>> network.freeze(1)
    >>> [weight.requires_grad for weight in network.parameters()]
    [False, False, True, True]
    """

    def __init__(
        self,
        stages: Sequence[nn.Module],
        gaussians: Sequence[PlainGaussian],
        side: int,
        channels: int,
        scale: float,
        centre: float,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.gaussians = tuple(gaussians)
        self.side, self.channels, self.scale, self.centre = side, channels, scale, centre

    def forward(self, values: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Stages ``start`` to ``stop`` (all from there, if None) on what stage ``start`` takes."""
        for stage in self.stages[start:stop]:
            values = stage(values)
        return values

    def freeze(self, layers: int) -> None:
        """Make the first ``layers`` stages constant: no gradient, no decay, normalisation statistics as they are.

        The others are made trainable, all in training mode.
        """
        for place, stage in enumerate(self.stages):
            stage.requires_grad_(place >= layers)
            stage.train(place >= layers)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """All stages in the mode of a test within, and each as it was afterwards."""
        modes = [stage.training for stage in self.stages]
        self.eval()
        yield
        for stage, mode in zip(self.stages, modes, strict=True):
            stage.train(mode)

    def hand_generator(self, generator: torch.Generator) -> None:
        """Give every dropout its source of randomness."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.generator = generator


def in_precision(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Layers compute in that precision within; their weights stay as they are."""
    return torch.autocast(device.type, precision, enabled=precision != torch.float32)


def inherit(network: StagedNetwork, source: dict[str, Tensor], layers: int) -> None:
    """Copy the first ``layers`` stages of a source network of the same architecture, statistics included.

    Raises ValueError where the source lacks a weight or has it in another shape.

    >>> one, other = (StagedNetwork([nn.Linear(1, 3), nn.Linear(3, 2)], [], 1, 1, 1.0, 0.0) for _ in range(2))
    >>> inherit(one, other.state_dict(), layers=1)
    >>> [bool(one.stages[place].weight.equal(other.stages[place].weight)) for place in (0, 1)]
    [True, False]
    """
    own = network.state_dict()
    prefixes = tuple(f"stages.{place}." for place in range(layers))
    with torch.no_grad():
        for name, values in own.items():
            if name.startswith(prefixes):
                if name not in source or source[name].shape != values.shape:
                    raise ValueError(f"the source network has no '{name}' of shape {tuple(values.shape)}")
                values.copy_(source[name])
