"""Published numbers are read strictly, and say what their source says."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pandas as pd
import pytest

from tlbench import claims, protocol, published
from tlbench.protocol import ProtocolError
from tlbench.tables import unit_means

HEAD = "unit,split,condition,shots,metric,value\n"
ROW = "u,0,right,1,accuracy,50\n"
BASE = {"condition": "base", "layers": 0}
LAYERS = range(1, 8)


@pytest.fixture(scope="module")
def layers():
    return protocol.read("yosinski-layers")


@pytest.fixture(scope="module")
def numbers(layers):
    return published.load(layers)


# The released networks, as the protocol sheet lists them; no claim was ever fitted to them.


def effect(numbers, of, to, **keys):
    """Mean effect and number of units."""
    usual = {"id": "c", "says": "s", "source": "w", "test": "difference", "of": of, "to": to}
    factors = {"class_split": ["random", "natural-manmade"], "layers": list(LAYERS)}
    means = unit_means(numbers.table[numbers.table["metric"] == "accuracy"], list(factors))
    found = claims.effects(protocol.Claim(**{**usual, **keys}), means, claims.Extent(factors, gaps=True))
    return [(round(one.mean, 3), one.groups) for one in found.values()]


@pytest.mark.parametrize(
    ("of", "to", "expected", "units"),
    [
        ("AnB", BASE, [0.31, -0.12, -0.62, -2.53, -4.71, -4.45, -8.26], [8] * 7),
        ("BnB", BASE, [0.35, 0.03, -0.21, -1.85, -2.97, -0.45, 0.00], [4] * 7),
        ("AnB", {"condition": "BnB"}, [0.15, -0.01, -0.14, -0.62, -1.68, -3.90, -8.24], [4] * 7),
        ("AnB+", BASE, [0.32, 0.63, 1.30, 1.03, 1.05, 1.20, 1.24], [1, 2, 2, 2, 1, 1, 1]),
        ("BnB+", BASE, [0.26, 0.64, 1.21, 1.36, 1.10, 0.85, 1.15], [1, 1, 2, 1, 2, 2, 1]),
    ],
)
def test_within_target_halves_the_released_networks_differ_as_listed(numbers, of, to, expected, units):
    found = effect(numbers, {"condition": of}, to, over={"class_split": "random"}, every="layers")
    assert [value for value, _ in found] == pytest.approx(expected, abs=0.0101)
    assert [groups for _, groups in found] == [(count,) for count in units]


@pytest.mark.parametrize(("condition", "expected", "units"), [("AnB+", 0.97, 0.953), ("BnB+", 0.94, 0.982)])
def test_what_tuning_brings_is_a_point_with_or_without_transfer(numbers, condition, expected, units):
    """Over the layers' own means; and over target halves, each the mean of the layers that it has."""
    by_layer = effect(numbers, {"condition": condition}, BASE, over={"class_split": "random"}, every="layers")
    assert np.mean([value for value, _ in by_layer]) == pytest.approx(expected, abs=0.005)
    assert effect(numbers, {"condition": condition}, BASE, over={"class_split": "random"}) == [
        (pytest.approx(units, abs=0.001), (2,))
    ]


def test_halves_of_unlike_classes_lose_more_and_random_filters_most(numbers):
    frozen = {"over": {"class_split": "natural-manmade"}, "every": "layers"}
    drops = effect(numbers, {"condition": "AnB"}, BASE, **frozen)
    assert [value for value, _ in drops] == pytest.approx(
        [0.29, -0.93, -3.24, -7.33, -12.95, -16.57, -25.01], abs=0.0101
    )
    random = effect(numbers, {"condition": "random-gaussian"}, BASE, every="layers")
    levels = [49.17, 40.26, 0.11, 1.91, 4.99, 1.45, 1.46]
    assert [value for value, _ in random] == pytest.approx([level - 57.63 for level in levels], abs=0.0101)
    assert {groups for _, groups in random} == {(1,)}


def test_the_table_is_whole(numbers):
    table = numbers.table
    assert list(table.columns) == ["unit", "split", "condition", "class_split", "layers", "metric", "value"]
    assert len(table) == 2 * (8 + 56 + 10 + 28 + 10 + 2 + 14 + 1 + 7)
    both = table.pivot_table(index=["unit", "condition", "layers"], columns="metric", values="value")
    assert both.notna().all(axis=None)
    above = both["accuracy"] - both["accuracy_last_ten"]
    assert above.between(0.0, 0.25).all(), "the ten best tests are no worse than the last ten"
    halves = table[table["class_split"] != "none"]
    assert set(halves["unit"].str.rsplit("-", n=2).str[0]) == {"random", "natural-manmade"}
    bases = table[(table["condition"] == "base") & (table["metric"] == "accuracy")].set_index("unit")["value"]
    assert bases.drop("all-1000").filter(like="random").mean() == pytest.approx(62.51, abs=0.01)


def test_the_claims_on_the_released_networks(layers, numbers):
    findings = {finding.claim.id: finding for finding in numbers.findings(layers)}
    assert list(findings) == [claim.id for claim in layers.claims]
    for finding in findings.values():
        assert finding.verdict not in ("missing", "contradicted"), finding
        assert math.isnan(finding.p) == (finding.verdict in ("shown, not tested", "not run"))
    assert findings["first-layers-general"].claim.margin == 0.5
    assert findings["first-layers-general"].at == "layers 1"
    assert findings["middle-layers-co-adapted"].verdict == "reproduced"
    assert findings["specificity-grows"].verdict == "reproduced"
    assert findings["unlike-tasks-lose-more"].groups == (8, 2)
    longer = findings["tuned-transfer-beats-longer-training"]
    assert (longer.verdict, longer.groups) == ("shown, not tested", (2, 2))
    assert longer.effect == pytest.approx(-0.03, abs=0.005)
    scaled = findings["transfer-beats-scaled-random-filters"]
    assert (scaled.verdict, scaled.reason) == ("not run", "condition random-scaled")


