"""Visual words are learned from pictures outside the experiment, or from a tenth that is used for nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlbench import opening
from tlbench.datasets import FeaturePack, Options
from tlbench.features import vocabulary
from tlbench.opening import FEWEST_TO_LEARN_FROM, open_pack

SIFT = Options(features=("sift",), background="rest", categories=("heron", "ibis"))


def draw(path: Path, seed: int) -> None:
    """Coarse noise, with edges enough for 64 descriptors; the same bytes wherever it is drawn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 255, (10, 14), dtype=np.uint8)
    Image.fromarray(np.kron(cells, np.ones((4, 4), dtype=np.uint8))).save(path)


def identity(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def make(root: Path, **counts: int) -> Path:
    """A folder of so many pictures of each label, all different."""
    seeds = iter(range(10_000))
    for label, count in counts.items():
        for number in range(count):
            draw(root / label / f"{number:03}.pgm", next(seeds))
    return root


def identities(folder: Path, *labels: str) -> set[str]:
    return {identity(path) for label in labels for path in (folder / label).iterdir()}


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> list[vocabulary.Vocabulary]:
    """Every vocabulary that is learned."""
    learned, learn = [], vocabulary.learn

    def remember(*arguments: object) -> vocabulary.Vocabulary:
        learned.append(learn(*arguments))
        return learned[-1]

    monkeypatch.setattr(vocabulary, "learn", remember)
    return learned


def opened(folder: Path, cache: Path, options: Options = SIFT) -> FeaturePack:
    pack = open_pack(f"folder:{folder}", options, cache, 1)
    assert isinstance(pack, FeaturePack)
    return pack


@pytest.mark.fault("leakage")
def test_words_are_learned_from_categories_outside_the_experiment(tmp_path, taught):
    folder = make(tmp_path / "birds", heron=6, ibis=6, rest=8, stork=30, egret=FEWEST_TO_LEARN_FROM - 30)
    # A picture of the experiment that stands in another category too teaches nothing.
    (folder / "stork" / "twin.pgm").write_bytes((folder / "heron" / "000.pgm").read_bytes())
    pack = opened(folder, tmp_path / "data")
    (words,) = taught
    everyone = identities(folder, "heron", "ibis", "rest")
    assert set(pack.identities) == everyone
    assert set(words.learned_from) == identities(folder, "stork", "egret") - everyone
    assert len(words.learned_from) == FEWEST_TO_LEARN_FROM
    assert not any("set apart" in notice for notice in pack.notices)
    assert pack.features["sift"].shape == (20, 300)


@pytest.mark.fault("leakage")
def test_pictures_of_the_experiment_change_no_word(tmp_path, taught):
    folder = make(tmp_path / "birds", heron=5, ibis=5, rest=5, stork=FEWEST_TO_LEARN_FROM)
    before = opened(folder, tmp_path / "data")
    changed = identity(folder / "ibis" / "003.pgm")
    draw(folder / "ibis" / "003.pgm", 77_777)
    after = opened(folder, tmp_path / "data")
    assert taught[0].key == taught[1].key
    rows = dict(zip(after.identities, after.features["sift"], strict=True))
    for name, vector in zip(before.identities, before.features["sift"], strict=True):
        if name != changed:
            np.testing.assert_array_equal(rows[name], vector)
    assert changed not in rows
    draw(folder / "stork" / "003.pgm", 88_888)
    other = opened(folder, tmp_path / "data")
    assert taught[2].key != taught[0].key, "those outside do teach"
    assert other.fingerprint != after.fingerprint


@pytest.mark.parametrize("others", [0, FEWEST_TO_LEARN_FROM - 1])
@pytest.mark.fault("leakage")
def test_without_enough_others_a_tenth_is_set_apart_for_this_alone(tmp_path, taught, others):
    folder = make(tmp_path / "birds", heron=30, ibis=30, rest=60, **({"stork": others} if others else {}))
    whole = identities(folder, "heron", "ibis", "rest")
    if others:  # one of the experiment's under another label is no other
        (folder / "stork" / "twin.pgm").write_bytes((folder / "heron" / "000.pgm").read_bytes())
    pack = opened(folder, tmp_path / "data")
    (words,) = taught
    apart = {name for name in whole if int(name[:8], 16) % 10 == 0}
    assert 5 <= len(apart) <= 25
    assert set(pack.identities) == whole - apart
    assert set(words.learned_from) == apart | (identities(folder, "stork") - whole if others else set())
    used = [*pack.categories.values(), pack.background]
    assert len(np.concatenate(used)) == len(pack.identities)
    (notice,) = (notice for notice in pack.notices if "set apart" in notice)
    assert notice == (
        f"{len(apart)} pictures are set apart to learn visual words from, as there are only {others} of other "
        "categories: they are used for nothing else"
    )


def test_features_that_learn_no_words_set_nothing_apart(tmp_path, taught, monkeypatch):
    folder = make(tmp_path / "birds", heron=4, ibis=4, rest=4, stork=3)
    asked, open_data = [], opening.datasets.open_data
    monkeypatch.setattr(
        opening.datasets, "open_data", lambda *given: asked.append(given[1].unused) or open_data(*given)
    )
    pack = opened(folder, tmp_path / "data", Options(background="rest", categories=("heron", "ibis")))
    assert asked == [0]
    assert taught == []
    assert set(pack.identities) == identities(folder, "heron", "ibis", "rest")
    assert pack.notices == ()
