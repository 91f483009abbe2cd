"""Likeness against transfer: what is drawn, what is handed to each training, and that no test picture is seen."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch

from tlbench import datasets, protocol
from tlbench.datasets import ArrayPixels, DataError, LabelledPictures
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.studies.similarity import class_similarity as study
from tlbench.studies.similarity import frozen_transfer

TINY = {
    "targets": "2",
    "epochs": "2",
    "source_epochs": "2",
    "source_pictures_per_class": "12",
    "validation_pictures_per_class": "6",
    "test_pictures_per_class": "8",
    "layers": "2,5,7",
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digit_pictures():
    return datasets.open_pictures("digits", datasets.Options(), Path("unused"))


def noise(classes, each, side, channels=3, test=0):
    """Pictures of noise, the last ``test`` of each class its test part."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    values = draw.integers(0, 256, (len(labels), side, side, channels)).astype(np.uint8)
    is_test = np.tile(np.arange(each) >= each - test, classes) if test else None
    return LabelledPictures(ArrayPixels(values), labels, tuple(f"c{n}" for n in range(classes)), is_test)


def settings_of(dataset="digits", profile="smoke", **overrides):
    declared = protocol.read("class-similarity")
    return declared, resolve(declared, study.STUDY, profile, {**TINY, **overrides}, dataset)


def parameters_of(dataset="digits", **overrides):
    return msgspec.convert(settings_of(dataset, **overrides)[1].parameters, study.Parameters)


def plan(pictures, dataset="digits", **overrides):
    declared, settings = settings_of(dataset, **overrides)
    return make_plan(declared, study.STUDY, settings, pictures, pictures.fingerprint)


class Memory:
    """What a block is handed, with nothing of a disk."""

    device = "cpu"

    def __init__(self, kept, block):
        self.kept, self.block = kept, block

    def weights(self, need):
        return self.kept[self.block.needs[need]]

    def keep_weights(self, arrays):
        self.kept[self.block.key] = {name: np.array(values) for name, values in arrays.items()}


def compute_all(planned, pictures):
    kept = {}
    shared = study.prepare(pictures, planned.blocks[0])
    return [study.compute(shared, block, Memory(kept, block)) for block in planned.blocks], kept


def rows_of(tables, name):
    return pd.concat([pd.DataFrame(part[name]) for part in tables if name in part], ignore_index=True)


@pytest.fixture(scope="module")
def computed(digit_pictures):
    torch.set_num_threads(1)
    return compute_all(plan(digit_pictures, targets="1"), digit_pictures)[0]


# What is drawn


def test_sets_of_classes_are_distinct_and_fewer_are_the_first_of_more():
    names = tuple("abcde")
    many = study.distinct_sets(names, 3, 10, np.random.default_rng(0))
    assert len(set(many)) == 10  # all that there are
    assert all(list(one) == sorted(one) for one in many)
    assert study.distinct_sets(names, 3, 4, np.random.default_rng(0)) == many[:4]


def test_a_targets_sources_have_none_of_its_classes_and_differ(digit_pictures):
    parameters = parameters_of()
    target = study.target_task(digit_pictures, parameters, "target 002")
    sources = [study.source_task(digit_pictures, parameters, "target 002", split) for split in range(5)]
    assert all(set(source.classes).isdisjoint(target.classes) for source in sources)
    assert len({source.classes for source in sources}) == 5
    assert target.classes != study.target_task(digit_pictures, parameters, "target 001").classes


@pytest.mark.parametrize("test", [0, 10])
def test_parts_are_disjoint_and_of_the_sizes_asked_for(test):
    pictures = noise(8, 40, 8, 1, test)
    task = study.target_task(pictures, parameters_of(), "target 001")
    parts = task.training, task.validation, task.test
    assert len(np.unique(np.concatenate(parts))) == sum(map(len, parts))
    for rows, each in zip(parts, (10, 6, 8), strict=True):
        counts = np.bincount(pictures.labels[rows], minlength=8)
        assert {pictures.classes[place] for place in np.flatnonzero(counts)} == set(task.classes)
        assert set(counts[counts > 0]) == {each}
    if test:
        assert [pictures.is_test[rows].any() for rows in parts] == [False, False, True]
        assert pictures.is_test[task.test].all()
    source = study.source_task(pictures, parameters_of(), "target 001", 0)
    assert (len(source.training), len(source.test)) == (36, 0)
    assert not test or not pictures.is_test[source.training].any()


