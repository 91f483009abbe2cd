"""Faults for the command under test. Python imports this file at the start of every process that finds it on its path.

FAULT: what computing the first block of FAULT_UNIT (* is each) and FAULT_GROUP does: raise, exit, kill or fill memory.
FAULT_ONCE: a file that the first fault leaves, after which there is none. SLOW: seconds that every block takes longer.
INTERRUPT_IMPORT: a module; when it is about to be imported Ctrl-C comes, and again at once, and the first is made into
another error, as locks do.
KILL_BEFORE: a pattern; when a file of such a name is about to be put in place, the whole process group is killed.
MOMENTS: a folder; see ``moments``. SMALL_ARCHIVE: a file that is taken for the official archive of Caltech-101.
CLOCK_BACK: seconds by which the clock is behind the times of files.
"""

import dataclasses
import hashlib
import importlib.abc
import importlib.machinery
import os
import re
import signal
import sys
import time
from pathlib import Path

STUDY = "tlbench.studies.sources.source_weighting"
COLLECTIONS = "tlbench.datasets.caltech_pictures"


class Saboteur(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == os.environ.get("INTERRUPT_IMPORT"):
            interrupt_twice()
        if name == STUDY:
            return changed(name, path, sabotage)
        if name == COLLECTIONS and "SMALL_ARCHIVE" in os.environ:
            return changed(name, path, expect_small_archive)
        return None


def changed(name, path, change):
    """How to load a module so that it is changed as soon as it is there."""
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    load = spec.loader.exec_module

    def load_and_change(module):
        load(module)
        change(module)

    spec.loader.exec_module = load_and_change
    return spec


def sabotage(module):
    module.STUDY = dataclasses.replace(module.STUDY, compute=sabotaged(module.STUDY.compute))


def expect_small_archive(module):
    content = Path(os.environ["SMALL_ARCHIVE"]).read_bytes()
    official = module.COLLECTIONS["caltech101"]
    small = dataclasses.replace(
        official.archive, urls=(), size=len(content), md5=hashlib.md5(content, usedforsecurity=False).hexdigest()
    )
    module.COLLECTIONS["caltech101"] = dataclasses.replace(official, archive=small, labels=5, pictures=150)


def interrupt_twice():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        raise RuntimeError("release unlocked lock") from None


def sabotaged(compute):
    def faulty(shared, block, keeping):
        time.sleep(float(os.environ.get("SLOW", "0")))
        chosen = os.environ.get("FAULT_UNIT") in (block.unit, "*") and os.environ["FAULT_GROUP"] == block.group
        if chosen and block.splits[0] == 0 and is_due():
            match os.environ["FAULT"]:
                case "raise":
                    raise ArithmeticError("sabotaged on purpose")
                case "exit":
                    os._exit(7)
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "fill":
                    filled = []
                    while True:
                        filled.append(b"x" * 20_000_000)
                        time.sleep(0.01)
        return compute(shared, block, keeping)

    return faulty


def is_due():
    if not (marker := os.environ.get("FAULT_ONCE")):
        return True
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def kill_before(event, arguments):
    if event == "os.rename" and re.fullmatch(os.environ["KILL_BEFORE"], os.path.basename(os.fspath(arguments[1]))):  # noqa: PTH119
        os.killpg(os.getpgid(0), signal.SIGKILL)


def set_back(clock, unit):
    return lambda: clock() - int(os.environ["CLOCK_BACK"]) * unit


sys.meta_path.insert(0, Saboteur())
if "KILL_BEFORE" in os.environ:
    sys.addaudithook(kill_before)
if "MOMENTS" in os.environ:
    import moments  # noqa: F401 (watches from now on)
if "CLOCK_BACK" in os.environ:
    time.time = set_back(time.time, 1)
    time.time_ns = set_back(time.time_ns, 10**9)
