"""The study of weighted sources: each number again by plain algebra, no test example in anything fitted."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from tests.studies.sources.conftest import PARAMETERS
from tlbench.datasets import DataError, FeaturePack, draw_task, generator
from tlbench.methods.source_weights import ball_weights, scalar_weights
from tlbench.methods.taught_weights import Lesson, teach, train_members
from tlbench.studies.sources import source_task
from tlbench.studies.sources import source_weighting as study
from tlbench.studies.sources.source_conditions import LESSONS
from tlbench.study import Block

DIGITS = {**PARAMETERS, "negatives": 10, "test_examples": 50, "source_examples": 80}
GROUPS = {
    "none": ("none",),
    "single": ("single-mean", "single-selected", "single-oracle"),
    "fixed": ("multi-average", "multi-equal"),
    "weighted": ("multi-weighted",),
    "weighted-l1": ("multi-weighted-l1",),
    "taught": ("multi-taught",),
}
CONDITIONS = [condition for group in GROUPS.values() for condition in group]


def synthetic(categories=4, own_backgrounds=False, seed=5, positives=40, change=lambda centres: centres):
    """Blobs about centres of their own, in two kinds of feature, before a wide background.

    With own backgrounds, neighbours share half of theirs, and two pictures of a category stand in another's.
    """
    draw = np.random.default_rng(seed)
    names = [f"c{number}" for number in range(categories)]
    backdrop = 40 * (categories + 1) if own_backgrounds else 120
    count = categories * positives + backdrop
    member = np.r_[np.repeat(np.arange(categories), positives), np.full(backdrop, categories)]
    centres = change(np.vstack([draw.normal(0, 1.0, (categories, 5)), np.zeros((1, 5))]))
    shape = centres[member] + draw.normal(0, 0.7, (count, 5)) * np.where(member == categories, 1.5, 1.0)[:, None]
    rows = {name: np.flatnonzero(member == number).astype(np.intp) for number, name in enumerate(names)}
    start = categories * positives
    background = np.arange(start, count, dtype=np.intp)
    if own_backgrounds:
        shared = {name: background[40 * n : 40 * n + 80] for n, name in enumerate(names)}
        background = {
            name: np.sort(np.r_[own, rows[names[(n + 1) % categories]][:2]]).astype(np.intp)
            for n, (name, own) in enumerate(shared.items())
        }
    return FeaturePack(
        identities=tuple(f"p{row:04}" for row in range(count)),
        features={"shape": shape, "colour": draw.normal(0, 1, (count, 3)) + shape[:, :1]},
        categories=rows,
        background=background,
    )


def block(unit, group="none", splits=(0,), **changed):
    parameters = {**PARAMETERS, **changed}
    return Block("source_weighting", 1, unit, tuple(splits), group, GROUPS[group], parameters, "print")


def results(pack, unit, splits=(0,), shared=None, **changed):
    """Accuracies by (condition, split, shots) and weights by (condition, split, shots, source), all conditions."""
    shared = shared or study.prepare(pack, block(unit, splits=splits, **changed))
    accuracies, weights = {}, {}
    for group in GROUPS:
        tables = study.compute(shared, block(unit, group, splits, **changed), None)
        m, w = tables["measurements"], tables["weights"]
        accuracies |= dict(zip(zip(m["condition"], m["split"], m["shots"], strict=True), m["value"], strict=True))
        keys = zip(w["condition"], w["split"], w["shots"], w["source"], strict=True)
        weights |= dict(zip(keys, w["beta"], strict=True))
    return accuracies, weights


def drawn(pack, unit, splits=(0,), **changed):
    parameters = msgspec.convert({**PARAMETERS, **changed}, study.STUDY.Parameters)
    return draw_task(pack, unit, parameters.amounts, parameters.overlap, parameters.seed, splits)


PACKS = {"shared": synthetic(), "own": synthetic(own_backgrounds=True)}


@pytest.fixture(params=PACKS)
def pack(request):
    return PACKS[request.param]


# The same numbers by another way


class ByHand:
    """One target, split and shot count from the formulas of the papers, with dense matrices and no shared code."""

    def __init__(self, pack, rows, split, shots, negatives, C):
        self.pack, self.C = pack, C
        source_rows = sorted({row for s in rows.sources.values() for row in [*s.positives, *s.negatives]})
        self.gammas = {}
        for kind, values in pack.features.items():
            chosen = values[source_rows]
            pairs = [((a - b) ** 2).sum() for i, a in enumerate(chosen) for b in chosen[:i]]
            self.gammas[kind] = 1 / np.mean(pairs) if np.mean(pairs) > 0 else 0.0
        train, test = rows.train[split][: negatives + shots], rows.test[split]
        self.y = np.array([-1.0] * negatives + [1.0] * shots)
        self.truth = np.array([1] * rows.test_positives + [-1] * (len(test) - rows.test_positives))
        self.K, self.K_test = self.kernel(train, train), self.kernel(test, train)
        self.F, self.F_test = [], []
        for source in rows.sources.values():
            own = np.r_[source.positives, source.negatives]
            labels = np.array([1.0] * len(source.positives) + [-1.0] * len(source.negatives))
            alpha, bias = self.solve(self.kernel(own, own), labels, labels)
            self.F.append(self.kernel(train, own) @ alpha + bias)
            self.F_test.append(self.kernel(test, own) @ alpha + bias)
        self.F, self.F_test = np.array(self.F).T, np.array(self.F_test).T
        self.zeta = self.balance(self.y)

    def kernel(self, left, right):
        return np.mean(
            [
                np.exp(-gamma * ((self.pack.features[k][left][:, None] - self.pack.features[k][right]) ** 2).sum(-1))
                for k, gamma in self.gammas.items()
            ],
            axis=0,
        )

    @staticmethod
    def balance(labels):
        return np.array([len(labels) / (2 * (labels == label).sum()) for label in labels])

    def solve(self, kernel, targets, labels, keep=None):
        """α and b from the bordered system; ``keep`` leaves examples out without changing the weights of the others."""
        weights = self.balance(labels)
        keep = np.ones(len(labels), dtype=bool) if keep is None else keep
        n = keep.sum()
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = kernel[np.ix_(keep, keep)] + np.diag(1 / (self.C * weights[keep]))
        system[:n, n] = system[n, :n] = 1
        solution = np.linalg.solve(system, np.r_[targets[keep], 0.0])
        return solution[:n], solution[n]

    def accuracy(self, beta):
        alpha, bias = self.solve(self.K, self.y - self.F @ beta, self.y)
        called = self.K_test @ alpha + bias + self.F_test @ beta > 0
        return 50 * (called[self.truth > 0].mean() + 1 - called[self.truth < 0].mean())

    def left_out(self, targets):
        """targets_i minus what a machine trained without example i says of it, for every i, by training them all."""
        errors = []
        for i in range(len(self.y)):
            keep = np.arange(len(self.y)) != i
            alpha, bias = self.solve(self.K, targets, self.y, keep)
            errors.append(targets[i] - (self.K[i, keep] @ alpha + bias))
        return np.array(errors)

    def terms(self):
        return self.y * self.left_out(self.y), np.array([self.y * self.left_out(f) for f in self.F.T]).T

    def bound(self, beta):
        r, G = self.terms()
        return self.zeta @ np.maximum(0, r - G @ beta)

    def alone(self, j):
        """The smallest best weight in [0, 1] of source j and its bound: a piecewise linear function bends where a
        margin is met, so trying every bend is enough."""
        r, G = self.terms()
        bends = [0.0, 1.0, *(b for b in r / np.where(G[:, j] == 0, np.inf, G[:, j]) if 0 < b < 1)]
        values = [self.zeta @ np.maximum(0, r - G[:, j] * b) for b in bends]
        best = min(values)
        return min(b for b, v in zip(bends, values, strict=True) if v <= best + 1e-10), best


@pytest.mark.parametrize(("name", "unit", "split"), [("shared", "c2", 1), ("own", "c1", 0), ("digits", "three", 1)])
def test_every_number_again_by_plain_algebra(digits, name, unit, split):
    pack, changed = (digits, DIGITS) if name == "digits" else (PACKS[name], {})
    splits = (0, 1)
    parameters = {**PARAMETERS, **changed}
    shared = study.prepare(pack, block(unit, splits=splits, **changed))
    accuracies, weights = results(pack, unit, splits, shared, **changed)
    rows = drawn(pack, unit, splits, **changed)
    assert shared.names == [other for other in pack.categories if other != unit]
    k = len(shared.names)
    for place, shots in enumerate(parameters["shots"]):
        hand = ByHand(pack, rows, split, shots, parameters["negatives"], parameters["C"])
        n = parameters["negatives"] + shots
        r, G = hand.terms()
        computed = shared.leave_one_out
        np.testing.assert_allclose(computed.residual[split, place, :n], r, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(computed.influence[split, place, :n], G, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(computed.balance[split, place, :n], hand.zeta)
        assert not computed.residual[split, place, n:].any()
        assert not computed.influence[split, place, n:].any()
        np.testing.assert_allclose(shared.scores[split, place, :n], hand.F, rtol=1e-9, atol=1e-9)

        def stored(condition, shots=shots):
            return np.array([weights[condition, split, shots, source] for source in shared.names])

        alone = [hand.alone(j) for j in range(k)]
        each = [hand.accuracy(np.eye(k)[j] * alone[j][0]) for j in range(k)]
        chosen = int(np.argmin([bound for _, bound in alone]))
        np.testing.assert_allclose(stored("single-selected"), np.eye(k)[chosen] * alone[chosen][0], atol=1e-9)
        expected = {
            "none": hand.accuracy(np.zeros(k)),
            "single-mean": np.mean(each),
            "single-selected": each[chosen],
            "single-oracle": max(each),
            "multi-average": hand.accuracy(np.full(k, 1 / k)),
            "multi-equal": hand.accuracy(np.full(k, 1 / np.sqrt(k))),
            "multi-weighted": hand.accuracy(stored("multi-weighted")),
            "multi-weighted-l1": hand.accuracy(stored("multi-weighted-l1")),
        }
        found = {condition: accuracies[condition, split, shots] for condition in expected}
        assert found == pytest.approx(expected, abs=1e-9)

        # Learned weights lie in their ball, and nothing in it does better by more than the solver's tolerance.
        draw = np.random.default_rng(shots)
        for condition, norm in (("multi-weighted", 2), ("multi-weighted-l1", 1)):
            beta = stored(condition)
            assert (beta >= 0).all()
            assert np.linalg.norm(beta, norm) <= 1 + 1e-9
            tries = np.abs(draw.normal(size=(200, k)))
            tries *= draw.uniform(size=(200, 1)) ** 0.3 / np.linalg.norm(tries, norm, axis=1, keepdims=True)
            near = np.maximum(beta + draw.normal(0, 0.02, (200, k)), 0)
            near /= np.maximum(1, np.linalg.norm(near, norm, axis=1, keepdims=True))
            corners = np.vstack([np.zeros(k), np.eye(k), np.full(k, k ** (-1 / norm))])
            others = np.vstack([tries, near, corners])
            bounds = np.maximum(0, r - others @ G.T) @ hand.zeta
            best = hand.bound(beta)
            assert best <= bounds.min() + 1e-6 * max(1, best)


def test_taught_weights_follow_from_the_sources_examples_and_the_targets_alone(pack):
    """The lesson of a target on examples in another order, then its members by hand's kernel and scores."""
    unit, splits = "c1", (0, 1)
    rows = drawn(pack, unit, splits)
    _, weights = results(pack, unit, splits)
    hand = ByHand(pack, rows, 0, 1, PARAMETERS["negatives"], PARAMETERS["C"])
    shuffled = np.random.default_rng(2).permutation(rows.source_training)
    at = {row: place for place, row in enumerate(shuffled.tolist())}
    lesson = teach(
        hand.kernel(shuffled, shuffled),
        [
            tuple(np.array([at[row] for row in part.tolist()]) for part in (source.positives, source.negatives))
            for source in rows.sources.values()
        ],
        PARAMETERS["shots"],
        PARAMETERS["negatives"],
        PARAMETERS["C"],
        LESSONS,
        generator(0, "taught", unit),
    )
    assert lesson.accuracy.any(), "sources have examples enough to play the target"
    for split in splits:
        for place, shots in enumerate(PARAMETERS["shots"]):
            one = ByHand(pack, rows, split, shots, PARAMETERS["negatives"], PARAMETERS["C"])
            here = Lesson(*(part[:, [place]] for part in lesson))
            beta = train_members(one.K[None], one.y[None], one.F[None]).mean(here).weights[0]
            stored = [weights["multi-taught", split, shots, source] for source in rows.sources]
            np.testing.assert_allclose(stored, beta, atol=1e-6)


