"""Truth: the Gram-matrix form and loops over pairs."""

import numpy as np
import pytest

from tlbench.methods.representations import linear_cka, squared_mean_discrepancy


def drawn(seed, count, size, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1.0, (count, size))


def test_linear_cka_by_gram_matrices():
    first, second = drawn(0, 20, 4), drawn(1, 20, 7) + drawn(0, 20, 4)[:, :1]
    centring = np.eye(20) - 1 / 20
    K, L = (centring @ (part @ part.T) @ centring for part in (first, second))
    wanted = np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L))
    assert linear_cka(first, second) == pytest.approx(wanted)


def test_linear_cka_knows_no_rotation_scale_or_place():
    first = drawn(2, 20, 5)
    rotation, _ = np.linalg.qr(drawn(3, 5, 5))
    assert linear_cka(first, -3.0 * first @ rotation + 2.0) == pytest.approx(1.0)
    assert linear_cka(first, np.ones((20, 3))) == 0.0
    halves = np.repeat(np.eye(2), 10, axis=0)
    assert linear_cka(halves[:, :1], np.tile(np.eye(2), (10, 1))[:, :1]) == pytest.approx(0.0)


def test_rows_have_to_be_of_the_same_examples():
    with pytest.raises(ValueError, match="20 and 19 rows"):
        linear_cka(drawn(0, 20, 2), drawn(0, 19, 2))


def test_the_discrepancy_by_loops():
    first, second = drawn(4, 7, 3), drawn(5, 9, 3, 0.5)
    both = np.concatenate([first, second])
    pairs = [np.sum((a - b) ** 2) for i, a in enumerate(both) for j, b in enumerate(both) if i != j]

    def mean(one, other):
        return np.mean([np.exp(-np.sum((a - b) ** 2) / np.mean(pairs)) for a in one for b in other])

    wanted = mean(first, first) + mean(second, second) - 2 * mean(first, second)
    assert squared_mean_discrepancy(first, second) == pytest.approx(wanted)


def test_the_discrepancy_is_zero_for_the_same_sample_and_grows_with_distance():
    first = drawn(6, 30, 3)
    assert squared_mean_discrepancy(first, first[::-1]) == pytest.approx(0.0, abs=1e-12)
    assert squared_mean_discrepancy(np.ones((3, 2)), np.ones((4, 2))) == 0.0
    found = [squared_mean_discrepancy(first, first + step) for step in (0.1, 0.5, 2.0)]
    assert found == sorted(found)
