"""A claim that must hold at every level is as good as its weakest level, and errs no more often than any other."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tlbench.claims.statistics import paired
from tlbench.claims.verdicts import _at_weakest

SMALL = np.array([0.1, -0.2, 0.15, -0.1, 0.05, 0.0])
TESTS = {"difference": {}, "not_worse": {"margin": 1.0}, "equivalent": {"margin": 1.0}}


def of_levels(by_level, units=6):
    """A table where the new condition differs from the old by ``by_level[shots]`` in each unit."""
    rows = [
        (f"u{unit}", 0, condition, shots, 60.0 + (effects[unit] if condition == "new" else 0.0))
        for shots, effects in by_level.items()
        for unit in range(units)
        for condition in ("old", "new")
    ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"]).assign(metric="accuracy")


def judged(made, by_level, test="difference", **keys):
    declared = made.claim(test=test, every="shots", **TESTS.get(test, {}), **keys)
    (finding,) = made.judge(of_levels(by_level), declared, factors={"shots": list(by_level)})
    return finding


@pytest.mark.parametrize(
    ("levels", "test", "at", "verdict"),
    [
        ((5, 3, 4), "difference", 2, "reproduced"),
        ((5, 0, 4), "difference", 2, "inconclusive"),
        ((5, 3, -4), "difference", 4, "contradicted"),
        ((-5, -3, -4), "difference", 1, "contradicted"),
        ((0, -0.5, 3), "not_worse", 2, "reproduced"),
        ((0, -2, 3), "not_worse", 2, "contradicted"),
        ((0, -1, 3), "not_worse", 2, "inconclusive"),
        ((0.1, -0.6, 0.3), "equivalent", 2, "reproduced"),
        ((0.1, -0.3, 0.6), "equivalent", 4, "reproduced"),
        ((0.1, 0.2, 1.5), "equivalent", 4, "contradicted"),
        ((-1.5, 0.2, 1.2), "equivalent", 1, "contradicted"),
        ((0.1, 1.0, 0.3), "equivalent", 2, "inconclusive"),
    ],
)
def test_the_verdict_is_that_of_the_weakest_level(made, levels, test, at, verdict):
    by_level = {shots: level + SMALL for shots, level in zip((1, 2, 4), levels, strict=True)}
    finding = judged(made, by_level, test)
    assert (finding.at, finding.verdict) == (f"shots {at}", verdict)
    assert finding.effect == pytest.approx(by_level[at].mean())
    assert (finding.low, finding.high) == pytest.approx(paired(by_level[at]).interval(0.95))
    assert math.isnan(finding.detectable) == (verdict != "inconclusive")


def test_weakest_is_the_smallest_t_and_not_the_smallest_effect(made):
    finding = judged(made, {1: 3 + 10 * SMALL, 2: 1 + 0.1 * SMALL})
    assert (finding.at, finding.effect) == ("shots 1", pytest.approx(3.0))


def test_p_of_a_claim_that_holds_is_that_of_its_weakest_level(made):
    effects = 0.2 + SMALL
    finding = judged(made, {1: 5 + SMALL, 2: effects, 4: 3 + SMALL})
    assert finding.p == pytest.approx(scipy.stats.ttest_1samp(effects, 0).pvalue)


@pytest.mark.parametrize(("test", "null"), [("difference", 0.0), ("not_worse", -1.0), ("equivalent", -1.0)])
def test_p_against_a_claim_pays_for_the_choice_among_levels(made, test, null):
    effects = null - 0.2 + SMALL
    finding = judged(made, {1: SMALL + 0.1, 2: effects, 4: SMALL + 0.1}, test)
    assert finding.at == "shots 2"
    assert finding.p == pytest.approx(3 * scipy.stats.ttest_1samp(effects, null).pvalue)
    assert judged(made, {1: null - 0.001 + SMALL, 2: null - 0.001 + SMALL}, test).p == 1.0


def test_two_samples_at_every_level(made):
    table = of_levels({1: 5 + SMALL, 2: 1 + SMALL})
    new = table[table["condition"] == "new"]
    old = table[table["condition"] == "old"].assign(unit=lambda rows: "v" + rows["unit"])
    old["value"] += np.tile(SMALL[::-1], 2)
    (finding,) = made.judge(
        pd.concat([new, old]), made.claim(test="two_sample", every="shots"), factors={"shots": [1, 2]}
    )
    expected = scipy.stats.ttest_ind(61 + SMALL, 60 + SMALL[::-1], equal_var=False)
    assert (finding.at, finding.groups, finding.verdict) == ("shots 2", (6, 6), "reproduced")
    assert finding.p == pytest.approx(expected.pvalue)


def test_not_worse_is_equivalent_only_where_every_level_lies_within_the_margin(made):
    # At every level p against −1 fails, and the 90 % interval lies within ±1; then one level reaches beyond +1.
    pattern = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    near = -0.6 + pattern * 0.18 * math.sqrt(5)
    assert judged(made, {1: near, 2: near}, "not_worse").verdict == "equivalent"
    assert judged(made, {1: near, 2: near + 3}, "not_worse").verdict == "inconclusive"


def test_a_level_with_too_few_units_leaves_all_untested(made):
    table = of_levels({1: 5 + SMALL, 2: 3 + SMALL, 4: 4 + SMALL})
    few = table[~((table["shots"] == 4) & table["unit"].isin(["u0", "u1", "u2"]))]
    (finding,) = made.judge(few, made.claim(every="shots"), factors={"shots": [1, 2, 4]})
    assert (finding.verdict, finding.at, finding.units) == ("shown, not tested", "shots 2", 3)
    assert math.isnan(finding.p)


@pytest.mark.parametrize("test", ["difference", "equivalent"])
def test_a_claim_at_every_level_errs_in_one_of_twenty_at_most(made, test):
    """Both ways: held where one level is at its null, and refuted where all are."""
    draw = np.random.default_rng(7)
    null, good = (0.0, 3.0) if test == "difference" else (1.0, 0.0)
    declared = made.claim(test=test, every="shots", **TESTS[test])
    wrong = {"held": 0, "refuted": 0}
    for _ in range(2_000):
        noise = draw.normal(0.0, 1.0, (3, 6))
        one_at_null = [good + 0.2 * noise[0], null + noise[1], good + 0.2 * noise[2]]
        for kind, samples in (("held", one_at_null), ("refuted", null + noise)):
            found = _at_weakest(declared, {str(level): paired(sample) for level, sample in enumerate(samples)})
            favours = abs(found.effect) < 1.0 if test == "equivalent" else found.effect > 0
            wrong[kind] += found.p < 0.05 and favours == (kind == "held")
    assert 0 < max(wrong.values()) / 2_000 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2_000)