# Finding and reading a file


@pytest.fixture
def mine(tmp_path, toy):
    """A protocol of one's own beside a file of numbers."""
    import json

    def write(content, name="numbers.csv"):
        toy.content["reference"] = {"file": "numbers.csv", "says": "they", "name": "their numbers"}
        del toy.content["claims"][0]["over"]
        path = tmp_path / "mine.toml"
        lines = [f"{key} = {inline(value)}" for key, value in toy.content.items()]
        path.write_text("\n".join(lines), encoding="utf-8")
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return protocol.read(str(path))

    def inline(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
        return "[" + ", ".join(map(inline, value)) + "]" if isinstance(value, list) else json.dumps(value)

    return write


def test_a_file_of_ones_own_lies_beside_the_protocol(mine):
    declared = mine(HEAD + ROW + "u,0,plain,1,accuracy,45.5\n")
    found = published.load(declared)
    assert found.table.to_dict("list") == {
        "unit": ["u", "u"],
        "split": [0, 0],
        "condition": ["right", "plain"],
        "shots": [1, 1],
        "metric": ["accuracy", "accuracy"],
        "value": [50.0, 45.5],
    }
    first, slope, most = found.findings(declared)
    assert (first.effect, first.verdict) == (4.5, "shown, not tested")
    assert (slope.verdict, slope.reason) == ("not run", "two levels of shots")
    assert (most.effect, most.verdict) == (4.5, "shown, not tested")


def test_a_copy_of_a_shipped_protocol_finds_the_shipped_numbers(tmp_path, layers, numbers):
    text = (layers.folder / "yosinski-layers.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('= "yosinski-layers"', '= "mine"', 1), encoding="utf-8")
    pd.testing.assert_frame_equal(published.load(protocol.read(str(path))).table, numbers.table)
    (tmp_path / "yosinski2014.csv").write_text("mine comes first", encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"yosinski2014\.csv has no column 'unit'"):
        published.load(protocol.read(str(path)))


def test_no_reference_is_no_numbers(toy):
    declared = protocol.parse(toy.content, "toy")
    assert published.load(declared) is None
    assert published.find(declared) is None


def test_a_file_that_is_not_there_is_said(mine, tmp_path):
    declared = mine(HEAD + ROW, name="other.csv")
    assert published.find(declared) is None
    with pytest.raises(ProtocolError) as error:
        published.load(declared)
    assert str(error.value) == f"reference: there is no numbers.csv in {tmp_path}, nor among those that ship"
    elsewhere = msgspec.structs.replace(declared)
    with pytest.raises(ProtocolError, match=r"no numbers\.csv in the protocol file's folder"):
        published.load(elsewhere)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: nothing stands there; it has to name the columns unit, split, condition, shots, metric, value$"),
        (b"\n" + (HEAD + ROW).encode(), "line 1: nothing stands there; it has to name the columns unit"),
        (b"\xff\xfe", "cannot be read as a table"),
        (HEAD + '"u', "cannot be read as a table"),
        (HEAD + ROW + "a,b,c,d,e,f,g\n", "line 3: 6 values are needed, not 7"),
        (HEAD + ROW + "\n", "line 3: 6 values are needed, not 0"),
        (HEAD.replace("shots", "shot") + ROW, r"has no column 'shots'; did you mean 'shot'"),
        (HEAD.replace("value", "value,unit"), "has column 'unit' twice"),
        (HEAD.replace("value", "value,note") + ROW.replace("50", "50,x"), "has an unknown column 'note'"),
        (HEAD + ROW + ROW, r"line 3: this unit, split, condition, shots, metric was there before"),
        (HEAD + ROW + "v,0,right,1,accuracy,\n", "line 3: value is empty"),
        (HEAD + ROW + ",0,right,1,accuracy,3\n", "line 3: unit is empty"),
        (HEAD + ROW + "v,0,right,,accuracy,3\n", "line 3: shots is empty"),
        (HEAD + ROW + "v,0,right,1,accuracy,5o\n", "line 3: value has to be a number, not '5o'"),
        (HEAD + ROW + "v,0,right,1,accuracy,nan\n", "line 3: value has to be a number, not 'nan'"),
        (HEAD + ROW + "v,0,right,1,accuracy,inf\n", "line 3: value has to be a number, not 'inf'"),
        (HEAD + ROW + "v,x,right,1,accuracy,5\n", "line 3: split has to be a number, not 'x'"),
        (HEAD + ROW.replace("accuracy", "acuracy"), "no row of metric 'accuracy'; did you mean 'acuracy'"),
        (HEAD, "has columns and no row of metric 'accuracy'; give each number a line$"),
    ],
)
def test_a_file_that_does_not_fit_is_said_in_a_sentence(mine, content, says):
    declared = mine(content)
    with pytest.raises(ProtocolError, match=says) as error:
        published.load(declared)
    assert "numbers.csv" in str(error.value)


def test_a_unit_named_like_a_number_or_nothing_stays_what_it_is(mine):
    found = published.load(mine(HEAD + ROW + "01,0,right,1,accuracy,3\nNA,0,None,1,accuracy,3\n"))
    assert list(found.table["unit"]) == ["u", "01", "NA"]
    assert list(found.table["condition"]) == ["right", "right", "None"]
