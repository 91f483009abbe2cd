"""What the program never does, read in its own text; the modes of its files; the dependencies that its page lists."""

from __future__ import annotations

import ast
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.place import REPOSITORY

SOURCES = sorted((REPOSITORY / "tlbench").rglob("*.py"))
PAGE = REPOSITORY / "docs" / "security.md"

# Calls that would run what a file holds, start a shell, or make a file of a name that others can foresee.
NEVER = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open", "dill.loads"),
    *("cloudpickle.load", "cloudpickle.loads", "joblib.load", "pandas.read_pickle", "pandas.read_hdf"),
    *("eval", "exec", "compile", "builtins.eval", "builtins.exec", "runpy.run_path", "code.interact"),
    *("os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl", "os.spawnv", "pty.spawn", "commands.getoutput"),
    *("yaml.load", "yaml.unsafe_load", "tempfile.mktemp", "urllib.request.urlopen", "urllib.request.urlretrieve"),
    *("xml.etree.ElementTree.parse", "xml.dom.minidom.parse", "lxml.etree.parse", "ctypes.CDLL"),
    *(
        "torch.hub.load",
        "torch.jit.load",
        "numpy.lib.format.read_array",
        "os.chmod",
        "importlib.util.spec_from_file_location",
    ),
}
RUNS_THE_USERS_OWN = {"own_methods/finding.py"}  # a classifier that a user names is imported: that is what it is for
IMPORTS_BY_NAME = {*RUNS_THE_USERS_OWN, "__init__.py", "studies/__init__.py"}  # these by tables of their own modules
OPENS_ADDRESSES = {"datasets/downloads.py"}


def names_of_imports(tree: ast.AST) -> dict[str, str]:
    """What a module calls things → what they are."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                (alias.asname or alias.name.partition(".")[0]): (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                for alias in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The full name of everything that is called by one, with the call."""
    names = names_of_imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = ast.unparse(node.func).partition(".")
            yield f"{names.get(first, first)}{dot}{rest}", node


def keyword(call: ast.Call, name: str) -> object:
    return next((ast.literal_eval(one.value) for one in call.keywords if one.arg == name), None)


def dangers(tree: ast.AST, place: str) -> list[str]:
    """What in a module must not be there, with its line."""
    found = []
    for name, call in calls(tree):
        allowed = {
            "torch.load": keyword(call, "weights_only") is True if name == "torch.load" else True,
            "numpy.load": keyword(call, "allow_pickle") is False if name == "numpy.load" else True,
            "numpy.fromfile": True,
            "importlib.import_module": place in IMPORTS_BY_NAME,
            "urllib.request.build_opener": place in OPENS_ADDRESSES,
            "urllib.request.Request": place in OPENS_ADDRESSES,
        }.get(name, name not in NEVER)
        shell = any(one.arg == "shell" for one in call.keywords)
        if not allowed or shell or name.partition(".")[0] in ("subprocess", "pty", "xmlrpc", "telnetlib", "ftplib"):
            found.append(f"{place}:{call.lineno}: {name}")
    return found


def test_nothing_read_from_a_file_can_run():
    found = [
        danger
        for path in SOURCES
        for danger in dangers(ast.parse(path.read_text("utf-8")), path.relative_to(REPOSITORY / "tlbench").as_posix())
    ]
    assert found == []
    assert len(SOURCES) > 200


@pytest.mark.parametrize(
    "text",
    [
        *("import pickle\npickle.loads(b'')", "from pickle import loads as read\nread(b'')", "eval('1')", "exec('')"),
        *("import torch\ntorch.load('x')", "import torch\ntorch.load('x', weights_only=False)"),
        *("import numpy as np\nnp.load('x')", "import numpy as np\nnp.load('x', allow_pickle=True)"),
        *("import pandas as pd\npd.read_pickle('x')", "import joblib\njoblib.load('x')", "import os\nos.system('ls')"),
        *("from subprocess import run\nrun('ls')", "import subprocess as s\ns.run('ls', shell=True)"),
        *("import yaml\nyaml.load('')", "import tempfile\ntempfile.mktemp()", "compile('', '', 'exec')"),
        *(
            "from urllib.request import urlopen\nurlopen('file:///etc/passwd')",
            "import importlib\nimportlib.import_module('x')",
        ),
    ],
)
def test_what_must_not_be_there_would_be_found(text):
    assert len(dangers(ast.parse(text), "somewhere.py")) == 1


def test_methods_of_ones_own_are_the_one_exception_and_the_page_says_so():
    assert "- **Methods of your own.** " in PAGE.read_text("utf-8")
    for place in (*RUNS_THE_USERS_OWN, *IMPORTS_BY_NAME, *OPENS_ADDRESSES):
        assert (REPOSITORY / "tlbench" / place).is_file()


# Modes


@pytest.mark.fault("security")
@pytest.mark.parametrize(
    ("umask", "files", "folders"),
    [
        (0o000, {0o644, 0o664}, {0o775}),
        pytest.param(0o077, {0o644, 0o600}, {0o700}, marks=pytest.mark.slow),
    ],
)
def test_files_are_for_their_owner_to_write_whatever_the_umask(place, make_table, save_table, umask, files, folders):
    """A shell's umask is what a command starts with."""
    save_table(make_table(), place.folder / "birds.csv")
    start = f"import os, runpy; os.umask({umask}); runpy.run_module('tlbench', run_name='__main__')"
    few = ("--categories", "ibis,heron", "--set", "conditions=none", "--jobs", "1", "--quiet")
    done = place.tlbench(*place.birds, *few, python=("-c", start))
    assert done.status == 0, done.err
    made = [path for path in (place.folder / "results").rglob("*") if not path.is_symlink()]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in made}
    assert {mode for is_folder, mode in modes if not is_folder} <= files
    assert {mode for is_folder, mode in modes if is_folder} == folders
    for path in filter(Path.is_file, place.run_folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644, path


# The page


def test_the_page_lists_exactly_the_dependencies_that_there_are():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = {(name_of(one), "") for one in project["dependencies"]}
    parts = project["optional-dependencies"]
    (every,) = parts["all"]  # all that a user can have; the others are for those who work on the program
    for part in every.removeprefix("tlbench[").removesuffix("]").split(","):
        wanted |= {(name_of(one), part) for one in parts[part] if not one.startswith("tlbench")}
    table = PAGE.read_text("utf-8").partition("## Dependencies")[2]
    rows = re.findall(r"^\| ([\w-]+) \| (.+?) \| (.+?) \| (.*?) \|$", table, re.MULTILINE)
    assert {(name, part.strip("`– ")) for name, _, _, part in rows if name != "package"} == wanted
    assert all(reason.strip() and reads.strip() for _, reason, reads, _ in rows)


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~\[; ]", requirement)[0]


def test_the_page_states_the_limits_that_hold():
    from tlbench import carrying
    from tlbench.datasets import archive_entries
    from tlbench.features import decoding

    text = PAGE.read_text("utf-8")
    for limit in (
        f"{decoding.MOST_PIXELS / 1e6:g} million pixels",
        ", ".join(decoding.FORMATS),
        f"{archive_entries.MOST_FILES:,} files",
        f"{archive_entries.MOST_BYTES / 1e9:g} GB",
        f"{archive_entries.MOST_RATIO} times",
        f"{archive_entries.MOST_LEVELS} folders deep",
        f"{carrying.LARGEST['blocks'] >> 20} MiB",
        f"{carrying.LARGEST['weights'] >> 30} GiB",
    ):
        assert limit in text, limit
    assert len(text.splitlines()) < 80
    assert not Path(PAGE.parent / "SECURITY.md").exists()
