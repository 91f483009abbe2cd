"""Whether two columns of a study's table rank alike, and claims on another metric than the protocol's."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest
import scipy.stats

from tlbench import protocol
from tlbench.claims import assess
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
    along, against = weights(lambda u, s, k, source: 9.0 - source + u), weights(lambda u, s, k, source: source - 9.0)
    (finding,) = judged(along, claim())
    assert finding.effect == pytest.approx(1.0, abs=0.02)  # the last two sources tie in truth alone
    assert finding.verdict == "reproduced"
    assert judged(against, claim())[0].verdict == "contradicted"


def test_weights_that_are_all_the_same_rank_nothing(judged):
    (finding,) = judged(weights(lambda u, s, k, source: 0.1 + 0.2 * (u == 0) * source), claim())
    assert finding.effect == pytest.approx(-0.2, abs=0.01)  # one unit of five ranks, the wrong way round
    zeros = weights(lambda u, s, k, source: sum([0.1] * (3 + s)) / (3 + s))
    assert judged(zeros, claim())[0].effect == 0.0


def test_a_rank_correlation_may_have_to_hold_at_every_level(judged):
    table = weights(lambda u, s, kind, source: (9.0 - source) * (1 if kind == "a" else -1) + 0.1 * u)
    (finding,) = judged(table, claim(every="kind"))
    assert (finding.at, finding.verdict) == ("kind b", "contradicted")


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