def test_no_transfer_is_a_machine_without_sources(pack):
    """β = 0: the same accuracies whatever the sources are. multi-taught is a mean of machines of several C."""
    accuracies, _ = results(pack, "c0", (0, 1))
    shared = study.prepare(pack, block("c0", splits=(0, 1)))
    silent = dataclasses.replace(shared, scores=shared.scores * 0, test_scores=shared.test_scores * 0)
    alone, _ = results(pack, "c0", (0, 1), silent)
    for (condition, split, shots), value in alone.items():
        if condition != "multi-taught":
            assert value == accuracies["none", split, shots], condition


def test_relations_between_conditions(pack):
    for unit in pack.categories:
        splits = tuple(range(4))
        shared = study.prepare(pack, block(unit, splits=splits))
        accuracies, weights = results(pack, unit, splits, shared)
        assert len(accuracies) == 9 * 4 * 3
        assert all(0 <= value <= 100 for value in accuracies.values())
        for split in splits:
            for shots in PARAMETERS["shots"]:
                found = {condition: accuracies[condition, split, shots] for condition in CONDITIONS}
                assert found["single-oracle"] >= found["single-selected"]
                assert found["single-oracle"] >= found["single-mean"]
                used = [s for s in shared.names if weights["single-selected", split, shots, s] != 0]
                assert len(used) <= 1


