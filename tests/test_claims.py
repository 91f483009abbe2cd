"""Verdicts: every formula against another way to the same number, and against chance itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tlbench import claims, protocol
from tlbench.claims import ClaimError, Finding, assess, detectable, holm, mean_interval, paired_p, select, unit_effects
from tlbench.protocol import Claim, Expectation

SHOTS = [1, 2, 4, 8]
FACTORS = {"shots": SHOTS}
SAMPLES = st.lists(st.floats(-50, 50), min_size=4, max_size=12).filter(lambda values: np.std(values) > 1e-3)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


def claim(**keys):
    usual = {
        "id": "c",
        "says": "s",
        "source": "w",
        "test": "difference",
        "of": {"condition": "new"},
        "to": {"condition": "old"},
    }
    return Claim(**{**usual, **keys})


def measured(values):
    """A table of measurements from value(unit, split, condition, shots) over six units and two splits."""
    rows = [
        (f"u{unit}", split, condition, shots, float(values(unit, split, condition, shots)))
        for unit in range(6)
        for split in range(2)
        for condition in ("old", "new")
        for shots in SHOTS
    ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"]).assign(metric="accuracy")


def of_effects(effects):
    """A table where the new condition differs from the old by the given effect in each unit, everywhere alike."""
    rows = [
        (f"u{unit}", 0, condition, shots, 60.0 + shots + (effect if condition == "new" else 0.0))
        for unit, effect in enumerate(effects)
        for condition in ("old", "new")
        for shots in SHOTS
    ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"]).assign(metric="accuracy")


def judge(toy, table, *declared):
    content = {**toy.content, "claims": []}
    whole = protocol.parse(content, "toy")
    whole = protocol.Protocol(**{name: getattr(whole, name) for name in whole.__struct_fields__} | {"claims": declared})
    return assess(whole, table, FACTORS)


# The t test


@given(values=SAMPLES)
def test_p_is_that_of_a_one_sample_t_test(values):
    expected = scipy.stats.ttest_1samp(values, 0.0).pvalue
    assert paired_p(np.array(values)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_p_of_a_worked_example():
    # Student's own data (Biometrika 1908): the extra sleep of ten patients; t = 4.0621, nine degrees of freedom.
    extra = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert paired_p(extra) == pytest.approx(0.002833, abs=1e-6)
    assert mean_interval(extra, 0.95) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-6)


def test_differences_without_spread():
    assert paired_p(np.full(5, 2.0)) == 0.0
    assert paired_p(np.full(5, -0.1 - 0.2)) == 0.0
    assert paired_p(np.zeros(5)) == 1.0
    # Equal but for rounding in the last digit, as differences of percentages are.
    assert paired_p(np.array([0.3, 0.1 + 0.2, 0.3, 0.3])) == 0.0
    assert paired_p(np.array([1e-15, -1e-15, 0.0, 0.0])) == 1.0


@given(values=SAMPLES, level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_are_those_of_student(values, level):
    low, high = scipy.stats.t.interval(level, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    assert mean_interval(np.array(values), level) == pytest.approx((np.mean(values), low, high), rel=1e-9, abs=1e-9)


def test_one_value_has_no_interval():
    mean, low, high = mean_interval(np.array([3.0]), 0.95)
    assert mean == 3.0
    assert math.isnan(low)
    assert math.isnan(high)


# Holm


def test_holm_on_a_worked_example():
    # Four tests: 4 × .005, 3 × .01, 2 × .03 (which also lifts .04, since 1 × .04 would be smaller).
    adjusted, levels = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert levels == pytest.approx([0.05 / 3, 0.05, 0.05 / 2, 0.05 / 4])


def closed_testing(p_values):
    """Each hypothesis falls where every intersection that contains it falls by Bonferroni's test."""
    places = range(len(p_values))
    subsets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(places, size)]
    bonferroni = {s: min(1.0, len(s) * min(p_values[i] for i in s)) for s in subsets}
    return [max(p for subset, p in bonferroni.items() if place in subset) for place in places]


@given(p_values=P_VALUES)
def test_holm_is_closed_testing_with_bonferroni(p_values):
    assert holm(p_values)[0] == pytest.approx(closed_testing(p_values), rel=1e-12)


