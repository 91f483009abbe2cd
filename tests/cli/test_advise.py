"""From a folder of pictures to an advice, a model and predictions, by the real command."""

import dataclasses
import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

import tlbench
from tests.place import save, table
from tlbench import features
from tlbench.advice import KindOfModel, Model

CHEAP = ("--features", "pixels,lbp", "--jobs", "1", "--quiet")
SHAPES = {"красный круг": 0, "square": 1, "三角": 2, "cross": 3}


def picture(draw, shape):
    """A light shape on a dark noisy ground; no shape for other things."""
    image = Image.fromarray(draw.integers(0, 70, (32, 32), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    x, y = draw.integers(10, 22, 2).tolist()
    radius = int(draw.integers(6, 9))
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == 0:
        pen.ellipse(box, fill=220)
    elif shape == 1:
        pen.rectangle(box, fill=220)
    elif shape == 2:
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=220)
    elif shape == 3:
        pen.line((box[0], y, box[2], y), fill=220, width=4)
        pen.line((x, box[1], x, box[3]), fill=220, width=4)
    elif shape == 4:
        pen.ellipse(box, outline=220, width=3)
    return image


def fill(folder, shape, count, seed):
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        picture(draw, shape).save(folder / f"{number:02d}.png")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    for name, shape in SHAPES.items():
        fill(folder / "photos" / name, shape, 22, shape)
    fill(folder / "photos" / "new ring", 4, 3, 10)
    fill(folder / "photos" / "clutter", 9, 60, 11)
    fill(folder / "unseen", 4, 6, 12)
    for number, file in enumerate(sorted((folder / "photos" / "clutter").iterdir())[:4]):
        Image.open(file).rotate(90).save(folder / "unseen" / f"other {number}.png")
    return folder


@pytest.fixture
def photos(place, drawn):
    shutil.copytree(drawn, place.folder, dirs_exist_ok=True)
    return place


ADVISE = ("advise", "--target", "photos/new ring", "--sources", "photos", *CHEAP)


def test_pictures_advice_model_prediction(photos):
    done = photos.succeed(*ADVISE)
    assert done.out.startswith("# new ring, 3 labelled pictures\n")
    for words in ("Expected balanced accuracy", "| source | weight |", "красный круг", "advice/model.safetensors"):
        assert words in done.out
    assert "clutter" not in done.out  # of a usual name: the background
    folder = photos.folder / "advice"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("advice.md", "advice.png", "advice.svg", "model.safetensors", "rehearsal.csv", "weights.csv"),
    ]
    assert done.out.startswith((folder / "advice.md").read_text(encoding="utf-8"))
    assert set(pd.read_csv(folder / "rehearsal.csv")["source"]) == set(SHAPES)
    assert set(pd.read_csv(folder / "weights.csv")["source"]) == set(SHAPES)

    predicted = photos.succeed(
        "predict", folder / "model.safetensors", "unseen", "--quiet", "--format", "json", "--output", "found.csv"
    )
    rows = json.loads(predicted.out)[0]["rows"]
    assert len(rows) == 10
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {row["answer"] for row in rows} == {"yes", "no"}
    right = sum(row["answer"] == ("no" if "other" in row["picture"] else "yes") for row in rows)
    assert right >= 8
    pd.testing.assert_frame_equal(pd.read_csv(photos.folder / "found.csv"), pd.DataFrame(rows))
    model = tlbench.load(folder / "model.safetensors")
    one = photos.folder / rows[0]["picture"]
    assert model.predict_pictures([one], photos.folder / "data")[one] == pytest.approx(scores[0], abs=1e-12)


@pytest.mark.slow
def test_the_same_question_has_the_same_answer(photos):
    def answer(*more):
        photos.succeed(*ADVISE, *more)
        files = {path.name: path.read_bytes() for path in (photos.folder / "advice").iterdir()}
        model = tlbench.load(photos.folder / "advice" / "model.safetensors")
        files.pop("model.safetensors")  # the order of its notes is not fixed
        return files, model.coefficients.tobytes(), model.bias

    assert answer() == answer("--jobs", "2")


def test_what_stands_in_two_places_is_found_and_left_out(photos):
    root = photos.folder / "photos"
    shutil.copy(root / "new ring" / "00.png", root / "square" / "copy.png")
    shutil.copy(root / "new ring" / "01.png", root / "clutter" / "copy.png")
    shutil.copy(root / "三角" / "05.png", root / "cross" / "copy.png")
    shutil.copy(root / "square" / "07.png", root / "clutter" / "another.png")
    done = photos.succeed(*ADVISE, "--format", "json")
    noted = [row["answer"] for row in json.loads(done.out)[0]["rows"] if row["question"] == "noted"]
    assert len(noted) == 3
    assert "2 pictures stand of the target in square, the background as well" in noted[0]
    assert "a picture stands in several sources (cross, 三角): left out of all" in noted[1]
    assert "a picture stands both in a source and in the background" in noted[2]


