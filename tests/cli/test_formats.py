"""Every table that is printed can be had as CSV, JSON and Markdown, with nothing else on standard output."""

import csv
import io
import json

import pytest

COMMANDS = [
    ("list",),
    ("data", "list"),
    ("data", "check"),
    ("check",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_table_is_what_it_says_it_is(birds_done, command):
    content = json.loads(birds_done.succeed(*command, "--format", "json").out)
    assert all(table["rows"] for table in content)
    text = birds_done.succeed(*command, "--format", "csv").out
    tables = [list(csv.DictReader(io.StringIO(part))) for part in text.rstrip("\n").split("\n\n")]
    assert [len(table) for table in tables] == [len(table["rows"]) for table in content]
    pages = birds_done.succeed(*command, "--format", "markdown").out
    assert pages.count("| --") >= len(content)


def test_what_a_run_prints_as_a_table_has_the_numbers_of_its_files(birds_done):
    done = birds_done.succeed(*birds_done.birds, "--format", "json")
    *grids, verdicts = json.loads(done.out)
    summary, claims = (
        list(csv.DictReader(io.StringIO((birds_done.run_folder / f"{name}.csv").read_text("utf-8"))))
        for name in ("summary", "claims")
    )
    (grid,) = grids
    for row in summary:
        (line,) = (line for line in grid["rows"] if line["condition"].removesuffix(" (oracle)") == row["condition"])
        assert line[row["shots"]] == pytest.approx(float(row["mean"]), rel=1e-4)
    effects = [pytest.approx(float(row["effect"]), rel=1e-4) for row in claims]
    assert [line["effect"] for line in verdicts["rows"]] == effects


def test_check_says_the_rest_on_standard_error(birds_done):
    done = birds_done.succeed("check", "--format", "csv")
    assert "All as expected." in done.err
    assert "All as expected." not in done.out


def test_an_unknown_format_names_the_known_ones(place):
    done = place.tlbench("list", "--format", "yaml")
    assert done.status == 2
    assert all(name in done.err for name in ("table", "csv", "json", "markdown"))
