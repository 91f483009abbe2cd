"""The networks against the authors' prototxt files, against torchvision, and against what the study says of them."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
import torch
import torchvision
from torch import nn

from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.stages import Dropout
from tlbench.studies.layers.choices import NETWORKS, Choices

RESNETS = ("resnet18", "resnet34", "resnet50")
OF_THE_PAPERS_SHAPE = ("digits8", "small32", "caffenet")


def without_weights(name, classes=10, channels=3):
    """A network that has shapes and no values: it costs nothing."""
    with torch.device("meta"):
        return ARCHITECTURES[name](classes, channels).eval()


def shapes(network, start=0, stop=None):
    """What goes into the first of these stages, and what each puts out."""
    values = torch.zeros(1, network.channels, network.side, network.side, device="meta")
    found = [tuple(values.shape[1:])]
    for stage in network.stages[start:stop]:
        values = stage(values)
        found.append(tuple(values.shape[1:]))
    return found


def weighted(network):
    """Convolutions and layers over all units, in their order."""
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def parameters(network):
    return sum(weight.numel() for weight in network.parameters())


# The paper's network, by the facts of its prototxt files

CONVOLUTIONS = [  # outputs, kernel, stride, padding, groups
    (96, 11, 4, 0, 1),
    (256, 5, 1, 2, 2),
    (384, 3, 1, 1, 1),
    (384, 3, 1, 1, 2),
    (256, 3, 1, 1, 2),
]


def test_caffenet_is_the_row_of_layers_in_the_prototxt():
    network = without_weights("caffenet", 1000)
    *convolutions, fc6, fc7, fc8 = weighted(network)
    assert [
        (m.out_channels, m.kernel_size[0], m.stride[0], m.padding[0], m.groups) for m in convolutions
    ] == CONVOLUTIONS
    assert all(m.bias is not None for m in weighted(network))
    assert [(m.in_features, m.out_features) for m in (fc6, fc7, fc8)] == [(9216, 4096), (4096, 4096), (4096, 1000)]
    assert [[type(m) for m in stage] for stage in network.stages] == [
        [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.LocalResponseNorm],
        [nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.LocalResponseNorm],
        [nn.Conv2d, nn.ReLU],
        [nn.Conv2d, nn.ReLU],
        [nn.Conv2d, nn.ReLU, nn.MaxPool2d],
        [nn.Flatten, nn.Linear, nn.ReLU],
        [Dropout, nn.Linear, nn.ReLU],
        [Dropout, nn.Linear],
    ]
    assert [m.rate for m in network.modules() if isinstance(m, Dropout)] == [0.5, 0.5]


def test_caffenet_has_the_sizes_of_the_prototxt():
    network = without_weights("caffenet", 1000)
    assert shapes(network) == [
        *((3, 227, 227), (96, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 6, 6)),
        *((4096,), (4096,), (1000,)),
    ]
    before_pooling = [network.stages[place][0] for place in (0, 1, 4)]
    inputs = [torch.zeros(1, *shape, device="meta") for shape in ((3, 227, 227), (96, 27, 27), (384, 13, 13))]
    found = [tuple(layer(values).shape[1:]) for layer, values in zip(before_pooling, inputs, strict=True)]
    assert found == [(96, 55, 55), (256, 27, 27), (256, 13, 13)]
    pools = [m for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    assert [(pool.kernel_size, pool.stride) for pool in pools] == [(3, 2)] * 3


def test_caffenet_has_60_965_224_weights():
    by_hand, inputs = 0, 3
    for outputs, kernel, _, _, groups in CONVOLUTIONS:
        by_hand += outputs * (inputs // groups) * kernel * kernel + outputs
        inputs = outputs
    by_hand += 9216 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    assert parameters(without_weights("caffenet", 1000)) == by_hand == 60_965_224


def test_caffenet_normalises_as_caffe_does(source):
    """y_i = x_i / (1 + α/5 · Σ x_j² over the five nearest channels)^β, with α = 1e-4 and β = 0.75."""
    values = torch.empty(2, 9, 3, 4, dtype=torch.float64).normal_(0, 300, generator=source())
    expected = torch.empty_like(values)
    for channel in range(9):
        near = values[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = values[:, channel] / (1 + 1e-4 / 5 * (near**2).sum(1)) ** 0.75
    network = without_weights("caffenet")
    for place in (0, 1):
        torch.testing.assert_close(network.stages[place][-1](values), expected, rtol=1e-12, atol=0)


def test_caffenet_takes_pixels_from_which_only_a_mean_is_subtracted():
    network = without_weights("caffenet")
    assert network.scale == 1.0
    assert 100 < network.centre < 130


@pytest.mark.parametrize("name", OF_THE_PAPERS_SHAPE)
def test_gaussians_are_those_of_the_prototxt(name):
    found = [(plain.std, plain.bias) for plain in without_weights(name).gaussians]
    first_five = [(0.01, 0), (0.01, 1), (0.01, 0), (0.01, 1), (0.01, 1)]
    assert found == [*first_five, (0.005, 1), (0.005, 1), (0.01, 0)]


# The two of its shape for small pictures


def test_small_networks_have_the_papers_row_of_layers():
    assert shapes(without_weights("small32", 40)) == [
        *((3, 32, 32), (32, 16, 16), (64, 8, 8), (96, 8, 8), (96, 8, 8), (64, 4, 4)),
        *((128,), (128,), (40,)),
    ]
    assert shapes(without_weights("digits8", 5, 1)) == [
        *((1, 8, 8), (16, 8, 8), (24, 4, 4), (32, 4, 4), (32, 4, 4), (32, 2, 2)),
        *((64,), (64,), (5,)),
    ]


def test_small_networks_are_as_large_as_is_said_of_them():
    multiplications = []

    def count(module, _, outputs):
        places = outputs[0, 0].numel() if outputs.ndim == 4 else 1
        multiplications.append(module.weight.numel() * places)

    network = without_weights("small32", 40)
    for module in weighted(network):
        module.register_forward_hook(count)
    shapes(network)
    assert 17.5e6 < sum(multiplications) < 18.5e6
    assert 365_000 < parameters(network) < 375_000
    assert 41_500 < parameters(without_weights("digits8", 5, 1)) < 42_500


@pytest.mark.parametrize("name", OF_THE_PAPERS_SHAPE)
def test_a_layer_is_what_has_weights_with_all_that_follows(name):
    network = without_weights(name)
    for stage in network.stages:
        (only,) = [m for m in stage if isinstance(m, nn.Conv2d | nn.Linear)]
        before = list(stage)[: list(stage).index(only)]
        assert all(isinstance(m, nn.Flatten | Dropout) for m in before)
    rectified = [any(isinstance(m, nn.ReLU) for m in stage) for stage in network.stages]
    assert rectified == [True] * 7 + [False]


# torchvision's


def counterpart(name, network, source):
    """torchvision's own network with the same weights and the same statistics, which are drawn first."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2, generator=source)
                module.running_var.uniform_(0.5, 2, generator=source)
                module.weight.normal_(1, 0.2, generator=source)
                module.bias.normal_(0, 0.2, generator=source)
    whole = getattr(torchvision.models, name)(num_classes=7)
    own, theirs = network.state_dict(), whole.state_dict()
    whole.load_state_dict(dict(zip(theirs, own.values(), strict=True)))
    return whole.eval()


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_stages_of_a_resnet_together_are_torchvisions_forward(name, source):
    network = ARCHITECTURES[name](7, 3).eval()
    whole = counterpart(name, network, source())
    values = torch.empty(2, 3, 64, 64).normal_(generator=source(1))
    seen = []

    def note(_, __, outputs):
        seen.append(outputs.clone())  # of what comes later, some is written in place

    boundaries = [whole.maxpool, *whole.layer1, *whole.layer2, *whole.layer3, *whole.layer4, whole.fc]
    for module in boundaries:
        module.register_forward_hook(note)
    with torch.no_grad():
        expected = whole(values)
        assert torch.equal(network(values), expected)
        assert len(seen) == len(network.stages)
        passed = values
        for stage, boundary in zip(network.stages, seen, strict=True):
            passed = stage(passed)
            assert torch.equal(passed, boundary)


