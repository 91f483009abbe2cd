"""Every way to use a source against an independent way to compute it, at its limits, and without the test's labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.multiclass import OneVsRestClassifier

from tlbench.methods.estimators import BalancedLSSVC, TransferLSSVC
from tlbench.studies.paradigms import adaptation, learners
from tlbench.studies.paradigms.learners import LEARNERS, Strengths
from tlbench.studies.paradigms.paradigms import MEANT_FOR, NEEDS_LABELS

STRENGTHS = Strengths(C=10.0, weak_c=0.1, rounds=5, dimensions=4, mu=1.0, ridge=1.0)
PLACES = [(condition, cell) for condition, cells in MEANT_FOR.items() for cell in cells]


def solve(condition, problem, shots=(1, 3), **changed):
    if condition in ("kmm", "coral", "subspace"):
        pytest.importorskip("skada")
    return LEARNERS[condition](problem, list(shots), STRENGTHS._replace(**changed))


def machines(problem, C=10.0):
    """One fitted machine for each class of the source."""
    return [
        BalancedLSSVC(C).fit(problem.source, (problem.source_labels == number).astype(int))
        for number in np.unique(problem.source_labels)
    ]


@pytest.mark.parametrize(("condition", "cell"), PLACES)
def test_a_test_example_is_told_by_itself(problem, condition, cell):
    """Whatever else is in the test, and whatever its labels are, an example's scores are the same: nothing leaks."""
    whole = problem(cell)
    kept = np.array([1, 9, 17, 20])
    found = solve(condition, whole)
    other = whole._replace(test=whole.test[kept], test_labels=np.array([2, 2, 0, 2]))
    part = solve(condition, other)
    for count in found:
        assert found[count].scores.shape == (24, 3)
        np.testing.assert_allclose(part[count].scores, found[count].scores[kept], atol=1e-8)


@pytest.mark.parametrize(("condition", "cell"), PLACES)
def test_more_shots_asked_change_nothing_of_fewer(problem, condition, cell):
    some, more = solve(condition, problem(cell), (1,)), solve(condition, problem(cell), (1, 2, 4))
    np.testing.assert_allclose(some[1].scores, more[1].scores, atol=1e-9)


@pytest.mark.parametrize("condition", [name for name in LEARNERS if name not in NEEDS_LABELS])
def test_with_no_shots_no_label_of_the_target_counts(problem, condition):
    cell = MEANT_FOR[condition][-1]
    whole = problem(cell)
    other = whole._replace(labels=whole.labels[::-1].copy(), labelled=whole.labelled + 5.0)
    np.testing.assert_array_equal(solve(condition, whole, (0,))[0].scores, solve(condition, other, (0,))[0].scores)


def test_no_transfer_is_the_machine_for_each_class(problem):
    given = problem("same-all")
    for count, found in solve("none", given).items():
        twin = OneVsRestClassifier(BalancedLSSVC()).fit(*given.shots(count))
        np.testing.assert_allclose(found.scores, twin.decision_function(given.test), atol=1e-8)


@pytest.mark.parametrize("cell", ["same-all", "other-domain", "other-task", "both-differ"])
def test_model_transfer_is_multi_kt_for_each_class(problem, cell):
    given = problem(cell)
    for count, found in solve("model", given).items():
        twin = OneVsRestClassifier(TransferLSSVC(machines(given))).fit(*given.shots(count))
        np.testing.assert_allclose(found.scores, twin.decision_function(given.test), atol=1e-5)
        norms = [np.linalg.norm(one.source_weights_) for one in twin.estimators_]
        assert found.leaning == pytest.approx(np.mean(norms), abs=1e-4)
        assert 0.0 <= found.leaning <= 1.0 + 1e-6


def test_a_translated_model_is_the_model_where_the_translation_is_exact(problem):
    """Where the source's features are a linear map of the target's, a weak ridge finds it."""
    given = problem("same-all")
    through = np.random.default_rng(0).normal(size=(6, 6))
    moved = given._replace(source=given.source @ through, pairs=given.pool @ through)
    found = solve("model", moved, ridge=1e-9)
    for count in found:
        twin = OneVsRestClassifier(TransferLSSVC([Through(one, through) for one in machines(moved)]))
        expected = twin.fit(*given.shots(count)).decision_function(given.test)
        np.testing.assert_allclose(found[count].scores, expected, atol=1e-3)


class Through:
    """A source that moves what it is handed into its own space."""

    def __init__(self, machine, by):
        self.machine, self.by = machine, by

    def decision_function(self, rows):
        return self.machine.decision_function(rows @ self.by)


