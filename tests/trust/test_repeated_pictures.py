"""The same picture twice is found and said: it would be trained on here and tested on there.

The same bytes are one picture, in whatever folder and under whatever name. The same pixels in another file may be two
pictures that look alike, so they stay, and a notice names them.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tlbench import opening
from tlbench.advice import gathering
from tlbench.datasets import DataError, Options
from tlbench.datasets.distinct_pictures import lookalikes

pytestmark = pytest.mark.fault("leakage")

ALIKE = "exactly like one in another file"


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(np.kron(cells, np.ones((4, 4, 1), dtype=np.uint8))).save(path)


def make(root, *folders, count=4):
    for place, folder in enumerate(folders):
        for number in range(count):
            draw(root / folder / f"{number}.png", 100 * place + number)
    return root


def again(path, to, suffix=".bmp"):
    """The same pixels in another kind of file."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(path) as image:
        image.save(to.with_suffix(suffix), compress_level=1)


def as_features(root, cache):
    return opening.open_pack(f"folder:{root}", Options(), cache, 1)


def as_pictures(root, cache):
    return opening.open_pictures(f"folder:{root}", Options(), cache, 1)


OPENED = {"features": as_features, "pictures": as_pictures}


@pytest.fixture
def birds(tmp_path):
    return make(tmp_path / "birds", "heron", "ibis", "background")


@pytest.mark.parametrize("shape", OPENED)
def test_the_same_file_twice_in_a_category_is_one_picture(birds, tmp_path, shape):
    usual = OPENED[shape](birds, tmp_path / "one").fingerprint
    shutil.copyfile(birds / "heron" / "0.png", birds / "heron" / "copy.png")
    opened = OPENED[shape](birds, tmp_path / "two")
    assert opened.fingerprint == usual
    assert any("kept once" in notice for notice in opened.notices)


@pytest.mark.parametrize("shape", OPENED)
def test_the_same_file_in_two_categories_is_refused_with_both_names(birds, tmp_path, shape):
    shutil.copyfile(birds / "heron" / "0.png", birds / "ibis" / "another.png")
    with pytest.raises(DataError, match=r"heron/0\.png.*ibis/another\.png.* same picture.*remove one of them"):
        OPENED[shape](birds, tmp_path / "cache")


@pytest.mark.parametrize("suffix", [".bmp", ".png"])
@pytest.mark.parametrize("shape", OPENED)
def test_the_same_pixels_in_another_file_are_said(birds, tmp_path, shape, suffix):
    assert not any(ALIKE in notice for notice in OPENED[shape](birds, tmp_path / "one").notices)
    again(birds / "heron" / "0.png", birds / "heron" / "another", suffix)
    again(birds / "heron" / "1.png", birds / "ibis" / "another", suffix)
    opened = OPENED[shape](birds, tmp_path / "two")
    (notice,) = [notice for notice in opened.notices if ALIKE in notice]
    assert notice.startswith("2 pictures look exactly like one in another file (")
    assert "heron/1.png" in notice
    assert f"ibis/another{suffix}" in notice, "a pair of two categories is named first"
    assert "remove one of each" in notice


def test_a_test_picture_among_the_training_pictures_is_taken_out_or_said(tmp_path):
    folders = [f"{part}/{name}" for part in ("train", "test") for name in ("ant", "bee")]
    root = make(tmp_path / "parts", *folders)
    shutil.copyfile(root / "test" / "ant" / "0.png", root / "train" / "ant" / "leak.png")
    again(root / "test" / "bee" / "0.png", root / "train" / "bee" / "leak")
    opened = as_pictures(root, tmp_path / "cache")
    assert "1 training picture is a test picture as well: left out of the training" in opened.notices
    (notice,) = [notice for notice in opened.notices if ALIKE in notice]
    assert "train/bee/leak.bmp" in notice
    assert "test/bee/0.png" in notice
    training = opened.pixels.take(np.flatnonzero(~opened.is_test))
    assert len(training) == 9, "four and four of the training, and the one that is said"


def test_a_picture_of_the_target_among_the_sources_is_taken_out_or_said(tmp_path):
    root = make(tmp_path / "birds", "heron", "ibis", "egret", count=6)
    for number in range(45):
        draw(root / "background" / f"{number}.png", 5000 + number)
    make(tmp_path / "new", "stork", count=0)
    for number in range(4):
        draw(tmp_path / "new" / "stork" / f"{number}.png", 9000 + number)
    shutil.copyfile(tmp_path / "new" / "stork" / "0.png", root / "ibis" / "leak.png")
    again(tmp_path / "new" / "stork" / "1.png", root / "egret" / "leak")
    found = gathering.find_pictures(tmp_path / "new" / "stork", root, None)
    pack = gathering.describe(found, gathering.settle(["phog", "pixels"], tmp_path / "data"), tmp_path / "cache", 1)
    assert any("left out there, or the sources would have seen" in notice for notice in pack.notices)
    (notice,) = [notice for notice in pack.notices if ALIKE in notice]
    assert "stork/1.png" in notice
    assert "egret/leak.bmp" in notice


@pytest.mark.slow
def test_a_run_says_it_before_it_computes(place):
    root = make(place.folder / "birds", "heron", "ibis", "background", count=60)
    again(root / "heron" / "0.png", root / "heron" / "copy")
    done = place.succeed(
        "run", "caltech-multisource", "--dataset", "folder:birds", "--profile", "smoke", "--seeds", "1"
    )
    assert ALIKE in done.out
    assert ALIKE in (place.run_folder / "manifest.json").read_text(encoding="utf-8")


def test_look_alikes_are_those_with_every_number_the_same():
    one, other = np.array([[1.0, 2], [1, 2], [3, 4]]), np.array([[5.0], [6], [5]])
    assert lookalikes([one, other], str) == []
    (notice,) = lookalikes([one], "abc".__getitem__)
    assert notice.startswith("1 picture looks exactly like one in another file (a and b): ")
