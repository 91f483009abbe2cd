"""Faults for the command under test. Python imports this file at the start of every process that finds it on its path.

FAULT: what computing the first block of FAULT_UNIT (* is each) and FAULT_GROUP does: raise, exit, kill or fill memory.
FAULT_ONCE: a file that the first fault leaves, after which there is none. SLOW: seconds that every block takes longer.
INTERRUPT_IMPORT: a module; when it is about to be imported Ctrl-C comes, and again at once, and the first is made into
another error, as locks do.
KILL_BEFORE: a pattern; when a file of such a name is about to be put in place, the whole process group is killed.
"""

import dataclasses
import importlib.abc
import importlib.machinery
import os
import re
import signal
import sys
import time
from pathlib import Path

STUDY = "tlbench.studies.sources.source_weighting"


class Saboteur(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == os.environ.get("INTERRUPT_IMPORT"):
            interrupt_twice()
        if name != STUDY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_sabotage(module):
            load(module)
            module.STUDY = dataclasses.replace(module.STUDY, compute=sabotaged(module.STUDY.compute))

        spec.loader.exec_module = load_and_sabotage
        return spec


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


sys.meta_path.insert(0, Saboteur())
if "KILL_BEFORE" in os.environ:
    sys.addaudithook(kill_before)
