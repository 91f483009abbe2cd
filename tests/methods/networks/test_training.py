"""A training against the same steps by hand, and against itself after it was interrupted."""

from __future__ import annotations

import dataclasses
from math import cos, pi

import msgspec
import numpy as np
import pytest
import torch
from torch.nn import functional

from tlbench.keeping import packed, read
from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.pictures import Held
from tlbench.methods.networks.training import (
    Progress,
    Recipe,
    TrainingError,
    accuracy,
    has_bfloat16_units,
    train,
)
from tlbench.studies.layers.layer_training import as_arrays, as_tensors

RECIPE = Recipe(epochs=3, batch=8, learning_rate=0.02)


def drawn(epoch):
    return torch.Generator().manual_seed(1000 + epoch)


def part(count=21, channels=2, side=6, classes=3, seed=5):
    """Pictures with their channels last, and labels; the last batch of an epoch is a short one."""
    values = torch.empty(count, side, side, channels).normal_(generator=torch.Generator().manual_seed(seed))
    return Held(values), torch.arange(count) % classes


def trained(network, recipe=RECIPE, frozen=0, data=None, begun=None, generator=drawn, every=True):
    """All that a training yields: progress after each epoch, and copies of its tensors."""
    learning = data or part()
    inputs = learning[0]
    if frozen:
        with torch.no_grad():
            inputs = Held(network(inputs.take(torch.arange(len(inputs))), 0, frozen).permute(0, 2, 3, 1))
    learning = inputs, learning[1]
    epochs = train(network, frozen, learning, learning, recipe, generator, every, begun)
    return [(progress, tensors()) for progress, tensors in epochs]


class Noting:
    """Inputs that note which rows were taken for training."""

    def __init__(self, inputs):
        self.inputs, self.seen = inputs, []

    def __len__(self):
        return len(self.inputs)

    def take(self, rows, generator=None):
        if generator is not None:
            self.seen.append(rows.tolist())
        return self.inputs.take(rows)


def frozen_network(network, frozen):
    network.freeze(frozen)
    return network


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name, values in left.items():
        assert torch.equal(values, right[name]), name


# By hand


def rate_by_hand(recipe, step, steps):
    """Of the step's place among all: warm-up over a tenth and half a cosine, or a tenth after each milestone."""
    share = step / (steps + 1)
    if recipe.schedule == "steps":
        passed = len([share for at in (100, 200, 300, 400) if share >= at / 450])
        return recipe.learning_rate / 10**passed
    if share < 0.1:
        return recipe.learning_rate * share / 0.1
    return recipe.learning_rate * (1 + cos(pi * (share - 0.1) / 0.9)) / 2


def by_hand(network, recipe, frozen):
    """The training in double precision, one weight after the other, with nothing of torch.optim.

    v ← μ v + g + λ w; w ← w − η v. Biases: η twice as large, λ zero.
    """
    network = network.double()
    inputs, labels = part()
    pictures = inputs.values.permute(0, 3, 1, 2).double()
    learned = {n: w for n, w in network.named_parameters() if int(n.split(".")[1]) >= frozen}
    speeds = dict.fromkeys(learned, 0.0)
    losses, step, steps = [], 0, recipe.epochs * -(-len(labels) // recipe.batch)
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(labels), generator=drawn(epoch))
        total = 0.0
        for rows in order.split(recipe.batch):
            step += 1
            rate = rate_by_hand(recipe, step, steps)
            scores = network(pictures[rows])
            picked = torch.log_softmax(scores, 1)[torch.arange(len(rows)), labels[rows]]
            gradients = torch.autograd.grad(-picked.mean(), list(learned.values()))
            total -= float(picked.detach().sum())
            with torch.no_grad():
                for (name, weight), gradient in zip(learned.items(), gradients, strict=True):
                    bias = name.endswith("bias")
                    decay = 0.0 if bias else recipe.weight_decay
                    speeds[name] = recipe.momentum * speeds[name] + gradient + decay * weight
                    weight -= (2 if bias else 1) * rate * speeds[name]
        losses.append(total / len(labels))
    with torch.no_grad():
        right = (network(pictures).argmax(1) == labels).double().mean()
    return network.state_dict(), losses, 100 * float(right)


