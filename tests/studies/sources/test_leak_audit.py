"""The leak audit: each leak again by brute force; a leak found where there is nothing else; none where it is closed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from tests.studies.sources.conftest import PARAMETERS
from tlbench import protocol
from tlbench.datasets import DataError, FeaturePack, SettingPacks
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.sources import leak_audit as study
from tlbench.studies.sources import source_weighting
from tlbench.studies.sources.source_conditions import OF_THE_PAPER
from tlbench.studies.sources.source_task import make_task
from tlbench.study import Block

SHARED = {name: value for name, value in PARAMETERS.items() if name != "overlap"}
PARAMETERS = {**SHARED, "setting": "made up", "grid": [0.01, 1.0, 10.0, 100.0]}
SPLITS = (0, 1, 2)


def blobs(scale=1.0, categories=4, seed=3, dimensions=4):
    """Categories about centres of their own; each background is 30 of the same 80 pictures. scale 0: noise alone."""
    draw = np.random.default_rng(seed)
    member = np.r_[np.repeat(np.arange(categories), 40), np.full(80, categories)]
    centres = np.vstack([scale * draw.normal(size=(categories, dimensions)), np.zeros((1, dimensions))])
    everyone = np.flatnonzero(member == categories)
    names = [f"c{number}" for number in range(categories)]
    return FeaturePack(
        tuple(f"p{row:04}" for row in range(len(member))),
        {"f": centres[member] + draw.normal(size=(len(member), dimensions))},
        {name: np.flatnonzero(member == number) for number, name in enumerate(names)},
        {name: np.sort(draw.permutation(everyone)[:30]) for name in names},
    )


@pytest.fixture(scope="module")
def pack():
    return blobs()


def block(leak, unit="c1", splits=SPLITS, **changed):
    parameters = {**PARAMETERS, "leak": leak, **changed}
    return Block("leak_audit", 1, unit, tuple(splits), leak, study.CONDITIONS, parameters, "print")


def audited(pack, leak, unit="c1", splits=SPLITS):
    """Accuracies (splits, shots) by condition, and the sources' table."""
    one = block(leak, unit, splits)
    tables = study.compute(study.prepare(pack, one), one, None)
    measured = pd.DataFrame(tables["measurements"])
    found = {
        condition: rows.pivot_table(index="split", columns="shots", values="value").to_numpy()
        for condition, rows in measured.groupby("condition")
    }
    return found, pd.DataFrame(tables["sources"])


def parts(pack, leak, splits=SPLITS):
    parameters = msgspec.convert({**PARAMETERS, "leak": leak}, study.Parameters)
    target = study.open_target(pack, "c1", parameters)
    return target, target.rows(parameters, leak, splits), parameters


# The same numbers another way


@pytest.mark.parametrize("leak", ["repaired", "kept"])
def test_with_nothing_to_choose_the_numbers_are_those_of_weighted_sources(pack, leak):
    found, _ = audited(pack, leak)
    parameters = {**SHARED, "overlap": leak, "projection": 1.0, "penalty": 1.0, "rounds": 1}
    other = Block("source_weighting", 1, "c1", SPLITS, "none", ("none",), parameters, "print")
    task = source_weighting.prepare(pack, other)
    for name in ("none", "single", "fixed", "weighted"):
        theirs = OF_THE_PAPER[name].compute(task, msgspec.convert(parameters, source_weighting.STUDY.Parameters))
        for condition in set(theirs.accuracies) & set(study.CONDITIONS):
            np.testing.assert_array_equal(found[condition], theirs.accuracies[condition])


def test_the_machine_of_the_target_is_the_best_on_the_test(pack):
    found, _ = audited(pack, "target-C")
    target, rows, parameters = parts(pack, "target-C")
    fixed = [10.0] * 3
    tasks = [make_task(target.pack, rows, parameters.shots, "rbf", C, fixed) for C in parameters.grid]
    for name in ("none", "single", "fixed", "weighted"):
        each = [OF_THE_PAPER[name].compute(task, parameters).accuracies for task in tasks]
        for condition in set(each[0]) & set(study.CONDITIONS):
            best = np.max([one[condition] for one in each], axis=0)
            np.testing.assert_allclose(found[condition], best, atol=1e-9)
    usual, _ = audited(pack, "repaired")
    assert all((found[condition] >= usual[condition] - 1e-9).all() for condition in study.CONDITIONS)


