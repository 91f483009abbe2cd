"""Whether two columns of a study's table rank alike, and claims on another metric than the protocol's."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tlbench import protocol
from tlbench.claims import assess
from tlbench.claims.ranks import among_units
from tlbench.protocol import Claim

RANKS = {"test": "rank_correlation", "table": "weights", "between": ["beta", "similarity"], "among": "source"}


def claim(**keys):
    usual = {"id": "c", "says": "s", "source": "w", "of": {"condition": "new"}}
    return Claim(**{**usual, **RANKS, **keys})


def weights(value, units=5):
    """A table of β from value(unit, split, kind, source); the similarity of source s is 6 − s, of the last two 0."""
    rows = [
        (f"u{unit}", f"s{source}", max(6.0 - source, 1.0) - 1.0, kind, split, "new", value(unit, split, kind, source))
        for unit in range(units)
        for kind in ("a", "b")
        for split in range(2)
        for source in range(7)
    ]
    return pd.DataFrame(rows, columns=["unit", "source", "similarity", "kind", "split", "condition", "beta"])


def irregular(unit, split, kind, source):
    return (5 * unit + 3 * source * (kind == "a") + 7 * source * split + source**2) % 11


@pytest.fixture
def judged(toy):
    """The findings of claims on a table of weights."""

    def judge(table, *claims, measured=None):
        profiles = {"short": toy.content["profiles"]["short"]}
        content = {**toy.content, "claims": [], "figures": [], "factors": {"kind": ["a", "b"]}, "profiles": profiles}
        whole = protocol.parse(content, "toy")
        nothing = pd.DataFrame(columns=["unit", "split", "condition", "kind", "metric", "value"])
        declared = msgspec.structs.replace(whole, claims=list(claims))
        return assess(declared, nothing if measured is None else measured, {"kind": ["a", "b"]}, {"weights": table})

    return judge


@pytest.mark.parametrize(("over", "kinds"), [({}, "ab"), ({"kind": "a"}, "a"), ({"kind": ["b"]}, "b")])
def test_spearman_of_means_in_each_unit_then_student_over_units(judged, over, kinds):
    table = weights(irregular)
    similarity = [max(6.0 - source, 1.0) - 1.0 for source in range(7)]
    by_hand = []
    for unit in range(5):
        means = [np.mean([irregular(unit, split, kind, s) for split in range(2) for kind in kinds]) for s in range(7)]
        by_hand.append(scipy.stats.spearmanr(means, similarity).statistic)
    (finding,) = judged(table, claim(over=over))
    assert finding.effect == pytest.approx(np.mean(by_hand))
    assert finding.p == pytest.approx(scipy.stats.ttest_1samp(by_hand, 0.0).pvalue)
    assert finding.units == 5


def test_weights_that_follow_the_truth_reproduce_and_the_reverse_contradicts(judged):
    along = weights(lambda u, s, k, source: 9.0 - source + u, units=9)
    against = weights(lambda u, s, k, source: source - 9.0, units=9)
    (finding,) = judged(along, claim())
    assert finding.effect == pytest.approx(1.0, abs=0.02)  # the last two sources tie in truth alone
    assert finding.verdict == "reproduced"
    assert judged(against, claim())[0].verdict == "contradicted"


def test_weights_that_are_all_the_same_rank_nothing(judged):
    (finding,) = judged(weights(lambda u, s, k, source: 0.1 + 0.2 * (u == 0) * source), claim())
    assert finding.effect == pytest.approx(-0.2, abs=0.01)  # one unit of five ranks, the wrong way round
    zeros = weights(lambda u, s, k, source: sum([0.1] * (3 + s)) / (3 + s))
    assert judged(zeros, claim())[0].effect == 0.0


def test_a_mean_of_few_levels_each_says_no_more_than_their_signs(judged):
    """Two sources rank perfectly or the wrong way round; five that agree are no more than five heads of a coin."""
    table = weights(lambda u, s, k, source: 9.0 - source)
    (finding,) = judged(table[table["source"].isin(table["source"].unique()[:2])], claim())
    assert (finding.effect, finding.low, finding.high) == (pytest.approx(1.0),) * 3
    assert finding.p == scipy.stats.binomtest(5, 5).pvalue
    assert finding.verdict == "inconclusive"


def test_no_correlation_lies_beyond_one(judged):
    table = weights(lambda u, s, k, source: (9.0 - source) * (-1 if u == 0 else 1))
    (finding,) = judged(table, claim())
    assert (finding.low, finding.high) == (pytest.approx(-0.51, abs=0.01), 1.0)
    assert finding.verdict == "inconclusive"
    assert finding.detectable != finding.detectable


def test_a_rank_correlation_may_have_to_hold_at_every_level(judged):
    table = weights(lambda u, s, kind, source: (9.0 - source) * (1 if kind == "a" else -1) + 0.1 * u, units=9)
    (finding,) = judged(table, claim(every="kind"))
    assert (finding.at, finding.verdict) == ("kind b", "contradicted")


# Among units


def pairs(values):
    """A table with one pair a unit and split from values (units, splits, 2): columns beta and similarity."""
    rows = [
        (f"u{unit}", split, "new", *pair) for unit, splits in enumerate(values) for split, pair in enumerate(splits)
    ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "beta", "similarity"])


def drawn(seed, units, splits=2, common=0.0):
    """Pairs whose columns share so much of what differs between units."""
    rng = np.random.default_rng(seed)
    shared = common * rng.normal(size=(units, 1, 1))
    return shared + rng.normal(size=(units, 1, 2)) + 0.3 * rng.normal(size=(units, splits, 2))


def of_ranks(first, second):
    return among_units(scipy.stats.rankdata([first, second], axis=1).T)


def many(seed, count, units, pearson=0.0):
    """The estimates of so many draws of units from a bivariate normal."""
    drawn = np.random.default_rng(seed).normal(size=(count, units, 2))
    drawn[..., 1] = pearson * drawn[..., 0] + np.sqrt(1 - pearson**2) * drawn[..., 1]
    return [among_units(ranks) for ranks in drawn.argsort(axis=1).argsort(axis=1) + 1.0]


@pytest.mark.parametrize("units", [8, 9, 30])
def test_spearman_over_units_of_their_means(judged, units):
    values = drawn(units, units, common=0.7)
    (finding,) = judged(pairs(values), claim(among="unit"))
    first, second = values.mean(axis=1).T
    by_scipy = scipy.stats.spearmanr(first, second)
    assert finding.effect == pytest.approx(by_scipy.statistic)
    assert finding.units == units
    assert finding.p == pytest.approx(by_scipy.pvalue, rel=0.2)
    spread = np.sqrt((1 + by_scipy.statistic**2 / 2) / (units - 3))
    ends = np.tanh(np.arctanh(by_scipy.statistic) + scipy.stats.norm.ppf([0.025, 0.975]) * spread)
    assert (finding.low, finding.high) == pytest.approx(tuple(ends))


@pytest.mark.parametrize("units", [3, 9, 30])
def test_the_score_is_students_t_of_a_regression_of_the_ranks(units):
    first, second = np.random.default_rng(units).normal(size=(2, units))
    found = of_ranks(first, second)
    line = scipy.stats.linregress(scipy.stats.rankdata(first), scipy.stats.rankdata(second))
    assert found.score(0.0) == pytest.approx(line.slope / line.stderr)
    assert found.freedom == units - 2


@pytest.mark.parametrize("units", [1, 2])
def test_too_few_units_have_no_error_and_nothing_free(units):
    found = of_ranks(np.arange(units), np.arange(units))
    assert (found.error, found.freedom) == (0.0, 0)


@pytest.mark.parametrize(("seed", "units", "tied"), [(0, 5, False), (1, 7, True), (2, 8, False), (3, 8, True)])
def test_of_few_units_all_orders_are_gone_through(seed, units, tied):
    first, second = np.random.default_rng(seed).normal(size=(2, units))
    if tied:
        first, second = np.round(first), np.round(second)
    ranks = scipy.stats.rankdata(second)
    observed = scipy.stats.pearsonr(scipy.stats.rankdata(first), ranks).statistic
    orders = np.array(list(itertools.permutations(scipy.stats.rankdata(first))))
    centred, against = orders - orders.mean(axis=1, keepdims=True), ranks - ranks.mean()
    all_of_them = centred @ against / np.linalg.norm(centred, axis=1) / np.linalg.norm(against)
    exact = np.mean(np.abs(all_of_them) >= abs(observed) - 1e-9)
    assert of_ranks(first, second).p(0.0) == pytest.approx(exact)


def test_as_many_units_as_are_just_too_many_are_nearly_exact():
    orders = np.random.default_rng(4).permuted(np.tile(np.arange(9.0), (60_000, 1)), axis=1)
    correlations = 1 - 6 * np.sum((orders - np.arange(9.0)) ** 2, axis=1) / (9**3 - 9)
    for rho in (0.7, 0.5):
        order = orders[np.abs(correlations - rho).argmin()]
        found = of_ranks(np.arange(9.0), order)
        exact = np.mean(np.abs(correlations) >= abs(found.mean) - 1e-9)
        assert found.p(0.0) == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("units", [6, 9, 12, 30])
def test_units_that_have_nothing_to_do_with_each_other_are_found_in_one_of_twenty_at_most(units):
    wrong = np.mean([estimate.p(0.0) < 0.05 for estimate in many(units, 1_000, units)])
    assert wrong < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1_000)


def test_the_interval_covers_what_the_units_were_drawn_with():
    truth = 6 / np.pi * np.arcsin(0.6 / 2)  # Spearman's of a bivariate normal, Pearson 1907
    ends = np.array([estimate.interval(0.95) for estimate in many(5, 1_500, 25, 0.6)])
    assert 0.93 < np.mean((ends[:, 0] < truth) & (truth < ends[:, 1])) < 0.97


def test_a_correlation_that_is_called_detectable_is_found_four_times_in_five():
    rho = of_ranks(*np.random.default_rng(6).normal(size=(2, 24))).detectable(0.005)
    found = [estimate.p(0.0) < 0.005 for estimate in many(6, 1_500, 24, 2 * np.sin(np.pi * rho / 6))]
    assert np.mean(found) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(("units", "level", "is_found"), [(5, 0.01, False), (5, 0.05, True), (8, 0.05, True)])
def test_of_few_units_a_correlation_is_detectable_where_an_order_is_rare_enough(units, level, is_found):
    """The rarest of 5! orders and its reverse are 2 of 120."""
    detectable = of_ranks(np.arange(float(units)), np.random.default_rng(0).permutation(units)).detectable(level)
    assert bool(detectable == detectable) is is_found
    assert not is_found or 0.5 < detectable < 1.0


def test_a_planted_correlation_is_reproduced_and_its_reverse_contradicted(judged):
    values = drawn(7, 30, common=3.0)
    assert judged(pairs(values), claim(among="unit"))[0].verdict == "reproduced"
    values[..., 1] *= -1
    assert judged(pairs(values), claim(among="unit"))[0].verdict == "contradicted"


def test_perfect_order_needs_no_more_than_orders_to_be_found(judged):
    steps = np.arange(5.0)
    (finding,) = judged(pairs(np.stack([steps, steps**3], axis=-1)[:, None]), claim(among="unit"))
    assert (finding.effect, finding.p) == (pytest.approx(1.0), pytest.approx(2 / 120))
    assert finding.low == pytest.approx(finding.high, abs=1e-3)
    many = np.arange(12.0)
    (finding,) = judged(pairs(np.stack([many, many], axis=-1)[:, None]), claim(among="unit"))
    assert (finding.effect, finding.verdict) == (pytest.approx(1.0), "reproduced")


def test_a_constant_ranks_no_units(judged):
    values = drawn(8, 12)
    values[..., 0] = 0.1 + 0.2
    (finding,) = judged(pairs(values), claim(among="unit"))
    assert (finding.effect, finding.p, finding.verdict) == (0.0, 1.0, "inconclusive")


@pytest.mark.parametrize(
    ("units", "verdict"), [(1, "shown, not tested"), (3, "shown, not tested"), (4, "inconclusive")]
)
def test_few_units_are_shown_or_can_show_nothing(judged, units, verdict):
    steps = np.arange(float(units))
    (finding,) = judged(pairs(np.stack([steps, steps], axis=-1)[:, None]), claim(among="unit"))
    assert (finding.units, finding.verdict) == (units, verdict)
    assert np.isnan(finding.detectable)  # of four units no order is rarer than one in twelve


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"table": "none"}, "there is no table 'none' here"),
        ({"between": ["beta", "truth"]}, "table weights has no column 'truth'"),
        ({"among": "place"}, "table weights has no column 'place'"),
        ({"of": {"condition": "old"}}, "there are no results for condition old"),
    ],
)
def test_what_a_table_lacks_is_said(judged, keys, says):
    (finding,) = judged(weights(irregular), claim(**keys))
    assert (finding.verdict, finding.reason) == ("missing", says)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"to": {"condition": "old"}}, "test rank_correlation has no 'to'"),
        ({"metric": "share"}, "test rank_correlation has no 'metric'"),
        ({"relative_to": {"condition": "old"}}, "test rank_correlation has no 'relative_to'"),
        ({"table": None}, "test rank_correlation needs 'table'"),
        ({"between": None}, "test rank_correlation needs 'between'"),
        ({"among": None}, "test rank_correlation needs 'among'"),
        ({"of": {}}, "'of' selects nothing"),
        ({"test": "difference", "to": {"condition": "old"}}, "test difference has no 'table'"),
    ],
)
def test_a_rank_correlation_that_says_too_little_or_too_much(keys, says):
    with pytest.raises(ValueError, match=says):
        claim(**keys)


def test_a_claim_may_speak_of_another_metric(judged):
    rows = [
        (f"u{unit}", 0, condition, "a", metric, unit + gain * (condition == "new"))
        for unit in range(5)
        for condition in ("old", "new")
        for metric, gain in (("accuracy", 1.0), ("share", -0.25))
    ]
    measured = pd.DataFrame(rows, columns=["unit", "split", "condition", "kind", "metric", "value"])
    plain = {"id": "p", "says": "s", "source": "w", "test": "difference"}
    plain |= {"of": {"condition": "new"}, "to": {"condition": "old"}}
    found = [judged(None, Claim(**plain, metric=metric), measured=measured)[0] for metric in (None, "share", "x")]
    assert [finding.effect for finding in found[:2]] == pytest.approx([1.0, -0.25])
    assert found[2].verdict == "missing"


@pytest.mark.parametrize("turned", [1, -1])
def test_perfect_order_has_no_error(turned):
    found = of_ranks(np.arange(6.0), turned * np.arange(6.0))
    assert (found.mean, found.error) == (turned, 0.0)
    assert found.interval(0.95) == pytest.approx((turned, turned), abs=1e-4)
