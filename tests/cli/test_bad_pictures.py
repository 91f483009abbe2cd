"""Bad and odd pictures, folders and models by the real command: each row is refused in one sentence or seen rightly.

The rows are those of "Odd pictures" in docs/pictures.md, which a test holds against them.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.place import REPOSITORY, Place
from tlbench import features, keeping

pytestmark = pytest.mark.fault("input")

CHEAP = ("--jobs", "1", "--quiet")
ADVISE = ("advise", "--target", "photos/ring", "--sources", "photos", "--features", "pixels,regcov", *CHEAP)
MODEL = "advice/model.safetensors"
SIDES = (48, 32)
JPEG = {"quality": 100, "subsampling": 0}


# What is drawn


def draw(kind: int, generator: np.random.Generator) -> Image.Image:
    """A coloured shape in the left half of a dark noisy ground."""
    image = Image.fromarray(generator.integers(0, 70, (SIDES[1], SIDES[0], 3), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    x, y = generator.integers(10, 22, 2).tolist()
    box = (x - 7, y - 7, x + 7, y + 7)
    colour = tuple(generator.integers(150, 255, 3).tolist())
    if kind == 0:
        pen.ellipse(box, fill=colour)
    elif kind == 1:
        pen.rectangle(box, fill=colour)
    elif kind == 2:
        pen.polygon([(x, y - 7), (x - 7, y + 7), (x + 7, y + 7)], fill=colour)
    elif kind == 3:
        pen.ellipse(box, outline=colour, width=3)
    return image


def fill(folder: Path, kind: int, count: int) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(kind)
    for number in range(count):
        draw(kind, generator).save(folder / f"{number:02d}.png")


UPRIGHT = draw(3, np.random.default_rng(7)).quantize(60)  # few colours, so that a GIF holds it exactly
LAST = draw(9, np.random.default_rng(8)).quantize(60)


def negative(image: Image.Image) -> Image.Image:
    return Image.fromarray(255 - np.asarray(image))


def png(width: int, height: int, bits: int, colour: int, packed: bytes) -> bytes:
    """A PNG written by hand, for sorts that Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


# Odd and seen rightly


@dataclass(frozen=True)
class Odd:
    """write: the file. seen: what a person sees; None where there is nothing to hold it against.

    mistaken: what a careless program takes it for. within: what its storing may move the score by.
    """

    about: str
    name: str
    write: Callable[[Path], None]
    seen: Image.Image | None = None
    mistaken: Image.Image | None = None
    within: float = 1e-9


def animation(path: Path) -> None:
    options = {"lossless": True} if path.suffix == ".webp" else {}
    UPRIGHT.save(path, save_all=True, append_images=[LAST], **options)


def sixteen_grey(path: Path) -> None:
    Image.fromarray(np.asarray(UPRIGHT.convert("L")).astype(np.uint16) * 257).save(path)


LOW_BYTES = np.random.default_rng(0).integers(0, 256, (SIDES[1], SIDES[0], 3))


def sixteen_colours(path: Path) -> None:
    values = np.asarray(UPRIGHT.convert("RGB")).astype(int) * 256 + LOW_BYTES
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    path.write_bytes(png(*SIDES, 16, 2, zlib.compress(rows)))


def inks(path: Path) -> None:
    cyan, magenta, yellow = negative(UPRIGHT.convert("RGB")).split()
    Image.merge("CMYK", [cyan, magenta, yellow, Image.new("L", SIDES, 0)]).save(path, **JPEG)


TURNED = UPRIGHT.convert("RGB").transpose(Image.Transpose.ROTATE_90)


def on_its_side(path: Path) -> None:
    note = Image.Exif()
    note[0x0112] = 6  # row 0 of the file is the right side of the scene, EXIF 2.3
    TURNED.save(path, exif=note, **(JPEG if path.suffix == ".jpg" else {}))


def ring(paper: int) -> Image.Image:
    image = Image.new("P", SIDES, paper)
    image.putpalette([0, 0, 0, 200, 180, 60, 255, 255, 255])
    ImageDraw.Draw(image).ellipse((8, 6, 26, 24), outline=1, width=3)
    return image


