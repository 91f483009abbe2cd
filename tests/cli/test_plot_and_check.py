"""`plot` and `check` on what is on disk, with the shipped protocol and a user's own."""

import json
import re
import shutil

import pandas as pd
import pytest

from tests.sealing import seal_again

TURNED = {
    'of     = { condition = "multi-weighted" }\nto     = { condition = "none" }\nover   = { shots = [1, 2, 3] }': (
        'of     = { condition = "none" }\nto     = { condition = "multi-weighted" }\nover   = { shots = [1, 2, 3] }'
    )
}


def test_check_is_content_with_a_good_run(finished):
    place, done = finished
    checked = place.succeed("check")
    assert "All as expected." in checked.out
    claims = pd.read_csv(place.run_folder / "claims.csv")
    for claim in claims.itertuples():
        assert re.search(rf"^{claim.claim} .*{claim.verdict}", checked.out, re.M)
        assert f"{claim.effect:+.1f}" in checked.out
    printed = [line for line in done.out.splitlines() if line.startswith("weighted-beats-none")]
    assert printed[0] in checked.out.splitlines()
    assert "reproduced" in printed[0]


def test_list_says_which_shape_is_taken_and_served(place):
    listed = place.succeed("list").out
    assert re.search(r"^caltech-multisource +features ", listed, re.M)
    assert re.search(r"^digits +features, pictures ", listed, re.M)
    assert re.search(r"^cifar10 +pictures ", listed, re.M)
    assert re.search(r"^features:PATH +features ", listed, re.M)


def test_check_writes_nothing(done):
    before = done.touched()
    for arguments in (("check",), ("check", "caltech-multisource", "--dataset", "digits", "--profile", "smoke")):
        done.succeed(*arguments)
    assert done.touched() == before


@pytest.mark.parametrize(
    "arguments",
    [("plot",), ("plot", "caltech-multisource"), ("check",), ("check", "caltech-multisource", "--dataset", "digits")],
    ids=" ".join,
)
def test_plot_and_check_without_results_fail(place, arguments):
    done = place.tlbench(*arguments)
    assert done.status == 1
    assert "no results" in done.err + done.out
    assert "tlbench run" in done.err + done.out
    assert "Traceback" not in done.err
    assert place.everything() == []


def test_check_of_another_data_set_fails(done):
    for more in (("--dataset", "caltech256-features"), ("--profile", "paper")):
        checked = done.tlbench("check", "caltech-multisource", *more)
        assert checked.status == 1
        assert "no results" in checked.err


def test_check_sees_missing_rows(done):
    path = done.run_folder / "measurements.csv"
    measured = pd.read_csv(path)
    measured.drop(index=range(10, 15)).to_csv(path, index=False)
    seal_again(done.run_folder)
    checked = done.tlbench("check")
    assert checked.status == 1
    assert "INCOMPLETE: 5 planned measurements are missing" in checked.out
    assert "Not all is as expected." in checked.out


def test_check_sees_a_condition_gone(done):
    path = done.run_folder / "measurements.csv"
    measured = pd.read_csv(path)
    measured[measured["condition"] != "multi-equal"].to_csv(path, index=False)
    seal_again(done.run_folder)
    checked = done.tlbench("check")
    assert checked.status == 1
    assert "weighted-beats-equal" in checked.out.split("NOT AS EXPECTED")[1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", b"{"),
        ("manifest.json", b"[]"),
        ("measurements.csv", b""),
        ("measurements.csv", b"a,b\n1,2\n"),
        ("measurements.csv", None),
        ("weights.csv", b"\xff\xfe\x00"),
    ],
)
def test_check_of_damaged_results_fails_in_one_sentence(birds_done, birds_reference, name, content):
    path = birds_done.run_folder / name
    path.unlink() if content is None else path.write_bytes(content)
    checked = birds_done.tlbench("check")
    assert checked.status == 1
    assert "Traceback" not in checked.err
    assert name in checked.err
    birds_done.succeed(*birds_done.birds, "--quiet")  # a further run mends it
    assert birds_done.published() == birds_reference


def test_check_judges_by_the_numbers_on_disk(done):
    """Not by what claims.csv says, and for the shipped protocol by the claims as they stand now."""
    path = done.run_folder / "measurements.csv"
    measured = pd.read_csv(path)
    measured.loc[measured["condition"] == "multi-weighted", "value"] -= 40
    measured.to_csv(path, index=False)
    seal_again(done.run_folder)
    checked = done.tlbench("check", "caltech-multisource")
    assert checked.status == 1
    assert "contradicted" in checked.out
    assert "weighted-beats-none" in checked.out.split("NOT AS EXPECTED")[1]


