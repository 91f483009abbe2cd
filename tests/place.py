"""The real command, in an empty folder of its own, with nothing of the user's around it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[1]
LONGEST = 120  # seconds; a command that takes longer hangs
ONE = ("--jobs", "1")  # the tests, not the processes of each, share the cores; a later --jobs counts
DIGITS = ("run", "caltech-multisource", "--dataset", "digits", "--profile", "smoke", *ONE)
BIRDS = ("run", "caltech-multisource", "--dataset", "features:birds.csv", "--profile", "smoke", "--seeds", "11", *ONE)
ALL_CONDITIONS = [
    *("none", "single-mean", "single-selected", "single-oracle"),
    *("multi-average", "multi-equal", "multi-weighted", "multi-weighted-l1", "multi-taught"),
]


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    status: int
    out: str
    err: str


class Place:
    """A folder in which the command is run."""

    digits = DIGITS  # 54 blocks, a few seconds
    birds = BIRDS  # 4 categories × 6 groups × 2 batches of splits = 48 blocks, sooner done
    repository = REPOSITORY
    all_conditions = ALL_CONDITIONS

    def __init__(self, folder, warm):
        self.folder, self.warm = folder, warm
        folder.mkdir(parents=True, exist_ok=True)

    def environment(self, **changes):
        """Nothing of the user's but the path; no way to the network; a None removes a variable.

        This checkout is imported, not another that may be installed, unless ``PYTHONPATH`` names one before it.
        """
        closed = "http://127.0.0.1:9"
        first = changes.pop("PYTHONPATH", None)
        variables = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TLBENCH_DATA_DIR": str(self.folder / "data"),
            "MPLCONFIGDIR": str(self.warm.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join(str(path) for path in (first, REPOSITORY) if path),
            "http_proxy": closed,
            "https_proxy": closed,
            **changes,
        }
        return {name: str(value) for name, value in variables.items() if value is not None}

    def start(self, *arguments, python=("-m", "tlbench"), cwd=None, **variables):
        """The command as a process group of its own."""
        return subprocess.Popen(
            [sys.executable, *python, *map(str, arguments)],
            cwd=cwd or self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process):
        """Its outcome; a command that hangs is ended and fails the test."""
        try:
            out, err = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self.kill(process)
            pytest.fail(f"{process.args} hangs")
        return Finished(process.returncode, out, err)

    def tlbench(self, *arguments, cwd=None, **more):
        """The command, ended: forked from a prepared process, unless a variable or another interpreter is named."""
        if more:
            return self.finish(self.start(*arguments, cwd=cwd, **more))
        words = list(map(str, arguments))
        status, out, err, hangs = self.warm.run(words, cwd or self.folder, self.environment(), LONGEST)
        if hangs:
            pytest.fail(f"{words} hangs")
        return Finished(status, out, err)

    def succeed(self, *arguments, **more):
        """The same for a command that has to end well."""
        done = self.tlbench(*arguments, **more)
        assert done.status == 0, done.err
        return done

    def kill(self, process, number=signal.SIGKILL):
        """A signal to the whole process group, as a terminal or `kill -9 -- -PGID` sends it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if number == signal.SIGKILL:
            process.communicate()

    @property
    def run_folder(self):
        """The folder of the one run there is here."""
        (folder,) = self.run_folders
        return folder

    @property
    def run_folders(self):
        return sorted(path.parent for path in self.folder.glob("results*/*/*/.tlbench"))

    @property
    def blocks(self):
        return sorted(self.folder.glob("results*/*/*/.tlbench/blocks/*/*.json"))

    def published(self, folder=None):
        """What is compared: every file of a run that people read, byte by byte."""
        return {path.name: path.read_bytes() for path in (folder or self.run_folder).iterdir() if path.is_file()}

    def touched(self, paths=None):
        """Each file's time of change and place on disk: they tell whether it was written."""
        paths = paths if paths is not None else self.everything()
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths if path.is_file()}

    def everything(self):
        return sorted(self.folder.rglob("*"))

    def failures(self):
        return sorted(self.folder.glob("results*/*/*/.tlbench/failures/*/*.txt"))

    def assert_nothing_left_over(self):
        """No temporary file and no process."""
        self.assert_no_processes()
        assert [path for path in self.everything() if path.suffix == ".tmp" or path.name.startswith("tmp")] == []

    def assert_no_processes(self):
        """Soon there is no process that was started here."""
        deadline = time.monotonic() + 10
        while (alive := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive, f"still running: {alive}"

    def wait_until_reaped(self, process):
        """Until not even the system remembers the processes that were killed."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)

    def _processes(self):
        mark, alive = f"HOME={self.folder}".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    alive.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return alive

    def wait_for_blocks(self, process, count):
        """Until that many blocks are finished; fails if the command ends before."""
        while len(self.blocks) < count:
            if process.poll() is not None:
                pytest.fail(f"ended before {count} blocks were finished: {process.communicate()}")
            time.sleep(0.01)

    def protocol(self, replace=(), name="mine"):
        """A copy of the shipped protocol under another name; some texts, which have to be there, are replaced."""
        text = (REPOSITORY / "experiments" / "caltech-multisource.toml").read_text(encoding="utf-8")
        for old, new in dict(replace).items():
            assert old in text, f"the shipped protocol no longer contains {old!r}"
            text = text.replace(old, new)
        path = self.folder / "mine.toml"
        path.write_text(text.replace('= "caltech-multisource"', f'= "{name}"', 1), encoding="utf-8")
        return path

    def measurements(self, folder=None):
        return pd.read_csv((folder or self.run_folder) / "measurements.csv")


def table(labels=("heron", "egret", "ibis", "stork"), examples=40, background=60, name="background", dimensions=24):
    """Categories that have a direction in common, so that transfer helps; columns of two kinds."""
    rng = np.random.default_rng(5)
    common = rng.normal(size=dimensions)
    rows = []
    for label in (*labels, name):
        centre = 0.6 * common + 0.1 * rng.normal(size=dimensions) if label != name else np.zeros(dimensions)
        for number in range(background if label == name else examples):
            values = centre + rng.normal(size=dimensions)
            rows.append(
                {
                    "identity": f"{label}-{number}",
                    "label": label,
                    **{f"{'shape' if i % 2 else 'texture'}:{i}": value for i, value in enumerate(values)},
                }
            )
    return pd.DataFrame(rows)


def save(frame, path):
    """The table as the kind of file that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        kinds = ("shape", "texture")
        arrays = {kind: frame.filter(regex=f"^{kind}:").to_numpy() for kind in kinds}
        np.savez(path, identity=frame["identity"].to_numpy(str), label=frame["label"].to_numpy(str), **arrays)
    return path
