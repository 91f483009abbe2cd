"""Finite differences for whatever is called as ``penalty(network, source, batch)``."""

from __future__ import annotations

import pytest
import torch
from torch import nn


@pytest.fixture
def gradients_agree():
    """``gradients_agree(penalty, network, source, batch)``: those of every weight, by finite differences in float64."""

    def check(penalty, network, source, batch):
        names = [name for name, _ in network.named_parameters()]

        class Penalised(nn.Module):
            def __init__(self):
                super().__init__()
                self.network = network

            def forward(self):
                return penalty(self.network, source, batch)

        def value(*weights):
            swapped = {f"network.{name}": weight for name, weight in zip(names, weights, strict=True)}
            return torch.func.functional_call(Penalised(), swapped, ())

        weights = [weight.detach().clone().requires_grad_() for weight in network.parameters()]
        assert torch.autograd.gradcheck(value, weights, fast_mode=True)

    return check
