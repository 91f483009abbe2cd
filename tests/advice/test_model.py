"""A model's file: the same decisions as the machine in memory, and nothing but what `advise` wrote."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import tlbench
from tests.advice.conftest import make_material
from tlbench import features, keeping
from tlbench.advice import KindOfModel, advise
from tlbench.advice.machines import cast, train_options
from tlbench.advice.roles import target_rows
from tlbench.datasets import DataError


@pytest.fixture(scope="module")
def advice():
    material = make_material()
    kinds = {kind: KindOfModel() for kind in material.pack.features}
    return material, advise(material, kinds)


def test_a_file_decides_as_the_machine_in_memory(advice, tmp_path):
    material, found = advice
    rows = target_rows(material, 0)
    task = cast(material.pack, rows, [material.shots])
    machine = train_options(task, 0)[found.option]
    decisions = machine.decisions(task.test_kernel, task.test_scores)[0, 0]
    assert decisions.std() > 0.01
    found.model.save(tmp_path / "model.safetensors")
    loaded = tlbench.load(tmp_path / "model.safetensors")
    seen = material.pack.take(rows.test[0])
    np.testing.assert_allclose(found.model.decision_function(seen), decisions, rtol=0, atol=1e-10)
    np.testing.assert_allclose(loaded.decision_function(seen), decisions, rtol=0, atol=1e-10)
    assert (loaded.target, loaded.sources) == ("target", tuple(material.sources))
    assert loaded.kinds == found.model.kinds


def test_a_model_says_which_features_it_needs(advice):
    _, found = advice
    for wrong in ({}, {"shape": np.zeros((2, 7))}, {"shape": np.zeros((2, 7)), "texture": np.zeros((2, 6))}):
        with pytest.raises(ValueError, match=r"the model needs features '(texture' of 5|shape' of 7) numbers"):
            found.model.decision_function(wrong)


@pytest.fixture
def saved(advice, tmp_path):
    path = tmp_path / "model.safetensors"
    advice[1].model.save(path)
    return path


def rewrite(path, **changes):
    arrays, notes = keeping.read(path)
    path.write_bytes(keeping.packed(arrays, json.dumps({**json.loads(notes), **changes})))


def test_a_changed_byte_anywhere_is_found(saved):
    whole = saved.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 23).astype(int):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError, match="changed after"):
            tlbench.load(saved)
    saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="changed after"):
        tlbench.load(saved)


def test_another_format_is_refused(saved):
    for other in (1, 3):
        rewrite(saved, format=other, tlbench="9.9")
        with pytest.raises(DataError, match=rf"format {other}, written by tlbench 9\.9; this one reads format 2"):
            tlbench.load(saved)


def of_kind(**changes):
    return lambda arrays, about: about["kinds"]["shape"].update(changes)


def with_array(name, change):
    return lambda arrays, about: arrays.update({name: change(arrays[name])})


def with_first(value):
    def change(values):
        values = values.copy()
        values.flat[0] = value
        return values

    return change


IMPOSSIBLE = {
    "a coefficient is NaN": (with_array("coefficients", with_first(np.nan)), "coefficients are not finite"),
    "a coefficient is infinite": (with_array("coefficients", with_first(-np.inf)), "coefficients are not finite"),
    "the bias is NaN": (with_array("bias", with_first(np.nan)), "coefficients are not finite"),
    "two biases": (with_array("bias", lambda bias: np.repeat(bias, 2)), "lacks a part"),
    "whole numbers": (with_array("coefficients", lambda values: values.astype(np.int64)), "lacks a part"),
    "an example is NaN": (with_array("features/shape", with_first(np.nan)), "examples of 'shape' are not finite"),
    "an example is missing": (with_array("features/shape", lambda values: values[1:]), "lacks a part"),
    "no numbers": (with_array("features/shape", lambda values: values[:, :0]), "columns of 'shape'"),
    "γ is NaN": (of_kind(gamma=float("nan")), "γ of 'shape'"),
    "γ is negative": (of_kind(gamma=-1.0), "γ of 'shape'"),
    "γ is infinite": (of_kind(gamma=float("inf")), "γ of 'shape'"),
    "γ is huge": (of_kind(gamma=10**400), "γ of 'shape'"),
    "γ is text": (of_kind(gamma="1"), "γ of 'shape'"),
    "γ is nothing": (of_kind(gamma=None), "γ of 'shape'"),
    "another kernel": (of_kind(kernel="linear"), "kernel of 'shape' is not rbf"),
    "a kernel is a list": (of_kind(kernel=["rbf"]), "kernel of 'shape' is not rbf"),
    "too few names": (of_kind(columns=["a", "b"]), "columns of 'shape'"),
    "a name twice": (of_kind(columns=[*"abcdef", "a"]), "columns of 'shape'"),
    "names of one kind alone": (of_kind(columns=[*"abcdefg"]), "only some of its columns"),
    "names are a number": (of_kind(columns=3), "lacks a part"),
    "depends on a number": (of_kind(depends_on=3), "of a known kind"),
    "a key too many": (of_kind(more=1), "lacks a part"),
}


@pytest.mark.parametrize("change", IMPOSSIBLE)
def test_a_checksum_does_not_make_a_model(saved, change):
    damage, words = IMPOSSIBLE[change]
    arrays, notes = keeping.read(saved)
    arrays, about = dict(arrays), json.loads(notes)
    damage(arrays, about)
    saved.write_bytes(keeping.packed(arrays, json.dumps(about)))
    with pytest.raises(DataError, match=words) as raised:
        tlbench.load(saved)
    assert "model.safetensors" in str(raised.value)
    assert "run `tlbench advise` again" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_notes_that_are_nested_too_deep_are_none(saved):
    arrays, _ = keeping.read(saved)
    saved.write_bytes(keeping.packed(arrays, "[" * 100_000))
    with pytest.raises(DataError, match="is no model"):
        tlbench.load(saved)


def test_examples_have_the_length_of_their_kind(advice, tmp_path):
    lbp = KindOfModel.of(features.find("lbp"))
    narrow = type(advice[1].model)("t", (), {"lbp": lbp}, {"lbp": np.zeros((1, 10))}, np.ones(1), 0.0)
    narrow.save(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=f"10 numbers of 'lbp', which has {features.find('lbp').dimension}"):
        tlbench.load(tmp_path / "model.safetensors")
    Image.new("L", (40, 40)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="examples are not of 'lbp'"):
        narrow.predict_pictures([tmp_path / "one.png"], tmp_path / "data")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was run",))


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(DataError, match="is not there"):
        tlbench.load(path)
    with pytest.raises(DataError, match="is a folder"):
        tlbench.load(tmp_path)
    for content in (b"", b"hello", pickle.dumps(Bomb())):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is no model"):
            tlbench.load(path)
    save_file({"weights": np.zeros(3)}, path)
    with pytest.raises(DataError, match="is no model"):
        tlbench.load(path)
    path.write_bytes(keeping.packed({"weights": np.zeros(3)}, "epoch 3"))
    with pytest.raises(DataError, match="holds weights, but is no model"):
        tlbench.load(path)


def test_a_model_of_other_features_is_refused(advice, tmp_path):
    _, found = advice
    Image.new("L", (40, 40)).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="numbers 'shape' and not pictures"):
        found.model.predict_pictures([tmp_path / "one.png"])
    pixels = KindOfModel.of(features.find("pixels"))
    older = pixels.depends_on.replace("32", "16")
    assert older != pixels.depends_on
    model = type(found.model)("t", (), {"pixels": KindOfModel(older)}, {"pixels": np.zeros((1, 1024))}, np.ones(1), 0.0)
    with pytest.raises(DataError, match="another version of 'pixels'"):
        model.predict_pictures([tmp_path / "one.png"], tmp_path / "data")
