"""Disks that are full, read-only, taken away or damaged: it is said, nothing is lost, and the next run goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest

from tests.trust.interruption_disks import AMPLE, disk
from tests.trust.journey_place import COMMAND, TO_GO_ON_FROM, Journey, serving, small_archive

SLOW = {"SLOW": "0.05"}
DECADE = 10 * 365 * 86_400


def assert_refused(refused, *words):
    """A sentence, no traceback, and a status that says so."""
    assert refused.status in (1, 2, 3), refused
    assert "Traceback" not in refused.err
    assert any(word in refused.err for word in words), refused.err
    assert any(line.startswith(("tlbench: ", "failed: ")) for line in refused.err.splitlines()), refused.err


def assert_goes_on(birds, reference, **more):
    """The same command again gives the same bytes, and does nothing again that was finished."""
    birds.assert_no_processes()
    kept = birds.touched(birds.blocks)
    done = birds.succeed(*birds.birds, **more)
    assert birds.published() == reference
    after = birds.touched(birds.blocks)
    assert {path: after.get(path) for path in kept} == kept
    birds.assert_nothing_left_over()
    return done


# Full and read-only


@pytest.mark.slow
@pytest.mark.fault("disk")
@pytest.mark.parametrize("options", ["size=12k", "size=80k", "size=300k", "size=420k", "nr_inodes=9", "nr_inodes=60"])
def test_results_on_a_disk_that_fills_up(birds, birds_reference, options):
    with disk(birds.folder / "results", options) as results:
        assert_refused(birds.tlbench(*birds.birds, "--jobs", "2"), "No space left on device")
        birds.assert_nothing_left_over()
        results.change(AMPLE)
        assert_goes_on(birds, birds_reference)


@pytest.mark.slow
@pytest.mark.fault("disk")
def test_results_that_may_not_be_written(birds, birds_reference, faults):
    with disk(birds.folder / "results") as results:
        process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, **SLOW)
        birds.wait_for_blocks(process, 5)
        birds.kill(process)
        results.change("ro")
        before = birds.touched()
        assert_refused(birds.tlbench(*birds.birds), "Read-only file system")
        assert birds.touched() == before
        results.change("rw")
        assert_goes_on(birds, birds_reference)
        results.change("ro")
        assert birds.tlbench("check").status == 0  # what only reads still can


@pytest.fixture
def journey(tmp_path, warm):
    """A place for the whole journey, not begun."""
    archive = tmp_path / "small.zip"
    archive.write_bytes(small_archive())
    with serving(archive.read_bytes()) as mirror:
        yield Journey(tmp_path / "place", warm, archive, mirror)


@pytest.mark.slow
@pytest.mark.fault("disk")
@pytest.mark.parametrize(
    ("options", "status"),
    [("size=40k", 3), ("size=160k", 3), ("size=500k", 3), ("size=800k", 2), ("nr_inodes=30", 3)],
    ids=["download", "no room to unpack", "unpacking", "features", "inodes"],
)
def test_data_on_a_disk_that_fills_up(journey, options, status):
    with disk(journey.folder / "data", options) as data:
        refused = journey.finish(journey.go())
        assert_refused(refused, "the disk is full", "disk is full", "No space left")
        assert refused.status == status
        assert [path for path in journey.temporary() if not TO_GO_ON_FROM.fullmatch(path)] == []
        assert journey.run_folders == []
        kept = journey.finished_files(), journey.part()
        data.change(AMPLE)
        asked = len(journey.mirror.ranges)
        done = journey.finish(journey.go())
        assert done.status == 0, done.err
        after = journey.finished_files()
        assert {path: after.get(path) for path in kept[0]} == kept[0]
        assert journey.mirror.ranges[asked:] == ([f"bytes={kept[1]}-"] if kept[1] else [])
        assert len(journey.blocks) == 24
        assert journey.temporary() == []


@pytest.mark.slow
@pytest.mark.fault("disk")
def test_data_that_may_not_be_written(journey):
    with disk(journey.folder / "data") as data:
        data.change("ro")
        refused = journey.finish(journey.go())
        assert_refused(refused, "Read-only file system")
        assert journey.run_folders == []
        data.change("rw")
        assert journey.finish(journey.go()).status == 0
        data.change("ro")
        before = journey.touched()
        again = journey.tlbench(*COMMAND)  # nothing is to be written: nothing is wrong
        assert again.status == 0 or "Read-only" in again.err
        assert journey.touched() == before


# Elsewhere, and taken away


@pytest.mark.slow
@pytest.mark.fault("disk")
@pytest.mark.parametrize("at", ["results", "results/caltech-multisource"])
def test_results_behind_a_link_to_another_disk(birds, birds_reference, faults, tmp_path, at):
    with disk(tmp_path / "elsewhere"):
        link = birds.folder / at
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(tmp_path / "elsewhere")
        process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, **SLOW)
        birds.wait_for_blocks(process, 9)
        birds.kill(process)
        birds.wait_until_reaped(process)
        assert_goes_on(birds, birds_reference, TMPDIR=tmp_path)
        assert link.is_symlink()
        assert list((tmp_path / "elsewhere").rglob("measurements.csv"))
        assert birds.tlbench("check").status == 0


@pytest.mark.slow
@pytest.mark.fault("disk")
@pytest.mark.parametrize("what", ["results", "blocks"])
def test_results_that_are_removed_during_the_run(birds, birds_reference, faults, what):
    process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, **SLOW)
    birds.wait_for_blocks(process, 9)
    gone = birds.folder / "results" if what == "results" else birds.run_folder / ".tlbench" / "blocks"
    while gone.exists():  # what is written meanwhile may make it again
        shutil.rmtree(gone, ignore_errors=True)
    ended = birds.finish(process)
    assert "Traceback" not in ended.err
    assert ended.status == 1
    assert "tlbench: INCOMPLETE" in ended.err or "failed: " in ended.err
    assert_goes_on(birds, birds_reference)


# Others


@pytest.mark.slow
@pytest.mark.fault("interruption")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_of_two_runs_at_once_one_is_ended_and_the_other_does_not_notice(birds, birds_reference, faults, number):
    ended, other = (birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, **SLOW) for _ in range(2))
    birds.wait_for_blocks(ended, 12)
    birds.kill(ended, number)
    if number == signal.SIGINT:
        assert birds.finish(ended).status == 130
    finished = birds.finish(other)
    assert finished.status == 0, finished.err
    assert birds.published() == birds_reference
    birds.wait_until_reaped(ended)
    published = birds.touched(birds.blocks)
    assert_goes_on(birds, birds_reference)
    assert birds.touched(birds.blocks) == published


@pytest.mark.slow
@pytest.mark.fault("disk")
@pytest.mark.parametrize("change", ["clock", "files"])
def test_a_clock_that_was_set_back(birds, birds_reference, faults, change):
    """The present lies before everything that is there, for the program or by the times of the files."""
    process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, **SLOW)
    birds.wait_for_blocks(process, 9)
    birds.kill(process)
    birds.wait_until_reaped(process)
    back = {"PYTHONPATH": faults, "CLOCK_BACK": DECADE} if change == "clock" else {}
    if change == "files":
        for path in birds.everything():
            os.utime(path, (time.time() + DECADE,) * 2)
    assert_goes_on(birds, birds_reference, **back)
    assert "blocks" not in birds.succeed(*birds.birds, **back).err


# Damage


def flipped(content, draw):
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


DAMAGES = {
    "flipped": flipped,
    "cut": lambda content, draw: content[: draw.randrange(len(content))],
    "longer": lambda content, draw: content + content[-draw.randrange(1, 50) :],
    "zeros": lambda content, draw: bytes(len(content)),
    "hole": lambda content, draw: content[: (at := draw.randrange(len(content) - 64))] + bytes(64) + content[at + 64 :],
}


@pytest.mark.slow
@pytest.mark.fault("damage")
def test_every_block_is_damaged_in_some_way(birds_done, birds_reference, faults_tried):
    draw, ways = random.Random(10), list(DAMAGES.values())
    for number, path in enumerate(birds_done.blocks):
        content = path.read_bytes()
        damaged = ways[number % len(ways)](content, draw)
        assert damaged != content
        path.write_bytes(damaged)
    done = birds_done.succeed(*birds_done.birds)
    assert "48 damaged blocks" in done.err
    assert "48 of 48 blocks" in done.err
    wrong = [name for name, content in birds_reference.items() if birds_done.published()[name] != content]
    for _ in range(48):
        faults_tried.came_to(survived=not wrong, wrong=len(wrong))
    assert wrong == []


@pytest.mark.slow
@pytest.mark.fault("damage")
def test_blocks_in_the_places_of_others_are_computed_again(birds_done, birds_reference):
    """Each as it was written, but not what its name says."""
    first, second, *others = birds_done.blocks
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    kept = birds_done.touched(others)
    assert "2 damaged blocks are computed again" in birds_done.succeed(*birds_done.birds).err
    assert (first.read_bytes(), second.read_bytes()) == contents
    assert birds_done.touched(others) == kept
    assert birds_done.published() == birds_reference


@pytest.mark.slow
@pytest.mark.fault("damage")
def test_damaged_weights_are_trained_again_where_they_are_needed(place):
    pytest.importorskip("torch")
    command = ("run", "yosinski-layers", "--dataset", "digits", "--profile", "smoke", "--quiet")
    command += ("--set", "conditions=base,BnB,AnB+", "--set", "layers=2", "--set", "epochs=2")
    place.succeed(*command)
    published, blocks = place.published(), place.touched(place.blocks)
    first, second = sorted(place.folder.rglob("weights/*/*.safetensors"))
    first.write_bytes(flipped(first.read_bytes(), random.Random(1)))
    second.write_bytes(second.read_bytes()[:-100])
    place.succeed(*command)
    assert place.touched(place.blocks) == blocks  # nobody needs them
    needy = [path for path in place.blocks if not (first.stem == path.stem or second.stem == path.stem)]
    for path in needy:
        path.unlink()
    place.succeed(*command)
    assert place.published() == published
    assert len(place.blocks) == len(blocks)
