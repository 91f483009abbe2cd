"""The score in docs/advise.md is of what the command does, not of something like it."""

import dataclasses

import numpy as np
import pytest

from benchmarks.advice_score import SHOTS, advised, only, parts, score_target
from tests.advice.conftest import make_material
from tlbench.advice import KindOfModel, Material, advise
from tlbench.advice.machines import OPTIONS


@pytest.mark.slow
def test_what_is_scored_is_what_is_advised():
    given = make_material(sources=4, pictures=30, shots=40, background=120)
    positives, held, other = given.positives[:10], given.positives[10:], given.background[90:]
    pack = dataclasses.replace(given.pack, background=given.background[:90])
    scored = score_target(pack, "target", positives, held, other)
    for place, shots in enumerate(SHOTS):
        found = advise(Material(pack, "target", positives[:shots]), {kind: KindOfModel() for kind in pack.features})
        hits, alarms = ((found.model.decision_function(pack.take(rows)) > 0).mean() for rows in (held, other))
        assert scored[found.option][place] == pytest.approx(50 * (1 + hits - alarms))
        assert scored["likeness"][place] == pytest.approx(found.likeness)
        (row,) = advised(scored[scored["shots"] == shots], found.rehearsal).to_dict("records")
        assert row["option"] == found.option
        assert row["regret"] == pytest.approx(max(row[name] for name in OPTIONS) - row[found.option])
        if found.expected:
            assert row["expected"] == pytest.approx(found.expected.advised.mean)
            assert row["held"] == found.expected.advised.holds(row["advised"])


def test_no_category_is_both_developed_on_and_scored():
    names = [f"c{number:03d}" for number in range(101)]
    lists = [name for pair in parts(names).values() for each in pair for name in each]
    assert len(lists) == len(set(lists)) == 101
    assert [len(each) for pair in parts(names).values() for each in pair] == [20, 28, 25, 28]


def test_a_part_of_a_pack_is_the_same_pictures():
    pack = make_material().pack
    part = only(pack, ["source 1", "source 3"])
    for name in ("source 1", "source 3"):
        for kind, values in part.take(part.categories[name]).items():
            np.testing.assert_array_equal(values, pack.take(pack.categories[name])[kind])
    assert [part.identities[row] for row in part.background] == [pack.identities[row] for row in pack.background]
