"""From Python: the same numbers as on the command line, tables as DataFrames, names that are imported when used."""

import subprocess
import sys

import pytest

import tlbench
from tlbench import claims
from tlbench.datasets import DataError, DataMissingError
from tlbench.protocol import ProtocolError

ARGUMENTS = {
    "dataset": "digits",
    "profile": "smoke",
    "settings": {"shots": [1, 2], "conditions": ["none", "multi-equal"]},
}


def test_a_run_gives_the_bytes_of_the_command_and_goes_on_from_it(tmp_path):
    done = tlbench.run("caltech-multisource", **ARGUMENTS, results=tmp_path / "python", jobs=1)
    command = (
        sys.executable,
        "-m",
        "tlbench",
        "run",
        "caltech-multisource",
        "--dataset",
        "digits",
        "--profile",
        "smoke",
    )
    sets = ("--set", "shots=1,2", "--set", "conditions=none,multi-equal")
    subprocess.run([*command, *sets, "--quiet", "--results", tmp_path / "typed"], check=True)
    first, second = (
        sorted(path for path in (tmp_path / name).glob("*/*/*.*") if path.is_file()) for name in ("python", "typed")
    )
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "python").rglob("*.json")}
    again = tlbench.run("caltech-multisource", **ARGUMENTS, results=tmp_path / "python", jobs=1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "python").rglob("*.json")} == before
    assert again.tables["measurements"].equals(done.tables["measurements"])
    assert list(done.verdicts().columns) == list(claims.COLUMNS)
    assert set(done.summary()["condition"]) == {"none", "multi-equal"}


@pytest.mark.slow
def test_a_script_needs_no_guard_against_itself(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import tlbench\n"
        "print('begun')\n"
        f"run = tlbench.run('caltech-multisource', **{ARGUMENTS!r}, results='results', jobs=2)\n"
        "print(len(run.verdicts()), 'verdicts')\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, script], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["begun", "7 verdicts"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"experiment": "caltech-multisorce"}, ProtocolError, "did you mean 'caltech-multisource'"),
        ({"dataset": "digit"}, DataError, "did you mean 'digits'"),
        ({"dataset": "cifar10"}, DataError, "is for networks and not for kernel machines"),
        ({"dataset": None}, DataMissingError, "is missing"),
        ({"settings": {"shts": 3}}, ProtocolError, "did you mean 'shots'"),
        ({"settings": {"C": -1.0}}, ProtocolError, "C"),
        ({"device": "cuda"}, ProtocolError, "leave --device out"),
    ],
)
def test_what_cannot_be_run_is_said(tmp_path, changed, error, says):
    given = {"experiment": "caltech-multisource", **ARGUMENTS, "results": tmp_path, "data_dir": tmp_path, **changed}
    with pytest.raises(error, match=says):
        tlbench.run(given.pop("experiment"), **given)
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_is_there_and_none_other():
    assert tlbench.__all__ == dir(tlbench)
    for name in tlbench.__all__:
        assert getattr(tlbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'runs'; public are BalancedLSSVC"):
        _ = tlbench.runs


def test_importing_it_imports_nothing_else():
    heavy = "{'numpy', 'scipy', 'sklearn', 'torch', 'pandas', 'matplotlib'}"
    code = f"import sys, tlbench; print(*{heavy} & {{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