SEEN = [
    Odd("an animated GIF", "moving.gif", animation, UPRIGHT, LAST),
    Odd("an animated WebP", "moving.webp", animation, UPRIGHT, LAST),
    Odd("an animated PNG", "moving.png", animation, UPRIGHT, LAST),
    Odd("16-bit grey", "deep grey.png", sixteen_grey, UPRIGHT.convert("L"), Image.new("L", SIDES, 255), 1e-6),
    Odd("16-bit colour", "deep colours.png", sixteen_colours, UPRIGHT, Image.fromarray(LOW_BYTES.astype(np.uint8))),
    Odd("a CMYK JPEG", "inks.jpg", inks, UPRIGHT, negative(UPRIGHT.convert("RGB")), 1e-3),
    Odd("a JPEG turned by EXIF", "turned.jpg", on_its_side, UPRIGHT, TURNED, 1e-3),
    Odd("a PNG turned by EXIF", "turned.png", on_its_side, UPRIGHT, TURNED),
    Odd(
        "a palette with a transparent colour",
        "cut out.png",
        lambda path: ring(0).save(path, transparency=0),
        ring(2),
        ring(0),
    ),
    Odd("one pixel", "one pixel.png", lambda path: Image.new("RGB", (1, 1), (9, 200, 30)).save(path)),
    Odd("nothing but transparency", "clear.png", lambda path: Image.new("RGBA", SIDES, (0, 0, 0, 0)).save(path)),
]

NAMES = [
    *("白鷺.png", "Цапля.png", "עברית.png", "🦩.png", "'q\" uote.png", "new\nline.png", "\x1b[31mred.png"),
    *("[red]x[-red].png", "a,b;c.png", "$(touch x) %s {0}.png", "<script>alert(1)<-script>.png", " .png"),
]
NOT_UTF8 = os.fsdecode(b"\xff.png")


# Refused


@dataclass(frozen=True)
class Bad:
    """write: what is at the path. words: of the one sentence."""

    about: str
    name: str
    write: Callable[[Path], object]
    words: str


def cut_off(path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)).save(whole, "JPEG")
    path.write_bytes(whole.getvalue()[:4000])


