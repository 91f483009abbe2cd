"""Penalties on what a network computes, each against the formula written out, and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tlbench.methods.networks.feature_penalties import (
    batch_spectral_shrinkage,
    channel_importance,
    delta,
    feature_maps,
    input_gradient,
    laplacian,
    nearest_neighbours,
)
from tlbench.methods.networks.penalties import Batch, Source

IMPORTANCE = [torch.tensor([0.1, 0.2, 0.3, 0.4]), torch.tensor([0.5, 0.0, 0.2, 0.2, 0.1])]
ALL = {
    "delta": delta([weights.double() for weights in IMPORTANCE]),
    "bss": batch_spectral_shrinkage(1),
    "bss of three": batch_spectral_shrinkage(3),
    "input-gradient": input_gradient,
    "laplacian": laplacian(2),
}


def number(value):
    return float(value.detach())


@pytest.fixture
def pair(tiny):
    """A network that is fine-tuned, and its source."""
    return tiny(seed=2).double(), Source(tiny(seed=1).double().eval())


@pytest.fixture
def batch(source):
    pictures = torch.empty(9, 2, 6, 6, dtype=torch.float64).normal_(generator=source(3))
    return Batch(pictures[:5], torch.tensor([0, 1, 2, 0, 1]), pictures[5:])


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_those_of_finite_differences(name, pair, batch, gradients_agree):
    gradients_agree(ALL[name], *pair, batch)


@pytest.mark.parametrize("name", ALL)
def test_a_penalty_is_a_scalar_that_leaves_source_and_batch_alone(name, pair, batch):
    network, before = pair
    value = ALL[name](network, before, batch)
    assert value.shape == ()
    value.backward()
    assert all(weight.grad is None for weight in before.network.parameters())
    assert batch.pictures.grad is None
    assert not batch.pictures.requires_grad


def test_delta_is_the_sum_over_layers_channels_and_places(pair, batch):
    network, before = pair
    total = 0.0
    with torch.no_grad():
        for place in (0, 1):
            new, old = (one(batch.pictures, 0, place + 1).numpy() for one in (network, before.network))
            count, channels, height, width = new.shape
            for c in range(channels):
                apart = sum(np.sum((new[i, c] - old[i, c]) ** 2) for i in range(count)) / count
                total += 0.5 * channels * number(IMPORTANCE[place][c]) * apart / (height * width)
    assert number(ALL["delta"](network, before, batch)) == pytest.approx(total, rel=1e-12)


def test_delta_is_zero_at_the_source(pair, batch):
    _, before = pair
    assert number(ALL["delta"](before.network, before, batch)) == 0.0


def test_channels_are_as_important_as_the_loss_rises_without_them(tiny, source):
    network = tiny(seed=4).eval()
    pictures, labels = torch.empty(6, 2, 6, 6).normal_(generator=source(3)), torch.tensor([0, 1, 2] * 2)
    found = channel_importance(network, pictures, labels)
    assert [len(weights) for weights in found] == [4, 5]
    for place, weights in enumerate(found):
        rises = []
        for channel in range(len(weights)):
            keep = torch.ones(len(weights))
            keep[channel] = 0.0
            hook = network.stages[place].register_forward_hook(
                lambda _, __, maps, keep=keep: maps * keep[None, :, None, None]
            )
            with torch.no_grad():
                rises.append(number(functional.cross_entropy(network(pictures), labels)))
            hook.remove()
        rise = np.array(rises)
        scaled = np.exp((rise - rise.mean()) / rise.std() / 5)
        np.testing.assert_allclose(weights.numpy(), scaled / scaled.sum(), rtol=1e-4)
        assert weights.argmax() == rise.argmax()


def test_channels_that_do_not_matter_matter_equally(tiny):
    network = tiny().eval()
    with torch.no_grad():
        network.stages[3][0].weight.zero_()
    found = channel_importance(network, torch.ones(3, 2, 6, 6), torch.arange(3))
    for weights in found:
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / len(weights)))


def test_maps_end_where_units_begin(tiny):
    pictures = torch.ones(3, 2, 6, 6)
    assert [tuple(maps.shape) for maps in feature_maps(tiny(), pictures)] == [(3, 4, 6, 6), (3, 5, 6, 6)]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_bss_is_that_of_numpys_singular_values(k, pair, batch):
    network, before = pair
    with torch.no_grad():
        features = network(batch.pictures, 0, 3).numpy()
    values = np.sort(np.linalg.svd(features, compute_uv=False))
    found = batch_spectral_shrinkage(k)(network, before, batch)
    assert number(found) == pytest.approx(np.sum(values[:k] ** 2), rel=1e-9, abs=1e-12)


def test_all_singular_values_together_are_the_features_squared_norm(pair, batch):
    network, before = pair
    with torch.no_grad():
        features = network(batch.pictures, 0, 3)
    found = batch_spectral_shrinkage(5)(network, before, batch)
    assert number(found) == pytest.approx(number(features.square().sum()))


def test_the_input_gradient_is_that_of_finite_differences_in_the_pictures(pair, batch):
    network, before = pair
    step, slopes = 1e-6, np.zeros(batch.pictures.shape)
    for place in np.ndindex(*batch.pictures.shape):
        sides = []
        for sign in (1, -1):
            moved = batch.pictures.clone()
            moved[place] += sign * step
            with torch.no_grad():
                sides.append(number(functional.cross_entropy(network(moved), batch.labels, reduction="sum")))
        slopes[place] = (sides[0] - sides[1]) / (2 * step)
    expected = np.sum(slopes**2) / len(batch.pictures)
    assert number(input_gradient(network, before, batch)) == pytest.approx(expected, rel=1e-5)


def test_the_laplacian_is_the_sum_over_pairs_of_neighbours(pair, batch):
    network, before = pair
    pictures = torch.cat([batch.pictures, batch.unlabelled])
    with torch.no_grad():
        seen = before.network(pictures, 0, 3).numpy()
        p = torch.softmax(network(pictures), 1).numpy()
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)
    total = 0.0
    for i in range(9):
        for j in range(9):
            near_i = np.argsort(apart[i] + np.where(np.arange(9) == i, np.inf, 0))[:2]
            near_j = np.argsort(apart[j] + np.where(np.arange(9) == j, np.inf, 0))[:2]
            if i != j and (j in near_i or i in near_j):
                total += 0.5 * np.sum((p[i] - p[j]) ** 2)
    assert number(ALL["laplacian"](network, before, batch)) == pytest.approx(total / 81, rel=1e-9)


def test_equal_predictions_have_no_laplacian(pair, batch):
    network, before = pair
    with torch.no_grad():
        network.stages[3][0].weight.zero_()
    assert number(ALL["laplacian"](network, before, batch)) == pytest.approx(0.0, abs=1e-15)


def test_neighbours_are_mutual_and_none_is_its_own():
    points = torch.tensor([[0.0], [1.0], [2.5], [9.0]])
    expected = torch.tensor([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]], dtype=torch.float32)
    torch.testing.assert_close(nearest_neighbours(points, 1), expected)
    with pytest.raises(ValueError, match="4 neighbours need more than 4 pictures"):
        nearest_neighbours(points, 4)


def test_no_singular_value_is_refused():
    with pytest.raises(ValueError, match="k must be at least 1"):
        batch_spectral_shrinkage(0)


def test_unlabelled_pictures_count_for_the_laplacian_alone(pair, batch):
    network, before = pair
    other = Batch(batch.pictures, batch.labels, batch.unlabelled.flip(0) * 3.0)
    for name, penalty in ALL.items():
        same = number(penalty(network, before, batch)) == number(penalty(network, before, other))
        assert same == (name != "laplacian")
