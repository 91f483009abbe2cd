"""What trainings will cost: more for more of anything, and told of data that are not here as well."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tlbench import datasets, protocol
from tlbench.datasets import outline
from tlbench.datasets.outlines import AbsentPixels
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.layers import layer_transfer, training_cost
from tlbench.studies.layers.layer_training import MOST_HELD

STUDY = layer_transfer.STUDY


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digit_pictures():
    return datasets.open_pictures("digits", datasets.Options(), Path("unused"))


def blocks(pictures, dataset="digits", profile="smoke", **overrides):
    declared = protocol.read("yosinski-layers")
    settings = resolve(declared, STUDY, profile, {key: str(value) for key, value in overrides.items()}, dataset)
    return make_plan(declared, STUDY, settings, pictures, pictures.fingerprint).blocks


def test_every_block_costs_time_and_a_process_memory(digit_pictures):
    planned = blocks(digit_pictures)
    cost = STUDY.estimate(digit_pictures, planned, "cpu")
    assert len(cost.seconds) == len(planned) == 38
    assert min(cost.seconds) > 0
    assert 200 << 20 < cost.memory < 1 << 30
    shown = 38 * 30 * 5 * 20  # trainings × epochs × classes × pictures
    assert cost.remarks == (f"that is 38 trainings and {shown:,} pictures shown to them in all",)


@pytest.mark.parametrize(
    ("count", "words"),
    [(8_400, "8,400"), (999_999, "999,999"), (2_560_000, "2.6 million"), (40_476_100_000, "40.5 billion")],
)
def test_numbers_are_given_as_they_are_said(count, words):
    assert training_cost._in_words(count) == words


def test_it_grows_with_epochs_and_with_pictures(digit_pictures):
    """Steps are measured once, so that twice as many cost twice as much to the last digit."""
    usual = STUDY.estimate(digit_pictures, blocks(digit_pictures), "cpu")
    for more in ({"epochs": 60}, {"pictures_per_class": 40}):
        twice = STUDY.estimate(digit_pictures, blocks(digit_pictures, **more), "cpu")
        assert twice.seconds == pytest.approx([2 * seconds for seconds in usual.seconds])
        assert twice.memory >= usual.memory


def test_it_is_of_the_order_of_what_a_training_takes(digit_pictures):
    import time

    from tlbench.studies.layers import layer_training

    (block, _) = blocks(digit_pictures, conditions="base", epochs=20)

    class Nothing:
        device = "cpu"

        def begun(self):
            return None

        def keep_begun(self, arrays, notes):
            pass

        def keep_weights(self, arrays):
            pass

    layer_transfer.compute(layer_transfer.prepare(digit_pictures, block), block, Nothing())
    begun = time.process_time()
    layer_transfer.compute(layer_transfer.prepare(digit_pictures, block), block, Nothing())
    took = time.process_time() - begun
    (expected, _) = STUDY.estimate(digit_pictures, blocks(digit_pictures, conditions="base", epochs=20), "cpu").seconds
    assert took / 8 < expected < took * 8  # a busy machine measures badly
    assert layer_training.MOST_HELD == MOST_HELD


def test_layers_that_are_held_save_time_and_tuned_ones_do_not():
    absent = outline("cifar10")
    chosen = {"class_split": "random", "layers": 6, "conditions": "base,BnB,BnB+", "precision": "float32"}
    planned = blocks(absent, "cifar10", **chosen)
    conditions = [block.conditions[0] for block in planned]
    cost = dict(zip(conditions, STUDY.estimate(absent, planned, "cpu").seconds, strict=True))
    assert cost["BnB"] < cost["base"] / 2
    assert cost["BnB+"] == pytest.approx(cost["base"])


def test_absent_pictures_are_enough():
    absent = outline("tiny-imagenet")
    assert isinstance(absent.pixels, AbsentPixels)
    planned = blocks(absent, "tiny-imagenet", layers="4", conditions="base,AnB", precision="float32")
    cost = STUDY.estimate(absent, planned, "cpu")
    assert len(cost.seconds) == len(planned) == 4
    assert min(cost.seconds) > 0
    assert cost.memory > training_cost.PROCESS
    assert "4 trainings and 256,000 pictures" in cost.remarks[0]  # 4 × 8 epochs × 40 classes × 200 pictures


def test_work_of_days_is_said_to_be_and_what_would_help(digit_pictures):
    cost = STUDY.estimate(digit_pictures, blocks(digit_pictures, epochs=1_000_000), "cpu")
    days = sum(cost.seconds) / 86400
    assert f"that is {days:,.0f} days of one core's or the device's work" in cost.remarks[1]
    assert "the same command goes on where it was stopped" in cost.remarks[1]


def training(**changed):
    import msgspec

    declared = {
        "network": "small32",
        "initialisation": "scaled",
        "classes_per_half": 2,
        "pictures_per_class": 0,
        "test_pictures_per_class": 0,
        "epochs": 1,
        "batch": 2,
        "learning_rate": 0.1,
        "schedule": "cosine",
        "augmentation": "none",
        "precision": "float32",
        "report": "last",
        "seed": 0,
        "class_split": "random",
        "layers": 3,
    }
    return msgspec.convert({**declared, **changed}, layer_transfer.Training)


def test_memory_is_that_of_what_is_held_or_of_the_pictures_where_it_does_not_fit():
    chosen = training()
    bench = training_cost._bench(chosen, 2, 3, "cpu")
    weights = sum(values.numel() for values in bench.network.state_dict().values()) * 4
    assert bench.memory(0, 1000) == (True, training_cost.PROCESS + 4 * weights + 1000 * 32 * 32 * 3 * 4)
    after_two, after_three = 8 * 8 * 64 * 4, 8 * 8 * 96 * 4
    expected = training_cost.PROCESS + 4 * weights + 1000 * (after_two + after_three)
    assert bench.memory(3, 1000) == (True, expected)
    many = MOST_HELD // after_three + 1
    assert bench.memory(3, many) == (False, training_cost.PROCESS + 4 * weights + many * 32 * 32 * 3 * 4)


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", ["none", "crop-and-mirror"])
def test_crops_are_decoded_and_computed_again_in_every_epoch(augmentation):
    training_cost._benches.cache_clear()
    chosen = training(network="caffenet", augmentation=augmentation, batch=1)
    bench = training_cost._bench(chosen, 2, 3, "cpu")
    held, memory = bench.memory(3, 1_000_000)
    assert not held
    assert memory < 3 << 30  # of weights alone
    taken = []
    pixels = SimpleNamespace(take=lambda rows: taken.append(len(rows)))
    assert bench.decoding(SimpleNamespace(pixels=pixels, labels=range(10))) > 0
    assert taken == [8]
    assert bench.decoding(outline("imagenet")) == 0
    assert training_cost._bench(training(), 2, 3, "cpu").decoding(outline("cifar10")) == 0
