"""Two feature spaces: who is drawn for what, what each condition is, and that nothing of the test reaches a network."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
import torch

from tlbench import datasets, protocol
from tlbench.datasets import DataError, FeaturePack, Options, SettingPacks
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.encoders import code_training, views
from tlbench.studies.encoders import encoder_decoder as study
from tlbench.study import Block

PARAMETERS = {
    "shots": [1, 3],
    "views": "histograms to coarse",
    "draws": 2,
    "classes": 3,
    "source_pictures": 12,
    "target_pictures": 10,
    "test_pictures": 20,
    "paired_pictures": 4,
    "noise": 0.1,
    "hidden": 6,
    "code": 4,
    "steps": 8,
    "learning_rate": 0.02,
    "reconstruction": 0.1,
    "alignment": 1.0,
    "classification": 1.0,
    "pairs": 1.0,
    "decay": 1e-4,
    "seed": 0,
}
UNIT = "classes 01"


@pytest.fixture(scope="module")
def digits():
    return datasets.open_data("digits", Options(), None)


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


@pytest.fixture(scope="module")
def sight(digits):
    return study.look(digits, parameters(), UNIT, 0)


def weights(sight, condition, **changed):
    network = code_training.trained(sight, parameters(**changed), condition, UNIT, 0)
    return [parameter.detach() for parameter in network.parameters()]


def same(one, other):
    return all(torch.equal(ours, theirs) for ours, theirs in zip(one, other, strict=True))


def test_no_picture_is_drawn_twice_and_pairs_never_carry_a_label(digits):
    """Rows are recognised by a view of one number: each picture's own place."""
    count = len(digits.identities)
    features = {"first": np.arange(count, dtype=float)[:, None], "second": np.arange(count, dtype=float)[:, None]}
    pack = dataclasses.replace(digits, features=features)
    asked = parameters(views="first to second")
    seen = study.look(pack, asked, UNIT, 0)
    place = {}
    for name, (values, labels), view in (
        ("source", seen.source, "source"),
        ("target", seen.target, "target"),
        ("test", seen.test, "target"),
    ):
        rows = _rows(values, seen, view, pack, asked)
        assert len(set(rows)) == len(rows)
        place[name] = set(rows)
        for row, label in zip(rows, labels, strict=True):
            assert row in pack.categories[seen.classes[label]]
    assert not place["source"] & place["target"]
    assert not (place["source"] | place["target"]) & place["test"]
    assert [len(seen.source[1]), len(seen.target[1]), len(seen.test[1])] == [36, 30, 60]
    pairs = _rows(seen.paired[1], seen, "target", pack, asked)
    np.testing.assert_array_equal(pairs, _rows(seen.paired[0], seen, "source", pack, asked))
    assert not set(pairs) & set(_rows(seen.target[0], seen, "target", pack, asked)[: 3 * 3])


def _rows(values, seen, end, pack, asked):
    """Undo the standardisation, whose mean and deviation are known from a second draw of the same rows."""
    draw = datasets.generator(asked.seed, "pictures of classes", UNIT, 0)
    parts = [draw.permutation(pack.categories[name]) for name in seen.classes]
    start, stop = (0, 12) if end == "source" else (12, 22)
    used = np.concatenate([part[start:stop] for part in parts]).astype(float)
    return np.rint(values[:, 0] * used.std() + used.mean()).astype(int).tolist()


def test_smaller_shots_are_the_beginnings_of_larger_ones(sight):
    _, target = code_training.domains(sight, parameters(), "encoder-decoder")
    for member, shots in enumerate((1, 3)):
        known = target.labelled[member] > 0
        assert known.sum() == 3 * shots
        np.testing.assert_array_equal(np.bincount(sight.target[1][known.numpy()]), [shots] * 3)
        assert target.labelled[member].sum() == pytest.approx(1.0)
    _, alone = code_training.domains(sight, parameters(), "without-unlabelled")
    assert torch.equal(alone.present, target.labelled)


