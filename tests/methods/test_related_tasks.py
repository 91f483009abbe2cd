"""Truth: plain counting on many examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.methods.related_tasks import Waves, disagreement, related_hyperplanes, related_waves

LADDER = [1.0, 0.9, 0.5, 0.0, -0.7]


def rng(seed=0):
    return np.random.default_rng(seed)


def expected_correlations(ladder):
    first = np.append(1.0, ladder)
    return np.where(np.eye(len(first)), 1.0, np.outer(first, first))


def test_hyperplanes_have_the_cosines_that_were_asked_for():
    tasks = related_hyperplanes(LADDER, 12, 30, rng())
    np.testing.assert_allclose(tasks.functions @ tasks.functions.T, expected_correlations(LADDER), atol=1e-12)
    np.testing.assert_allclose(tasks.correlations, expected_correlations(LADDER), atol=1e-12)
    assert tasks.examples.shape == (6, 30, 12)
    assert tasks.labels.shape == (6, 30)
    for task in range(6):
        np.testing.assert_array_equal(tasks.labels[task], np.sign(tasks.examples[task] @ tasks.functions[task]))


def test_tasks_disagree_as_often_as_their_angle_says():
    tasks = related_hyperplanes(LADDER, 8, 1, rng(1))
    sides = tasks.values(rng(2).normal(size=(40_000, 8))) > 0
    shares = np.mean(sides[1:] != sides[0], axis=1)
    np.testing.assert_allclose(shares, disagreement(np.array(LADDER)), atol=4 * 0.5 / np.sqrt(40_000))
    assert disagreement(1.0) == 0.0
    assert disagreement(-1.0) == pytest.approx(1.0)


def test_means_and_covariances_of_waves_are_those_of_many_examples():
    waves = Waves(rng(3).normal(0, 0.8, (5, 3)), rng(4).uniform(0, 2 * np.pi, 5))
    values = waves(rng(5).normal(size=(200_000, 3)))
    np.testing.assert_allclose(waves.mean(), values.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(waves.covariance(), np.cov(values.T), atol=0.015)


def test_wave_functions_have_the_correlations_that_were_asked_for():
    tasks = related_waves(LADDER, 6, 20, rng(6), gamma=0.1)
    covariance = tasks.waves.covariance()
    np.testing.assert_allclose(
        tasks.functions @ covariance @ tasks.functions.T, expected_correlations(LADDER), atol=1e-8
    )
    values = tasks.values(rng(7).normal(size=(100_000, 6)))
    np.testing.assert_allclose(values.mean(axis=1), 0.0, atol=0.02)
    np.testing.assert_allclose(np.corrcoef(values), expected_correlations(LADDER), atol=0.03)
    shares = np.mean((values[1:] > 0) != (values[0] > 0), axis=1)
    np.testing.assert_allclose(shares, disagreement(np.array(LADDER)), atol=0.05)
    for task in range(6):
        np.testing.assert_array_equal(tasks.labels[task], np.sign(tasks.values(tasks.examples[task])[task]))


def test_many_waves_are_those_of_the_kernel():
    tasks = related_waves([], 3, 40, rng(8), gamma=0.3, waves=1000)
    rows = tasks.examples[0]
    similar = tasks.waves(rows) @ tasks.waves(rows).T / 1000
    squares = np.sum((rows[:, None] - rows) ** 2, axis=-1)
    np.testing.assert_allclose(similar, np.exp(-0.3 * squares), atol=0.2)


def test_noise_turns_its_share_of_labels_round():
    clean = related_hyperplanes([0.5], 4, 5000, rng(9))
    noisy = related_hyperplanes([0.5], 4, 5000, rng(9), noise=0.2)
    np.testing.assert_array_equal(clean.examples, noisy.examples)
    assert np.mean(clean.labels != noisy.labels) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("make", [related_hyperplanes, lambda *given: related_waves(*given, gamma=0.2)])
def test_the_same_generator_gives_the_same_tasks(make):
    first, second, third = (make(LADDER, 7, 10, rng(seed)) for seed in (10, 10, 11))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.functions, second.functions)
    assert not np.array_equal(first.examples, third.examples)


@given(st.lists(st.floats(-1.0, 1.0), max_size=4), st.integers(5, 9), st.integers(0, 50))
@settings(max_examples=50)
def test_any_ladder_is_kept(ladder, dimensions, seed):
    tasks = related_hyperplanes(ladder, dimensions, 2, rng(seed))
    np.testing.assert_allclose(tasks.functions @ tasks.functions.T, expected_correlations(ladder), atol=1e-9)


def test_bad_input_is_refused():
    for change, message in [
        ({"cosines": [1.5]}, "between −1 and 1"),
        ({"cosines": [np.nan]}, "between −1 and 1"),
        ({"cosines": [0.5] * 3, "dimensions": 3}, "at least 4 dimensions, not 3"),
        ({"examples": 0}, "at least one example"),
        ({"noise": 0.5}, "noise"),
        ({"noise": -0.1}, "noise"),
    ]:
        with pytest.raises(ValueError, match=message):
            related_hyperplanes(**({"cosines": [0.5], "dimensions": 4, "examples": 3, "generator": rng()} | change))
    with pytest.raises(ValueError, match="γ must be positive"):
        related_waves([0.5], 4, 3, rng(), gamma=0.0)
