"""Stacks of perceptrons against torch's own layers, one network at a time."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tlbench.methods.networks.distillation import hard_loss
from tlbench.methods.networks.perceptrons import Descent, Perceptrons, batches, descend, draw_perceptrons
from tlbench.methods.networks.training import TrainingError

SIZES = (6, 5, 4, 3)
DESCENT = Descent(steps=12, batch=4, learning_rate=0.02)


def generators(count, first=0):
    return [torch.Generator().manual_seed(first + place) for place in range(count)]


def as_module(stack, place):
    """One network of a stack, of torch's own layers."""
    layers = []
    for weights, biases in zip(stack.weights, stack.biases, strict=True):
        layer = nn.Linear(*weights.shape[1:])
        with torch.no_grad():
            layer.weight.copy_(weights[place].T)
            layer.bias.copy_(biases[place, 0])
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def examples(count, pictures=10, seed=5):
    source = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, pictures, SIZES[0], generator=source)
    return inputs, torch.randint(0, SIZES[-1], (count, pictures), generator=source)


def picked(values, rows):
    return values[torch.arange(len(values))[:, None], rows]


def test_a_stack_scores_as_its_networks_do():
    stack = draw_perceptrons(SIZES, generators(3))
    inputs, _ = examples(3)
    for place in range(3):
        module = as_module(stack, place)
        torch.testing.assert_close(stack.scores(inputs)[place], module(inputs[place]))
        for layers in (1, 2):
            torch.testing.assert_close(stack.hidden(inputs, layers)[place], module[: 2 * layers](inputs[place]))
    with pytest.raises(ValueError, match="there are 2 hidden layers, and no number 3"):
        stack.hidden(inputs, 3)


def test_scores_on_common_inputs_are_those_on_copies_whatever_the_number(monkeypatch):
    monkeypatch.setattr("tlbench.methods.networks.perceptrons.SCORED_AT_ONCE", 4)
    stack = draw_perceptrons(SIZES, generators(2))
    inputs, _ = examples(1, 11)
    found = stack.scores_of(inputs[0])
    torch.testing.assert_close(found, stack.scores(inputs.expand(2, -1, -1)).detach())
    assert not found.requires_grad


def test_weights_keep_the_variance_and_are_each_networks_own():
    wide = draw_perceptrons((400, 300, 10), generators(2))
    assert wide.weights[0].std().item() == pytest.approx(sqrt(2 / 400), rel=0.02)
    assert wide.weights[1].std().item() == pytest.approx(sqrt(2 / 300), rel=0.05)
    assert not any(biases.any() for biases in wide.biases)
    alone = draw_perceptrons((400, 300, 10), generators(1, first=1))
    for together, single in zip(wide.weights, alone.weights, strict=True):
        assert torch.equal(together[1], single[0])
        assert not torch.equal(together[0], single[0])


def test_dropout_leaves_out_hidden_units_by_each_networks_own_generator():
    stack = draw_perceptrons((6, 2000, 3), generators(2))
    inputs, _ = examples(2, 3)
    first, again = (stack.scores(inputs, 0.5, generators(2)) for _ in range(2))
    assert torch.equal(first, again)
    alone = Perceptrons(*(tuple(t[1:] for t in tensors) for tensors in (stack.weights, stack.biases)))
    torch.testing.assert_close(alone.scores(inputs[1:], 0.5, generators(1, first=1))[0], first[1])
    source = generators(1)
    mean = torch.stack([stack.scores(inputs, 0.5, source * 2) for _ in range(200)]).mean(0)
    torch.testing.assert_close(mean, stack.scores(inputs), rtol=0.0, atol=0.3)
    assert not torch.allclose(first, stack.scores(inputs), atol=0.3)


def test_tensors_and_back():
    stack = draw_perceptrons(SIZES, generators(2))
    again = Perceptrons.of(stack.tensors())
    for left, right in zip(stack.parameters, again.parameters, strict=True):
        assert torch.equal(left, right)
    assert again.depth == 3
    assert len(again) == 2


def test_copies_come_one_stack_after_the_other_and_leave_the_original():
    stack = draw_perceptrons(SIZES, generators(2))
    copies = stack.repeated(3)
    assert len(copies) == 6
    for place in range(6):
        assert torch.equal(copies.weights[1][place], stack.weights[1][place % 2])
    with torch.no_grad():
        copies.weights[1].zero_()
    assert float(stack.weights[1].detach().abs().max()) > 0


def test_every_network_is_trained_as_it_would_be_alone_by_torch():
    """The twin: a module of torch's layers, torch's Adam, and the same orders."""
    count = 3
    stack = draw_perceptrons(SIZES, generators(count))
    modules = [as_module(stack, place) for place in range(count)]
    inputs, labels = examples(count)
    rows = list(batches(10, DESCENT, generators(count, 40)))

    def loss(some):
        return hard_loss(stack.scores(picked(inputs, some)), picked(labels, some))

    descend(stack.parameters, loss, iter(rows), DESCENT)
    for place, module in enumerate(modules):
        optimiser = torch.optim.Adam(module.parameters())
        for step, some in enumerate(rows):
            optimiser.param_groups[0]["lr"] = 0.02 * (1 + np.cos(np.pi * step / 12)) / 2
            optimiser.zero_grad()
            own = some[place]
            functional.cross_entropy(module(inputs[place, own]), labels[place, own]).backward()
            optimiser.step()
        torch.testing.assert_close(stack.scores(inputs)[place], module(inputs[place]), rtol=1e-3, atol=1e-4)


def test_the_scale_of_a_loss_does_not_matter():
    inputs, labels = examples(1)
    ends = []
    for factor in (1.0, 400.0):
        stack = draw_perceptrons(SIZES, generators(1))

        def loss(some, stack=stack, factor=factor):
            return factor * hard_loss(stack.scores(picked(inputs, some)), picked(labels, some))

        descend(stack.parameters, loss, batches(10, DESCENT, generators(1)), DESCENT)
        ends.append(stack.scores_of(inputs))
    torch.testing.assert_close(*ends, rtol=1e-3, atol=1e-3)


def test_every_picture_comes_once_before_any_comes_again():
    seen = torch.stack(list(batches(9, DESCENT, generators(2))))  # (12, 2, 4); an order fills two batches
    assert seen.shape == (12, 2, 4)
    for network in range(2):
        orders = seen[:, network].reshape(6, 8)
        assert all(len(set(order)) == 8 for order in orders.tolist())
        assert len({tuple(order) for order in orders.tolist()}) == 6
    assert not torch.equal(seen[:, 0], seen[:, 1])
    alone = torch.stack(list(batches(9, DESCENT, generators(1, first=1))))
    assert torch.equal(alone[:, 0], seen[:, 1])


def test_few_pictures_are_in_every_step():
    seen = list(batches(4, DESCENT, generators(2)))
    assert len(seen) == 12
    assert all(rows.tolist() == [[0, 1, 2, 3]] * 2 for rows in seen)


def test_weights_that_blow_up_are_an_error():
    inputs, labels = examples(1)
    wild = Descent(steps=3, batch=10, learning_rate=1e38)
    stack = draw_perceptrons(SIZES, generators(1))

    def loss(some):
        return hard_loss(stack.scores(picked(inputs, some)), picked(labels, some))

    with pytest.raises(TrainingError, match="no finite numbers after 3 steps; set a lower learning_rate"):
        descend(stack.parameters, loss, batches(10, wild, generators(1)), wild)