def test_without_a_background_part_of_the_sources_is_set_apart(photos):
    shutil.rmtree(photos.folder / "photos" / "clutter")
    for number, name in enumerate(SHAPES):
        fill(photos.folder / "more", SHAPES[name], 14, 50 + number)
        for file in (photos.folder / "more").iterdir():
            file.rename(photos.folder / "photos" / name / f"more {file.name}")
        (photos.folder / "more").rmdir()
    done = photos.succeed(*ADVISE)
    assert "a third of each source's pictures serves as other things" in done.out
    assert "advice/model.safetensors" in done.out


@pytest.mark.slow
@pytest.mark.fault("input")
def test_a_broken_picture_is_named_or_left_out(photos):
    broken = photos.folder / "photos" / "square" / "bad.png"
    broken.write_bytes(b"")
    done = photos.tlbench(*ADVISE)
    assert (done.status, done.out) == (2, "")
    assert "bad.png is empty; leave out what is broken with --skip-broken" in done.err
    assert "bad.png is empty: left out" in photos.succeed(*ADVISE, "--skip-broken").out
    broken.rename(photos.folder / "unseen" / "bad.png")
    done = photos.tlbench("predict", "advice/model.safetensors", "unseen", "--quiet")
    assert (done.status, done.out) == (2, "")
    assert "unseen/bad.png is empty; leave out what is broken with --skip-broken\n" in done.err
    done = photos.succeed("predict", "advice/model.safetensors", "unseen", "--quiet", "--skip-broken")
    assert "bad.png cannot be read: left out" in done.err


@pytest.mark.slow
def test_a_table_of_features_will_do(place):
    few = table(examples=22, background=60)
    few = few[(few["label"] != "heron") | few.index.isin(few.index[:3])]
    save(few, place.folder / "birds.csv")
    done = place.succeed("advise", "--target", "heron", "--sources", "birds.csv", "--jobs", "1", "--quiet")
    assert done.out.startswith("# heron, 3 labelled pictures")
    unseen = table(examples=30, background=60).query("label in ['heron', 'background']").tail(80).drop(columns="label")
    save(unseen, place.folder / "unseen.csv")
    done = place.succeed("predict", "advice/model.safetensors", "unseen.csv", "--format", "csv")
    found = pd.read_csv(place.folder / "unseen.csv").merge(
        pd.DataFrame([line.split(",") for line in done.out.splitlines()[1:]], columns=["identity", "score", "answer"])
    )
    assert len(found) == 80
    assert (found["answer"] == "yes").eq(found["identity"].str.startswith("heron")).mean() > 0.6

    def refused(*given):
        wrong = place.tlbench("predict", "advice/model.safetensors", *given)
        assert (wrong.status, wrong.out, wrong.err.count("\n")) == (2, "", 1), wrong.err
        return wrong.err

    save(unseen[unseen.columns[::-1]], place.folder / "turned.csv")
    turned = place.succeed("predict", "advice/model.safetensors", "turned.csv", "--format", "csv")
    assert turned.out == done.out
    save(unseen.rename(columns={"shape:1": "shape:one"}), place.folder / "renamed.csv")
    assert "renamed.csv lacks 'shape:1'; give exactly the columns" in refused("renamed.csv")
    assert "one table at a time" in refused("unseen.csv", "turned.csv")
    Image.new("L", (32, 32)).save(place.folder / "one.png")
    assert "knows numbers 'texture' and not pictures; give it a table" in refused("one.png")
    assert "birds.txt is not there" in refused("birds.txt")


def test_a_model_of_pictures_takes_no_table(place):
    kind = KindOfModel.of(features.find("pixels"))
    model = Model("t", (), {"pixels": kind}, {"pixels": np.zeros((1, 1024))}, np.ones(1), 0.0)
    model.save(place.folder / "model.safetensors")
    save(table(examples=1), place.folder / "unseen.csv")
    for given in (["unseen.csv"], ["unseen.csv", "unseen.csv"]):
        done = place.tlbench("predict", "model.safetensors", *given)
        assert (done.status, done.out) == (2, "")
        assert (
            "this is a model of pictures, and unseen.csv is a table; give pictures or folders of pictures" in done.err
        )
    dataclasses.replace(model, bias=np.nan).save(place.folder / "model.safetensors")
    done = place.tlbench("predict", "model.safetensors", "unseen.csv")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert "its coefficients are not finite numbers" in done.err


