"""Folders of pictures for networks: their layouts, what is said about odd pictures, and what is kept for next time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlbench.datasets import DataError, Options, decoded_folder, open_pictures
from tlbench.datasets.class_folders import list_class_folders
from tlbench.datasets.decoded_folder import decode_listed

CLASSES = ("ant", "bee", "cow")


def paint(path, seed, shape=(8, 8, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)).save(path)


@pytest.fixture
def parts(tmp_path):
    """Three classes, four training pictures and two test pictures each, 8 × 8, all different."""
    root = tmp_path / "photos"
    for number, name in enumerate(CLASSES):
        for part, count in (("train", 4), ("test", 2)):
            for index in range(count):
                paint(root / part / name / f"{index}.png", [number, count, index])
    return root


def open_folder(root, *, folder=None, **options):
    keywords = {name: options.pop(name) for name in ("jobs", "skip_broken", "decoding") if name in options}
    return open_pictures(f"folder:{root}", Options(**options), folder or root.parent / "data", **keywords)


def as_read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def held(pictures):
    """Every picture with its class and part, whatever the order."""
    parts = [None] * len(pictures.labels) if pictures.is_test is None else pictures.is_test.tolist()
    pixels = pictures.pixels.take(np.arange(len(parts)))
    return {
        (pictures.classes[label], part, one.tobytes())
        for label, part, one in zip(pictures.labels, parts, pixels, strict=True)
    }


def test_train_and_test_as_they_lie(parts):
    pictures = open_folder(parts)
    assert pictures.classes == CLASSES
    assert pictures.pixels.shape == (18, 8, 8, 3)
    assert pictures.notices == ()
    assert held(pictures) == {
        (path.parent.name, path.parent.parent.name == "test", as_read(path).tobytes()) for path in parts.rglob("*.png")
    }
    assert pictures.labels.tolist() == sorted(pictures.labels.tolist())


@pytest.mark.parametrize("name", ["val", "validation", "Test", "Validation"])
def test_the_test_part_has_several_names(parts, name):
    whole = open_folder(parts)
    (parts / "test").rename(parts / name)
    assert open_folder(parts).fingerprint == whole.fingerprint


def test_of_two_test_parts_one_is_used(parts):
    shutil.copytree(parts / "test", parts / "val")
    assert open_folder(parts).notices == ("'val' was not used: 'test' is the test part",)


def test_classes_without_parts(parts):
    pictures = open_folder(parts / "train")
    assert pictures.is_test is None
    assert len(pictures.labels) == 12
    assert held(pictures) == {(p.parent.name, None, as_read(p).tobytes()) for p in (parts / "train").rglob("*.png")}
    shutil.copytree(parts / "train" / "ant", parts / "train" / "train")  # a class of vehicles
    for path in (parts / "train" / "train").iterdir():
        paint(path, [77, int(path.stem)])
    assert open_folder(parts / "train").classes == (*CLASSES, "train")


def test_neither_names_nor_times_nor_place_change_the_order(parts, tmp_path):
    first = open_folder(parts)
    other = tmp_path / "elsewhere" / "others"
    for number, path in enumerate(sorted(parts.rglob("*.png"), reverse=True)):
        target = other / path.parent.relative_to(parts) / f"x{number:03}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        os.utime(target, (number, number))
    again = open_folder(other, jobs=3)
    assert again.fingerprint == first.fingerprint
    assert np.array_equal(again.pixels.values, first.pixels.values)


def test_odd_pictures_are_said(parts):
    paint(parts / "train" / "ant" / "wide.png", 1, (16, 20, 3))
    paint(parts / "train" / "bee" / "small.png", 2, (3, 5, 3))
    paint(parts / "train" / "bee" / "grey.png", 3, (8, 8))
    (parts / "train" / "cow" / "notes.txt").write_text("x")
    (parts / "train" / "cow" / "more").mkdir()
    (parts / "train" / "cow" / ".hidden.png").write_text("x")
    (parts / "train" / "cow" / "Thumbs.db").write_text("x")
    pictures = open_folder(parts)
    assert pictures.pixels.shape == (21, 8, 8, 3)
    assert pictures.notices == (
        "1 file not named like a picture: passed over",
        "1 folder inside classes: not looked into",
        "2 pictures were not 8 x 8: resized",
        "1 grey picture among colour ones: taken as colour",
    )
    grey = np.repeat(as_read(parts / "train" / "bee" / "grey.png")[..., None], 3, axis=2)
    assert ("bee", False, grey.tobytes()) in held(pictures)


def test_all_grey_is_one_channel(tmp_path):
    for number in range(6):
        paint(tmp_path / "p" / "ab"[number % 2] / f"{number}.png", number, (5, 5))
    pictures = open_folder(tmp_path / "p")
    assert pictures.pixels.shape == (6, 5, 5, 1)
    assert pictures.notices == ()


@pytest.mark.parametrize(
    ("shapes", "side"),
    [([(20, 20), (20, 20), (9, 9)], 20), ([(64, 64), (64, 64)], 64), ([(65, 65), (65, 65)], 32), ([(20, 30)] * 3, 32)],
)
def test_the_usual_side_is_that_of_most(tmp_path, shapes, side):
    for number, shape in enumerate(shapes):
        for name in "ab":
            paint(tmp_path / "p" / name / f"{number}.png", [number, ord(name)], (*shape, 3))
    assert open_folder(tmp_path / "p").pixels.shape[1:3] == (side, side)
    assert open_folder(tmp_path / "p", side=7).pixels.shape[1:3] == (7, 7)


def test_a_side_that_is_not_possible(parts, monkeypatch):
    for side in (0, -1, 513):
        with pytest.raises(DataError, match=f"a side of {side} pixels is not possible; choose 1 to 512"):
            open_folder(parts, side=side)
    monkeypatch.setattr(decoded_folder, "MOST_BYTES", 18 * 16 * 16 * 3 - 1)
    assert open_folder(parts, side=15)
    with pytest.raises(DataError, match=r"18 pictures of 16 x 16 pixels take 0\.0 GB; choose a smaller side or fewer"):
        open_folder(parts, side=16)


def test_repeats_leaks_and_conflicts(parts):
    shutil.copyfile(parts / "train" / "ant" / "0.png", parts / "train" / "ant" / "copy.png")
    shutil.copyfile(parts / "test" / "bee" / "0.png", parts / "train" / "bee" / "leak.png")
    pictures = open_folder(parts)
    assert len(pictures.labels) == 18
    assert pictures.notices == (
        "1 picture repeats another of the same class: kept once",
        "1 training picture is a test picture as well: left out of the training",
    )
    (parts / "train" / "bee" / "leak.png").unlink()
    shutil.copyfile(parts / "train" / "ant" / "0.png", parts / "test" / "cow" / "same.png")
    with pytest.raises(DataError, match=r"ant/.*\.png and .*cow/same\.png are the same picture in two classes"):
        open_folder(parts)


def test_a_broken_picture_is_named_or_left_out(parts, monkeypatch):
    (parts / "train" / "ant" / "bad.jpg").write_text("text")
    for _ in range(2):
        with pytest.raises(DataError, match=r"ant/bad\.jpg is not a picture .* or leave it out with --skip-broken"):
            open_folder(parts)
    for _ in range(2):  # the second time from what was kept
        pictures = open_folder(parts, skip_broken=True)
        assert len(pictures.labels) == 18
        assert "1 picture could not be decoded: left out (train/ant/bad.jpg is not a picture" in pictures.notices[0]
    with pytest.raises(DataError, match="bad"):
        open_folder(parts)
    (parts / "train" / "bee" / "worse.jpg").write_text("text")
    (notice,) = open_folder(parts, skip_broken=True).notices
    assert all(name in notice for name in ("2 pictures could", "train/ant/bad.jpg is", "; train/bee/worse.jpg is"))
    monkeypatch.setattr(decoded_folder, "MOST_NAMED", 1)
    (parts / "train" / "bee" / "worst.jpg").write_text("text")
    (notice,) = open_folder(parts, skip_broken=True).notices
    assert "bee" not in notice
    assert notice.endswith("; and 2 more)")
    for path in (parts / "test" / "cow").iterdir():
        path.write_text("text")
    with pytest.raises(DataError, match="class 'cow' has no test picture left; add some"):
        open_folder(parts, skip_broken=True)
    for path in (parts / "train" / "bee").iterdir():
        path.write_text("text")
    with pytest.raises(DataError, match="class 'bee' has no picture left"):
        open_folder(parts / "train", skip_broken=True)


def test_some_classes_alone_are_decoded(parts):
    (parts / "train" / "ant" / "bad.jpg").write_text("text")
    pictures = open_folder(parts, categories=("cow", "bee"))
    assert pictures.classes == ("bee", "cow")
    with pytest.raises(DataError, match="there is no class 'cows'; did you mean 'cow'"):
        open_folder(parts, categories=("cows",))


def test_a_background_is_no_class(parts):
    paint(parts / "train" / "Background" / "0.png", 9)
    pictures = open_folder(parts)
    assert pictures.classes == CLASSES
    assert pictures.notices == ("'Background' is a background and no class: left out",)
    chosen = open_folder(parts / "train", background="ant")
    assert chosen.classes == ("bee", "cow")
    assert "'ant' is a background and no class: left out" in chosen.notices
    with pytest.raises(DataError, match="'ant' is a background and no class; take it out of the categories"):
        open_folder(parts / "train", background="ant", categories=("ant", "bee"))
    with pytest.raises(DataError, match="has no folder 'sky' to leave out"):
        open_folder(parts, background="sky")


def test_a_layout_that_cannot_be_used(parts, tmp_path):
    with pytest.raises(DataError, match=r"none is not there; give the folder"):
        open_folder(tmp_path / "none")
    with pytest.raises(DataError, match="has no folders in it"):
        open_folder(parts / "train" / "ant")
    shutil.move(parts / "test" / "ant", tmp_path / "ant")
    with pytest.raises(DataError, match=r"class 'ant' of .* is not in test/; each class needs training and test"):
        open_folder(parts)
    (parts / "test" / "ant").mkdir()
    with pytest.raises(DataError, match=r"class 'ant' has no picture in .*; add some or remove the folder"):
        open_folder(parts)
    shutil.rmtree(parts / "test" / "ant")
    shutil.copytree(parts / "train" / "ant", parts / "test" / "wasp")
    shutil.rmtree(parts / "train" / "ant")
    with pytest.raises(DataError, match=r"class 'wasp' of .* is not in train/"):
        open_folder(parts)
    shutil.rmtree(parts / "test")
    with pytest.raises(
        DataError, match="a folder 'train' and none with test pictures; call it test, val or validation"
    ):
        open_folder(parts)
    with pytest.raises(
        DataError, match=r"'photos' has no picture .* directly \(1 folders in it were not looked into\)"
    ):
        open_folder(parts.parent)


def test_links_are_followed_and_dead_ones_named(parts, tmp_path):
    whole = open_folder(parts)
    other = tmp_path / "linked"
    for part in ("train", "test"):
        (other / part).mkdir(parents=True)
        for name in CLASSES:
            (other / part / name).symlink_to(parts / part / name)
    assert open_folder(other).fingerprint == whole.fingerprint
    (parts / "train" / "ant" / "gone.png").symlink_to(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"cannot read .*gone\.png"):
        open_folder(parts)
    (parts / "train" / "ant" / "gone.png").unlink()
    os.mkfifo(parts / "train" / "ant" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is no plain file; remove it"):
        open_folder(parts)


def test_decoded_pictures_are_kept(parts, monkeypatch):
    first = open_folder(parts)
    assert len(list((parts.parent / "data" / "pictures").iterdir())) == 1

    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(decoded_folder, "decode_square", refuse)
    again = open_folder(parts)
    assert again.fingerprint == first.fingerprint
    assert again.notices == first.notices
    for change in (
        lambda: open_folder(parts, side=9),
        lambda: (os.utime(parts / "train" / "ant" / "0.png", (1, 1)), open_folder(parts)),
    ):
        with pytest.raises(AssertionError, match="decoded again"):
            change()


def test_what_is_kept_and_damaged_is_made_again(parts):
    first = open_folder(parts)
    (kept,) = (parts.parent / "data" / "pictures").iterdir()
    whole = kept.read_bytes()
    pixel = whole.index(first.pixels.values.tobytes())
    flipped = bytes([whole[pixel] ^ 1])
    for damaged in (whole[:-64], whole[:pixel] + flipped + whole[pixel + 1 :]):
        kept.write_bytes(damaged)
        for _ in range(2):
            again = open_folder(parts)
            assert again.fingerprint == first.fingerprint
            assert np.array_equal(again.pixels.values, first.pixels.values)
        assert kept.read_bytes() == whole


def test_a_data_folder_that_cannot_be_written_is_no_error(parts, tmp_path):
    (tmp_path / "full").write_text("a file in the way")
    whole = open_folder(parts)
    assert open_folder(parts, folder=tmp_path / "full").fingerprint == whole.fingerprint
    (tmp_path / "nearly").mkdir()
    (tmp_path / "nearly" / "pictures").write_text("a file in the way")
    assert open_folder(parts, folder=tmp_path / "nearly").fingerprint == whole.fingerprint


def test_progress_is_told_to_the_end(parts, monkeypatch):
    monkeypatch.setattr(decoded_folder, "_AT_ONCE", 4)
    told = []
    open_folder(parts, decoding=lambda *numbers: told.append(numbers))
    assert [numbers[:2] for numbers in told] == [(4, 18), (8, 18), (12, 18), (16, 18), (18, 18)]
    assert [seconds for *_, seconds in told] == sorted(seconds for *_, seconds in told)


@pytest.mark.skipif("TLBENCH_REAL_DATA" not in os.environ, reason="TLBENCH_REAL_DATA names no folder")
def test_real_pictures_are_as_pillow_reads_them(tmp_path):
    import tarfile

    with tarfile.open(Path(os.environ["TLBENCH_REAL_DATA"]) / "cifar10-jpeg-30k.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    root = tmp_path / "cifar10-jpeg"
    listed = list_class_folders(root)
    pictures = decode_listed(listed, None, tmp_path / "kept", 2)
    assert pictures.pixels.shape == (30_000, 32, 32, 3)
    assert np.bincount(pictures.labels[pictures.is_test]).tolist() == [500] * 10
    there = {one.tobytes() for one in pictures.pixels.values}
    assert all(as_read(root / name).tobytes() in there for name in listed.names[::500])
