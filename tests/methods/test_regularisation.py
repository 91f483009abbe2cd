"""Truth: retraining without each example."""

import numpy as np
import pytest

from tlbench.methods.least_squares_svm import class_balance
from tlbench.methods.regularisation import left_out_errors


def left_out(kernel, targets, balance, C):
    """What the machine trained without each example says of it, ζ as with all of them."""
    decisions, count = [], len(targets)
    for left in range(count):
        rest = np.delete(np.arange(count), left)
        system = np.ones((count, count))
        system[:-1, :-1] = kernel[np.ix_(rest, rest)] + np.diag(1.0 / (C * balance[rest]))
        system[-1, -1] = 0.0
        solution = np.linalg.solve(system, np.append(targets[rest], 0.0))
        decisions.append(kernel[left, rest] @ solution[:-1] + solution[-1])
    return np.array(decisions)


def test_errors_are_those_of_retraining(drawn):
    data, candidates = drawn(1, count=18), [0.01, 1.0, 100.0]
    balance, borrowed = class_balance(data.y), 0.4 * data.F[:, 0]
    errors = left_out_errors(data.K, data.y, candidates, borrowed)
    for index, C in enumerate(candidates):
        decisions = borrowed + left_out(data.K, data.y - borrowed, balance, C)
        wrong = (decisions > 0) != (data.y > 0)
        balanced = 0.5 * (wrong[data.y > 0].mean() + wrong[data.y < 0].mean())
        assert errors.wrong[index] == pytest.approx(balanced, abs=1e-12)
        squares = (data.y - decisions) ** 2
        assert errors.squared[index] == pytest.approx(0.5 * (squares[data.y > 0].mean() + squares[data.y < 0].mean()))
    assert errors.best() == np.argmin(errors.squared)


def test_a_stack_is_each_alone_and_padding_counts_for_nothing(drawn):
    first, second = drawn(2), drawn(3)
    labels = np.pad(np.stack([first.y, second.y]), [(0, 0), (0, 3)])
    kernel = np.pad(np.stack([first.K, second.K]), [(0, 0), (0, 3), (0, 3)], constant_values=5.0)
    stacked = left_out_errors(kernel, labels, [0.1, 10.0])
    assert stacked.best().shape == (2,)
    for index, data in enumerate((first, second)):
        alone = left_out_errors(data.K, data.y, [0.1, 10.0])
        np.testing.assert_allclose(stacked.wrong[index], alone.wrong, atol=1e-12)
        np.testing.assert_allclose(stacked.squared[index], alone.squared, atol=1e-9)


def test_noise_wants_a_small_c_and_clean_labels_a_large_one():
    rng = np.random.default_rng(4)
    examples = rng.normal(size=(40, 60, 5))
    kernel = examples @ np.swapaxes(examples, 1, 2)
    clean = np.sign(examples[..., 0])
    noisy = np.where(rng.random((40, 60)) < 0.4, -clean, clean)
    candidates = [1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert (
        left_out_errors(kernel, clean, candidates).best().mean()
        > left_out_errors(kernel, noisy, candidates).best().mean() + 0.5
    )


@pytest.mark.parametrize("candidates", [[], [0.0], [-1.0], [np.inf], [1.0, np.nan]])
def test_bad_candidates_are_refused(candidates, drawn):
    data = drawn(5)
    with pytest.raises(ValueError, match="candidates for C"):
        left_out_errors(data.K, data.y, candidates)


def test_a_missing_class_is_refused(drawn):
    with pytest.raises(ValueError, match="each class"):
        left_out_errors(drawn(6).K, np.ones(16), [1.0])
