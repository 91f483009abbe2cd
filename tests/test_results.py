"""What a run leaves can be read again and says the same; what is damaged or absent is said."""

from __future__ import annotations

import dataclasses
import json
import os
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.sealing import seal_again
from tlbench import claims, protocol, results, tables
from tlbench.protocol import ProtocolError
from tlbench.records import Records, RecordsError, run_folder

DATA = {"name": "toy-data", "reference": "toy-data", "fingerprint": "print", "licence": "ours"}
MEASUREMENTS = ["experiment", "dataset", "profile", "unit", "split", "condition", "shots", "metric", "value"]
LONG_AGO = 1_000_000_000 * 10**9


def value(unit, condition, split, shots):
    """The right is better by 9, 6, 3 points at 1, 2, 4 shots, a little more or less by unit."""
    fall = 3 + 0.001 * (len(unit) - 2)  # 3 in the mean over the units of ``begun``
    gain = {"plain": 0, "left": 1, "right": 9 - fall * (shots.bit_length() - 1)}[condition]
    return 200 / 3 + gain + split + shots + (len(unit) + ord(unit[0]) % 7) * (1.01 if condition == "right" else 1)


@pytest.fixture
def begun(tmp_path, toy, toy_tables):
    """A run whose blocks are on disk, and what is needed to publish it."""

    def begin(units=("delta", "a", "cc", "b", "e"), overrides=None, data=DATA, results_folder=tmp_path / "results"):
        plan = toy.plan(overrides, units=units)
        settings = plan.settings
        records = Records(run_folder(results_folder, "toy", data["name"], settings.profile, settings.changed))
        records.prepare()
        for block in plan.blocks:
            records.save(block, toy_tables(block, value))
        publish = lambda: results.publish(plan, records, data, toy.study.tables)  # noqa: E731
        return SimpleNamespace(plan=plan, records=records, publish=publish, folder=records.folder, root=results_folder)

    return begin


@pytest.fixture
def run(begun):
    run = begun()
    run.publish()
    return run


def csv(run, name):
    return pd.read_csv(run.folder / f"{name}.csv", keep_default_na=False, na_values=[""])


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# Publishing


def test_the_tables_have_the_columns_that_others_rely_on(run):
    assert list(csv(run, "measurements").columns) == MEASUREMENTS
    assert list(csv(run, "weights").columns) == ["target", "source", "split", "shots", "condition", "beta"]
    assert list(csv(run, "summary").columns) == ["condition", "shots", "metric", "mean", "low", "high", "units"]
    assert ",".join(csv(run, "claims").columns) == "claim,says,source,effect,low,high,p,p_holm,units,verdict"
    assert {path.name for path in run.folder.iterdir()} == {
        ".tlbench",
        "measurements.csv",
        "weights.csv",
        "summary.csv",
        "claims.csv",
        "manifest.json",
    }


def test_the_numbers_are_those_of_the_blocks(run):
    table = csv(run, "measurements")
    assert len(table) == 5 * 2 * 3 * 3
    for row in table.itertuples():
        assert row.value == float(f"{value(row.unit, row.condition, row.split, row.shots):.6g}")
        assert (row.experiment, row.dataset, row.profile, row.metric) == ("toy", "toy-data", "short", "accuracy")
    assert list(dict.fromkeys(table["unit"])) == ["delta", "a", "cc", "b", "e"]


def test_summary_and_claims_are_those_of_the_measurements(run):
    table = csv(run, "measurements")
    assert (run.folder / "summary.csv").read_bytes() == tables.to_csv(tables.summarise(table, ["shots"]))
    findings = csv(run, "claims").set_index("claim")
    assert list(findings["verdict"]) == ["reproduced"] * 3
    few = table[table["shots"] < 4].groupby(["unit", "condition"])["value"].mean().unstack()
    assert findings.loc["right-beats-plain", "effect"] == pytest.approx((few["right"] - few["plain"]).mean(), rel=1e-5)
    assert findings.loc["gain-falls", "effect"] == pytest.approx(-3.0, abs=1e-3)
    assert (findings["units"] == 5).all()


def test_a_run_is_the_same_when_it_is_opened_again(begun):
    run = begun()
    published = run.publish()
    again = results.reopen(run.folder)
    assert again.protocol == published.protocol == run.plan.protocol
    assert again.manifest == published.manifest
    assert (again.missing, again.dataset, again.factors) == (0, "toy-data", {"shots": [1, 2, 4]})
    assert set(again.tables) == {"measurements", "weights"}
    for name, table in again.tables.items():
        pd.testing.assert_frame_equal(table, published.tables[name])
    assert tables.to_csv(again.summary()) == (run.folder / "summary.csv").read_bytes()
    assert tables.to_csv(claims.as_table(again.findings())) == (run.folder / "claims.csv").read_bytes()


