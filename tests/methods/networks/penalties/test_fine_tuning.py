"""Fine-tuning against the same steps by hand, and at the ends of a penalty's strength."""

from __future__ import annotations

from itertools import pairwise
from math import cos, pi

import pytest
import torch
from torch.nn import functional

from tlbench.methods.networks.fine_tuning import FineTuning, fine_tune
from tlbench.methods.networks.penalties import (
    Batch,
    Source,
    distance,
    head_decay,
    l2_sp,
    l2_sp_fisher,
    nothing,
    shared_weights,
)
from tlbench.methods.networks.stages import inherit

RECIPE = FineTuning(steps=7, batch=4, learning_rate=0.05, head_decay=0.01)


@pytest.fixture
def before(tiny):
    network = tiny(seed=1).eval()
    return Source(network, {name: torch.ones_like(weight) for name, weight in shared_weights(network).items()})


@pytest.fixture
def start(tiny, before):
    """Makes the network at the start: the source's layers under a head of its own."""

    def make():
        network = tiny(seed=5)
        inherit(network, before.network.state_dict(), 3)
        return network

    return make


@pytest.fixture
def data(source):
    pictures = torch.empty(13, 2, 6, 6).normal_(generator=source(3))
    return Batch(pictures[:10], torch.arange(10) % 3, pictures[10:])


def tuned(network, before, data, penalty=nothing, strength=0.0, recipe=RECIPE, seed=7):
    finite = fine_tune(network, before, data, penalty, strength, recipe, torch.Generator().manual_seed(seed))
    assert finite
    return network


def test_the_steps_are_those_by_hand(start, before, data):
    by_hand = start()
    speed = {name: torch.zeros_like(weight) for name, weight in by_hand.named_parameters()}
    drawn = torch.Generator().manual_seed(7)
    order = [rows for _ in range(3) for rows in torch.split(torch.randperm(10, generator=drawn), 4)]
    assert [len(rows) for rows in order[:7]] == [4, 4, 2, 4, 4, 2, 4]
    for step, rows in enumerate(order[:7]):
        loss = functional.cross_entropy(by_hand(data.pictures[rows]), data.labels[rows])
        apart = sum(
            (new - old).square().sum()
            for (name, new), old in zip(by_hand.named_parameters(), before.network.parameters(), strict=True)
            if name.endswith("weight") and not name.startswith("stages.3")
        )
        loss = loss + 0.3 * 0.5 * apart + 0.01 * 0.5 * by_hand.stages[3][0].weight.square().sum()
        by_hand.zero_grad()
        loss.backward()
        with torch.no_grad():
            for name, weight in by_hand.named_parameters():
                speed[name] = 0.9 * speed[name] + weight.grad
                weight -= 0.05 * 0.5 * (1 + cos(pi * step / 7)) * speed[name]
    found = tuned(start(), before, data, l2_sp, 0.3)
    for one, other in zip(found.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("penalty", [l2_sp, l2_sp_fisher])
def test_strength_zero_is_plain_fine_tuning_exactly(penalty, start, before, data):
    plain, found = tuned(start(), before, data), tuned(start(), before, data, penalty, 0.0)
    for one, other in zip(plain.parameters(), found.parameters(), strict=True):
        assert torch.equal(one, other)


def test_with_growing_strength_the_shared_weights_do_not_move_and_the_others_do(start, before, data):
    """Where the gradient of the loss is g, the weights settle at a distance of about ‖g‖ / strength."""
    travelled = []
    for strength in (10.0, 100.0, 1000.0):
        recipe = FineTuning(steps=60, batch=10, learning_rate=min(0.05, 0.5 / strength), head_decay=0.01)
        network = tuned(start(), before, data, l2_sp, strength, recipe)
        travelled.append(distance(network, before))
    assert all(later < 0.4 * earlier for earlier, later in pairwise(travelled)), travelled
    assert travelled[-1] < 0.01
    assert not torch.equal(network.stages[3][0].weight, start().stages[3][0].weight)
    assert not torch.equal(network.stages[0][0].bias, start().stages[0][0].bias)


def test_the_head_decays_whatever_the_penalty(start, before, data):
    recipe = FineTuning(steps=60, batch=10, learning_rate=0.05, head_decay=5.0)
    strong, weak = tuned(start(), before, data, recipe=recipe), tuned(start(), before, data)
    assert float(head_decay(strong).detach()) < 0.1 * float(head_decay(weak).detach())


def test_a_frozen_layer_stays_and_the_order_follows_the_generator(start, before, data):
    network = start()
    network.freeze(3)
    tuned(network, before, data)
    assert distance(network, before) == 0.0
    one, other = tuned(start(), before, data, seed=7), tuned(start(), before, data, seed=8)
    assert not torch.equal(one.stages[0][0].weight, other.stages[0][0].weight)


def test_weights_that_are_no_numbers_are_told(start, before, data):
    recipe = FineTuning(steps=60, batch=10, learning_rate=1.0, head_decay=0.0)
    assert not fine_tune(start(), before, data, l2_sp, 1e6, recipe, torch.Generator().manual_seed(0))
