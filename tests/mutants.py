"""How many faults in the core would the tests find? Small changes at random, each against the tests that reach it.

    make mutants

The places that can be changed (an operator, a comparison, a number, a truth value, a decorator, a loop …) are found and
changed by Cosmic Ray in `methods/`, `claims/` and `records.py`. Of all places 400 are drawn, and of the changes
possible at each one is drawn: to draw from the changes themselves would favour arithmetic, where eleven operators may
stand for one. Left out are annotations, which nothing evaluates, what `raise` and `warn` say, and `claims/wording.py`,
which only words verdicts. Each change is made in a copy of the project; the tests that ran the changed line when the
unchanged program was tested are run, the shortest first. A change that fails one of them is killed, and so is one that
makes them run five times as long.
"""

from __future__ import annotations

import argparse
import ast
import csv
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec
from coverage import CoverageData
from scipy.stats import binomtest

ROOT = Path(__file__).parents[1]
CORE = ("tlbench/methods", "tlbench/claims", "tlbench/records.py")
WORDS = "wording.py"
SUITE = (
    *("tests/methods", "tests/claims", "tests/studies", "tests/advice", "tests/own_methods"),
    *(f"tests/test_{name}.py" for name in ("records", "keeping", "computing", "gathering", "results", "published")),
    *(f"tests/test_{name}.py" for name in ("tables", "doctests", "opening", "sheet", "plan")),
)
COPIED = ("tlbench", "tests", "experiments", "docs", "results", "benchmarks", "pyproject.toml", "README.md")
COLUMNS = ("file", "line", "column", "change", "before", "after", "tests", "outcome")
IMPORTED = ("matplotlib.figure", "pandas", "scipy.optimize", "scipy.stats", "sklearn.svm", "torch", "torchvision")
LONGEST = (60.0, 5.0)  # seconds, and times what the tests took of the unchanged program


@dataclass(frozen=True)
class Mutant:
    """One change: where, by which operator of Cosmic Ray, and the line before and after."""

    spec: MutationSpec
    changed: str
    before: str
    after: str

    @property
    def path(self) -> str:
        return str(self.spec.module_path)

    @property
    def place(self) -> tuple[str, int, int]:
        return (self.path, *self.spec.start_pos)


# What is changed


def drawn(count: int, rng: np.random.Generator) -> list[Mutant]:
    """Mutants at ``count`` places of the core, drawn without replacement, in random order: so is any part of them."""
    files = [file for name in CORE for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))]
    places: dict[tuple[str, tuple[int, int]], list[MutationSpec]] = {}
    for file in sorted(file for file in files if file.name != WORDS):
        left_out = list(_left_out(file))
        for item in _all_work_items([file.relative_to(ROOT)], {}):
            (spec,) = item.mutations
            if not any(start <= spec.start_pos < end for start, end in left_out):
                places.setdefault((str(spec.module_path), spec.start_pos), []).append(spec)
    chosen = rng.choice(len(places), size=min(count, len(places)), replace=False)
    specs = [list(places.values())[i] for i in chosen]
    return [_made(candidates[rng.integers(len(candidates))]) for candidates in specs]


def _left_out(file: Path) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where nothing is computed: annotations, and what an error or a warning says."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        silent: list[ast.AST | None] = []
        match node:
            case ast.FunctionDef():
                silent = [node.returns]
            case ast.arg() | ast.AnnAssign():
                silent = [node.annotation]
            case ast.Raise():
                silent = [node.exc]
            case ast.Call(func=ast.Attribute(attr="warn")):
                silent = list(node.args)
        for one in silent:
            if one is not None:
                yield (one.lineno, one.col_offset), (one.end_lineno, one.end_col_offset)


def _made(spec: MutationSpec) -> Mutant:
    source = (ROOT / spec.module_path).read_text(encoding="utf-8")
    changed = mutate_code(source, get_operator(spec.operator_name)(**spec.operator_args), spec.occurrence)
    old, new = source.splitlines(), changed.splitlines()
    first = next(i for i, line in enumerate(old) if i >= len(new) or line != new[i])
    return Mutant(spec, changed, old[first].strip(), new[first].strip() if first < len(new) else "")


# Which tests reach it