def test_publishing_again_touches_nothing(run):
    results.reopen(run.folder).draw()
    before = files(run.folder)
    assert {"lines.png", "lines.svg", "map.png", "map.svg"} <= set(before)
    for name in before:
        os.utime(run.folder / name, ns=(LONG_AGO, LONG_AGO))
    run.publish()
    results.reopen(run.folder).draw()
    assert files(run.folder) == before
    assert {(run.folder / name).stat().st_mtime_ns for name in before} == {LONG_AGO}


def test_a_figure_names_its_run(begun):
    run = begun(overrides={"C": "4"})
    published = run.publish()
    assert published.caption == f"toy · toy-data · profile short · C = 4.0 · run {run.plan.short_hash}"
    written = published.draw()
    assert sorted(path.name for path in written) == ["lines.png", "lines.svg", "map.png", "map.svg"]
    for path in written:
        if path.suffix == ".svg":
            assert published.caption in path.read_text(encoding="utf-8")


def test_an_edited_protocol_judges_what_is_there(run, toy):
    toy.content["claims"] = toy.content["claims"][:1]
    edited = protocol.parse(toy.content, "toy")
    assert [finding.claim.id for finding in results.reopen(run.folder, edited).findings()] == ["right-beats-plain"]
    assert len(results.reopen(run.folder).findings()) == 3


# Several metrics, and what was left out on purpose


def test_a_study_may_measure_several_things_of_which_one_is_tested(begun, toy_tables):
    run = begun()
    alone = run.publish()
    run.records.forget()
    for block in run.plan.blocks:
        found = toy_tables(block, value)
        measured = found["measurements"]
        count = len(measured["value"])
        doubled = {name: cells * 2 for name, cells in measured.items()}
        doubled["metric"] = ["accuracy"] * count + ["train_loss"] * count
        doubled["value"] = measured["value"] + [1e3 - cell for cell in measured["value"]]
        run.records.save(block, {**found, "measurements": doubled})
    both = run.publish()
    assert list(both.measured.columns) == MEASUREMENTS
    assert list(both.measured["metric"].value_counts()) == [90, 90]
    assert both.missing == 0
    assert claims.as_table(both.findings()).equals(claims.as_table(alone.findings()))
    assert set(csv(run, "summary")["metric"]) == {"accuracy", "train_loss"}


def test_claims_on_what_the_settings_leave_out_are_not_run(begun):
    published = begun(overrides={"shots": "1,4", "conditions": "plain,right"}).publish()
    assert published.extent == claims.Extent({"shots": [1, 4]}, ("plain", "right"))
    first, slope, most = published.findings()
    assert (first.verdict, first.reason) == ("not run", "shots 2")
    assert [slope.verdict, most.verdict] == ["reproduced", "reproduced"]
    assert published.missing == 0


def test_the_manifest_may_count_cells_that_are_no_full_grid(run):
    path = run.folder / "manifest.json"
    content = json.loads(path.read_bytes())
    path.write_text(json.dumps({**content, "cells": 93, "own_levels": {"plain": {"shots": [0, 1, 2, 4]}}}))
    assert results.reopen(run.folder).missing == 3
    measured = csv(run, "measurements")
    extra = measured[(measured["condition"] == "plain") & (measured["shots"] == 1)].iloc[:3].assign(shots=0)
    pd.concat([measured, extra]).to_csv(run.folder / "measurements.csv", index=False)
    seal_again(run.folder)
    assert results.reopen(run.folder).missing == 0


# Published numbers

NUMBERS = (
    "unit,split,condition,shots,metric,value\n"
    "u,0,right,1,accuracy,50\nu,0,right,2,accuracy,50\nu,0,plain,1,accuracy,45\nv,0,right,1,accuracy,50\n"
)


@pytest.fixture
def compared(tmp_path, toy, begun):
    """A run of a protocol of one's own that lies beside published numbers."""
    toy.content["reference"] = {"file": "numbers.csv", "says": "they", "name": "their numbers"}
    toy.content["figures"][0]["published"] = True
    (tmp_path / "mine.toml").write_text(as_toml(toy.content), encoding="utf-8")
    (tmp_path / "numbers.csv").write_text(NUMBERS, encoding="utf-8")
    declared = protocol.read(str(tmp_path / "mine.toml"))
    run = begun()
    plan = dataclasses.replace(run.plan, protocol=declared)
    run.publish = lambda: results.publish(plan, run.records, DATA, toy.study.tables)
    run.declared, run.numbers = declared, tmp_path / "numbers.csv"
    return run


