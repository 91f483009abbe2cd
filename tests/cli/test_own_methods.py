"""Classifiers of a user's own, in a folder of their own, through the real command."""

import shutil

import numpy as np
import pandas as pd
import pytest

BIRDS = ("run", "caltech-multisource", "--dataset", "features:birds.csv", "--profile", "smoke", "--seeds", "11")
MINE = '''
import numpy as np
from sklearn.base import BaseEstimator


class NearestMean(BaseEstimator):
    """Nearer to the mean of the positives."""

    def __init__(self, sources=()):
        self.sources = sources

    def fit(self, X, y):
        self.means_ = [X[y == label].mean(0) for label in (-1, 1)]
        self.source_weights_ = np.full(len(self.sources), 0.25)
        return self

    def decision_function(self, X):
        negative, positive = (((X - mean) ** 2).sum(1) for mean in self.means_)
        return negative - positive


class Broken(NearestMean):
    def decision_function(self, X):
        return np.full(len(X), np.nan)
'''
METHOD = ("--method", "mine:NearestMean")
CLAIM = """
[[claims]]
id     = "mine-beats-none"
says   = "The nearest mean beats no transfer of few labels."
source = "ours"
test   = "difference"
of     = { condition = "own:NearestMean" }
to     = { condition = "none" }
over   = { shots = [1, 2] }
"""


def write(place, text=MINE):
    (place.folder / "mine.py").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def joined_finished(birds_finished, tmp_path_factory, warm):
    """A finished run, and the method beside its conditions, to be looked at and not touched."""
    place = type(birds_finished)(tmp_path_factory.mktemp("joined") / "place", warm)
    shutil.copytree(birds_finished.folder, place.folder, dirs_exist_ok=True)
    write(place)
    before = place.touched(place.blocks)
    place.done = place.succeed(*BIRDS, *METHOD, "--jobs", "2")
    assert place.touched(list(before)) == before
    return place


@pytest.fixture
def joined(joined_finished, place):
    """A copy of it, to do anything with."""
    shutil.copytree(joined_finished.folder, place.folder, dirs_exist_ok=True)
    return place


def test_it_takes_part_and_runs_its_blocks_alone(joined_finished, joined, birds_finished):
    assert len(joined.blocks) - len(birds_finished.blocks) == 8  # 4 categories × 2 batches of splits
    assert "own:NearestMean" in joined_finished.done.out
    measured = joined.measurements()
    mine = measured[measured["condition"] == "own:NearestMean"]
    none = measured[measured["condition"] == "none"]
    assert len(mine) == len(none)
    assert set(map(tuple, mine[["unit", "split", "shots"]].to_numpy())) == set(
        map(tuple, none[["unit", "split", "shots"]].to_numpy())
    )
    weights = pd.read_csv(joined.run_folder / "weights.csv")
    assert set(weights[weights["condition"] == "own:NearestMean"]["beta"]) == {0.25}
    published = joined.published()
    joined.succeed("plot")
    joined.tlbench("check", "caltech-multisource")
    assert joined.published() == published


@pytest.mark.slow
def test_an_edited_method_is_computed_again_alone_and_the_others_stay(joined):
    known, published = set(joined.blocks), joined.published()
    write(joined, MINE.replace("return negative - positive", "return negative - 1.5 * positive"))
    joined.succeed(*BIRDS, *METHOD, "--jobs", "1")
    assert len(set(joined.blocks) - known) == 8
    now = pd.read_csv(joined.run_folder / "measurements.csv")
    assert joined.published()["measurements.csv"] != published["measurements.csv"]
    write(joined)
    fresh = set(joined.blocks)
    joined.succeed(*BIRDS, *METHOD)
    assert set(joined.blocks) == fresh
    assert joined.published() == published
    assert set(now["condition"]) == {*joined.all_conditions, "own:NearestMean"}


@pytest.mark.slow
def test_jobs_and_lost_blocks_change_no_byte(joined):
    published = joined.published()
    for block in joined.blocks[::2]:
        if "own:" in block.read_text(encoding="utf-8"):
            block.unlink()
    joined.succeed(*BIRDS, *METHOD, "--jobs", "1")
    assert joined.published() == published


