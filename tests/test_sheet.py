"""Tables as programs and pages read them."""

import csv
import io
import json

from tlbench.sheet import Cell, Sheet, words, written

NAN = float("nan")


def sheet(profile="paper", last=NAN):
    rows = (
        (Cell("none"), Cell("61.9", 61.94), Cell("–", last)),
        (Cell('one, "two" | three'), Cell("74.0", 74.0, "strong"), Cell("1e-05", 1e-5)),
    )
    return Sheet("Means", ("condition", "1", "p"), rows, (False, True, True), {"profile": profile})


def test_csv_has_the_numbers_themselves_and_what_all_rows_share():
    rows = list(csv.DictReader(io.StringIO(written([sheet(), sheet("quick", 0.5)], "csv"))))
    assert [row["profile"] for row in rows] == ["paper"] * 2 + ["quick"] * 2
    assert rows[0] == {"profile": "paper", "condition": "none", "1": "61.94", "p": ""}
    assert rows[1]["condition"] == 'one, "two" | three'
    assert float(rows[1]["p"]) == 1e-5


def test_tables_of_other_columns_are_parted_by_a_line():
    first, second = written([sheet(), words("Others", ("name",), [("a",), ("b\nc",)])], "csv").split("\n\n")
    assert first.startswith("profile,condition")
    assert list(csv.reader(io.StringIO(second))) == [["name"], ["a"], ["b\nc"]]


def test_json_is_a_list_of_tables():
    first, second = json.loads(written([sheet(), sheet("quick"), words("Others", ("name",), [("é",)])], "json"))
    assert first["caption"] == "Means"
    assert len(first["rows"]) == 4
    assert first["rows"][0] == {"profile": "paper", "condition": "none", "1": 61.94, "p": None}
    assert second == {"caption": "Others", "rows": [{"name": "é"}]}


def test_markdown_is_rounded_aligned_and_escaped():
    text = written([sheet()], "markdown").splitlines()
    assert text[0] == "Means, paper"
    assert text[2:] == [
        "| condition | 1 | p |",
        "| --- | --: | --: |",
        "| none | 61.9 | – |",
        '| one, "two" \\| three | **74.0** | 1e-05 |',
    ]


def test_nothing_is_nothing():
    assert json.loads(written([], "json")) == []
    assert written([], "csv") == written([], "markdown") == ""
