"""A folder of pictures, from files to verdicts, by the real command."""

import numpy as np
import pytest
from PIL import Image

OPTIONS = ("--profile", "smoke", "--background", "the rest")
RUN = ("run", "caltech-multisource", "--dataset", "folder:my photos", *OPTIONS)


@pytest.fixture
def photos(place):
    """Stripes at an angle of each category's own, the background without direction; 30 and 60 pictures."""
    draw = np.random.default_rng(0)
    down, across = np.mgrid[:48, :64] / 8.0
    for number, label in enumerate(("grey heron", "Löffler", "白鷺", "ibis", "the rest")):
        folder = place.folder / "my photos" / label
        folder.mkdir(parents=True)
        for index in range(60 if label == "the rest" else 30):
            angle = draw.uniform(0, np.pi) if label == "the rest" else number * np.pi / 4 + draw.normal(0, 0.15)
            stripes = np.sin(4 * (np.cos(angle) * across + np.sin(angle) * down) + draw.uniform(0, 6))
            grey = 128 + 40 * stripes + draw.normal(0, 25, stripes.shape)
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return place


@pytest.mark.slow
def test_a_folder_is_described_once_and_judged(photos):
    first = photos.succeed(*RUN)
    assert "describing: 180 of 180 pictures" in first.err
    assert set(photos.measurements()["unit"]) == {"grey heron", "Löffler", "白鷺", "ibis"}
    means = photos.measurements().groupby("condition")["value"].mean()
    assert means["none"] > 60  # stripes are what these features see
    again = photos.succeed(*RUN)
    assert "describing" not in again.err
    Image.new("L", (40, 30), 90).save(photos.folder / "my photos" / "ibis" / "new.png")
    assert "describing: 1 of 1 pictures" in photos.succeed(*RUN, "--dry-run").err


@pytest.mark.slow
def test_jobs_change_no_number(photos):
    tables = []
    for jobs in ("1", "2"):
        place = ("--results", f"with-{jobs}", "--data-dir", f"data-{jobs}", "--jobs", jobs)
        photos.succeed(*RUN, *place, "--quiet", "--features", "phog,pixels")
        (path,) = (photos.folder / f"with-{jobs}").rglob("measurements.csv")
        tables.append((path.parent.name, path.read_bytes()))
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_picture_that_cannot_be_read_is_named_or_left_out(photos):
    bad = photos.folder / "my photos" / "ibis" / "bad.jpg"
    bad.write_text("no picture")
    refused = photos.tlbench(*RUN)
    assert refused.status == 2
    assert "bad.jpg" in refused.err.splitlines()[-1]
    assert not (photos.folder / "results").exists()
    assert "bad.jpg" in photos.succeed(*RUN, "--skip-broken").out


def test_a_picture_in_two_categories_is_refused(photos):
    folder = photos.folder / "my photos"
    (folder / "ibis" / "copy.png").write_bytes((folder / "白鷺" / "3.png").read_bytes())
    refused = photos.tlbench(*RUN)
    assert refused.status == 2
    assert "are the same picture" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "folder:nothere"), "is not there"),
        (("--dataset", "folder:my photos/ibis/1.png"), "is a file, not a folder"),
        (("--dataset", "folder:my photos/ibis"), "no folders in it"),
        (("--dataset", "folder:my photos", "--background", "rest"), "did you mean 'the rest'"),
        (("--dataset", "folder:my photos", "--background", "the rest", "--categories", "ibis"), "at least two"),
        (
            ("--dataset", "folder:my photos", "--background", "the rest", "--features", "surf"),
            "no kind of feature 'surf'",
        ),
        (("--dataset", "digits", "--features", "phog"), "has no features to choose"),
    ],
)
def test_what_is_no_folder_of_pictures_is_refused(photos, arguments, words):
    refused = photos.tlbench("run", "caltech-multisource", *arguments)
    assert refused.status == 2
    assert refused.err.startswith("tlbench: ")
    assert len(refused.err.splitlines()) == 1
    assert words in refused.err
    assert not (photos.folder / "results").exists()


def test_an_empty_category_is_refused(photos):
    (photos.folder / "my photos" / "stork").mkdir()
    refused = photos.tlbench(*RUN)
    assert refused.status == 2
    assert "'stork' has no picture" in refused.err
