"""Whatever is typed: an exit status that means something, a sentence or two, and never a traceback.

Command lines are made at random from the real commands, their real options and values that a user, a script or a slip
of the hand may give them. Most are tried in this process, some as the real command.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import random
import signal
import sys
from dataclasses import dataclass

import click
import pytest

import tlbench.cli as command_line
from tlbench.datasets import CATALOGUE
from tlbench.protocol import shipped

pytestmark = pytest.mark.fault("command line")

MOST_LINES = 12
"""Of what is said on an error: a sentence, or the ways to get what is missing."""
NASTY = [
    *("", " ", "-", "--", "---", "-1", "0", "1", "1.5", "1e309", "nan", "-inf", "9" * 30, "true", "null", "[]", "{}"),
    *("é", "日本", "مرحبا", "\u202etxt", "a\nb", "a\tb", "\x1b[31mred", "\x07", "\udcff", "😀"),
    *("x" * 5000, "a b", "'", '"', "%s%n", "{0}", "\\", "*", "?", "#", "=", ",,,"),
    *("; touch pwned", "$(touch pwned)", "`touch pwned`", "| touch pwned"),
    *("/", ".", "..", "~", "~nobody/x", "./", "a/../b", "nothere", "nothere/deeper", "/dev/null", "/proc/self/status"),
    *("folder:", "folder:.", "folder:nothere", "folder:photos", "features:", "features:odd.csv", "features:odd.npz"),
    *("features:odd.parquet", "features:.", "weights:", "weights:nothere", "odd.csv", "odd.toml", "empty.toml"),
    *("photos", "odd.safetensors", "odd.tar.gz", "odd.png", "module", "module:Class", "os:system", "own:Nothing"),
    *("odd.py:Class", "shots=", "shots=1", "shots=1,2", "shots=0", "shots=a", "C=1e400", "C=nan", "seeds=2", "=1"),
    *("shots=1\n2", "seed=-1", "conditions=", "conditions=none", "setting=", "kernel=rbf", "kernel=linear,chi2"),
    *("shots='1'", 'C="1"', "C=[1", "C={", "cpu", "cuda:99", "cuda:x", "none", "phog", "phog,lbp", "deep:"),
    *("deep:nothere", "smoke", "quick", "digits", "tasks", "json", "csv", "bash", "related", "mixed"),
    *("--help", "-h", "--debug", "--version"),
]
EXPERIMENTS = [*shipped(), "caltech-multisorce", "./nothere.toml"]
NAMES = [entry.name for entry in CATALOGUE]
SEEDS = range(1, 6 if "TLBENCH_MOMENTS" in os.environ else 2)
"""Chance is tried more often by `make trust`."""
SLOW_WAYS = ("--cluster",)  # what waits for another machine


@dataclass(frozen=True)
class Tried:
    status: int
    out: str
    err: str


def commands(group=command_line.cli, path=()):
    """The words of each command, and what it takes."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command.params


COMMANDS = list(commands())


def command_line_from(draw):
    """Some command with some of what it takes, in any order, now and then mistyped."""
    words, takes = draw.choice(COMMANDS)
    typed = []
    for one in takes:
        if isinstance(one, click.Option):
            if draw.random() < 0.3 and one.opts[0] not in SLOW_WAYS:
                typed.append([one.opts[0]] if one.is_flag else [one.opts[0], value_for(one, draw)])
        elif draw.random() < 0.9:
            typed.append([value_for(one, draw)])
    draw.shuffle(typed)
    line = [*words, *(word for part in typed for word in part)]
    if draw.random() < 0.15:
        line.insert(draw.randrange(len(line) + 1), draw.choice(NASTY))
    if words == ("run",):
        line.append("--dry-run")
    return line


def value_for(one, draw):
    if draw.random() < 0.4:
        likely = {
            "experiment": EXPERIMENTS,
            "dataset": ["digits", *NAMES],
            "name": NAMES,
            "profile": ["smoke", "quick"],
        }
        likely |= {"experiments": EXPERIMENTS, "what": EXPERIMENTS, "form": ["table", "csv", "json", "markdown"]}
        if one.name in likely:
            return draw.choice(likely[one.name])
    return draw.choice(NASTY)