def test_more_targets_or_sources_leave_the_blocks_of_the_others_as_they_are(digit_pictures):
    few, more = plan(digit_pictures), plan(digit_pictures, seeds="4")
    assert {block.key for block in few.blocks} < {block.key for block in more.blocks}
    bases = [block for block in few.blocks if block.conditions == ("base",)]
    assert few.blocks[:2] == tuple(bases)
    heirs = few.blocks[2:]
    assert [(block.unit, block.splits, block.needs) for block in heirs] == [
        (base.unit, (split,), (base.key,)) for base in bases for split in range(2)
    ]
    assert few.cells == 2 + 4 * 3


# What is handed to each training


@dataclasses.dataclass
class Watched:
    start: dict
    layers: int
    inputs: torch.Tensor
    labels: torch.Tensor
    network: object


def test_heirs_keep_the_sources_layers_and_start_as_their_base(digit_pictures, monkeypatch):
    seen, train = [], frozen_transfer.train

    def watch(network, layers, learning, *more, **keys):
        start = {name: values.clone() for name, values in network.state_dict().items()}
        seen.append(Watched(start, layers, learning[0].values.clone(), learning[1], network))
        return train(network, layers, learning, *more, **keys)

    monkeypatch.setattr(frozen_transfer, "train", watch)
    planned = plan(digit_pictures, targets="1", seeds="1")
    compute_all(planned, digit_pictures)
    base, source, *heirs = seen
    assert [heir.layers for heir in heirs] == [2, 5, 7]
    target = study.target_task(digit_pictures, parameters_of(), "target 001")
    pixels = torch.from_numpy(digit_pictures.pixels.take(target.training)).float().permute(0, 3, 1, 2)
    for heir in heirs:
        for name, values in heir.network.state_dict().items():
            stage = int(name.split(".")[1])
            if stage < heir.layers:
                assert torch.equal(values, source.network.state_dict()[name])
            else:
                assert torch.equal(heir.start[name], base.start[name])
                assert not torch.equal(values, heir.start[name])
        with torch.no_grad():
            wanted = source.network.eval()((pixels - 127.5) / 64.0, 0, heir.layers)
        given = heir.inputs.permute(0, 3, 1, 2) if heir.inputs.ndim == 4 else heir.inputs
        assert torch.allclose(given, wanted, atol=1e-5)
        assert torch.equal(heir.labels, base.labels)
    names = np.array(target.classes)[base.labels.numpy()]
    assert names.tolist() == [digit_pictures.classes[label] for label in digit_pictures.labels[target.training]]


def test_gains_and_scores_of_a_pair_are_those_of_its_rows(computed):
    measured, pairs = rows_of(computed, "measurements"), rows_of(computed, "pairs")
    test = measured[measured["metric"] == "accuracy"]
    (base,) = test[test["condition"] == "base"]["value"]
    assert list(pairs.columns) == list(study.STUDY.tables["pairs"])
    assert np.isfinite(pairs.select_dtypes("number")).all(axis=None)
    for _, pair in pairs.iterrows():
        own = test[(test["condition"] == "AnB") & (test["split"] == pair["split"])].set_index("layers")["value"]
        assert pair["base"] == base
        assert pair["gain"] == pytest.approx(own[[5, 7]].mean() - base)
        chosen = 0.0 if pair["best"] == 0 else own[pair["best"]] - base
        assert pair["gain_at_best"] == pytest.approx(chosen)


def test_the_same_block_gives_the_same_bytes_and_other_depths_change_nothing(digit_pictures, computed):
    again, _ = compute_all(plan(digit_pictures, targets="1"), digit_pictures)
    assert msgspec.json.encode(again) == msgspec.json.encode(computed)
    fewer, _ = compute_all(plan(digit_pictures, targets="1", layers="5"), digit_pictures)
    measured = rows_of(computed, "measurements")
    kept = measured[measured["layers"].isin([0, 5])].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows_of(fewer, "measurements"), kept)


