"""Whole commands as a user waits for them, against a bare import of the library modules that they have loaded.

The modules are asked of the command itself: every module of an installed package that its process holds in the end, by
its full name. ``python -m benchmarks.end_to_end`` prints the rows and puts them into ``results.csv``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from .table import Row, interleaved, row, show_and_keep

REPEATS = 7
ASKING = """
import sys
from tlbench.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
held = [(name, getattr(module, "__file__", None) or "") for name, module in list(sys.modules.items())]
names = [name for name, file in held if "-packages" in file and not name.startswith(("tlbench", "_", "__"))]
sys.stderr.write(" ".join(["MODULES", *names]))
"""
IMPORTING = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
RUN = ("run", "caltech-multisource", "--dataset", "digits")
COMMANDS = {"run": RUN, "plot": ("plot", "caltech-multisource"), "check": ("check", "caltech-multisource")}


def rows() -> list[Row]:
    """One row a command; `run` begins with no results each time, the others read those of a finished run."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, arguments in COMMANDS.items():
            modules = library_modules(arguments, folder)
            ours, bare = interleaved(
                lambda arguments=arguments: _tlbench(arguments, folder),
                lambda modules=modules: _python(["-c", IMPORTING, *modules], folder),
                repeats=REPEATS,
            )
            found.append(
                row(
                    f"tlbench {name}, cold",
                    "bare import of its libraries",
                    ours,
                    bare,
                    f"tlbench {' '.join(arguments)}, fresh processes, {REPEATS} each: {median(ours):.2f} s against "
                    f"{median(bare):.2f} s for the {len(modules)} modules of other packages that it has loaded; "
                    f"{median(ours) / median(bare):.2f} times the other (at most 2 wanted)",
                )
            )
    return found


def library_modules(arguments: tuple[str, ...], folder: Path) -> list[str]:
    """What the command's process has loaded in the end, by name."""
    done = _python(["-c", ASKING, *arguments], folder)
    return done.stderr.rpartition("MODULES ")[2].split()


def _tlbench(arguments: tuple[str, ...], folder: Path) -> None:
    if arguments[0] == "run":
        shutil.rmtree(folder / "results", ignore_errors=True)
    _python(["-m", "tlbench", *arguments], folder)


def _python(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True, cwd=folder)


if __name__ == "__main__":
    show_and_keep(rows())
