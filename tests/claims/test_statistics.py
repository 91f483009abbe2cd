"""Every formula against another way to the same number, and against chance itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tlbench.claims.statistics import holm, paired, two_groups

SPREAD = st.lists(st.floats(-50, 50), min_size=4, max_size=12).filter(lambda values: np.std(values) > 1e-3)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=5)
NULLS = st.floats(-20, 20)


# Pairs


@given(values=SPREAD, null=NULLS)
def test_p_is_that_of_a_one_sample_t_test(values, null):
    expected = scipy.stats.ttest_1samp(values, null).pvalue
    assert paired(np.array(values)).p(null) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(of=SPREAD, seed=st.integers(0, 99))
def test_p_is_that_of_a_paired_t_test(of, seed):
    to = np.array(of) + np.random.default_rng(seed).normal(size=len(of))
    expected = scipy.stats.ttest_rel(of, to).pvalue
    assert paired(np.array(of) - to).p(0.0) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_p_of_a_worked_example():
    # Student's own data (Biometrika 1908): the extra sleep of ten patients; t = 4.0621, nine degrees of freedom.
    extra = paired(np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]))
    assert extra.p(0.0) == pytest.approx(0.002833, abs=1e-6)
    assert (extra.mean, *extra.interval(0.95)) == pytest.approx((1.58, 0.7001142, 2.4598858), abs=1e-6)
    assert (extra.freedom, extra.groups, extra.units) == (9, (10,), 10)


def test_differences_without_spread():
    """Five equal effects are five equal signs: p = 2/32, whatever their size."""
    signs = scipy.stats.binomtest(5, 5).pvalue
    assert paired(np.full(5, 2.0)).p(0.0) == signs
    assert paired(np.full(5, -0.1 - 0.2)).p(0.0) == signs
    assert paired(np.zeros(5)).p(0.0) == 1.0
    # Equal but for rounding in the last digit, as differences of percentages are.
    assert paired(np.array([0.3, 0.1 + 0.2, 0.3, 0.3])).p(0.0) == scipy.stats.binomtest(4, 4).pvalue
    assert paired(np.array([1e-15, -1e-15, 0.0, 0.0])).p(0.0) == 1.0
    assert paired(np.full(5, -1.0)).p(-1.0) == 1.0
    assert [paired(np.full(5, 2.0)).score(null) for null in (1.0, 2.0, 3.0)] == [math.inf, 0.0, -math.inf]


@given(values=SPREAD, level=st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_intervals_are_those_of_student(values, level):
    expected = scipy.stats.t.interval(level, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    assert paired(np.array(values)).interval(level) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_one_value_has_no_interval():
    one = paired(np.array([3.0]))
    assert one.mean == 3.0
    assert all(map(math.isnan, one.interval(0.95)))


# Two groups


@given(of=SPREAD, to=SPREAD)
def test_two_groups_are_compared_as_by_welch(of, to):
    found = two_groups(np.array(of), np.array(to))
    expected = scipy.stats.ttest_ind(of, to, equal_var=False)
    assert found.mean == pytest.approx(np.mean(of) - np.mean(to))
    assert found.p(0.0) == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    interval = expected.confidence_interval(0.95)
    assert found.interval(0.95) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    assert found.freedom == pytest.approx(expected.df)
    assert (found.groups, found.units) == ((len(of), len(to)), min(len(of), len(to)))


@pytest.mark.parametrize(("of", "to"), [([1.0], [2.0, 3.0, 5.0]), ([1.0, 2.0], [4.0]), ([1.0], [0.0])])
def test_a_group_of_one_has_a_difference_and_no_interval(of, to):
    found = two_groups(np.array(of), np.array(to))
    assert found.mean == np.mean(of) - np.mean(to)
    assert found.units == 1
    assert all(map(math.isnan, found.interval(0.95)))


def test_groups_without_spread():
    found = two_groups(np.full(4, 3.0), np.full(5, 1.0))
    assert (found.mean, found.error, found.p(2.0)) == (2.0, 0.0, 1.0)
    exact = scipy.stats.permutation_test((np.full(4, 3.0), np.full(5, 1.0)), lambda a, b: a.mean() - b.mean())
    assert found.p(0.0) == pytest.approx(exact.pvalue)


# Equivalence


@given(values=SPREAD, margin=st.floats(0.1, 60))
def test_equivalence_is_two_one_sided_tests(values, margin):
    above = scipy.stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    below = scipy.stats.ttest_1samp(values, margin, alternative="less").pvalue
    assert paired(np.array(values)).p_equivalent(margin) == pytest.approx(max(above, below), rel=1e-6, abs=1e-12)


@given(values=SPREAD, margin=st.floats(0.1, 60))
def test_equivalence_at_five_percent_is_the_ninety_percent_interval_within_the_margin(values, margin):
    found = paired(np.array(values))
    low, high = found.interval(0.90)
    p = found.p_equivalent(margin)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (-margin < low and high < margin)


def test_equivalence_without_spread():
    found = paired(np.full(6, 0.5))
    assert [found.p_equivalent(margin) for margin in (1.0, 0.5, 0.2)] == [0.0, 0.5, 1.0]
    assert paired(np.zeros(6)).p_equivalent(1.0) == 0.0


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
    samples = draw.normal(paired(pilot).detectable(level), spread, (40_000, count))
    found = scipy.stats.ttest_1samp(samples, 0.0, axis=1).pvalue < level
    assert found.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(("count", "level"), [(4, 0.05), (8, 0.05 / 10), (8, 0.05)])
def test_a_margin_that_is_called_detectable_holds_no_difference_four_times_in_five(count, level):
    draw = np.random.default_rng(count)
    pilot = draw.normal(3.0, 2.0, count)
    margin = paired(pilot).detectable_margin(level)
    samples = draw.normal(0.0, np.std(pilot, ddof=1), (40_000, count))
    below = scipy.stats.ttest_1samp(samples, margin, axis=1, alternative="less").pvalue
    above = scipy.stats.ttest_1samp(samples, -margin, axis=1, alternative="greater").pvalue
    assert 0.795 < np.mean(np.maximum(below, above) < level) < 0.85


def test_what_is_detectable_grows_with_spread_and_strictness_and_shrinks_with_units():
    values = np.array([1.0, -1.0, 2.0, 0.0, 3.0, -2.0])
    for name in ("detectable", "detectable_margin"):
        found = {
            key: getattr(paired(sample), name)(level)
            for key, (sample, level) in {
                "usual": (values, 0.05),
                "wide": (3 * values, 0.05),
                "moved": (values + 100, 0.05),
                "strict": (values, 0.01),
                "many": (np.tile(values, 3), 0.05),
                "alike": (np.full(5, 2.0), 0.05),
            }.items()
        }
        assert found["wide"] == pytest.approx(3 * found["usual"])
        assert found["moved"] == pytest.approx(found["usual"])
        assert found["many"] < found["usual"] < found["strict"]
        assert found["alike"] == 0.0


def test_nothing_is_found_too_often_where_there_is_nothing():
    draw = np.random.default_rng(1)
    samples = draw.normal(0.0, 1.0, (20_000, 6))
    wrong = np.mean([paired(values).p(0.0) < 0.05 for values in samples])
    assert wrong == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 20_000))


def test_a_family_of_claims_errs_in_one_of_twenty_at_most():
    draw = np.random.default_rng(2)
    families = draw.normal(0.0, 1.0, (3_000, 7, 8))
    families[:, :, 0] += draw.normal(0.0, 1.0, (3_000, 1))  # the claims of one experiment share units
    wrong = np.mean([min(holm([paired(values).p(0.0) for values in family])[0]) < 0.05 for family in families])
    assert 0.02 < wrong < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 3_000)
