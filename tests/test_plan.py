"""Settings are what was typed, in the types that stood there; blocks are named by what decides their numbers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlbench import protocol
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.study import Block, digest

BLOCK = Block("toy_study", 3, "dög", (0, 1), "sided", ("left", "right"), {"C": 2.5, "shots": [1, 2], "m": "x"}, "print")


@pytest.fixture
def settle(toy):
    def settle(profile=None, **overrides):
        return resolve(protocol.parse(toy.content, "toy.toml"), toy.study, profile, overrides)

    return settle


# Settings


def test_nothing_set_is_the_protocol(toy, settle):
    settings = settle()
    assert settings.profile == "short"
    assert settings.seeds == 2
    assert settings.conditions == ("plain", "left", "right")
    assert settings.parameters == {"shots": [1, 2, 4], **{k: c["value"] for k, c in toy.content["choices"].items()}}
    assert settings.data == {
        "setting": "mixed",
        "background": None,
        "categories": ["a", "b"],
        "features": [],
        "class_list": None,
    }
    assert settings.changed == {}


def test_a_profile_sets_its_factors_without_changing_anything(settle):
    settings = settle("tiny")
    assert (settings.seeds, settings.factors) == (1, {"shots": [1, 4]})
    assert settings.changed == {}


def test_levels_in_another_order_are_still_the_defaults(toy, settle):
    toy.content["factors"]["shots"] = [4, 1, 2]
    settings = settle()
    assert settings.factors == {"shots": [1, 2, 4]}
    assert settings.changed == {}, "nothing was set, so the folder is the default one"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("seeds", "5", 5),
        ("count", "7", 7),
        ("C", "1", 1.0),
        ("C", "0.5", 0.5),
        ("C", "1e3", 1000.0),
        ("signed", "false", False),
        ("mode", "repaired", "repaired"),
        ("shots", "3,1", [1, 3]),
        ("shots", "[2, 5, 2]", [2, 5]),
        ("shots", "7", [7]),
        ("grid", "1, 2.5", [1.0, 2.5]),
        ("conditions", "far, plain,far", ("far", "plain")),
        ("setting", "related", "related"),
        ("background", "clutter", "clutter"),
        ("categories", "x,y z", ["x", "y z"]),
    ],
)
def test_a_value_is_read_as_the_kind_that_stands_there(settle, key, text, value):
    settings = settle(**{key: text})
    held = {**settings.parameters, **settings.data, "seeds": settings.seeds, "conditions": settings.conditions}
    assert held[key] == value
    assert type(held[key]) is type(value)
    assert [type(item) for item in value] == [type(item) for item in held[key]] if isinstance(value, list) else True
    assert list(settings.changed) == [key]
    untouched = settle()
    assert {k: v for k, v in settings.parameters.items() if k != key} == {
        k: v for k, v in untouched.parameters.items() if k != key
    }


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("seeds", "0"),
        ("seeds", "-1"),
        ("seeds", "2.0"),
        ("seeds", "two"),
        ("seeds", ""),
        ("seeds", "true"),
        ("count", "2.5"),
        ("count", "true"),
        ("count", "0"),
        ("count", "[1]"),
        ("C", "-1"),
        ("C", "true"),
        ("C", "much"),
        ("C", "nan"),
        ("signed", "1"),
        ("signed", "yes"),
        ("mode", "fixed"),
        ("shots", ""),
        ("shots", "1,two"),
        ("shots", "1.5"),
        ("shots", "0,1"),
        ("conditions", ""),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_key(settle, key, text):
    with pytest.raises(ProtocolError, match=rf"\b{key.removesuffix('s')}s?\b"):
        settle(**{key: text})


def test_what_is_set_to_its_own_value_is_no_change(settle):
    same = {"C": "2.5", "shots": "1,2,4", "seeds": "2", "conditions": "plain,left,right", "setting": "mixed"}
    assert settle(**same).changed == {}
    assert settle(**same) == settle()
    assert settle(**same, count="9", mode="repaired").changed == {"count": 9, "mode": "repaired"}


def test_conditions_named_twice_are_no_change(settle):
    assert settle(conditions="plain,plain,left,right,left") == settle()
    assert settle(conditions="plain,far,plain").changed == {"conditions": ["plain", "far"]}


def test_a_profile_comes_before_a_data_set(toy):
    toy.content["datasets"] = {"digits": {"shots": [1, 2], "count": 5, "C": 4.0}}
    toy.content["profiles"]["tiny"]["choices"] = {"count": 3}
    declared = protocol.parse(toy.content, "toy.toml")
    settings = resolve(declared, toy.study, "tiny", {}, "digits")
    assert settings.factors == {"shots": [1, 4]}
    assert (settings.choices["count"], settings.choices["C"]) == (3, 4.0)
    assert resolve(declared, toy.study, "short", {}, "digits").factors == {"shots": [1, 2]}
    assert resolve(declared, toy.study, "short", {}, "folder").factors == {"shots": [1, 2, 4]}


def test_a_data_set_that_there_is_not_is_answered_with_the_nearest(toy, settle):
    toy.content["datasets"] = {"digitz": {"count": 5}}
    with pytest.raises(ProtocolError, match="there is no data set 'digitz'; did you mean 'digits'"):
        settle()
    toy.content["datasets"] = {"folder": {"count": 5}}
    settle()


@pytest.mark.parametrize("where", ["factors", "profile", "dataset"])
def test_levels_of_mixed_kinds_are_refused(toy, where):
    mixed = {"shots": [1, "two", 4]}
    if where == "factors":
        toy.content["factors"] = mixed
    toy.content["profiles"]["tiny"]["factors"] = mixed if where == "profile" else {}
    toy.content["datasets"] = {"digits": mixed} if where == "dataset" else {}
    with pytest.raises(ProtocolError, match="'shots' mixes numbers and names"):
        resolve(protocol.parse(toy.content, "toy.toml"), toy.study, "tiny", {}, "digits")


def test_too_many_seeds_of_a_profile_are_named(toy, settle):
    toy.content["profiles"]["short"]["seeds"] = 1_000_000
    with pytest.raises(ProtocolError, match="from 1 to 100,000, not 1000000"):
        settle()


def test_a_choice_among_few_is_answered_with_all_of_them(settle):
    with pytest.raises(ProtocolError, match="toy: mode: there is no 'keep'; known are kept, repaired; did you mean"):
        settle(mode="keep")
    with pytest.raises(ProtocolError, match=r"mode: there is no 'x'; known are kept, repaired$"):
        settle(mode="x")


def test_unknown_names_are_answered_with_the_nearest(settle):
    with pytest.raises(ProtocolError, match="toy has no key 'cont' to set; did you mean 'count'"):
        settle(cont="1")
    with pytest.raises(ProtocolError, match="no condition 'rihgt'; did you mean 'right'"):
        settle(conditions="plain,rihgt")
    with pytest.raises(ProtocolError, match="toy has no profile 'shrt'; did you mean 'short'"):
        settle("shrt")


def test_a_profile_may_set_only_factors(toy, settle):
    toy.content["profiles"]["tiny"]["factors"] = {"sorts": [1]}
    with pytest.raises(ProtocolError, match="sorts"):
        settle("tiny")


def test_a_choice_that_the_study_lacks_is_named(toy, settle):
    toy.content["choices"]["cuont"] = {"value": 1, "why": "mistyped"}
    with pytest.raises(ProtocolError, match="unknown key 'cuont'; did you mean 'count'"):
        settle()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"of": {"condition": "rihgt"}}, "no condition 'rihgt'; did you mean 'right'"),
        ({"to": {"condition": ["plain", "lft"]}}, "no condition 'lft'; did you mean 'left'"),
        ({"over": {"shot": [1]}}, "no column 'shot'; did you mean 'shots'"),
    ],
)
def test_a_claim_speaks_of_what_there_is(toy, settle, change, says):
    toy.content["claims"][0].update(change)
    with pytest.raises(ProtocolError, match=f"'right-beats-plain': there is {says}"):
        settle()


def test_a_slope_runs_along_a_factor(toy, settle):
    toy.content["claims"][1]["along"] = "shts"
    with pytest.raises(ProtocolError, match="'gain-falls': there is no column 'shts'; did you mean 'shots'"):
        settle()


# Blocks


def test_a_key_is_the_hash_of_the_canonical_identity():
    canonical = json.dumps(
        {
            "study": "toy_study",
            "version": 3,
            "unit": "dög",
            "splits": [0, 1],
            "group": "sided",
            "conditions": ["left", "right"],
            "parameters": {"C": 2.5, "shots": [1, 2], "m": "x"},
            "data": "print",
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    assert BLOCK.key == hashlib.sha256(canonical.encode()).hexdigest()[:40]


@pytest.mark.parametrize(
    "change",
    [
        {"study": "other"},
        {"version": 4},
        {"unit": "dog"},
        {"splits": (0, 2)},
        {"splits": (0,)},
        {"group": "far"},
        {"conditions": ("left",)},
        {"data": "prints"},
        {"parameters": {**BLOCK.parameters, "C": 2.5000001}},
        {"parameters": {**BLOCK.parameters, "shots": [1, 2, 3]}},
        {"parameters": {**BLOCK.parameters, "m": "y"}},
        {"parameters": {**BLOCK.parameters, "n": 0}},
    ],
)
def test_a_key_changes_with_everything_in_the_identity(change):
    assert dataclasses.replace(BLOCK, **change).key != BLOCK.key


VALUES = st.one_of(
    st.booleans(), st.integers(-(2**50), 2**50), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)


@given(parameters=st.dictionaries(st.text(max_size=8), VALUES, max_size=6), shuffle=st.randoms())
def test_a_key_does_not_know_the_order_of_parameters(parameters, shuffle):
    items = list(parameters.items())
    shuffle.shuffle(items)
    assert (
        dataclasses.replace(BLOCK, parameters=dict(items)).key == dataclasses.replace(BLOCK, parameters=parameters).key
    )


@given(first=VALUES, second=VALUES)
def test_different_values_have_different_hashes(first, second):
    same = type(first) is type(second) and repr(first) == repr(second)
    assert (digest({"x": first}) == digest({"x": second})) == same


def test_a_key_is_the_same_in_every_process():
    program = (
        "from tlbench.study import Block\n"
        "p = {name: i for i, name in enumerate({'a', 'b', 'c', 'd', 'e'})}\n"
        "q = {name: p[name] - p[name] for name in p}\n"
        "print(Block('s', 1, 'u', (0,), 'g', ('c',), q, 'd').key)"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(keys) == 1


def test_blocks_are_units_by_batches_by_groups(toy):
    plan = toy.plan({"seeds": "25"})
    batches = [tuple(range(10)), tuple(range(10, 20)), tuple(range(20, 25))]
    assert [(b.unit, b.splits, b.group, b.conditions) for b in plan.blocks] == [
        (unit, splits, group, conditions)
        for unit in ("b", "a")
        for splits in batches
        for group, conditions in (("plain", ("plain",)), ("sided", ("left", "right")))
    ]
    assert len({block.key for block in plan.blocks}) == len(plan.blocks)


def test_a_condition_at_levels_of_its_own_is_told_apart(toy):
    plan = toy.plan()
    assert plan.own_levels == {}
    still = [
        dataclasses.replace(block, parameters={**block.parameters, "shots": 0}) if block.group == "plain" else block
        for block in plan.blocks
    ]
    assert dataclasses.replace(plan, blocks=tuple(still)).own_levels == {"plain": {"shots": [0]}}


@pytest.mark.parametrize("seeds", [1, 9, 10, 11, 20, 31])
def test_every_split_is_in_exactly_one_batch(toy, seeds):
    plan = toy.plan({"seeds": str(seeds)})
    mine = [s for block in plan.blocks if (block.unit, block.group) == ("a", "plain") for s in block.splits]
    assert mine == list(range(seeds))


def keys(plan):
    return {block.key for block in plan.blocks}


def test_a_further_condition_adds_only_its_group(toy):
    few, more = toy.plan({"conditions": "plain,right"}), toy.plan({"conditions": "plain,right,far"})
    assert keys(few) < keys(more)
    assert {block.group for block in more.blocks if block.key not in keys(few)} == {"far"}
    assert len(keys(more) - keys(few)) == 2


def test_further_units_and_batches_leave_the_others_alone(toy):
    assert keys(toy.plan({"seeds": "10"})) < keys(toy.plan({"seeds": "20"}))
    assert keys(toy.plan(units=("a", "b"))) < keys(toy.plan(units=("c", "b", "a")))


@pytest.mark.parametrize(
    "overrides", [{"C": "3"}, {"count": "11"}, {"signed": "false"}, {"mode": "repaired"}, {"shots": "1"}, {"grid": "1"}]
)
def test_every_parameter_moves_every_key_and_the_short_hash(toy, overrides):
    usual, changed = toy.plan(), toy.plan(overrides)
    assert not keys(usual) & keys(changed)
    assert usual.short_hash != changed.short_hash


def test_data_and_version_move_every_key(toy):
    usual = toy.plan()
    for other in (toy.plan(data="other"), toy.plan(study=dataclasses.replace(toy.study, version=4))):
        assert not keys(usual) & keys(other)
        assert usual.short_hash != other.short_hash


def test_words_claims_and_figures_move_no_key(toy):
    usual = toy.plan()
    content = {
        **toy.content,
        "claims": [],
        "figures": [],
        "asks": "Else?",
        "name": "mine",
        "source": "me",
        "oracles": [],
    }
    content["choices"] = {key: {**choice, "why": "because"} for key, choice in content["choices"].items()}
    content["profiles"] = {"brief": toy.content["profiles"]["short"]}
    content["default_profile"] = "brief"
    other = toy.plan(content=content)
    assert [block.key for block in other.blocks] == [block.key for block in usual.blocks]
    assert other.short_hash == usual.short_hash


def test_where_the_data_come_from_is_in_the_fingerprint_alone(toy):
    assert keys(toy.plan({"setting": "related", "categories": "a,c"})) == keys(toy.plan())


def test_the_short_hash_is_seven_digits_of_the_plan(toy):
    plan = toy.plan()
    assert len(plan.short_hash) == 7
    assert set(plan.short_hash) <= set("0123456789abcdef")
    assert plan.short_hash == toy.plan().short_hash != toy.plan(units=("a",)).short_hash


def test_a_task_is_the_groups_of_one_unit_and_batch(toy):
    plan = toy.plan({"seeds": "12"})
    missing = [block for place, block in enumerate(plan.blocks) if place != 2]
    tasks = list(plan.tasks(missing))
    assert [block for task in tasks for block in task] == missing
    assert all(len({block.task for block in task}) == 1 for task in tasks)
    assert len({task[0].task for task in tasks}) == len(tasks) == 4
