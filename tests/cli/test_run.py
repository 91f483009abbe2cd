"""What `run` leaves and says."""

import json
import re

import pandas as pd
import pytest

MEASUREMENTS = ["experiment", "dataset", "profile", "unit", "split", "condition", "shots", "metric", "value"]
FEW = ("--seeds", "1", "--set", "shots=1,2", "--set", "conditions=none,multi-average")


def test_tables_have_the_columns_that_others_rely_on(finished):
    place, _ = finished
    folder = place.run_folder
    assert folder == place.folder / "results" / "caltech-multisource" / "digits-smoke"
    columns = {path.stem: list(pd.read_csv(path).columns) for path in folder.glob("*.csv")}
    assert columns["measurements"] == MEASUREMENTS
    assert columns["summary"] == ["condition", "shots", "metric", "mean", "low", "high", "units"]
    assert columns["claims"] == ["claim", "says", "source", "effect", "low", "high", "p", "p_holm", "units", "verdict"]
    assert columns["weights"] == ["target", "source", "split", "shots", "condition", "beta"]
    assert {path.name for path in folder.iterdir()} >= {
        *("measurements.csv", "summary.csv", "claims.csv", "weights.csv", "manifest.json"),
        *("curves.png", "curves.svg", "weights.png", "weights.svg"),
    }


def test_every_planned_number_is_there_once_and_is_a_percentage(finished):
    place, _ = finished
    measured = place.measurements()
    cells = measured[["unit", "split", "condition", "shots"]]
    assert len(measured) == 9 * 2 * 9 * 4
    assert not cells.duplicated().any()
    assert set(measured["condition"]) == set(place.all_conditions)
    assert measured["value"].between(0, 100).all()
    assert set(measured["metric"]) == {"balanced_accuracy"}
    summary = pd.read_csv(place.run_folder / "summary.csv")
    one = measured.query("condition == 'multi-weighted' and shots == 10")
    (mean,) = summary.query("condition == 'multi-weighted' and shots == 10")["mean"]
    assert mean == pytest.approx(one["value"].mean(), abs=1e-3)
    assert (summary["low"] <= summary["mean"]).all()
    assert (summary["mean"] <= summary["high"]).all()
    assert set(summary["units"]) == {9}


def test_weights_lie_in_the_ball_that_they_were_learned_in(finished):
    place, _ = finished
    weights = pd.read_csv(place.run_folder / "weights.csv")
    by_machine = weights.groupby(["condition", "target", "split", "shots"])["beta"]
    assert (by_machine.count() == 8).all()
    assert (weights["beta"] >= 0).all()
    norms = by_machine.agg(l1=lambda beta: beta.abs().sum(), l2=lambda beta: (beta**2).sum() ** 0.5)
    assert norms.loc["multi-weighted", "l2"].between(0.01, 1.0001).all()
    assert (norms.loc["multi-weighted-l1", "l1"] <= 1.0001).all()


