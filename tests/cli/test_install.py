"""The command as it is installed: its help, how fast it starts, and the wheel."""

import re
import subprocess
import sys
import zipfile

import pytest

COMMANDS = [
    (),
    ("list",),
    ("run",),
    ("plot",),
    ("check",),
    ("compare",),
    ("report",),
    ("validate",),
    ("advise",),
    ("predict",),
    ("completion",),
    ("data",),
    ("data", "list"),
    ("data", "fetch"),
    ("data", "check"),
    ("data", "clean"),
]
WITH_EXAMPLES = [command for command in COMMANDS if command not in ((), ("data", "list"))]
HEAVY = {"numpy", "scipy", "sklearn", "pandas", "matplotlib", "rich", "torch", "pyarrow"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_a_page_for_a_person(place, command):
    done = place.succeed(*command, "--help")
    assert done.err == ""
    assert done.out.startswith(f"Usage: {' '.join(('tlbench', *command))}")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) >= 5
    assert ("Examples:" in done.out) == (command in WITH_EXAMPLES)
    for example in re.findall(r"^ +(tlbench .*)$", done.out.partition("Examples:")[2], re.M):
        assert example.startswith(f"tlbench {' '.join(command)}")


def test_help_of_a_narrow_terminal_is_narrow(place):
    done = place.succeed("--help", COLUMNS="60")
    assert max(map(len, done.out.splitlines())) <= 80


def test_help_names_every_command(place):
    done = place.succeed("--help")
    for command in ("list", "run", "plot", "check", "compare", "report", "data", "completion"):
        assert re.search(rf"^  {command} +\w", done.out, re.M)


def test_without_a_command_help_is_shown(place):
    done = place.tlbench()
    assert done.status == 2
    assert "Usage: tlbench" in done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", [(), ("run",), ("data", "fetch")], ids=" ".join)
def test_help_imports_nothing_heavy(place, command):
    code = (
        "import sys\n"
        "from tlbench.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print('\\nIMPORTED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = place.tlbench(*command, "--help", python=("-c", code))
    assert done.status == 0
    imported = set(done.out.rpartition("IMPORTED")[2].split())
    assert "click" in imported
    assert imported & HEAVY == set()


def test_help_has_a_short_name(place):
    assert place.succeed("run", "-h").out == place.succeed("run", "--help").out


def test_version(place):
    assert re.fullmatch(r"tlbench \d+\.\d+\.\d+\S*\n", place.succeed("--version").out)


def test_list_shows_what_there_is(place):
    done = place.succeed("list")
    for word in ("caltech-multisource", "smoke, quick, paper", "digits", "caltech256-features", "features:PATH"):
        assert word in done.out
    for condition in place.all_conditions:
        assert condition in done.out
    assert place.everything() == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, finished):
    """A wheel as a user would build it, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    built = subprocess.run(command, cwd=finished[0].repository, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_the_protocols_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "tlbench/experiments/caltech-multisource.toml" in names
    assert "tlbench/__main__.py" in names
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tlbench"}
    assert [name for name in names if name.endswith((".pyc", ".mat"))] == []
    assert any(name.endswith("LICENSE") for name in names)


@pytest.mark.slow
def test_the_wheel_runs_elsewhere_and_gives_the_same_bytes(place, wheel, birds, birds_reference):
    site = place.folder.parent / "site"
    zipfile.ZipFile(wheel).extractall(site)
    where = place.succeed(python=("-c", "import tlbench; print(tlbench.__file__)"), PYTHONPATH=site)
    assert where.out.strip().startswith(str(site))
    assert "caltech-multisource" in place.succeed("list", PYTHONPATH=site).out
    birds.succeed(*birds.birds, "--quiet", PYTHONPATH=site)
    assert birds.published() == birds_reference
    assert birds.tlbench("check", PYTHONPATH=site).status == 0