def test_conditions_without_a_source_know_nothing_of_it(sight):
    other = dataclasses.replace(sight, source=(sight.source[0][::-1].copy() * 2, sight.source[1]))
    for condition in ("none", "own-autoencoder"):
        assert same(weights(sight, condition), weights(other, condition))
    assert not same(weights(sight, "shared-head"), weights(other, "shared-head"))


def test_only_those_with_a_decoder_or_alignment_see_unlabelled_pictures(sight):
    values = sight.target[0].copy()
    values[3 * 3 :] *= -1.0
    other = dataclasses.replace(sight, target=(values, sight.target[1]))
    for condition in study.SAYS:
        blind = condition in ("none", "shared-head", "without-unlabelled")
        assert same(weights(sight, condition), weights(other, condition)) == blind, condition


def test_only_one_condition_sees_pairs_and_none_reads_unknown_labels(sight):
    other = dataclasses.replace(sight, paired=(sight.paired[0] + 1.0, sight.paired[1]))
    labels = sight.target[1].copy()
    labels[3 * 3 :] = 0
    mislabelled = dataclasses.replace(sight, target=(sight.target[0], labels))
    for condition in study.SAYS:
        kept = weights(sight, condition)
        assert same(kept, weights(other, condition)) == (condition != "encoder-decoder-pairs")
        assert same(kept, weights(mislabelled, condition))


def test_strength_zero_is_the_ablation(sight):
    for condition, changed in (
        ("without-alignment", {"alignment": 0.0}),
        ("without-reconstruction", {"reconstruction": 0.0}),
        ("shared-head", {"alignment": 0.0, "reconstruction": 0.0}),
        ("encoder-decoder", {}),
    ):
        assert same(weights(sight, condition), weights(sight, "encoder-decoder", **changed))
    assert same(weights(sight, "encoder-decoder-pairs", pairs=0.0), weights(sight, "encoder-decoder"))


def test_nothing_of_the_test_reaches_a_network(digits):
    """Other test inputs and labels: the same weights, and views standardised the same way."""
    asked = parameters()
    draw = datasets.generator(asked.seed, "pictures of classes", UNIT, 0)
    held = np.concatenate(
        [draw.permutation(digits.categories[name])[22:42] for name in study.look(digits, asked, UNIT, 0).classes]
    )
    pixels = digits.features["pixels"].copy()
    pixels[held] = 1.0 - pixels[held]
    changed = dataclasses.replace(digits, features={"pixels": pixels})
    one, other = study.look(digits, asked, UNIT, 0), study.look(changed, asked, UNIT, 0)
    np.testing.assert_array_equal(one.target[0], other.target[0])
    np.testing.assert_array_equal(one.source[0], other.source[0])
    assert not np.allclose(one.test[0], other.test[0])
    for condition in study.SAYS:
        assert same(weights(one, condition), weights(other, condition))


def test_accuracies_are_the_mean_over_classes(sight, monkeypatch):
    class Fixed:
        def predict(self, inputs):
            return torch.stack([torch.zeros(len(inputs), dtype=torch.long), torch.from_numpy(sight.test[1])])

    monkeypatch.setattr(code_training, "trained", lambda *_: Fixed())
    assert code_training.accuracies(sight, parameters(), "none", UNIT, 0) == pytest.approx([100 / 3, 100.0])