def test_fewer_shots_are_nested_in_more(pack):
    shared = study.prepare(pack, block("c1", splits=(0, 3)))
    used = shared.labels != 0
    assert (used.sum(-1) == PARAMETERS["negatives"] + np.array(PARAMETERS["shots"])).all()
    for fewer, more in ((0, 1), (1, 2)):
        assert (used[:, more] | ~used[:, fewer]).all()
        assert (shared.labels[:, more][used[:, fewer]] == shared.labels[:, fewer][used[:, fewer]]).all()
    few, _ = results(pack, "c1", (0, 3), shots=[1, 5])
    many, _ = results(pack, "c1", (0, 3))
    assert few == {key: pytest.approx(value) for key, value in many.items() if key[2] != 2}


# Nothing of a test set in anything fitted


def fitted(pack, unit, splits, shared=None):
    """Every number that was fitted, under one name each."""
    shared = shared or study.prepare(pack, block(unit, splits=splits))
    terms = shared.leave_one_out
    return {
        "P": shared.machines.P,
        "bias": shared.machines.bias_row,
        "labels": shared.labels,
        "balance": shared.balance,
        "scores": shared.scores,
        "residual": terms.residual,
        "influence": terms.influence,
        "weights": np.array(list(results(pack, unit, splits, shared)[1].values())),
    }


