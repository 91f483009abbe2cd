"""The study of inherited layers: how it is cut into trainings, what they share, and their numbers by plain means."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from tests.marks import slow
from tlbench import datasets, protocol
from tlbench.datasets import ArrayPixels, DataError, LabelledPictures
from tlbench.keeping import BlockKeeping
from tlbench.methods.networks.pictures import Through
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.records import Records
from tlbench.settings import resolve
from tlbench.studies.layers import layer_training
from tlbench.studies.layers import layer_transfer as study

CONDITIONS = ("base", "BnB", "BnB+", "AnB", "AnB+", "random-gaussian", "random-scaled")
QUICK = {"epochs": "3", "pictures_per_class": "6", "test_pictures_per_class": "10"}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digit_pictures():
    return datasets.open_pictures("digits", datasets.Options(), Path("unused"))


def noise(classes, each, side, channels=3, kinds=None, seed=0):
    """Pictures of a colour of each class's own under much noise."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    colours = draw.uniform(60, 195, (classes, 1, 1, channels))[labels]
    values = colours + draw.normal(0, 30, (len(labels), side, side, channels))
    names = tuple(f"c{number}" for number in range(classes))
    return LabelledPictures(ArrayPixels(values.clip(0, 255).astype(np.uint8)), labels, names, None, kinds)


KINDS = ("natural", "man-made", "natural", "man-made", "", "man-made", "natural", "natural")
COLOURS = noise(8, 8, 32, kinds=KINDS)


def plan(pictures, dataset="digits", profile="smoke", **overrides):
    declared = protocol.read("yosinski-layers")
    settings = resolve(declared, study.STUDY, profile, {key: str(value) for key, value in overrides.items()}, dataset)
    return make_plan(declared, study.STUDY, settings, pictures, pictures.fingerprint)


def find(planned, condition, layers=0, half="A", draw=0, kind="random"):
    (block,) = [
        block
        for block in planned.blocks
        if block.conditions == (condition,)
        and block.parameters["layers"] == layers
        and block.unit == study.unit_name(kind, draw, half)
    ]
    return block


class InterruptedTrainingError(Exception):
    pass


class Memory:
    """What a block is handed, with nothing of a disk; ``stop``: after so many epochs were left it is interrupted."""

    device = "cpu"

    def __init__(self, weights, block, stop=None, left=None):
        self.weights_of, self.block, self.stop, self.left = weights, block, stop, left

    def begun(self):
        return self.left

    def keep_begun(self, arrays, notes):
        self.left = {name: values.copy() for name, values in arrays.items()}, notes
        if self.stop is not None and msgspec.json.decode(notes)["epoch"] == self.stop:
            raise InterruptedTrainingError

    def weights(self, need):
        return self.weights_of[self.block.needs[need]]

    def keep_weights(self, arrays):
        self.weights_of[self.block.key] = {name: values.copy() for name, values in arrays.items()}


def compute_all(planned, pictures, weights=None, blocks=None):
    """Tables of each block, tasks one after the other as a process computes them."""
    weights = {} if weights is None else weights
    tables = {}
    for task in planned.tasks(planned.blocks if blocks is None else blocks):
        shared = study.prepare(pictures, task[0])
        for block in task:
            tables[block.key] = study.compute(shared, block, Memory(weights, block))
    return tables


def values(tables):
    return tables["measurements"]["value"]


@dataclasses.dataclass
class Watched:
    """One training as it was begun and as it ended."""

    network: object
    start: dict
    learning: tuple
    testing: tuple
    recipe: object
    progress: list


@pytest.fixture
def watched(monkeypatch):
    """Every training of the study, by nothing but what it hands to ``train``."""
    seen = []
    train = layer_training.train

    def watch(network, frozen, learning, testing, recipe, *more):
        start = {name: values.clone() for name, values in network.state_dict().items()}
        seen.append(Watched(network, start, learning, testing, recipe, []))
        for progress, tensors in train(network, frozen, learning, testing, recipe, *more):
            seen[-1].progress.append(progress)
            yield progress, tensors

    monkeypatch.setattr(layer_training, "train", watch)
    return seen


