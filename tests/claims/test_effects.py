"""The effect of a claim, by brute force over the rows that it names."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tlbench.claims import ClaimError, Extent, effects, relative, select

SLOPE = {"test": "slope", "along": "shots", "direction": "falls"}


def only(found):
    (estimate,) = found.values()
    return estimate


@pytest.mark.parametrize(
    ("over", "kept"),
    [
        ({}, [1, 2, 4, 8]),
        ({"shots": [1, 4]}, [1, 4]),
        ({"shots": {"from": 2}}, [2, 4, 8]),
        ({"shots": {"to": 2}}, [1, 2]),
        ({"shots": {"from": 2, "to": 4}}, [2, 4]),
        ({"shots": "most"}, [8]),
        ({"shots": 4}, [4]),
    ],
)
def test_a_difference_is_averaged_over_what_it_names(made, over, kept):
    by_hand = [
        np.mean([made.irregular(u, s, "new", n) - made.irregular(u, s, "old", n) for s in range(2) for n in kept])
        for u in range(6)
    ]
    table = made.measured(made.irregular)
    np.testing.assert_allclose(made.values(made.claim(over=over), table), by_hand, rtol=1e-12)
    found = only(effects(made.claim(over=over), made.means(table), Extent(made.factors)))
    assert found.mean == pytest.approx(np.mean(by_hand))
    assert found.error == pytest.approx(scipy.stats.sem(by_hand))
    assert found.groups == (6,)


@pytest.mark.parametrize(("over", "kept"), [({}, [1, 2, 4, 8]), ({"shots": {"from": 2}}, [2, 4, 8])])
@pytest.mark.parametrize(("per", "scale"), [("doubling", np.log2), ("step", np.array)])
def test_a_slope_is_that_of_a_line(made, over, kept, per, scale):
    by_hand = [
        np.polyfit(
            scale(kept),
            [
                np.mean([made.irregular(u, s, "new", n) - made.irregular(u, s, "old", n) for s in range(2)])
                for n in kept
            ],
            1,
        )[0]
        for u in range(6)
    ]
    declared = made.claim(over=over, per=per, **SLOPE)
    np.testing.assert_allclose(made.values(declared, made.measured(made.irregular)), by_hand, rtol=1e-9)


def test_a_slope_of_exactly_three_points_a_doubling_or_a_step(made):
    falling = made.measured(lambda u, split, condition, n: (condition == "new") * (20 - 3 * math.log2(n)) + u)
    np.testing.assert_allclose(made.values(made.claim(**SLOPE), falling), -3.0, rtol=1e-12)
    falling = made.measured(lambda u, split, condition, n: (condition == "new") * (20 - 3 * n) + u)
    np.testing.assert_allclose(made.values(made.claim(per="step", **SLOPE), falling), -3.0, rtol=1e-12)


def test_units_are_paired_by_name_and_not_by_place(made):
    table = made.measured(made.irregular)
    shuffled = table.sample(frac=1.0, random_state=3)
    for keys in ({}, SLOPE):
        ordered, mixed = (
            only(effects(made.claim(**keys), made.means(one), Extent(made.factors))) for one in (table, shuffled)
        )
        assert (ordered.mean, ordered.error) == pytest.approx((mixed.mean, mixed.error), rel=1e-12)


# Sides of several parts


def test_a_side_of_several_parts_is_their_mean_with_equal_weight(made):
    # The old at one shot, and the new at all four: each counts half, not by its number of rows.
    parts = [{"condition": "old", "shots": 1}, {"condition": "new"}]
    by_hand = [
        np.mean(
            [
                (made.irregular(u, s, "old", 1) + np.mean([made.irregular(u, s, "new", n) for n in made.shots])) / 2
                - np.mean([made.irregular(u, s, "old", n) for n in made.shots])
                for s in range(2)
            ]
        )
        for u in range(6)
    ]
    table = made.measured(made.irregular)
    np.testing.assert_allclose(made.values(made.claim(of=parts), table), by_hand, rtol=1e-12)
    swapped = made.claim(of={"condition": "old"}, to=parts)
    np.testing.assert_allclose(made.values(swapped, table), -np.array(by_hand), rtol=1e-12)


def test_a_part_that_lacks_a_unit_is_an_error(made):
    table = made.measured(made.irregular)
    table = table[~((table["unit"] == "u3") & (table["condition"] == "new") & (table["shots"] == 8))]
    declared = made.claim(of=[{"condition": "new", "shots": 8}, {"condition": "old"}], to={"condition": "old"})
    with pytest.raises(ClaimError, match="condition new and shots 8 and condition old were not all measured"):
        effects(declared, made.means(table), Extent(made.factors))


# Each unit's own zero


def test_values_are_counted_from_the_units_own_zero(made):
    table = made.means(made.measured(made.irregular))
    zero = {"condition": "old", "shots": 1}
    counted = relative(table, zero, made.factors)
    for row, before in zip(counted.itertuples(), table.itertuples(), strict=True):
        own = table[(table["unit"] == row.unit) & (table["condition"] == "old") & (table["shots"] == 1)]["value"].item()
        assert row.value == pytest.approx(before.value - own)
    assert list(counted.columns) == list(table.columns)


def test_factors_that_the_zero_does_not_name_have_to_agree(made):
    table = made.means(made.measured(made.irregular))
    counted = relative(table, {"condition": "old"}, made.factors)
    assert np.allclose(counted[counted["condition"] == "old"]["value"], 0.0)
    both = counted[counted["condition"] == "new"].set_index(["unit", "shots"])["value"]
    new, old = (table[table["condition"] == name].set_index(["unit", "shots"])["value"] for name in ("new", "old"))
    pd.testing.assert_series_equal(both.sort_index(), (new - old).sort_index(), check_names=False)


def test_a_unit_without_a_zero_counts_from_nothing(made):
    table = made.means(made.measured(made.irregular))
    table = table[~((table["unit"] == "u2") & (table["condition"] == "old") & (table["shots"] == 1))]
    counted = relative(table, {"condition": "old", "shots": 1}, made.factors)
    assert set(counted["unit"][counted["value"].isna()]) == {"u2"}
    declared = made.claim(relative_to={"condition": "old", "shots": 1}, over={"shots": 8})
    with pytest.raises(ClaimError, match="u2 lacks the value that condition new is relative to"):
        effects(declared, table, Extent(made.factors))
    assert only(effects(declared, table, Extent(made.factors, gaps=True))).groups == (5,)
    with pytest.raises(ClaimError, match="there are no results for condition base"):
        relative(table, {"condition": "base"}, made.factors)


def test_a_common_zero_changes_no_paired_difference(made):
    table = made.measured(made.irregular)
    plain = made.values(made.claim(), table)
    counted = made.values(made.claim(relative_to={"condition": "old", "shots": 1}), table)
    np.testing.assert_allclose(plain, counted)


# Different units on each side


def grouped(made, few=("u0", "u1", "u2", "u3")):
    """The new condition in some units, the old in the others; each unit has a zero at one shot."""
    table = made.means(made.measured(made.irregular))
    mine = table["unit"].isin(few)
    table = table[
        (table["shots"] == 1) | (mine & (table["condition"] == "new")) | (~mine & (table["condition"] == "old"))
    ]
    return table, mine


def test_two_samples_are_the_values_of_their_own_units(made):
    table, _ = grouped(made)
    declared = made.claim(test="two_sample", over={"shots": [2, 4, 8]})
    found = only(effects(declared, table, Extent(made.factors)))
    groups = [
        [np.mean([made.irregular(u, s, condition, n) for s in range(2) for n in (2, 4, 8)]) for u in units]
        for condition, units in (("new", range(4)), ("old", range(4, 6)))
    ]
    expected = scipy.stats.ttest_ind(*groups, equal_var=False)
    assert (found.p(0.0), found.groups) == (pytest.approx(expected.pvalue), (4, 2))
    counted = made.claim(test="two_sample", over={"shots": 8}, relative_to={"shots": 1})
    found = only(effects(counted, table, Extent(made.factors)))
    drops = [
        [
            np.mean(
                [
                    made.irregular(u, s, condition, 8) - np.mean([made.irregular(u, s, c, 1) for c in ("old", "new")])
                    for s in range(2)
                ]
            )
            for u in units
        ]
        for condition, units in (("new", range(4)), ("old", range(4, 6)))
    ]
    assert found.mean == pytest.approx(np.mean(drops[0]) - np.mean(drops[1]))


def test_two_samples_share_no_unit(made):
    table = made.means(made.measured(made.irregular))
    with pytest.raises(ClaimError, match="u0 is on both sides, which a two_sample test takes for independent"):
        effects(made.claim(test="two_sample"), table, Extent(made.factors))


def test_a_difference_of_units_that_do_not_coincide_at_all_is_unpaired_if_each_has_its_zero(made):
    table, _ = grouped(made)
    plain = made.claim(over={"shots": 8})
    with pytest.raises(ClaimError, match="condition new and condition old were not both measured everywhere"):
        effects(plain, table, Extent(made.factors))
    found, sample = (
        only(effects(made.claim(test=test, over={"shots": 8}, relative_to={"shots": 1}), table, Extent(made.factors)))
        for test in ("difference", "two_sample")
    )
    assert found == sample
    assert found.groups == (4, 2)


# At every level


def test_every_level_has_its_own_effect(made):
    table = made.measured(made.irregular)
    declared = made.claim(every="shots", over={"shots": {"from": 2}})
    found = effects(declared, made.means(table), Extent(made.factors))
    assert list(found) == ["shots 2", "shots 4", "shots 8"]
    for level, estimate in found.items():
        alone = made.claim(over={"shots": int(level.split()[1])})
        assert estimate == only(effects(alone, made.means(table), Extent(made.factors)))


@pytest.mark.parametrize(
    ("over", "levels"),
    [({}, [1, 2, 4, 8]), ({"shots": [4, 2]}, [4, 2]), ({"shots": "most"}, [8]), ({"shots": {"to": 3}}, [1, 2])],
)
def test_the_levels_are_those_of_the_factor_that_over_selects(made, over, levels):
    # A zero that is no level of the factor is none of them.
    table = made.means(made.measured(made.irregular))
    table = pd.concat([table, table[table["shots"] == 1].assign(shots=0)])
    found = effects(made.claim(every="shots", over=over), table, Extent(made.factors))
    assert list(found) == [f"shots {level}" for level in levels]


@pytest.mark.parametrize(
    ("keys", "says"),
    [({"every": "depth"}, "depth is not a factor"), ({"every": "shots", "over": {"shots": 3}}, "shots 3")],
)
def test_every_level_of_nothing(made, keys, says):
    with pytest.raises(ClaimError, match=says):
        effects(made.claim(**keys), made.means(made.measured(made.irregular)), Extent(made.factors))


# Gaps, as published numbers have them


def test_with_gaps_a_unit_is_the_mean_of_what_there_is_and_without_a_side_left_out(made):
    table = made.measured(made.irregular)
    table = table[~((table["unit"] == "u1") & (table["condition"] == "old"))]
    table = table[~((table["unit"] == "u2") & (table["condition"] == "new") & (table["shots"] > 1))]
    declared = made.claim(over={"shots": [1, 8]})
    found = only(effects(declared, made.means(table), Extent(made.factors, gaps=True)))
    by_hand = [
        np.mean([made.irregular(u, s, "new", n) for s in range(2) for n in ([1] if u == 2 else [1, 8])])
        - np.mean([made.irregular(u, s, "old", n) for s in range(2) for n in (1, 8)])
        for u in (0, 2, 3, 4, 5)
    ]
    assert (found.mean, found.groups) == (pytest.approx(np.mean(by_hand)), (5,))
    with pytest.raises(ClaimError, match="not both measured"):
        effects(declared, made.means(table), Extent(made.factors))


def test_with_gaps_a_slope_leaves_out_units_that_lack_a_level(made):
    table = made.measured(made.irregular)
    table = table[~((table["unit"] == "u1") & (table["shots"] == 4))]
    assert only(effects(made.claim(**SLOPE), made.means(table), Extent(made.factors, gaps=True))).groups == (5,)
    with pytest.raises(ClaimError, match="not both measured"):
        effects(made.claim(**SLOPE), made.means(table), Extent(made.factors))


# Rows


def test_select_takes_rows_and_changes_none(made):
    table = made.means(made.measured(made.irregular))
    whole = select(table, {}, made.factors)
    pd.testing.assert_frame_equal(whole, table)
    some = select(table, {"condition": "old", "unit": ["u1", "u4"], "shots": {"from": 4}}, made.factors)
    assert set(zip(some["condition"], some["unit"], some["shots"], strict=True)) == {
        ("old", unit, shots) for unit in ("u1", "u4") for shots in (4, 8)
    }
    with pytest.raises(ClaimError, match="u9"):
        select(table, {"unit": ["u1", "u9"]}, made.factors)
    assert set(select(table, {"unit": ["u1", "u9"]}, made.factors, all_of_a_list=False)["unit"]) == {"u1"}