@given(p_values=P_VALUES)
def test_holm_keeps_the_order_and_never_helps(p_values):
    adjusted, levels = holm(p_values)
    assert all(p <= q <= 1.0 for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert list(np.array(adjusted)[order]) == sorted(adjusted)
    assert list(np.array(levels)[order]) == pytest.approx([0.05 / n for n in range(len(p_values), 0, -1)])


@given(p_values=P_VALUES, places=st.lists(st.integers(0, 5), max_size=3))
def test_a_test_that_was_not_made_does_not_count(p_values, places):
    with_gaps = list(p_values)
    for place in places:
        with_gaps.insert(place, math.nan)
    adjusted, levels = holm(with_gaps)
    made = [not math.isnan(p) for p in with_gaps]
    assert [a for a, m in zip(adjusted, made, strict=True) if m] == holm(p_values)[0]
    assert [a for a, m in zip(levels, made, strict=True) if m] == holm(p_values)[1]
    assert all(math.isnan(a) and math.isnan(b) for a, b, m in zip(adjusted, levels, made, strict=True) if not m)


# Chance


@pytest.mark.parametrize(("count", "level"), [(4, 0.05), (6, 0.05 / 7), (10, 0.05), (10, 0.05 / 7)])
def test_what_is_called_detectable_is_found_four_times_in_five(count, level):
    draw = np.random.default_rng(count)
    pilot = draw.normal(3.0, 2.0, count)
    spread = np.std(pilot, ddof=1)
    samples = draw.normal(detectable(pilot, level), spread, (40_000, count))
    found = scipy.stats.ttest_1samp(samples, 0.0, axis=1).pvalue < level
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_what_is_detectable_grows_with_spread_and_strictness_and_shrinks_with_units():
    values = np.array([1.0, -1.0, 2.0, 0.0, 3.0, -2.0])
    assert detectable(3 * values, 0.05) == pytest.approx(3 * detectable(values, 0.05))
    assert detectable(values + 100, 0.05) == pytest.approx(detectable(values, 0.05))
    assert detectable(values, 0.01) > detectable(values, 0.05)
    assert detectable(np.tile(values, 3), 0.05) < detectable(values, 0.05)
    assert detectable(np.full(5, 2.0), 0.05) == 0.0


def test_nothing_is_found_too_often_where_there_is_nothing():
    draw = np.random.default_rng(1)
    samples = draw.normal(0.0, 1.0, (20_000, 6))
    wrong = np.mean([paired_p(values) < 0.05 for values in samples])
    assert wrong == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 20_000))


def test_a_family_of_claims_errs_in_one_of_twenty_at_most():
    draw = np.random.default_rng(2)
    families = draw.normal(0.0, 1.0, (3_000, 7, 8))
    families[:, :, 0] += draw.normal(0.0, 1.0, (3_000, 1))  # the claims of one experiment share units
    wrong = np.mean([min(holm([paired_p(values) for values in family])[0]) < 0.05 for family in families])
    assert 0.02 < wrong < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 3_000)


# The effect of a claim


def means(table):
    return table.groupby(["condition", "shots", "metric", "unit"], sort=False)["value"].mean().reset_index()


def irregular(unit, split, condition, shots):
    return (7 * unit + 3 * shots + 11 * split) % 13 + (condition == "new") * ((unit + 1) * 5 / shots + split)


@pytest.mark.parametrize(
    ("over", "kept"),
    [
        ({}, SHOTS),
        ({"shots": [1, 4]}, [1, 4]),
        ({"shots": {"from": 2}}, [2, 4, 8]),
        ({"shots": {"to": 2}}, [1, 2]),
        ({"shots": {"from": 2, "to": 4}}, [2, 4]),
        ({"shots": "most"}, [8]),
        ({"shots": 4}, [4]),
    ],
)
def test_a_difference_is_averaged_over_what_it_names(over, kept):
    table = measured(irregular)
    effects = unit_effects(claim(over=over), means(table), FACTORS)
    by_hand = [
        np.mean([irregular(u, s, "new", n) - irregular(u, s, "old", n) for s in range(2) for n in kept])
        for u in range(6)
    ]
    np.testing.assert_allclose(effects, by_hand, rtol=1e-12)


def test_a_slope_is_that_of_a_line_through_doublings():
    table = measured(irregular)
    keys = {"test": "slope", "along": "shots", "direction": "falls"}
    for over, kept in (({}, SHOTS), ({"shots": {"from": 2}}, [2, 4, 8])):
        effects = unit_effects(claim(over=over, **keys), means(table), FACTORS)
        by_hand = [
            np.polyfit(
                np.log2(kept),
                [np.mean([irregular(u, s, "new", n) - irregular(u, s, "old", n) for s in range(2)]) for n in kept],
                1,
            )[0]
            for u in range(6)
        ]
        np.testing.assert_allclose(effects, by_hand, rtol=1e-9)
    # Losing exactly three points a doubling.
    falling = measured(lambda unit, split, condition, shots: (condition == "new") * (20 - 3 * math.log2(shots)) + unit)
    np.testing.assert_allclose(unit_effects(claim(**keys), means(falling), FACTORS), -3.0, rtol=1e-12)