def test_the_same_claims_on_published_numbers_are_a_table_of_their_own(compared):
    published = compared.publish()
    beside = published.findings_published()
    assert [finding.claim.id for finding in beside] == [finding.claim.id for finding in published.findings()]
    table = csv(compared, "claims_published")
    assert list(table.columns) == list(csv(compared, "claims").columns)
    assert list(table["verdict"]) == ["shown, not tested", "not run", "not run"]
    assert table["effect"][0] == 5.0
    assert tables.to_csv(claims.as_table(beside)) == (compared.folder / "claims_published.csv").read_bytes()


def test_published_numbers_are_drawn_and_change_nothing_else(compared):
    drawn = {path.name: path.read_bytes() for path in compared.publish().draw()}
    compared.numbers.write_text(NUMBERS.replace("45", "40"), encoding="utf-8")
    again = {path.name: path.read_bytes() for path in results.reopen(compared.folder, compared.declared).draw()}
    assert {name for name in drawn if drawn[name] != again[name]} == {"lines.png", "lines.svg"}


def test_without_a_reference_there_is_no_such_table(run):
    found = results.reopen(run.folder)
    assert found.published is None
    assert found.findings_published() is None
    assert not (run.folder / "claims_published.csv").exists()


def test_a_protocol_that_is_left_only_in_the_manifest_has_lost_its_numbers(compared):
    compared.publish()
    left = results.reopen(compared.folder)
    assert left.protocol == compared.declared
    assert left.published is None
    assert len(left.draw()) == 4


def test_numbers_that_are_gone_are_said_and_the_runs_own_tables_are_written(compared):
    compared.numbers.unlink()
    with pytest.raises(ProtocolError, match=r"there is no numbers\.csv"):
        compared.publish()
    assert (compared.folder / "claims.csv").exists()
    assert len(results.reopen(compared.folder, compared.declared).findings()) == 3


# What is missing


def test_an_absent_block_is_counted_and_leaves_its_claims_without_a_verdict(begun, toy_tables):
    run = begun()
    plain = run.plan.blocks[0]
    assert (plain.unit, plain.group) == ("delta", "plain")
    run.records.forget()
    for block in run.plan.blocks[1:]:
        run.records.save(block, toy_tables(block, value))
    published = run.publish()
    assert published.missing == results.reopen(run.folder).missing == 2 * 3
    assert published.manifest["blocks"] == {"planned": 10, "finished": 9}
    assert [finding.verdict for finding in published.findings()] == ["missing"] * 3
    run.records.save(plain, toy_tables(plain, value))
    assert run.publish().missing == 0


def test_a_lost_unit_is_missing_too(begun, toy_tables):
    run = begun()
    run.records.forget()
    for block in run.plan.blocks:
        if block.unit != "cc":
            run.records.save(block, toy_tables(block, value))
    assert run.publish().missing == 2 * 3 * 3


def test_a_damaged_block_is_missing(begun):
    run = begun()
    path = next(path for path in run.folder.rglob("*.json") if path.stem == run.plan.blocks[1].key)
    path.write_bytes(path.read_bytes()[:-1])
    assert run.publish().missing == 2 * 2 * 3


def test_no_block_is_no_table(begun):
    run = begun()
    run.records.forget()
    with pytest.raises(RecordsError, match="no block of toy has finished"):
        run.publish()
    assert files(run.folder) == {}


@pytest.mark.parametrize("gone", [1, 7])
def test_a_row_removed_by_hand_is_missing(run, gone):
    path = run.folder / "measurements.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-gone]), encoding="utf-8")
    seal_again(run.folder)
    assert results.reopen(run.folder).missing == gone


@pytest.mark.parametrize(
    "units",
    [("0", "1", "2", "3"), ("001", "002", "003", "004"), ("NA", "null", "None", "nan"), ("1.0", "1e0", "inf", "1")],
)
def test_units_named_like_numbers_or_nothing_are_all_there(begun, units):
    run = begun(units=units)
    assert run.publish().missing == 0
    assert list(dict.fromkeys(results.reopen(run.folder).measured["unit"])) == list(units)


@pytest.mark.parametrize("units", [("True", "False", "true", "false"), ("a,b", 'say "c"', "d e", "日本")])
def test_units_of_any_name_are_all_there(begun, units):
    run = begun(units=units)
    assert run.publish().missing == 0
    assert list(dict.fromkeys(results.reopen(run.folder).measured["unit"])) == list(units)


# What cannot be read


def test_no_folder_and_no_measurements(tmp_path, run):
    with pytest.raises(RecordsError, match=r"manifest\.json"):
        results.reopen(tmp_path / "none")
    (run.folder / "measurements.csv").unlink()
    with pytest.raises(RecordsError, match=r"measurements\.csv"):
        results.reopen(run.folder)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2,3\n", b"a,b\n1,2\n", b"\0" * 64])