class Plain:
    """Machines by the bordered system, with a kernel of one kind of feature written out."""

    def __init__(self, values, training):
        pairs = ((values[training][:, None] - values[training]) ** 2).sum(-1)
        count = len(training)
        self.values, self.gamma = values, 1 / (pairs.sum() / (count * (count - 1)))

    def kernel(self, left, right):
        return np.exp(-self.gamma * ((self.values[left][:, None] - self.values[right]) ** 2).sum(-1))

    def says(self, training, targets, zeta, C, asked):
        n = len(training)
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = self.kernel(training, training) + np.diag(1 / (C * zeta))
        system[:n, n] = system[n, :n] = 1
        solution = np.linalg.solve(system, np.r_[targets, 0.0])
        return self.kernel(asked, training) @ solution[:n] + solution[n]

    def left_out(self, training, targets, zeta, C):
        """What a machine trained without each example says of it."""
        places = np.arange(len(training))
        return np.array(
            [
                self.says(training[places != i], targets[places != i], zeta[places != i], C, training[[i]])[0]
                for i in places
            ]
        )


def balance(labels):
    return np.array([len(labels) / (2 * (labels == label).sum()) for label in labels])


@pytest.mark.parametrize("leak", ["source-C", "source-C-fair"])
def test_a_source_has_the_smallest_of_the_best_strengths(pack, leak):
    _, table = audited(pack, leak)
    _, rows, parameters = parts(pack, leak)
    plain = Plain(pack.features["f"], rows.source_training)
    pool = np.r_[pack.categories["c1"], pack.background["c1"]]
    truth = np.r_[np.ones(40), -np.ones(30)]
    assert table["source"].tolist() == list(rows.sources)
    for chosen, source in zip(table["C"], rows.sources.values(), strict=True):
        training = np.r_[source.positives, source.negatives]
        labels = np.r_[np.ones(len(source.positives)), -np.ones(len(source.negatives))]
        shares = []
        for C in parameters.grid:
            if leak == "source-C":
                said, right = plain.says(training, labels, balance(labels), C, pool), truth
            else:
                said, right = plain.left_out(training, labels, balance(labels), C), labels
            shares.append(((said > 0) == (right > 0)).mean())
        assert chosen == parameters.grid[int(np.argmax(shares))]
    assert len(set(table["C"])) > 1, "a test that could not fail"


def test_a_fair_choice_has_the_least_leave_one_out_bound(pack):
    found, _ = audited(pack, "target-C-fair")
    _, rows, parameters = parts(pack, "target-C-fair")
    plain = Plain(pack.features["f"], rows.source_training)
    truth = np.r_[np.ones(rows.test_positives), -np.ones(rows.test.shape[1] - rows.test_positives)]
    sources = [np.r_[source.positives, source.negatives] for source in rows.sources.values()]
    source_labels = [np.r_[np.ones(25), -np.ones(len(source) - 25)] for source in sources]

    def together(asked):
        pairs = zip(sources, source_labels, strict=True)
        return sum(plain.says(source, own, balance(own), 10.0, asked) for source, own in pairs) / np.sqrt(3)

    for split in SPLITS:
        for place, shots in enumerate(parameters.shots):
            training = rows.train[split][: 6 + shots]
            labels = np.r_[-np.ones(6), np.ones(shots)]
            zeta = balance(labels)
            for condition, prior in (("none", np.zeros_like), ("multi-equal", together)):
                bounds, right = [], []
                rest = labels - prior(training.astype(float)) if condition == "none" else labels - prior(training)
                for C in parameters.grid:
                    said = labels - rest + plain.left_out(training, rest, zeta, C)
                    bounds.append(zeta @ np.maximum(0, 1 - labels * said))
                    base = 0.0 if condition == "none" else prior(rows.test[split])
                    called = base + plain.says(training, rest, zeta, C, rows.test[split]) > 0
                    right.append(50 * (called[truth > 0].mean() + 1 - called[truth < 0].mean()))
                assert found[condition][split, place] == pytest.approx(right[int(np.argmin(bounds))])


# What an audit must find, and must not


def test_on_noise_the_leaks_alone_beat_chance():
    noise = blobs(scale=0.0, dimensions=40, seed=8)
    mean = {
        leak: np.mean([audited(noise, leak, unit, splits=range(10))[0]["multi-equal"] for unit in noise.categories])
        for leak in ("kept", "same-number", "target-C", "repaired", "no-refill", "target-C-fair", "source-C-fair")
    }
    assert all(abs(mean[leak] - 50) < 3 for leak in ("repaired", "no-refill", "target-C-fair", "source-C-fair")), mean
    assert mean["kept"] > mean["same-number"] > 58
    assert mean["target-C"] > 53


