"""Fine-tuning under a penalty: a fixed number of steps of stochastic gradient descent from a source's layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor
from torch.nn import functional

from .penalties import Batch, Penalty, Source, head_decay
from .stages import StagedNetwork


@dataclass(frozen=True)
class FineTuning:
    """How long and how fast; the same for every penalty.

    steps: of at most ``batch`` pictures each, in epochs of a random order. The rate falls from ``learning_rate`` to
    zero along half a cosine. head_decay: β of the β/2 ‖w_N‖² that is always added.
    """

    steps: int
    batch: int
    learning_rate: float
    head_decay: float
    momentum: float = 0.9

    def rate(self, step: int) -> float:
        """Learning rate of a step, from 0."""
        return self.learning_rate * 0.5 * (1 + cos(pi * step / self.steps))


def fine_tune(
    network: StagedNetwork,
    source: Source,
    data: Batch,
    penalty: Penalty,
    strength: float,
    recipe: FineTuning,
    generator: torch.Generator,
) -> bool:
    """Minimise cross-entropy + strength · penalty + β/2 ‖w_N‖², in place; whether all stayed finite.

    network: as it starts. data: all pictures of the target; a step's batch is some of those with labels and all of
    those without. generator: of the order of pictures. Only what is trainable changes. A strength that is too large for
    the learning rate makes weights grow without bound: training stops once the loss is no finite number.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimising = torch.optim.SGD(weights, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)
    batches = _batches(len(data.pictures), recipe.batch, generator)
    for step in range(recipe.steps):
        for group in optimising.param_groups:
            group["lr"] = recipe.rate(step)
        rows = next(batches)
        batch = Batch(data.pictures[rows], data.labels[rows], data.unlabelled)
        loss = functional.cross_entropy(network(batch.pictures), batch.labels)
        if not bool(loss.isfinite()):
            return False
        loss = loss + strength * penalty(network, source, batch) + recipe.head_decay * head_decay(network)
        optimising.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimising.step()
    return all(bool(weight.isfinite().all()) for weight in weights)


def _batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Rows of one batch after the other; every picture once an epoch, the last batch of which may be small."""
    while True:
        yield from torch.split(torch.randperm(count, generator=generator), size)
