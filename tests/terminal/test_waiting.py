"""What a person who waits is told."""

from __future__ import annotations

import pytest

from tlbench.terminal import progress


@pytest.fixture
def told(capsys, monkeypatch):
    """``told(reports, unit)``: the lines that those reports gave, each of which was due."""
    monkeypatch.setattr("tlbench.terminal.waiting.SECONDS_BETWEEN_LINES", 0.0)

    def of(reports, unit="blocks"):
        with progress("computing", unit, quiet=False) as report:
            for one in reports:
                report(*one)
        return capsys.readouterr().err.splitlines()

    return of


def test_no_time_is_said_before_it_is_known(told):
    lines = told([(0, 10, 0.0), (1, 10, 60.0), (2, 10, 60.5), (3, 10, 63.0), (10, 10, 80.0)])
    assert lines == [
        "computing: 0 of 10 blocks",
        "computing: 1 of 10 blocks",  # a start-up, perhaps
        "computing: 2 of 10 blocks",  # of another process, at the same time
        "computing: 3 of 10 blocks, 10 s left",  # two blocks in three seconds
        "computing: 10 of 10 blocks",
    ]


def test_what_was_there_before_does_not_count(told):
    lines = told([(90.0, 100.0, 0.1), (92.0, 100.0, 4.1)], "MB")
    assert lines == ["computing: 90.0 of 100.0 MB", "computing: 92.0 of 100.0 MB, 16 s left"]


def test_a_task_that_starts_again_is_counted_anew(told):
    assert told([(8, 9, 1.0), (1, 9, 2.0), (2, 9, 5.0)])[-1] == "computing: 2 of 9 blocks, 21 s left"
