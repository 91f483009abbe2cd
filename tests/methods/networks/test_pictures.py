"""What is computed once equals what would be computed every time; crops lie where they were drawn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from tests.marks import slow
from tlbench.datasets import ArrayPixels
from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.pictures import AT_ONCE, Cropped, Through, advance, bytes_after, held, in_scale
from tlbench.methods.networks.training import Recipe, train

CPU = torch.device("cpu")
PRECISIONS = [torch.float32, torch.bfloat16]


def network(name="digits8", classes=4, channels=3, frozen=0, seed=0):
    found = ARCHITECTURES[name](classes, channels)
    initialise(found, "scaled", lambda stage: torch.Generator().manual_seed(100 * seed + stage))
    found.to(memory_format=torch.channels_last)
    found.freeze(frozen)
    return found


def pixels(count, side, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels)).astype(np.uint8)


def test_pixels_come_in_the_networks_scale():
    net = network()
    values = pixels(3, 8)
    expected = (values.astype(np.float64) - 127.5) / 64
    np.testing.assert_array_equal(in_scale(values, net, CPU).numpy(), expected)
    taken = held(values, net, CPU, torch.float32).take(torch.tensor([2, 0]))
    np.testing.assert_array_equal(taken.numpy(), expected[[2, 0]].transpose(0, 3, 1, 2))
    assert taken.is_contiguous(memory_format=torch.channels_last)
    assert held(values, net, CPU, torch.bfloat16).values.dtype == torch.bfloat16


# Held or computed again


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
@pytest.mark.parametrize("name", ["digits8", "small32"])
def test_what_is_held_is_what_frozen_stages_put_out_each_time(name, precision):
    net = network(name, frozen=7)
    whole = held(pixels(AT_ONCE + 20, net.side), net, CPU, precision)
    every = torch.arange(len(whole))
    for layers in range(1, 8):
        kept = advance(whole, net, range(layers), precision)
        again = Through(whole, net, layers, precision)
        assert len(kept) == len(again) == len(whole)
        for rows in every.split(AT_ONCE):
            assert torch.equal(kept.take(rows), again.take(rows))
        assert kept.values.dtype == precision
        assert not kept.values.requires_grad


@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
@pytest.mark.parametrize("name", ["digits8", *slow("small32", "resnet18")])
def test_it_does_not_matter_by_which_steps_a_layer_is_reached(name, precision):
    """A run that goes on computes fewer trainings of a chain, and has to find the same values."""
    net = network(name, frozen=7)
    whole = held(pixels(30, net.side), net, CPU, precision)
    by_ones = whole
    for layers in range(1, 8):
        by_ones = advance(by_ones, net, range(layers - 1, layers), precision)
        at_once = advance(whole, net, range(layers), precision)
        half = advance(whole, net, range(layers // 2), precision)
        by_halves = advance(half, net, range(layers // 2, layers), precision)
        assert torch.equal(at_once.values, by_ones.values)
        assert torch.equal(at_once.values, by_halves.values)


def test_the_chunks_are_fixed():
    """Pictures of a chunk pass together whatever else is asked for."""
    net = network(frozen=3)
    counts = []
    net.stages[0].register_forward_pre_hook(lambda _, values: counts.append(len(values[0])))
    advance(held(pixels(2 * AT_ONCE + 7, 8), net, CPU, torch.float32), net, range(3), torch.float32)
    assert counts == [AT_ONCE, AT_ONCE, 7]


@pytest.mark.parametrize("frozen", [1, 3, 6])
def test_a_training_on_what_is_held_is_the_training_on_what_is_computed_again(frozen):
    trained = []
    for make in (
        lambda whole, net: advance(whole, net, range(frozen), torch.float32),
        lambda whole, net: Through(whole, net, frozen, torch.float32),
    ):
        net = network("small32", frozen=frozen)
        whole = held(pixels(30, 32), net, CPU, torch.float32)
        part = make(whole, net), torch.arange(30) % 4
        recipe = Recipe(epochs=2, batch=8, learning_rate=0.01)
        *_, last = train(net, frozen, part, part, recipe, lambda e: torch.Generator().manual_seed(e), True)
        trained.append((net.state_dict(), last[0]))
    (left, progress), (right, other) = trained
    for name, values in left.items():
        torch.testing.assert_close(values, right[name], rtol=1e-5, atol=1e-6, msg=name)
    assert progress.losses == pytest.approx(other.losses, rel=1e-5)
    assert progress.accuracies == other.accuracies


@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_the_memory_that_outputs_take_is_known_beforehand(precision):
    net = network("small32", frozen=4)
    whole = held(pixels(5, 32), net, CPU, precision)
    modes = [module.training for stage in net.stages for module in stage.modules()]
    for layers in range(8):
        values = advance(whole, net, range(layers), precision).values
        assert bytes_after(net, layers, 5, precision) == values.numel() * values.element_size()
    assert [module.training for stage in net.stages for module in stage.modules()] == modes


# Crops

SIDE, CROP = 8, 5


@dataclasses.dataclass
class Window:
    """As much of a network as crops need."""

    side: int = CROP
    centre: float = 0.0
    scale: float = 1.0


def told(count):
    """Pictures whose red says the line, green the column, and blue which picture it is."""
    values = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    values[..., 0] = np.arange(SIDE)[:, None]
    values[..., 1] = np.arange(SIDE)
    values[..., 2] = (np.arange(count) % 251)[:, None, None]
    return ArrayPixels(values)


def crops(count=40, moved=True, rows=None):
    rows = np.arange(count) if rows is None else rows
    return Cropped(told(count), rows, Window(), CPU, moved)


def corners(taken):
    """Line, column and whether mirrored, of crops that are checked to be a window of the picture."""
    taken = taken.numpy()
    lines, columns = taken[:, 0], taken[:, 1]
    mirrored = columns[:, 0, 0] > columns[:, 0, 1]
    left = np.where(mirrored, columns[:, 0, -1], columns[:, 0, 0])
    top = lines[:, 0, 0]
    across = np.arange(CROP)
    expected = np.where(mirrored[:, None], across[::-1], across) + left[:, None]
    assert (columns == expected[:, None]).all()
    assert (lines == (top[:, None] + np.arange(CROP))[:, :, None]).all()
    return top, left, mirrored


@pytest.mark.parametrize(("moved", "drawn"), [(True, False), (False, True), (False, False)])
def test_a_test_and_an_unmoved_training_see_the_middle(moved, drawn, source):
    taken = crops(moved=moved).take(torch.arange(40), source() if drawn else None)
    assert tuple(taken.shape) == (40, 3, CROP, CROP)
    top, left, mirrored = corners(taken)
    assert (top == 1).all()
    assert (left == 1).all()
    assert not mirrored.any()


def test_the_middle_of_256_pixels_is_227_from_the_fourteenth_on():
    values = np.zeros((1, 256, 256, 1), np.uint8)
    values[0, 14:241, 14:241] = 200
    window = Window(side=227)
    taken = Cropped(ArrayPixels(values), np.array([0]), window, CPU, moved=True).take(torch.tensor([0]))
    assert tuple(taken.shape) == (1, 1, 227, 227)
    assert (taken == 200).all()


def test_moved_crops_lie_anywhere_in_the_picture_and_every_second_is_mirrored(source):
    count = 4000
    top, left, mirrored = corners(crops(count).take(torch.arange(count), source()))
    cells = np.zeros((4, 4, 2))
    np.add.at(cells, (top.astype(int), left.astype(int), mirrored.astype(int)), 1)
    assert cells.min() > 0  # all corners from 0 to the room there is, 3, and both ways round
    assert stats.chisquare(cells.ravel()).pvalue > 1e-3
    assert abs(mirrored.mean() - 0.5) < 4 * 0.5 / count**0.5


def test_crops_are_drawn_by_the_generator_alone(source):
    rows = torch.arange(40)
    torch.manual_seed(1)
    first = crops().take(rows, source(3))
    torch.manual_seed(2)
    assert torch.equal(crops().take(rows, source(3)), first)
    assert not torch.equal(crops().take(rows, source(4)), first)
    generator = source(3)
    crops().take(rows, generator)
    assert not torch.equal(crops().take(rows, generator), first)  # an epoch's batches do not repeat each other


def test_crops_are_of_the_pictures_that_were_asked_for(source):
    chosen = np.array([30, 4, 17, 9])
    cropped = crops(rows=chosen)
    assert len(cropped) == 4
    for generator in (None, source()):
        taken = cropped.take(torch.tensor([2, 0, 2]), generator)
        assert (taken[:, 2, 0, 0].numpy() == [17, 30, 17]).all()


def test_crops_pass_through_frozen_stages_with_their_draws(source):
    net = network(frozen=2)
    cropped = Cropped(ArrayPixels(pixels(6, 12)), np.arange(6), net, CPU, moved=True)
    through = Through(cropped, net, 2, torch.float32)
    rows = torch.tensor([5, 1, 1])
    with torch.no_grad():
        expected = net(cropped.take(rows, source(8)), 0, 2)
    assert torch.equal(through.take(rows, source(8)), expected)
    assert not torch.equal(through.take(rows), expected)
    assert len(through) == 6
