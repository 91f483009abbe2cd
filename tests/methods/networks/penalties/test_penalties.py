"""Penalties on weights against closed forms by numpy, finite differences, and each other where they have to agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn import functional

from tlbench.methods.networks.four_layers import digits4
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.penalties import (
    Batch,
    Source,
    diagonal_fisher,
    distance,
    group_lasso_sp,
    head_decay,
    l1,
    l1_sp,
    l2,
    l2_sp,
    l2_sp_fisher,
    lp,
    nothing,
    shared_weights,
    with_mean_one,
)

SHARED = ["stages.0.0.weight", "stages.1.0.weight", "stages.2.1.weight"]
TOWARDS_SOURCE = {"l2-sp": l2_sp, "l1-sp": l1_sp, "group-lasso-sp": group_lasso_sp, "l2-sp-fisher": l2_sp_fisher}
ALL = {"nothing": nothing, "l2": l2, "l1": l1, "lp": lp(1.5), **TOWARDS_SOURCE}
OUTPUTS = {0: 4, 1: 5, 2: 8}


def number(value):
    return float(value.detach())


@pytest.fixture
def pair(tiny, source):
    """A network that is fine-tuned, and its source with a Fisher information drawn at random."""
    before = tiny(seed=1).double().eval()
    drawn = source(9)
    fisher = {name: torch.rand(w.shape, dtype=w.dtype, generator=drawn) for name, w in shared_weights(before).items()}
    return tiny(seed=2).double(), Source(before, fisher)


@pytest.fixture
def batch(source):
    pictures = torch.empty(7, 2, 6, 6, dtype=torch.float64).normal_(generator=source(3))
    return Batch(pictures[:5], torch.tensor([0, 1, 2, 0, 1]), pictures[5:])


def arrays(network):
    return [weight.detach().numpy() for weight in shared_weights(network).values()]


def moved(network, source):
    return [new - old for new, old in zip(arrays(network), arrays(source.network), strict=True)]


def in_numpy(name, network, source):
    """Each penalty once more, weight by weight."""
    if name == "group-lasso-sp":
        return sum(
            np.sqrt(group.size) * np.sqrt(np.sum(group**2)) for layer in moved(network, source) for group in layer
        )
    flat = np.concatenate([layer.ravel() for layer in arrays(network)])
    apart = np.concatenate([layer.ravel() for layer in moved(network, source)])
    fisher = np.concatenate([values.numpy().ravel() for values in source.fisher.values()])
    return {
        "nothing": 0.0,
        "l2": 0.5 * flat @ flat,
        "l1": np.abs(flat).sum(),
        "lp": np.sum(np.abs(flat) ** 1.5),
        "l2-sp": 0.5 * apart @ apart,
        "l1-sp": np.abs(apart).sum(),
        "l2-sp-fisher": 0.5 * fisher @ apart**2,
    }[name]


@pytest.mark.parametrize("name", ALL)
def test_values_are_those_of_numpy(name, pair, batch):
    found = ALL[name](*pair, batch)
    assert found.shape == ()
    assert number(found) == pytest.approx(in_numpy(name, *pair), rel=1e-12)


@pytest.mark.parametrize("name", [name for name in ALL if name != "nothing"])
def test_gradients_are_those_of_finite_differences(name, pair, batch, gradients_agree):
    gradients_agree(ALL[name], *pair, batch)


def test_biases_and_the_head_are_not_penalised_and_the_head_decays_on_its_own(pair, batch):
    network, before = pair
    assert list(shared_weights(network)) == SHARED
    values = {name: number(penalty(network, before, batch)) for name, penalty in ALL.items()}
    decay = number(head_decay(network))
    assert decay == pytest.approx(0.5 * number(network.stages[3][0].weight.square().sum()))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name not in SHARED:
                weight.add_(1.0)
    assert {name: number(penalty(network, before, batch)) for name, penalty in ALL.items()} == values
    assert number(head_decay(network)) != decay


def test_what_normalises_is_not_penalised(tiny):
    assert list(shared_weights(tiny(normalised=True))) == SHARED


@pytest.mark.parametrize("name", TOWARDS_SOURCE)
def test_at_the_source_a_penalty_and_its_gradient_are_zero(name, pair, batch):
    network, before = pair
    network.load_state_dict(before.network.state_dict())
    value = TOWARDS_SOURCE[name](network, before, batch)
    value.backward()
    assert number(value) == 0.0
    assert all(bool((weight.grad == 0).all()) for weight in shared_weights(network).values())
    assert distance(network, before) == 0.0


def test_distance_is_the_norm_of_what_has_moved(pair):
    apart = np.concatenate([layer.ravel() for layer in moved(*pair)])
    assert distance(*pair) == pytest.approx(np.linalg.norm(apart))


def test_with_a_fisher_information_of_one_everywhere_it_is_l2_sp(pair, batch):
    network, before = pair
    ones = Source(before.network, {name: torch.ones_like(values) for name, values in before.fisher.items()})
    assert number(l2_sp_fisher(network, ones, batch)) == pytest.approx(number(l2_sp(network, before, batch)))


def test_with_groups_of_one_weight_the_group_lasso_is_l1_sp(batch):
    """Every output of these layers has a single weight."""
    from tlbench.methods.networks.stages import PlainGaussian, StagedNetwork

    def make(seed):
        stages = [torch.nn.Conv2d(1, 6, 1), torch.nn.Conv2d(6, 6, 1, groups=6), torch.nn.Conv2d(6, 3, 1)]
        network = StagedNetwork(stages, [PlainGaussian(0.1, 0.0)] * 3, 6, 1, 64.0, 127.5).double()
        initialise(network, "scaled", lambda place: torch.Generator().manual_seed(10 * seed + place))
        return network

    network, before = make(1), Source(make(2))
    assert number(l1_sp(network, before, batch)) > 0.1
    assert number(group_lasso_sp(network, before, batch)) == pytest.approx(number(l1_sp(network, before, batch)))


@pytest.mark.parametrize(("p", "twin", "factor"), [(1.0, l1, 1.0), (2.0, l2, 2.0)])
def test_lp_at_one_and_two_is_l1_and_twice_l2(p, twin, factor, pair, batch):
    assert number(lp(p)(*pair, batch)) == pytest.approx(factor * number(twin(*pair, batch)))


def test_lp_has_a_finite_gradient_at_zero_and_refuses_p_below_one(pair, batch):
    network, before = pair
    with torch.no_grad():
        network.stages[0][0].weight.zero_()
    lp(1.5)(network, before, batch).backward()
    assert bool((network.stages[0][0].weight.grad == 0).all())
    for p in (0.5, float("nan")):
        with pytest.raises(ValueError, match="p must be at least 1"):
            lp(p)


def test_the_fisher_information_is_the_mean_of_squared_gradients_of_single_pictures(tiny, source):
    network = tiny(rate=0.5)  # dropout is off: it is the tested network's information
    pictures = torch.empty(103, 2, 6, 6).normal_(generator=source(3))
    labels = torch.arange(103) % 3
    found = diagonal_fisher(network, pictures, labels)
    assert network.stages[0].training
    assert list(found) == list(shared_weights(network))
    total = {name: torch.zeros_like(values) for name, values in found.items()}
    network.eval()
    for picture, label in zip(pictures, labels, strict=True):
        network.zero_grad()
        functional.cross_entropy(network(picture[None]), label[None]).backward()
        for name, weight in shared_weights(network).items():
            total[name] += weight.grad.square() / 103
    for name, values in found.items():
        torch.testing.assert_close(values, total[name], rtol=1e-4, atol=1e-7)


def test_scaled_information_has_mean_one_and_none_is_refused(pair):
    scaled = with_mean_one(pair[1].fisher)
    assert number(torch.cat([values.flatten() for values in scaled.values()]).mean()) == pytest.approx(1.0)
    ratio = scaled[SHARED[0]] / pair[1].fisher[SHARED[0]]
    torch.testing.assert_close(ratio, torch.full_like(ratio, number(ratio.flatten()[0])))
    with pytest.raises(ValueError, match="zero everywhere"):
        with_mean_one({"a": torch.zeros(3)})


def test_the_small_network_has_four_layers_and_its_class_scores():
    network = digits4(5, 1)
    assert len(network.stages) == 4 == len(network.gaussians)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 5)
    count = sum(weight.numel() for weight in network.parameters())
    assert count == (9 * 16 + 16) + (9 * 16 * 32 + 32) + (128 * 64 + 64) + (64 * 5 + 5) == 13_381


def test_a_penalty_can_be_called_on_other_weights(pair, batch):
    """What the finite differences rely on: weights swapped in are those that a penalty sees."""
    network, before = pair

    class Calling(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self):
            return l2(self.network, before, batch)

    zeros = {f"network.{name}": torch.zeros_like(weight) for name, weight in network.named_parameters()}
    assert number(functional_call(Calling(), zeros, ())) == 0.0