def of_stages(tensors, places):
    return {name: values for name, values in tensors.items() if int(name.split(".")[1]) in places}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(torch.as_tensor(left[name]), torch.as_tensor(right[name])), name


# How the work is cut


@pytest.mark.parametrize(("seeds", "layers"), [(1, [4]), (2, [1, 4, 7]), (3, [2, 3])])
def test_every_half_has_a_base_and_a_training_for_each_condition_and_layer(digit_pictures, seeds, layers):
    planned = plan(digit_pictures, seeds=seeds, layers=",".join(map(str, layers)))
    units = [f"random-{draw}-{half}" for draw in range(seeds) for half in "AB"]
    assert sorted({block.unit for block in planned.blocks}) == units
    assert Counter(block.unit for block in planned.blocks) == dict.fromkeys(units, 1 + 6 * len(layers))
    assert planned.cells == len(planned.blocks) == 2 * seeds * (1 + 6 * len(layers))
    for unit in units:
        found = [(b.conditions, b.parameters["layers"]) for b in planned.blocks if b.unit == unit]
        assert found[0] == (("base",), 0)
        assert sorted(found[1:]) == sorted(((condition,), n) for condition in CONDITIONS[1:] for n in layers)
    assert len({block.key for block in planned.blocks}) == len(planned.blocks)
    assert all(block.splits == (int(block.unit.split("-")[1]),) for block in planned.blocks)


def test_selffers_need_their_own_base_and_transfers_the_other_halfs(digit_pictures):
    planned = plan(digit_pictures, seeds=2)
    bases = {block.unit: block.key for block in planned.blocks if block.conditions == ("base",)}
    other = {"A": "B", "B": "A"}
    before = set()
    for block in planned.blocks:
        (condition,), (kind, draw, half) = block.conditions, block.unit.split("-")
        expected = {"B": (bases[block.unit],), "A": (bases[f"{kind}-{draw}-{other[half]}"],)}.get(condition[0], ())
        assert block.needs == expected, condition
        assert set(block.needs) <= before
        before.add(block.key)


def test_trainings_whose_frozen_layers_are_the_same_are_one_task(digit_pictures):
    planned = plan(digit_pictures, seeds=2)
    tasks = [
        [(b.unit, b.conditions[0], b.parameters["layers"]) for b in task] for task in planned.tasks(planned.blocks)
    ]
    for task in tasks:
        assert len({unit for unit, _, _ in task}) == 1
        assert len({condition for _, condition, _ in task}) == 1
        layers = [n for _, _, n in task]
        frozen = task[0][1] not in ("base", "BnB+", "AnB+")
        assert layers == ([1, 4, 7] if frozen else layers[:1])
    assert len(tasks) == 4 * (1 + 4 + 2 * 3)
    for task in planned.tasks(planned.blocks):  # none waits for a block of its own
        assert not {block.key for block in task} & {key for block in task for key in block.needs}


def test_each_kind_of_class_split_has_units_of_its_own():
    planned = plan(COLOURS, "x", class_split="random,natural-manmade", layers="1", seeds=2, pictures_per_class=4)
    kinds = {block.unit: block.parameters["class_split"] for block in planned.blocks}
    assert kinds == {
        f"{kind}-{n}-{half}": kind for kind in ("random", "natural-manmade") for n in (0, 1) for half in "AB"
    }
    for unit, kind in kinds.items():
        training = msgspec.convert(next(b for b in planned.blocks if b.unit == unit).parameters, study.Training)
        half = study.draw_half(COLOURS, training, unit)
        found = {KINDS[int(name[1:])] for name in half.classes}
        assert len(half.classes) == 3  # as many as every class split of the run has: there are three man-made ones
        if kind == "natural-manmade":
            assert found == {{"A": "natural", "B": "man-made"}[unit[-1]]}


def halves(pictures, planned, draw=0):
    found = []
    for half in "AB":
        block = find(planned, "base", half=half, draw=draw)
        found.append(study.draw_half(pictures, msgspec.convert(block.parameters, study.Training), block.unit))
    return found