@pytest.mark.slow
def test_a_protocol_of_ones_own_contradicted_then_expected(birds):
    """A claim turned around is contradicted; run does not mind, check does, until the file gives a reason."""
    mine = birds.protocol(replace=TURNED)
    ran = birds.succeed("run", f"./{mine.name}", *birds.birds[2:])
    assert birds.run_folder.parent == birds.folder / "results" / "mine"
    assert re.search(r"^weighted-beats-none .*contradicted", ran.out, re.M)
    for reference in ((mine,), ()):
        checked = birds.tlbench("check", *reference)
        assert checked.status == 1
        assert re.search("NOT AS EXPECTED: weighted-beats-none$", checked.out, re.M)
    dataset = json.loads((birds.run_folder / "manifest.json").read_text(encoding="utf-8"))["data"]["name"]
    expecting = {
        'id     = "weighted-beats-none"': 'id     = "weighted-beats-none"\n'
        f'expects = {{ "{dataset}" = {{ verdict = "contradicted", why = "the claim is turned around" }} }}'
    }
    birds.protocol(replace=TURNED | expecting)
    birds.succeed("check", f"./{mine.name}")
    birds.protocol(replace=expecting)  # turned back, it is reproduced, which is not what is expected
    checked = birds.tlbench("check", mine)
    assert checked.status == 1
    assert "weighted-beats-none" in checked.out.split("NOT AS EXPECTED")[1]


@pytest.mark.slow
def test_new_claims_need_no_new_computing(birds):
    """Claims are no part of a block: a protocol of the same name is judged on what is there."""
    birds.protocol()
    arguments = ("run", "./mine.toml", *birds.birds[2:], "--seeds", "1")
    birds.succeed(*arguments, "--quiet")
    before = pd.read_csv(birds.run_folder / "claims.csv").set_index("claim")["effect"]
    blocks = birds.touched(birds.blocks)
    assert len(blocks) == 24
    birds.protocol(replace=TURNED)
    assert "blocks" not in birds.succeed(*arguments).err
    assert birds.touched(birds.blocks) == blocks
    after = pd.read_csv(birds.run_folder / "claims.csv").set_index("claim")["effect"]
    assert after["weighted-beats-none"] == -before["weighted-beats-none"]
    assert after.drop("weighted-beats-none").equals(before.drop("weighted-beats-none"))


@pytest.mark.slow
def test_plot_draws_the_same_bytes_again(done, reference):
    figures = sorted(path for path in done.run_folder.iterdir() if path.suffix in (".png", ".svg"))
    assert len(figures) == 4
    for path in figures:
        path.unlink()
    drawn = done.succeed("plot", "caltech-multisource", "--dataset", "digits", PYTHONHASHSEED="7")
    assert done.published() == reference
    for path in figures:
        assert str(path.relative_to(done.folder)) in drawn.out
    before = done.touched()
    done.succeed("plot")
    assert done.touched() == before


def test_plot_draws_what_the_tables_say(done, reference):
    path = done.run_folder / "measurements.csv"
    measured = pd.read_csv(path)
    measured.loc[measured["condition"] == "none", "value"] /= 2
    measured.to_csv(path, index=False)
    seal_again(done.run_folder)
    done.succeed("plot")
    changed = {name for name, content in done.published().items() if content != reference[name]}
    assert changed == {"measurements.csv", "manifest.json", "curves.png", "curves.svg"}


@pytest.mark.slow
def test_plot_with_a_protocol_of_ones_own(birds):
    birds.protocol()
    birds.succeed("run", "./mine.toml", *birds.birds[2:], "--seeds", "1", "--quiet")
    before = birds.published()
    birds.protocol(replace={"Several sources, weighted, against one, an equal mix and none": "My own title"})
    birds.succeed("plot", "./mine.toml")
    assert "My own title" in (birds.run_folder / "curves.svg").read_text(encoding="utf-8")
    assert {name for name, content in birds.published().items() if content != before[name]} == {
        *("curves.png", "curves.svg"),
    }


