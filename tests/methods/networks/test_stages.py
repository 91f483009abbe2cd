"""Frozen layers stay as they are to the last bit, inherited ones are those of the source and no others."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.pictures import Held
from tlbench.methods.networks.stages import Dropout, PlainGaussian, StagedNetwork, inherit
from tlbench.methods.networks.training import Recipe, optimiser, train

RECIPE = Recipe(epochs=2, batch=8, learning_rate=0.05, weight_decay=5.0)  # decay would show at once


def state(network):
    return {name: values.clone() for name, values in network.state_dict().items()}


def of_stages(tensors, places):
    return {name: values for name, values in tensors.items() if int(name.split(".")[1]) in places}


def same(left, right):
    assert left.keys() == right.keys()
    return all(torch.equal(left[name], right[name]) for name in left)


def train_above(network, frozen, pictures, labels, recipe=RECIPE, seed=0):
    """Pictures pass through the frozen stages every time, as in a network that knows nothing of shortcuts."""
    with torch.no_grad():
        inputs = network(pictures, 0, frozen)
    held = Held(inputs.permute(0, 2, 3, 1) if inputs.ndim == 4 else inputs)
    part = held, labels
    for _ in train(
        network, frozen, part, part, recipe, lambda epoch: torch.Generator().manual_seed(seed + epoch), True
    ):
        pass


def data(network, source, count=20, classes=3):
    pictures = torch.empty(count, network.channels, network.side, network.side).normal_(generator=source(1))
    return pictures, torch.arange(count) % classes


@pytest.mark.parametrize("frozen", [0, 1, 2, 3])
def test_frozen_layers_stay_bit_identical_and_the_others_change(tiny, source, frozen):
    network = tiny(rate=0.5, normalised=True)
    network.freeze(0)
    train_above(network, 0, *data(network, source))  # statistics and momenta of a whole training before
    before = state(network)
    network.freeze(frozen)
    train_above(network, frozen, *data(network, source), seed=7)
    after = state(network)
    assert same(of_stages(before, range(frozen)), of_stages(after, range(frozen)))
    for name, values in of_stages(after, range(frozen, 4)).items():
        assert not torch.equal(values, before[name]), name


def test_frozen_residual_blocks_keep_weights_and_statistics(source):
    network = ARCHITECTURES["resnet18"](3, 3)
    initialise(network, "scaled", source)
    network.freeze(4)
    before = state(network)
    recipe = dataclasses.replace(RECIPE, epochs=1, learning_rate=1e-3)
    train_above(network, 4, *data(network, source, 12), recipe)
    after = state(network)
    assert same(of_stages(before, range(4)), of_stages(after, range(4)))
    assert any(name.endswith("running_var") for name in of_stages(after, range(4)))
    for name, values in of_stages(after, range(4, 10)).items():
        assert not torch.equal(values, before[name]), name


@pytest.mark.parametrize("frozen", [0, 2, 4])
def test_the_optimiser_knows_nothing_of_frozen_layers(tiny, frozen):
    network = tiny(normalised=True)
    network.freeze(frozen)
    known = {id(weight) for group in optimiser(network, RECIPE).param_groups for weight in group["params"]}
    assert known == {id(weight) for stage in network.stages[frozen:] for weight in stage.parameters()}


def test_freezing_is_undone_by_freezing_less(tiny):
    network = tiny(rate=0.5, normalised=True)
    for frozen in (4, 1, 3, 0):
        network.freeze(frozen)
        for place, stage in enumerate(network.stages):
            assert all(weight.requires_grad == (place >= frozen) for weight in stage.parameters())
            assert all(module.training == (place >= frozen) for module in stage.modules())


def test_stages_one_after_the_other_are_the_network(tiny, source):
    network = tiny().eval()
    pictures, _ = data(network, source)
    with torch.no_grad():
        whole = network(pictures)
        for cut in range(5):
            assert torch.equal(network(network(pictures, 0, cut), cut), whole)


# Inheriting


@pytest.mark.parametrize("layers", range(5))
def test_the_first_layers_are_copied_and_no_others(tiny, layers):
    network, parent = tiny(seed=1, normalised=True), tiny(seed=2, normalised=True)
    for module in parent.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var)
            module.num_batches_tracked += 3
    before = state(network)
    inherit(network, parent.state_dict(), layers)
    after = state(network)
    assert same(of_stages(after, range(layers)), of_stages(parent.state_dict(), range(layers)))
    assert same(of_stages(after, range(layers, 4)), of_stages(before, range(layers, 4)))


def test_layer_one_is_not_layer_ten():
    def row(seed):
        source = torch.Generator().manual_seed(seed)
        network = StagedNetwork([nn.Linear(2, 2) for _ in range(12)], [PlainGaussian(1, 0)] * 12, 1, 2, 1, 0)
        for weight in network.parameters():
            nn.init.normal_(weight, generator=source)
        return network

    network, parent = row(1), row(2)
    before = state(network)
    inherit(network, parent.state_dict(), 2)
    after = state(network)
    assert same(of_stages(after, range(2)), of_stages(parent.state_dict(), range(2)))
    assert same(of_stages(after, range(2, 12)), of_stages(before, range(2, 12)))


def test_what_is_inherited_is_a_copy(tiny, source):
    network, parent = tiny(seed=1), tiny(seed=2)
    inherited = state(parent)
    inherit(network, parent.state_dict(), 3)
    network.freeze(0)
    train_above(network, 0, *data(network, source))
    assert same(state(parent), inherited)


def test_a_source_of_another_shape_is_refused(tiny):
    network, other = tiny(), tiny(channels=3)
    with pytest.raises(ValueError, match=r"no 'stages\.0\.0\.weight' of shape \(4, 2, 3, 3\)"):
        inherit(network, other.state_dict(), 1)
    inherit(network, other.state_dict(), 0)
    lacking = {name: values for name, values in tiny().state_dict().items() if name != "stages.1.0.bias"}
    inherit(network, lacking, 1)
    with pytest.raises(ValueError, match=r"no 'stages\.1\.0\.bias'"):
        inherit(network, lacking, 2)


# Dropout


def test_dropout_zeroes_its_share_and_keeps_the_mean(source):
    layer = Dropout(0.3).train()
    layer.generator = source()
    values = layer(torch.ones(200_000))
    kept = values[values != 0]
    assert abs(len(kept) / len(values) - 0.7) < 4 * (0.21 / len(values)) ** 0.5
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.7))
    values = torch.empty(1000).normal_(generator=source(1))
    layer.generator = source(2)
    first = layer(values)
    layer.generator = source(2)
    assert torch.equal(layer(values), first)
    assert not torch.equal(layer(values), first)


def test_dropout_does_nothing_in_a_test_and_needs_a_generator_in_training(source):
    layer = Dropout(0.5)
    values = torch.empty(10).normal_(generator=source())
    with pytest.raises(RuntimeError, match="generator"):
        layer(values)
    assert torch.equal(layer.eval()(values), values)


def test_every_dropout_gets_the_generator(tiny, source):
    network = tiny(rate=0.5)
    generator = source()
    network.hand_generator(generator)
    assert [m.generator is generator for m in network.modules() if isinstance(m, Dropout)] == [True, True]
