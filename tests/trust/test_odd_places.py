"""What lies where a file should, names that others would take for something else, and outputs that take little."""

import os

import pytest

from tests.marks import slow
from tests.place import REPOSITORY

pytestmark = pytest.mark.fault("input")


@pytest.mark.parametrize("name", ["~", *slow("~root", "http:", "file:")])
def test_a_folder_of_any_name_is_that_folder(birds, birds_reference, name):
    """A library that reads tables would look in a home folder, or ask a server."""
    birds.succeed(*birds.birds, f"--results={name}/results", "--quiet")
    assert birds.published(birds.folder / name / "results" / birds_name(birds)) == birds_reference
    assert birds.tlbench("check", f"--results={name}/results").status == 0
    assert not (birds.folder / "results").exists()


def birds_name(birds):
    (found,) = [path.parent for path in birds.folder.rglob("manifest.json")]
    return f"{found.parent.name}/{found.name}"


@pytest.mark.parametrize("name", ["manifest.json", "measurements.csv", "summary.csv"])
@pytest.mark.parametrize("command", ["check", "report"])
def test_a_pipe_in_a_files_place_is_not_waited_for(birds_done, name, command):
    place = birds_done.run_folder / name
    place.unlink()
    os.mkfifo(place)
    ended = birds_done.tlbench(command)
    assert ended.status != 0
    assert name in ended.err
    assert "Traceback" not in ended.err


def test_a_pipe_or_a_device_in_a_blocks_place_is_computed_again(birds_done, birds_reference):
    first, second = birds_done.blocks[:2]
    for place in (first, second):
        place.unlink()
    os.mkfifo(first)
    second.symlink_to("/dev/zero")
    assert "2 damaged blocks" in birds_done.succeed(*birds_done.birds).err
    assert first.is_file()
    assert not second.is_symlink()
    assert birds_done.published() == birds_reference


@pytest.mark.parametrize("make", [os.mkfifo, lambda place: place.symlink_to("/dev/zero")], ids=["pipe", "device"])
@pytest.mark.parametrize("arguments", [("run", "odd.toml"), ("import", "odd.zip"), ("validate", "odd.toml")])
def test_a_pipe_or_a_device_that_is_named_is_refused(place, make, arguments):
    make(place.folder / arguments[1])
    refused = place.tlbench(*arguments)
    assert refused.status == 2
    assert arguments[1] in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("list",), ("check",)])
@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]])
def test_a_closed_stream_is_no_fault(birds_done, closed, arguments):
    begin = f"import os, sys; [os.close(n) for n in {closed}]; a = [sys.executable, '-m', 'tlbench', *sys.argv[1:]]; "
    ended = birds_done.tlbench(*arguments, python=("-c", begin + "os.execv(a[0], a)"))
    assert ended.status == 0, ended.err


@pytest.mark.parametrize("arguments", [("list",), ("check",), ("run", "no such thing")])
def test_an_output_of_few_letters_shows_question_marks(birds_done, arguments):
    ended = birds_done.tlbench(*arguments, PYTHONIOENCODING="ascii")
    assert ended.status == (2 if arguments[0] == "run" else 0), ended.err
    assert "fault" not in ended.err


def test_a_mark_at_the_start_of_a_protocol_is_none(birds):
    text = (REPOSITORY / "experiments" / "caltech-multisource.toml").read_bytes()
    path = birds.folder / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace(b'= "caltech-multisource"', b'= "mine"', 1))
    assert "48" in birds.succeed("run", path, *birds.birds[2:], "--dry-run").out
