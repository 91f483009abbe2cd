"""Members, shares and lessons of taught weights against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.methods.kernels import RBF
from tlbench.methods.least_squares_svm import class_balance, factorise, train
from tlbench.methods.related_tasks import related_hyperplanes
from tlbench.methods.source_weights import leave_one_out
from tlbench.methods.taught_weights import (
    PULL,
    STRENGTHS,
    WAYS,
    Lesson,
    _drawn_weights,
    _honest_scores,
    teach,
    train_members,
)

MEMBERS = len(WAYS) * len(STRENGTHS)


def _task(seed, negatives=6, positives=3, sources=4, tests=5):
    draw = np.random.default_rng(seed)
    examples = draw.standard_normal((negatives + positives + tests, 3))
    kernel = RBF.fit(examples)(examples, examples)
    scores = draw.standard_normal((len(examples), sources))
    labels = np.repeat([-1.0, 1.0], [negatives, positives])
    count = len(labels)
    scores[:count] += labels[:, None]
    return kernel[:count, :count], labels, scores[:count], kernel[count:, :count], scores[count:]


def _sources(cosines, seed=0, each=40):
    """Kernel between all examples of the sources, and the rows of each: positives first."""
    tasks = related_hyperplanes(cosines, 8, 6 * each, np.random.default_rng(seed))
    examples, rows = [], []
    for own, labels in zip(tasks.examples[1:], tasks.labels[1:], strict=True):
        start = 2 * each * len(rows)
        chosen = np.r_[np.flatnonzero(labels > 0)[:each], np.flatnonzero(labels < 0)[:each]]
        examples.append(own[chosen])
        rows.append((np.arange(start, start + each), np.arange(start + each, start + 2 * each)))
    stacked = np.concatenate(examples)
    return RBF.fit(stacked)(stacked, stacked), rows


@pytest.mark.parametrize("centre", [0.0, 0.25])
def test_drawn_weights_are_optimal(centre):
    kernel, labels, scores, _, _ = _task(1)
    balance = class_balance(labels)
    r, G, zeta = leave_one_out(factorise(kernel, balance, 1.0), labels, scores, balance)
    beta = _drawn_weights(leave_one_out(factorise(kernel, balance, 1.0), labels, scores, balance), centre)
    slope = -2 * G.T @ (zeta * (r - G @ beta)) + 2 * PULL * (beta - centre)
    assert (beta >= 0).all()
    np.testing.assert_allclose(slope[beta > 0], 0.0, atol=1e-7)
    assert (slope[beta == 0] >= -1e-7).all()


def test_members_start_with_no_source_and_hold_the_average():
    kernel, labels, scores, test_kernel, test_scores = _task(2)
    members = train_members(kernel, labels, scores)
    assert members.hinge.shape == (MEMBERS,)
    assert not members.machine.weights[0].any()
    np.testing.assert_allclose(members.machine.weights[WAYS.index("average")], 0.25)
    alone = factorise(kernel, class_balance(labels), STRENGTHS[0])
    expected = test_kernel @ alone.dual(labels) + alone.bias(labels)
    np.testing.assert_allclose(members.machine.decisions(test_kernel, test_scores)[0], expected)


def test_the_mean_machine_decides_as_the_members_do_by_share():
    kernel, labels, scores, test_kernel, test_scores = _task(3)
    members = train_members(kernel[None], labels[None], scores[None])
    draw = np.random.default_rng(0)
    lesson = Lesson(draw.uniform(60, 62, (MEMBERS, 1)), draw.uniform(0, 3, (MEMBERS, 1)))
    share = np.exp(lesson.accuracy[:, 0] - (members.hinge[:, 0] - lesson.hinge[:, 0]))
    share /= share.sum()
    np.testing.assert_allclose(members.shares(lesson)[:, 0], share)
    decisions = members.machine.decisions(test_kernel, test_scores)[:, 0]
    np.testing.assert_allclose(members.mean(lesson).decisions(test_kernel, test_scores)[0], share @ decisions)


def test_padding_changes_nothing():
    kernel, labels, scores, test_kernel, test_scores = _task(4)
    short = train_members(kernel[:8, :8], labels[:8], scores[:8])
    padded = train_members(kernel, np.r_[labels[:8], 0.0], scores)
    np.testing.assert_allclose(padded.hinge, short.hinge, atol=1e-5)
    np.testing.assert_allclose(
        padded.machine.decisions(test_kernel, test_scores),
        short.machine.decisions(test_kernel[:, :8], test_scores),
        atol=1e-5,
    )


def test_scores_on_own_examples_are_those_of_a_source_trained_without_them():
    kernel, [(positives, negatives), *_] = _sources([0.9, 0.5], each=10)
    scores = _honest_scores(kernel, positives, negatives, 10.0)
    own = np.r_[positives, negatives]
    labels = np.repeat([1.0, -1.0], 10)
    balance = class_balance(labels)
    for left_out in (0, 13):
        rest = np.delete(np.arange(20), left_out)
        machine = factorise(kernel[np.ix_(own[rest], own[rest])], balance[rest], 10.0)
        decision = kernel[own[left_out], own[rest]] @ machine.dual(labels[rest]) + machine.bias(labels[rest])
        assert scores[own[left_out]] == pytest.approx(decision)
    dual, bias = train(kernel[np.ix_(own, own)], labels, 10.0)
    np.testing.assert_allclose(scores[20:], kernel[20:][:, own] @ dual + bias)


def test_related_sources_teach_to_lean_and_unrelated_ones_do_not():
    def gain(cosines):
        lesson = teach(*_sources(cosines), [1, 5], 10, 10.0, 4, np.random.default_rng(5))
        assert lesson.accuracy.shape == lesson.hinge.shape == (MEMBERS, 2)
        return lesson.accuracy[WAYS.index("drawn to zero")] - lesson.accuracy[WAYS.index("none")]

    assert (gain([0.95, 0.95, 0.95, 0.95]) > 5.0).all()
    assert (gain([0.0, 0.0, 0.0, 0.0]) < 2.0).all()


def test_a_lesson_is_fixed_by_its_generator():
    first, again = (teach(*_sources([0.9, 0.6, 0.0]), [2], 10, 10.0, 2, np.random.default_rng(seed)) for seed in (7, 7))
    np.testing.assert_array_equal(first.accuracy, again.accuracy)
    np.testing.assert_array_equal(first.hinge, again.hinge)


def test_sources_without_examples_to_be_tested_on_teach_nothing():
    kernel, rows = _sources([0.9, 0.9], each=20)
    assert not np.any(teach(kernel, rows, [10], 10, 10.0, 2, np.random.default_rng(0)))
    assert np.any(teach(kernel, rows, [5], 5, 10.0, 2, np.random.default_rng(0)))
    assert not np.any(teach(kernel, rows[:1], [5], 5, 10.0, 2, np.random.default_rng(0)))


def test_the_target_needs_a_source_and_both_classes():
    kernel, labels, scores, _, _ = _task(6)
    with pytest.raises(ValueError, match="at least one"):
        train_members(kernel, labels, scores[:, :0])
    with pytest.raises(ValueError, match="each class"):
        train_members(kernel, np.abs(labels), scores)
