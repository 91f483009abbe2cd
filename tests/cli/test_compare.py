"""`tlbench compare`: what differs between two runs, paired by unit, against numbers computed here by hand."""

import json
import shutil

import pandas as pd
import pytest
from scipy import stats


@pytest.fixture
def other(birds_done):
    """A second run of the same birds, with a weaker regularisation and fewer splits."""
    birds_done.succeed(*birds_done.birds, "--seeds", "3", "--set", "C=0.1", "--jobs", "2", "--quiet")
    first, second = sorted(birds_done.run_folders, key=lambda path: "C=0.1" in path.name)
    return first.relative_to(birds_done.folder), second.relative_to(birds_done.folder)


def test_a_run_is_the_same_as_its_copy(birds_done):
    shutil.copytree(birds_done.folder / "results", birds_done.folder / "copy")
    done = birds_done.succeed("compare", "results", "copy")
    assert "The same numbers, to the last byte." in done.out
    assert "Second minus first" not in done.out


def test_differences_are_those_of_units_paired_with_themselves(birds_done, other):
    content = json.loads(birds_done.succeed("compare", *other, "--format", "json").out)
    by_caption = {part["caption"]: part["rows"] for part in content}
    changed = {row["what"]: (row["first"], row["second"]) for row in by_caption["Set differently"]}
    assert changed["C"] == ("10.0", "0.1")
    assert changed["splits"] == ("11", "3")
    one, two = (pd.read_csv(birds_done.folder / folder / "measurements.csv") for folder in other)
    keys = ["condition", "shots", "unit"]
    first, second = (table.groupby(keys)["value"].mean() for table in (one, two))
    differences = (second - first).groupby(["condition", "shots"])
    rows = by_caption["Second minus first, over the units of both"]
    assert len(rows) == len(differences)
    for row in rows:
        here = differences.get_group((row["condition"], int(row["shots"])))
        test = stats.ttest_1samp(here, 0.0)
        assert row["difference"] == pytest.approx(here.mean())
        assert [row["low"], row["high"]] == pytest.approx(list(test.confidence_interval()))
        assert row["units"] == len(here) == 4


@pytest.mark.slow
def test_two_results_folders_are_compared_run_by_run(birds_done, other):
    shutil.copytree(birds_done.folder / "results", birds_done.folder / "copy")
    shutil.rmtree(birds_done.folder / "copy" / other[1].relative_to("results"))
    done = birds_done.succeed("compare", "results", "copy")
    assert done.out.count("The same numbers") == 1


@pytest.mark.parametrize(
    ("folders", "says"),
    [
        (("results", "nowhere"), "does not exist"),
        (("results", "empty"), "there are no results"),
        (("results", "RUN"), "name two of a kind"),
        (("RUN", "other"), "is a run of caltech-multisource and other of other"),
        (("results", "elsewhere"), "hold no runs of the same name"),
    ],
)
def test_what_cannot_be_compared_is_said(birds_done, folders, says):
    run = birds_done.run_folder
    (birds_done.folder / "empty").mkdir()
    for name in ("other", "elsewhere/caltech-multisource/renamed"):
        shutil.copytree(run, birds_done.folder / name)
    manifest = json.loads((birds_done.folder / "other" / "manifest.json").read_text("utf-8"))
    manifest["protocol"]["name"] = manifest["experiment"] = "other"
    (birds_done.folder / "other" / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    done = birds_done.tlbench(
        "compare", *(run.relative_to(birds_done.folder) if name == "RUN" else name for name in folders)
    )
    assert done.status == 2
    assert says in done.err
    assert "Traceback" not in done.err