@pytest.mark.parametrize("replace", ["noise", "far", "zero"])
def test_what_is_tested_on_reaches_nothing_that_is_fitted(pack, replace):
    for unit in ("c0", "c3"):
        rows = drawn(pack, unit)
        only_tested = np.setdiff1d(rows.test[0], rows.train[0])
        assert len(only_tested) == len(rows.test[0])
        draw = np.random.default_rng(9)
        features = {}
        for kind, values in pack.features.items():
            features[kind] = values.copy()
            shape = (len(only_tested), values.shape[1])
            features[kind][only_tested] = {
                "noise": draw.normal(0, 2, shape),
                "far": 1e7 + draw.normal(0, 1e6, shape),
                "zero": np.zeros(shape),
            }[replace]
        other = dataclasses.replace(pack, features=features)
        before, after = fitted(pack, unit, (0,)), fitted(other, unit, (0,))
        for name in before:
            np.testing.assert_allclose(after[name], before[name], rtol=1e-9, atol=1e-9, err_msg=name)
        assert results(other, unit)[0] != results(pack, unit)[0], "the tested ones do count in the test"


@pytest.mark.parametrize("unit", ["c0", "c3"])
def test_who_is_positive_in_the_test_changes_accuracies_alone(pack, unit, monkeypatch):
    def swapped(*arguments):
        rows = draw_task(*arguments)
        half = rows.test_positives
        assert rows.test.shape[1] == 2 * half
        return dataclasses.replace(rows, test=np.concatenate([rows.test[:, half:], rows.test[:, :half]], axis=1))

    before, accuracies = fitted(pack, unit, (0, 1)), results(pack, unit, (0, 1))[0]
    monkeypatch.setattr(source_task, "draw_task", swapped)
    after = fitted(pack, unit, (0, 1))
    for name in before:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9, atol=1e-9, err_msg=name)
    now = results(pack, unit, (0, 1))[0]
    for key, value in accuracies.items():
        if key[0] != "single-oracle":
            assert now[key] == pytest.approx(100 - value), key


