"""Scores of single test examples: another metric needs no second run."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import tlbench
from tlbench.protocol import ProtocolError

ASKED = {"dataset": "digits", "profile": "smoke", "settings": {"shots": [1, 3], "seeds": 1}, "jobs": 1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [
        tlbench.run(name, **ASKED, results=folder, keep_scores=kept)
        for name, kept in (("caltech-multisource", False), ("caltech-multisource", True), ("caltech-baselines", True))
    ]


def test_the_measurements_are_the_same_and_lie_beside_those_without(runs):
    plain, kept, _ = runs
    assert "scores" not in plain.tables
    assert not (plain.records.folder / "scores.csv").exists()
    assert kept.records.folder.name.startswith(f"{plain.records.folder.name},scores=kept")
    pd.testing.assert_frame_equal(plain.measured, kept.measured)


@pytest.mark.parametrize("which", [1, 2])
def test_every_accuracy_follows_from_the_scores(runs, which):
    run = runs[which]
    scores = run.tables["scores"].assign(called=lambda table: table["score"] > 0)
    by = ["target", "condition", "split", "shots"]
    found = {
        place: 100 * balanced_accuracy_score(rows["positive"], rows["called"]) for place, rows in scores.groupby(by)
    }
    measured = run.measured.rename(columns={"unit": "target"}).set_index(by)["value"]
    without = {"single-mean", "single-oracle"}
    assert set(measured.index.get_level_values("condition")) - {place[1] for place in found} <= without
    assert len(found) == (~measured.index.get_level_values("condition").isin(without)).sum()
    np.testing.assert_allclose([measured[place] for place in found], list(found.values()), atol=1e-9)


def test_another_metric_needs_no_second_run(runs):
    scores = runs[1].tables["scores"].query("shots == 3")
    ranked = {
        condition: np.mean(
            [roc_auc_score(one["positive"], one["score"]) for _, one in rows.groupby(["target", "split"])]
        )
        for condition, rows in scores.groupby("condition")
    }
    assert ranked["multi-weighted"] > 0.95
    assert ranked["multi-weighted"] > ranked["none"] - 0.02
    assert scores.groupby(["target", "condition", "split"])["example"].nunique().nunique() == 1


def test_an_experiment_that_keeps_none_says_which_do(tmp_path):
    with pytest.raises(ProtocolError, match="caltech-baselines, caltech-multisource, caltech-settings do"):
        tlbench.run("toy-boundary", profile="smoke", results=tmp_path, keep_scores=True)
