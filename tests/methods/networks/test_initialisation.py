"""Drawn weights: each layer by itself, with the moments that are declared, from the generators that are handed in."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.four_layers import digits4
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.stages import PlainGaussian, StagedNetwork


def tensors(network, places=None):
    return {
        name: values.clone()
        for name, values in network.state_dict().items()
        if places is None or int(name.split(".")[1]) in places
    }


def equal(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("scheme", ["gaussian", "scaled"])
@pytest.mark.parametrize("name", ["digits8", "resnet18"])
def test_a_layers_draw_does_not_depend_on_which_others_are_drawn(name, scheme, source):
    whole = ARCHITECTURES[name](5, 3)
    initialise(whole, scheme, source)
    count = len(whole.stages)
    for layers in (range(3), range(2, 5), range(count - 1, -1, -1), range(count - 1, count)):
        other = ARCHITECTURES[name](5, 3)
        before = tensors(other)
        initialise(other, scheme, source, layers)
        assert equal(tensors(other, layers), tensors(whole, layers))
        rest = set(range(count)) - set(layers)
        assert equal(tensors(other, rest), {name: before[name] for name in tensors(other, rest)})


def test_nothing_but_the_generators_enters(source):
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        network = ARCHITECTURES["resnet18"](5, 1)
        there = torch.get_rng_state()
        initialise(network, "scaled", source)
        assert torch.equal(torch.get_rng_state(), there)
        drawn.append(tensors(network))
    assert equal(*drawn)
    initialise(network, "scaled", lambda stage: source(stage + 1))
    assert not torch.equal(network.state_dict()["stages.0.0.weight"], drawn[0]["stages.0.0.weight"])


def test_every_layer_asks_for_a_generator_of_its_own(source):
    """Layers 3 and 4 of the small network have the same width: one generator would draw them alike."""
    asked = []
    network = ARCHITECTURES["small32"](4, 3)
    initialise(network, "scaled", lambda stage: asked.append(stage) or source(stage))
    assert asked == list(range(8))
    weights = [network.stages[place][0].weight.detach().flatten() for place in (2, 3)]
    drawn = [values[:1000] / values.std() for values in weights]
    assert abs(float(torch.corrcoef(torch.stack(drawn))[0, 1])) < 0.2


def assert_normal(values, std):
    """Mean and deviation within four standard errors, and the shape of a normal distribution."""
    values = values.double().numpy().ravel()
    assert abs(values.mean()) < 4 * std / sqrt(len(values))
    assert abs(values.std() / std - 1) < 4 / sqrt(2 * len(values))
    assert stats.kstest(values[:5000] / std, "norm").pvalue > 1e-3


def weighted(network):
    return [m for stage in network.stages for m in stage.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def test_gaussian_is_the_papers(source):
    network = ARCHITECTURES["small32"](40, 3)
    initialise(network, "gaussian", source)
    for layer, std, bias in zip(
        weighted(network), [0.01] * 5 + [0.005, 0.005, 0.01], [0, 1, 0, 1, 1, 1, 1, 0], strict=True
    ):
        assert_normal(layer.weight.detach(), std)
        assert (layer.bias == bias).all()


@pytest.mark.parametrize("name", ["small32", "resnet18"])
def test_scaled_is_two_over_the_inputs_of_a_unit(name, source):
    network = ARCHITECTURES[name](40, 3)
    initialise(network, "scaled", source)
    for layer in weighted(network):
        assert_normal(layer.weight.detach(), sqrt(2 / prod(layer.weight.shape[1:])))
        assert layer.bias is None or not layer.bias.any()


def rectified_row(groups=1):
    """Five convolutions without borders that would let zeros in, wide enough for a variance to be measured."""
    stages = [nn.Sequential(nn.Conv2d(w, 128, 3, groups=g), nn.ReLU()) for w, g in [(3, 1), *[(128, groups)] * 4]]
    return StagedNetwork(stages, [PlainGaussian(0.01, 0.0)] * 5, 20, 3, 1.0, 0.0)


@pytest.mark.parametrize("groups", [1, 2])
def test_scaled_keeps_the_variance_through_five_layers_and_gaussian_does_not(groups, source):
    def variances(scheme):
        network = rectified_row(groups)
        initialise(network, scheme, source)
        values = torch.empty(20, 3, 20, 20).normal_(generator=source(99))
        found = []
        with torch.no_grad():
            for convolution, rectifier in network.stages:
                values = convolution(values)
                found.append(float(values.var()))
                values = rectifier(values)
        return np.array(found)

    kept, lost = variances("scaled"), variances("gaussian")
    assert kept[0] == pytest.approx(2, rel=0.25)  # N(0, 1) comes in, and no rectifier halved it before
    assert (abs(np.log(kept[1:] / kept[0])) < 0.3).all()
    assert lost[4] < 1e-3 * lost[0]


def test_normalisation_becomes_the_identity(source):
    network = ARCHITECTURES["resnet18"](3, 3)
    normalisations = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for module in normalisations:
        for values in (module.weight, module.bias, module.running_mean, module.running_var):
            nn.init.constant_(values, 7.0)
        module.num_batches_tracked += 5
    initialise(network, "gaussian", source)
    for module in normalisations:
        assert (module.weight == 1).all()
        assert not module.bias.any()
        assert not module.running_mean.any()
        assert (module.running_var == 1).all()
        assert module.num_batches_tracked == 0


def test_the_smallest_network_is_drawn_with_the_spread_it_declares(source):
    network = digits4(5, 3)
    initialise(network, "gaussian", source)
    weights = np.concatenate([w.numpy().ravel() for name, w in network.state_dict().items() if name.endswith("weight")])
    assert len(weights) > 10_000
    assert weights.std() == pytest.approx(0.01, rel=0.03)
    assert not any(w.any() for name, w in network.state_dict().items() if name.endswith("bias"))
