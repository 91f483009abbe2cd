"""Many small networks of one shape as one stack: member k has weights of its own and is trained as if it were alone.

A small network spends most of its time on calls and not on numbers; a stack pays for the calls once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isfinite, sqrt

import torch
from torch import Tensor, nn

FIRST_DECAY, SECOND_DECAY, LEAST_SCALE = 0.9, 0.999, 1e-8


class StackedLinear(nn.Module):
    """A linear layer for each of K members: values (K, N, inputs), or (N, inputs) shared by all, to (K, N, outputs).

    All members start from one draw, N(0, 1/inputs) with zero biases, so that they differ by what they are trained on.
    """

    def __init__(self, members: int, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        drawn = torch.empty(inputs, outputs).normal_(0.0, 1.0 / sqrt(inputs), generator=generator)
        self.weight = nn.Parameter(drawn.repeat(members, 1, 1))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, values: Tensor) -> Tensor:
        """What each member makes of the values."""
        if values.ndim == 2:
            values = values.expand(len(self.weight), -1, -1)
        return torch.baddbmm(self.bias, values, self.weight)


def stacked_perceptron(
    members: int, widths: Sequence[int], generator: torch.Generator, last: nn.Module | None = None
) -> nn.Sequential:
    """K networks of layers between ``widths`` (from the inputs to the outputs), tanh between them, ``last`` after."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [StackedLinear(members, inputs, outputs, generator), nn.Tanh()]
    return nn.Sequential(*layers[:-1], *([last] if last is not None else []))


def squared_weights(parts: Sequence[nn.Module]) -> Tensor:
    """Each member's sum of squared weights, biases left out: (K,).

    >>> layer = StackedLinear(2, inputs=3, outputs=4, generator=torch.Generator().manual_seed(0))
    >>> first, second = squared_weights([layer])  # all members start from one draw
    >>> bool(first == second)
    True
    """
    weights = [layer.weight for part in parts for layer in part.modules() if isinstance(layer, StackedLinear)]
    return torch.stack([weight.square().sum((1, 2)) for weight in weights]).sum(0)


def minimise(parameters: Sequence[nn.Parameter], losses: Callable[[int], Tensor], steps: int, rate: float) -> Tensor:
    """Minimise each member's own loss by Adam (Kingma & Ba, ICLR 2015, algorithm 1), its rate falling to zero linearly.

    losses: step → (K,), each member's loss, which depends on no other's weights: the gradient of their sum is then
    each member's own, and Adam, which works number by number, treats every member as if it were alone. Returns the
    losses of the last step, before it was taken. Raises ValueError where they are no finite numbers.
    """
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    optimiser = torch.optim.Adam(learned, lr=rate, betas=(FIRST_DECAY, SECOND_DECAY), eps=LEAST_SCALE, fused=True)
    found = torch.zeros(())
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * (1.0 - step / steps)
        optimiser.zero_grad()
        found = losses(step)
        total = found.sum()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    if not isfinite(found.sum().item()):
        raise ValueError("the training left the numbers that a computer has; lower learning_rate")
    return found.detach()
