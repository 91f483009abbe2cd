"""What is printed of a run: its means, and its claims beside those of published numbers, in terminals of any width."""

from __future__ import annotations

import dataclasses
import itertools
import re

import msgspec
import numpy as np
import pandas as pd
import pytest

from tlbench import protocol, shown
from tlbench.records import Records
from tlbench.results import Results
from tlbench.terminal import lines, summary_table, verdict_table

LAYERS = list(range(1, 8))


def table(conditions, kinds=("random", "natural-manmade"), draws=2):
    """Four target halves a class split; losses that grow with depth, and no two halves alike."""
    rows = []
    for kind, draw, half in itertools.product(kinds, range(draws), "AB"):
        for place, condition in enumerate(conditions):
            for n in LAYERS if condition != "base" else [0]:
                lost = {"BnB": 0.2, "AnB": 0.6, "random-gaussian": 4.0, "random-scaled": 3.0}.get(condition, -0.1)
                wobble = 0.2 * ((7 * n + 3 * place + 2 * (half == "B") + draw) % 5)
                value = 40.0 + draw - lost * n * (2 if kind == "natural-manmade" else 1) + wobble
                for metric, number in (("accuracy", value), ("train_loss", 0.5)):
                    rows.append((f"{kind}-{draw}-{half}", draw, condition, kind, n, metric, number))
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "class_split", "layers", "metric", "value"])


@pytest.fixture
def run(tmp_path):
    """``run(protocol's changes, …)``: results as if computed."""

    def made(kinds=("random", "natural-manmade"), missing=0, draws=2, **changes):
        shipped = protocol.read("yosinski-layers")
        declared = msgspec.structs.replace(shipped, **changes)
        declared.__dict__["folder_read_from"] = shipped.folder
        manifest = {
            "experiment": "yosinski-layers",
            "run": "0123abc",
            "profile": "quick",
            "data": {"name": "tiny-imagenet"},
            "changed": {},
            "settings": {
                "conditions": declared.conditions,
                "factors": {"class_split": sorted(kinds), "layers": LAYERS},
            },
        }
        measured = table(declared.conditions, kinds, draws)
        return Results(Records(tmp_path), declared, manifest, {"measurements": measured}, missing)

    return made