def test_no_score_and_no_choice_sees_a_test_picture(digit_pictures, computed):
    parameters = parameters_of()
    target = study.target_task(digit_pictures, parameters, "target 001")
    pixels = digit_pictures.pixels.take(np.arange(len(digit_pictures.labels))).copy()
    pixels[target.test] = np.random.default_rng(0).integers(0, 256, pixels[target.test].shape)
    spoilt = dataclasses.replace(digit_pictures, pixels=ArrayPixels(pixels))
    for split in range(2):  # a source never draws them: they are of the target's classes
        assert set(study.source_task(spoilt, parameters, "target 001", split).training).isdisjoint(target.test)
    found, _ = compute_all(plan(spoilt, targets="1"), spoilt)
    before, after = (rows_of(tables, "pairs") for tables in (computed, found))
    untouched = [*study.SCORES, "best"]
    pd.testing.assert_frame_equal(before[untouched], after[untouched])
    assert not before["gain"].equals(after["gain"])
    choosing = [
        rows_of(tables, "measurements").query("metric == 'validation_accuracy'") for tables in (computed, found)
    ]
    pd.testing.assert_frame_equal(*choosing)


# How many layers can be shared


@pytest.mark.parametrize(
    ("gains", "wanted"),
    [
        ([2.0, 1.0, 0.0, -0.5], 4.0),  # never a point below
        ([2.0, 1.0, 0.0, -2.0], 3.5),
        ([0.0, -3.0, -3.0, -3.0], 1 + 1 / 3),
        ([-2.0, -2.0, -4.0, -9.0], 0.5),  # from zero without a layer
        ([-2.0, 1.0, 1.0, -5.0], 3 + 1 / 5),  # one noisy value is smoothed: the first three become 0
        ([-6.0, 1.0, 1.0, 1.0], 4.0),  # to fall or stay: all become −0.75
    ],
)
def test_layers_are_shared_until_a_point_is_lost(gains, wanted):
    found = frozen_transfer.shareable_layers(np.arange(1, 5), np.array(gains), 1.0)
    assert found == pytest.approx(wanted)


def test_depths_that_were_left_out_are_bridged():
    assert frozen_transfer.shareable_layers(np.array([2, 6]), np.array([1.0, -3.0]), 1.0) == pytest.approx(4.0)
    assert frozen_transfer.shareable_layers(np.array([4]), np.array([-2.0]), 1.0) == pytest.approx(2.0)


def test_smoothing_is_the_nearest_falling_row_of_numbers():
    gains = np.array([0.0, -4.0, 1.0, -6.0, -5.0])
    found = frozen_transfer.isotonic_regression(gains, increasing=False)
    grid = np.random.default_rng(0).normal(found, 0.5, (20_000, 5))
    falling = -np.sort(-grid, axis=1)
    assert np.sum((found - gains) ** 2) <= np.sum((falling - gains) ** 2, axis=1).min()


# Refusals


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"conditions": "AnB"}, "conditions must be base and AnB"),
        ({"layers": "1,8"}, "layers may be 1 to 7, not 8"),
        ({"tolerance": "inf"}, "tolerance"),
        ({"learning_rate": "0"}, "learning_rate"),
        ({"classes_per_task": "1"}, "classes_per_task"),
        ({"network": "caffenet"}, "network"),
    ],
)
def test_what_a_run_cannot_be_set_to(digit_pictures, overrides, says):
    with pytest.raises(ProtocolError, match=says):
        plan(digit_pictures, **overrides)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"network": "small32"}, "network small32 takes pictures of 32 × 32 pixels, and these have 8 × 8; set netw"),
        ({"classes_per_task": "6"}, "there are 10 classes, and a target and a source of 6 need 12"),
        ({"targets": "121"}, "3 of 10 classes make 120 different targets, not 121"),
        ({"seeds": "36"}, r"3 of 7 other classes make 35 different sources \(seeds\), not 36"),
        ({"test_pictures_per_class": "160"}, "class 'eight' has 174 pictures, and 176 are asked for"),
        ({"source_pictures_per_class": "175"}, "class 'eight' has 174 pictures, and 175 are asked for"),
    ],
)
def test_what_the_digits_cannot_give(digit_pictures, overrides, says):
    with pytest.raises(DataError, match=says):
        plan(digit_pictures, **overrides)