@pytest.mark.slow
def test_names_and_numbers_of_pictures_do_not_break_the_answer(place):
    kind = KindOfModel.of(features.find("pixels"))
    model = Model("t", (), {"pixels": kind}, {"pixels": np.zeros((1, 1024))}, np.ones(1), 0.0)
    model.save(place.folder / "model.safetensors")
    odd = "two\nlines \x1b[31mred.png"
    (place.folder / "unseen").mkdir()
    draw = np.random.default_rng(0)
    for name in (odd, *(f"{number:02d}.png" for number in range(24))):
        Image.fromarray(draw.integers(0, 255, (8, 8), dtype=np.uint8)).save(place.folder / "unseen" / name)
    ask = ("predict", "model.safetensors", "unseen", "--quiet", "--jobs", "1")
    every = place.succeed(*ask).out.splitlines()
    assert len(every) == 26
    assert next(line for line in every if "red.png" in line).startswith(r"unseen/two\nlines \x1b[31mred.png")
    short = place.succeed(*ask, "--output", "found.csv").out.splitlines()
    assert short[-1] == "5 more in found.csv"
    assert [line.split() for line in short[:-1]] == [line.split() for line in every[:21]]
    found = pd.read_csv(place.folder / "found.csv")
    assert len(found) == 25
    assert f"unseen/{odd}" in set(found["picture"])
    rows = json.loads(place.succeed(*ask, "--output", "found.csv", "--format", "json").out)[0]["rows"]
    assert len(rows) == 25
    assert f"unseen/{odd}" in {row["picture"] for row in rows}


REFUSED = [
    # (arguments in place of the usual ones, words of the one sentence); more in tests/advice/test_gathering.py
    (("--target", "photos/empty"), "photos/empty has no picture in it"),
    (("--target", "photos/clutter"), "photos/clutter is both target and background"),
    (("--sources", "photos/square/00.png"), "is a file, not a folder"),
    (("--features", "sift"), "'sift' counts words"),
    (("--features", ""), "there is no kind of feature ''"),
    (("--jobs", "0"), "--jobs"),
    (("--output", "photos/square/00.png/advice"), "cannot be written"),
]


@pytest.fixture(scope="module")
def odd(drawn, tmp_path_factory, warm):
    from tests.place import Place

    place = Place(tmp_path_factory.mktemp("odd") / "place", warm)
    shutil.copytree(drawn, place.folder, dirs_exist_ok=True)
    (place.folder / "photos" / "empty").mkdir()
    return place


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=lambda value: str(value)[:60])
@pytest.mark.fault("input")
def test_what_cannot_be_used_is_one_sentence(odd, arguments, words):
    done = odd.tlbench(*ADVISE, *arguments)
    assert "Traceback" not in done.err, done.err[-500:]
    assert (done.status, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not (odd.folder / "advice").exists()


def test_one_source_gives_a_model_and_no_promise(photos):
    for name in list(SHAPES)[1:]:
        shutil.rmtree(photos.folder / "photos" / name)
    done = photos.succeed(*ADVISE)
    assert "3 sources of at least 18 pictures are needed, and there is 1" in done.out
    assert "advice/model.safetensors" in done.out


class Bomb:
    def __reduce__(self):
        return (print, ("a pickle was run",))


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is not there"), (b"", "is no model"), (b"text", "is no model"), (pickle.dumps(Bomb()), "is no model")],
    ids=["none", "empty", "text", "pickle"],
)
@pytest.mark.fault("security")
def test_predict_needs_a_model(place, content, words):
    if content is not None:
        (place.folder / "model.safetensors").write_bytes(content)
    done = place.tlbench("predict", "model.safetensors", ".")
    assert (done.status, done.out) == (2, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_help_says_how(place):
    assert "tlbench advise --target" in place.succeed("advise", "--help").out
    assert "tlbench predict advice/model" in place.succeed("predict", "--help").out


LITE = "deep:efficientnet-lite0"


@pytest.mark.slow
def test_a_pretrained_network_describes_pictures_for_advice_and_prediction(photos):
    asked = ("--target", "photos/new ring", "--sources", "photos", "--quiet")
    done = photos.succeed("advise", *asked, "--features", f"{LITE}/3,pixels")
    assert "advice/model.safetensors" in done.out
    predicted = photos.succeed("predict", "advice/model.safetensors", "unseen", "--quiet", "--format", "json")
    rows = json.loads(predicted.out)[0]["rows"]
    assert sum(row["answer"] == ("no" if "other" in row["picture"] else "yes") for row in rows) >= 8

    layers = photos.succeed("advise", *asked, "--layers", LITE, "--output", "layers")
    assert "Keep the first " in layers.out
    assert (photos.folder / "layers" / "layers.md").read_text() in layers.out
    assert pd.read_csv(photos.folder / "layers" / "layers.csv")["blocks"].tolist() == list(range(1, 17))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "status", "says"),
    [
        (("--features", "deep:resnet18"), 3, "tlbench data fetch weights:resnet18"),
        (("--features", "deep:resnet81"), 2, "did you mean 'resnet18'?"),
        (("--features", "deep:resnet18@own.safetensors"), 2, "own.safetensors cannot be read"),
        (("--features", f"{LITE}/99"), 2, "has 16 blocks"),
        (("--layers", "phog"), 2, "is no whole network"),
    ],
)
def test_what_is_no_network_is_said(photos, more, status, says):
    done = photos.tlbench("advise", "--target", "photos/new ring", "--sources", "photos", *more)
    assert (done.status, done.out) == (status, "")
    assert says in done.err
    assert "Traceback" not in done.err