def test_an_oracle_alone_looks_at_the_test(monkeypatch):
    """single-oracle does change with the test's labels: it is the best of all sources either way."""
    pack = PACKS["shared"]
    shared = study.prepare(pack, block("c0"))
    alone, _ = scalar_weights(shared.leave_one_out)
    accuracies, _ = results(pack, "c0", shared=shared)
    k = len(shared.names)
    for place, shots in enumerate(PARAMETERS["shots"]):
        beta = np.zeros((k, 1, len(PARAMETERS["shots"]), k))
        beta[np.arange(k), 0, :, np.arange(k)] = alone[0].T
        each = shared.accuracy(beta)[:, 0, place]
        assert accuracies["single-oracle", 0, shots] == each.max()
        assert accuracies["single-mean", 0, shots] == pytest.approx(each.mean())


def pools(pack, unit, splits=range(30), **changed):
    """Rows that a target trains or tests on in some split, and rows that its sources train on."""
    rows = drawn(pack, unit, tuple(splits), **changed)
    sources = [np.r_[source.positives, source.negatives] for source in rows.sources.values()]
    return set(np.r_[rows.train.ravel(), rows.test.ravel()].tolist()), set(np.concatenate(sources).tolist())


def test_no_picture_of_a_target_trains_a_source(digits):
    for pack, changed in ((digits, DIGITS), (PACKS["shared"], {}), (PACKS["own"], {})):
        for unit in pack.categories:
            mine, theirs = pools(pack, unit, **changed)
            assert not mine & theirs
            assert not set(pack.categories[unit].tolist()) & theirs


def test_the_overlap_can_be_kept_as_released():
    pack = PACKS["own"]
    for unit in pack.categories:
        mine, theirs = pools(pack, unit, overlap="kept", source_examples=100)
        assert mine & theirs
    everything = drawn(pack, "c1", overlap="kept", source_examples=100).sources["c0"]
    assert set(everything.positives) == set(pack.categories["c0"])
    assert set(everything.negatives) == set(pack.background["c0"])


# Shared draws, same numbers


def test_conditions_share_their_draws(pack):
    shared = {group: study.prepare(pack, block("c1", group, (0, 1))) for group in GROUPS}
    first = shared["none"]
    for other in shared.values():
        assert (other.rows.train == first.rows.train).all()
        assert (other.rows.test == first.rows.test).all()
        assert (other.machines.P == first.machines.P).all()
    for group in GROUPS:
        mine = study.compute(shared[group], block("c1", group, (0, 1)), None)
        assert mine == study.compute(first, block("c1", group, (0, 1)), None)


def test_a_condition_alone_has_the_numbers_it_has_among_others(pack):
    shared = study.prepare(pack, block("c1"))
    whole = study.compute(shared, block("c1", "single"), None)
    for condition in GROUPS["single"]:
        alone = study.compute(shared, dataclasses.replace(block("c1", "single"), conditions=(condition,)), None)
        picked = [
            v
            for v, c in zip(whole["measurements"]["value"], whole["measurements"]["condition"], strict=True)
            if c == condition
        ]
        assert alone["measurements"]["value"] == picked
        assert set(alone["weights"]["condition"]) <= {condition}
    reverse = dataclasses.replace(block("c1", "single"), conditions=GROUPS["single"][::-1])
    turned = study.compute(shared, reverse, None)["measurements"]
    rows = lambda m: set(zip(m["condition"], m["split"], m["shots"], m["value"], strict=True))  # noqa: E731
    assert rows(turned) == rows(whole["measurements"])


