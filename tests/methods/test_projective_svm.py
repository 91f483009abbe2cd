"""Truth: the primal problem with its half-space, by Clarabel, and scikit-learn's machine on appended features."""

import numpy as np
import pytest
from sklearn.svm import SVC

from tlbench.methods.hinge_svm import balanced_costs
from tlbench.methods.projective_svm import projective_svm


def hyperplane(data, machine, source):
    return data.X.T @ machine.dual + machine.weights[0] * source


def sources(data):
    """One that agrees with the labels, and one that points the other way."""
    along = data.y @ data.X
    return {"inside": along / 10.0 + data.rng.normal(0, 0.3, 4), "on the border": -along / 10.0}


@pytest.mark.parametrize("side", ["inside", "on the border"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 20.0])
@pytest.mark.parametrize("C", [0.05, 2.0])
def test_the_machine_minimises_its_primal_problem(side, gamma, C, drawn, convex):
    data = drawn(1, positives=5)
    source, costs = sources(data)[side], balanced_costs(data.y, C)
    machine = projective_svm(data.K, data.y, costs, data.X @ source, source @ source, gamma)
    P = np.eye(4) - np.outer(source, source) / (source @ source)
    x, _, value = convex.hinge_primal(np.eye(4) + gamma * P, data.X, data.y, costs, extra=source)
    w = hyperplane(data, machine, source)
    np.testing.assert_allclose(w, x, atol=1e-4)
    margins = data.y * (data.X @ w + machine.bias)
    reached = 0.5 * w @ (w + gamma * P @ w) + costs @ np.maximum(1.0 - margins, 0.0)
    assert reached == pytest.approx(value, rel=1e-6)
    assert w @ source >= -1e-10
    assert (abs(w @ source) < 1e-8) == (side == "on the border")
    assert machine.gap <= 1e-6
    new = data.rng.normal(size=(5, 4))
    decided = machine.decide(new @ data.X.T, (new @ source)[:, None])
    np.testing.assert_allclose(decided, new @ w + machine.bias, atol=1e-10)


def test_away_from_the_half_space_it_is_a_plain_machine_with_one_feature_more(drawn):
    data = drawn(2)
    source, gamma = sources(data)["inside"], 3.0
    costs = balanced_costs(data.y, 1.0)
    unit = source / np.linalg.norm(source)
    wide = np.c_[data.X, np.sqrt(gamma) * data.X @ unit] / np.sqrt(1.0 + gamma)
    twin = SVC(C=1.0, kernel="linear", tol=1e-10).fit(wide, data.y, sample_weight=costs)
    machine = projective_svm(data.K, data.y, costs, data.X @ source, source @ source, gamma)
    decided = machine.decide(data.K, (data.X @ source)[:, None])
    np.testing.assert_allclose(decided, twin.decision_function(wide), atol=1e-6)


def test_a_large_gamma_leaves_w_parallel_to_the_source_or_nothing(drawn):
    data = drawn(3)
    costs = balanced_costs(data.y, 1.0)
    for side, source in sources(data).items():
        w = hyperplane(data, projective_svm(data.K, data.y, costs, data.X @ source, source @ source, 1e6), source)
        if side == "inside":
            assert w @ source == pytest.approx(np.linalg.norm(w) * np.linalg.norm(source), rel=1e-8)
            assert np.linalg.norm(w) > 0.1
        else:
            assert np.linalg.norm(w) < 1e-3


def test_the_length_of_the_source_does_not_matter(drawn):
    data = drawn(4)
    costs, source = balanced_costs(data.y, 1.0), sources(drawn(4))["inside"]
    machines = [
        projective_svm(data.K, data.y, costs, scale * data.X @ source, scale**2 * source @ source, 1.0)
        for scale in (1.0, 7.0)
    ]
    np.testing.assert_allclose(machines[0].dual, machines[1].dual, atol=1e-9)
    np.testing.assert_allclose(machines[0].weights, 7.0 * machines[1].weights, atol=1e-9)


def test_many_sources_share_a_kernel(drawn):
    data = drawn(5)
    costs, given = balanced_costs(data.y, 1.0), np.stack(list(sources(data).values()))
    together = projective_svm(data.K, data.y, costs, given @ data.X.T, np.sum(given**2, axis=1), 1.0)
    assert together.dual.shape == (2, 16)
    for index, source in enumerate(given):
        alone = projective_svm(data.K, data.y, costs, data.X @ source, source @ source, 1.0)
        np.testing.assert_allclose(together.dual[index], alone.dual, atol=1e-9)
        np.testing.assert_allclose(together.weights[index], alone.weights, atol=1e-9)


def test_padding_has_no_influence(drawn):
    data = drawn(6)
    source = sources(data)["inside"]
    labels, costs = np.append(data.y, [0.0, 0.0]), np.append(balanced_costs(data.y, 1.0), [1.0, 1.0])
    wide = np.vstack([data.X, 50.0 * np.ones((2, 4))])
    padded = projective_svm(wide @ wide.T, labels, costs, wide @ source, source @ source, 1.0)
    alone = projective_svm(data.K, data.y, costs[:16], data.X @ source, source @ source, 1.0)
    np.testing.assert_allclose(padded.dual, np.append(alone.dual, [0.0, 0.0]), atol=1e-9)
    assert padded.bias == pytest.approx(alone.bias, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gamma": -1.0}, "zero or more"),
        ({"gamma": np.nan}, "zero or more"),
        ({"squared_norm": 0.0}, "positive length"),
        ({"scores": np.full(16, 100.0)}, "must not contain a bias"),
        ({"labels": np.ones(16)}, "each class"),
    ],
)
def test_bad_input_is_refused(change, message, drawn):
    data = drawn(7)
    given = {"kernel": data.K, "labels": data.y, "scores": data.X[:, 0], "squared_norm": 1.0, "gamma": 1.0} | change
    with pytest.raises(ValueError, match=message):
        projective_svm(costs=np.ones(16), **given)