@pytest.mark.parametrize("name", RESNETS)
def test_every_weight_of_a_resnet_is_in_a_stage(name):
    with torch.device("meta"):
        whole = getattr(torchvision.models, name)(num_classes=10)
    network = without_weights(name)
    assert parameters(network) == parameters(whole)
    assert [v.shape for v in network.state_dict().values()] == [v.shape for v in whole.state_dict().values()]


# What the study says of them without building them


def test_the_study_knows_the_same_networks():
    assert list(NETWORKS) == list(ARCHITECTURES)
    assert list(get_args(get_type_hints(Choices)["network"])) == list(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_study_knows_their_layers_and_the_pictures_they_are_fed_from(name):
    network = without_weights(name)
    cropped = {"caffenet": 227, "resnet50": 224}
    assert NETWORKS[name].layers == len(network.stages)
    assert network.side == cropped.get(name, NETWORKS[name].side)
    assert NETWORKS[name].side == (256 if name in cropped else network.side)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_grey_and_colour_pictures_and_give_a_score_a_class(name, channels):
    network = without_weights(name, 6, channels)
    assert network.channels == channels
    assert shapes(network)[0] == (channels, network.side, network.side)
    assert shapes(network)[-1] == (6,)
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    assert (first.bias is None) == name.startswith("resnet"), "a normalisation follows, which has a bias of its own"
    assert len(network.gaussians) == len(network.stages)