def test_ten_splits_twice_are_the_same_bytes(digits):
    made = []
    for _ in range(2):
        shared = study.prepare(digits, block("six", splits=range(10), **DIGITS))
        made.append(
            msgspec.json.encode(
                [study.compute(shared, block("six", group, range(10), **DIGITS), None) for group in GROUPS]
            )
        )
    assert made[0] == made[1]


def test_a_split_does_not_know_its_batch(pack):
    together, weights = results(pack, "c2", range(10))
    for split in (0, 7):
        alone, own_weights = results(pack, "c2", (split,))
        assert alone == {key: pytest.approx(value) for key, value in together.items() if key[1] == split}
        expected = {key: value for key, value in weights.items() if key[1] == split}
        assert own_weights == pytest.approx(expected, abs=1e-5)


def test_tables_say_who_and_how_many(pack):
    shared = study.prepare(pack, block("c1", splits=(2, 3)))
    for group, conditions in GROUPS.items():
        tables = study.compute(shared, block("c1", group, (2, 3)), None)
        assert set(tables) == {"measurements", *study.STUDY.tables} - {"scores"}  # these on request alone
        for name, columns in study.STUDY.tables.items():
            assert name == "scores" or tuple(tables[name]) == columns
        measured = tables["measurements"]
        keys = list(zip(measured["condition"], measured["split"], measured["shots"], strict=True))
        assert keys == [(c, split, shots) for c in conditions for split in (2, 3) for shots in (1, 2, 5)]
        sizes = tables["sizes"]
        assert sizes["source"] == ["c0", "c2", "c3"]
        assert sizes["test_positives"] == [20] * 3
        assert max(sizes["source_positives"] + sizes["source_negatives"]) <= 25


def test_remarks_say_the_sizes():
    import pandas as pd

    sizes = pd.DataFrame(
        {
            "source_positives": [80, 75],
            "source_negatives": [80, 80],
            "test_positives": [50, 50],
            "test_negatives": [50, 40],
        }
    )
    (remark,) = study.remarks({"sizes": sizes})
    assert "50 + 40–50 examples" in remark
    assert "75–80 + 80" in remark


# Corners


def sound(pack, unit, **changed):
    accuracies, weights = results(pack, unit, (0, 1), **changed)
    assert all(np.isfinite(value) and 0 <= value <= 100 for value in accuracies.values())
    assert all(np.isfinite(beta) for beta in weights.values())
    return accuracies, weights


@pytest.mark.parametrize("unit", ["c0", "c1", "c2"])
def test_two_categories_that_are_nearly_one(unit):
    def alike(centres):
        centres[1] = centres[0]
        return centres

    pack = synthetic(change=alike)
    values = {kind: v.copy() for kind, v in pack.features.items()}
    for v in values.values():
        v[pack.categories["c1"]] = v[pack.categories["c0"]] + 1e-9
    accuracies, weights = sound(dataclasses.replace(pack, features=values), unit)
    if unit == "c0":  # a source that is the target itself, but for a billionth, is worth leaning on
        mean = {c: np.mean([v for key, v in accuracies.items() if key[0] == c]) for c in ("multi-weighted", "none")}
        assert mean["multi-weighted"] > mean["none"]
        assert all(weights["multi-weighted", s, n, "c1"] >= 0.1 for s in (0, 1) for n in (1, 2, 5))


def test_a_kind_that_is_constant_tells_nothing_and_breaks_nothing(pack):
    count = len(pack.identities)
    flat = dataclasses.replace(pack, features={**pack.features, "flat": np.full((count, 2), 0.1)})
    accuracies, weights = sound(flat, "c1")
    hand = ByHand(flat, drawn(flat, "c1", (0, 1)), 0, 2, PARAMETERS["negatives"], PARAMETERS["C"])
    assert hand.gammas["flat"] == 0.0
    beta = np.array([weights["multi-weighted", 0, 2, source] for source in ("c0", "c2", "c3")])
    assert accuracies["multi-weighted", 0, 2] == pytest.approx(hand.accuracy(beta))
    only = dataclasses.replace(pack, features={"flat": np.ones((count, 2))})
    assert set(sound(only, "c1")[0].values()) == {50.0}


