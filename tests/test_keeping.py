"""Weights on disk: read by anybody's safetensors as they were written, and not read at all once they are damaged."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load, load_file, save

from tlbench.keeping import BlockKeeping, intact, packed, read, weights_path
from tlbench.records import Records, RecordsError
from tlbench.study import Block

NOTES = '{"epoch": 3, "λ": "café \\" \\\\"}'


def arrays(seed=0):
    draw = np.random.default_rng(seed)
    return {
        "stages.0.0.weight": draw.normal(size=(2, 3)).astype(np.float32),
        "stages.0.1.num_batches_tracked": np.array(7),
        "momentum.stages.0.0.weight": draw.normal(size=(3, 2)).astype(np.float32).T,  # not in C order
        "nothing": np.zeros((0, 4), np.float32),
        "bytes": np.arange(5, dtype=np.uint8),
    }


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


def block(unit="a", needs=()):
    return Block("toy", 1, unit, (0,), "g", ("c",), {}, "print", needs)


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path / "run")


def everything(records):
    return sorted(path.name for path in records.folder.rglob("*") if path.is_file())


def test_what_is_kept_comes_back_with_its_shapes_and_notes(tmp_path):
    path = tmp_path / "kept.safetensors"
    path.write_bytes(packed(arrays(), NOTES))
    found, notes = read(path)
    assert notes == NOTES
    assert_same(found, arrays())


def test_the_files_are_safetensors_for_anybody(tmp_path):
    path = tmp_path / "kept.safetensors"
    path.write_bytes(packed(arrays(), NOTES))
    assert_same(load_file(path), arrays())
    assert_same(load(path.read_bytes()), arrays())
    with safe_open(path, "np") as file:
        assert file.metadata()["notes"] == NOTES
        assert len(file.metadata()["sha256"]) == 64


@pytest.mark.fault("damage")
def test_a_flipped_bit_in_the_head_or_the_numbers_is_noticed(tmp_path):
    path = tmp_path / "kept.safetensors"
    content = packed(arrays(), NOTES)
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert read(path) is None, place


@pytest.mark.fault("damage")
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_half_a_file_is_none(tmp_path, share):
    path = tmp_path / "kept.safetensors"
    content = packed(arrays(), NOTES)
    path.write_bytes(content[: int(share * len(content))])
    assert read(path) is None
    path.write_bytes(content + b"\0")
    assert read(path) is None


def bfloat16():
    """A file of numbers that numpy does not know."""
    import torch
    from safetensors.torch import save as save_tensors

    return save_tensors({"w": torch.zeros(2, dtype=torch.bfloat16)}, {"notes": "", "sha256": "0" * 64})


@pytest.mark.fault("damage")
@pytest.mark.parametrize(
    "make",
    [
        lambda: save(arrays()),
        lambda: save(arrays(), {"notes": NOTES}),
        lambda: save(arrays(), {"notes": NOTES, "sha256": "0" * 64}),
        lambda: packed(arrays(), NOTES).replace(b"caf\xc3\xa9", b"caf\xc3\xa8"),
        lambda: packed(arrays(), NOTES).replace(b"stages.0.0", b"stages.1.0"),
        bfloat16,
        lambda: b"something else entirely",
    ],
    ids=["no metadata", "no sha256", "another sha256", "other notes", "other names", "bfloat16", "no safetensors"],
)
def test_what_was_not_written_here_as_it_is_now_is_none(tmp_path, make):
    path = tmp_path / "kept.safetensors"
    path.write_bytes(make())
    assert read(path) is None


def test_where_there_is_no_file_there_is_none(tmp_path):
    assert read(tmp_path / "nothing.safetensors") is None
    assert read(tmp_path) is None


def test_weights_are_found_by_those_that_need_them(records):
    first, second = block("a"), block("b")
    for number, source in enumerate((first, second)):
        BlockKeeping(records, source).keep_weights(arrays(number))
    needy = BlockKeeping(records, block("c", needs=(second.key, first.key)))
    assert_same(needy.weights(0), arrays(1))
    assert_same(needy.weights(1), arrays(0))
    assert intact(records, first.key)
    assert not intact(records, block("d").key)
    assert len(everything(records)) == 2


@pytest.mark.fault("damage")
@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_damaged_weights_are_refused(records, damage):
    source = block("a")
    BlockKeeping(records, source).keep_weights(arrays())
    path = weights_path(records, source.key)
    if damage == "gone":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[-1] ^= 4
        path.write_bytes(content)
    assert not intact(records, source.key)
    with pytest.raises(RecordsError, match="missing or damaged; run it again"):
        BlockKeeping(records, block("c", needs=(source.key,))).weights(0)


def test_what_an_interrupted_block_left_goes_once_it_has_finished(records):
    keeping = BlockKeeping(records, block("a"), "cuda:1")
    assert keeping.device == "cuda:1"
    assert keeping.begun() is None
    keeping.finish()
    keeping.keep_begun(arrays(1), "one")
    keeping.keep_begun(arrays(2), "two")
    assert BlockKeeping(records, block("b")).begun() is None
    found, notes = BlockKeeping(records, block("a")).begun()
    assert notes == "two"
    assert_same(found, arrays(2))
    assert everything(records) == [f"{block('a').key}.safetensors"]  # the first was replaced, nothing temporary is left
    keeping.finish()
    assert keeping.begun() is None
    assert everything(records) == []


@pytest.mark.fault("damage")
def test_damaged_beginnings_are_as_if_there_were_none(records):
    keeping = BlockKeeping(records, block("a"))
    keeping.keep_begun(arrays(), "notes")
    (path,) = records.folder.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    assert keeping.begun() is None


def test_fresh_forgets_weights_and_beginnings(records):
    records.prepare()
    keeping = BlockKeeping(records, block("a"))
    keeping.keep_begun(arrays(), "notes")
    keeping.keep_weights(arrays())
    records.forget()
    assert keeping.begun() is None
    assert not intact(records, block("a").key)


@pytest.mark.fault("disk")
def test_a_disk_that_refuses_is_said_and_leaves_nothing_over(records, monkeypatch):
    records.prepare()
    keeping = BlockKeeping(records, block("a"))
    keeping.keep_weights(arrays())
    before = everything(records)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(RecordsError, match="No space left on device"):
        keeping.keep_begun(arrays(), "notes")
    assert everything(records) == before


@pytest.mark.fault("damage")
def test_a_shape_that_nothing_can_have_is_damage(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}}'
    path = tmp_path / "kept.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert read(path) is None