def test_the_table_of_sources_says_what_they_saw(pack):
    seen = {leak: audited(pack, leak)[1] for leak in ("repaired", "kept", "same-number", "no-refill")}
    assert (seen["repaired"]["shared_with_target"] == 0).all()
    assert (seen["no-refill"]["shared_with_target"] == 0).all()
    assert (seen["kept"]["shared_with_test"] > 0).all()
    assert seen["same-number"]["negatives"].tolist() == seen["no-refill"]["negatives"].tolist()
    _, rows, _ = parts(pack, "kept")
    for row, source in zip(seen["kept"].itertuples(), rows.sources.values(), strict=True):
        tests = [set(test[rows.test_positives :].tolist()) for test in rows.test]
        assert row.shared_with_test == pytest.approx(np.mean([len(test & set(source.negatives)) for test in tests]))
        assert row.shared_with_target == len(set(source.negatives) & set(pack.background["c1"]))
    alone = audited(pack, "test-rows", splits=(1,))[1]
    assert (alone["shared_with_test"] == 0).all()
    assert (alone["shared_with_target"] > 0).any()
    said = study.remarks({"sources": pd.concat(seen.values())})
    assert said[1] == "repaired: a source was trained on 0.0 of the target's 20 test negatives, on average."
    assert len(said) == 2


def test_all_leaks_together_are_each_of_them(pack):
    found, table = audited(pack, "all")
    kept, _ = audited(pack, "kept")
    assert (table["shared_with_test"] > 0).all()
    assert set(table["C"]) != {10.0}
    assert found["none"].mean() >= kept["none"].mean()


# One background


def test_one_background_is_dealt_out_to_the_categories(digits):
    parameters = msgspec.convert({**PARAMETERS, "source_examples": 80, "leak": "kept"}, study.Parameters)
    target = study.open_target(digits, "two", parameters)
    drawn = {name: set(rows.tolist()) for name, rows in target.pack.background.items()}
    assert target.background == "planted"
    assert all(len(rows) == 80 and rows <= set(digits.background.tolist()) for rows in drawn.values())
    assert len({frozenset(rows) for rows in drawn.values()}) == len(digits.categories) == len(drawn)
    again = study.open_target(digits, "six", parameters).pack.background
    assert drawn == {name: set(rows.tolist()) for name, rows in again.items()}, "the same for all targets"
    few = dataclasses.replace(digits, background=digits.background[:60])
    assert {len(rows) for rows in study.open_target(few, "two", parameters).pack.background.values()} == {30}


def test_digits_through_the_plan(digits):
    declared = protocol.read("leak-audit")
    fewer = {"seeds": "1", "shots": "1,3", "leak": "all,kept,test-rows"}
    settings = resolve(declared, study.STUDY, "smoke", fewer, "digits")
    plan = make_plan(declared, study.STUDY, settings, digits, "print")
    mine = [one for one in plan.blocks if one.unit == "two"]
    assert [one.group for one in mine] == ["all", "kept", "test-rows"]
    shared = study.prepare(digits, mine[0])
    tables = [study.compute(shared, one, None) for one in mine]
    assert sum(len(table["measurements"]["value"]) for table in tables) * 9 == plan.cells
    measured = pd.concat(pd.DataFrame(table["measurements"]) for table in tables)
    assert set(measured.columns) == {"split", "condition", *declared.factors, "value"}
    assert set(measured["setting"]) == {"digits"}
    assert measured["value"].between(0, 100).all()
    for table in tables:
        assert tuple(table["sources"]) == study.STUDY.tables["sources"]
    assert "its own draw" in study.remarks({"sources": pd.concat(pd.DataFrame(t["sources"]) for t in tables)})[-1]


# Blocks


def test_a_block_has_one_leak_and_ten_splits_or_one(pack):
    both = SettingPacks({"near": pack, "far": blobs(seed=4)})
    wanted = {**PARAMETERS, "setting": ["far", "near"], "leak": ["kept", "test-rows"]}
    pieces = study.cut(both, msgspec.convert(wanted, study.Parameters), ("none",), 12)
    assert len(pieces) == 8 * (2 + 12)
    mine = [piece for piece in pieces if piece.unit == "far: c2"]
    assert {piece.at["setting"] for piece in mine} == {"far"}
    kept = [piece.splits for piece in mine if piece.at["leak"] == "kept"]
    assert kept == [tuple(range(10)), (10, 11)]
    assert [piece.splits for piece in mine if piece.at["leak"] == "test-rows"] == [(split,) for split in range(12)]


def test_data_without_settings_are_one(pack):
    wanted = msgspec.convert({**PARAMETERS, "setting": ["a", "b"], "leak": ["kept"]}, study.Parameters)
    with pytest.raises(DataError, match="have no settings; give the factor one level"):
        study.cut(pack, wanted, ("none",), 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("leak", "open"), ("leak", []), ("grid", []), ("grid", [0.0]), ("grid", [float("inf")]), ("C", float("nan"))],
)
def test_parameters_out_of_bounds_are_refused(key, value):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**PARAMETERS, "leak": "kept", key: value}, study.Parameters)


def test_every_leak_and_condition_of_the_protocol_is_known():
    declared = protocol.read("leak-audit")
    assert set(declared.factors["leak"]) == set(study.WAYS)
    assert tuple(declared.conditions) == study.CONDITIONS
    assert Path(declared.folder / "leak-audit.toml").exists()