def test_collinear_and_repeated_features(pack):
    line = pack.features["shape"][:, :1]
    sound(dataclasses.replace(pack, features={"line": line @ np.array([[1.0, 2.0, -3.0]])}), "c1")
    twice = dataclasses.replace(pack, features={**pack.features, "again": pack.features["shape"] * 7})
    both = dataclasses.replace(pack, features={**pack.features, "again": pack.features["shape"]})
    first, second = sound(twice, "c1"), sound(both, "c1")
    assert first[0] == pytest.approx(second[0]), "a kernel does not know the scale of a kind"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_features_does_not_show(pack, scale):
    scaled = dataclasses.replace(pack, features={kind: values * scale for kind, values in pack.features.items()})
    assert results(scaled, "c1", (0, 1))[0] == pytest.approx(results(pack, "c1", (0, 1))[0])


def test_one_positive_and_one_negative(pack):
    accuracies, _ = sound(pack, "c1", shots=[1], negatives=1)
    assert {shots for _, _, shots in accuracies} == {1}


def test_an_intersection_kernel_of_negative_numbers_is_refused_before_any_block(pack):
    choices = msgspec.convert({**PARAMETERS, "kernel": "intersection"}, study.STUDY.Parameters)
    with pytest.raises(DataError, match="numbers below zero, which intersection cannot take; set kernel=rbf"):
        source_task.units(pack, choices)


def test_two_categories_are_one_source():
    pack = synthetic(categories=2)
    accuracies, weights = sound(pack, "c1")
    for split in (0, 1):
        for shots in PARAMETERS["shots"]:
            found = {condition: accuracies[condition, split, shots] for condition in CONDITIONS}
            assert found["single-mean"] == found["single-selected"] == found["single-oracle"]
            assert found["multi-average"] == found["multi-equal"]
            beta = {c: weights[c, split, shots, "c0"] for c in ("multi-weighted", "multi-weighted-l1")}
            hand = ByHand(pack, drawn(pack, "c1", (0, 1)), split, shots, PARAMETERS["negatives"], PARAMETERS["C"])
            exact, bound = hand.alone(0)
            for value in beta.values():
                assert hand.bound(np.array([value])) == pytest.approx(bound, abs=1e-5)
            assert weights["single-selected", split, shots, "c0"] == pytest.approx(exact, abs=1e-9)


def test_signed_weights_may_be_negative_and_do_no_worse_on_their_own_terms(pack):
    bounds = {}
    for nonnegative in (True, False):
        shared = study.prepare(pack, block("c2", splits=range(4)))
        beta = ball_weights(shared.leave_one_out, "l2", nonnegative)
        bounds[nonnegative] = shared.leave_one_out.bound(beta)
        assert (beta < 0).any() == (not nonnegative)
    assert (bounds[False] <= bounds[True] + 1e-6 * np.maximum(1, bounds[True])).all()
    signed = results(pack, "c2", range(4), nonnegative=False)[1]
    assert min(value for key, value in signed.items() if key[0] == "multi-weighted") < 0


# Parameters and units


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shots", []),
        ("shots", [0, 1]),
        ("negatives", 0),
        ("test_examples", 14),
        ("source_examples", 0),
        ("C", 0.0),
        ("C", -1.0),
        ("C", float("inf")),
        ("C", float("nan")),
        ("kernel", "cubic"),
        ("projection", 0.0),
        ("penalty", -1.0),
        ("rounds", 0),
        ("overlap", "fixed"),
        ("nonnegative", 1),
        ("seed", -1),
    ],
)
def test_parameters_out_of_bounds_are_refused(key, value):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**PARAMETERS, key: value}, study.STUDY.Parameters)


def test_units_are_the_categories(digits, pack):
    parameters = msgspec.convert(PARAMETERS, study.STUDY.Parameters)
    assert list(study.units(pack, parameters)) == list(pack.categories)
    assert list(study.units(digits, parameters)) == list(digits.categories)


def test_units_refuse_a_category_that_is_too_small():
    from tlbench.datasets import DataError

    parameters = msgspec.convert({**PARAMETERS, "shots": [1, 26]}, study.STUDY.Parameters)
    with pytest.raises(DataError, match="'c0' has 40 examples; 26 shots and a test set of at least 15 need 41"):
        study.units(PACKS["shared"], parameters)
