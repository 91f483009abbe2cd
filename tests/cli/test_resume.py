"""Whatever interrupts a run: the same bytes in the end, nothing done twice, nothing left over."""

import os
import random
import signal
import time

import pytest

from tlbench.cli.running import _show_failures
from tlbench.study import Block

SLOW = "0.05"  # seconds more a block, so that a run lasts long enough to be interrupted


def assert_goes_on(birds, birds_reference, *more):
    """The same command again gives the birds_reference, keeps what was finished and leaves nothing over."""
    birds.assert_no_processes()
    kept = birds.touched(birds.blocks)
    done = birds.succeed(*birds.birds, *more)
    assert birds.published() == birds_reference
    after = birds.touched(birds.blocks)
    assert len(after) == 48
    assert {path: after[path] for path in kept} == kept
    birds.assert_nothing_left_over()
    return done


@pytest.mark.slow
@pytest.mark.parametrize(("jobs", "seed"), [("1", "0"), ("3", "4711")])
def test_any_number_of_processes_and_any_hash_seed_give_the_same_bytes(birds, birds_reference, jobs, seed):
    birds.succeed(*birds.birds, "--jobs", jobs, "--quiet", PYTHONHASHSEED=seed)
    assert birds.published() == birds_reference
    birds.assert_nothing_left_over()


@pytest.mark.slow
def test_any_number_of_processes_gives_the_same_blocks_to_the_last_bit(place):
    blocks = []
    for jobs in ("1", "2"):
        results = ("--results", f"with-{jobs}")
        place.succeed(
            "run", "caltech-multisource", "--dataset", "digits", "--profile", "smoke", "--jobs", jobs, *results
        )
        found = sorted((place.folder / f"with-{jobs}").rglob("blocks/*/*.json"))
        blocks.append({path.name: path.read_bytes() for path in found})
    assert len(blocks[0]) == 54
    assert blocks[0] == blocks[1]


@pytest.mark.slow
def test_threads_language_and_time_zone_change_no_byte(place, reference):
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "4")
    place.succeed(*place.digits, "--jobs", "1", "--quiet", **threads, LC_ALL="C", TZ="Asia/Tokyo")
    assert place.published() == reference


@pytest.mark.fault("interruption")
@pytest.mark.slow
def test_killed_at_several_moments(birds, birds_reference, faults):
    """Every process at once, as a power cut does; three times over before it may finish."""
    moments = random.Random(3)
    for _ in range(3):
        process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, SLOW=SLOW)
        time.sleep(moments.uniform(0.3, 2.2))
        birds.kill(process)
    assert_goes_on(birds, birds_reference, "--jobs", "1")


BLOCK = r"[0-9a-f]{40}\.json"


@pytest.mark.fault("interruption")
@pytest.mark.slow
@pytest.mark.parametrize("file", [BLOCK, "measurements.csv", "manifest.json", "curves.png"])
def test_killed_at_the_moment_a_file_is_put_in_place(birds, birds_reference, faults, file):
    process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, KILL_BEFORE=file)
    killed = birds.finish(process)
    assert killed.status == -signal.SIGKILL
    assert len(birds.blocks) == (0 if file == BLOCK else 48)
    assert list(birds.folder.rglob(".*.tmp"))  # the half-written file is there, and goes with the next run
    birds.wait_until_reaped(process)
    assert_goes_on(birds, birds_reference)


@pytest.mark.fault("damage")
def test_damaged_tables_and_figures_are_written_again(birds_done, birds_reference):
    for name in ("summary.csv", "measurements.csv", "curves.svg", "manifest.json"):
        (birds_done.run_folder / name).write_bytes(b"half of something el")
    (birds_done.run_folder / "claims.csv").unlink()
    birds_done.succeed(*birds_done.birds, "--quiet")
    assert birds_done.published() == birds_reference


@pytest.mark.fault("interruption")
@pytest.mark.slow
def test_when_only_the_parent_is_killed_its_processes_end_too(birds, birds_reference, faults):
    process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, SLOW=SLOW)
    birds.wait_for_blocks(process, 3)
    os.kill(process.pid, signal.SIGKILL)
    birds.finish(process)
    birds.assert_no_processes()
    assert 3 <= len(birds.blocks) < 48
    assert_goes_on(birds, birds_reference)


