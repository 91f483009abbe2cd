"""Inherited encoders: what is copied, what is frozen, what is learned, and what is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from tlbench.methods.networks.inherited_encoders import (
    batches,
    explained_variance,
    inherited,
    intersection_over_union,
    learn,
    learn_classes,
    new_decoder,
    new_encoder,
    output_loss,
    outputs_of,
)
from tlbench.methods.networks.stacked import StackedLinear

PIXELS, HIDDEN, CODE = 9, 6, 4


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def encoder(members=1, seed=0):
    return new_encoder(members, PIXELS, HIDDEN, CODE, drawn(seed))


def pairs(count=20):
    draw = np.random.default_rng(1)
    inputs = torch.from_numpy(draw.normal(size=(count, PIXELS)).astype(np.float32))
    return inputs, (inputs > 0).float()


def shown(sizes, steps=10):
    return torch.from_numpy(batches(sizes, 5, steps, np.random.default_rng(2)))


def weights(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def test_every_member_inherits_the_source_bit_for_bit():
    source = encoder()
    heirs = inherited(source, 3, frozen=False)
    values = pairs()[0]
    for member in range(3):
        assert torch.equal(heirs(values)[member], inherited(source, 1, frozen=True)(values)[0])
        for ours, theirs in zip(weights(heirs), weights(source), strict=True):
            assert torch.equal(ours[member], theirs[0])
    torch.testing.assert_close(heirs(values)[1], source(values)[0])


@pytest.mark.parametrize("task", ["reconstruction", "segmentation"])
def test_a_frozen_encoder_stays_bit_identical_and_a_tuned_one_changes(task):
    source = encoder()
    kept = weights(source)
    for frozen in (True, False):
        heir, decoder = inherited(source, 2, frozen), new_decoder(2, CODE, HIDDEN, PIXELS, drawn(3))
        before, fresh = weights(heir), weights(decoder)
        learn(heir, decoder, task, pairs(), shown([4, 20]), 0.05)
        same = [torch.equal(one, other) for one, other in zip(before, weights(heir), strict=True)]
        assert same == [frozen] * 4
        assert not any(torch.equal(one, other) for one, other in zip(fresh, weights(decoder), strict=True))
    assert all(torch.equal(one, other) for one, other in zip(kept, weights(source), strict=True))


def test_members_learn_from_the_beginnings_alone():
    """What lies beyond a member's size does not reach it."""
    inputs, wanted = pairs()
    other = inputs.clone()
    other[4:] += 7.0
    found = []
    for given in (inputs, other):
        both = encoder(2), new_decoder(2, CODE, HIDDEN, PIXELS, drawn(3))
        learn(*both, "reconstruction", (given, wanted), shown([4, 20]), 0.05)
        found.append(outputs_of(*both, inputs))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert not np.allclose(found[0][1], found[1][1], atol=1e-3)


def test_batches_stay_within_their_sizes_and_share_one_draw():
    rows = batches([10, 40], 50, 30, np.random.default_rng(0))
    assert rows.shape == (30, 2, 50)
    assert rows[:, 0].max() == 9
    assert rows[:, 1].max() == 39
    assert rows.min() == 0
    np.testing.assert_array_equal(rows[:, 0], rows[:, 1] // 4)
    np.testing.assert_array_equal(rows[:, 1], batches([40], 50, 30, np.random.default_rng(0))[:, 0])


def test_losses_are_those_of_their_formulas():
    draw = np.random.default_rng(4)
    outputs, wanted = draw.normal(size=(2, 5, 3)), draw.random((2, 5, 3)).round()
    chance = 1 / (1 + np.exp(-outputs))
    entropy = -(wanted * np.log(chance) + (1 - wanted) * np.log(1 - chance))
    given = torch.from_numpy(outputs), torch.from_numpy(wanted)
    np.testing.assert_allclose(output_loss("segmentation", *given).numpy(), entropy.mean((1, 2)))
    np.testing.assert_allclose(output_loss("reconstruction", *given).numpy(), np.square(chance - wanted).mean((1, 2)))


def test_a_classifier_learns_to_tell_apart_what_can_be_told_apart():
    inputs, _ = pairs(60)
    labels = (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long()
    own, head = encoder(), StackedLinear(1, CODE, 3, drawn(9))
    learn_classes(own, head, (inputs, labels), shown([60], 250), 0.05)
    scores = head(own(inputs))[0]
    assert (scores.argmax(-1) == labels).float().mean() > 0.9
    assert functional.cross_entropy(scores, labels) < 0.4


def test_scores_against_loops_and_limits():
    draw = np.random.default_rng(6)
    made, wanted = draw.random((2, 7, 5)), draw.random((7, 5)).round()
    made[1] = wanted
    ratios = []
    for ours, truth in zip(made[0] > 0.5, wanted > 0.5, strict=True):
        one, other = set(np.flatnonzero(ours)), set(np.flatnonzero(truth))
        ratios.append(len(one & other) / len(one | other))
    np.testing.assert_allclose(intersection_over_union(made, wanted), [np.mean(ratios), 1.0])
    mean = np.broadcast_to(wanted.mean(0), (1, 7, 5))
    np.testing.assert_allclose(explained_variance(np.concatenate([made[1:], mean]), wanted), [1.0, 0.0], atol=1e-12)
    np.testing.assert_array_equal(intersection_over_union(np.zeros((1, 2, 3)), np.zeros((2, 3))), 1.0)