@pytest.mark.parametrize("frozen", [0, 1])
@pytest.mark.parametrize("schedule", ["cosine", "steps"])
@pytest.mark.parametrize("epochs", [1, 4])
def test_every_step_again_by_hand(tiny, schedule, frozen, epochs):
    recipe = Recipe(epochs, batch=8, learning_rate=0.05, weight_decay=0.1, schedule=schedule)
    network = frozen_network(tiny(), frozen)
    (progress, _) = trained(network, recipe, frozen)[-1]
    weights, losses, right = by_hand(tiny(), recipe, frozen)
    assert progress.losses == pytest.approx(losses, rel=1e-5)
    assert progress.accuracies[-1] == pytest.approx(right)
    for name, values in network.state_dict().items():
        torch.testing.assert_close(values.double(), weights[name], rtol=1e-4, atol=1e-6, msg=name)
        assert not torch.equal(values, tiny().state_dict()[name]) or int(name.split(".")[1]) < frozen


def test_one_step_is_the_gradient_and_its_decay(tiny):
    """A batch of all pictures, one epoch: the rate is that of the middle of the training."""
    recipe = Recipe(1, batch=21, learning_rate=0.05, weight_decay=0.1)
    network, before = frozen_network(tiny(), 0), tiny()
    inputs, labels = part()
    scores = before(inputs.values.permute(0, 3, 1, 2))
    loss = functional.cross_entropy(scores, labels)
    loss.backward()
    trained(network, recipe)
    rate = 0.05 * (1 + cos(pi * 0.4 / 0.9)) / 2
    for (name, weight), (_, old) in zip(network.named_parameters(), before.named_parameters(), strict=True):
        step = 2 * rate * old.grad if name.endswith("bias") else rate * (old.grad + 0.1 * old)
        torch.testing.assert_close(weight, old - step, rtol=1e-5, atol=1e-7)


# The schedule


def test_the_cosine_rises_over_a_tenth_and_falls_to_nothing():
    rate = Recipe(10, 1, learning_rate=0.4).rate
    assert rate(0.05) == pytest.approx(0.2)
    assert rate(0.1) == pytest.approx(0.4)
    assert rate(0.55) == pytest.approx(0.2)
    assert rate(1.0) == pytest.approx(0, abs=1e-12)
    shares = np.linspace(0, 1, 201)
    rates = np.array([rate(share) for share in shares])
    assert (np.diff(rates[shares <= 0.1]) > 0).all()
    assert (np.diff(rates[shares >= 0.1]) < 0).all()


def test_steps_divide_by_ten_where_the_paper_does():
    rate = Recipe(450, 256, learning_rate=0.01, schedule="steps").rate
    thousands = [0, 99, 100, 199, 200, 299, 300, 399, 400, 450]
    expected = [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6]
    assert [rate(at / 450) for at in thousands] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["cosine", "steps"])
def test_no_step_of_a_training_has_the_rate_zero(schedule):
    for steps in (1, 2, 7, 400):
        recipe = Recipe(1, 1, learning_rate=1.0, schedule=schedule)
        assert all(0 < recipe.rate((step + 1) / (steps + 1)) <= 1 for step in range(steps))


# Interrupted