def test_both_halves_of_a_draw_share_its_class_split_and_no_class(digit_pictures):
    planned = plan(digit_pictures, seeds=4)
    splits = set()
    for draw in range(4):
        a, b = halves(digit_pictures, planned, draw)
        assert sorted(a.classes + b.classes) == sorted(digit_pictures.classes)
        assert len(a.classes) == len(b.classes) == 5
        splits.add(a.classes)
        for half in (a, b):
            names = np.array(digit_pictures.classes)[digit_pictures.labels]
            assert Counter(names[half.training]) == dict.fromkeys(half.classes, 20)
            assert Counter(names[half.test]) == dict.fromkeys(half.classes, 60)
            assert not set(half.training) & set(half.test)
    assert len(splits) == 4


def test_halves_of_a_folder_of_uneven_classes_have_equally_many_pictures():
    whole = noise(8, 30, 8)
    uneven = datasets.LabelledPictures(
        whole.pixels.only(rows := np.flatnonzero(np.arange(240) % 30 < 30 - 2 * whole.labels)),
        whole.labels[rows],
        whole.classes,
    )
    planned = plan(uneven, seeds=3, pictures_per_class=0, test_pictures_per_class=0)
    for draw in range(3):
        for half in halves(uneven, planned, draw):
            assert (len(half.training), len(half.test)) == (12 * 4, 4 * 4)  # of the smallest class's 16


def test_all_conditions_and_layers_of_a_unit_have_the_same_pictures(digit_pictures):
    planned = plan(digit_pictures, seeds=1)
    for unit in ("random-0-A", "random-0-B"):
        drawn = [
            study.draw_half(digit_pictures, msgspec.convert(block.parameters, study.Training), unit)
            for block in planned.blocks
            if block.unit == unit
        ]
        for half in drawn:
            assert half.classes == drawn[0].classes
            assert (half.training == drawn[0].training).all()
            assert (half.test == drawn[0].test).all()


# A block's identity


def keys(planned):
    return {block.key for block in planned.blocks}


@pytest.mark.parametrize(
    ("fewer", "more"),
    [
        ({"layers": "4"}, {"layers": "1,4,6"}),
        ({"seeds": 1}, {"seeds": 3}),
        ({"conditions": "base,AnB"}, {"conditions": "base,BnB,AnB,random-scaled"}),
        ({"class_split": "random"}, {"class_split": "random,natural-manmade"}),
    ],
    ids=lambda change: "-".join(change),
)
def test_more_of_anything_adds_its_own_blocks_alone(fewer, more):
    common = {"classes_per_half": 3, "pictures_per_class": 4}
    few, many = plan(COLOURS, "x", **{**common, **fewer}), plan(COLOURS, "x", **{**common, **more})
    assert keys(few) < keys(many)
    changed = next(iter(fewer))
    if changed == "layers":
        added = [block for block in many.blocks if block.key not in keys(few)]
        assert {block.parameters["layers"] for block in added} == {1, 6}