class Reaching:
    """Which tests of the suite ran which line, and how long each takes."""

    def __init__(self, folder: Path) -> None:
        self._data = CoverageData(str(folder / "coverage"))
        self._data.read()
        self._seconds = {
            f"{one.get('classname')}::{one.get('name')}": float(one.get("time") or 0)
            for one in ElementTree.parse(folder / "tests.xml").iter("testcase")
        }

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that ran the changed statement, or any of its file where only importing ran it; shortest first."""
        (file,) = [file for file in self._data.measured_files() if file.endswith(mutant.path)]
        by_line = self._data.contexts_by_lineno(file)
        found = {test for line in _lines(mutant) for test in by_line.get(line, ())} - {""}
        found = found or {test for tests in by_line.values() for test in tests} - {""}
        names = {test.removesuffix("|run").removesuffix("|setup").removesuffix("|teardown") for test in found}
        return sorted(names, key=lambda name: (self.seconds(name), name))

    def seconds(self, test: str) -> float:
        file, _, name = test.partition("::")
        return self._seconds.get(f"{file.removesuffix('.py').replace('/', '.')}::{name}", 0.0)


def _lines(mutant: Mutant) -> range:
    """The lines of the innermost statement; of one with a body those before it."""
    line, statement = mutant.spec.start_pos[0], None
    for node in ast.walk(ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.stmt) and _first(node) <= line <= (node.end_lineno or 0):
            statement = node  # a walk comes to what is inside later
    if statement is None:
        return range(line, line + 1)
    if isinstance(statement, ast.FunctionDef):  # a decorator or a default, which importing runs: who calls it?
        return range(statement.body[0].lineno, (statement.end_lineno or 0) + 1)
    body = getattr(statement, "body", None)
    return range(statement.lineno, body[0].lineno if body else (statement.end_lineno or line) + 1)


def _first(node: ast.stmt) -> int:
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])


def measure(folder: Path, processes: int) -> None:
    """Run the suite on the unchanged program and keep which test ran which line."""
    told = folder / "measured.ini"
    files = "".join(f"\n    */{name}" for name in (*(f"{one}/*" for one in CORE[:2]), CORE[2]))
    told.write_text(f"[run]\ndata_file = {folder / 'coverage'}\ninclude ={files}\n", encoding="utf-8")
    measured = ("--cov", "--cov-context=test", "--cov-report=", f"--cov-config={told}")
    options = ("-q", "-m", "not slow", "-n", str(processes), f"--junitxml={folder / 'tests.xml'}", *measured)
    subprocess.run([sys.executable, "-m", "pytest", *options, *SUITE], cwd=ROOT, check=True)


def collected(tests: list[str], folder: Path) -> None:
    """End here if a test is not found by its name: it would seem to fail with every change."""
    listed = folder / "tests.txt"
    listed.write_text("\n".join(tests), encoding="utf-8")
    command = ("-m", "pytest", "-q", "--collect-only", "-p", "no:xdist", f"@{listed}")
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


# What comes of it


class Copy:
    """A process with a copy of the project, and with the libraries that tests need imported already."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        for name in COPIED:
            (shutil.copytree if (root / name).is_dir() else shutil.copy2)(root / name, self.folder / name)
        os.chdir(self.folder)
        sys.path.insert(0, str(self.folder))
        sys.dont_write_bytecode = True
        for name in IMPORTED:
            importlib.import_module(name)

    def outcome(self, mutant: Mutant, tests: list[str], seconds: float) -> str:
        """``killed``, ``too long``, ``survived`` or ``not reached``; the copy is as it was afterwards."""
        if not tests:
            return "not reached"
        file, original = self.folder / mutant.path, (self.folder / mutant.path).read_text(encoding="utf-8")
        try:
            file.write_text(mutant.changed, encoding="utf-8")
            return self._tested(tests, LONGEST[0] + LONGEST[1] * seconds)
        finally:
            file.write_text(original, encoding="utf-8")

    def _tested(self, tests: list[str], seconds: float) -> str:
        child = os.fork()
        if not child:
            os.setsid()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            status = pytest.ExitCode.INTERNAL_ERROR
            try:
                status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])
            finally:
                os._exit(status)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return "survived" if status == 0 else "killed"
            time.sleep(0.05)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "too long"


_here: list[Copy] = []  # of this process


def _begin(root: Path, folder: Path) -> None:
    _here.append(Copy(root, folder))


def _judge(mutant: Mutant, tests: list[str], seconds: float) -> dict[str, object]:
    came_of_it = _here[0].outcome(mutant, tests, seconds)
    change = mutant.spec.operator_name.removeprefix("core/")
    return dict(zip(COLUMNS, (*mutant.place, change, mutant.before, mutant.after, len(tests), came_of_it), strict=True))


def judged(mutants: list[Mutant], reaching: Reaching, folder: Path, processes: int) -> Iterator[dict[str, object]]:
    """A row for each mutant, in their order."""
    tests = [reaching.tests(mutant) for mutant in mutants]
    seconds = [sum(map(reaching.seconds, some)) for some in tests]
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (ROOT, folder)) as pool:
        yield from pool.map(_judge, mutants, tests, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description="A mutation check of the core.")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--map", type=Path, help="a folder with which test runs which line, measured if it is not there"
    )
    parser.add_argument("--table", type=Path, default=ROOT / "tests" / "mutants.csv")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measured = (wanted.map or Path(temporary) / "map").resolve()
        measured.mkdir(parents=True, exist_ok=True)
        if not (measured / "tests.xml").exists():
            measure(measured, wanted.processes)
        mutants, reaching = drawn(wanted.count, np.random.default_rng(wanted.seed)), Reaching(measured)
        collected(sorted({test for mutant in mutants for test in reaching.tests(mutant)}), measured)
        rows = []
        with wanted.table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for row in judged(mutants, reaching, Path(temporary), wanted.processes):
                rows.append(row)
                writer.writerow(row)
                file.flush()
                print(len(rows), *(row[name] for name in ("outcome", "file", "line", "before")), flush=True)
    killed = sum(row["outcome"] in ("killed", "too long") for row in rows)
    low, high = binomtest(killed, len(rows)).proportion_ci(method="wilson")
    print(f"{killed} of {len(rows)} killed: {killed / len(rows):.1%}, 95 % interval {low:.1%} to {high:.1%}")


if __name__ == "__main__":
    main()
