"""The networks there are: the paper's own, two of its shape for small pictures, and torchvision's residual ones."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .stages import Dropout, PlainGaussian, StagedNetwork

PIXELS = {"scale": 64.0, "centre": 127.5}
"""Small networks take pixels from −2 to 2, whatever the data: nothing of a data set enters."""


def _convolution(
    inputs: int,
    outputs: int,
    *after: nn.Module,
    size: int = 3,
    stride: int = 1,
    pad: int | None = None,
    groups: int = 1,
) -> nn.Sequential:
    padding = size // 2 if pad is None else pad
    convolution = nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding, groups=groups)
    return nn.Sequential(convolution, nn.ReLU(inplace=True), *after)


def _of_paper_shape(outputs: tuple[int, ...], hidden: int, classes: int, channels: int, side: int) -> StagedNetwork:
    """The paper's row of eight without groups, normalisation and dropout.

    Five convolutions with pooling after the first, second and fifth (from 32 pixels on; below, after the second and
    fifth), and three layers over all units.
    """
    pools = (True, True, False, False, True) if side >= 32 else (False, True, False, False, True)
    stages: list[nn.Module] = []
    for inputs, width, pool in zip((channels, *outputs), outputs, pools, strict=False):
        stages.append(_convolution(inputs, width, *([nn.MaxPool2d(2)] if pool else [])))
    last = side // 2 ** sum(pools)
    stages += [
        nn.Sequential(nn.Flatten(), nn.Linear(outputs[-1] * last * last, hidden), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Linear(hidden, classes)),
    ]
    return StagedNetwork(stages, PAPER_GAUSSIANS, side, channels, **PIXELS)


PAPER_GAUSSIANS = tuple(
    PlainGaussian(std, bias)
    for std, bias in [(0.01, 0), (0.01, 1), (0.01, 0), (0.01, 1), (0.01, 1), (0.005, 1), (0.005, 1), (0.01, 0)]
)
"""Of the eight layers in the authors' prototxt files (github yosinski/convnet_transfer, commit 9838c27)."""


def digits8(classes: int, channels: int) -> StagedNetwork:
    """Eight layers for the 8 × 8 handwritten digits: 42 thousand weights.

    >>> network = digits8(10, 1)
    >>> len(network.stages), sum(weight.numel() for weight in network.parameters())
    (8, 42146)
    """
    return _of_paper_shape((16, 24, 32, 32, 32), 64, classes, channels, side=8)


def small32(classes: int, channels: int) -> StagedNetwork:
    """Eight layers for 32 × 32 pictures: 370 thousand weights, 18 million multiplications a picture.

    >>> network = small32(10, 3)
    >>> len(network.stages), sum(weight.numel() for weight in network.parameters())
    (8, 362186)
    """
    return _of_paper_shape((32, 64, 96, 96, 64), 128, classes, channels, side=32)


def caffenet(classes: int, channels: int) -> StagedNetwork:
    """The paper's network (Yosinski et al. 2014, section 3; the authors' prototxt files): CaffeNet.

    Pooling comes before normalisation; convolutions 2, 4 and 5 are in two groups. Takes 227 × 227 crops from which the
    mean is subtracted, in the scale 0…255. Deviation: one mean for all pixels and channels instead of a mean picture.
    """

    def normalised_pool() -> tuple[nn.Module, nn.Module]:
        return nn.MaxPool2d(3, 2), nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

    stages = [
        _convolution(channels, 96, *normalised_pool(), size=11, stride=4, pad=0),
        _convolution(96, 256, *normalised_pool(), size=5, groups=2),
        _convolution(256, 384),
        _convolution(384, 384, groups=2),
        _convolution(384, 256, nn.MaxPool2d(3, 2), groups=2),
        nn.Sequential(nn.Flatten(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True)),
        nn.Sequential(Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU(inplace=True)),
        nn.Sequential(Dropout(0.5), nn.Linear(4096, classes)),
    ]
    return StagedNetwork(stages, PAPER_GAUSSIANS, side=227, channels=channels, scale=1.0, centre=115.0)


def _residual(name: str, side: int) -> Callable[[int, int], StagedNetwork]:
    def build(classes: int, channels: int) -> StagedNetwork:
        import torchvision.models

        whole = getattr(torchvision.models, name)(weights=None, num_classes=classes)
        if channels != 3:
            whole.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        blocks = [block for group in (whole.layer1, whole.layer2, whole.layer3, whole.layer4) for block in group]
        stages = [
            nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool),
            *blocks,
            nn.Sequential(whole.avgpool, nn.Flatten(), whole.fc),
        ]
        return StagedNetwork(stages, [PlainGaussian(0.01, 0.0)] * len(stages), side, channels, **PIXELS)

    build.__doc__ = f"torchvision's {name}, cut at block boundaries: the stem, each residual block, the classifier."
    return build


ARCHITECTURES: dict[str, Callable[[int, int], StagedNetwork]] = {
    "digits8": digits8,
    "small32": small32,
    "caffenet": caffenet,
    "resnet18": _residual("resnet18", 32),
    "resnet34": _residual("resnet34", 32),
    "resnet50": _residual("resnet50", 224),
}
"""Name → builder(classes, channels)."""