def test_the_order_in_which_conditions_and_layers_are_given_changes_no_key(digit_pictures):
    one = plan(digit_pictures, conditions="base,BnB,AnB", layers="1,4")
    other = plan(digit_pictures, conditions="AnB,base,BnB", layers="4,1")
    assert keys(one) == keys(other)


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 31},
        {"learning_rate": 0.02},
        {"batch": 20},
        {"seed": 1},
        {"schedule": "steps"},
        {"report": "ten-best"},
        {"initialisation": "gaussian"},
        {"pictures_per_class": 19},
        {"test_pictures_per_class": 59},
        {"classes_per_half": 4},
        {"precision": "bfloat16"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_number_changes_every_key(digit_pictures, change):
    assert not keys(plan(digit_pictures)) & keys(plan(digit_pictures, **change))


def test_a_block_names_its_base_and_so_all_that_made_it(digit_pictures):
    block = find(plan(digit_pictures), "BnB", 4)
    assert block.identity["needs"] == list(block.needs)
    assert dataclasses.replace(block, needs=("0" * 40,)).key != block.key


def test_what_auto_means_is_settled_in_every_block(digit_pictures, monkeypatch):
    from tlbench.methods.networks import training

    for units, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(training, "has_bfloat16_units", lambda units=units: units)
        automatic = plan(digit_pictures, precision="auto", classes_per_half=0)
        assert {block.parameters["precision"] for block in automatic.blocks} == {expected}
        assert {block.parameters["classes_per_half"] for block in automatic.blocks} == {5}
        assert keys(automatic) == keys(plan(digit_pictures, precision=expected, classes_per_half=5))
    assert automatic.settings.choices["precision"] == "auto"


# What is refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers": "8"}, "layers may be 1 to 7, not 8: network digits8 has 8"),
        ({"layers": "1,9"}, "layers may be 1 to 7, not 9"),
        ({"layers": "0"}, "layers"),
        ({"layers": "x"}, "layers"),
        ({"layers": ""}, "layers"),
        ({"learning_rate": "nan"}, "learning_rate"),
        ({"learning_rate": "inf"}, "learning_rate"),
        ({"learning_rate": "0"}, "learning_rate"),
        ({"learning_rate": "-0.1"}, "learning_rate"),
        ({"epochs": "0"}, "epochs"),
        ({"batch": "0"}, "batch"),
        ({"network": "alexnet"}, "network"),
        ({"precision": "float16"}, "precision"),
        ({"class_split": "natural"}, "class_split"),
        ({"class_split": ""}, "class_split"),
        ({"conditions": "BnB,AnB"}, "conditions must include 'base'"),
        ({"conditions": "base,CnB"}, "there is no condition 'CnB'"),
        ({"augmentation": "crop-and-mirror"}, "network digits8 takes whole pictures; set augmentation=none"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(digit_pictures, change, words):
    with pytest.raises(ProtocolError, match=words):
        plan(digit_pictures, **change)


def test_deeper_networks_may_give_more_layers():
    layers = "1,9,17"
    planned = plan(COLOURS, "x", network="resnet34", layers=layers, classes_per_half=2, pictures_per_class=4)
    assert {block.parameters["layers"] for block in planned.blocks} == {0, 1, 9, 17}
    with pytest.raises(ProtocolError, match="layers may be 1 to 9, not 17: network resnet18 has 10"):
        plan(COLOURS, "x", network="resnet18", layers=layers)


@pytest.mark.parametrize(
    ("pictures", "change", "words"),
    [
        ("digits", {"network": "small32"}, "32 × 32 pixels, and these have 8 × 8; set network=digits8$"),
        ("colours", {"network": "digits8"}, "8 × 8 pixels, and these have 32 × 32; set network=small32 or resnet18 or"),
        ("digits", {"profile": "paper", "network": "caffenet"}, "; set network=digits8 with augmentation=none$"),
        ("seven", {}, "digits8 takes pictures of 8 × 8 pixels, and these have 7 × 7; networks take 8, 32, 256 pixels"),
        ("digits", {"classes_per_half": 1}, "classes_per_half is 1; a half with fewer than 2 classes cannot be"),
        ("digits", {"classes_per_half": 6}, "classes_per_half is 6; the random split has 5 classes"),
        ("digits", {"pictures_per_class": 500}, "pictures_per_class can be at most 114 with it, not 500"),
        ("digits", {"test_pictures_per_class": 170}, "test_pictures_per_class can be at most 154 with it, not 170"),
        ("digits", {"class_split": "natural-manmade"}, "is not known"),
        ("three", {}, "the random split has 1 class for each half here"),
    ],
    ids=str,
)
def test_data_that_do_not_go_with_the_settings(digit_pictures, pictures, change, words):
    three = noise(3, 8, 8, 1)
    seven = noise(4, 8, 7, 1)
    chosen = {"digits": digit_pictures, "colours": COLOURS, "three": three, "seven": seven}[pictures]
    with pytest.raises(DataError, match=words):
        plan(chosen, **change)


# Where trainings begin


def start(pictures, block, weights):
    """The network of a block at the beginning of its training."""
    training = msgspec.convert(block.parameters, study.Training)
    chain = study.prepare(pictures, block)
    draws = layer_training.Draws(training.seed, block.unit, block.splits[0])
    network = chain._network(training, block.conditions[0], draws, Memory(weights, block))
    return network.state_dict()


@pytest.fixture(scope="module")
def grid(digit_pictures):
    """A tiny grid on the digits, computed by one process: its plan, its weights, and the tables of each block."""
    planned = plan(digit_pictures, layers="1,3,6", **QUICK)
    weights = {}
    return planned, weights, compute_all(planned, digit_pictures, weights)


@pytest.mark.parametrize("layers", [1, 3, 6])
@pytest.mark.parametrize("half", ["A", "B"])
def test_fresh_layers_are_the_same_whoever_gave_those_below(digit_pictures, grid, layers, half):
    planned, weights, _ = grid
    begin = {
        condition: start(digit_pictures, find(planned, condition, layers, half), weights)
        for condition in CONDITIONS[1:]
    }
    upper = {condition: of_stages(tensors, range(layers, 8)) for condition, tensors in begin.items()}
    for tensors in upper.values():
        assert_same(tensors, upper["BnB"])
    base = find(planned, "base", half=half)
    own_start = of_stages(start(digit_pictures, base, weights), range(layers, 8))
    for name, tensor in upper["BnB"].items():
        if name.endswith("weight"):
            assert not torch.equal(tensor, own_start[name]), "a selffer would begin where its base did"
    for condition, source in {"B": base, "A": find(planned, "base", half={"A": "B", "B": "A"}[half])}.items():
        trained = of_stages(weights[source.key], range(layers))
        for which in (f"{condition}nB", f"{condition}nB+"):
            assert_same(of_stages(begin[which], range(layers)), trained)


def test_random_layers_are_drawn_for_themselves_and_nested_in_more_of_them(digit_pictures, grid):
    planned, weights, _ = grid
    for condition in ("random-gaussian", "random-scaled"):
        three = start(digit_pictures, find(planned, condition, 3), weights)
        six = start(digit_pictures, find(planned, condition, 6), weights)
        assert_same(of_stages(three, range(3)), of_stages(six, range(3)))
        fresh = start(digit_pictures, find(planned, "BnB", 1), weights)
        assert not torch.equal(three["stages.2.0.weight"], fresh["stages.2.0.weight"])
    gaussian = start(digit_pictures, find(planned, "random-gaussian", 6), weights)
    assert float(gaussian["stages.3.0.weight"].std()) == pytest.approx(0.01, rel=0.05)
    assert (gaussian["stages.3.0.bias"] == 1).all()
    assert float(six["stages.3.0.weight"].std()) == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    assert not six["stages.3.0.bias"].any()


def test_each_half_and_draw_begins_elsewhere(digit_pictures):
    planned = plan(digit_pictures, seeds=2)
    begun = [
        start(digit_pictures, find(planned, "base", half=half, draw=draw), {})["stages.0.0.weight"]
        for half in "AB"
        for draw in (0, 1)
    ]
    assert not any(torch.equal(begun[i], begun[j]) for i in range(4) for j in range(i))


# Trainings


def test_frozen_layers_are_still_the_sources_in_the_end_and_tuned_ones_are_not(digit_pictures, grid, watched):
    planned, weights, tables = grid
    for condition in CONDITIONS[1:]:
        for layers in (1, 3, 6):
            block = find(planned, condition, layers, "B")
            again = compute_all(planned, digit_pictures, weights, [block])[block.key]
            assert again == tables[block.key], "alone as in its chain"
            end = watched[-1].network.state_dict()
            began = watched[-1].start
            if condition.endswith("+"):
                for name in end:
                    assert not torch.equal(end[name], began[name]), name
                continue
            assert_same(of_stages(end, range(layers)), of_stages(began, range(layers)))
            if condition in ("BnB", "AnB"):
                source = weights[block.needs[0]]
                assert_same(of_stages(end, range(layers)), of_stages(source, range(layers)))
            for name, tensor in of_stages(end, range(layers, 8)).items():
                assert not torch.equal(tensor, began[name]), name


@pytest.mark.parametrize(("condition", "layers"), [("base", 0), ("AnB", 3), ("BnB+", 6), ("random-scaled", 6)])
def test_what_is_measured_is_the_whole_networks_accuracy(digit_pictures, grid, watched, condition, layers):
    """Pictures go through all layers of the network as it ended, one by one."""
    planned, weights, tables = grid
    block = find(planned, condition, layers)
    compute_all(planned, digit_pictures, dict(weights), [block])
    training = msgspec.convert(block.parameters, study.Training)
    half = study.draw_half(digit_pictures, training, block.unit)
    network = watched[-1].network.eval()
    hits = 0
    for row in half.test:
        picture = (digit_pictures.pixels.values[row].astype(np.float32) - 127.5) / 64
        with torch.no_grad():
            scores = network(torch.from_numpy(picture).permute(2, 0, 1)[None])[0]
        hits += half.classes[int(scores.argmax())] == digit_pictures.classes[digit_pictures.labels[row]]
    m = tables[block.key]["measurements"]
    assert m["metric"] == ["accuracy", "train_loss"]
    assert m["value"] == [100 * hits / len(half.test), watched[-1].progress[-1].losses[-1]]
    assert m["condition"] == [condition] * 2
    assert m["layers"] == [layers] * 2
    assert m["split"] == [0, 0]
    assert m["class_split"] == ["random"] * 2


def test_the_table_of_halves_says_which_classes_and_how_many_pictures(digit_pictures, grid):
    planned, _, tables = grid
    for half, drawn in zip("AB", halves(digit_pictures, planned), strict=True):
        for condition, layers in (("base", 0), ("AnB", 3)):
            table = tables[find(planned, condition, layers, half).key]["halves"]
            assert table == {
                "class_split": ["random"] * 5,
                "draw": [0] * 5,
                "half": [half] * 5,
                "class": list(drawn.classes),
                "training_pictures": [6] * 5,
                "test_pictures": [10] * 5,
            }
            assert tuple(table) == study.STUDY.tables["halves"]


def test_conditions_are_tested_on_the_same_pictures_and_trained_in_the_same_order(digit_pictures, watched, monkeypatch):
    planned = plan(digit_pictures, layers="2", **QUICK)
    orders = {}
    draws = layer_training.Draws.torch

    def noting(self, purpose, number):
        generator = draws(self, purpose, number)
        if "order" in purpose:
            orders.setdefault(block.conditions[0], []).append(generator.initial_seed())
        return generator

    monkeypatch.setattr(layer_training.Draws, "torch", noting)
    weights = {}
    for block in planned.blocks:
        compute_all(planned, digit_pictures, weights, [block])
    of_unit = [w for block, w in zip(planned.blocks, watched, strict=True) if block.unit == "random-0-A"]
    assert len(of_unit) == 7
    for training in of_unit:
        assert torch.equal(training.testing[1], of_unit[0].testing[1])
        assert torch.equal(training.learning[1], of_unit[0].learning[1])
        assert len(training.progress) == 3
    whole = [training.testing[0].values for training in of_unit if training.testing[0].values.shape[-1] == 1]
    assert len(whole) == 3  # base, BnB+ and AnB+: nothing is frozen in them
    assert all(torch.equal(values, whole[0]) for values in whole)
    assert len(set(orders["base"])) == 6  # three epochs of two halves
    assert all(orders[condition] == orders["BnB"] for condition in CONDITIONS[1:])
    assert not set(orders["base"]) & set(orders["BnB"])


def test_the_ten_best_tests_are_averaged_where_they_are_asked_for(digit_pictures, watched):
    few = {"conditions": "base", "epochs": 13, "pictures_per_class": 5, "test_pictures_per_class": 10}
    last, best = plan(digit_pictures, **few), plan(digit_pictures, report="ten-best", **few)
    block = find(best, "base")
    found = compute_all(best, digit_pictures, blocks=[block])[block.key]
    accuracies = watched[-1].progress[-1].accuracies
    assert len(accuracies) == 13
    assert values(found)[0] == pytest.approx(np.mean(sorted(accuracies, reverse=True)[:10]))
    ordinary = find(last, "base")
    reported = values(compute_all(last, digit_pictures, blocks=[ordinary])[ordinary.key])
    assert reported == [accuracies[-1], values(found)[1]]


def test_fewer_epochs_than_ten_are_all_averaged(digit_pictures, watched):
    block = find(best := plan(digit_pictures, report="ten-best", conditions="base", **QUICK), "base")
    found = compute_all(best, digit_pictures, blocks=[block])[block.key]
    assert values(found)[0] == pytest.approx(np.mean(watched[-1].progress[-1].accuracies))


def test_it_learns(digit_pictures):
    planned = plan(digit_pictures, conditions="base", epochs=8)
    accuracy, loss = values(compute_all(planned, digit_pictures, blocks=[find(planned, "base")]).popitem()[1])
    assert accuracy > 70  # chance is 20
    assert loss < 0.7


# Frozen layers' outputs, held or not


@pytest.mark.parametrize("fits", [[], [1], [3], [1, 6]], ids=str)
def test_outputs_that_do_not_fit_into_memory_change_no_number(digit_pictures, grid, watched, monkeypatch, fits):
    """Of a chain 1, 3, 6, those that are not held come from the pictures each time, whatever was held before."""
    planned, weights, tables = grid
    whole = layer_training.bytes_after

    def size(network, layers, *more):
        return whole(network, layers, *more) if layers in fits else layer_training.MOST_HELD + 1

    monkeypatch.setattr(layer_training, "bytes_after", size)
    chain = [find(planned, "AnB", layers) for layers in (1, 3, 6)]
    found = compute_all(planned, digit_pictures, weights, chain)
    held = [n for n, w in zip((1, 3, 6), watched, strict=True) if not isinstance(w.learning[0], Through)]
    assert held == fits
    for block in chain:
        assert values(found[block.key]) == pytest.approx(values(tables[block.key]), rel=1e-5)


@pytest.mark.parametrize("precision", ["float32", *slow("bfloat16")])
def test_a_training_has_the_numbers_that_it_has_in_its_chain(precision):
    common = {"layers": "1,2,4,5", "conditions": "base,BnB,random-scaled", "epochs": 1, "precision": precision}
    planned = plan(COLOURS, "x", classes_per_half=3, pictures_per_class=4, **common)
    weights = {}
    tables = compute_all(planned, COLOURS, weights)
    for condition in ("BnB", "random-scaled"):
        for layers in (2, 5):
            block = find(planned, condition, layers)
            assert compute_all(planned, COLOURS, weights, [block])[block.key] == tables[block.key]


# Interrupted


@pytest.mark.parametrize(("condition", "layers"), [("base", 0), ("AnB", 3), ("BnB+", 1)])
def test_interrupted_after_any_epoch_it_goes_on_from_there(digit_pictures, watched, monkeypatch, condition, layers):
    monkeypatch.setattr(layer_training, "SECONDS_BETWEEN_SAVES", -1.0)
    planned = plan(digit_pictures, layers="1,3", **{**QUICK, "epochs": 5})
    weights = {}
    compute_all(planned, digit_pictures, weights, planned.blocks[:2])
    block = find(planned, condition, layers)
    undisturbed = dict(weights)
    expected = compute_all(planned, digit_pictures, undisturbed, [block])[block.key]
    for epoch in range(1, 5):
        mine = dict(weights)
        keeping = Memory(mine, block, stop=epoch)
        with pytest.raises(InterruptedTrainingError):
            study.compute(study.prepare(digit_pictures, block), block, keeping)
        watched.clear()
        again = Memory(mine, block, left=keeping.left)
        assert study.compute(study.prepare(digit_pictures, block), block, again) == expected
        assert [progress.epoch for progress in watched[-1].progress] == list(range(epoch + 1, 6))
        if condition == "base":
            assert_same(mine[block.key], undisturbed[block.key])


def test_a_training_leaves_something_now_and_then_and_never_after_its_end(digit_pictures, monkeypatch):
    block = find(planned := plan(digit_pictures, conditions="base", **{**QUICK, "epochs": 4}), "base")
    for pause, expected in ((-1.0, [1, 2, 3]), (1e9, [])):
        monkeypatch.setattr(layer_training, "SECONDS_BETWEEN_SAVES", pause)
        left = []
        keeping = Memory({}, block)
        keeping.keep_begun = lambda _, notes, left=left: left.append(msgspec.json.decode(notes)["epoch"])
        study.compute(study.prepare(digit_pictures, block), block, keeping)
        assert left == expected
        assert list(keeping.weights_of) == [block.key]
    assert len(planned.blocks) == 2


def test_only_bases_leave_weights(grid):
    planned, weights, _ = grid
    assert set(weights) == {block.key for block in planned.blocks if block.conditions == ("base",)}


# Other networks


@pytest.mark.slow
def test_residual_networks_are_inherited_with_their_statistics(tmp_path, watched):
    """Through files, as from one process of a run to another."""
    common = {"classes_per_half": 2, "pictures_per_class": 3, "test_pictures_per_class": 2, "epochs": 1}
    planned = plan(COLOURS, "x", network="resnet18", layers="4", conditions="base,AnB,AnB+", **common)
    blocks = [find(planned, "base", half="B"), find(planned, "AnB", 4), find(planned, "AnB+", 4)]
    for block in blocks:
        study.compute(study.prepare(COLOURS, block), block, BlockKeeping(Records(tmp_path), block))
    _, frozen, tuned = watched
    source = BlockKeeping(Records(tmp_path), blocks[1]).weights(0)
    assert source["stages.0.1.num_batches_tracked"] == 1
    for training in (frozen, tuned):
        assert_same(of_stages(training.start, range(4)), of_stages(source, range(4)))
    assert_same(of_stages(frozen.network.state_dict(), range(4)), of_stages(source, range(4)))
    for name, tensor in of_stages(tuned.network.state_dict(), range(4)).items():
        assert not torch.equal(tensor, torch.as_tensor(source[name])), name


@pytest.mark.slow
def test_the_papers_network_is_trained_on_moved_crops(watched, monkeypatch):
    pictures = noise(4, 4, 256)
    shown = []
    plain = layer_training.Cropped.take

    def noting(self, rows, generator=None):
        taken = plain(self, rows, generator)
        shown.append((generator is not None, taken.detach().clone()))
        return taken

    monkeypatch.setattr(layer_training.Cropped, "take", noting)
    few = {"epochs": 1, "batch": 3, "pictures_per_class": 2, "test_pictures_per_class": 1, "seeds": 1}
    planned = plan(pictures, "x", profile="paper", layers="3", conditions="base,BnB", class_split="random", **few)
    weights = {}
    blocks = [find(planned, "base"), find(planned, "BnB", 3)]
    tables = compute_all(planned, pictures, weights, blocks)
    assert all(np.isfinite(values(table)).all() for table in tables.values())
    assert {taken.shape[1:] for _, taken in shown} == {(3, 227, 227)}
    assert [len(taken) for moved, taken in shown if moved] == [3, 1, 3, 1]
    end = watched[-1].network.state_dict()
    assert_same(of_stages(end, range(3)), of_stages(weights[blocks[0].key], range(3)))
    (moved, still) = ([taken for was, taken in shown if was is drawn] for drawn in (True, False))
    assert torch.equal(still[0], still[1])  # base and selffer are tested on the same crops
    assert not torch.equal(moved[0], moved[2])


# What is said under the table


def test_remarks_count_classes_and_pictures(grid):
    import pandas as pd

    _, _, tables = grid
    frame = pd.concat([pd.DataFrame(table["halves"]) for table in tables.values()]).drop_duplicates()
    (remark,) = study.remarks({"halves": frame})
    assert remark == "Each half has 5 classes, with 6 training and 10 test pictures each; halves.csv says which."


def test_the_study_asks_for_pictures_of_the_networks_size(digit_pictures):
    assert study.STUDY.part == "networks"
    assert study.STUDY.shape == "pictures"
    parameters = msgspec.convert(plan(digit_pictures).settings.parameters, study.Parameters)
    for name, shape in study.NETWORKS.items():
        chosen = msgspec.structs.replace(parameters, network=name)
        assert study.STUDY.side(chosen) == shape.side
    assert set(study.SAYS) == set(CONDITIONS)
