"""What claims, figures and data sets may say, and what is said where they say something else."""

from __future__ import annotations

import msgspec
import pytest

from tlbench.protocol import ProtocolError, columns_used, parse, read, words_used

BASE = {"condition": "plain", "shots": 1}
REFERENCE = {"file": "numbers.csv", "says": "they", "name": "their numbers"}


def claim(toy, place=0, **keys):
    """The toy protocol with changed keys in one claim; None removes one."""
    changed = toy.content["claims"][place] | keys
    toy.content["claims"][place] = {key: value for key, value in changed.items() if value is not None}
    return parse(toy.content, "mine.toml").claims[place]


def figure(toy, place=0, **keys):
    toy.content["figures"][place] |= keys
    return parse(toy.content, "mine.toml").figures[place]


# Claims


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"test": "equivalent"}, "test equivalent needs 'margin'"),
        ({"test": "two_sample", "margin": 1.0}, "test two_sample has no 'margin'"),
        ({"margin_published": 0.5}, "test difference has no 'margin_published'"),
        ({"per": "step"}, "test difference has no 'per'"),
        ({"test": "slope", "along": "shots", "direction": "falls", "every": "shots"}, "test slope has no 'every'"),
        ({"of": {}}, "'of' selects nothing"),
        ({"to": []}, "'to' selects nothing"),
        ({"relative_to": {}}, "'relative_to' selects nothing"),
        ({"of": [{"condition": "right", "shots": {"form": 2}}]}, "unknown key 'form' for shots"),
        ({"relative_to": {"shots": {"form": 2}}}, "unknown key 'form' for shots"),
        ({"of": [{}]}, "'of' selects nothing"),
        ({"over": {"shots": []}}, "shots selects nothing"),
        ({"over": {"shots": {}}}, "shots selects nothing"),
        ({"over": {"shots": {"from": "two"}}}, "'from' of shots has to be a number, not 'two'"),
        ({"over": {"shots": {"to": [2]}}}, "'to' of shots has to be a number, not [2]"),
        ({"over": {"shots": [1, [2]]}}, "a level of shots has to be a number or a name, not [2]"),
        ({"over": {"shots": True}}, "a level of shots has to be a number or a name, not True"),
        ({"over": {"shots": [1, "two"]}}, "shots is made of numbers, and 'two' is none"),
        ({"to": {"condition": ["plain", 3]}}, "condition is made of names, and 3 is none"),
        ({"to": {"condition": {"from": 1}}}, "condition is made of names, which have no range"),
        ({"to": {"condition": "most"}}, "\"most\" goes with shots, not with 'condition'"),
        ({"over": {"split": 0}}, "there is no column 'split'"),
        ({"every": "condition"}, "'every' goes with shots, not with 'condition'"),
        ({"every": "shts"}, "there is no column 'shts'; did you mean 'shots'?"),
        (
            {"test": "slope", "along": "condition", "direction": "rises"},
            "'along' goes with shots, not with 'condition'",
        ),
    ],
)
def test_a_claim_that_says_too_little_or_too_much(toy, keys, says):
    with pytest.raises(ProtocolError) as error:
        claim(toy, **keys)
    assert f"claim 'right-beats-plain': {says}" in str(error.value)


@pytest.mark.parametrize(
    "keys",
    [
        {"test": "equivalent", "margin": 1.0, "margin_published": 0.5, "every": "shots"},
        {"test": "not_worse", "margin": 1.0, "every": "shots"},
        {"test": "two_sample", "relative_to": BASE, "every": "shots"},
        {"test": "slope", "along": "shots", "direction": "rises", "per": "step"},
        {"of": [BASE, {"condition": "right"}], "to": {"condition": "left"}},
    ],
)
def test_a_claim_of_every_kind_is_read(toy, keys):
    found = claim(toy, **keys)
    for key, value in keys.items():
        assert getattr(found, key) == value


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("key", "value"), [("margin_published", 0), ("per", "mile"), ("every", 3), ("of", "right"), ("relative_to", "base")]
)
def test_a_wrong_value_in_a_claim_is_named_by_its_key(toy, key, value):
    keys = {"test": "equivalent", "margin": 1.0, key: value}
    with pytest.raises(ProtocolError, match=rf"claims\[0\]\.{key}: "):
        claim(toy, **keys)


def test_the_words_of_a_claim_are_all_its_columns_and_levels(toy):
    found = claim(
        toy,
        of=[{"condition": "right"}, {"condition": ["left", "plain"], "shots": "most"}],
        to={"condition": "plain"},
        over={"shots": {"from": 2}},
        every="shots",
        relative_to={"condition": "left", "unit": "b"},
    )
    assert words_used(found) == [
        ("condition", "right"),
        ("condition", "left"),
        ("condition", "plain"),
        ("shots", None),
        ("condition", "plain"),
        ("shots", None),
        ("condition", "left"),
        ("unit", "b"),
    ]
    assert columns_used(found) == ["shots", "condition", "unit"]
    slope = parse(toy.content, "mine.toml").claims[1]
    assert columns_used(slope) == ["shots", "condition"]