@pytest.mark.parametrize("kept", ["in memory", "in a file"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("frozen", "rate"), [(0, 0.0), (1, 0.5)])
def test_resumed_after_any_epoch_it_ends_bit_identical(tiny, tmp_path, kept, precision, frozen, rate):
    recipe = dataclasses.replace(RECIPE, epochs=4, precision=precision)
    whole = trained(frozen_network(tiny(rate=rate, normalised=True), frozen), recipe, frozen)
    progress, tensors = whole[-1]
    assert progress.epoch == 4
    assert len(progress.losses) == len(progress.accuracies) == 4
    for begun in whole[:-1]:
        done, left = begun
        if kept == "in a file":
            path = tmp_path / f"{done.epoch}.safetensors"
            path.write_bytes(packed(as_arrays(left), msgspec.json.encode(done).decode()))
            arrays, notes = read(path)
            begun = msgspec.json.decode(notes, type=Progress), as_tensors(arrays)
        other = frozen_network(tiny(seed=9, rate=rate, normalised=True), frozen)
        with torch.no_grad():  # what the frozen layers put out is made from the same weights in a run
            other.load_state_dict(tiny(rate=rate, normalised=True).state_dict())
        rest = trained(other, recipe, frozen, begun=begun)
        assert [one.epoch for one, _ in rest] == list(range(done.epoch + 1, 5))
        assert rest[-1][0] == progress
        assert_same(rest[-1][1], tensors)
        assert_same(other.state_dict(), {n: v for n, v in tensors.items() if not n.startswith("momentum.")})


def test_a_training_resumed_without_momenta_ends_elsewhere(tiny):
    whole = trained(frozen_network(tiny(), 0))
    progress, tensors = whole[0]
    weights = {name: values for name, values in tensors.items() if not name.startswith("momentum.")}
    assert len(weights) < len(tensors)
    rest = trained(frozen_network(tiny(), 0), begun=(progress, weights))
    assert not torch.equal(rest[-1][1]["stages.3.0.weight"], whole[-1][1]["stages.3.0.weight"])


def test_what_is_yielded_does_not_change_afterwards(tiny):
    network = frozen_network(tiny(), 0)
    data = part()
    epochs = train(network, 0, data, data, RECIPE, drawn, False)
    progress, tensors = next(epochs)
    first, losses = tensors(), list(progress.losses)
    copies = {name: values.clone() for name, values in first.items()}
    list(epochs)
    assert_same(first, copies)
    assert progress.losses == losses
    assert progress.epoch == 1


# What is drawn


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_all_that_is_drawn_comes_from_the_generator(tiny, rate):
    ends = []
    for seed in (1, 2):
        network = frozen_network(tiny(rate=rate), 0)
        torch.manual_seed(seed)
        ends.append(trained(network)[-1])
        assert torch.equal(torch.get_rng_state(), torch.manual_seed(seed).get_state())
    assert ends[0][0] == ends[1][0]
    assert_same(ends[0][1], ends[1][1])
    other = trained(frozen_network(tiny(rate=rate), 0), generator=lambda epoch: drawn(epoch + 7))[-1]
    assert other[0].losses != ends[0][0].losses


def test_each_epoch_has_an_order_of_its_own_and_shows_every_picture_once(tiny):
    inputs, labels = part()
    data = Noting(inputs), labels
    for _ in train(frozen_network(tiny(), 0), 0, data, data, RECIPE, drawn, True):
        pass
    seen = data[0].seen
    assert [len(rows) for rows in seen] == [8, 8, 5] * 3
    orders = [[row for rows in seen[start : start + 3] for row in rows] for start in (0, 3, 6)]
    assert all(sorted(order) == list(range(21)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize(
    ("normalised", "frozen", "batch", "sizes"),
    [
        (True, 0, 8, [8, 9]),
        (True, 1, 8, [8, 9]),
        (True, 2, 8, [8, 8, 1]),  # what normalises is frozen
        (False, 0, 8, [8, 8, 1]),
        (True, 0, 7, [7, 7, 3]),
        (True, 0, 17, [17]),
    ],
)
def test_a_last_picture_that_cannot_be_normalised_alone_joins_the_batch_before(tiny, normalised, frozen, batch, sizes):
    inputs, labels = part(17, side=1)
    network = frozen_network(tiny(side=1, normalised=normalised), frozen)
    if frozen:
        with torch.no_grad():
            inputs = Held(network(inputs.take(torch.arange(17)), 0, frozen).permute(0, 2, 3, 1))
    data = Noting(inputs), labels
    recipe = dataclasses.replace(RECIPE, batch=batch)
    epochs = list(train(network, frozen, data, data, recipe, drawn, True))
    assert len(epochs) == 3
    assert [len(rows) for rows in data[0].seen] == sizes * 3
    assert sorted(row for rows in data[0].seen[: len(sizes)] for row in rows) == list(range(17))


# Learning, and failing to


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_what_can_be_told_apart_is_learned(precision):
    inputs, labels = part(48, 1, 8, 3)
    values = inputs.values
    values += 3 * functional.one_hot(labels, 8)[:, :, None, None]  # a bright line, another for each class
    network = ARCHITECTURES["digits8"](3, 1)
    initialise(network, "scaled", lambda stage: torch.Generator().manual_seed(stage))
    network.freeze(0)
    recipe = Recipe(epochs=8, batch=8, learning_rate=0.01, precision=precision)
    progress, _ = trained(network, recipe, data=(inputs, labels))[-1]
    assert progress.losses[0] > 0.7
    assert progress.losses[-1] < 0.1
    assert progress.accuracies[-1] == 100


def test_a_loss_that_is_no_number_names_its_epoch(tiny):
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) in epoch 1; set a lower learning_rate"):
        trained(frozen_network(tiny(), 0), dataclasses.replace(RECIPE, learning_rate=1e30))


def test_epochs_before_the_loss_was_lost_are_yielded(tiny):
    inputs, labels = part()

    def poisoned(epoch):
        if epoch == 2:
            inputs.values[4] = float("inf")
        return drawn(epoch)

    data = inputs, labels
    epochs = train(frozen_network(tiny(), 0), 0, data, data, RECIPE, poisoned, False)
    assert [next(epochs)[0].epoch for _ in range(2)] == [1, 2]
    with pytest.raises(TrainingError, match="epoch 3"):
        next(epochs)


@pytest.mark.parametrize("rate", [1e30, 1e39], ids=["scores", "weights"])
@pytest.mark.parametrize("every", [True, False])
def test_what_blows_up_in_the_very_last_step_is_no_finished_training(tiny, rate, every):
    """One step: its loss is that of the weights drawn, and nothing is wrong with it."""
    recipe = Recipe(1, batch=21, learning_rate=rate)
    with pytest.raises(TrainingError, match=r"no finite numbers after epoch 1; set a lower learning_rate"):
        trained(frozen_network(tiny(), 0), recipe, every=every)


def test_weights_that_no_score_shows_to_be_lost_are_found(tiny):
    """A rectifier makes nothing of minus infinity."""
    inputs, labels = part()
    network = frozen_network(tiny(), 1)
    with torch.no_grad():
        network.stages[0][0].bias[0] = -float("inf")
    data = Held(network(inputs.take(torch.arange(21)), 0, 1).detach().permute(0, 2, 3, 1)), labels
    with pytest.raises(TrainingError, match="no finite numbers"):
        list(train(network, 1, data, data, RECIPE, drawn, False))


# Testing


def test_accuracy_counts_pictures_and_leaves_the_training_as_it_was(tiny):
    network = frozen_network(tiny(rate=0.5, normalised=True), 1)
    inputs, labels = part(513)  # two chunks and more
    before = {name: values.clone() for name, values in network.state_dict().items()}
    modes = [module.training for stage in network.stages for module in stage.modules()]
    found = accuracy(network, 0, (inputs, labels), torch.float32)
    assert [module.training for stage in network.stages for module in stage.modules()] == modes
    assert_same(network.state_dict(), before)
    network.eval()
    with torch.no_grad():
        hits = [
            int(network(inputs.values[row : row + 1].permute(0, 3, 1, 2)).argmax()) == int(labels[row])
            for row in range(len(labels))
        ]
    assert found == 100 * sum(hits) / 513


@pytest.mark.parametrize("every", [True, False])
def test_a_test_after_every_epoch_changes_no_weight(tiny, every):
    (progress, tensors) = trained(frozen_network(tiny(rate=0.5, normalised=True), 0), every=every)[-1]
    _, other = trained(frozen_network(tiny(rate=0.5, normalised=True), 0), every=not every)[-1]
    assert len(progress.accuracies) == (3 if every else 1)
    assert_same(tensors, other)


def test_a_torch_that_cannot_tell_has_no_16_bit_units(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name)
    assert has_bfloat16_units() is False