def test_a_source_that_says_the_same_in_another_space_helps_through_pairs():
    """Two spaces that are one turned: what the source knows comes across."""
    draw = np.random.default_rng(0)
    kinds = np.repeat(np.arange(4), 60)
    centres = draw.normal(size=(4, 8)) * 1.2
    one = centres[kinds] + draw.normal(size=(240, 8))
    turned = one @ np.linalg.qr(draw.normal(size=(8, 8)))[0]
    pack = FeaturePack(
        identities=tuple(f"{row:03}" for row in range(240)),
        features={"one": one, "turned": turned},
        categories={f"kind {kind}": np.flatnonzero(kinds == kind) for kind in range(4)},
        background=np.array([], dtype=np.intp),
    )
    changed = {"views": "one to turned", "classes": 4, "steps": 150, "hidden": 16, "code": 8, "shots": [1]}
    asked = parameters(**changed, source_pictures=20, target_pictures=20, paired_pictures=15, pairs=5.0)
    seen = study.look(pack, asked, UNIT, 0)
    alone, paired = (
        code_training.accuracies(seen, asked, condition, UNIT, 0)[0] for condition in ("none", "encoder-decoder-pairs")
    )
    assert paired > alone + 5
    assert paired > 70


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"views": ["histograms"]}, "write SOURCE to TARGET, as in 'histograms to pixels'"),
        ({"views": ["pixels to pixels"]}, "do not name two feature spaces"),
        ({"alignment": float("inf")}, "alignment"),
        ({"learning_rate": 0.0}, ">= 1e-12"),
        ({"shots": [7]}, "7 shots and 4 paired pictures need as many target_pictures together, not 10"),
        ({"classes": 1}, ">= 2"),
        ({"reconstruction": -0.1}, ">= 0"),
    ],
)
def test_parameters_that_will_not_do(changed, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        parameters(**changed)


def test_data_that_will_not_do(digits):
    def refused(data, says, **changed):
        with pytest.raises(DataError, match=says):
            study.cut(data, parameters(**changed), list(study.SAYS), 1)

    refused(datasets.open_data("tasks", Options(), None), "0 categories|one feature space")
    refused(SettingPacks({"a": digits, "b": digits}), "not several settings")
    refused(
        digits,
        "there is no feature space 'sounds' in these data; there are pixels, histograms, coarse",
        views=["pixels to sounds"],
    )
    refused(digits, "9 categories; set classes to at most that", classes=10)
    refused(digits, "set source_pictures or target_pictures lower", source_pictures=200)
    only = dataclasses.replace(digits, features={"words": digits.features["pixels"]})
    refused(only, "one feature space; the experiment needs two")
    broken = digits.features["pixels"].copy()
    broken[3, 3] = np.nan
    refused(dataclasses.replace(digits, features={"pixels": broken}), "'pixels' holds numbers that are not finite")


def test_views_of_pictures_and_of_kinds(digits):
    assert views.views_of(digits) == ("pixels", "histograms", "coarse")
    np.testing.assert_array_equal(views.see(digits, "pixels", 0.1, 0), digits.features["pixels"])
    coarse = views.see(digits, "coarse", 0.1, 0)
    np.testing.assert_array_equal(coarse, views.see(digits, "coarse", 0.1, 0))
    assert not np.allclose(coarse, views.see(digits, "coarse", 0.1, 1))
    kinds = dataclasses.replace(
        digits, features={"pixels": digits.features["pixels"][:, :10], "b": digits.features["pixels"]}
    )
    assert views.views_of(kinds) == ("pixels", "b")
    np.testing.assert_array_equal(views.see(kinds, "pixels", 0.1, 0), kinds.features["pixels"])


def test_the_shipped_protocol_plans_a_block_a_condition_and_a_block_computes(digits):
    declared = protocol.read("encoder-decoder")
    settings = resolve(declared, study.STUDY, "smoke", {})
    plan = make_plan(declared, study.STUDY, settings, digits, digits.fingerprint)
    assert len(plan.blocks) == 2 * 2 * 8
    assert len(list(plan.tasks(plan.blocks))) == 2 * 2
    block = Block("encoder_decoder", 1, UNIT, (0,), "none", ("none",), PARAMETERS, "x")
    tables = study.compute(study.prepare(digits, block), block, None)
    assert tables["measurements"]["shots"] == [1, 3]
    assert tables["measurements"]["views"] == ["histograms to coarse"] * 2
    assert len(tables["classes"]["class"]) == 3


def test_the_protocol_knows_the_spaces_of_the_fetched_data():
    settings = resolve(protocol.read("encoder-decoder"), study.STUDY, None, {}, "multiple-features")
    from tlbench.datasets.multiple_features import WIDTHS

    ends = [end for pair in settings.factors["views"] for end in views.ends_of(pair)]
    assert len(ends) == 4
    assert set(ends) <= set(WIDTHS)
