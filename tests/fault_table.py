"""The table of faults: what tests did to the program, and what came of it.

A test marked ``fault(KIND)`` is one fault, survived if the test passes. One that brings about many takes the fixture
``faults_tried`` and says what came of each. The table is printed after the tests, and ``--fault-table FILE`` puts it
between the two marks that FILE has for it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
KINDS = ("interruption", "disk", "damage", "network", "archive", "input", "command line", "leakage", "security")
COLUMNS = ("tried", "survived", "lost", "wrong")
PROPERTY = "faults"


@dataclass
class FaultsTried:
    """What one test says of the faults of its kind."""

    counts: Counter[str] = field(default_factory=Counter)

    def came_to(self, *, survived: bool, lost: int = 0, wrong: int = 0) -> None:
        """One fault more: whether the program did as promised, finished pieces lost, files that say something wrong."""
        self.counts.update(tried=1, survived=int(survived), lost=lost, wrong=wrong)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", type=Path, help=f"a file with {BEGIN} and {END}, to write the table between")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(kind): brings about faults of that kind; they are counted in a table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("fault"):
            if mark.args[:1] not in [(kind,) for kind in KINDS]:
                raise pytest.UsageError(f"{item.nodeid}: no kind of fault is called {mark.args!r}")


@pytest.fixture
def faults_tried(request: pytest.FixtureRequest) -> FaultsTried:
    tried = FaultsTried()
    request.node.stash[_tried] = tried
    return tried


_tried = pytest.StashKey[FaultsTried]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and report.when == ("call" if call.excinfo is None or call.when == "call" else call.when):
        own = item.stash.get(_tried, None)
        counts = own.counts if own is not None and own.counts else Counter(tried=1, survived=1)
        if report.failed and counts["survived"] == counts["tried"]:
            counts["survived"] -= 1
        if not report.skipped:
            report.user_properties.append((PROPERTY, [mark.args[0], dict(counts)]))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and report.when in ("call", "setup"):
                    table.setdefault(value[0], Counter()).update(value[1])
    if not table:
        return
    lines = _as_markdown(table)
    terminalreporter.section("faults")
    for line in lines:
        terminalreporter.write_line(line)
    if path := config.getoption("--fault-table"):
        before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text("\n".join([before + BEGIN, *lines, END + after]), encoding="utf-8")


def _as_markdown(table: dict[str, Counter[str]]) -> list[str]:
    rows = [(kind, table[kind]) for kind in KINDS if kind in table]
    rows.append(("all", sum((counts for _, counts in rows), Counter())))
    lines = ["| fault | tried | survived | data lost | wrong output |", "|---|--:|--:|--:|--:|"]
    lines += [f"| {kind} | " + " | ".join(f"{counts[key]:,}" for key in COLUMNS) + " |" for kind, counts in rows]
    return lines
