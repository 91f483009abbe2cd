"""What is found out about a protocol file: every claim, figure and profile by itself, and one block of it."""

import tomllib

import pytest
from msgspec import structs

from tlbench import protocol
from tlbench.validation.checks import Check
from tlbench.validation.one_block import try_one_block
from tlbench.validation.protocols import try_protocol

CLAIM = 'of     = { condition = "multi-weighted" }'


@pytest.fixture
def changed():
    """The shipped protocol under another name, some of its text replaced."""

    def change(*replaced):
        text = protocol.shipped()["caltech-multisource"].read_text(encoding="utf-8")
        for old, new in (('= "caltech-multisource"', '= "mine"'), *replaced):
            assert old in text
            text = text.replace(old, new, 1)
        return protocol.parse(tomllib.loads(text), "mine.toml")

    return change


def by_name(checks):
    return {check.what: check for check in checks}


@pytest.mark.parametrize("name", sorted(protocol.shipped()))
def test_all_that_ship_are_well(name):
    declared = protocol.read(name)
    checks = by_name(try_protocol(declared, declared.data.default))
    assert {what: check.says for what, check in checks.items() if check.outcome != "ok"} == {}
    assert {f"claim {claim.id}" for claim in declared.claims} <= set(checks)
    assert {f"figure {figure.name}" for figure in declared.figures} <= set(checks)
    assert {f"profile {profile}" for profile in declared.profiles} <= set(checks)


@pytest.mark.parametrize(
    ("old", "new", "what", "words"),
    [
        (CLAIM, CLAIM.replace("weighted", "weigthed"), "claim weighted-beats-none", "did you mean 'multi-weighted'"),
        (CLAIM, CLAIM.replace("multi-weighted", "own:Mine"), "claim weighted-beats-none", "--method MODULE:Mine"),
        ('table       = "weights"', 'table       = "wieghts"', "figure weights", "did you mean 'weights'"),
        ('where       = { condition = "multi-weighted" }', 'where = { condition = "x" }', "figure weights", "'x'"),
        ("seeds   = 2", 'seeds   = 2\nchoices = { C = "large" }', "profile smoke", "C"),
        ('oracles = ["single-oracle"]', 'oracles = ["single-oracel"]', "the rest", "did you mean 'single-oracle'"),
    ],
)
def test_each_part_is_tried_by_itself(changed, old, new, what, words):
    checks = by_name(try_protocol(changed((old, new)), "digits"))
    assert {name for name, check in checks.items() if check.outcome == "problem"} == {what}
    assert words in checks[what].says
    assert checks["the rest"].outcome == ("problem" if what == "the rest" else "not tried")


@pytest.mark.parametrize(
    ("old", "new", "reference", "words"),
    [
        ('"source_weighting"', '"source_wieghting"', "digits", "did you mean 'source_weighting'"),
        ("oracles = [", 'methods = ["nothere_c:Mine"]\noracles = [', "digits", "there is no module 'nothere_c'"),
        ("oracles = [", "oracles = [", "digitz", "did you mean 'digits'"),
        ("oracles = [", "oracles = [", "cifar10", "is for networks"),
    ],
)
def test_without_study_and_data_nothing_more_is_tried(changed, old, new, reference, words):
    (check,) = try_protocol(changed((old, new)), reference)
    assert check.outcome == "problem"
    assert words in check.says


def test_what_a_claim_asks_of_profiles_is_said(changed):
    over = "over   = { shots = [1, 2, 3] }"
    checks = by_name(try_protocol(changed((over, "over   = { shots = [1, 12] }")), "digits"))
    assert "no profile has shots = 12" in checks["claim weighted-beats-none"].says
    smoke = ('default_profile = "paper"', 'default_profile = "smoke"')
    checks = by_name(try_protocol(changed(smoke, (over, "over   = { shots = [1, 4] }")), "digits"))
    assert checks["claim weighted-beats-none"] == Check(
        "claim weighted-beats-none", "ok", "profile smoke leaves out shots 4"
    )


def test_one_block(changed, tmp_path):
    checks = by_name(try_one_block(changed(), "caltech256-features", tmp_path))
    assert checks["plan of smoke on digits"].says == "54 blocks"
    assert checks["one block"].says == "zero, splits 0–1, none"
    assert checks["its tables and figures"].says == "measurements, sizes, figure curves"
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_the_data_do_not_bear(changed, tmp_path):
    too_many = ("shots = [1, 2, 3, 10]", "shots = [1, 900]")
    (check,) = try_one_block(changed(too_many), "digits", tmp_path)
    assert check.outcome == "problem"
    assert "900" in check.says


def test_data_that_are_not_here(tmp_path):
    declared = protocol.read("multitask-regression")
    assert by_name(try_one_block(declared, "school", tmp_path))["one block"].outcome == "ok"  # on what is embedded
    without = structs.replace(declared, data=structs.replace(declared.data, default="school"))
    (check,) = try_one_block(without, "school", tmp_path)
    assert check.outcome == "not tried"
    assert check.says == "school is not here; `tlbench data fetch school` fetches it"
