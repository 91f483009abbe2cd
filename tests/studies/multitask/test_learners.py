"""Learners against scikit-learn's search, the budget, the scores by hand, and that no test example is ever seen."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from tlbench.methods.task_relationships import fold_tasks, learn_relationships
from tlbench.studies.multitask.learners import (
    LEARNERS,
    balanced_accuracy,
    explained_variance,
    first_of,
    learn,
)
from tlbench.studies.multitask.task_samples import Sample, draw_tasks


def sample(count=12, **changed):
    given = {"loadings": [0.9, -0.9, 0.0], "dimensions": 5, "noise": 0.5, "most": 20, "tests": 50, "seed": 0}
    drawn = draw_tasks(**{**given, **changed}, unit="draw 001", split=0)
    return first_of(drawn, count, standardise=False)


def folds_of(whole, folds):
    fold = np.arange(len(whole.targets[0])) // whole.together % folds
    return [(fold != turn, fold == turn) for turn in range(folds)]


def test_single_tasks_are_ridge_regressions_with_the_strength_that_held_out_examples_choose(strengths):
    whole = sample()
    errors = []
    for strength in strengths.alone:
        total = 0.0
        for kept, left in folds_of(whole, 4):
            for x, y in zip(whole.inputs, whole.targets, strict=True):
                twin = Ridge(alpha=strength * kept.sum() / 2).fit(x[kept], y[kept])
                total += np.sum((twin.predict(x[left]) - y[left]) ** 2)
        errors.append(total)
    best = strengths.alone[int(np.argmin(errors))]
    learned = learn(whole, "single-task", strengths, 4)
    for x, y, tests, found in zip(whole.inputs, whole.targets, whole.test_inputs, learned.predictions, strict=True):
        np.testing.assert_allclose(found, Ridge(alpha=best * len(x) / 2).fit(x, y).predict(tests), atol=1e-8)


def test_pooled_is_one_ridge_regression_of_all(strengths):
    whole = sample(loadings=[0.9, 0.9, 0.9])
    x, y = np.concatenate(whole.inputs), np.concatenate(whole.targets)
    learned = learn(whole, "pooled", strengths, 4)
    twins = [Ridge(alpha=strength * len(x) / 2).fit(x, y) for strength in strengths.alone]
    assert any(
        all(
            np.allclose(twin.predict(tests), found, atol=1e-8)
            for tests, found in zip(whole.test_inputs, learned.predictions, strict=True)
        )
        for twin in twins
    )
    np.testing.assert_allclose(learned.relations, 1.0)


def test_mtrl_is_the_method_at_one_of_its_candidates(strengths):
    whole = sample()
    learned = learn(whole, "mtrl", strengths, 4)
    found = [
        learn_relationships(fold_tasks(whole.inputs, whole.targets), float(first), float(second))
        for first, second in strengths.pairs
    ]
    predicted = [one.weights[0] @ whole.test_inputs[0].T + one.intercepts[0] for one in found]
    nearest = min(np.abs(one - learned.predictions[0]).max() for one in predicted)
    assert nearest < 1e-3 < min(np.abs(one - other).max() for one, other in pairwise(predicted))


def test_known_relations_are_what_was_drawn(strengths):
    whole = sample()
    np.testing.assert_array_equal(learn(whole, "known-relations", strengths, 4).relations, whole.known)


@pytest.mark.parametrize("name", LEARNERS)
def test_no_test_example_enters_what_is_fitted(strengths, name):
    whole = sample()
    other = replace(
        whole,
        test_inputs=[values[::-1] for values in whole.test_inputs],
        test_targets=[7.0 - values for values in whole.test_targets],
    )
    one, two = learn(whole, name, strengths, 4), learn(other, name, strengths, 4)
    np.testing.assert_array_equal(one.relations, two.relations)
    for before, after in zip(one.predictions, two.predictions, strict=True):
        np.testing.assert_allclose(before, after[::-1], atol=1e-12)


def test_no_test_example_enters_the_scale():
    given = {"loadings": [0.9, 0.5], "dimensions": 4, "noise": 0.5, "most": 20, "tests": 50, "seed": 0}
    drawn = draw_tasks(**given, unit="draw 001", split=0)
    loud = replace(drawn, test_inputs=[100 * values for values in drawn.test_inputs])
    for standardise in (False, True):
        one, two = first_of(drawn, 8, standardise), first_of(loud, 8, standardise)
        for before, after in zip(one.inputs, two.inputs, strict=True):
            np.testing.assert_array_equal(before, after)
        together = np.concatenate(one.inputs)
        assert np.square(together).sum(axis=1).mean() == pytest.approx(1.0)
        np.testing.assert_allclose(together.mean(axis=0), 0.0, atol=1e-12)
        if standardise:
            np.testing.assert_allclose(together.var(axis=0), 0.25)


def test_a_column_that_never_changes_stays_harmless():
    constant = Sample(
        ("a", "b"), [np.ones((4, 2))] * 2, [np.arange(4.0)] * 2, 1, [np.ones((3, 2))] * 2, [np.ones(3)] * 2, []
    )
    assert np.isfinite(first_of(constant, 4, standardise=True).inputs[0]).all()


def test_folds_keep_pairs_together():
    whole = replace(sample(), together=2)
    for kept, left in folds_of(whole, 3):
        assert left.sum() == 4
        assert (left[::2] == left[1::2]).all()
        assert not (kept & left).any()
    assert [left.sum() for _, left in folds_of(sample(), 3)] == [len(part) for _, part in KFold(3).split(range(12))]


def test_scores_by_hand():
    two = Sample(
        ("a", "b"),
        [],
        [],
        2,
        [],
        [np.array([1.0, -1.0, -1.0]), np.array([1.0, 1.0, -1.0])],
        [np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.25, 0.5])],
        classes=True,
    )
    predictions = [np.array([0.5, 0.5, -0.5]), np.array([1.0, 0.0, -1.0])]
    assert balanced_accuracy(two, predictions) == pytest.approx(75.0)
    # Squared errors: .5·.25 + .25·2.25 + .25·.25 and .25·0 + .25·1 + .5·0; both variances are one.
    assert explained_variance(two, predictions) == pytest.approx(100 * (1 - (0.75 + 0.25) / 2))
    assert explained_variance(two, predictions, [1]) == pytest.approx(75.0)
    assert explained_variance(two, two.test_targets) == pytest.approx(100.0)
