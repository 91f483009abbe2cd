"""Every member of a stack is as if it were alone, and what is minimised is minimised."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tlbench.methods.networks.stacked import StackedLinear, minimise, squared_weights, stacked_perceptron


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_member_computes_what_a_plain_network_does():
    network = stacked_perceptron(3, [5, 4, 2], drawn(), torch.nn.Sigmoid())
    first, second = (layer for layer in network if isinstance(layer, StackedLinear))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(generator=drawn(1))
    values = torch.randn(7, 5, generator=drawn(2))
    found = network(values)
    for member in range(3):
        hidden = np.tanh(values.numpy() @ first.weight[member].detach().numpy() + first.bias[member].detach().numpy())
        scores = hidden @ second.weight[member].detach().numpy() + second.bias[member].detach().numpy()
        np.testing.assert_allclose(found[member].detach().numpy(), 1 / (1 + np.exp(-scores)), rtol=1e-5)
    total = [np.square(layer.weight[1].detach().numpy()).sum() for layer in (first, second)]
    assert squared_weights([network])[1].item() == pytest.approx(sum(total), rel=1e-5)


def test_members_start_from_one_draw_and_learn_apart():
    targets = torch.randn(2, 20, 1, generator=drawn(3))
    values = torch.randn(20, 4, generator=drawn(4))

    def trained(members):
        network = stacked_perceptron(len(members), [4, 3, 1], drawn(5))
        wanted = targets[members]
        minimise(list(network.parameters()), lambda _: (network(values) - wanted).square().mean((1, 2)), 25, 0.05)
        return network(values).detach()

    both = trained([0, 1])
    torch.testing.assert_close(both[:1], trained([0]))
    torch.testing.assert_close(both[1:], trained([1]))
    assert not torch.allclose(both[0], both[1], atol=0.02)


def test_it_finds_the_least_squares_solution_and_leaves_what_is_frozen():
    values = torch.randn(30, 3, generator=drawn(6))
    targets = torch.randn(30, 2, generator=drawn(7))
    layer = StackedLinear(1, 3, 2, drawn(8))
    last = minimise(list(layer.parameters()), lambda _: (layer(values) - targets).square().mean((1, 2)), 400, 0.05)
    extended = np.c_[values.numpy(), np.ones(30)]
    solution, *_ = np.linalg.lstsq(extended, targets.numpy(), rcond=None)
    np.testing.assert_allclose(layer.weight[0].detach().numpy(), solution[:3], atol=2e-3)
    assert last.item() == pytest.approx(np.square(extended @ solution - targets.numpy()).mean(), rel=1e-4)
    before = layer.bias.clone()
    layer.bias.requires_grad_(False)
    minimise(list(layer.parameters()), lambda _: (layer(values) + 1).square().mean((1, 2)), 5, 0.05)
    assert torch.equal(layer.bias, before)


def test_a_training_that_explodes_says_what_to_do():
    layer = StackedLinear(1, 2, 1, drawn())
    with pytest.raises(ValueError, match="lower learning_rate"):
        minimise(list(layer.parameters()), lambda _: (1e20 * layer(torch.ones(3, 2))).square().sum((1, 2)), 3, 50.0)


def test_the_rate_falls_to_zero_linearly():
    """Where the slope is the same at every step Adam goes by the rate itself (ibid., section 2.1)."""
    place = torch.nn.Parameter(torch.zeros(1, 1, dtype=torch.float64))
    minimise([place], lambda _: -place.sum(1), 4, 0.1)
    assert place.item() == pytest.approx(0.1 * (1 + 3 / 4 + 2 / 4 + 1 / 4), rel=1e-6)