def test_a_protocol_under_a_shipped_name_is_refused(birds_done, birds_reference):
    """It would write over the shipped one's results."""
    birds_done.protocol(replace=TURNED, name="caltech-multisource")
    refused = birds_done.tlbench("run", "./mine.toml", *birds_done.birds[2:])
    assert refused.status == 2
    assert "a name of its own" in refused.err
    assert birds_done.published() == birds_reference


def test_check_takes_every_run_or_the_one_that_is_asked_for(birds_done, finished):
    digits = finished[0].run_folder
    shutil.copytree(digits, birds_done.run_folder.parent / digits.name)
    checked = birds_done.succeed("check")
    assert checked.out.count("Claims, over") == 2
    for name in ("features:birds.csv", "birds.csv"):
        one = birds_done.succeed("check", "--dataset", name)
        assert one.out.count("Claims, over") == 1
        assert "over 4 target categories" in one.out


@pytest.mark.slow
def test_a_run_kept_by_its_manifest_alone_can_be_judged(birds):
    """Committed results have no hidden blocks; a protocol that is gone is taken from the manifest."""
    mine = birds.protocol()
    birds.succeed("run", mine.name, *birds.birds[2:], "--seeds", "1", "--quiet")
    mine.unlink()
    folder = birds.run_folder
    shutil.rmtree(folder / ".tlbench")
    before = birds.touched()
    assert "Claims, over 4" in birds.succeed("check").out
    assert str((folder / "curves.png").relative_to(birds.folder)) in birds.succeed("plot").out
    assert birds.touched() == before


@pytest.mark.slow
def test_check_passes_over_what_the_run_was_not_meant_to_cover(birds):
    """Claims on shots that were not asked for are not run; those on what was asked for are tested."""
    birds.succeed("run", "caltech-multisource", *birds.birds[2:], "--seeds", "1", "--set", "shots=1,2,10", "--quiet")
    checked = birds.succeed("check")
    assert re.search(r"^weighted-beats-none .*not run: shots 3 *$", checked.out, re.M)
    assert re.search(r"^no-harm-at-most-shots .*(reproduced|equivalent|inconclusive)", checked.out, re.M)
    assert "All as expected." in checked.out
    claims = pd.read_csv(birds.run_folder / "claims.csv").set_index("claim")
    assert claims.loc["weighted-beats-none", "verdict"] == "not run"


def test_check_fails_where_nothing_was_tested(birds):
    birds.succeed(
        *("run", "caltech-multisource", *birds.birds[2:], "--seeds", "1", "--quiet"),
        *("--set", "conditions=none", "--set", "shots=1,2"),
    )
    checked = birds.tlbench("check")
    assert checked.status == 1
    assert "NOTHING TESTED" in checked.out
    assert "NOT AS EXPECTED" not in checked.out
    assert "Not all is as expected." in checked.out


@pytest.mark.slow
def test_published_numbers_beside_a_run(birds):
    """A protocol of one's own names a file that lies beside it."""
    numbers = "unit,split,condition,shots,metric,value\n" + "".join(
        f"{unit},0,{condition},{shots},balanced_accuracy,{50 + place + gain}\n"
        for place, unit in enumerate("abcd")
        for condition, gain in (("none", 0), ("multi-weighted", 20 + place))
        for shots in (1, 2, 3)
    )
    reference = '[reference]\nfile = "theirs.csv"\nsays = "Somebody 2020"\nname = "their numbers"\n\n[profiles.smoke]'
    mine = birds.protocol(replace={"[profiles.smoke]": reference})
    refused = birds.tlbench("run", f"./{mine.name}", *birds.birds[2:], "--seeds", "1")
    assert refused.status == 2
    assert "there is no theirs.csv in" in refused.err
    assert "Traceback" not in refused.err
    (birds.folder / "theirs.csv").write_text(numbers, encoding="utf-8")
    ran = birds.succeed("run", f"./{mine.name}", *birds.birds[2:], "--seeds", "1")
    checked = birds.succeed("check", f"./{mine.name}")
    for out in (ran.out, checked.out):
        assert re.search(r"^weighted-beats-none .*\+21\.5 .* 4 +reproduced *$", out, re.M)
        assert re.search(r"^weighted-beats-equal .* not run: condition", out, re.M)
        assert "their numbers: Somebody 2020" in out
    table = pd.read_csv(birds.run_folder / "claims_published.csv").set_index("claim")
    assert table.loc["weighted-beats-none", "effect"] == 21.5
    assert list(table.index) == list(pd.read_csv(birds.run_folder / "claims.csv")["claim"])
