"""A command in the process of the test: what it prints and its exit status, without the time that it takes to start."""

from __future__ import annotations

import pytest

from tests.place import Finished, Place
from tlbench.cli import cli


class Typed:
    """Runs commands in a place as if they had been typed there; errors of its rooms are the test's."""

    def __init__(self, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.chdir(place.folder)
        monkeypatch.setenv("COLUMNS", "160")
        self.capsys = capsys

    def __call__(self, *arguments: str) -> Finished:
        self.capsys.readouterr()
        try:
            status = cli(list(arguments), prog_name="tlbench", standalone_mode=False) or 0
        except SystemExit as left:
            status = int(left.code or 0)
        return Finished(status, *self.capsys.readouterr())
