"""Weights drawn at random, each layer from its own generator: a layer's draw does not depend on the others'."""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Literal

import torch
from torch import nn

from .stages import StagedNetwork

Scheme = Literal["gaussian", "scaled"]


def initialise(
    network: StagedNetwork, scheme: Scheme, generator: Callable[[int], torch.Generator], layers: range | None = None
) -> None:
    """Draw the weights of the given stages (all, if None) anew.

    gaussian: the paper's, N(0, std²) with the stage's own std and bias. scaled: N(0, 2 / fan-in) with zero biases,
    which keeps the variance of rectified units from layer to layer (He et al., ICCV 2015, eq. 10). Normalisation layers
    become the identity. ``generator(stage)`` lies on the CPU, so that a draw is the same on every device.

    >>> from tlbench.methods.networks.four_layers import digits4
    >>> one, other = digits4(10, 1), digits4(10, 1)
    >>> for network in (one, other):
    ...     initialise(network, "scaled", lambda stage: torch.Generator().manual_seed(stage))
    >>> all(bool(left.equal(right)) for left, right in zip(one.parameters(), other.parameters()))
    True
    """
    for place in layers if layers is not None else range(len(network.stages)):
        source = generator(place)
        plain = network.gaussians[place]
        for module in network.stages[place].modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                std = plain.std if scheme == "gaussian" else sqrt(2.0 / prod(module.weight.shape[1:]))
                with torch.no_grad():
                    module.weight.copy_(torch.empty(module.weight.shape).normal_(0.0, std, generator=source))
                    if module.bias is not None:
                        module.bias.fill_(plain.bias if scheme == "gaussian" else 0.0)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