def test_what_other_pictures_cannot_give():
    with pytest.raises(DataError, match="networks here take 8 or 32 pixels a side"):
        plan(noise(6, 40, 16))
    with pytest.raises(DataError, match="has 5 test pictures, and 8 are asked for"):
        plan(noise(8, 40, 8, 1, test=5))
    with pytest.raises(DataError, match="has 15 training pictures, and 16 are asked for"):
        plan(noise(8, 25, 8, 1, test=10))


# The protocol and its figures


def test_coloured_pictures_of_32_pixels_are_computed():
    pictures = noise(6, 40, 32, 3, test=8)
    planned = plan(pictures, dataset="folder", targets="1", seeds="1", layers="3,7", pictures_per_class="4")
    tables, _ = compute_all(planned, pictures)
    assert np.isfinite(rows_of(tables, "pairs").select_dtypes("number")).all(axis=None)


def made_up(units=6, splits=3, seed=0):
    """Tables in which LogME says all and the others nothing."""
    draw = np.random.default_rng(seed)
    pairs, measured = [], []
    for unit in range(units):
        measured.append((f"u{unit}", 0, "base", 0, "accuracy", 90.0))
        for split, order in enumerate(draw.permutation(splits)):
            scores = {score: draw.normal() for score in study.SCORES} | {"logme": float(order)}
            pairs.append({"unit": f"u{unit}", "split": split, **scores, "gain": 2.0 * order, "shareable": order + 1.0})
            measured += [(f"u{unit}", split, "AnB", n, "accuracy", 90.0 + 2.0 * order - n) for n in (1, 2, 3)]
    columns = ["unit", "split", "condition", "layers", "metric", "value"]
    return {"pairs": pd.DataFrame(pairs), "measurements": pd.DataFrame(measured, columns=columns)}


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title, axes._left_title)]


@pytest.mark.parametrize("name", ["gain", "depth"])
def test_scatters_say_the_correlations_that_the_claims_test(name):
    tables = made_up()
    figure = study.STUDY.draws[name](tables)
    assert len(figure.axes) == 12
    said = [text for text in texts(figure) if text.startswith("ρ")]
    assert len(said) == 12
    assert [axes._left_title.get_text() for axes in figure.axes][3].startswith("ρ = 1.00")
    upper = figure.axes[3].collections[0].get_offsets()
    assert len(upper) == 18
    assert np.abs(upper.mean(axis=0)).max() < 1e-9
    assert len(figure.axes[9].collections[0].get_offsets()) == 6


def test_curves_of_the_most_and_the_least_alike():
    figure = study.STUDY.draws["likeness"](made_up())
    by_logme = [line for line in figure.axes[2].get_lines() if len(line.get_xdata()) == 4]
    most, between, least = (np.array(line.get_ydata()) for line in by_logme)
    assert most == pytest.approx([0, 3, 2, 1])
    assert between == pytest.approx([0, 1, 0, -1])
    assert least == pytest.approx([0, -1, -2, -3])


def test_where_there_is_nothing_to_draw():
    tables = made_up(splits=1)
    assert all(draw({"measurements": tables["measurements"]}) is None for draw in study.STUDY.draws.values())
    assert study.STUDY.draws["likeness"](tables) is None
    assert study.STUDY.draws["gain"](made_up(units=1, splits=2)) is not None


def test_every_data_set_that_the_protocol_speaks_of_resolves():
    declared = protocol.read("class-similarity")
    for dataset in ("digits", "", *declared.datasets):
        for profile in declared.profiles:
            resolve(declared, study.STUDY, profile, {}, dataset)


def test_remarks_count_pairs_and_say_what_choosing_brings():
    pairs = pd.DataFrame({"gain": [-10.0, 0.0, 10.0], "best": [0.0, 1.0, 2.0], "gain_at_best": [0.0, 1.0, 3.5]})
    counted, chosen = study.remarks({"pairs": pairs})
    assert counted.startswith("3 pairs of target and source; ")
    assert "-8.0 to +8.0 points" in counted
    assert chosen.endswith("is 1.0 on average, and brings +1.5 points.")
    assert study.remarks({}) == []
