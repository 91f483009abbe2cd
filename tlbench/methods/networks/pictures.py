"""Pictures and what frozen layers make of them, as tensors; computed once where they stay the same in every epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .stages import StagedNetwork, in_precision

AT_ONCE = 250
"""Pictures that pass through frozen layers together: fixed, so that no sum depends on what else is computed."""


class Inputs(Protocol):
    """What a layer takes, for N pictures."""

    def __len__(self) -> int:
        """N."""

    def take(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Values of some pictures, (n, channels, height, width) or (n, units), on the device.

        generator: on the CPU, for what is drawn anew in every epoch of a training; None for a test.
        """


class Pixels(Protocol):
    """Pictures as a data set holds them."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """N, height, width, channels."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Some of them, (n, height, width, channels)."""


@dataclass(frozen=True)
class Held:
    """Values in memory, pictures with their channels last: rows of them are views that convolutions like best."""

    values: Tensor  # (N, height, width, channels) or (N, units)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        """Nothing is drawn."""
        taken = self.values[rows]
        return taken.permute(0, 3, 1, 2) if taken.ndim == 4 else taken


@dataclass(frozen=True)
class Cropped:
    """Crops of larger pictures that are decoded when asked for.

    moved: at a random place, every second one mirrored, as in the authors' prototxt files; otherwise, and always for a
    test, the middle one as it is.
    """

    pixels: Pixels
    rows: NDArray[np.int64]
    network: StagedNetwork
    device: torch.device
    moved: bool

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Decode, crop, and bring into the network's scale."""
        whole = self.pixels.take(self.rows[rows.cpu().numpy()])
        side = self.network.side
        room = np.array(whole.shape[1:3]) - side
        if generator is None or not self.moved:
            corners = np.broadcast_to(room // 2, (len(whole), 2))
            mirrored = np.zeros(len(whole), dtype=bool)
        else:
            shares = torch.rand(len(whole), 2, generator=generator).numpy()
            corners = (shares * (room + 1)).astype(np.int64)
            mirrored = torch.rand(len(whole), generator=generator).numpy() < 0.5
        crops = np.stack([p[y : y + side, x : x + side] for p, (y, x) in zip(whole, corners, strict=True)])
        crops[mirrored] = crops[mirrored, :, ::-1]
        return in_scale(crops, self.network, self.device).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Through:
    """What frozen stages make of inputs that change, or are too many to be held: computed again whenever asked for."""

    inputs: Inputs
    network: StagedNetwork
    layers: int
    precision: torch.dtype

    def __len__(self) -> int:
        return len(self.inputs)

    @torch.no_grad()
    def take(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Run the frozen stages on these pictures."""
        taken = self.inputs.take(rows, generator)
        with in_precision(taken.device, self.precision):
            return self.network(taken, 0, self.layers)


def in_scale(pixels: NDArray[np.uint8], network: StagedNetwork, device: torch.device) -> Tensor:
    """Pixels (n, height, width, channels) as the network takes them, channels last."""
    values = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).float()
    return (values - network.centre) / network.scale


def held(pixels: NDArray[np.uint8], network: StagedNetwork, device: torch.device, precision: torch.dtype) -> Held:
    """Pictures of the network's own size, kept in memory."""
    return Held(in_scale(pixels, network, device).to(precision))


@torch.no_grad()
def bytes_after(network: StagedNetwork, layers: int, pictures: int, precision: torch.dtype) -> int:
    """Memory that the outputs of the first ``layers`` stages take up for so many pictures."""
    one = torch.zeros(1, network.channels, network.side, network.side, device=next(network.parameters()).device)
    with network.evaluating():
        units = network(one, 0, layers).numel()
    return units * pictures * precision.itemsize


@torch.no_grad()
def advance(inputs: Held, network: StagedNetwork, layers: range, precision: torch.dtype) -> Held:
    """What some frozen stages make of their inputs, in chunks of ``AT_ONCE`` pictures."""
    parts = []
    for start in range(0, len(inputs), AT_ONCE):
        rows = torch.arange(start, min(start + AT_ONCE, len(inputs)), device=inputs.values.device)
        with in_precision(inputs.values.device, precision):
            parts.append(network(inputs.take(rows), layers.start, layers.stop))
    return Held(torch.cat([part.permute(0, 2, 3, 1).contiguous() if part.ndim == 4 else part for part in parts]))
