"""Truth: the algorithm once more, line by line, with weak learners from the bordered system in the input space."""

from types import SimpleNamespace

import numpy as np
import pytest

from tlbench.methods.source_boosting import multi_source_boosting, weighted_machine


def problem(seed, sources=3, per_source=24, target=9, positives=3, helpful=(0,), shift=1.0):
    """Source 0 is like the target; the others have labels of chance."""
    rng = np.random.default_rng(seed)

    def cloud(labels):
        return rng.normal(size=(len(labels), 3)) + shift * labels[:, None] * np.array([1.0, 0.5, 0.0])

    source_labels = np.where(rng.random(sources * per_source) < 0.4, 1.0, -1.0)
    source_labels[::per_source], source_labels[1::per_source] = 1.0, -1.0
    X = cloud(source_labels)
    source_of = np.repeat(np.arange(sources), per_source)
    for source in set(range(sources)) - set(helpful):
        rows = np.flatnonzero(source_of == source)
        source_labels[rows] = source_labels[rng.permutation(rows)]
    labels = np.where(np.arange(target) < positives, 1.0, -1.0)
    Z, truth = cloud(labels), np.where(rng.random(400) < 0.5, 1.0, -1.0)
    return SimpleNamespace(X=X, sy=source_labels, of=source_of, Z=Z, y=labels, T=cloud(truth), truth=truth)


def boosted(data, C=1.0, rounds=5):
    machine = multi_source_boosting(
        data.X @ data.X.T, data.sy, data.of, data.Z @ data.X.T, data.Z @ data.Z.T, data.y, C, rounds
    )
    return machine, machine.decide(data.T @ data.X.T, data.T @ data.Z.T)


def primal(X, y, weights, C):
    """w and b of min ½‖w‖² + (C/2) Σ ω_i (y_i − w·x_i − b)², in the input space."""
    root = np.sqrt(C * weights)
    design = np.r_[root[:, None] * np.c_[X, np.ones(len(X))], np.eye(3, 4)]
    return np.linalg.lstsq(design, np.r_[root * y, np.zeros(3)])[0]


def by_hand(data, C, rounds):
    """Decision values on the test examples, and the sources taken."""
    sources = data.of.max() + 1

    def balanced(labels):
        return np.where(labels > 0, len(labels) / (2 * (labels > 0).sum()), len(labels) / (2 * (labels < 0).sum()))

    w_source = np.concatenate([balanced(data.sy[data.of == k]) for k in range(sources)])
    w_target = balanced(data.y)
    alpha_source = 0.5 * np.log(1.0 + np.sqrt(2.0 * np.log(len(data.sy)) / rounds))
    total, taken = np.zeros(len(data.T)), []
    for round_ in range(rounds):
        best = None
        for k in range(sources):
            rows = data.of == k
            X, y = np.r_[data.X[rows], data.Z], np.r_[data.sy[rows], data.y]
            weights = np.r_[w_source[rows], w_target]
            w = primal(X, y, weights / weights.mean(), C)
            margins = data.Z @ w[:3] + w[3]
            wrong = np.sign(margins) != data.y
            error = w_target[wrong].sum() / w_target.sum()
            missing = []
            for left in range(len(data.y)):
                rest = np.delete(np.arange(len(X)), rows.sum() + left)
                v = primal(X[rest], y[rest], (weights / weights.mean())[rest], C)
                missing.append(data.y[left] - data.Z[left] @ v[:3] - v[3])
            left_out = w_target @ np.square(missing)
            if best is None or error < best[0] - 1e-12 or (error < best[0] + 1e-12 and left_out < best[1]):
                best = error, left_out, w, k, wrong
        error, _, w, k, wrong = best
        if error >= 0.5 - 1e-9:
            if round_ == 0:
                total, taken = np.sign(data.T @ w[:3] + w[3]), [k]
            break
        alpha = 0.5 * np.log(1.0 / max(error, 1.0 / (2 * len(data.y))) - 1.0)
        total += alpha * np.sign(data.T @ w[:3] + w[3])
        taken.append(k)
        w_source *= np.exp(-alpha_source * np.abs(np.sign(data.X @ w[:3] + w[3]) - data.sy))
        w_target *= np.exp(alpha * np.abs(np.sign(data.Z @ w[:3] + w[3]) - data.y))
    return total, taken


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("C", [0.01, 10.0])
def test_the_algorithm_is_followed_line_by_line(seed, C):
    data = problem(seed, shift=0.4)
    machine, decided = boosted(data, C, rounds=6)
    expected, taken = by_hand(data, C, rounds=6)
    assert machine.chosen[: len(taken)].tolist() == taken
    assert (machine.chosen[len(taken) :] == -1).all()
    np.testing.assert_allclose(decided, expected, atol=1e-7)
    assert not machine.votes[len(taken) :].any()


