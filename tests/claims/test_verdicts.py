"""What each claim comes to, and whether that is expected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from tlbench.claims import Extent, Finding, as_table
from tlbench.claims.statistics import paired
from tlbench.protocol import Expectation

SMALL = np.array([0.1, -0.2, 0.15, -0.1, 0.05, 0.0])
NOT_WORSE = {"test": "not_worse", "margin": 1.0}
EQUIVALENT = {"test": "equivalent", "margin": 1.0}


@pytest.mark.parametrize(
    ("effects", "keys", "verdict"),
    [
        (5 + SMALL, {}, "reproduced"),
        (-5 + SMALL, {}, "contradicted"),
        (SMALL, {}, "inconclusive"),
        (50 * SMALL + 1, {}, "inconclusive"),
        (np.full(6, 2.0), {}, "reproduced"),
        (np.zeros(6), {}, "inconclusive"),
        (5 + SMALL, NOT_WORSE, "reproduced"),
        (-0.5 + SMALL, NOT_WORSE, "reproduced"),
        (-1.0 + SMALL, NOT_WORSE, "inconclusive"),
        (-1.5 + SMALL, NOT_WORSE, "contradicted"),
        (50 * SMALL, NOT_WORSE, "inconclusive"),
        (np.full(6, -1.0), NOT_WORSE, "inconclusive"),
        (SMALL, EQUIVALENT, "reproduced"),
        (0.5 + SMALL, EQUIVALENT, "reproduced"),
        (-0.5 + SMALL, EQUIVALENT, "reproduced"),
        (0.95 + SMALL, EQUIVALENT, "inconclusive"),
        (-1.0 + SMALL, EQUIVALENT, "inconclusive"),
        (1.5 + SMALL, EQUIVALENT, "contradicted"),
        (-1.5 + SMALL, EQUIVALENT, "contradicted"),
        (50 * SMALL, EQUIVALENT, "inconclusive"),
        (np.zeros(6), EQUIVALENT, "reproduced"),
        (np.full(6, 1.0), EQUIVALENT, "inconclusive"),
        (5 + SMALL[:4], {}, "reproduced"),
        (5 + SMALL[:3], {}, "shown, not tested"),
        (SMALL[:3], EQUIVALENT, "shown, not tested"),
        (5 + SMALL[:1], {}, "shown, not tested"),
    ],
)
def test_verdicts(made, effects, keys, verdict):
    (finding,) = made.judge(made.of_effects(effects), made.claim(**keys))
    assert finding.verdict == verdict
    assert finding.units == len(effects)
    assert finding.effect == pytest.approx(np.mean(effects), abs=1e-9)
    assert math.isnan(finding.p) == math.isnan(finding.p_holm) == (len(effects) < 4)
    assert math.isnan(finding.detectable) == (verdict != "inconclusive")
    if len(effects) > 1:
        assert (finding.low, finding.high) == pytest.approx(paired(np.array(effects)).interval(0.95), abs=1e-9)


def test_not_worse_is_tested_against_its_margin(made):
    effects = -0.4 + SMALL
    (finding,) = made.judge(made.of_effects(effects), made.claim(**NOT_WORSE))
    assert finding.p == pytest.approx(scipy.stats.ttest_1samp(effects, -1.0).pvalue, rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_p_of_an_equivalence_depends_on_the_side_of_the_margin(made, sign):
    """Within it, two one-sided tests; beyond it, the two-sided test against the margin that was passed."""
    effects = sign * (0.8 + 2 * SMALL)
    (finding,) = made.judge(made.of_effects(effects), made.claim(**EQUIVALENT))
    side = "less" if sign > 0 else "greater"
    expected = scipy.stats.ttest_1samp(effects, sign * 1.0, alternative=side).pvalue
    assert finding.p == pytest.approx(expected, rel=1e-9)
    effects = sign * (1.3 + SMALL)
    (finding,) = made.judge(made.of_effects(effects), made.claim(**EQUIVALENT))
    assert finding.p == pytest.approx(scipy.stats.ttest_1samp(effects, sign * 1.0).pvalue, rel=1e-9)


def test_an_inconclusive_equivalence_says_which_margin_would_have_been_shown(made):
    effects = np.array([1.2, 2.4, -1.3, 1.3, 0.4, -1.0])
    (finding,) = made.judge(made.of_effects(effects), made.claim(**EQUIVALENT))
    assert finding.detectable == pytest.approx(paired(effects).detectable_margin(0.05))


@pytest.mark.parametrize(
    ("direction", "slope", "verdict"),
    [
        ("rises", 2, "reproduced"),
        ("rises", -2, "contradicted"),
        ("falls", -2, "reproduced"),
        ("falls", 2, "contradicted"),
    ],
)
def test_a_slope_has_a_direction(made, direction, slope, verdict):
    table = made.measured(lambda u, s, c, n: 50 + (c == "new") * (slope + SMALL[u]) * math.log2(n))
    (finding,) = made.judge(table, made.claim(test="slope", along="shots", direction=direction))
    assert finding.verdict == verdict
    assert finding.effect == pytest.approx(slope + SMALL.mean())


def test_equivalent_is_an_interval_within_the_margin_that_no_test_decides(made):
    # Not worse alone, two-sided p against −1 is .02: with three more tests that find nothing, Holm asks for .0125.
    effects = np.array([0.9, -0.9, 0.6, -0.7, 0.5, -0.9])
    p = scipy.stats.ttest_1samp(effects, -1.0).pvalue
    assert 0.0125 < p < 0.05
    null = [made.claim(id=f"n{number}", over={"shots": [shots]}) for number, shots in enumerate((1, 2, 4))]
    (alone,) = made.judge(made.of_effects(effects), made.claim(**NOT_WORSE))
    assert alone.verdict == "reproduced"
    findings = made.judge(made.of_effects(effects), made.claim(**NOT_WORSE), *null)
    low, high = scipy.stats.t.interval(0.90, 5, effects.mean(), scipy.stats.sem(effects))
    assert -1.0 < low < high < 1.0
    assert findings[0].p_holm == pytest.approx(4 * p)
    assert [finding.verdict for finding in findings] == ["equivalent"] + ["inconclusive"] * 3


@pytest.mark.parametrize(("error", "verdict"), [(0.18, "equivalent"), (0.21, "inconclusive")])
def test_equivalence_asks_for_the_ninety_percent_interval(made, error, verdict):
    # Six units with mean −0.6: the 95 % interval (± 2.571 errors) passes −1 either way, the 90 % one (± 2.015) at 0.21.
    pattern = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    effects = -0.6 + pattern * error * math.sqrt(5)
    assert scipy.stats.sem(effects) == pytest.approx(error)
    (finding,) = made.judge(made.of_effects(effects), made.claim(**NOT_WORSE))
    assert finding.verdict == verdict


def test_claims_of_one_experiment_are_held_against_each_other(made):
    table = made.of_effects(np.array([1.2, 2.4, -1.3, 1.3, 0.4, 1.0]))
    declared = [made.claim(id=f"c{number}", over={"shots": [shots]}) for number, shots in enumerate(made.shots)]
    (alone,) = made.judge(table, declared[0])
    together = made.judge(table, *declared)
    assert alone.p_holm == alone.p
    assert [finding.p_holm for finding in together] == pytest.approx([min(1.0, 4 * alone.p)] * 4)
    missing = made.judge(table, declared[0], made.claim(id="m", of={"condition": "newer"}))
    assert missing[0].p_holm == alone.p, "a claim that cannot be tested does not count"


def test_an_inconclusive_claim_says_what_would_have_been_found(made):
    effects = np.array([1.2, 2.4, -1.3, 1.3, 0.4, -1.0])
    (finding,) = made.judge(made.of_effects(effects), made.claim())
    assert finding.verdict == "inconclusive"
    assert finding.detectable == pytest.approx(paired(effects).detectable(0.05))


def test_only_the_metric_of_the_protocol_counts(made):
    table = made.of_effects(5 + SMALL)
    other = made.of_effects(-50 + SMALL).assign(metric="train_loss")
    (alone,) = made.judge(table, made.claim())
    (beside,) = made.judge(
        other.__class__(np.vstack([other, table]), columns=table.columns).infer_objects(), made.claim()
    )
    assert (alone.effect, alone.p) == (beside.effect, beside.p)


# What is missing, and what was not meant to be run


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"of": {"condition": "newer"}}, "no results for condition newer"),
        ({"over": {"shots": [1, 3]}}, "shots 3 was not run"),
        ({"over": {"shots": 3}}, "no results"),
        ({"over": {"shots": {"from": 9}}}, "no results"),
        ({"test": "slope", "along": "shots", "direction": "falls", "over": {"shots": [2]}}, "two levels"),
        ({"relative_to": {"condition": "base"}}, "no results for condition base"),
        ({"test": "two_sample"}, "u0 is on both sides"),
    ],
)
def test_a_claim_on_what_is_not_there_is_missing_with_its_reason(made, keys, reason):
    (finding,) = made.judge(made.measured(made.irregular), made.claim(**keys))
    assert finding.verdict == "missing"
    assert reason in finding.reason
    assert math.isnan(finding.effect)
    assert math.isnan(finding.p_holm)


@pytest.mark.parametrize("keys", [{}, {"test": "slope", "along": "shots", "direction": "falls"}])
def test_a_side_that_lacks_a_unit_is_missing_and_not_left_out(made, keys):
    table = made.measured(made.irregular)
    table = table[~((table["unit"] == "u3") & (table["condition"] == "old"))]
    (finding,) = made.judge(table, made.claim(**keys))
    assert finding.verdict == "missing"
    assert "not both measured" in finding.reason


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"over": {"shots": [1, 8]}}, "shots 8"),
        ({"over": {"shots": [4, 8, 1]}}, "shots 4, 8"),
        ({"over": {"shots": 4}}, "shots 4"),
        ({"over": {"shots": {"from": 4}}}, "shots from 4"),
        ({"over": {"shots": {"from": 4, "to": 8}}}, "shots from 4 to 8"),
        ({"to": {"condition": "old", "shots": 8}}, "shots 8"),
        ({"to": [{"condition": "old"}, {"condition": "old", "shots": 8}]}, "shots 8"),
        ({"relative_to": {"condition": "old", "shots": 8}}, "shots 8"),
        ({"every": "shots", "over": {"shots": [2, 4]}}, "shots 4"),
        ({"of": {"condition": "newer"}}, "condition newer"),
        ({"relative_to": {"condition": "base"}}, "condition base"),
        (
            {"test": "slope", "along": "shots", "direction": "falls", "over": {"shots": {"from": 2}}},
            "two levels of shots",
        ),
    ],
)
def test_a_claim_on_what_the_run_was_not_meant_to_cover_is_not_run(made, keys, reason):
    table = made.measured(made.irregular)
    extent = Extent({"shots": [1, 2]}, ("old", "new"))
    (finding,) = made.judge(table[table["shots"] <= 2], made.claim(**keys), factors=extent)
    assert (finding.verdict, finding.reason) == ("not run", reason)
    assert math.isnan(finding.effect)
    assert finding.expected("digits")


@pytest.mark.parametrize(
    "keys",
    [
        {"over": {"shots": [1, 2]}},
        {"over": {"shots": {"from": 2}}},  # the protocol's 4 and 8 were not run; what was, will do
        {"over": {"shots": "most"}},
        {"over": {"shots": 8}, "of": {"condition": "new", "shots": 1}, "to": {"condition": "old", "shots": 2}},
        {"every": "shots"},
    ],
)
def test_a_claim_on_what_the_run_covers_is_tested(made, keys):
    table = made.measured(made.irregular)
    extent = Extent({"shots": [1, 2]}, ("old", "new"))
    (finding,) = made.judge(table[table["shots"] <= 2], made.claim(**keys), factors=extent)
    assert finding.verdict in ("reproduced", "inconclusive")


@pytest.mark.parametrize(
    "keys",
    [{"over": {"shots": [1, 2]}}, {"test": "slope", "along": "shots", "direction": "rises"}],
)
def test_a_factor_that_a_table_does_not_tell_of_is_missing_and_no_reason_to_stop(made, keys):
    """As of numbers that others published, which need not vary what the protocol varies."""
    table = made.measured(made.irregular).drop(columns="shots").drop_duplicates(["unit", "condition", "split"])
    (finding,) = made.judge(table, made.claim(**keys), factors=Extent({}))
    assert finding.verdict == "missing"
    assert "shots" in finding.reason


def test_what_was_planned_and_is_absent_stays_missing(made):
    table = made.measured(made.irregular)
    extent = Extent({"shots": [1, 2, 4, 8]}, ("old", "new", "newer"))
    absent = [made.claim(over={"shots": [1, 8]}), made.claim(id="n", of={"condition": "newer"})]
    # A level that is none of the factor's, such as the zero of a base, is for the table to have.
    absent.append(made.claim(id="z", to={"condition": "old", "shots": 0}))
    findings = made.judge(table[table["shots"] <= 2], *absent, factors=extent)
    assert [finding.verdict for finding in findings] == ["missing"] * 3
    assert not any(finding.expected("digits") for finding in findings)


def test_what_was_not_run_does_not_count_among_the_claims(made):
    table = made.of_effects(np.array([1.2, 2.4, -1.3, 1.3, 0.4, 1.0]))
    extent = Extent(made.factors, ("old", "new"))
    tested, left = made.judge(table, made.claim(), made.claim(id="m", of={"condition": "newer"}), factors=extent)
    assert left.verdict == "not run"
    assert tested.p_holm == tested.p


# Expectations and the table


@pytest.mark.parametrize("verdict", ["reproduced", "contradicted", "equivalent", "inconclusive", "shown, not tested"])
def test_what_is_expected(made, verdict):
    plain = Finding(made.claim(), verdict=verdict)
    assert plain.expected("digits") == (verdict != "contradicted")
    expects = {"digits": Expectation(verdict="contradicted", why="w")}
    told = Finding(made.claim(expects=expects), verdict=verdict)
    assert told.expected("digits") == (verdict not in ("reproduced", "equivalent"))
    assert told.expected("other") == (verdict != "contradicted")
    assert Finding(made.claim(expects=expects), verdict="not run").expected("digits")


def test_a_missing_verdict_is_never_expected(made):
    assert not Finding(made.claim()).expected("digits")


def test_the_table_of_claims(made):
    findings = made.judge(made.of_effects(5 + SMALL), made.claim(), made.claim(id="m", of={"condition": "newer"}))
    table = as_table(findings)
    assert ",".join(table.columns) == "claim,says,source,effect,low,high,p,p_holm,units,verdict"
    first, second = table.to_dict("records")
    assert {key: first[key] for key in ("claim", "says", "source", "units", "verdict")} == {
        "claim": "c",
        "says": "s",
        "source": "w",
        "units": 6,
        "verdict": "reproduced",
    }
    assert (first["effect"], first["p"]) == (findings[0].effect, findings[0].p)
    assert (second["claim"], second["units"], second["verdict"]) == ("m", 0, "missing")
