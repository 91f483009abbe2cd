"""An encoder inherited from one task under the new decoder of another, after the common deep form of transfer.

An encoder learned for classification (or for reconstruction) on source pictures becomes the first half of a network
whose decoder is new: it rebuilds pictures or marks their ink. The encoder is kept as it is or learned on with the
decoder (as in Long, Shelhamer & Darrell, "Fully convolutional networks", CVPR 2015, section 4, whose encoder comes from
classification and is learned on). Networks are stacks of K members (``stacked.py``) with training sets of different
size; each step shows every member as many pictures, drawn from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from .stacked import StackedLinear, minimise, stacked_perceptron

Task = Literal["reconstruction", "segmentation"]
Draw = Callable[[str], torch.Generator]


def new_encoder(members: int, inputs: int, hidden: int, code: int, generator: torch.Generator) -> nn.Sequential:
    """From (N, inputs) or (K, N, inputs) to codes (K, N, code), which are not bounded: none can saturate."""
    return stacked_perceptron(members, [inputs, hidden, code], generator)


def new_decoder(members: int, code: int, hidden: int, outputs: int, generator: torch.Generator) -> nn.Sequential:
    """Codes (K, N, code) to (K, N, outputs), a number a pixel: its sigmoid is the grey value, or the chance of ink."""
    return stacked_perceptron(members, [code, hidden, outputs], generator)


def inherited(source: nn.Sequential, members: int, frozen: bool) -> nn.Sequential:
    """An encoder for K members, each the copy of a source encoder of one member; frozen: it takes no gradient."""
    layers: list[nn.Module] = []
    for layer in source:
        if not isinstance(layer, StackedLinear):
            layers.append(layer)
            continue
        inputs, outputs = layer.weight.shape[1:]
        copy = StackedLinear(members, inputs, outputs, torch.Generator())
        with torch.no_grad():
            copy.weight.copy_(layer.weight.expand_as(copy.weight))
            copy.bias.copy_(layer.bias.expand_as(copy.bias))
        layers.append(copy)
    return nn.Sequential(*layers).requires_grad_(not frozen)


def batches(sizes: Sequence[int], batch: int, steps: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Rows shown at each step to each member, from the first ``sizes[k]`` of the pictures: (steps, K, batch).

    One uniform draw, stretched to each size: members differ by their sizes alone.

    >>> shown = batches([2, 100], batch=4, steps=3, generator=np.random.default_rng(0))
    >>> shown.shape, bool((shown[:, 0] < 2).all())  # the first member has two pictures
    ((3, 2, 4), True)
    """
    drawn = generator.random((steps, 1, batch))
    rows: NDArray[np.int64] = (drawn * np.array(sizes)[None, :, None]).astype(np.int64)
    return rows


def output_loss(task: Task, outputs: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error, or cross-entropy of ink and ground, of a pixel: (K, N, p) each → (K,)."""
    if task == "reconstruction":
        return (outputs.sigmoid() - wanted).square().mean((1, 2))
    return functional.binary_cross_entropy_with_logits(outputs, wanted, reduction="none").mean((1, 2))


def learn(
    encoder: nn.Sequential, decoder: nn.Sequential, task: Task, pairs: tuple[Tensor, Tensor], shown: Tensor, rate: float
) -> None:
    """Learn the decoder, and the encoder unless it is frozen. pairs: (N, p) of input and of what is wanted."""
    inputs, wanted = pairs

    def losses(step: int) -> Tensor:
        rows = shown[step]
        return output_loss(task, decoder(encoder(inputs[rows])), wanted[rows])

    minimise([*encoder.parameters(), *decoder.parameters()], losses, len(shown), rate)


def learn_classes(
    encoder: nn.Sequential, head: nn.Module, pairs: tuple[Tensor, Tensor], shown: Tensor, rate: float
) -> None:
    """Learn an encoder of one member with a head over its code. pairs: inputs (N, p) and labels (N,)."""
    inputs, labels = pairs

    def losses(step: int) -> Tensor:
        rows = shown[step]
        scores = head(encoder(inputs[rows]))
        return functional.cross_entropy(scores.flatten(0, 1), labels[rows].flatten()).expand(1)

    minimise([*encoder.parameters(), *head.parameters()], losses, len(shown), rate)


@torch.no_grad()
def outputs_of(encoder: nn.Sequential, decoder: nn.Sequential, inputs: Tensor) -> NDArray[np.float64]:
    """What each member makes of (N, p): grey values, or probabilities of ink, (K, N, p)."""
    values: NDArray[np.float64] = decoder(encoder(inputs)).sigmoid().double().numpy()
    return values


def explained_variance(made: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 − Σ‖wanted − made‖² / Σ‖wanted − mean of wanted‖²: (K, N, p), (N, p) → (K,).

    It is below zero for what is worse than the mean.

    >>> wanted = np.array([[0.0], [1.0]])
    >>> mean = np.full((1, 2, 1), 0.5)
    >>> explained_variance(wanted[None], wanted).tolist(), explained_variance(mean, wanted).tolist()
    ([1.0], [0.0])
    """
    left = np.square(made - wanted).sum((1, 2))
    scale = np.square(wanted - wanted.mean(0)).sum()
    shares: NDArray[np.float64] = 1.0 - left / scale
    return shares


def intersection_over_union(made: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over pictures of |both ink| / |either ink|, ink where ``made`` exceeds ½: (K, N, p), (N, p) → (K,).

    A picture without ink in both counts one.

    >>> wanted = np.array([[1.0, 1.0, 0.0, 0.0]])
    >>> intersection_over_union(np.array([[[0.9, 0.1, 0.8, 0.2]]]), wanted).round(4).tolist()  # one of three
    [0.3333]
    """
    ours, truth = made > 0.5, wanted > 0.5
    both, either = (ours & truth).sum(-1), (ours | truth).sum(-1)
    shares: NDArray[np.float64] = np.where(either > 0, both / np.maximum(either, 1), 1.0).mean(-1)
    return shares