def test_source_only_and_pooled_are_the_machine_on_what_they_are_handed(problem):
    given = problem("other-domain")
    alone = OneVsRestClassifier(BalancedLSSVC()).fit(given.source, given.source_labels).decision_function(given.test)
    found = solve("source-only", given, (0, 3))
    for count in (0, 3):
        np.testing.assert_allclose(found[count].scores, alone, atol=1e-8)
    pooled = solve("pooled", given, (0, 3))
    np.testing.assert_allclose(pooled[0].scores, alone, atol=1e-8)
    examples, labels = given.shots(3)
    both = OneVsRestClassifier(BalancedLSSVC()).fit(
        np.concatenate([given.source, examples]), np.concatenate([given.source_labels, labels])
    )
    np.testing.assert_allclose(pooled[3].scores, both.decision_function(given.test), atol=1e-8)


def test_boosting_of_machines_that_never_err_is_pooling(problem):
    given = problem("same-all")
    boosted, pooled = solve("tradaboost", given, weak_c=1e4), solve("pooled", given, C=1e4)
    for count in (1, 3):
        np.testing.assert_allclose(boosted[count].scores, pooled[count].scores, rtol=1e-4, atol=1e-4)


def test_boosting_forgets_source_examples_that_are_wrong(problem):
    """With the source's labels spoilt, boosting loses less than pooling with the same machine."""
    given = problem("same-all", source=8, unlabelled=8, labelled=8)
    draw = np.random.default_rng(0)
    spoilt = given._replace(source_labels=draw.permutation(given.source_labels))

    def right(found):
        return np.mean(found[8].scores.argmax(axis=1) == given.test_labels)

    boosted = solve("tradaboost", spoilt, (8,), weak_c=1.0, rounds=20)
    assert right(boosted) > right(solve("pooled", spoilt, (8,), C=1.0))


def test_mean_matching_with_equal_weights_is_pooling(problem, monkeypatch):
    given = problem("other-domain")
    monkeypatch.setattr(adaptation, "mean_matching_weights", lambda source, pool: np.ones(len(source)))
    matched, pooled = learners.mean_matched(given, [0, 3], STRENGTHS), solve("pooled", given, (0, 3))
    for count in (0, 3):
        np.testing.assert_allclose(matched[count].scores, pooled[count].scores)
        assert matched[count].leaning == pytest.approx(1.0)


def test_a_weight_of_two_is_an_example_twice(problem, monkeypatch):
    given = problem("same-all")
    weights = np.ones(len(given.source))
    weights[[0, 7]] = 2.0
    monkeypatch.setattr(adaptation, "mean_matching_weights", lambda source, pool: weights)
    monkeypatch.setattr(learners.RBF, "fit", classmethod(lambda cls, rows: cls(0.1)))  # γ would see the repeats
    repeated = given._replace(
        source=np.concatenate([given.source, given.source[[0, 7]]]),
        source_labels=np.concatenate([given.source_labels, given.source_labels[[0, 7]]]),
    )
    matched = learners.mean_matched(given, [3], STRENGTHS)[3].scores
    np.testing.assert_allclose(matched, solve("pooled", repeated, (3,))[3].scores, atol=1e-8)


def test_weights_are_balanced_by_side():
    weights, sides = np.array([1.0, 3.0, 2.0, 2.0]), np.array([1.0, 1.0, -1.0, -1.0])
    found = learners.balanced(weights, sides)
    assert found[sides > 0].sum() == pytest.approx(4.0)
    assert found[sides < 0].sum() == pytest.approx(4.0)
    assert found[1] == pytest.approx(3 * found[0])


@pytest.mark.parametrize("condition", ["pooled", "kmm", "coral", "subspace", "tca", "tradaboost", "model"])
def test_with_a_source_like_the_target_all_of_them_learn(problem, condition):
    given = problem("same-all", source=8)
    found = solve(condition, given, (3,))[3].scores
    assert np.mean(found.argmax(axis=1) == given.test_labels) > 0.85


def test_discriminants_of_the_target_s_own_classes_help(problem):
    given = problem("same-all", source=8)
    shares = {
        name: np.mean(solve(name, given, (1,))[1].scores.argmax(axis=1) == given.test_labels)
        for name in ("none", "discriminants")
    }
    assert shares["discriminants"] >= shares["none"]


def test_correlations_bring_two_descriptions_of_one_thing_together(problem):
    """Where both descriptions are turned copies of each other, the source's examples teach the target's space."""
    given = problem("same-all", source=8, unlabelled=8)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    apart = given._replace(source=given.source @ turn, pairs=given.pool @ turn)
    found = solve("cca", apart, (0,), dimensions=6)[0].scores
    assert np.mean(found.argmax(axis=1) == given.test_labels) > 0.8