def test_units_are_paired_by_name_and_not_by_place():
    table = measured(irregular)
    shuffled = table.sample(frac=1.0, random_state=3)
    expected = np.sort(unit_effects(claim(), means(table), FACTORS))
    np.testing.assert_allclose(np.sort(unit_effects(claim(), means(shuffled), FACTORS)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"of": {"condition": "newer"}}, "newer"),
        ({"over": {"shots": [1, 3]}}, "shots 3 was not run"),
        ({"over": {"shots": 3}}, "no results"),
        ({"over": {"shots": {"from": 9}}}, "no results"),
        ({"over": {"shot": [1]}}, "no column 'shot'"),
        ({"over": {"unit": "most"}}, "unit"),
        ({"test": "slope", "along": "shots", "direction": "falls", "over": {"shots": [2]}}, "two levels"),
    ],
)
def test_a_claim_on_what_was_not_run_is_missing_with_its_reason(toy, keys, reason):
    (finding,) = judge(toy, measured(irregular), claim(**keys))
    assert finding.verdict == "missing"
    assert reason in finding.reason
    assert math.isnan(finding.effect)
    assert math.isnan(finding.p_holm)


@pytest.mark.parametrize("keys", [{}, {"test": "slope", "along": "shots", "direction": "falls"}])
def test_a_side_that_lacks_a_unit_is_missing_and_not_left_out(toy, keys):
    table = measured(irregular)
    table = table[~((table["unit"] == "u3") & (table["condition"] == "old"))]
    (finding,) = judge(toy, table, claim(**keys))
    assert finding.verdict == "missing"
    assert "not both measured" in finding.reason


def test_select_takes_rows_and_changes_none():
    table = means(measured(irregular))
    whole = select(table, {}, FACTORS)
    pd.testing.assert_frame_equal(whole, table)
    some = select(table, {"condition": "old", "unit": ["u1", "u4"], "shots": {"from": 4}}, FACTORS)
    assert set(zip(some["condition"], some["unit"], some["shots"], strict=True)) == {
        ("old", unit, shots) for unit in ("u1", "u4") for shots in (4, 8)
    }
    with pytest.raises(ClaimError, match="u9"):
        select(table, {"unit": ["u1", "u9"]}, FACTORS)


# Verdicts

SMALL = np.array([0.1, -0.2, 0.15, -0.1, 0.05, 0.0])


@pytest.mark.parametrize(
    ("effects", "keys", "verdict"),
    [
        (5 + SMALL, {}, "reproduced"),
        (-5 + SMALL, {}, "contradicted"),
        (SMALL, {}, "inconclusive"),
        (50 * SMALL + 1, {}, "inconclusive"),
        (np.full(6, 2.0), {}, "reproduced"),
        (np.zeros(6), {}, "inconclusive"),
        (5 + SMALL, {"test": "not_worse", "margin": 1.0}, "reproduced"),
        (-0.5 + SMALL, {"test": "not_worse", "margin": 1.0}, "reproduced"),
        (-1.0 + SMALL, {"test": "not_worse", "margin": 1.0}, "inconclusive"),
        (-1.5 + SMALL, {"test": "not_worse", "margin": 1.0}, "contradicted"),
        (50 * SMALL, {"test": "not_worse", "margin": 1.0}, "inconclusive"),
        (np.full(6, -1.0), {"test": "not_worse", "margin": 1.0}, "inconclusive"),
        (5 + SMALL[:4], {}, "reproduced"),
        (5 + SMALL[:3], {}, "shown, not tested"),
        (5 + SMALL[:1], {}, "shown, not tested"),
    ],
)
def test_verdicts(toy, effects, keys, verdict):
    (finding,) = judge(toy, of_effects(effects), claim(**keys))
    assert finding.verdict == verdict
    assert finding.units == len(effects)
    assert finding.effect == pytest.approx(np.mean(effects), abs=1e-9)
    assert math.isnan(finding.p) == math.isnan(finding.p_holm) == (len(effects) < 4)
    assert math.isnan(finding.detectable) == (verdict != "inconclusive")
    if len(effects) > 1:
        assert (finding.low, finding.high) == pytest.approx(mean_interval(np.array(effects), 0.95)[1:], abs=1e-9)


def test_not_worse_is_tested_against_its_margin(toy):
    effects = -0.4 + SMALL
    (finding,) = judge(toy, of_effects(effects), claim(test="not_worse", margin=1.0))
    assert finding.p == pytest.approx(scipy.stats.ttest_1samp(effects, -1.0).pvalue, rel=1e-9)