def test_weights_are_as_good_as_repeated_examples():
    data = problem(1)
    kernel, weights = data.X @ data.X.T, np.random.default_rng(1).integers(0, 4, len(data.sy)).astype(float)
    dual, bias, _ = weighted_machine(kernel, data.sy, weights, 2.0)
    repeated = np.repeat(np.arange(len(weights)), weights.astype(int))
    w = primal(data.X[repeated], data.sy[repeated], np.ones(len(repeated)), 2.0)
    np.testing.assert_allclose(data.X.T @ dual, w[:3], atol=1e-9)
    assert bias == pytest.approx(w[3], abs=1e-9)
    assert not dual[weights == 0.0].any()
    assert dual.sum() == pytest.approx(0.0, abs=1e-9)


def test_the_helpful_source_is_taken_and_helps():
    gains, first = [], []
    for seed in range(30):
        data = problem(seed, per_source=60, target=6, positives=2)
        machine, decided = boosted(data, C=0.01)
        w = primal(data.Z, data.y, np.where(data.y > 0, 1.5, 0.75), 1.0)
        alone = data.T @ w[:3] + w[3]
        gains.append(np.mean((decided > 0) == (data.truth > 0)) - np.mean((alone > 0) == (data.truth > 0)))
        first.append(machine.chosen[0] == 0)
    assert np.mean(gains) > 2 * np.std(gains) / np.sqrt(30)
    assert np.mean(first) > 0.7


def test_a_perfect_learner_does_not_outvote_all_others_for_ever():
    data = problem(2, shift=6.0)
    machine, _ = boosted(data, rounds=4)
    np.testing.assert_allclose(machine.votes, 0.5 * np.log(2 * 9 - 1))


def test_a_stack_is_each_target_alone_whatever_padding_holds():
    data, other = problem(3), problem(4)
    Z = np.stack([np.r_[data.Z, 9.0 * np.ones((2, 3))], np.r_[other.Z[:5], -9.0 * np.ones((2, 3)), other.Z[5:]]])
    labels = np.stack([np.r_[data.y, 0, 0], np.r_[other.y[:5], 0, 0, other.y[5:]]])
    machine = multi_source_boosting(
        data.X @ data.X.T, data.sy, data.of, Z @ data.X.T, Z @ np.swapaxes(Z, 1, 2), labels, 1.0, 3
    )
    assert machine.votes.shape == (2, 3)
    decided = machine.decide(data.T @ data.X.T, data.T @ np.swapaxes(Z, 1, 2))
    assert decided.shape == (2, 400)
    for index, target in enumerate((data, other)):
        alone = SimpleNamespace(**(vars(data) | {"Z": target.Z, "y": target.y}))
        np.testing.assert_allclose(decided[index], boosted(alone, rounds=3)[1], atol=1e-9)
        assert not machine.target_duals[index][:, labels[index] == 0].any()


def test_bad_input_is_refused():
    data = problem(5)
    for change, message in [
        ({"y": np.ones(9)}, "each class"),
        ({"sy": np.ones(72)}, "each class"),
        ({"sy": np.zeros(0), "X": data.X[:0], "of": data.of[:0]}, "at least one source"),
    ]:
        with pytest.raises(ValueError, match=message):
            boosted(SimpleNamespace(**(vars(data) | change)))
    with pytest.raises(ValueError, match="at least one round"):
        boosted(data, rounds=0)
    with pytest.raises(ValueError, match="positive semi-definite"):
        weighted_machine(-5.0 * np.eye(4), np.array([1.0, -1.0, 1.0, -1.0]), np.ones(4), 1.0)
