"""The study of penalties: how it is cut, how strengths are chosen, and that no test reaches what is fitted."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch

from tlbench import protocol
from tlbench.datasets import ArrayPixels, DataError, LabelledPictures
from tlbench.datasets.digits import load_digit_pictures
from tlbench.methods.networks.training import TrainingError
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.studies.regularizers import parameter_regularizers as study
from tlbench.studies.regularizers import trainings

SMALL = {
    "source_epochs": "2",
    "source_pictures": "10",
    "unlabelled": "8",
    "steps": "3",
    "shots": "1,3",
    "draws": "1",
    "rehearsals": "2",
    "strengths": "0.01,1.0",
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def digits():
    return load_digit_pictures()


def plan(pictures, dataset="digits", profile="smoke", **overrides):
    declared = protocol.read("parameter-regularizers")
    settings = resolve(declared, study.STUDY, profile, {**SMALL, **overrides}, dataset)
    return make_plan(declared, study.STUDY, settings, pictures, pictures.fingerprint)


class Memory:
    """What blocks are handed, with nothing of a disk."""

    device = "cpu"

    def __init__(self):
        self.kept, self.block = {}, None

    def weights(self, need):
        return self.kept[self.block.needs[need]]

    def keep_weights(self, arrays):
        self.kept[self.block.key] = arrays


def computed(pictures, planned, only=lambda _: True):
    """Tables of each block in the order of the plan, by (unit, group), and what was kept."""
    keeping, found = Memory(), {}
    for block in filter(only, planned.blocks):
        keeping.block = block
        found[block.unit, block.group] = study.compute(study.prepare(pictures, block), block, keeping)
    return found, keeping.kept


@pytest.fixture(scope="module")
def finished(digits):
    planned = plan(digits, draws="2")
    return planned, *computed(digits, planned)


def test_a_run_is_cut_into_sources_rehearsals_and_what_is_reported(digits):
    planned = plan(digits, draws="3", conditions="nothing,l2,bss")
    groups = pd.Series([block.group for block in planned.blocks])
    assert groups.value_counts().to_dict() == {
        "source": 3 + 2,
        "rehearse l2": 2,
        "rehearse bss": 2,
        "fine-tune nothing": 3,
        "fine-tune l2": 3,
        "fine-tune bss": 3,
    }
    assert planned.cells == 3 * 3 * 2
    place = {block.key: number for number, block in enumerate(planned.blocks)}
    for number, block in enumerate(planned.blocks):
        assert all(place[need] < number for need in block.needs)
    (block,) = [b for b in planned.blocks if b.unit == "draw 02" and b.group == "fine-tune bss"]
    needed = [planned.blocks[place[need]] for need in block.needs]
    assert [(b.unit, b.group) for b in needed] == [
        ("draw 02", "source"),
        ("rehearsal 1", "rehearse bss"),
        ("rehearsal 2", "rehearse bss"),
    ]


def test_another_condition_or_split_leaves_all_other_blocks(digits):
    keys = {block.key for block in plan(digits, conditions="nothing,l2").blocks}
    assert keys < {block.key for block in plan(digits, conditions="nothing,l2,delta").blocks}
    assert keys < {block.key for block in plan(digits, conditions="nothing,l2", seeds="2").blocks}


def test_all_conditions_are_measured_and_all_penalties_rehearsed(finished):
    _, found, _ = finished
    for condition in study.SAYS:
        tables = found["draw 02", f"fine-tune {condition}"]
        measured = pd.DataFrame(tables["measurements"])
        assert list(zip(measured["shots"], measured["metric"], strict=True)) == [
            (1, "accuracy"),
            (1, "distance"),
            (3, "accuracy"),
            (3, "distance"),
        ]
        assert measured[measured["metric"] == "accuracy"]["value"].between(0, 100).all()
        assert (measured[measured["metric"] == "distance"]["value"] > 0).all()
        if condition == "nothing":
            assert "strengths" not in tables
            continue
        rehearsed = pd.DataFrame(found["rehearsal 1", f"rehearse {condition}"]["rehearsals"])
        assert list(zip(rehearsed["shots"], rehearsed["strength"], strict=True)) == [
            (1, 0.01),
            (1, 1.0),
            (3, 0.01),
            (3, 1.0),
        ]
    for name, columns in study.STUDY.tables.items():
        assert any(list(tables[name]) == list(columns) for tables in found.values() if name in tables)


def test_the_strength_is_the_best_by_the_mean_over_rehearsals(finished):
    _, found, _ = finished
    for condition in study.SAYS:
        if condition == "nothing":
            continue
        rehearsed = pd.concat(
            [pd.DataFrame(found[f"rehearsal {n}", f"rehearse {condition}"]["rehearsals"]) for n in (1, 2)]
        )
        mean = rehearsed.groupby(["shots", "strength"])["accuracy"].mean().unstack()
        for number in (1, 2):
            chosen = found[f"draw 0{number}", f"fine-tune {condition}"]["strengths"]
            assert chosen["strength"] == [mean.loc[shots].idxmax() for shots in (1, 3)]


def test_of_equally_good_strengths_the_least_is_chosen_whatever_their_order():
    seen = np.array([[[50.0, 90.0, 70.0], [80.0, 10.0, 80.0]], [[50.0, 50.0, 70.0], [80.0, 10.0, 80.0]]])
    assert trainings.best_strengths(seen, [1.0, 10.0, 0.1]) == [0.1, 0.1]
    assert trainings.best_strengths(seen[:1], [1.0, 10.0, 0.1]) == [10.0, 0.1]


def test_at_strength_zero_every_penalty_is_plain_fine_tuning(digits, finished):
    planned, found, kept = finished
    source = kept[next(b.key for b in planned.blocks if (b.unit, b.group) == ("draw 01", "source"))]
    keeping = Memory()
    block = next(b for b in planned.blocks if (b.unit, b.group) == ("draw 01", "fine-tune nothing"))
    keeping.block, keeping.kept = block, {block.needs[0]: source}
    task = study.prepare(digits, block)
    task.parameters = msgspec.structs.replace(task.parameters, strengths=[0.0])
    plain = found["draw 01", "fine-tune nothing"]["measurements"]["value"][::2]
    for condition in study.SAYS:
        assert task.rehearse(condition, keeping)["rehearsals"]["accuracy"] == plain
        assert keeping.kept[block.key]["accuracy"].shape == (2, 1)


def test_what_is_compared_starts_from_the_same_weights(digits, finished):
    planned, _, kept = finished
    starts = []
    for condition in ("l2", "delta"):
        block = next(b for b in planned.blocks if (b.unit, b.group) == ("draw 01", f"fine-tune {condition}"))
        keeping = Memory()
        keeping.block, keeping.kept = block, kept
        task = study.prepare(digits, block)
        source = task.kept_source(keeping)
        starts.append(task.start(source).state_dict())
    for name, values in starts[0].items():
        assert torch.equal(values, starts[1][name])
        inherited = not name.startswith("stages.3")
        assert torch.equal(values, source.network.state_dict()[name]) == inherited or values.shape[0] == 5


def test_no_test_picture_reaches_what_is_kept_or_chosen(digits, finished):
    """Other pictures in all tests of reported units, and other labels, change neither weights nor strengths."""
    planned, found, kept = finished
    tested = np.unique(
        np.concatenate([study.prepare(digits, b).drawn.test for b in planned.blocks if b.group == "fine-tune nothing"])
    )
    used = np.concatenate(
        [
            np.r_[task.drawn.source, task.drawn.labelled.ravel(), task.drawn.unlabelled]
            for task in (study.prepare(digits, b) for b in planned.blocks if b.unit == "draw 01")
        ]
    )
    values = digits.pixels.take(np.arange(len(digits.labels))).copy()
    only_tested = np.setdiff1d(tested, used)
    values[only_tested] = 255 - values[only_tested]
    other = dataclasses.replace(digits, pixels=ArrayPixels(values, digits.fingerprint))
    few = ("source", "rehearse l2", "rehearse laplacian", "fine-tune l2", "fine-tune laplacian")
    again, kept_again = computed(
        other, planned, lambda b: b.group in few and b.unit in ("draw 01", "rehearsal 1", "rehearsal 2")
    )
    for key, arrays in kept_again.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, kept[key][name])
    for condition in ("l2", "laplacian"):
        one, two = (which["draw 01", f"fine-tune {condition}"] for which in (found, again))
        assert one["strengths"] == two["strengths"]
        assert one["measurements"]["value"][1::2] == two["measurements"]["value"][1::2]  # distances
        assert one["measurements"]["value"][::2] != two["measurements"]["value"][::2]


def test_a_strength_that_is_too_large_counts_as_nothing_right_and_is_told_where_it_is_all_there_is(digits):
    planned = plan(digits, conditions="l2", strengths="1e12", shots="1", rehearsals="1")
    keeping, found = Memory(), {}
    for block in planned.blocks[:-1]:
        keeping.block = block
        found[block.group] = study.compute(study.prepare(digits, block), block, keeping)
    assert found["rehearse l2"]["rehearsals"]["accuracy"] == [0.0]
    keeping.block = planned.blocks[-1]
    with pytest.raises(TrainingError, match=r"l2 at strength 1e\+12 .* set a lower learning_rate or smaller strengths"):
        study.compute(study.prepare(digits, keeping.block), keeping.block, keeping)


def test_pictures_that_are_larger_and_coloured_go_through_too():
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 24)
    values = draw.integers(0, 255, (96, 32, 32, 3)).astype(np.uint8)
    pictures = LabelledPictures(ArrayPixels(values), labels, ("a", "b", "c", "d"))
    few = {"test_pictures": "5", "unlabelled": "7", "steps": "1", "shots": "1", "source_epochs": "1"}
    planned = plan(pictures, "folder", conditions="l2-sp", rehearsals="1", strengths="1.0", **few)
    found, _ = computed(pictures, planned)
    assert found["draw 01", "source"]["sources"]["source_pictures"] == [2 * 10]
    assert len(found["draw 01", "fine-tune l2-sp"]["measurements"]["value"]) == 2


def test_pictures_of_another_size_are_refused(digits):
    with pytest.raises(DataError, match=r"small32 takes pictures of 32 × 32 .* 8 × 8; set network=digits4 or digits8"):
        plan(digits, network="small32")
    other = LabelledPictures(ArrayPixels(np.zeros((8, 9, 9, 1), np.uint8)), np.arange(8) % 4, ("a", "b", "c", "d"))
    with pytest.raises(DataError, match="networks take 8 or 32 pixels a side"):
        plan(other)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"p": "0.5"}, ">= 1"),
        ({"p": "inf"}, "p: "),
        ({"k": "0"}, ">= 1"),
        ({"strengths": "0.1,0.1"}, "strengths names one of them twice"),
        ({"strengths": "0,1"}, ">= 1e-12"),
        ({"strengths": "1,inf"}, "<= 1000000000000"),
        ({"unlabelled": "6"}, "6 neighbours need more unlabelled pictures than 6"),
        ({"learning_rate": "nan"}, "learning_rate"),
        ({"head_decay": "-1"}, ">= 0"),
        ({"network": "resnet18"}, "network"),
        ({"shots": "0"}, ">= 1"),
        ({"rehearsals": "0"}, ">= 1"),
        ({"conditions": "l2-ps"}, "did you mean 'l2-sp'"),
    ],
)
def test_choices_that_will_not_do_are_refused(digits, changed, says):
    with pytest.raises(ProtocolError, match=says):
        plan(digits, **changed)


def test_more_labels_than_there_are_pictures_are_refused(digits):
    with pytest.raises(DataError, match=r"class '.*' has .* pictures in its reported half; .*shots=60 need 100"):
        plan(digits, shots="60")


def test_the_remark_counts_strengths_and_rehearsals():
    assert study.remarks({}) == []
    table = pd.DataFrame({"strength": [0.1, 1.0, 0.1], "unit": ["a", "a", "b"]})
    assert "one of 2, chosen on 2 rehearsals with" in study.remarks({"rehearsals": table})[0]