@pytest.mark.fault("interruption")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to"),
    [(signal.SIGINT, "everyone"), (signal.SIGINT, "the parent"), (signal.SIGTERM, "the parent")],
)
def test_interrupted_it_says_so_and_goes_on(birds, birds_reference, faults, number, to):
    process = birds.start(*birds.birds, "--jobs", "2", PYTHONPATH=faults, SLOW=SLOW)
    birds.wait_for_blocks(process, 7)
    if to == "everyone":  # as Ctrl-C in a terminal does
        birds.kill(process, number)
    else:
        os.kill(process.pid, number)
    interrupted = birds.finish(process)
    assert interrupted.status == 130
    assert interrupted.err.splitlines()[-1].startswith("tlbench: interrupted")
    assert "the same command goes on" in interrupted.err
    assert "Traceback" not in interrupted.err
    left = 48 - len(birds.blocks)
    assert 0 < left <= 41
    birds.assert_nothing_left_over()
    again = assert_goes_on(birds, birds_reference)
    assert f"of {left} blocks" in again.err


@pytest.mark.fault("interruption")
@pytest.mark.slow
@pytest.mark.parametrize("moment", ["import", 0.03, 0.1, 0.2, 0.4, "end"])
def test_interrupted_at_any_moment_there_is_no_traceback(birds, moment):
    """While the command starts, some seconds after it began to start processes, and while tables are written."""
    process = birds.start(*birds.birds, "--jobs", "2")
    if moment == "import":
        time.sleep(0.35)
    elif moment == "end":
        birds.wait_for_blocks(process, 48)
    else:
        assert "0 of 48 blocks" in process.stderr.readline()
        time.sleep(moment)
    birds.kill(process, signal.SIGINT)
    interrupted = birds.finish(process)
    assert "Traceback" not in interrupted.err
    assert interrupted.status in (0, 130)
    assert (interrupted.status != 0) == ("tlbench: interrupted" in interrupted.err)
    birds.assert_nothing_left_over()


@pytest.mark.fault("interruption")
@pytest.mark.parametrize("module", ["click", "numpy"], ids=["before it listens", "while it listens"])
def test_interrupted_twice_at_once_while_it_starts_it_ends_in_a_line(place, faults, module):
    interrupted = place.tlbench("list", PYTHONPATH=faults, INTERRUPT_IMPORT=module)
    assert interrupted.status == 130, interrupted.err
    assert interrupted.err.startswith("tlbench: interrupted")
    assert interrupted.err.count("\n") == 1


def test_a_failure_whose_traceback_another_run_removed_is_still_said(tmp_path, capsys):
    block = Block("toy", 1, "ibis", (0,), "g", ("none",), {}, "print")
    _show_failures([(block, tmp_path / "gone.txt")])
    said = capsys.readouterr().err
    assert said == "failed: ibis, split 0, none: its traceback is gone, for another run began afresh\n"


@pytest.mark.fault("disk")
@pytest.mark.slow
def test_two_runs_at_once_do_not_disturb_each_other(birds, birds_reference):
    together = [birds.start(*birds.birds, "--jobs", "2") for _ in range(2)]
    outcomes = [birds.finish(process) for process in together]
    assert [outcome.status for outcome in outcomes] == [0, 0], [outcome.err for outcome in outcomes]
    assert "Traceback" not in outcomes[0].err + outcomes[1].err
    assert birds.published() == birds_reference
    birds.assert_nothing_left_over()


@pytest.mark.fault("damage")
@pytest.mark.slow
def test_damaged_blocks_are_computed_again_and_said(birds_done, birds_reference):
    damages = [
        lambda content: content[:-40],
        lambda content: b"",
        lambda content: content.replace(b'"value":[', b'"value":[1', 1),
        lambda content: b"\0" * len(content),
        lambda content: content.partition(b"\n")[2],
    ]
    victims, others = birds_done.blocks[: len(damages)], birds_done.blocks[len(damages) :]
    for path, damage in zip(victims, damages, strict=True):
        content = path.read_bytes()
        assert damage(content) != content
        path.write_bytes(damage(content))
    untouched = birds_done.touched(others)
    again = birds_done.succeed(*birds_done.birds)
    assert "5 damaged blocks" in again.err
    assert "5 of 5 blocks" in again.err
    victims[0].write_bytes(b"")
    assert "note: 1 damaged block is computed again" in birds_done.succeed(*birds_done.birds).err
    assert birds_done.touched(others) == untouched
    assert birds_done.published() == birds_reference
    assert "damaged" not in birds_done.succeed(*birds_done.birds, "--dry-run").err