def test_a_damaged_table_of_measurements_is_said(run, content):
    (run.folder / "measurements.csv").write_bytes(content)
    seal_again(run.folder)
    with pytest.raises(RecordsError, match=r"measurements\.csv"):
        results.reopen(run.folder)


@pytest.mark.parametrize("column", ["unit", "split", "condition", "shots", "metric", "value"])
def test_a_table_without_a_column_is_said(run, column):
    csv(run, "measurements").drop(columns=column).to_csv(run.folder / "measurements.csv", index=False)
    seal_again(run.folder)
    with pytest.raises(RecordsError, match=r"measurements\.csv"):
        results.reopen(run.folder)


@pytest.mark.parametrize("column", ["split", "shots", "value"])
def test_a_number_that_is_none_is_said(run, column):
    table = csv(run, "measurements").astype({column: object})
    table.loc[3, column] = "9x"
    table.to_csv(run.folder / "measurements.csv", index=False)
    seal_again(run.folder)
    with pytest.raises(RecordsError, match=r"measurements\.csv"):
        results.reopen(run.folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"settings": 1}'])
def test_a_damaged_manifest_is_said(run, content):
    (run.folder / "manifest.json").write_bytes(content)
    with pytest.raises(RecordsError, match=r"manifest\.json"):
        results.reopen(run.folder)


@pytest.mark.parametrize("key", ["settings", "units", "data", "protocol"])
def test_a_manifest_that_lacks_what_a_run_is_read_by_is_said(run, key):
    path = run.folder / "manifest.json"
    content = json.loads(path.read_bytes())
    del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises((RecordsError, ProtocolError), match=r"manifest\.json"):
        results.reopen(run.folder)


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ((), {"cells": "many"}),
        ((), {"units": "a"}),
        ((), {"text": ["measurements"]}),
        ((), {"text": {"measurements": "unit"}}),
        ((), {"changed": None}),
        ((), {"own_levels": {"plain": [0]}}),
        ((), {"profile": 3}),
        (("data",), {"name": None}),
        (("settings",), {"seeds": "2"}),
        (("settings",), {"conditions": None}),
        (("settings",), {"factors": {"shots": 1}}),
        (("settings",), {"factors": {"sorts": [1]}}),
        (("settings",), {"factors": {"shots": ["few", "many"]}}),
        (("protocol",), {"claims": 3}),
        (("protocol",), {"later": "a key of another version"}),
    ],
)
def test_a_manifest_edited_by_hand_is_said_in_a_sentence(run, place, content):
    path = run.folder / "manifest.json"
    whole = json.loads(path.read_bytes())
    at = whole
    for key in place:
        at = at[key]
    at.update(content)
    path.write_text(json.dumps(whole))
    with pytest.raises(RecordsError, match=r"run (it|the experiment) again") as error:
        results.reopen(run.folder)
    assert "\n" not in str(error.value)


def test_a_protocol_with_other_factors_does_not_judge_a_run(run, toy):
    toy.content["factors"]["depth"] = [1, 2]
    with pytest.raises(RecordsError, match="was run with factors shots, and toy has depth, shots"):
        results.reopen(run.folder, protocol.parse(toy.content, "toy"))


# Finding runs


def test_runs_are_found_by_what_they_are(begun):
    run = begun()
    run.publish()
    other = begun(data={**DATA, "name": "mine-012345", "reference": "features:mine.csv"})
    other.publish()
    begun(overrides={"C": "4"}).publish()
    root = run.root

    def folders(**keys):
        found = results.find_runs(root, keys.get("reference"), keys.get("dataset"), keys.get("profile"))
        return [one.records.folder.name for one in found]

    everything = ["mine-012345-short", "toy-data-short", "toy-data-short--C=4.0"]
    assert folders() == folders(profile="short") == folders(reference="toy") == everything
    assert folders(dataset="toy-data") == everything[1:]
    assert folders(dataset="mine-012345") == folders(dataset="features:/some/where/mine.csv") == everything[:1]
    for keys in ({"dataset": "mine"}, {"profile": "long"}, {"reference": "caltech-multisource"}):
        with pytest.raises(RecordsError, match="there are no results of"):
            folders(**keys)


def test_runs_of_a_users_protocol_are_found_by_its_file(run, tmp_path, toy):
    path = tmp_path / "mine.toml"
    toy.content["asks"] = "Asked anew?"
    path.write_text(as_toml(toy.content), encoding="utf-8")
    (found,) = results.find_runs(run.root, str(path), None, None)
    assert found.protocol.asks == "Asked anew?"
    (found,) = results.find_runs(run.root, None, None, None)
    assert found.protocol.asks == "Is the right better than the plain?"


def as_toml(content):
    """Enough TOML for plain data: every value inline."""

    def inline(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(inline, value)) + "]"
        return json.dumps(value)

    return "".join(f"{key} = {inline(value)}\n" for key, value in content.items())
