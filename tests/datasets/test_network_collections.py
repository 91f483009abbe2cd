"""CIFAR, Tiny-ImageNet, ImageNet and Caltech-101 for networks, from small archives and folders of official forms."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlbench import opening
from tlbench.datasets import (
    DataError,
    DataMissingError,
    FilePixels,
    Options,
    declared_kinds,
    ensure_tree,
    find_tree,
    load_pictures,
    needed_files,
    open_pictures,
    save_pictures,
    to_fetch,
    trees,
)
from tlbench.datasets.remote_files import record_of

TEN = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
WNIDS = ("n01443537", "n01629819", "n02666196", "n02769748")  # two natural, two man-made


def png(seed, side=64):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def tar(files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def records(labels, seed, label_bytes=1):
    """Records of the binary version: label bytes, then all red, all green and all blue values."""
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072)).astype(np.uint8)
    head = np.full((len(labels), label_bytes), 19, np.uint8)  # of CIFAR-100, the coarse class
    head[:, -1] = labels
    return np.concatenate([head, pixels], axis=1)


def cifar10(**changed):
    files = {f"data_batch_{n}.bin": records(range(10), n).tobytes() for n in range(1, 6)}
    files |= {"test_batch.bin": records(range(10), 6).tobytes(), "batches.meta.txt": "\n".join([*TEN, ""]).encode()}
    return {
        f"cifar-10-batches-bin/{name}": content for name, content in (files | changed).items() if content is not None
    }


def cifar100():
    names = "\n".join(f"class {number:02}" for number in range(100))
    files = {"train.bin": records(range(100), 1, 2).tobytes(), "test.bin": records(range(100), 2, 2).tobytes()}
    files |= {"fine_label_names.txt": names.encode(), "coarse_label_names.txt": b"a\nb\n"}
    return {f"cifar-100-binary/{name}": content for name, content in files.items()}


def tiny():
    files = {f"train/{w}/images/{w}_{n}.JPEG": png([1, c, n]) for c, w in enumerate(WNIDS) for n in range(3)}
    files |= {f"train/{w}/{w}_boxes.txt": b"0\t0\t1\t1\n" for w in WNIDS}
    files |= {f"val/images/val_{n}.JPEG": png([2, n]) for n in range(8)}
    notes = "".join(f"val_{n}.JPEG\t{WNIDS[n % 4]}\t0\t32\t44\t62\n" for n in range(8))
    files |= {"val/val_annotations.txt": notes.encode(), "test/images/test_0.JPEG": png(3), "wnids.txt": b"x"}
    return {f"tiny-imagenet-200/{name}": content for name, content in files.items()}


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """``carried(which, files)``: an archive of these files in the data folder, known by its own checksum."""

    def carry(which, files):
        real = trees.COLLECTIONS[which].archive
        path = tmp_path / real.path
        path.parent.mkdir()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
        else:
            path.write_bytes(tar(files))
            real = replace(real, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            monkeypatch.setitem(trees.COLLECTIONS, which, replace(trees.COLLECTIONS[which], archive=real))
        return path

    return carry


def test_archives_are_those_that_are_published():
    published = {which: one.archive for which, one in trees.COLLECTIONS.items()}
    assert {which: file.size for which, file in published.items()} == {
        "cifar10": 170_052_171,
        "cifar100": 168_513_733,
        "tiny-imagenet": 248_100_043,
    }
    assert published["cifar10"].sha256 == "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
    assert published["cifar100"].sha256 == "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
    assert published["tiny-imagenet"].published == ("sha256", None)
    for which, file in published.items():
        assert needed_files(which, Options()) == [file]
        assert "python" not in file.path  # that version would have to be unpickled
        assert file.urls[0].endswith(Path(file.path).name)


def test_cifar10_is_unpacked_and_read(carried, tmp_path):
    carried("cifar10", cifar10())
    told = []
    assert find_tree("cifar10", tmp_path) is None
    pictures = open_pictures("cifar10", Options(), tmp_path, progress=lambda *said: told.append(said))
    assert told[-1][0] == told[-1][1] > 0
    assert pictures.classes == tuple(TEN)
    assert pictures.pixels.shape == (60, 32, 32, 3)
    assert pictures.notices == ()
    assert pictures.kinds == declared_kinds(TEN)
    assert pictures.is_test.sum() == 10
    everything = np.concatenate([records(range(10), n) for n in range(1, 7)])
    there = {(row[0], *row[[1, 1025, 2049, 3072]]): place for place, row in enumerate(everything)}
    for label, test, one in zip(pictures.labels, pictures.is_test, pictures.pixels.values, strict=True):
        place = there[(label, *one[0, 0], one[31, 31, 2])]
        assert test == (place >= 50)
        assert np.array_equal(one[..., 1].ravel(), everything[place, 1025:2049])
    tree = find_tree("cifar10", tmp_path)
    assert (tree.verified, tree.folder.name) == (True, "cifar-10-batches-bin")
    assert open_pictures("cifar10", Options(), tmp_path).fingerprint == pictures.fingerprint
    assert open_pictures("cifar10", Options(categories=("ship", "cat")), tmp_path).classes == ("cat", "ship")


def test_a_tree_that_was_not_unpacked_here_is_unverified(carried, tmp_path):
    carried("cifar10", cifar10())
    tree = ensure_tree("cifar10", tmp_path)
    whole = open_pictures("cifar10", Options(), tmp_path)
    (tree.folder / "readme.html").write_text("more")
    assert not find_tree("cifar10", tmp_path).verified
    other = tmp_path / "other" / "cifar10"
    other.mkdir(parents=True)
    shutil.copytree(tree.folder, other / tree.folder.name)
    (other / tree.folder.name / ".tlbench-verified.json").unlink()
    assert to_fetch("cifar10", Options(), other.parent) == []
    again = open_pictures("cifar10", Options(), other.parent)
    assert again.fingerprint == whole.fingerprint
    assert "is unverified: it is used as found" in again.notices[0]


def test_cifar100_is_read_by_its_fine_classes(carried, tmp_path):
    carried("cifar100", cifar100())
    pictures = open_pictures("cifar100", Options(), tmp_path)
    assert len(pictures.classes) == 100
    assert np.bincount(pictures.labels).tolist() == [2] * 100
    row = records(range(100), 1, 2)[42]
    mine = pictures.pixels.take(np.flatnonzero((pictures.labels == 42) & ~pictures.is_test))[0]
    assert np.array_equal(mine, row[2:].reshape(3, 32, 32).transpose(1, 2, 0))


def test_cifar_pictures_that_repeat_are_left_out_and_not_refused(carried, tmp_path):
    batch = records([3, 3, 4, 5], 9)
    batch[1, 1:], batch[3, 1:] = batch[0, 1:], batch[2, 1:]
    test = np.concatenate([records(range(10), 6), batch[:1]])
    carried("cifar10", cifar10(**{"data_batch_1.bin": batch.tobytes(), "test_batch.bin": test.tobytes()}))
    pictures = open_pictures("cifar10", Options(), tmp_path)
    assert pictures.notices == (
        "2 training pictures are test pictures as well: left out of the training",
        "2 pictures stand in more than one class: left out",
    )
    assert len(pictures.labels) == 51


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "data_batch_2.bin",
            records([1], 0).tobytes()[:-1],
            "data_batch_2.bin is cut off or of another format: 3,072 bytes",
        ),
        ("test_batch.bin", b"", "test_batch.bin is cut off"),
        ("test_batch.bin", None, r"cannot read .*test_batch\.bin \(No such file"),
        ("data_batch_5.bin", records([10], 0).tobytes(), "data_batch_5.bin has label 10, and there are 10 classes"),
        ("batches.meta.txt", b"cat\ncat\n", "batches.meta.txt does not name the classes"),
        ("batches.meta.txt", b"", "batches.meta.txt does not name the classes"),
    ],
)
def test_a_cifar_file_that_is_none_is_named(carried, tmp_path, name, content, says):
    carried("cifar10", cifar10(**{name: content}))
    with pytest.raises(DataError, match=says):
        open_pictures("cifar10", Options(), tmp_path)


def test_another_archive_is_refused(carried, tmp_path):
    carried("cifar10", {"cifar-10-batches-py/data_batch_1": b"x"})
    with pytest.raises(DataError, match="holds no folder 'cifar-10-batches-bin'"):
        open_pictures("cifar10", Options(), tmp_path)
    assert find_tree("cifar10", tmp_path) is None


def test_what_is_missing_is_said_and_never_replaced(tmp_path):
    for which in trees.COLLECTIONS:
        assert to_fetch(which, Options(), tmp_path) == needed_files(which, Options())
        with pytest.raises(DataMissingError, match=f"{Path(trees.archive_of(which).path).name} is missing"):
            open_pictures(which, Options(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_tiny_imagenet_as_its_archive_unpacks(carried, tmp_path):
    path = carried("tiny-imagenet", tiny())
    pictures = open_pictures("tiny-imagenet", Options(), tmp_path, jobs=2)
    assert pictures.classes == WNIDS
    assert pictures.kinds == ("natural", "natural", "man-made", "man-made")
    assert pictures.pixels.shape == (20, 32, 32, 3)
    assert np.bincount(pictures.labels[pictures.is_test]).tolist() == [2] * 4
    assert "no checksum of its archive is published" in pictures.notices[0]
    assert pictures.notices[1:] == ("20 pictures were not 32 x 32: resized",)
    assert record_of(path).read_text().startswith(hashlib.sha256(path.read_bytes()).hexdigest())
    with Image.open(io.BytesIO(png([2, 5]))) as image:  # by means of four pixels
        small = np.asarray(image).reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    mine = pictures.pixels.take(np.flatnonzero((pictures.labels == 1) & pictures.is_test))
    assert min(np.abs(one - small).max() for one in mine) <= 0.5
    whole = open_pictures("tiny-imagenet", Options(side=64, categories=WNIDS[1:3]), tmp_path)
    assert (whole.classes, whole.pixels.shape) == (WNIDS[1:3], (10, 64, 64, 3))
    with Image.open(io.BytesIO(png([1, 1, 0]))) as image:
        assert np.asarray(image).tobytes() in {one.tobytes() for one in whole.pixels.values[whole.labels == 0]}


def test_tiny_imagenet_that_is_not_whole(carried, tmp_path):
    carried("tiny-imagenet", tiny())
    root = ensure_tree("tiny-imagenet", tmp_path).folder
    (root / "val" / "images" / "val_9.JPEG").write_bytes(png(9))
    with pytest.raises(DataError, match=r"val_annotations\.txt does not tell the class of val/images/val_9\.JPEG"):
        open_pictures("tiny-imagenet", Options(), tmp_path)
    with pytest.raises(DataError, match="there is no class 'n0144353'; did you mean 'n01443537'"):
        open_pictures("tiny-imagenet", Options(categories=("n0144353",)), tmp_path)
    shutil.rmtree(root / "train" / WNIDS[0] / "images")
    (root / "train" / WNIDS[0] / "images").mkdir()
    with pytest.raises(DataError, match="images holds no picture; get the archive again"):
        open_pictures("tiny-imagenet", Options(), tmp_path)


@pytest.mark.parametrize("below", ["", "tiny-imagenet-32"])
def test_tiny_imagenet_as_plain_folders(tmp_path, below):
    root = tmp_path / "tiny-imagenet" / below
    for part, count in (("train", 3), ("test", 2)):
        for place, name in enumerate(WNIDS):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                (root / part / name / f"{number}.png").write_bytes(png([place, count, number], 32))
    (root / "words.csv").write_text("wnid,words\n")
    assert to_fetch("tiny-imagenet", Options(), tmp_path) == []
    pictures = open_pictures("tiny-imagenet", Options(), tmp_path)
    assert pictures.classes == WNIDS
    assert len(pictures.labels) == 20
    assert pictures.notices == (f"{root} is unverified: it is used as found, and known by its fingerprint alone",)


def test_imagenet_is_a_folder_that_the_user_has(tmp_path):
    with pytest.raises(DataMissingError, match=r"ImageNet is not fetched: put it, or a link to it, at .*val/CLASS/"):
        open_pictures("imagenet", Options(), tmp_path)
    for part, count in (("train", 3), ("val", 1)):
        for place, name in enumerate(WNIDS):
            (tmp_path / "imagenet" / part / name).mkdir(parents=True)
            for number in range(count):
                path = tmp_path / "imagenet" / part / name / f"{name}_{number}.JPEG"
                path.write_bytes(png([place, count, number], 300))
    assert needed_files("imagenet", Options()) == to_fetch("imagenet", Options(), tmp_path) == []
    pictures = open_pictures("imagenet", Options(), tmp_path)
    assert isinstance(pictures.pixels, FilePixels)
    assert pictures.pixels.shape == (16, 256, 256, 3)
    assert pictures.kinds == ("natural", "natural", "man-made", "man-made")
    assert pictures.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert pictures.is_test.tolist() == [False, False, False, True] * 4
    assert pictures.pixels.path(4) == tmp_path / "imagenet" / "train" / WNIDS[1] / f"{WNIDS[1]}_0.JPEG"
    save_pictures(pictures, tmp_path / "file")
    again = load_pictures(tmp_path / "file")
    assert again.fingerprint == pictures.fingerprint
    assert np.array_equal(again.pixels.take(np.array([5])), pictures.pixels.take(np.array([5])))
    assert open_pictures("imagenet", Options(side=24), tmp_path).pixels.shape == (16, 24, 24, 3)
    with pytest.raises(DataError, match="a side of 2000 pixels is not possible; choose 1 to 1024"):
        open_pictures("imagenet", Options(side=2000), tmp_path)


def test_caltech101_without_its_background(tmp_path):
    root = tmp_path / "caltech101" / "101_ObjectCategories"
    for place, name in enumerate(("BACKGROUND_Google", "okapi", "wrench")):
        (root / name).mkdir(parents=True)
        for number in range(3):
            (root / name / f"image_{number}.jpg").write_bytes(png([place, number], 50))
    pictures = opening.open_pictures("caltech101", Options(), tmp_path, jobs=1)
    assert pictures.classes == ("okapi", "wrench")
    assert pictures.kinds == ("natural", "man-made")
    assert pictures.is_test is None
    assert pictures.pixels.shape == (6, 32, 32, 3)
    assert "is unverified" in pictures.notices[0]
    assert pictures.notices[-2:] == (
        "'BACKGROUND_Google' is a background and no class: left out",
        "6 pictures were not 32 x 32: resized",
    )


def test_the_digits_are_ten_classes():
    from sklearn.datasets import load_digits

    values, digits = load_digits(return_X_y=True)
    pictures = open_pictures("digits", Options(), Path("/nonexistent"))
    assert pictures.pixels.shape == (1797, 8, 8, 1)
    assert pictures.classes == ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    assert pictures.is_test is None
    assert pictures.kinds is None
    assert pictures.notices == ()
    mine = {(int(label), one.tobytes()) for label, one in zip(pictures.labels, pictures.pixels.values, strict=True)}
    scale = {value: round(value * 255 / 16) for value in range(17)}
    assert scale[16] == 255
    assert mine == {(d, bytes(scale[int(v)] for v in row)) for d, row in zip(digits.tolist(), values, strict=True)}
    assert pictures.fingerprint == "4d5e4340526b71b564f735833e8ba691737a945fbe32c180d7122f92af6ffe70"


def test_watching_an_opening(tmp_path):
    for number in range(4):
        path = tmp_path / "p" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number, 9))
    told = []
    watch = opening.Watch(describing=lambda *said: told.append(said[:2]))
    reference = f"folder:{tmp_path / 'p'}"
    opening.open_pictures(reference, Options(), tmp_path / "data", 2, watch=watch)
    assert told == [(4, 4)]


@pytest.mark.skipif("TLBENCH_REAL_DATA" not in os.environ, reason="TLBENCH_REAL_DATA names no folder")
def test_real_tiny_imagenet(tmp_path):
    with tarfile.open(Path(os.environ["TLBENCH_REAL_DATA"]) / "tiny-imagenet-32-60k.tar.gz") as archive:
        archive.extractall(tmp_path / "tiny-imagenet", filter="data")
    pictures = open_pictures("tiny-imagenet", Options(), tmp_path, jobs=2)
    assert (pictures.kinds.count("natural"), pictures.kinds.count("man-made")) == (72, 128)
    assert pictures.pixels.shape[1:] == (32, 32, 3)
    assert len(pictures.labels) > 59_900
