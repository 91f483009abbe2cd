"""Many small fully connected networks of the same layers, computed and trained at once by batched matrix products.

A thousand networks of a few hundred weights are slow one by one, whose steps are all overhead, and fast as a stack. No
network of a stack knows of the others: weights, pictures and their order are its own, and the sum of all losses has the
gradient of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sqrt

import torch
from torch import Tensor

from .training import TrainingError

SCORED_AT_ONCE = 1000
"""Pictures whose scores are computed together: fixed, so that no sum depends on how many there are."""


@dataclass(frozen=True)
class Perceptrons:
    """S networks: linear layers with rectified units between them, and scores (logits) at the end.

    weights: of each layer (S, inputs, outputs). biases: of each layer (S, 1, outputs).
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    def __len__(self) -> int:
        """S."""
        return len(self.weights[0])

    @property
    def depth(self) -> int:
        """How many layers have weights."""
        return len(self.weights)

    @property
    def parameters(self) -> list[Tensor]:
        """All weights and biases, layer by layer."""
        return [tensor for layer in zip(self.weights, self.biases, strict=True) for tensor in layer]

    def scores(self, inputs: Tensor, dropout: float = 0.0, generators: Sequence[torch.Generator] = ()) -> Tensor:
        """Scores (S, n, classes) of each network on its own inputs (S, n, d).

        dropout: the share of hidden units that are left out, anew for each picture, with the rest scaled up; which ones
        each network's own generator on the CPU decides.
        """
        return self._through(inputs, self.depth, dropout, generators)

    def hidden(self, inputs: Tensor, layers: int) -> Tensor:
        """The rectified units (S, n, units) of hidden layer number ``layers``, counted from 1."""
        if not 1 <= layers < self.depth:
            raise ValueError(f"there are {self.depth - 1} hidden layers, and no number {layers}")
        return self._through(inputs, layers, 0.0, ())

    def _through(self, values: Tensor, stop: int, dropout: float, generators: Sequence[torch.Generator]) -> Tensor:
        for place in range(stop):
            values = torch.baddbmm(self.biases[place], values, self.weights[place])
            if place + 1 == self.depth:
                break
            values = values.relu()
            if dropout:
                one = values.shape[1:]
                kept = torch.stack([torch.empty(one).bernoulli_(1 - dropout, generator=each) for each in generators])
                values = values * kept.to(values.device) / (1 - dropout)
        return values

    @torch.no_grad()
    def scores_of(self, inputs: Tensor) -> Tensor:
        """Scores (S, n, classes) without gradients; of inputs (n, d) that all have in common, or of own ones."""
        own = inputs.expand(len(self), *inputs.shape[-2:])
        return torch.cat([self.scores(part) for part in torch.split(own, SCORED_AT_ONCE, dim=1)], dim=1)

    def repeated(self, times: int) -> Perceptrons:
        """A stack of copies to be trained: the whole stack so many times, one after the other."""

        def copies(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
            return tuple(tensor.detach().repeat(times, 1, 1).requires_grad_() for tensor in tensors)

        return Perceptrons(copies(self.weights), copies(self.biases))

    def tensors(self) -> dict[str, Tensor]:
        """All weights by name."""
        return {
            f"{kind}.{place}": tensor.detach() for place in range(self.depth) for kind, tensor in self._layer(place)
        }

    def _layer(self, place: int) -> tuple[tuple[str, Tensor], ...]:
        return ("weights", self.weights[place]), ("biases", self.biases[place])

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Perceptrons:
        """The stack whose ``tensors`` these are."""
        depth = len(tensors) // 2
        weights, biases = (
            tuple(tensors[f"{kind}.{place}"] for place in range(depth)) for kind in ("weights", "biases")
        )
        return cls(weights, biases)


def draw_perceptrons(
    sizes: Sequence[int], generators: Sequence[torch.Generator], device: torch.device | None = None
) -> Perceptrons:
    """A stack of networks to be trained, each drawn from its own generator on the CPU.

    sizes: of the inputs, every hidden layer, and the classes. Weights are N(0, 2 / inputs of the layer), which keeps
    the variance of rectified units from layer to layer (He et al., ICCV 2015, eq. 10); biases are zero.

    >>> stack = draw_perceptrons([4, 8, 3], [torch.Generator().manual_seed(seed) for seed in (5, 6, 5)])
    >>> len(stack), bool(stack.weights[0][0].equal(stack.weights[0][2]))  # the same generator, the same network
    (3, True)
    """
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    for inputs, outputs in pairwise(sizes):
        drawn = [torch.empty(inputs, outputs).normal_(0.0, sqrt(2.0 / inputs), generator=one) for one in generators]
        weights.append(torch.stack(drawn).to(device).requires_grad_())
        biases.append(torch.zeros(len(generators), 1, outputs, device=device, requires_grad=True))
    return Perceptrons(tuple(weights), tuple(biases))


@dataclass(frozen=True)
class Descent:
    """How a stack is trained: so many steps of Adam (Kingma & Ba, ICLR 2015), whose rate falls along half a cosine.

    A step divides by the size of past gradients, so the scale of a loss does not change how fast a network learns: two
    losses that differ by a factor alone give the same training.

    >>> descent = Descent(steps=100, batch=10, learning_rate=0.5)
    >>> descent.rate(0), descent.rate(50)
    (0.5, 0.25)
    """

    steps: int
    batch: int
    learning_rate: float

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        return self.learning_rate * 0.5 * (1 + cos(pi * step / self.steps))


def batches(pictures: int, descent: Descent, generators: Sequence[torch.Generator]) -> Iterator[Tensor]:
    """For each step the rows (S, batch) that each network learns from, in an order from its own generator.

    Every picture comes once before any comes again; what is left of an order that fills no batch is not used. With no
    more pictures than a batch has, all are in every step.
    """
    if pictures <= descent.batch:
        for _ in range(descent.steps):
            yield torch.arange(pictures).expand(len(generators), pictures)
        return
    per_order = pictures // descent.batch
    for step in range(descent.steps):
        if step % per_order == 0:
            order = torch.stack([torch.randperm(pictures, generator=one) for one in generators])
        start = (step % per_order) * descent.batch
        yield order[:, start : start + descent.batch]


def descend(
    tensors: Sequence[Tensor], loss: Callable[[Tensor], Tensor], rows: Iterator[Tensor], descent: Descent
) -> None:
    """Train tensors in place. loss: (rows of one step) → each network's loss (S,), a function of its own tensors alone.

    Raises TrainingError where a weight is no finite number at the end.
    """
    optimiser = torch.optim.Adam(tensors, lr=descent.learning_rate, fused=True)
    for step, some in enumerate(rows):
        for group in optimiser.param_groups:
            group["lr"] = descent.rate(step)
        optimiser.zero_grad(set_to_none=True)
        loss(some).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise TrainingError(f"weights are no finite numbers after {descent.steps} steps; set a lower learning_rate")