# Figures


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("place", "keys", "says"),
    [
        (1, {"panels": "source"}, "figure 'map': a heatmap has no 'panels'"),
        (1, {"dots": True}, "figure 'map': a heatmap has no 'dots'"),
        (1, {"published": True}, "figure 'map': a heatmap has no 'published'"),
        (1, {"relative_to": BASE}, "figure 'map': a heatmap has no 'relative_to'"),
        (1, {"lines": {"one": BASE}}, "figure 'map': a heatmap has no 'lines'"),
        (0, {"by": "condition", "lines": {"one": BASE}}, "figure 'lines': 'by' and 'lines' both say"),
        (0, {"relative_to": {}}, "figure 'lines': 'relative_to' selects nothing"),
        (0, {"lines": {"one": {"shots": {"form": 2}}}}, "figure 'lines': unknown key 'form' for shots"),
        (0, {"published": True}, "figure 'lines': 'published' needs a [reference]"),
        (0, {"table": "weights"}, "figure 'lines': curves are drawn of table 'measurements' alone"),
        (0, {"x": "condition"}, "figure 'lines': 'x' goes with shots, not with 'condition'"),
        (0, {"x": "shts"}, "figure 'lines': there is no column 'shts'; did you mean 'shots'?"),
        (0, {"by": "conditon"}, "figure 'lines': there is no column 'conditon'; did you mean 'condition'?"),
        (0, {"panels": "split"}, "figure 'lines': there is no column 'split'"),
        (0, {"where": {"shots": "1"}}, "figure 'lines': shots is made of numbers, and '1' is none"),
        (1, {"where": {"condition": {"to": 1}}}, "figure 'map': condition is made of names, which have no range"),
    ],
)
def test_a_figure_that_says_too_much(toy, place, keys, says):
    with pytest.raises(ProtocolError) as error:
        figure(toy, place, **keys)
    assert says in str(error.value)


def test_the_words_of_a_figure_are_all_its_columns_and_levels(toy):
    found = figure(
        toy,
        where={"shots": {"to": 2}},
        lines={"first": {"condition": "right"}, "second": {"condition": "left", "unit": ["a", "b"]}},
        panels="unit",
        relative_to=BASE,
    )
    assert words_used(found) == [
        ("shots", None),
        ("condition", "right"),
        ("condition", "left"),
        ("unit", "a"),
        ("unit", "b"),
        ("condition", "plain"),
        ("shots", 1),
    ]
    assert columns_used(found) == ["shots", "unit", "condition"]
    heatmap = parse(toy.content, "mine.toml").figures[1]
    assert columns_used(heatmap) == ["source", "target", "beta", "condition"]


# Data sets, profiles, the reference


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("path", "says"),
    [
        (
            ("datasets", "digits"),
            "datasets.digits: there is no factor or choice 'cuont' to change; did you mean 'count'?",
        ),
        (("profiles", "tiny", "choices"), "profiles.tiny.choices: there is no choice 'cuont' to change; did you mean"),
    ],
)
def test_a_change_of_what_is_not_declared_is_refused(toy, path, says):
    content = toy.content
    for key in path:
        content = content.setdefault(key, {})
    content |= {"C": 3.0, "cuont": 3}
    with pytest.raises(ProtocolError) as error:
        parse(toy.content, "mine.toml")
    assert says in str(error.value)
    del content["cuont"]
    parse(toy.content, "mine.toml")


def test_a_data_set_may_change_factors_and_a_profile_its_choices(toy):
    toy.content["datasets"] = {"folder": {"shots": [1, 2], "mode": "repaired"}}
    toy.content["profiles"]["tiny"]["choices"] = {"count": 3}
    declared = parse(toy.content, "mine.toml")
    assert declared.datasets == {"folder": {"shots": [1, 2], "mode": "repaired"}}
    assert declared.profiles["tiny"].choices == {"count": 3}
    toy.content["profiles"]["tiny"]["choices"] = {"shots": [1]}
    with pytest.raises(ProtocolError, match="there is no choice 'shots'"):
        parse(toy.content, "mine.toml")


@pytest.mark.fault("input")
@pytest.mark.parametrize("file", ["../up.csv", "/etc/numbers.csv", "a/b.csv", ".hidden", ""])
def test_a_reference_is_a_name_and_no_path(toy, file):
    toy.content["reference"] = {**REFERENCE, "file": file}
    with pytest.raises(ProtocolError, match=r"reference\.file"):
        parse(toy.content, "mine.toml")


@pytest.mark.parametrize("key", sorted(REFERENCE))
def test_a_reference_is_whole(toy, key):
    toy.content["reference"] = {name: value for name, value in REFERENCE.items() if name != key}
    with pytest.raises(ProtocolError, match=f"reference: object missing required field '{key}'"):
        parse(toy.content, "mine.toml")


# What is kept


def test_what_is_as_usual_is_not_written(toy):
    """So that a key that comes later changes no manifest of before."""
    written = msgspec.json.decode(msgspec.json.encode(parse(toy.content, "mine.toml")))
    assert written == toy.content
    assert parse(written, "copy") == parse(toy.content, "mine.toml")


def test_where_a_protocol_was_read_is_known_and_no_part_of_it(tmp_path, toy):
    assert parse(toy.content, "mine.toml").folder is None
    shipped = read("caltech-multisource")
    text = (shipped.folder / "caltech-multisource.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    mine = read(str(path))
    assert mine.folder == tmp_path
    assert mine == shipped
    assert b"folder" not in msgspec.json.encode(mine)
