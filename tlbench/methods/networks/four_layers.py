"""A small network for small pictures: cheap enough for thousands of short trainings on a laptop."""

from __future__ import annotations

from torch import nn

from .stages import PlainGaussian, StagedNetwork


def digits4(classes: int, channels: int) -> StagedNetwork:
    """Two convolutions and two layers over all units, for 8 × 8 pictures: 13 thousand weights.

    Convolutions take every second place instead of pooling, which would cost half as much again.

    >>> sum(weight.numel() for weight in digits4(10, 1).parameters())
    13706
    """

    def convolution(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU(inplace=True))

    stages = [
        convolution(channels, 16),
        convolution(16, 32),
        nn.Sequential(nn.Flatten(), nn.Linear(32 * 2 * 2, 64), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Linear(64, classes)),
    ]
    return StagedNetwork(stages, [PlainGaussian(0.01, 0.0)] * 4, side=8, channels=channels, scale=64.0, centre=127.5)
