"""Inherited encoders under new decoders: disjoint classes, shared draws, and nothing of the test in any weight."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch

from tlbench import datasets, protocol
from tlbench.datasets import ArrayPixels, DataError, LabelledPictures, Options
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.encoders import decoder_training
from tlbench.studies.encoders import new_decoder as study
from tlbench.studies.encoders.decoder_pictures import draw_pictures_made
from tlbench.study import Block

PARAMETERS = {
    "task": "reconstruction",
    "pictures": [5, 30],
    "draws": 2,
    "classes_per_half": 5,
    "test_pictures": 40,
    "noise": 0.3,
    "ink": 0.5,
    "hidden": 10,
    "code": 6,
    "batch": 8,
    "source_steps": 10,
    "steps": 10,
    "learning_rate": 0.01,
    "seed": 0,
}
UNIT = "split 01"


@pytest.fixture(scope="module")
def digits():
    return datasets.open_pictures("digits", Options(), None)


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def unit(data, **changed):
    asked = parameters(**changed)
    return decoder_training.Unit(study.draw(data, asked, UNIT, 0), asked, UNIT, 0)


def state(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def same(one, other):
    return all(torch.equal(ours, theirs) for ours, theirs in zip(one, other, strict=True))


def test_source_and_target_share_no_class_and_training_and_test_no_picture(digits):
    drawn = study.draw(digits, parameters(noise=0.0), UNIT, 0)
    assert not set(drawn.classes[0]) & set(drawn.classes[1])
    whole = (digits.pixels.take(np.arange(len(digits.labels))).reshape(-1, 64) / 255).astype(np.float32)
    label_of = {picture.tobytes(): digits.classes[label] for picture, label in zip(whole, digits.labels, strict=True)}
    assert {label_of[picture.tobytes()] for picture in drawn.source[0]} == set(drawn.classes[0])
    for picture, label in zip(drawn.source[0], drawn.source_labels, strict=True):
        assert label_of[picture.tobytes()] == drawn.classes[0][label]
    training, test = ({picture.tobytes() for picture in part[0]} for part in (drawn.target, drawn.test))
    assert {label_of[picture] for picture in training | test} <= set(drawn.classes[1])
    assert not training & test
    assert (len(training), len(test)) == (30, 40)
    np.testing.assert_array_equal(*drawn.test)


def test_the_noise_of_a_picture_is_the_same_for_all_who_see_it(digits):
    small, large = (study.draw(digits, parameters(pictures=sizes), UNIT, 0) for sizes in ([5], [5, 60]))
    np.testing.assert_array_equal(small.target[1], large.target[1][:5])
    np.testing.assert_array_equal(small.test[1], large.test[1])
    assert (large.target[1] - large.target[0]).std() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("condition", list(study.SAYS))
def test_nothing_of_the_test_reaches_a_weight(digits, condition, monkeypatch):
    learned = []
    learn = decoder_training.learn

    def watched(encoder, decoder, *given):
        learn(encoder, decoder, *given)
        learned.append(state(encoder) + state(decoder))

    monkeypatch.setattr(decoder_training, "learn", watched)
    one, other = unit(digits), unit(digits)
    clean, noisy = other.drawn.test
    other.drawn = dataclasses.replace(other.drawn, test=(1 - clean, noisy * 2 - 3))
    scores = [each.train(condition, "reconstruction")[1] for each in (one, other)]
    half = len(learned) // 2
    for ours, theirs in zip(learned[:half], learned[half:], strict=True):
        assert same(ours, theirs)
    assert scores[0] != scores[1]


def test_conditions_start_where_they_say(digits):
    own = unit(digits)
    scratch, random, frozen, tuned = (
        state(own.start(name)) for name in ("scratch", "random-frozen", "frozen", "tuned")
    )
    assert same(scratch, random)  # the same draw, frozen or not
    assert same(frozen, tuned)
    assert not same(scratch, frozen)
    for weight, source in zip(frozen, state(own.classifier), strict=True):
        assert torch.equal(weight, source.expand_as(weight))
    assert same(state(own.start("autoencoder-frozen")), state(own.start("autoencoder-tuned")))
    assert not same(state(own.start("autoencoder-frozen")), frozen)
    for name in study.SAYS:
        takes = {parameter.requires_grad for parameter in own.start(name).parameters()}
        assert takes == {not name.endswith("frozen")}


def test_frozen_encoders_stay_bit_identical(digits):
    own = unit(digits)
    before = state(own.classifier), state(own.autoencoder)
    for condition in study.SAYS:
        own.train(condition, "segmentation")
    assert same(before[0], state(own.classifier))
    assert same(before[1], state(own.autoencoder))


def test_labels_of_the_target_are_never_read(digits):
    own = unit(digits)
    halves = own.drawn.classes
    inside = np.isin(digits.labels, [digits.classes.index(name) for name in halves[1]])
    labels = digits.labels.copy()
    places = np.flatnonzero(inside)
    labels[places] = labels[places][np.random.default_rng(0).permutation(len(places))]
    other = unit(LabelledPictures(digits.pixels, labels, digits.classes))
    assert own.train("tuned", "segmentation")[1] == other.train("tuned", "segmentation")[1]


def test_more_training_learns_the_task(digits):
    own = unit(digits, pictures=[400], steps=200, hidden=32, code=16, batch=32, learning_rate=0.02)
    ((explained,), (shared,)) = (own.train("scratch", task)[1] for task in ("reconstruction", "segmentation"))
    assert 35 < explained < 100
    assert 60 < shared < 100


def test_the_examples_are_the_pictures(digits):
    own = unit(digits)
    made, _ = own.train("scratch", "segmentation")
    rows = own.examples(made, "scratch", "segmentation")
    assert rows["pictures"] == [5] * 4
    numbers = np.array([row.split() for row in rows["wanted"]], dtype=int)
    np.testing.assert_array_equal(numbers, 255 * (own.drawn.test[0][:4] > 0.5))
    np.testing.assert_array_equal(
        np.array([row.split() for row in rows["made"]], dtype=int), np.rint(255 * made[0, :4])
    )


def test_the_figure_shows_every_picture_and_nothing_where_there_is_none(digits):
    own = unit(digits)
    parts = [
        pd.DataFrame(own.examples(own.train(name, task)[0], name, task))
        for task in ("reconstruction", "segmentation")
        for name in ("scratch", "frozen")
    ]
    drawn = draw_pictures_made({"examples": pd.concat(parts)})
    assert sum(len(axes.images) for axes in drawn.axes) == 2 * 4 * 4
    first = drawn.axes[0].images[0].get_array()
    np.testing.assert_array_equal(first.ravel(), np.array(parts[0]["seen"].iloc[0].split(), dtype=int))
    assert draw_pictures_made({}) is None
    assert draw_pictures_made({"examples": pd.DataFrame()}) is None


def test_a_block_computes_and_the_first_unit_keeps_examples(digits):
    for name, has in ((UNIT, True), ("split 02", False)):
        block = Block("new_decoder", 1, name, (0,), "reconstruction tuned", ("tuned",), PARAMETERS, "x")
        tables = study.compute(study.prepare(digits, block), block, None)
        assert tables["measurements"]["pictures"] == [5, 30]
        assert ("examples" in tables) == has


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"task": ["painting"]}, "task"),
        ({"noise": float("inf")}, "noise"),
        ({"ink": 1.0}, "< 1"),
        ({"pictures": []}, "length >= 1"),
        ({"learning_rate": float("inf")}, "learning_rate"),
    ],
)
def test_parameters_that_will_not_do(changed, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        parameters(**changed)


def test_data_that_will_not_do(digits):
    with pytest.raises(DataError, match="10 classes; set classes_per_half to at most 5"):
        study.cut(digits, parameters(classes_per_half=6), ["scratch"], 1)
    with pytest.raises(DataError, match="and 1040 are needed; set pictures or test_pictures lower"):
        study.cut(digits, parameters(pictures=[1000]), ["scratch"], 1)
    oblong = LabelledPictures(ArrayPixels(np.zeros((4, 8, 6, 1), np.uint8)), np.array([0, 0, 1, 1]), ("a", "b"))
    with pytest.raises(DataError, match="8 × 6 pixels; this experiment takes square ones"):
        study.cut(oblong, parameters(), ["scratch"], 1)


def test_the_shipped_protocol_plans_a_block_a_task_and_a_condition(digits):
    declared = protocol.read("new-decoder")
    settings = resolve(declared, study.STUDY, "smoke", {})
    plan = make_plan(declared, study.STUDY, settings, digits, digits.fingerprint)
    assert len(plan.blocks) == 2 * 2 * 6
    assert len(list(plan.tasks(plan.blocks))) == 2
