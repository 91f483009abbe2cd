"""What is on disk is whole or not there, says the same twice, and never costs finished work."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlbench import protocol, records
from tlbench.manifest import describe_run, finished_runs, read_manifest, replaced_by, write_manifest
from tlbench.records import HIDDEN, Records, RecordsError, load_all, run_folder
from tlbench.study import Block

BLOCK = Block("toy_study", 3, "dög", (0, 1), "sided", ("left", "right"), {"C": 2.5, "shots": [1, 2]}, "print")
OTHER = Block("toy_study", 3, "cat", (4,), "plain", ("plain",), {"C": 2.5, "shots": [1, 2]}, "print")
TABLES = {"measurements": {"split": [0, 1], "condition": ["left", "right"], "value": [1 / 3, 99.99999999999997]}}
LONG_AGO = 1_000_000_000 * 10**9


@pytest.fixture
def kept(tmp_path) -> Records:
    kept = Records(tmp_path / "run")
    kept.prepare()
    return kept


def block_file(kept: Records, block: Block = BLOCK):
    (path,) = (path for path in (kept.folder / HIDDEN / "blocks").rglob("*.json") if path.stem == block.key)
    return path


def everything(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def aged(path):
    """Give a file a time at which nothing here was written."""
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


def untouched(path):
    return path.stat().st_mtime_ns == LONG_AGO


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# Blocks


def test_a_block_comes_back_as_it_went(kept):
    assert kept.load(BLOCK) is None
    assert not kept.exists(BLOCK)
    kept.save(BLOCK, TABLES)
    assert kept.exists(BLOCK)
    assert kept.load(BLOCK).tables == TABLES
    assert kept.load(BLOCK).environment == records.environment()
    assert kept.load(OTHER) is None


@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False)), words=st.lists(st.text()))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_number_and_word_comes_back_exactly(kept, values, words):
    kept.save(BLOCK, {"measurements": {"value": values}, "weights": {"source": words}})
    back = kept.load(BLOCK).tables
    assert [value.hex() for value in map(float, back["measurements"]["value"])] == [value.hex() for value in values]
    assert back["weights"]["source"] == words


def test_a_file_is_a_checksum_and_then_json_that_says_whose_it_is(kept):
    kept.save(BLOCK, TABLES)
    head, _, body = block_file(kept).read_bytes().partition(b"\n")
    assert head.decode() == hashlib.sha256(body).hexdigest()
    assert json.loads(body)["block"] == BLOCK.identity


@pytest.mark.fault("damage")
@pytest.mark.parametrize("keep", [0, 1, 64, 65, 66, 200, -1])
def test_a_truncated_file_is_missing_and_seen_to_be_damaged(kept, keep):
    kept.save(BLOCK, TABLES)
    path = block_file(kept)
    path.write_bytes(path.read_bytes()[:keep])
    assert kept.load(BLOCK) is None
    assert not kept.is_finished(BLOCK)
    assert kept.exists(BLOCK)


@pytest.mark.fault("damage")
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_found(kept, place, bit):
    kept.save(BLOCK, TABLES)
    path = block_file(kept)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    assert kept.load(BLOCK) is None
    assert not kept.is_finished(BLOCK)
    kept.save(BLOCK, TABLES)
    assert kept.load(BLOCK).tables == TABLES
    assert kept.is_finished(BLOCK)


ENVIRONMENT = b'"environment": {}'


@pytest.mark.fault("damage")
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"3", b'"tables"', b"{}", b'{"tables": {}}', b"{%s}" % ENVIRONMENT, b"\xff"),
        b'{"tables": {"measurements": {"value": 3}}, %s}' % ENVIRONMENT,
        b'{"tables": {"measurements": [3]}, %s}' % ENVIRONMENT,
        b'{"tables": {"measurements": {"value": [3}}, %s}' % ENVIRONMENT,
    ],
)
def test_a_sound_file_of_another_format_is_missing(kept, body):
    kept.save(BLOCK, TABLES)
    block_file(kept).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert kept.load(BLOCK) is None
    assert not kept.is_finished(BLOCK)


@pytest.mark.fault("damage")
def test_a_file_that_is_another_blocks_is_missing(kept):
    for block in (BLOCK, OTHER):
        kept.save(block, TABLES)
    block_file(kept, OTHER).write_bytes(block_file(kept, BLOCK).read_bytes())
    assert kept.load(OTHER) is None
    assert not kept.is_finished(OTHER)
    assert kept.is_finished(BLOCK)


def test_the_order_of_parameters_is_nobodys_business(kept):
    """A protocol that was tidied up costs no block."""
    kept.save(BLOCK, TABLES)
    tidied = replace(BLOCK, parameters=dict(reversed(BLOCK.parameters.items())))
    assert kept.load(tidied).tables == TABLES
    assert kept.is_finished(tidied)


def test_the_finished_ones_come_in_the_order_asked_for(kept):
    for block in (OTHER, BLOCK):
        kept.save(block, TABLES)
    absent = Block("toy_study", 3, "none", (0,), "plain", ("plain",), {}, "print")
    assert [block for block, _ in load_all(kept, [BLOCK, absent, OTHER])] == [BLOCK, OTHER]


def test_forgetting_leaves_nothing_to_resume(kept):
    kept.save(BLOCK, TABLES)
    kept.save_failure(OTHER, "Traceback")
    kept.write("summary.csv", b"x")
    kept.forget()
    assert kept.load(BLOCK) is None
    assert not kept.exists(BLOCK)
    assert kept.failure(OTHER) is None
    assert (kept.folder / "summary.csv").exists()


# Failures and timings


def test_a_failure_is_kept_until_the_block_is_done(kept):
    assert kept.failure(BLOCK) is None
    path = kept.save_failure(BLOCK, "Traceback: boom\n")
    assert kept.failure(BLOCK) == path == kept.folder / HIDDEN / "failures" / BLOCK.key[:2] / f"{BLOCK.key}.txt"
    text = path.read_text(encoding="utf-8")
    assert text.startswith("dög, splits 0–1, left and right\n")
    assert text.endswith("Traceback: boom\n")
    kept.save(OTHER, TABLES)
    assert kept.failure(BLOCK) == path
    kept.save(BLOCK, TABLES)
    assert kept.failure(BLOCK) is None


def test_timings_are_means_per_split_and_survive_a_torn_line(kept):
    assert kept.seconds_per_split() == {}
    kept.add_timing(BLOCK, 3.0)  # two splits
    kept.add_timing(BLOCK, 5.0)
    kept.add_timing(OTHER, 0.5)
    with (kept.folder / HIDDEN / "timings.tsv").open("a") as file:
        file.write("sided\t2\nsided\tx\t1\nsided\t1\tx\nsid")
    assert kept.seconds_per_split() == pytest.approx({"sided": 2.0, "plain": 0.5})


@pytest.mark.fault("disk")
def test_timings_that_cannot_be_written_stop_nothing(kept):
    (kept.folder / HIDDEN / "timings.tsv").mkdir()
    kept.add_timing(BLOCK, 3.0)
    assert kept.seconds_per_split() == {}


def test_a_failure_that_names_a_file_whose_name_is_no_text_is_kept(kept):
    path = kept.save_failure(BLOCK, "DataError: b\udcff.png is no picture")
    assert path.read_text(encoding="utf-8").endswith(r"DataError: b\udcff.png is no picture")


# Writing


def test_writing_leaves_nothing_beside_its_file(kept):
    kept.save(BLOCK, TABLES)
    kept.save(BLOCK, TABLES)
    kept.save_failure(OTHER, "x")
    kept.write("summary.csv", b"a")
    kept.write("summary.csv", b"b")
    assert [path for path in everything(kept.folder) if path.suffix == ".tmp"] == []
    assert (kept.folder / "summary.csv").read_bytes() == b"b"


@pytest.mark.fault("disk")
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(kept, monkeypatch):
    path = kept.write("summary.csv", b"old")
    before = everything(kept.folder)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(RecordsError, match="No space left"):
        kept.write("summary.csv", b"new")
    assert path.read_bytes() == b"old"
    assert everything(kept.folder) == before


def test_a_file_that_would_say_the_same_is_not_touched(kept):
    path = aged(kept.write("summary.csv", b"same"))
    kept.write("summary.csv", b"same")
    assert untouched(path)
    kept.write("summary.csv", b"else")
    assert not untouched(path)


@pytest.mark.fault("interruption")
def test_what_a_dead_process_left_is_swept_away_and_nothing_else(kept, dead):
    host = platform.node()
    shard = kept.folder / HIDDEN / "blocks" / "ab"
    shard.mkdir()
    abandoned = [
        kept.folder / f".{host}.{dead}.x1.tmp",
        kept.folder / HIDDEN / f".{host}.{dead}.pack.tmp",
        shard / f".{host}.{dead}.y_2.tmp",
    ]
    stay = [
        kept.folder / f".{host}.{os.getpid()}.x1.tmp",
        shard / f".{host}.{os.getppid()}.x1.tmp",
        shard / f".another-{host}.{dead}.x1.tmp",
        kept.folder / ".mine.tmp",
        kept.folder / f"{host}.{dead}.x1.tmp",
        kept.folder / f".{host}.{dead}.x1.csv",
    ]
    for path in abandoned + stay:
        path.write_bytes(b"half")
    kept.prepare()
    assert not [path for path in abandoned if path.exists()]
    assert all(path.exists() for path in stay)


@pytest.mark.fault("interruption")
def test_scratch_is_gone_afterwards_and_swept_if_its_process_died(kept):
    with kept.scratch("pack") as path:
        path.write_bytes(b"x")
        kept.prepare()
        assert path.exists(), "its process is alive"
    assert not path.exists()
    with contextlib.suppress(KeyError), kept.scratch("pack") as path:
        path.write_bytes(b"x")
        raise KeyError
    assert not path.exists()
    program = (
        "import os, sys; from pathlib import Path; from tlbench.records import Records\n"
        "with Records(Path(sys.argv[1])).scratch('pack') as p: p.write_bytes(b'x'); print(p, flush=True); os._exit(1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(kept.folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    left = type(path)(done.stdout.strip())
    assert left.exists()
    kept.prepare()
    assert not left.exists()


@pytest.mark.fault("disk")
def test_a_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "results").write_text("in the way")
    kept = Records(tmp_path / "results" / "toy" / "run")
    for attempt in (kept.prepare, lambda: kept.save(BLOCK, TABLES), lambda: kept.write("summary.csv", b"")):
        with pytest.raises(RecordsError, match="cannot be written"):
            attempt()
    assert kept.load(BLOCK) is None


@pytest.mark.fault("disk")
def test_a_folder_in_the_place_of_a_file_is_said(kept):
    (kept.folder / "summary.csv").mkdir()
    with pytest.raises(RecordsError, match=r"summary\.csv cannot be written: a folder is in its place; move it"):
        kept.write("summary.csv", b"x")


# Folders


def name(changed, dataset="digits", profile="paper", **where):
    return run_folder(where.get("results", records.Path("r")), "toy", dataset, profile, changed).name


def test_a_folder_says_what_is_not_the_default(tmp_path):
    assert run_folder(tmp_path, "toy", "digits", "paper", {}) == tmp_path / "toy" / "digits-paper"
    changed = {"C": 1.5, "seeds": 3, "nonnegative": False, "shots": [1, 2], "overlap": "kept"}
    assert name(changed) == "digits-paper--C=1.5,seeds=3,nonnegative=false,shots=1+2,overlap=kept"


@pytest.mark.parametrize("odd", ["a/b", "..", "a\\b", "a b", "a\nb", "c:d", "*?", "\0", "~", "$HOME", "日本語"])
def test_odd_characters_stay_within_one_portable_name(tmp_path, odd):
    for folder in (run_folder(tmp_path, "toy", odd, "paper", {}), run_folder(tmp_path, "toy", "d", "p", {"k": odd})):
        assert folder.parent == tmp_path / "toy"
        assert folder.resolve().parent == (tmp_path / "toy").resolve()
        assert not set(folder.name) & set('/\\ \n:*?\0~$"<>|')
        Records(folder).prepare()


@pytest.mark.parametrize("letter", ["a", "é", "猫"])
def test_long_names_are_cut_to_what_a_file_system_takes_and_stay_apart(tmp_path, letter):
    categories = [letter * 20 + str(number) for number in range(30)]
    folders = {
        run_folder(tmp_path, "toy", "digits", "paper", {"categories": some})
        for some in (categories, categories[:-1], [*categories[:-1], "x"])
    }
    assert len(folders) == 3
    for folder in folders:
        assert folder.name.startswith("digits-paper--categories=")
        assert len(folder.name.encode()) <= 255
        Records(folder).prepare()


def test_runs_are_found_by_their_manifests(tmp_path):
    assert finished_runs(tmp_path / "none") == []
    for place in ("toy/b", "toy/a", "other/a"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "manifest.json").write_text("{}")
    (tmp_path / "toy" / "begun").mkdir()
    assert finished_runs(tmp_path, "toy") == [tmp_path / "toy" / "a", tmp_path / "toy" / "b"]
    assert finished_runs(tmp_path) == [tmp_path / "other" / "a", tmp_path / "toy" / "a", tmp_path / "toy" / "b"]


# The manifest

DATA = {"name": "toy-data", "fingerprint": "print", "licence": "ours"}
TEXT = {"measurements": ["unit", "condition"]}
HERE = {"python": "3.11", "numpy": "2.0", "machine": "m", "processor": "fast"}


def manifest_of(kept, toy, environments):
    write_manifest(kept, describe_run(toy.plan(), DATA, environments, TEXT))
    return read_manifest(kept.folder)


def test_a_manifest_explains_the_run(kept, toy):
    plan = toy.plan({"C": "4"})
    write_manifest(kept, describe_run(plan, DATA, [HERE] * 3, TEXT))
    content = read_manifest(kept.folder)
    assert content["run"] == plan.short_hash
    assert content["data"] == DATA
    assert content["settings"] == {
        "seeds": 2,
        "conditions": ["plain", "left", "right"],
        "factors": {"shots": [1, 2, 4]},
        "choices": {"count": 10, "C": 4.0, "signed": True, "mode": "kept", "grid": [0.5, 1.0]},
    }
    assert content["changed"] == {"C": 4.0}
    assert content["units"] == ["b", "a"]
    assert content["blocks"] == {"planned": 4, "finished": 3}
    assert content["study"] == {"name": "toy_study", "version": 3}
    assert protocol.parse(content["protocol"], "copy") == plan.protocol


def test_a_manifest_says_the_same_twice_whatever_was_timed(kept, toy):
    write_manifest(kept, describe_run(toy.plan(), DATA, [HERE], TEXT))
    path = aged(kept.folder / "manifest.json")
    first = path.read_bytes()
    kept.add_timing(BLOCK, 12.5)
    turned = (dict(reversed(DATA.items())), [dict(reversed(HERE.items()))])
    write_manifest(kept, describe_run(toy.plan(), *turned, TEXT))
    assert path.read_bytes() == first
    assert untouched(path)
    words = set(msgspec.json.decode(first)) | set(msgspec.json.decode(first)["blocks"])
    assert not [word for word in words if "time" in word or "second" in word or "date" in word]


def test_the_same_blocks_on_another_processor_leave_the_same_manifest(kept, toy):
    write_manifest(kept, describe_run(toy.plan(), DATA, [HERE] * 2, TEXT))
    first = (kept.folder / "manifest.json").read_bytes()
    write_manifest(kept, describe_run(toy.plan(), DATA, [{**HERE, "processor": "slow"}] * 2, TEXT))
    assert (kept.folder / "manifest.json").read_bytes() == first


def test_results_of_another_run_are_noticed_before_they_are_replaced(kept, toy):
    assert replaced_by(toy.plan(), kept.folder) is None
    write_manifest(kept, describe_run(toy.plan(), DATA, [HERE], TEXT))
    assert replaced_by(toy.plan(), kept.folder) is None
    assert replaced_by(toy.plan(data="other"), kept.folder) == toy.plan().short_hash
    (kept.folder / "manifest.json").write_text("{")
    assert replaced_by(toy.plan(), kept.folder) is None


@pytest.mark.parametrize("key", ["numpy", "processor", "machine", "python"])
def test_blocks_of_different_environments_are_listed(kept, toy, key):
    assert "mixed" not in manifest_of(kept, toy, [HERE, HERE])
    other = {**HERE, key: "else"}
    mixed = manifest_of(kept, toy, [HERE, other, HERE])["mixed"]
    assert sorted(mixed, key=str) == sorted([HERE, other], key=str)


def test_the_environment_names_what_can_move_a_digit():
    import numpy
    import scipy
    import sklearn

    here = records.environment()
    assert here["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert (here["numpy"], here["scipy"]) == (numpy.__version__, scipy.__version__)
    assert here["scikit-learn"] == sklearn.__version__
    assert {"tlbench", "machine", "processor"} <= set(here)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"settings": {}, "units": []}']
    + [b'{"settings": {}, "units": [], "data": %s}' % data for data in (b"[]", b"{}", b"null")],
)
def test_a_manifest_that_cannot_be_read_is_said(kept, content):
    if content is not None:
        (kept.folder / "manifest.json").write_bytes(content)
    with pytest.raises(RecordsError, match=r"no readable manifest\.json"):
        read_manifest(kept.folder)