@pytest.fixture
def printed(monkeypatch, capsys):
    """``printed(results, width)``: the lines of its table of verdicts."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def of(results, width=160):
        monkeypatch.setattr(lines, "PLAIN_WIDTH", width)
        verdict_table(results, results.findings())
        return capsys.readouterr().out.splitlines()

    return of


def signed(value):
    return f"{value:+.1f}" if round(value, 1) else "0.0"


def words(text):
    return " ".join(" ".join(text).split())


# Means


def test_means_are_a_table_for_each_level_of_the_factors_before_the_last(run, capsys):
    summary_table(run(), ["A remark."])
    out = capsys.readouterr().out
    first, second = out.split("accuracy in %, class_split ")[1:]
    assert first.startswith("random, mean over 4 target halves, by layers\n")
    assert second.startswith("natural-manmade, mean over 4 target halves, by layers\n")
    for part in (first, second):
        assert re.search(r"^condition +0 +1 +2 +3 +4 +5 +6 +7 *$", part, re.M)
        assert re.search(r"^base +\d+\.\d( +–){7} *$", part, re.M)
        assert re.search(r"^AnB\+ +–( +\d+\.\d){7} *$", part, re.M)
    assert "Also measured: train_loss (summary.csv)." in out
    assert "A remark." in out


def test_one_factor_is_one_table(run, capsys):
    plain = {"claims": [], "figures": [], "datasets": {}, "reference": None}
    profiles = {name: kept for name, kept in protocol.read("yosinski-layers").profiles.items() if not kept.factors}
    only = run(kinds=("random",), factors={"layers": LAYERS}, profiles=profiles, **plain)
    only.manifest["settings"]["factors"] = {"layers": LAYERS}
    summary_table(only, [])
    assert "\naccuracy in %, mean over 4 target halves, by layers\n" in capsys.readouterr().out


@pytest.mark.parametrize(("unit", "named"), [("", "accuracy, mean"), ("mm", "accuracy in mm, mean")])
def test_what_is_no_percentage_has_two_digits_and_its_own_unit(run, printed, capsys, unit, named):
    results = run(kinds=("random",), metric_unit=unit, reference=None, figures=[])
    summary_table(results, [])
    out = capsys.readouterr().out
    assert named.replace(", mean", ", class_split random, mean") in out
    assert re.search(r"^base +\d+\.\d\d( +–){7} *$", out, re.M)
    verdicts = words(printed(results))
    assert f"target halves, in {unit or 'the unit of what each is about'}:" in verdicts
    assert not re.search(r" [+-]\d+\.\d ", verdicts)


def test_the_best_of_a_kind_is_bold_whichever_way_it_lies(run):
    for lower in (False, True):
        results = run(kinds=("random",), lower_is_better=lower)
        (grid,), (sheet,) = results.grids(), shown.grid_sheets(results)
        best = grid.means[7].idxmin() if lower else grid.means[7].idxmax()
        assert [row[0].text for row in sheet.rows if row[-1].mark == "strong"] == [best]


# Verdicts


def test_published_numbers_stand_beside_the_run(run, printed):
    results = run()
    out = printed(results)
    assert max(map(len, out)) <= 160
    heading = next(line for line in out if "this run" in line)
    assert "released networks" in heading
    for ours, theirs in zip(results.findings(), results.findings_published(), strict=True):
        (line,) = (line for line in out if line.startswith(f"{ours.claim.id} "))
        numbers = re.findall(r"(?<= )[+-]?\d+\.\d(?= )", line)
        assert numbers[0] == signed(ours.effect)
        if theirs.verdict != "not run":
            assert signed(theirs.effect) in numbers
    assert "Yosinski et al. 2014" in words(out)
    row = next(line for line in out if line.startswith("unlike-tasks-lose-more"))
    assert row.count(" 4 / 4 ") == row.count(" 8 / 2 ") == 1
    assert "(weakest: layers = 2)" in words(out)
    assert "margin 0.5" in words(out)


@pytest.mark.parametrize("width", [150, 149, 120, 100, 80, 60, 20])
def test_no_verdict_is_cut_in_any_terminal(run, printed, width):
    results = run()
    out = printed(results, width)
    assert max(map(len, out)) <= max(width, 100)  # but for the sentences
    text = words(out)
    for finding in (*results.findings(), *results.findings_published()):
        for word in finding.verdict.split():
            assert re.search(rf"(?<![\w-]){word}(?![\w-])", text)
    cells = [line for line in out if re.search(r"[+-]\d+\.\d … [+-]\d+\.\d", line)]
    assert len(cells) >= len(results.findings())
    assert ("The same claims on released networks (Yosinski et al. 2014):" in out) == (width < 150)
    assert "…" not in re.sub(r"\d … [+\d-]", "", "\n".join(out)), "nothing is left out"
    if width < 110:
        assert any(re.match(r"tuned-transfer-beats-? ", line) for line in out), "names are broken at hyphens"


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("", 160), ("0", 160), ("wide", 160)])
def test_where_there_is_no_terminal_columns_says_how_wide(run, printed, monkeypatch, columns, width):
    results = run()
    expected = printed(results, width)
    monkeypatch.setenv("COLUMNS", columns)
    assert printed(results) == expected


@pytest.mark.parametrize(
    ("effect", "low", "high", "cells"),
    [(-0.04, -1.0, 0.04, ("0.0", "-1.0 … 0.0")), (0.5, np.nan, np.nan, ("+0.5", "–")), (np.nan,) * 3 + (("–", "–"),)],
)
def test_a_zero_has_no_sign_and_what_is_not_there_is_one_dash(run, monkeypatch, capsys, effect, low, high, cells):
    monkeypatch.delenv("COLUMNS", raising=False)
    results = run(reference=None, figures=[])
    finding = dataclasses.replace(results.findings()[-1], effect=effect, low=low, high=high)
    verdict_table(results, [finding])
    last = capsys.readouterr().out.splitlines()[-1]
    assert tuple(re.split(r"  +", last)[1:3]) == cells


def test_what_was_not_run_says_what_is_lacking(run, printed):
    results = run(kinds=("random",))
    assert "not run: class_split natural-manmade" in words(printed(results, 100))


def test_without_a_reference_there_is_one_table(run, printed):
    plain = run(reference=None, figures=[])
    out = printed(plain)
    assert "released" not in words(out)
    heading = next(line for line in out if line.startswith("claim"))
    assert heading.split() == ["claim", "effect", "95", "%", "interval", "p", "(Holm)", "units", "verdict"]
    assert "Claims, over up to 8 target halves, in points:" in out
    same = run(reference=None, figures=[], kinds=("random",))
    kept = [claim for claim in same.protocol.claims if claim.test != "two_sample"]
    out = printed(run(reference=None, figures=[], kinds=("random",), claims=kept))
    assert "Claims, over 4 target halves, in points:" in out
    assert "units" not in next(line for line in out if line.startswith("claim"))


def test_too_few_units_are_counted_in_words_where_no_column_does(run, printed):
    few = run(reference=None, figures=[], kinds=("random",), draws=1)
    kept = [claim for claim in few.protocol.claims if claim.test != "two_sample"]
    out = printed(run(reference=None, figures=[], kinds=("random",), draws=1, claims=kept))
    assert "shown, not tested (2 of at least 4 target halves needed for a test)" in words(out)


def test_numbers_that_are_not_here_are_said(run, printed):
    lost = run(reference=protocol.Reference(file="lost.csv", says="they", name="theirs"))
    del lost.protocol.__dict__["folder_read_from"]
    assert "lost.csv is not here: name the protocol file to see the published numbers." in printed(lost)


def test_an_unexpected_verdict_is_marked(run, printed):
    shipped = protocol.read("yosinski-layers").claims
    turned = [
        msgspec.structs.replace(claim, of=claim.to, to=claim.of) for claim in shipped if claim.id == "specificity-later"
    ]
    assert "contradicted — not as expected" in words(printed(run(claims=turned)))
