"""Folders: which pictures are used for what, and what is no such folder."""

import numpy as np
import pytest
from PIL import Image

from tlbench import features
from tlbench.advice import describe, find_pictures, material_of, settle
from tlbench.datasets import DataError


def fill(folder, count, seed):
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    for number in range(count):
        Image.fromarray(draw.integers(0, 255, (16, 16), dtype=np.uint8)).save(folder / f"{seed}-{number}.png")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "photos"
    for seed, name in enumerate(("egret", "白鷺", "new")):
        fill(root / name, 3 if name == "new" else 20, seed)
    fill(root / "Clutter", 50, 8)
    fill(tmp_path / "elsewhere", 46, 9)
    return root


def test_a_usual_name_is_the_background_and_the_target_no_source(photos):
    found = find_pictures(photos / "new", photos, None)
    assert found.target == "new"
    assert {name: len(own) for name, own in found.sources.items()} == {"egret": 20, "白鷺": 20}
    assert (len(found.positives), len(found.background), found.set_apart) == (3, 50, {})
    assert found.notices == ()


def test_a_background_may_be_named_or_lie_elsewhere(photos):
    assert len(find_pictures(photos / "new", photos, "elsewhere").background) == 46
    assert "Clutter" in find_pictures(photos / "new", photos, "elsewhere").sources
    by_name = find_pictures(photos / "new", photos, "Clutter")
    assert by_name.background == find_pictures(photos / "new", photos, str(photos / "Clutter")).background


def test_set_apart_pictures_are_background_and_nothing_else(photos):
    for file in (photos / "Clutter").iterdir():
        file.unlink()
    (photos / "Clutter").rmdir()
    fill(photos / "egret", 60, 20)
    fill(photos / "白鷺", 60, 21)
    found = find_pictures(photos / "new", photos, None)
    for name, own in found.sources.items():
        assert len(own) == 53
        assert len(found.set_apart[name]) == 27
        assert not set(own) & set(found.set_apart[name])
    pack = describe(found, settle(["pixels"], photos), photos / "cache", 1)
    material = material_of(found, pack)
    assert sorted(np.concatenate(list(material.set_apart.values()))) == sorted(material.background)
    rows = [material.positives, material.background, *material.sources.values()]
    assert sorted(np.concatenate(rows)) == list(range(3 + 2 * 80))
    assert [pack.identities[row] for row in material.positives] == sorted(found.positives)


def test_a_picture_in_two_places_is_used_for_one_thing(photos):
    def copy(one, other):
        (photos / other / "copy.png").write_bytes((photos / one).read_bytes())

    copy("new/2-0.png", "egret")
    copy("egret/0-5.png", "白鷺")
    copy("白鷺/1-5.png", "Clutter")
    found = find_pictures(photos / "new", photos, None)
    assert {name: len(own) for name, own in found.sources.items()} == {"egret": 19, "白鷺": 19}
    assert (len(found.positives), len(found.background)) == (3, 50)
    assert [notice.partition(":")[0] for notice in found.notices] == [
        "a picture stands of the target in egret as well",
        "a picture stands in several sources (egret, 白鷺)",
        "a picture stands both in a source and in the background",
    ]


def test_what_was_left_out_is_said_where_too_little_is_left(photos):
    for file in (photos / "Clutter").iterdir():
        (photos / "new" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(
        DataError, match=r"there are 0 pictures of other things to tell the target from \(50 left out, "
    ):
        find_pictures(photos / "new", photos, None)
    for name in ("egret", "白鷺"):
        for file in (photos / name).iterdir():
            (photos / "new" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(
        DataError, match=r"no source besides the target \(90 left out, which are the target's own\); give"
    ):
        find_pictures(photos / "new", photos, None)


def test_a_picture_of_two_uses_is_counted_among_those_left_out(photos):
    for file in sorted((photos / "Clutter").iterdir())[:6]:
        (photos / "egret" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DataError, match=r"there are 44 pictures .* the target's own or stand in two places"):
        find_pictures(photos / "new", photos, None)


def test_an_empty_folder_is_no_source_and_said(photos):
    (photos / "empty").mkdir()
    assert find_pictures(photos / "new", photos, None).notices == ("'empty' holds no picture: it is no source",)


@pytest.mark.parametrize(
    ("target", "sources", "background", "words"),
    [
        ("photos/nothere", "photos", None, "photos/nothere is not there; the target is a folder of pictures"),
        ("photos/new/2-0.png", "photos", None, "is a file, not a folder"),
        ("texts", "photos", None, "texts has no picture in it; the target"),
        ("photos", "photos", None, "photos has no picture in it"),
        ("elsewhere", "elsewhere", None, "elsewhere has no folders in it"),
        ("photos/Clutter", "photos", None, "photos/Clutter is both target and background"),
        ("photos/new", "photos", "photos/new", "photos/new is both target and background"),
        ("photos/new", "photos", "nothere", "nothere is not there; the background is a folder of pictures"),
        ("photos/new", "photos", "photos", "photos is the folder of sources"),
        ("photos/new", "photos", "texts", "texts has no picture in it; the background"),
        ("photos/new", "photos", "egret", "there are 20 pictures of other things"),
        ("photos/new", "nothere", None, "nothere is not there"),
        ("photos/new", "alone", "elsewhere", "no source besides the target"),
    ],
)
def test_what_cannot_be_used_is_said(photos, target, sources, background, words):
    from pathlib import Path

    (photos.parent / "texts").mkdir()
    (photos.parent / "texts" / "notes.txt").write_text("no picture", encoding="utf-8")
    (photos.parent / "alone" / "empty").mkdir(parents=True)
    with pytest.raises(DataError) as raised:
        find_pictures(Path(target), Path(sources), background)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_names_are_composed_and_have_to_be_text(photos):
    fill(photos / "Lo\u0308ffler", 3, 30)
    assert find_pictures(photos / "Lo\u0308ffler", photos, None).target == "Löffler"
    fill(photos / "odd\udcff", 3, 31)
    with pytest.raises(DataError, match="not UTF-8; rename it"):
        find_pictures(photos / "odd\udcff", photos.parent, "elsewhere")


def test_kinds_that_a_model_cannot_carry_are_refused(tmp_path):
    assert [kind.name for kind in settle(["lbp", "pixels", "lbp"], tmp_path)] == ["lbp", "pixels"]
    for name in ("sift", "phogg", ""):
        with pytest.raises(features.FeaturesError, match=f"'{name}'"):
            settle([name], tmp_path)
