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
    rewrite(saved, format=2, tlbench="9.9")
    with pytest.raises(DataError, match=r"format 2, written by tlbench 9\.9; this one reads format 1"):
        tlbench.load(saved)


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