@pytest.mark.fault("damage")
def test_a_deleted_block_alone_is_computed_again(birds_done, birds_reference):
    victim, *others = birds_done.blocks
    victim.unlink()
    untouched, published = birds_done.touched(others), birds_done.touched(list(birds_done.run_folder.iterdir()))
    again = birds_done.succeed(*birds_done.birds)
    assert "1 of 1 blocks" in again.err
    assert "damaged" not in again.err
    assert birds_done.touched(others) == untouched
    assert birds_done.touched(list(birds_done.run_folder.iterdir())) == published
    assert birds_done.published() == birds_reference


FAULT = {"FAULT_UNIT": "ibis", "FAULT_GROUP": "weighted"}


def assert_one_block_failed(birds, outcome):
    """The rest is finished, the one is named with its traceback, and nobody takes the run for whole."""
    assert outcome.status == 1
    assert len(birds.blocks) == 47
    (path,) = birds.failures()
    assert str(path.relative_to(birds.folder)) in outcome.err
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("failed: ")]
    assert "ibis" in line
    assert "multi-weighted" in line
    assert "INCOMPLETE: 40 planned measurements are missing" in outcome.out
    measured = birds.measurements()
    assert len(measured) == 4 * 11 * 9 * 4 - 40
    checked = birds.tlbench("check")
    assert checked.status == 1
    assert "INCOMPLETE" in checked.out
    shown = birds.succeed(*birds.birds, "--dry-run").out.split("\n")
    assert [" ".join(line.split()[:2]) for line in shown[1:4]] == ["done 47", "missing 1", "failed 1"]
    return path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_exception_fails_one_block_and_no_other(birds, birds_reference, faults):
    failed = birds.tlbench(*birds.birds, PYTHONPATH=faults, FAULT="raise", **FAULT)
    text = assert_one_block_failed(birds, failed)
    assert "ArithmeticError: sabotaged on purpose" in text
    assert "Traceback (most recent call last)" in text
    assert "Traceback" not in failed.err
    again = assert_goes_on(birds, birds_reference)
    assert "1 of 1 blocks" in again.err
    assert birds.failures() == []
    assert birds.tlbench("check").status == 0


@pytest.mark.fault("interruption")
@pytest.mark.slow
def test_a_block_that_keeps_killing_its_process_is_set_aside(birds, birds_reference, faults):
    failed = birds.tlbench(*birds.birds, "--jobs", "2", PYTHONPATH=faults, FAULT="kill", **FAULT)
    assert "process died" in assert_one_block_failed(birds, failed)
    assert_goes_on(birds, birds_reference)
    assert birds.failures() == []


@pytest.mark.fault("interruption")
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["kill", "exit"])
def test_a_process_that_dies_once_costs_nothing_but_time(birds, birds_reference, faults, fault):
    fault = {"FAULT": fault, "FAULT_ONCE": birds.folder / "happened", **FAULT}
    done = birds.succeed(*birds.birds, "--jobs", "2", PYTHONPATH=faults, **fault)
    assert (birds.folder / "happened").exists()
    assert "48 of 48 blocks" in done.err
    assert birds.published() == birds_reference
    assert birds.failures() == []
    birds.assert_nothing_left_over()


def test_where_every_block_fails_nothing_is_published(birds, faults):
    """One split and one condition, so that there is nothing but blocks that fail."""
    arguments = (*birds.birds, "--seeds", "1", "--set", "conditions=none")
    fault = {"PYTHONPATH": faults, "FAULT": "raise", "FAULT_UNIT": "*", "FAULT_GROUP": "none"}
    failed = birds.tlbench(*arguments, **fault)
    assert len(birds.failures()) == 4
    assert birds.published() == {}
    assert "Traceback" not in failed.err
    assert len([line for line in failed.err.splitlines() if line.startswith("failed: ")]) == 4
    assert failed.status == 1  # blocks failed; nothing is wrong with what the user typed


@pytest.mark.fault("disk")
@pytest.mark.slow
@pytest.mark.parametrize("most", [2_000, 8_000, 30_000])
def test_a_full_disk_is_said_and_what_was_finished_is_kept(birds, birds_reference, most):
    """A limit on the size of files stands for the disk: not even blocks fit, blocks, blocks and small tables."""
    limited = f"import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most})); "
    limited += "runpy.run_module('tlbench', run_name='__main__', alter_sys=True)"
    full = birds.tlbench(*birds.birds, python=("-c", limited))
    assert full.status not in (0, 130)
    assert "Traceback" not in full.err
    assert "too large" in full.err or birds.failures()
    birds.assert_nothing_left_over()
    assert_goes_on(birds, birds_reference)
