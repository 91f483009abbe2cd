"""One thread, as in every process of a run; and networks small enough to be followed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tlbench.methods.networks.stages import Dropout, PlainGaussian, StagedNetwork


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def make_tiny(seed=0, classes=3, channels=2, side=6, rate=0.0, normalised=False):
    """Four layers of a few weights each: two convolutions, and two over all units."""

    def convolution(inputs, outputs):
        normalisation = [nn.BatchNorm2d(outputs)] if normalised else []
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=not normalised), *normalisation, nn.ReLU(inplace=True)
        )

    def dropped(*layers):
        return nn.Sequential(*([Dropout(rate)] if rate else []), *layers)

    stages = [
        convolution(channels, 4),
        convolution(4, 5),
        dropped(nn.Flatten(), nn.Linear(5 * side * side, 8), nn.ReLU(inplace=True)),
        dropped(nn.Linear(8, classes)),
    ]
    network = StagedNetwork(stages, [PlainGaussian(0.1, 0.0)] * 4, side, channels, scale=64.0, centre=127.5)
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.empty(weight.shape).normal_(0, 0.3, generator=source))
    return network


@pytest.fixture
def tiny():
    return make_tiny


@pytest.fixture
def source():
    """``source(seed)``: a generator."""
    return lambda seed=0: torch.Generator().manual_seed(seed)
