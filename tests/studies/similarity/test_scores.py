"""Truth for learned weights: every target machine fitted again without each example, and other weights tried."""

import numpy as np
import pytest

from tlbench.methods.kernels import RBF
from tlbench.methods.representations import linear_cka
from tlbench.methods.transferability import h_score, leep, logme
from tlbench.studies.similarity.scores import Representations, learned_weights, pair_scores

C = 10.0


def task(seed, each=6, classes=3, centres=None):
    """Pixels (n, 5) around a centre a class, and the places of the classes."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = draw.normal(0.0, 1.0, (classes, 5)) if centres is None else centres
    return draw.normal(0.0, 0.5, (len(labels), 5)) + centres[labels], labels


def machine(kernel, goal, balance):
    """Dual and bias of least ½‖w‖² + C/2 Σ ζ (goal − f)², by its linear equations."""
    count = len(goal)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = kernel + np.diag(1 / (C * balance))
    system[:count, count] = system[count, :count] = 1.0
    solved = np.linalg.solve(system, np.append(goal, 0.0))
    return solved[:count], solved[count]


def balance_of(signed):
    return np.where(signed > 0, len(signed) / (2 * np.sum(signed > 0)), len(signed) / (2 * np.sum(signed < 0)))


def hinge(kernel, scores, signed, beta):
    """The leave-one-out hinge, each machine fitted anew to what the sources leave over."""
    balance, total = balance_of(signed), 0.0
    for held in range(len(signed)):
        kept = np.arange(len(signed)) != held
        dual, bias = machine(kernel[np.ix_(kept, kept)], (signed - scores @ beta)[kept], balance[kept])
        predicted = kernel[held, kept] @ dual + bias + scores[held] @ beta
        total += balance[held] * max(0.0, 1 - signed[held] * predicted)
    return total


def test_learned_weights_are_the_best_within_the_ball_by_leaving_each_example_out():
    target, source = task(0, each=4), task(1)
    found, relief = learned_weights(target, source, C)
    assert found.shape == (3, 3)
    assert (found >= 0).all()
    assert (np.linalg.norm(found, axis=1) <= 1 + 1e-9).all()
    kernel = RBF.fit(source[0])
    scores = []
    for one in range(3):
        signed = np.where(source[1] == one, 1.0, -1.0)
        dual, bias = machine(kernel(source[0], source[0]), signed, balance_of(signed))
        scores.append(kernel(target[0], source[0]) @ dual + bias)
    draw = np.random.default_rng(2)
    alone = leaning = 0.0
    for one, beta in enumerate(found):
        signed = np.where(target[1] == one, 1.0, -1.0)
        given = kernel(target[0], target[0]), np.array(scores).T, signed
        tried = np.abs(draw.normal(size=(60, 3)))
        tried *= draw.random((60, 1)) / np.linalg.norm(tried, axis=1, keepdims=True)
        assert hinge(*given, beta) <= min(hinge(*given, other) for other in tried) + 1e-6
        leaning += hinge(*given, beta)
        alone += hinge(*given, np.zeros(3))
    assert relief == pytest.approx(1 - leaning / alone)


def test_a_target_leans_on_classes_of_its_own_and_not_on_noise():
    centres = np.random.default_rng(3).normal(0.0, 1.0, (3, 5))
    target = task(4, 4, centres=centres)
    same, relief = learned_weights(target, task(5, 30, centres=centres), C)
    assert same.argmax(axis=1).tolist() == [0, 1, 2]
    noise, little = learned_weights(target, task(6, 30, centres=np.zeros((3, 5))), C)
    assert 0.0 <= little < 0.5 * relief
    assert noise.sum() > same.sum()  # the mass of the weights alone would say the contrary


def test_scores_are_those_of_the_methods_that_they_are_named_after():
    target, source = task(7), task(8)
    draw = np.random.default_rng(9)
    features, own = draw.normal(size=(2, 18, 4))
    probabilities = draw.dirichlet(np.ones(3), 18)
    found = pair_scores(target, source, Representations(features, probabilities), features + 3.0, own, C)
    assert found["logme"] == logme(features, target[1])
    assert found["leep"] == leep(probabilities, target[1])
    assert found["h_score"] == h_score(features, target[1], None)
    assert found["cka"] == linear_cka(features, own)
    weights, relief = learned_weights(target, source, C)
    assert found["relief"] == relief
    assert found["beta_mass"] == pytest.approx(weights.sum() / 3)
    same = pair_scores(target, source, Representations(features, probabilities), features, own, C)
    assert found["closeness"] < same["closeness"]
    assert same["closeness"] == pytest.approx(0.0, abs=1e-12)
