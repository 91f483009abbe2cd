"""Ever more sources: all of them are the study of weighted sources, fewer are the first in an order of the split's."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from tlbench import protocol
from tlbench.datasets import DataError, FeaturePack, SettingPacks, generator
from tlbench.methods.source_weights import LeaveOneOut, ball_weights, scalar_weights
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.sources import increasing_sources as study
from tlbench.studies.sources import source_weighting
from tlbench.study import Block

SHARED = {
    "shots": [1, 4],
    "negatives": 6,
    "test_examples": 30,
    "source_examples": 20,
    "kernel": "rbf",
    "C": 10.0,
    "overlap": "repaired",
    "nonnegative": True,
    "seed": 3,
}
PARAMETERS = {**SHARED, "sources": [1, 2, 4]}
UNIT, SPLITS = "c2", (0, 3, 4)
GROUPS = {name: tuple(group.says) for name, group in study.OF_THE_PAPER.items()}


def blobs(categories=5, seed=6):
    draw = np.random.default_rng(seed)
    member = np.r_[np.repeat(np.arange(categories), 40), np.full(120, categories)]
    centres = np.vstack([0.5 + draw.normal(0, 0.6, (categories, 5)), np.zeros((1, 5))])
    return FeaturePack(
        tuple(f"p{row:04}" for row in range(len(member))),
        {"f": centres[member] + draw.normal(size=(len(member), 5))},
        {f"c{number}": np.flatnonzero(member == number) for number in range(categories)},
        np.flatnonzero(member == categories),
    )


PACK = blobs()


def block(group, splits=SPLITS, **changed):
    return Block("increasing_sources", 1, UNIT, splits, group, GROUPS[group], {**PARAMETERS, **changed}, "x")


def results(task, splits=SPLITS, **changed):
    """Accuracies by (condition, split, shots, sources)."""
    found = {}
    for group in GROUPS:
        m = study.compute(task, block(group, splits, **changed), None)["measurements"]
        keys = list(zip(m["condition"], m["split"], m["shots"], m["sources"], strict=True))
        assert len(set(keys)) == len(keys)
        found |= dict(zip(keys, m["value"], strict=True))
    return found


@pytest.fixture(scope="module")
def task():
    return study.prepare(PACK, block("none"))


def test_all_sources_are_the_study_of_weighted_sources(task):
    ours, theirs = results(task), {}
    for group, conditions in GROUPS.items():
        one = Block("source_weighting", 1, UNIT, SPLITS, group, conditions, SHARED, "x")
        m = source_weighting.compute(source_weighting.prepare(PACK, one), one, None)["measurements"]
        theirs |= dict(zip(zip(m["condition"], m["split"], m["shots"], strict=True), m["value"], strict=True))
    assert {key[:3]: value for key, value in ours.items() if key[3] == 4} == pytest.approx(theirs, abs=1e-9)


def test_a_number_of_sources_is_the_first_in_the_splits_order(task):
    found = results(task)
    orders = [generator(3, "order of sources", UNIT, split).permutation(4) for split in SPLITS]
    assert len({tuple(order) for order in orders}) > 1
    terms = task.leave_one_out
    alone, bound = scalar_weights(terms)
    for (place, split), count in ((p, c) for p in enumerate(SPLITS) for c in PARAMETERS["sources"]):
        first = orders[place][:count]

        def spread(values, first=first):
            """Weights of these sources among all, for every split and shot count."""
            weights = np.zeros((*task.labels.shape[:2], 4))
            weights[..., first] = values
            return weights

        each = np.array([task.accuracy(spread(alone[..., [j]], [j])) for j in first])
        best = np.argmin(bound[..., first], axis=-1)
        some = LeaveOneOut(terms.residual, terms.influence[..., first], terms.balance)
        expected = {
            "none": task.accuracy(spread(0.0)),
            "single-mean": each.mean(axis=0),
            "single-selected": np.take_along_axis(each, best[None], axis=0)[0],
            "single-oracle": each.max(axis=0),
            "multi-average": task.accuracy(spread(1.0 / count)),
            "multi-equal": task.accuracy(spread(1.0 / np.sqrt(count))),
            "multi-weighted": task.accuracy(spread(ball_weights(some, "l2", nonnegative=True))),
            "multi-weighted-l1": task.accuracy(spread(ball_weights(some, "l1", nonnegative=True))),
        }
        for condition, values in expected.items():
            for at, shots in enumerate(task.shots):
                measured = found[condition, split, shots, count]
                assert measured == pytest.approx(values[place, at], abs=1e-9), (condition, split, shots, count)


def test_a_number_of_sources_does_not_know_which_others_are_asked_for(task):
    found = results(task)
    alone = results(task, sources=[2])
    assert alone == {key: value for key, value in found.items() if key[3] == 2}
    fewer = results(study.prepare(PACK, block("none", (3,))), (3,))
    assert fewer == pytest.approx({key: value for key, value in found.items() if key[1] == 3}, abs=1e-9)


def test_a_source_that_is_not_among_the_first_changes_nothing(task):
    """The last in every split's order may say what it will."""
    changed = task.scores.copy(), task.test_scores.copy()
    for place, split in enumerate(SPLITS):
        last = generator(3, "order of sources", UNIT, split).permutation(4)[-1]
        for scores in changed:
            scores[place, ..., last] *= -50.0
    other = dataclasses.replace(task, scores=changed[0], test_scores=changed[1])
    before, after = results(task), results(other)
    assert {key for key in before if before[key] != after[key]} <= {key for key in before if key[3] == 4}
    assert any(before[key] != after[key] for key in before)


def test_more_sources_than_there_are_are_refused():
    parameters = msgspec.convert({**PARAMETERS, "sources": [1, 5]}, study.Parameters)
    with pytest.raises(DataError, match="5 sources are asked for; each target has 4"):
        study.STUDY.cut(PACK, parameters, ("none",), 1)
    both = SettingPacks({"large": PACK, "small": blobs(categories=3)})
    asked = msgspec.convert({**PARAMETERS, "sources": [3], "setting": ["large", "small"]}, study.Parameters)
    with pytest.raises(DataError, match="each target has 2"):
        study.STUDY.cut(both, asked, ("none",), 1)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**PARAMETERS, "sources": [0]}, study.Parameters)


def test_the_shipped_protocol_runs_on_the_digits(digits):
    declared = protocol.read("increasing-sources")
    settings = resolve(declared, study.STUDY, "smoke", {"shots": "1,10"}, "digits")
    plan = make_plan(declared, study.STUDY, settings, digits, digits.fingerprint)
    blocks = next(plan.tasks(plan.blocks))
    task, values = study.prepare(digits, blocks[0]), {}
    for one in blocks:
        tables = study.compute(task, one, None)
        assert tuple(tables["sizes"]) == study.STUDY.tables["sizes"]
        m = tables["measurements"]
        values |= dict(
            zip(zip(m["condition"], m["split"], m["shots"], m["sources"], strict=True), m["value"], strict=True)
        )
    assert len(values) == sum(len(one.conditions) for one in blocks) * 2 * 2 * 2
    assert all(0.0 <= value <= 100.0 for value in values.values())
    assert {values["none", 0, 10, count] for count in (1, 3)} == {values["none", 0, 10, 1]}
