"""A table that was changed after its run is never judged, drawn or compared as if the run had written it."""

import json
import re
import signal
import zipfile

import pytest

from tests.sealing import seal_again
from tests.trust.in_process import Typed
from tlbench import carrying, results
from tlbench.records import RecordsError

TABLES = ("measurements.csv", "weights.csv", "sizes.csv", "summary.csv", "claims.csv")


@pytest.fixture
def run(birds_done):
    """The folder of a finished run, to change."""
    return birds_done.run_folder


@pytest.fixture
def typed(birds_done, monkeypatch, capsys):
    """Commands typed beside the results."""
    return Typed(birds_done, monkeypatch, capsys)


def change(path):
    """One digit of the last number is another."""
    content = bytearray(path.read_bytes())
    place = max(at for at, byte in enumerate(content) if chr(byte).isdigit())
    content[place] = ord("7") if content[place] != ord("7") else ord("3")
    path.write_bytes(content)


def assert_refused(done, name, status=1):
    """In one sentence that names the file and says what to do."""
    assert done.status == status, (done.out, done.err)
    assert done.err.count("\n") == 1
    assert f"{name} is not as its run wrote it: it was changed, or a run broke off; run it again: " in done.err
    assert "what has finished is not computed anew, and the table is written as it was" in done.err
    assert "All as expected" not in done.out


@pytest.mark.fault("damage")
@pytest.mark.parametrize(("command", "status"), [("check", 1), ("compare", 2)])
def test_a_table_that_was_changed_is_one_sentence(birds_done, run, command, status):
    change(run / "measurements.csv")
    folders = ("results", "results") if command == "compare" else ()
    assert_refused(birds_done.tlbench(command, *folders), "measurements.csv", status)


@pytest.mark.fault("damage")
@pytest.mark.parametrize("command", ["check", "plot", "report"])
def test_no_command_takes_a_table_that_was_changed(birds_done, typed, run, command):
    change(run / "measurements.csv")
    before = birds_done.touched()
    assert_refused(typed(command), "measurements.csv")
    assert birds_done.touched() == before


@pytest.mark.fault("damage")
def test_to_run_again_computes_nothing_and_writes_the_table_as_it_was(birds_done, birds_reference, typed, run):
    for name in TABLES:
        change(run / name)
    blocks = birds_done.touched(birds_done.blocks)
    again = birds_done.succeed(*birds_done.birds)
    assert "computing" not in again.err
    assert birds_done.published() == birds_reference
    assert birds_done.touched(birds_done.blocks) == blocks
    assert "All as expected." in typed("check").out


@pytest.mark.fault("damage")
@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_sealed(run, name):
    results.reopen(run)
    change(run / name)
    with pytest.raises(RecordsError, match=rf"{name} is not as its run wrote it") as said:
        results.reopen(run)
    assert "\n" not in str(said.value)
    seal_again(run)
    results.reopen(run)


@pytest.mark.fault("damage")
@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_gone_is_said(run, name):
    (run / name).unlink()
    with pytest.raises(RecordsError, match=rf"{name} cannot be read .*; run it again"):
        results.reopen(run)


def test_the_seals_are_of_tables_alone_and_of_every_one(run):
    seals = json.loads((run / "manifest.json").read_bytes())["seals"]
    assert set(seals) == set(TABLES) == {path.name for path in run.glob("*.csv")}


def test_a_figure_is_not_sealed_and_is_drawn_again(birds_done, birds_reference, typed, run):
    (run / "curves.png").write_bytes(b"painted over")
    assert typed("plot").status == 0
    assert birds_done.published() == birds_reference


@pytest.mark.parametrize("name", TABLES)
def test_line_ends_that_git_changed_are_no_change(run, name):
    before = results.reopen(run)
    path = run / name
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    after = results.reopen(run)
    assert after.verdicts().equals(before.verdicts())
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n\n"))
    with pytest.raises(RecordsError, match="is not as its run wrote it"):
        results.reopen(run)


def without(path, *keys):
    """The manifest with something left out."""
    content = json.loads(path.read_bytes())
    at = content
    for key in keys[:-1]:
        at = at[key]
    del at[keys[-1]]
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.slow
def test_a_run_older_than_seals_is_taken_as_it_lies(birds_done, birds_reference, typed, run):
    """Its tables cannot be verified; a further run seals them."""
    without(run / "manifest.json", "seals")
    assert "All as expected." in typed("check").out
    birds_done.succeed(*birds_done.birds, "--quiet")
    assert birds_done.published() == birds_reference


@pytest.mark.fault("damage")
def test_a_seal_cannot_be_left_out_for_one_table(run):
    without(run / "manifest.json", "seals", "measurements.csv")
    with pytest.raises(RecordsError, match=r"manifest\.json has no seal of measurements\.csv; run it again"):
        results.reopen(run)


@pytest.mark.fault("damage")
@pytest.mark.parametrize("seals", [{"../other.csv": "0"}, {"/etc/passwd": "0"}, {"measurements.csv": 3}, ["a"], None])
def test_seals_that_are_none_are_said(run, seals):
    path = run / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "seals": seals}), encoding="utf-8")
    with pytest.raises(RecordsError, match=r"no readable manifest\.json .*run it again"):
        results.reopen(run)


@pytest.mark.slow
@pytest.mark.fault("interruption")
@pytest.mark.parametrize("name", ["weights.csv", "manifest.json"])
def test_a_run_that_broke_off_between_tables_needs_only_to_be_run_again(birds_done, birds_reference, faults, run, name):
    """Here over the tables of an earlier run that had other numbers."""
    for table in TABLES:
        change(run / table)
    seal_again(run)
    killed = birds_done.tlbench(*birds_done.birds, PYTHONPATH=faults, KILL_BEFORE=re.escape(name))
    assert killed.status == -signal.SIGKILL
    checked = birds_done.tlbench("check")
    assert_refused(checked, "measurements.csv" if name == "weights.csv" else "claims.csv")
    blocks = birds_done.touched(birds_done.blocks)
    birds_done.succeed(*birds_done.birds, "--quiet")
    assert birds_done.published() == birds_reference
    assert birds_done.touched(birds_done.blocks) == blocks
    birds_done.assert_nothing_left_over()


def test_carrying_takes_blocks_and_is_not_concerned(birds_done, run):
    """Whatever became of the tables, they stay here."""
    change(run / "measurements.csv")
    archive = birds_done.folder / "blocks.zip"
    assert carrying.export(birds_done.folder / "results", archive).blocks == 48
    with zipfile.ZipFile(archive) as file:
        assert all("/blocks/" in name for name in file.namelist())
    brought = carrying.bring(archive, birds_done.folder / "elsewhere")
    assert (brought.new, brought.refused) == (48, [])
    assert not list((birds_done.folder / "elsewhere").glob("*/*/*.csv"))
