"""What the data folder takes is shown and freed: ours alone, and nothing that a link leads to."""

import json

import pytest


@pytest.fixture
def filled(place):
    """A data folder with a fetched file, two caches, and things that are not ours."""
    data = place.folder / "data"
    for name, size in (
        ("caltech256-features/10class_mix.mat", 3000),
        ("features/phog.sqlite", 500_000),
        ("pictures/abc/file", 200_000),
        ("mine/thesis.tex", 10),
        ("imagenet/train/n01440764/a.jpg", 10),
        ("caltech101/101_ObjectCategories/dolphin/image_0001.jpg", 10),
    ):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(b"x" * size)
    (data / "pictures" / "link").symlink_to(data / "mine")
    return place


def rows(place):
    (sheet,) = json.loads(place.succeed("data", "clean", "--format", "json").out)
    return {row["name"]: row["here"] for row in sheet["rows"]}


def test_what_is_ours_is_shown_with_its_size(filled):
    assert rows(filled) == {"caltech256-features": "0.0 MB", "features": "0.5 MB", "pictures": "0.2 MB"}
    listed = filled.succeed("data", "list").out
    assert "Caches in data, freed by" in listed
    assert "0.5 MB" in listed


def test_what_is_named_is_freed_and_nothing_else(filled):
    done = filled.succeed("data", "clean", "features", "pictures", "features")
    assert done.out.splitlines() == ["features: 0.5 MB freed", "pictures: 0.2 MB freed"]
    assert rows(filled) == {"caltech256-features": "0.0 MB"}
    data = filled.folder / "data"
    assert (data / "mine" / "thesis.tex").exists()
    assert (data / "imagenet" / "train" / "n01440764" / "a.jpg").exists()
    assert (data / "caltech101" / "101_ObjectCategories" / "dolphin" / "image_0001.jpg").exists()


@pytest.mark.parametrize("name", ["mine", "../data/features", "imagenet", "caltech101", "", "digits"])
def test_what_is_not_ours_is_not_freed(filled, name):
    done = filled.tlbench("data", "clean", name)
    assert done.status == 2
    assert f"there is no '{name}' to free" in done.err
    assert "there are caltech256-features, features, pictures" in done.err
    assert len(rows(filled)) == 3


def test_an_empty_folder_has_nothing(place):
    assert place.succeed("data", "clean").out == "there is nothing of ours in data\n"
    assert "it holds nothing of ours" in place.tlbench("data", "clean", "features").err
