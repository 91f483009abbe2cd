"""Truth: hyperplanes in full, from the primal problems."""

import numpy as np
import pytest

from tlbench.methods.hinge_svm import balanced_costs
from tlbench.methods.least_squares_svm import class_balance
from tlbench.methods.transfer_terms import (
    hinge_terms,
    hyperplane_products,
    kernel_transfer_terms,
    least_squares_terms,
)

BETAS = np.array([0.0, 0.5, 1.0, 2.0])


def expected(target, source, beta):
    return target @ target, beta**2 * source @ source, -2.0 * beta * target @ source


def assert_terms(terms, index, target, source, beta):
    found = (terms.target[index], terms.source[index], terms.cross[index])
    np.testing.assert_allclose(found, expected(target, source, beta), atol=1e-4)
    difference = target - beta * source
    assert terms.penalty[index] == pytest.approx(0.5 * difference @ difference, abs=1e-4)


@pytest.mark.parametrize("source_bias", [0.0, 1.7])
def test_terms_of_least_squares_machines_are_those_of_their_hyperplanes(source_bias, drawn):
    """min ½‖v‖² + (C/2) Σ ζ_i (y_i − β f_i − v·x_i − b)², w_t = v + β w_s; the bias of the source is absorbed."""
    data, C = drawn(1), 2.0
    source, root = data.w[0], np.sqrt(2.0 * class_balance(data.y))
    terms = least_squares_terms(data.K, data.y, data.F[:, 0] + source_bias, source @ source, BETAS, C)
    design = np.r_[root[:, None] * np.c_[data.X, np.ones(16)], np.eye(4, 5)]
    for index, beta in enumerate(BETAS):
        v = np.linalg.lstsq(design, np.r_[root * (data.y - beta * data.F[:, 0]), np.zeros(4)])[0][:4]
        assert_terms(terms, index, v + beta * source, source, beta)


@pytest.mark.parametrize("with_bias", [True, False])
def test_terms_of_hinge_machines_are_those_of_their_hyperplanes(with_bias, drawn, convex):
    data = drawn(2)
    source, costs = data.w[1], balanced_costs(data.y, 1.0)
    terms = hinge_terms(data.K, data.y, costs, data.F[:, 1], source @ source, BETAS, with_bias)
    for index, beta in enumerate(BETAS):
        v, _, _ = convex.hinge_primal(np.eye(4), data.X, data.y, costs, beta * data.F[:, 1], with_bias)
        assert_terms(terms, index, v + beta * source, source, beta)


def test_a_hinge_machine_has_a_bias_unless_it_is_said(drawn):
    data = drawn(2)
    given = (data.K, data.y, balanced_costs(data.y, 1.0), data.F[:, 1], data.w[1] @ data.w[1], BETAS)
    with_bias, without = (hinge_terms(*given, with_bias=wanted).penalty for wanted in (True, False))
    np.testing.assert_array_equal(hinge_terms(*given).penalty, with_bias)
    assert (np.abs(with_bias - without) > 1e-6).any()


def test_without_transfer_only_the_target_is_left(drawn):
    data = drawn(3)
    terms = least_squares_terms(data.K, data.y, data.F[:, 0], data.w[0] @ data.w[0], np.zeros(1), 1.0)
    assert terms.source[0] == terms.cross[0] == 0.0
    assert terms.penalty[0] == 0.5 * terms.target[0] > 0.0


def test_stacks_and_padding(drawn):
    first, second = drawn(4), drawn(5)
    labels = np.pad(np.stack([first.y, second.y]), [(0, 0), (0, 2)])
    kernel = np.pad(np.stack([first.K, second.K]), [(0, 0), (0, 2), (0, 2)], constant_values=3.0)
    scores = np.pad(np.stack([first.F[:, 0], second.F[:, 0]]), [(0, 0), (0, 2)], constant_values=4.0)
    costs = np.ones_like(labels)
    lengths = np.array([first.w[0] @ first.w[0], second.w[0] @ second.w[0]])
    squares = least_squares_terms(kernel, labels, scores, lengths, BETAS, 2.0)
    hinge = hinge_terms(kernel, labels, costs, scores, lengths, BETAS)
    for index, data in enumerate((first, second)):
        given = (data.K, data.y), (data.F[:, 0], lengths[index], BETAS)
        alone = least_squares_terms(*given[0], *given[1], 2.0)
        np.testing.assert_allclose(squares.target[index], alone.target, atol=1e-9)
        np.testing.assert_allclose(squares.cross[index], alone.cross, atol=1e-9)
        alone = hinge_terms(*given[0], np.ones(16), *given[1])
        np.testing.assert_allclose(hinge.target[index], alone.target, atol=1e-8)
        np.testing.assert_allclose(hinge.penalty[index], alone.penalty, atol=1e-8)


def test_terms_of_any_dual(drawn):
    data = drawn(6)
    duals = data.rng.normal(size=(4, 16))
    terms = kernel_transfer_terms(data.K, duals, data.F[:, 2], data.w[2] @ data.w[2], BETAS)
    for index, beta in enumerate(BETAS):
        assert_terms(terms, index, beta * data.w[2] + data.X.T @ duals[index], data.w[2], beta)


def test_products_of_hyperplanes(drawn):
    data = drawn(7)
    duals = data.rng.normal(size=(16, 3))
    hyperplanes = data.X.T @ duals
    products = hyperplane_products(data.K, duals)
    np.testing.assert_allclose(products, hyperplanes.T @ hyperplanes, atol=1e-10)
    average = hyperplanes.mean(axis=1)
    assert products.mean() == pytest.approx(average @ average)


def test_a_missing_class_is_refused(drawn):
    data = drawn(8)
    with pytest.raises(ValueError, match="each class"):
        least_squares_terms(data.K, np.ones(16), data.F[:, 0], 1.0, BETAS, 1.0)
    with pytest.raises(ValueError, match="each class"):
        hinge_terms(data.K, np.ones(16), np.ones(16), data.F[:, 0], 1.0, BETAS)