@pytest.mark.parametrize(
    ("direction", "slope", "verdict"),
    [
        ("rises", 2, "reproduced"),
        ("rises", -2, "contradicted"),
        ("falls", -2, "reproduced"),
        ("falls", 2, "contradicted"),
    ],
)
def test_a_slope_has_a_direction(toy, direction, slope, verdict):
    table = measured(lambda u, s, c, n: 50 + (c == "new") * (slope + SMALL[u]) * math.log2(n))
    (finding,) = judge(toy, table, claim(test="slope", along="shots", direction=direction))
    assert finding.verdict == verdict
    assert finding.effect == pytest.approx(slope + SMALL.mean())


def test_equivalent_is_an_interval_within_the_margin_that_no_test_decides(toy):
    # Not worse alone, two-sided p against −1 is .02: with three more tests that find nothing, Holm asks for .0125.
    effects = np.array([0.9, -0.9, 0.6, -0.7, 0.5, -0.9])
    p = scipy.stats.ttest_1samp(effects, -1.0).pvalue
    assert 0.0125 < p < 0.05
    null = [claim(id=f"n{number}", over={"shots": [shots]}) for number, shots in enumerate((1, 2, 4))]
    (alone,) = judge(toy, of_effects(effects), claim(test="not_worse", margin=1.0))
    assert alone.verdict == "reproduced"
    findings = judge(toy, of_effects(effects), claim(test="not_worse", margin=1.0), *null)
    low, high = scipy.stats.t.interval(0.90, 5, effects.mean(), scipy.stats.sem(effects))
    assert -1.0 < low < high < 1.0
    assert findings[0].p_holm == pytest.approx(4 * p)
    assert [finding.verdict for finding in findings] == ["equivalent"] + ["inconclusive"] * 3


@pytest.mark.parametrize(("error", "verdict"), [(0.18, "equivalent"), (0.21, "inconclusive")])
def test_equivalence_asks_for_the_ninety_percent_interval(toy, error, verdict):
    # Six units with mean −0.6: the 95 % interval (± 2.571 errors) passes −1 either way, the 90 % one (± 2.015) at 0.21.
    pattern = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    effects = -0.6 + pattern * error * math.sqrt(5)
    assert scipy.stats.sem(effects) == pytest.approx(error)
    (finding,) = judge(toy, of_effects(effects), claim(test="not_worse", margin=1.0))
    assert finding.verdict == verdict


def test_claims_of_one_experiment_are_held_against_each_other(toy):
    table = of_effects(np.array([1.2, 2.4, -1.3, 1.3, 0.4, 1.0]))
    declared = [claim(id=f"c{number}", over={"shots": [shots]}) for number, shots in enumerate(SHOTS)]
    (alone,) = judge(toy, table, declared[0])
    together = judge(toy, table, *declared)
    assert alone.p_holm == alone.p
    assert [finding.p_holm for finding in together] == pytest.approx([min(1.0, 4 * alone.p)] * 4)
    missing = judge(toy, table, declared[0], claim(id="m", of={"condition": "newer"}))
    assert missing[0].p_holm == alone.p, "a claim that cannot be tested does not count"


def test_an_inconclusive_claim_says_what_would_have_been_found(toy):
    effects = np.array([1.2, 2.4, -1.3, 1.3, 0.4, -1.0])
    (finding,) = judge(toy, of_effects(effects), claim())
    assert finding.verdict == "inconclusive"
    assert finding.detectable == pytest.approx(detectable(effects, 0.05))


@pytest.mark.parametrize("verdict", ["reproduced", "contradicted", "equivalent", "inconclusive", "shown, not tested"])
def test_what_is_expected(verdict):
    plain = Finding(claim(), verdict=verdict)
    assert plain.expected("digits") == (verdict != "contradicted")
    told = Finding(claim(expects={"digits": Expectation(verdict="contradicted", why="w")}), verdict=verdict)
    assert told.expected("digits") == (verdict == "contradicted")
    assert told.expected("other") == (verdict != "contradicted")


def test_a_missing_verdict_is_never_expected():
    assert not Finding(claim()).expected("digits")


def test_the_table_of_claims(toy):
    findings = judge(toy, of_effects(5 + SMALL), claim(), claim(id="m", of={"condition": "newer"}))
    table = claims.as_table(findings)
    assert ",".join(table.columns) == "claim,says,source,effect,low,high,p,p_holm,units,verdict"
    first, second = table.to_dict("records")
    assert (first["claim"], first["says"], first["source"], first["units"], first["verdict"]) == (
        "c",
        "s",
        "w",
        6,
        "reproduced",
    )
    assert (first["effect"], first["p"]) == (findings[0].effect, findings[0].p)
    assert (second["claim"], second["units"], second["verdict"]) == ("m", 0, "missing")