def furnish(folder):
    """Files that are not what their names say."""
    for name in ("odd.csv", "odd.npz", "odd.parquet", "odd.toml", "odd.safetensors", "odd.tar.gz", "odd.png", "odd.py"):
        (folder / name).write_bytes(random.Random(name).randbytes(200))
    (folder / "empty.toml").write_text("")
    for label in ("heron", "ibis", "background"):
        (folder / "photos" / label).mkdir(parents=True)
        (folder / "photos" / label / "one.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")


@pytest.fixture
def closed(tmp_path, monkeypatch):
    """A furnished folder to be in, with nothing of the user's around it and no way to the network."""
    folder = tmp_path / "outside" / "place"
    folder.mkdir(parents=True)
    furnish(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("TLBENCH_DATA_DIR", str(folder / "data"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return folder


def type_here(line):
    """What ``tlbench`` does with these words, in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    argv, sys.argv = sys.argv, ["tlbench", *line]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            command_line.main()
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for stream in (out, err):
        stream.flush()
    return Tried(status, *(stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err)))


def broken_promises(line, tried, debug=False):
    """What is wrong with an answer."""
    found = []
    if tried.status not in (0, 1, 2, 3):
        found.append(f"status {tried.status}")
    if "Traceback" in tried.out + tried.err and not debug:
        found.append("a traceback")
    if "a fault in tlbench" in tried.err or "the system refused" in tried.err:
        found.append("an error that nobody foresaw")
    if tried.status and not (tried.out + tried.err).strip():
        found.append("nothing is said")
    if tried.status in (2, 3) and not tried.out and not tried.err.startswith("tlbench: "):
        found.append("not who speaks")
    if tried.status in (2, 3) and tried.err.count("\n") > MOST_LINES:
        found.append("a speech")
    if "\x1b" in tried.out + tried.err or "\x07" in tried.out + tried.err:
        found.append("a control character")
    return [f"{line!r:.300}: {what}: {tried.err[-400:]}" for what in found]


def around(folder):
    """All that lies beside the folder, and what a shell would have made in it."""
    beside = [path for path in folder.parents[1].rglob("*") if folder not in (path, *path.parents)]
    return beside, (folder / "pwned").exists()


def try_many(seed, count, closed, faults_tried):
    before, draw, wrong = around(closed), random.Random(seed), []
    for _ in range(count):
        line = command_line_from(draw)
        if "--debug" in line:
            continue
        found = broken_promises(line, type_here(line))
        faults_tried.came_to(survived=not found)
        wrong += found
    assert not wrong, "\n".join(wrong)
    assert around(closed) == before


def test_random_command_lines(closed, faults_tried):
    try_many(0, 40, closed, faults_tried)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_many_more_random_command_lines(closed, faults_tried, seed):
    try_many(seed, 400, closed, faults_tried)


@pytest.mark.slow
def test_random_command_lines_as_a_shell_gives_them(place, faults_tried):
    furnish(place.folder)
    before, draw, wrong = around(place.folder), random.Random(99), []
    for _ in range(40):
        line = command_line_from(draw)
        done = place.tlbench(*line)
        found = broken_promises(line, done, debug="--debug" in line)
        faults_tried.came_to(survived=not found)
        wrong += found
    assert not wrong, "\n".join(wrong)
    assert around(place.folder) == before


# What nobody foresaw


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (KeyError("wing"), 1, "a fault in tlbench, not in what you typed (KeyError: 'wing')"),
        (RecursionError("too deep\nby far"), 1, r"(RecursionError: too deep\nby far)"),
        (OSError(28, "No space left on device", "a/b.csv"), 3, "the system refused: No space left on device: a/b.csv"),
        (OSError(errno.ENAMETOOLONG, "too long", "x" * 5000), 2, f"no file can have so long a name: {'x' * 60}…"),
        (MemoryError(), 1, "(MemoryError: )"),
    ],
)
def test_an_error_that_nobody_foresaw_is_one_line(closed, monkeypatch, error, status, says):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("tlbench.protocol.shipped", fail)
    monkeypatch.setattr("tlbench.cli.reading.shipped", fail, raising=False)
    tried = type_here(["list"])
    assert tried.status == status
    assert says in tried.err
    assert tried.err.startswith("tlbench: ")
    assert tried.err.count("\n") == 1
    assert "--debug" in tried.err or status == 2
    with pytest.raises(type(error)):
        type_here(["--debug", "list"])