def two_hundred_megapixels(path: Path) -> None:
    row = b"\0" * (1 + 20_000 // 8)
    path.write_bytes(png(20_000, 10_000, 1, 0, zlib.compress(row * 10_000)))


def folder_of_texts(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("no picture", encoding="utf-8")


BROKEN = [
    Bad("a cut-off JPEG", "cut.jpg", cut_off, "cannot be decoded (image file is truncated"),
    Bad("zero bytes", "zero.png", lambda path: path.write_bytes(b""), "is empty"),
    Bad("200 megapixels", "large.png", two_hundred_megapixels, "at most 100 million are decoded"),
    Bad(
        "few bytes that claim 3.6 gigapixels",
        "bomb.png",
        lambda path: path.write_bytes(png(60_000, 60_000, 8, 0, zlib.compress(bytes(1000)))),
        "at most 100 million are decoded",
    ),
    Bad("a text named .jpg", "letter.jpg", lambda path: path.write_text("Dear all,"), "is text, not a picture"),
    Bad("a web page named .jpg", "page.jpg", lambda path: path.write_text("<html>404"), "is an HTML page"),
    Bad(
        "another format named .jpg (HEIC, PDF, a film)",
        "phone.jpg",
        lambda path: path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(range(200))),
        "is not a picture in a format that is read (JPEG, PNG, GIF, BMP, TIFF, WEBP, PPM)",
    ),
]
NO_PICTURES = [
    Bad("an empty folder", "empty", Path.mkdir, "has no picture in it"),
    Bad("a folder of texts", "texts", folder_of_texts, "has no picture in it"),
    Bad("nothing there", "nothing", lambda _: None, "is not there"),
    Bad("a link to nowhere", "links", lambda path: (path.mkdir(), (path / "a.png").symlink_to("x")), "to nowhere"),
]


# Models


def rewrite(path: Path, model: Path, **changes: object) -> None:
    arrays, notes = keeping.read(model)
    path.write_bytes(keeping.packed(arrays, json.dumps({**json.loads(notes), **changes})))


def without_coefficients(path: Path, model: Path) -> None:
    arrays, notes = keeping.read(model)
    path.write_bytes(keeping.packed({name: one for name, one in arrays.items() if name != "coefficients"}, notes))


def of_older_features(path: Path, model: Path) -> None:
    kinds = json.loads(keeping.read(model)[1])["kinds"]
    kinds["pixels"]["depends_on"] = kinds["pixels"]["depends_on"].replace("32", "16")
    rewrite(path, model, kinds=kinds)


def one_bit_other(path: Path, model: Path) -> None:
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


class Bomb:
    def __reduce__(self):
        return (print, ("a pickle was run",))


AGAIN = "is no model, or was changed after"
MODELS = [
    ("a model of another version", lambda path, model: rewrite(path, model, format=99), "this one reads format"),
    ("a model of other features", of_older_features, "was made with another version of 'pixels'"),
    ("a model with a changed byte", one_bit_other, AGAIN),
    ("a cut-off model", lambda path, model: path.write_bytes(model.read_bytes()[:-9]), AGAIN),
    ("a model that lacks a part", without_coefficients, "lacks a part of a model"),
    ("a pickle for a model", lambda path, _: path.write_bytes(pickle.dumps(Bomb())), AGAIN),
    ("a picture for a model", lambda path, _: UPRIGHT.save(path, "PNG"), AGAIN),
    ("a folder for a model", lambda path, _: path.mkdir(), "is a folder; a model is a file"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory, warm):
    """A place with photographs, a model of them, and every bad thing in ``bad``."""
    place = Place(tmp_path_factory.mktemp("bad") / "place", warm)
    for kind, name in enumerate(("heron", "egret", 'i"b<i>s\n\x1b[31m🦩')):
        fill(place.folder / "photos" / name, kind, 18)
    fill(place.folder / "photos" / "ring", 3, 3)
    fill(place.folder / "photos" / "clutter", 9, 46)
    bad = place.folder / "bad"
    bad.mkdir()
    for row in (*BROKEN, *NO_PICTURES):
        row.write(bad / row.name)
    done = place.succeed(*ADVISE)
    assert [line for line in done.out.splitlines() if "🦩" in line and line.startswith("| i")]
    assert "\x1b" not in done.out
    assert done.err == ""
    return place


@pytest.fixture(scope="module")
def scores(shop):
    """What the model makes of every odd picture, what is seen in it and what it may be mistaken for."""
    for row in SEEN:
        (shop.folder / "odd").mkdir(exist_ok=True)
        row.write(shop.folder / "odd" / row.name)
        for where, image in (("seen", row.seen), ("mistaken", row.mistaken)):
            (shop.folder / where).mkdir(exist_ok=True)
            if image is not None:
                image.convert("L" if image.mode == "L" else "RGB").save(shop.folder / where / f"{row.name}.png")
    for name in (*NAMES, NOT_UTF8):
        (shop.folder / "named").mkdir(exist_ok=True)
        UPRIGHT.convert("RGB").save(shop.folder / "named" / name)
    done = shop.succeed("predict", MODEL, "odd", "seen", "mistaken", "named", *CHEAP, "--format", "json")
    return {row["picture"]: row["score"] for row in json.loads(done.out)[0]["rows"]}


def refused(done, words):
    """In one sentence, with no traceback and nothing on standard output."""
    assert (done.status, done.out) == (2, ""), done.err[-800:]
    assert done.err.startswith("tlbench: ")
    assert done.err.count("\n") == 1, done.err[-800:]
    assert words in done.err


@pytest.mark.parametrize("row", SEEN, ids=lambda row: row.about)
def test_an_odd_picture_is_seen_as_by_a_person(scores, row):
    score = scores[f"odd/{row.name}"]
    assert math.isfinite(score)
    if row.seen is not None:
        assert score == pytest.approx(scores[f"seen/{row.name}.png"], abs=row.within)
        assert abs(score - scores[f"mistaken/{row.name}.png"]) > max(5 * row.within, 0.005)


def test_a_turned_picture_has_the_features_of_the_upright_one(tmp_path):
    on_its_side(tmp_path / "turned.png")
    UPRIGHT.convert("RGB").save(tmp_path / "upright.png")
    for kind in features.KINDS.values():
        turned, upright = (kind.of_file(tmp_path / f"{name}.png") for name in ("turned", "upright"))
        np.testing.assert_array_equal(turned, upright, err_msg=kind.name)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_will_do(scores, name):
    assert scores[f"named/{name}"] == pytest.approx(scores["seen/moving.png.png"], abs=1e-9)


def test_any_name_is_one_line_of_a_table(shop, scores):
    """Also where standard output takes text alone, which the name that is no UTF-8 is not."""
    done = shop.succeed("predict", MODEL, "named", *CHEAP, PYTHONIOENCODING="utf-8:strict")
    assert len(done.out.splitlines()) == 1 + len(NAMES) + 1
    for shown in ("named/new\\nline.png", "named/\\x1b[31mred.png", "named/\\udcff.png", "named/[red]x[-red].png"):
        assert shown in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize("row", [*BROKEN, *NO_PICTURES], ids=lambda row: row.about)
def test_what_is_no_picture_is_one_sentence(shop, row):
    done = shop.tlbench("predict", MODEL, f"bad/{row.name}", *CHEAP)
    refused(done, row.words)
    assert f"bad/{row.name}" in done.err or "bad/links/a.png" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "bad/empty"), "bad/empty has no picture in it; the target is a folder of pictures"),
        (("--target", "bad/texts"), "bad/texts has no picture in it; the target is a folder of pictures"),
        (("--target", "photos/ring/00.png"), "photos/ring/00.png is a file, not a folder; the target"),
        (("--sources", "photos/ring/00.png"), "photos/ring/00.png is a file, not a folder; give"),
        (("--sources", "bad/texts"), "bad/texts has no folders in it; put the pictures of each label"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_folder_that_is_none_is_one_sentence(shop, arguments, words):
    refused(shop.tlbench(*ADVISE, *arguments, "--output", "none"), words)
    assert not (shop.folder / "none").exists()


def test_what_is_broken_can_be_left_out_and_is_told_with_its_reason(shop):
    shutil.copytree(shop.folder / "photos", shop.folder / "mixed")
    shutil.copytree(shop.folder / "bad" / "texts", shop.folder / "mixed" / "texts")
    for row in BROKEN:
        shutil.copy(shop.folder / "bad" / row.name, shop.folder / "mixed" / "heron")
    (shop.folder / "mixed" / "heron" / "phone.heic").write_bytes(b"?")
    mixed = (*ADVISE, "--sources", "mixed", "--target", "mixed/ring", "--output", "of mixed")
    refused(shop.tlbench(*mixed), "leave out what is broken with --skip-broken")
    done = shop.succeed(*mixed, "--skip-broken")
    for row in BROKEN:
        assert re.search(rf"- mixed/heron/{row.name} .*{re.escape(row.words)}.*: left out", done.out)
    assert "- 1 file under 'heron' not named like a picture: passed over" in done.out
    assert "- 'texts' holds no picture: it is no source" in done.out


def test_a_prediction_leaves_out_what_is_broken_unless_that_is_all(shop):
    texts = shop.folder / "some"
    texts.mkdir()
    for name in ("notes.txt", "phone.heic"):
        (texts / name).write_text("?", encoding="utf-8")
    UPRIGHT.convert("RGB").save(texts / "fine.png")
    done = shop.succeed("predict", MODEL, "some", "bad/zero.png", *CHEAP, "--skip-broken", "--format", "csv")
    assert len(done.out.splitlines()) == 2
    assert "2 files under 'some' not named like a picture: passed over" in done.err
    assert "bad/zero.png cannot be read: left out" in done.err
    refused(shop.tlbench("predict", MODEL, "bad/zero.png", *CHEAP, "--skip-broken"), "none of the pictures can be read")


@pytest.mark.parametrize(("about", "write", "words"), MODELS, ids=[about for about, *_ in MODELS])
def test_a_model_that_is_none_is_one_sentence(shop, tmp_path, about, write, words):
    path = tmp_path / "model.safetensors"
    write(path, shop.folder / MODEL)
    refused(shop.tlbench("predict", path, "photos/ring", *CHEAP), words)


def test_an_experiment_takes_odd_names_and_refuses_what_is_broken(shop):
    folder = shop.folder / "experiment"
    shutil.copytree(shop.folder / "photos", folder)
    shutil.rmtree(folder / "ring")
    run = ("run", "caltech-multisource", "--dataset", "folder:experiment", "--set", "shots=1,2,3", "--jobs", "1")
    assert "missing" in shop.succeed(*run, "--quiet", "--dry-run").out
    cut_off(folder / "heron" / "cut\noff.jpg")
    refused(shop.tlbench(*run, "--quiet"), "cut\\noff.jpg cannot be decoded")
    assert not (shop.folder / "results").exists()


def test_the_table_in_the_docs_is_this_one():
    text = (REPOSITORY / "docs" / "pictures.md").read_text(encoding="utf-8")
    section = text.partition("## Odd pictures\n")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE))
    words = {row.about: "" for row in SEEN} | {row.about: row.words for row in (*BROKEN, *NO_PICTURES)}
    words |= {about: said for about, _, said in MODELS}
    assert set(told) - {"what is given", "---"} >= set(words)
    for about, said in words.items():
        assert said in told[about], about
