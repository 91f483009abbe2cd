"""Words learned from pictures: from which, identified by what, kept, and what counts them."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlbench.features import (
    BAGS,
    FeatureCache,
    FeaturesError,
    Picture,
    PictureError,
    dense_sift,
    describe,
    histogram,
    kinds,
    learn,
    settle,
    vocabulary,
)


def picture(path: Path) -> Picture:
    return Picture(hashlib.sha256(path.read_bytes()).hexdigest(), path)


def make(folder: Path, count: int, seed: int = 0) -> list[Picture]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for n in range(count):
        small = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(small).resize((64, 48), Image.Resampling.BICUBIC).save(folder / f"{n:03}.png")
    return [picture(path) for path in sorted(folder.glob("*.png"))]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture]:
    return make(tmp_path / "p", 12)


@pytest.fixture
def no_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("words are learned again")

    monkeypatch.setattr(vocabulary, "fit_words", refuse)


def test_words_are_those_of_the_sampled_descriptors(tmp_path: Path, pictures: list[Picture]) -> None:
    learned = learn("sift", pictures, (), tmp_path / "c", 1)
    assert learned.words.shape == (300, 128)
    assert learned.learned_from == tuple(sorted(p.identity for p in pictures))
    rows = []
    for each in sorted(pictures, key=lambda p: p.identity):
        descriptors = dense_sift(kinds.read(each.path))
        rows.append(descriptors[np.arange(64) * len(descriptors) // 64])
    expected = vocabulary.fit_words(np.concatenate(rows), 300, np.random.default_rng(vocabulary.SEED))
    np.testing.assert_array_equal(learned.words, expected)


def test_a_picture_is_described_by_the_words(tmp_path: Path, pictures: list[Picture]) -> None:
    new = make(tmp_path / "new", 40, seed=1)
    learned = learn("sift", pictures, (), tmp_path / "c", 1)
    described = describe(new, ["phog", learned.kind, "regcov", "lbp"], tmp_path / "c", 2)
    assert list(described.features) == ["phog", "sift", "regcov", "lbp"]
    rows = described.features["sift"]
    assert (rows.shape, rows.dtype) == ((40, 300), np.float32)
    for place in (0, 39):
        grey = kinds.read(new[place].path)
        np.testing.assert_array_equal(rows[place], histogram(dense_sift(grey), learned.words))
        np.testing.assert_array_equal(rows[place], learned.kind.of_file(new[place].path))
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert describe(new, [learned.kind], tmp_path / "c", 1).computed == 0


def test_words_depend_on_the_pictures_and_on_nothing_else(tmp_path: Path, pictures: list[Picture]) -> None:
    first = learn("sift", pictures, (), tmp_path / "one", 1)
    twins = [Picture(p.identity, p.path) for p in reversed(pictures)] + pictures[:3]
    again = learn("sift", twins, (), tmp_path / "two", 2)
    assert again.key == first.key
    assert again.words.tobytes() == first.words.tobytes()
    assert again.kind.key == first.kind.key
    fewer = learn("sift", pictures[1:], (), tmp_path / "two", 1)
    assert fewer.key != first.key
    assert fewer.origin != first.origin
    assert fewer.kind.key != first.kind.key
    with pytest.raises(ValueError, match="two different kinds of one name"):
        describe(pictures, [fewer.kind, first.kind], tmp_path / "two", 1)


@pytest.mark.fault("leakage")
def test_pictures_that_must_be_apart_are_not_learned_from(tmp_path: Path, pictures: list[Picture]) -> None:
    copy = tmp_path / "under another name.png"
    copy.write_bytes(pictures[0].path.read_bytes())
    apart = [pictures[0].identity, "never seen"]
    learned = learn("sift", [*pictures, picture(copy)], apart, tmp_path / "c", 1)
    assert pictures[0].identity not in learned.learned_from
    assert learned.key == learn("sift", pictures[1:], (), tmp_path / "c", 1).key


def test_words_are_learned_once(tmp_path: Path, pictures: list[Picture], request: pytest.FixtureRequest) -> None:
    first = learn("sift", pictures, (), tmp_path / "c", 1)
    request.getfixturevalue("no_learning")
    told: list[tuple[int, int, float]] = []
    again = learn("sift", pictures, (), tmp_path / "c", 1, progress=lambda *now: told.append(now))
    assert again.key == first.key
    assert told == [(0, 0, 0.0)]


@pytest.mark.fault("damage")
def test_damaged_words_are_learned_again(tmp_path: Path, pictures: list[Picture]) -> None:
    first = learn("sift", pictures, (), tmp_path / "c", 1)
    (path,) = (tmp_path / "c").glob("sift-words-*.sqlite")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(38400)")
    connection.close()
    assert learn("sift", pictures, (), tmp_path / "c", 1).key == first.key


def test_many_pictures_are_drawn_from_by_identity(
    tmp_path: Path, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocabulary, "MOST_TO_LEARN_FROM", 7)
    learned = learn("sift", pictures, (), tmp_path / "c", 1)
    assert learned.learned_from == tuple(sorted(p.identity for p in pictures)[:7])


def test_too_little_to_learn_from_is_one_sentence(tmp_path: Path, pictures: list[Picture]) -> None:
    for some, count in (([], 0), (pictures[:2], 2)):
        with pytest.raises(FeaturesError, match=rf"'sift' needs pictures to learn 300 words .*; {count} such pictures"):
            learn("sift", some, (), tmp_path / "c", 1)
    Image.new("L", (40, 30), 90).save(tmp_path / "even.png")
    with pytest.raises(FeaturesError, match="1 such pictures show 0 patches with edges"):
        learn("sift", [picture(tmp_path / "even.png")], (), tmp_path / "c", 1)


def test_broken_pictures_are_named_or_left_out(tmp_path: Path, pictures: list[Picture]) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"bad\.png is text"):
        learn("sift", [*pictures, picture(bad)], (), tmp_path / "c", 1)
    learned = learn("sift", [*pictures, picture(bad)], (), tmp_path / "c", 1, skip_broken=True)
    assert learned.key == learn("sift", pictures, (), tmp_path / "c", 1).key


def test_kinds_are_settled_by_name(tmp_path: Path, pictures: list[Picture]) -> None:
    settled = settle(["phog", "sift", "regcov"], pictures, (), tmp_path / "c", 1)
    assert [kind.name for kind in settled] == ["phog", "sift", "regcov"]
    assert settled[1].key == learn("sift", pictures, (), tmp_path / "c", 1).kind.key
    assert settle(["phog"], [], (), tmp_path / "c", 1)[0] is kinds.KINDS["phog"]
    with pytest.raises(FeaturesError, match="no kind of feature 'surf'"):
        settle(["sift", "surf"], pictures, (), tmp_path / "new", 1)
    assert not (tmp_path / "new").exists()


def test_what_is_kept_to_learn_from_is_small(tmp_path: Path, pictures: list[Picture]) -> None:
    learn("sift", pictures, (), tmp_path / "c", 1)
    sample = BAGS["sift"].sample
    kept = FeatureCache(tmp_path / "c", sample).get([p.identity for p in pictures])
    assert {(v.dtype.name, v.nbytes) for v in kept.values()} == {("uint8", 8192)}
