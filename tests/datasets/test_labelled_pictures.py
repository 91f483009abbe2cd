"""Labelled pictures: what changes their fingerprint, which classes are kept, and the one file that processes share."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tlbench.datasets import (
    ArrayPixels,
    DataError,
    FilePixels,
    LabelledPictures,
    load_pictures,
    pixels,
    restrict_classes,
    save_pictures,
)
from tlbench.datasets.distinct_pictures import distinct_pictures


@pytest.fixture
def pictures():
    """Twelve pictures of 4 × 5 in three classes, every third one for the test."""
    values = np.random.default_rng(0).integers(0, 256, (12, 4, 5, 3)).astype(np.uint8)
    rows = np.arange(12)
    kinds = ("natural", "man-made", "")
    return LabelledPictures(ArrayPixels(values), rows // 4, ("ant", "bus", "nut"), rows % 3 == 0, kinds, ("a note",))


@pytest.fixture
def files(tmp_path):
    """Four picture files of several sizes, the last one grey, in two classes."""
    draw = np.random.default_rng(1)
    names = ["ä/one.png", "ä/two.png", "b/three.png", "b/four.png"]
    for number, name in enumerate(names):
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (8, 8) if number == 3 else (6 + number, 8, 3)
        Image.fromarray(draw.integers(0, 256, shape).astype(np.uint8)).save(path)
    sizes = [(tmp_path / "all" / name).stat().st_size for name in names]
    found = FilePixels.of(tmp_path / "all", names, sizes, 8)
    return LabelledPictures(found, np.array([0, 0, 1, 1]), ("ä", "b"))


def test_rows_are_taken_as_new_arrays(pictures):
    taken = pictures.pixels.take(np.array([3, 1]))
    assert taken.dtype == np.uint8
    assert np.array_equal(taken, pictures.pixels.values[[3, 1]])
    taken[:] = 0
    assert pictures.pixels.values[3].any()
    assert pictures.categories == pictures.classes


def test_what_does_not_belong_together_is_refused(pictures):
    with pytest.raises(ValueError, match="pixels are uint8"):
        ArrayPixels(np.zeros((2, 3, 3, 2), np.uint8))
    with pytest.raises(ValueError, match="pixels are uint8"):
        ArrayPixels(np.zeros((2, 3, 3, 3)))
    for wrong in ({"labels": pictures.labels[1:]}, {"is_test": pictures.is_test[1:]}, {"kinds": ("natural",)}):
        with pytest.raises(ValueError, match="do not belong together"):
            replace(pictures, **wrong)


def test_the_fingerprint_is_of_all_that_can_change_a_result(pictures, monkeypatch):
    changed = pictures.pixels.values.copy()
    changed[11, 3, 4, 2] ^= 1
    others = [
        replace(pictures, pixels=ArrayPixels(changed)),
        replace(pictures, pixels=ArrayPixels(pictures.pixels.values.reshape(12, 5, 4, 3))),
        replace(pictures, labels=pictures.labels[::-1]),
        replace(pictures, classes=("ant", "bus", "nuts")),
        replace(pictures, is_test=None),
        replace(pictures, is_test=~pictures.is_test),
        replace(pictures, kinds=None),
        replace(pictures, kinds=("natural", "man-made", "natural")),
    ]
    assert len({pictures.fingerprint, *(other.fingerprint for other in others)}) == 9
    assert replace(pictures, notices=()).fingerprint == pictures.fingerprint
    monkeypatch.setattr(pixels, "_AT_ONCE", 70)  # in pieces it is the same
    assert replace(pictures, pixels=ArrayPixels(pictures.pixels.values)).fingerprint == pictures.fingerprint


def test_classes_are_restricted_in_the_data_sets_order(pictures):
    some = restrict_classes(pictures, ["nut", "ant"])
    assert some.classes == ("ant", "nut")
    assert some.labels.tolist() == [0] * 4 + [1] * 4
    assert some.kinds == ("natural", "")
    assert np.array_equal(some.pixels.values, pictures.pixels.values[[0, 1, 2, 3, 8, 9, 10, 11]])
    assert np.array_equal(some.is_test, pictures.is_test[[0, 1, 2, 3, 8, 9, 10, 11]])
    assert restrict_classes(replace(pictures, is_test=None, kinds=None), ["ant"]).is_test is None
    with pytest.raises(DataError, match="there is no class 'Nuts'; did you mean 'nut'"):
        restrict_classes(pictures, ["ant", "Nuts"])
    many = replace(pictures, classes=tuple("abcdefghij"), kinds=None)
    with pytest.raises(DataError, match="there are a, b, c, d, e, f, g, h and 2 more"):
        restrict_classes(many, ["xyz"])


def test_files_are_decoded_when_they_are_taken(files):
    assert files.pixels.shape == (4, 8, 8, 3)
    assert files.pixels.path(1).name == "two.png"
    taken = files.pixels.take(np.array([3, 2]))
    with Image.open(files.pixels.path(2)) as image:
        assert np.array_equal(taken[1], np.asarray(image))
    with Image.open(files.pixels.path(3)) as image:
        assert np.array_equal(taken[0], np.repeat(np.asarray(image)[..., None], 3, axis=2))
    some = restrict_classes(files, ["b"])
    assert np.array_equal(some.pixels.take(np.arange(2)), files.pixels.take(np.array([2, 3])))


def test_a_file_that_is_gone_or_broken_is_named(files):
    files.pixels.path(0).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"one\.png is not a picture .*; get it again or remove it"):
        files.pixels.take(np.array([0]))
    files.pixels.path(0).unlink()
    with pytest.raises(DataError, match=r"cannot read .*one\.png \(No such file"):
        files.pixels.take(np.array([0]))


def test_files_are_known_by_path_size_and_side(files):
    found = files.pixels
    other = [
        replace(found, side=9),
        replace(found, sizes=found.sizes + 1),
        FilePixels.of(found.root, ["ä/one.png", "ä/two.png", "b/three.png", "b/four.jpg"], found.sizes, 8),
        FilePixels.of(found.root, ["ä/one.pn", "gä/two.png", "b/three.png", "b/four.png"], found.sizes, 8),
    ]
    assert len({found.digest, *(one.digest for one in other)}) == 5
    assert replace(found, root=found.root / "elsewhere").digest == found.digest


def test_one_file_goes_there_and_back(pictures, files, tmp_path):
    grey = LabelledPictures(ArrayPixels(pictures.pixels.values[..., 1:2]), pictures.labels, pictures.classes)
    for number, one in enumerate((pictures, grey, files)):
        path = tmp_path / f"{number}"
        save_pictures(one, path)
        again = load_pictures(path)
        assert again.fingerprint == one.fingerprint
        assert (again.classes, again.kinds, again.notices) == (one.classes, one.kinds, one.notices)
        assert np.array_equal(again.labels, one.labels)
        assert again.labels.dtype == np.int64
        assert (again.is_test is None) == (one.is_test is None)
        if one.is_test is not None:
            assert np.array_equal(again.is_test, one.is_test)
        rows = np.array([3, 0, 2])
        assert np.array_equal(again.pixels.take(rows), one.pixels.take(rows))
        before = path.read_bytes()
        save_pictures(again, path)
        assert path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "all"]


def test_the_pixels_of_a_file_are_mapped_and_not_read(pictures, tmp_path):
    save_pictures(pictures, tmp_path / "file")
    again = load_pictures(tmp_path / "file")
    base = again.pixels.values
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not again.pixels.values.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        again.pixels.values[0] = 0
    assert again.pixels.take(np.arange(2)).flags.writeable


def test_a_file_that_is_not_as_it_was_written_is_refused(pictures, tmp_path):
    path = tmp_path / "file"
    save_pictures(pictures, path)
    whole = path.read_bytes()
    line, _, rest = whole.partition(b"\n")
    head = json.loads(line)
    wrong_kind = json.dumps({**head, "arrays": {**head["arrays"], "labels": ["|O", [12]]}}).encode()
    wrong = [
        b"",
        b"no json\n" + rest,
        b"[]\n" + rest,
        line.replace(b"pictures 1", b"pictures 2") + b"\n" + rest,
        whole[:-1],
        whole + b"x",
        line.replace(b'"ant"', b'"and"') + b"\n" + rest,
        line + b"\n\1" + rest[1:],  # a label
        wrong_kind + b"\n" + rest,
    ]
    for content in wrong:
        path.write_bytes(content)
        with pytest.raises(DataError, match="is not a file of pictures as it was written"):
            load_pictures(path)
    pixel = whole.index(pictures.pixels.values.tobytes())
    path.write_bytes(whole[:pixel] + bytes([whole[pixel] ^ 1]) + whole[pixel + 1 :])
    assert load_pictures(path).fingerprint == pictures.fingerprint  # believed, unless it is asked
    with pytest.raises(DataError, match="is not a file of pictures as it was written"):
        load_pictures(path, verify=True)
    with pytest.raises(DataError, match="cannot read"):
        load_pictures(tmp_path / "none")


def test_a_folder_that_cannot_be_written_is_said(pictures, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write"):
        save_pictures(pictures, tmp_path / "file" / "pictures")


def test_pictures_are_ordered_by_class_and_identity():
    rows, notices = distinct_pictures(["d", "a", "c", "b"], [1, 1, 0, 0], None, str)
    assert rows.tolist() == [3, 2, 1, 0]
    assert notices == []


def test_what_is_there_twice():
    identities, labels = ["x", "x", "y", "y", "y", "z"], [0, 0, 1, 1, 1, 0]
    rows, notices = distinct_pictures(identities, labels, [False, False, False, True, False, True], str)
    assert rows.tolist() == [0, 5, 3]
    assert notices == [
        "1 picture repeats another of the same class: kept once",
        "2 training pictures are test pictures as well: left out of the training",
    ]
    clash = (["x", "y", "x"], [0, 0, 1], None, lambda row: f"file {row}")
    with pytest.raises(DataError, match="file 0 and file 2 are the same picture in two classes; remove one of them"):
        distinct_pictures(*clash)
    rows, notices = distinct_pictures(*clash, published=True)
    assert rows.tolist() == [1]
    assert notices == ["2 pictures stand in more than one class: left out"]