def test_without_it_the_run_is_what_it_was(joined, birds_reference):
    blocks = joined.blocks
    assert "will be replaced" in joined.succeed(*BIRDS).out
    assert joined.blocks == blocks
    assert joined.published() == birds_reference


@pytest.mark.slow
def test_a_broken_one_fails_alone(birds_done):
    write(birds_done)
    done = birds_done.tlbench(*BIRDS, *METHOD, "--method", "mine:Broken", "--jobs", "1")
    assert done.status == 1
    assert "own:Broken: decision_function gives" in done.err
    assert "that are not finite; see results/" in done.err
    assert len(birds_done.failures()) == 8
    assert "own:NearestMean" in done.out


@pytest.mark.slow
def test_a_protocol_of_ones_own_names_it_and_claims_about_it(birds):
    write(birds)
    few = 'conditions = [\n    "none",\n]'
    path = birds.protocol()
    text = path.read_text(encoding="utf-8")
    start, end = text.index("conditions = ["), text.index("oracles")
    path.write_text(
        text[:start]
        + few
        + '\nmethods = ["mine:NearestMean"]\n'
        + text[end:].replace('oracles = ["single-oracle"]', "")
        + CLAIM,
        encoding="utf-8",
    )
    birds.succeed("run", "./mine.toml", "--dataset", "features:birds.csv", "--profile", "smoke", "--jobs", "1")
    found = pd.read_csv(birds.run_folder / "claims.csv").set_index("claim")
    assert found.loc["mine-beats-none", "verdict"] in {"reproduced", "contradicted", "inconclusive"}
    assert found.loc["weighted-beats-none", "verdict"] == "not run"
    measured = birds.measurements()
    means = measured[measured["shots"].isin([1, 2])].groupby(["condition", "unit"])["value"].mean().unstack()
    effect = (means.loc["own:NearestMean"] - means.loc["none"]).mean()
    assert np.isclose(found.loc["mine-beats-none", "effect"], effect, atol=1e-4)
    assert "mine-beats-none" in birds.tlbench("check", "./mine.toml").out


REFUSED = [
    (("--method", "mine:NearestMaen"), "did you mean 'NearestMean'"),
    (("--method", "broken:Mine"), "module broken cannot be imported (SyntaxError"),
    (("--set", "conditions=none,own:NearestMean"), "name its class with --method MODULE:NearestMean"),
]


@pytest.mark.parametrize(("more", "words"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(birds, more, words):
    write(birds)
    (birds.folder / "broken.py").write_text("class Mine(:\n", encoding="utf-8")
    before = birds.everything()
    done = birds.tlbench(*BIRDS, *more)
    assert done.status == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert birds.everything() == before


def test_an_experiment_that_takes_none(birds):
    write(birds)
    done = birds.tlbench("run", "kernel-transfer", "--dataset", "digits", "--profile", "smoke", *METHOD)
    assert done.status == 2
    assert (
        "own methods cannot take part in kernel-transfer; they can in caltech-baselines, caltech-multisource"
        in done.err
    )


@pytest.mark.slow
def test_one_that_is_installed_is_listed_and_goes_by_its_name(birds):
    write(birds)
    about = birds.folder / "offered-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[tlbench.methods]\nnearest-mean = mine:NearestMean\n", encoding="utf-8")
    listed = birds.succeed("list").out
    assert "nearest-mean" in listed
    assert "mine:NearestMean" in listed
    more = ("--method", "nearest-mean", "--set", "conditions=none,own:nearest-mean", "--seeds", "1", "--jobs", "1")
    assert "own:nearest-mean" in birds.succeed(*BIRDS, *more).out
    assert birds.succeed("validate", "nearest-mean").status == 0


@pytest.mark.slow
def test_beside_drawn_tasks(place):
    write(place)
    sets = ("--set", "draws=2", "--set", "conditions=none,own:NearestMean", "--jobs", "1")
    place.succeed("run", "relatedness", "--profile", "smoke", *METHOD, *sets)
    measured = place.measurements()
    counts = measured.groupby(["condition", "metric"]).size()
    assert counts["own:NearestMean", "balanced_accuracy"] == counts["none", "balanced_accuracy"]
    assert ("own:NearestMean", "noise_share") in counts.index