def test_the_manifest_explains_the_run_and_holds_no_time(finished):
    place, done = finished
    text = (place.run_folder / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert manifest["data"]["name"] == "digits"
    assert manifest["profile"] == "smoke"
    assert manifest["settings"]["seeds"] == 2
    assert manifest["settings"]["factors"] == {"shots": [1, 2, 3, 10]}
    assert len(manifest["run"]) == 7
    assert f"run {manifest['run']}" in done.out
    assert manifest["environment"].keys() >= {"numpy", "scipy", "tlbench", "python"}
    assert not re.search(r'"[^"]*(second|time|date|duration|elapsed)[^"]*":', text)
    assert not re.search(r"\d\d:\d\d|20\d\d-\d\d", text)
    assert str(place.folder) not in text


def test_figures_are_figures_and_name_the_run_but_no_time(finished):
    place, _ = finished
    run = json.loads((place.run_folder / "manifest.json").read_text(encoding="utf-8"))["run"]
    for name in ("curves", "weights"):
        png = (place.run_folder / f"{name}.png").read_bytes()
        svg = (place.run_folder / f"{name}.svg").read_text(encoding="utf-8")
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert b"tIME" not in png
        assert "<dc:date>" not in svg
        assert "<svg" in svg
        for word in ("digits", "smoke", run):
            assert word in svg


def test_it_prints_the_table_the_verdicts_and_where_the_figure_is(finished):
    place, done = finished
    for condition in place.all_conditions:
        assert re.search(rf"^{condition}( \(oracle\))?( +\d+\.\d){{4}} *$", done.out, re.M), condition
    claims = pd.read_csv(place.run_folder / "claims.csv")
    assert len(claims) == 7
    for claim in claims.itertuples():
        assert re.search(rf"^{claim.claim} .*{claim.verdict}", done.out, re.M), claim.claim
    figure = re.search(r"\S+curves\.png", done.out)
    assert (place.folder / figure[0]).is_file()
    assert "50 + 50" in done.out  # how many examples were held apart


def test_progress_is_plain_lines_on_stderr(finished):
    _, done = finished
    lines = done.err.splitlines()
    assert lines[0].endswith("0 of 54 blocks")
    assert lines[-1].endswith("54 of 54 blocks")
    assert all(re.search(r"\d+ of 54 blocks(, .* left)?$", line) for line in lines)
    assert "of 54" not in done.out
    assert "\x1b" not in done.out + done.err


@pytest.mark.slow
def test_quiet_prints_nothing_and_does_the_same(place, reference):
    done = place.succeed(*place.digits, "--quiet", "--jobs", "1")
    assert (done.out, done.err) == ("", "")
    assert place.published() == reference


def test_a_second_run_computes_nothing_and_touches_no_file(done, finished):
    before = done.touched()
    again = done.succeed(*done.digits)
    assert done.touched() == before
    assert again.out == finished[1].out
    assert "of 54" not in again.err


@pytest.mark.slow
def test_fresh_does_everything_again(birds_done, birds_reference):
    before = birds_done.touched(birds_done.blocks)
    birds_done.succeed(*birds_done.birds, "--fresh", "--quiet")
    after = birds_done.touched(birds_done.blocks)
    assert after.keys() == before.keys()
    assert all(after[path] != before[path] for path in before)
    assert birds_done.published() == birds_reference


@pytest.mark.slow
def test_a_further_condition_computes_only_its_blocks(birds):
    birds.protocol(replace={'"multi-weighted", "multi-weighted-l1",': '"multi-weighted",'})
    arguments = ("run", "mine.toml", *birds.birds[2:])
    birds.succeed(*arguments, "--quiet")
    before, numbers = birds.touched(birds.blocks), birds.measurements()
    assert len(before) == 40
    birds.protocol()
    done = birds.succeed(*arguments)
    assert "8 of 8 blocks" in done.err
    after = birds.touched(birds.blocks)
    assert len(after) == 48
    assert {path: after[path] for path in before} == before
    grown = birds.measurements()
    pd.testing.assert_frame_equal(grown[grown["condition"] != "multi-weighted-l1"].reset_index(drop=True), numbers)


def test_seeds_and_settings_have_folders_of_their_own_and_share_draws(done):
    done.succeed(*done.digits, "--seeds", "1", "--set", "shots=10,2,1,2", "--set", "conditions=none,multi-average")
    folder = done.folder / (
        "results/caltech-multisource/digits-smoke--seeds=1,conditions=none+multi-average,shots=1+2+10"
    )
    assert folder in done.run_folders
    few = done.measurements(folder)
    assert set(few["split"]) == {0}
    assert set(few["shots"]) == {1, 2, 10}
    assert "seeds = 1" in (folder / "curves.svg").read_text(encoding="utf-8")
    columns = ["unit", "split", "condition", "shots"]
    usual = done.measurements(done.folder / "results/caltech-multisource/digits-smoke").set_index(columns)["value"]
    assert len(few) == 9 * 2 * 3
    assert (few.set_index(columns)["value"] == usual[few.set_index(columns).index]).all()  # the same draws


def test_an_other_base_of_the_draws_gives_other_numbers(birds_done):
    usual = birds_done.measurements()
    birds_done.succeed(*birds_done.birds, "--set", "seed=1", "--set", "conditions=none", "--quiet")
    (folder,) = birds_done.folder.glob("results/*/*seed=1")
    columns = ["unit", "split", "condition", "shots"]
    other = birds_done.measurements(folder).set_index(columns)["value"]
    assert (other != usual.set_index(columns)["value"][other.index]).mean() > 0.5


def test_a_dry_run_shows_what_is_missing_and_writes_nothing(place):
    before = place.touched()
    done = place.succeed(*place.digits, "--dry-run")
    assert re.search(r"done +0$", done.out, re.M)
    assert re.search(r"missing +54$", done.out, re.M)
    assert re.search(r"failed +0\b", done.out, re.M)
    assert place.touched() == before
    assert place.everything() == []


def test_a_dry_run_counts_what_is_done_and_estimates_the_rest(done):
    for path in done.blocks[:5]:
        path.unlink()
    before = done.touched()
    shown = done.succeed(*done.digits, "--dry-run")
    assert re.search(r"done +49$", shown.out, re.M)
    assert re.search(r"missing +5$", shown.out, re.M)
    assert re.search(r"about \d+ s\b", shown.out)
    assert done.touched() == before


def test_a_dry_run_of_a_fresh_run_counts_everything_and_removes_nothing(birds_done):
    before = birds_done.touched()
    shown = birds_done.succeed(*birds_done.birds, "--fresh", "--dry-run")
    assert re.search(r"done +0$", shown.out, re.M)
    assert re.search(r"missing +48$", shown.out, re.M)
    assert birds_done.touched() == before


def test_a_dry_run_without_the_data_says_how_much_would_be_fetched(place):
    done = place.succeed("run", "caltech-multisource", "--dry-run")
    assert "3.2 MB" in done.out
    assert place.everything() == []


def test_a_run_of_conditions_that_no_claim_can_be_tested_on_ends_well(birds):
    done = birds.succeed(*birds.birds, *FEW)
    claims = pd.read_csv(birds.run_folder / "claims.csv")
    assert set(claims["verdict"]) == {"not run"}
    assert "not run: condition multi-weighted" in done.out
    assert (birds.run_folder / "curves.png").is_file()
    assert not (birds.run_folder / "weights.png").exists()


def test_results_may_lie_elsewhere(birds):
    done = birds.succeed(*birds.birds, *FEW, "--results", "results of mine/über")
    (manifest,) = birds.folder.glob("results of mine/über/caltech-multisource/*/manifest.json")
    assert str(manifest.parent.relative_to(birds.folder)) in done.out
    assert not (birds.folder / "results").exists()
