"""Transfer components against the problem that they solve: eigenvectors by brute force, an optimum, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from tlbench.methods.transfer_components import transfer_components

SOURCES, TARGETS = 18, 14


@pytest.fixture
def kernel():
    draw = np.random.default_rng(4)
    examples = np.r_[draw.normal(size=(SOURCES, 3)), draw.normal(0.8, 0.6, size=(TARGETS, 3))]
    return rbf_kernel(examples, gamma=0.4)


def matrices(kernel, mu):
    """K L K + μI and K H K, written out."""
    count = len(kernel)
    e = np.r_[np.full(SOURCES, 1 / SOURCES), np.full(count - SOURCES, -1 / (count - SOURCES))]
    centring = np.eye(count) - 1 / count
    return kernel @ np.outer(e, e) @ kernel + mu * np.eye(count), kernel @ centring @ kernel


def test_they_are_the_leading_eigenvectors_of_the_papers_matrix(kernel):
    penalty, scatter = matrices(kernel, 0.7)
    values, vectors = np.linalg.eig(np.linalg.solve(penalty, scatter))
    order = np.argsort(values.real)[::-1][:4]
    assert np.abs(values[order].imag).max() < 1e-10
    found = transfer_components(kernel, SOURCES, 4, 0.7)
    for column, vector in zip(found.T, vectors[:, order].real.T, strict=True):
        cosine = column @ vector / np.linalg.norm(column) / np.linalg.norm(vector)
        assert abs(cosine) == pytest.approx(1.0, abs=1e-9)


def test_they_satisfy_the_constraint_and_no_other_weights_that_do_are_better(kernel):
    penalty, scatter = matrices(kernel, 0.7)
    found = transfer_components(kernel, SOURCES, 3, 0.7)
    np.testing.assert_allclose(found.T @ scatter @ found, np.eye(3), atol=1e-9)
    best = np.trace(found.T @ penalty @ found)
    draw = np.random.default_rng(0)
    for size in (1e-3, 1e-1, 1.0):
        for _ in range(50):
            other = found + size * np.abs(found).max() * draw.normal(size=found.shape)
            root = np.linalg.cholesky(other.T @ scatter @ other)
            other = other @ np.linalg.inv(root).T
            np.testing.assert_allclose(other.T @ scatter @ other, np.eye(3), atol=1e-8)
            assert np.trace(other.T @ penalty @ other) >= best * (1 - 1e-9)


def test_with_a_large_mu_they_are_kernel_principal_components(kernel):
    """μ → ∞ forgets the domains: what is left is the scatter of K alone."""
    _, vectors = np.linalg.eigh(matrices(kernel, 0.0)[1])
    found = transfer_components(kernel, SOURCES, 2, 1e9)
    for column, vector in zip(found.T, vectors[:, ::-1].T, strict=False):
        assert abs(column @ vector) / np.linalg.norm(column) == pytest.approx(1.0, abs=1e-6)


def test_with_a_small_mu_the_domains_have_one_mean(kernel):
    def gap(mu):
        coordinates = kernel @ transfer_components(kernel, SOURCES, 3, mu)
        return np.linalg.norm(coordinates[:SOURCES].mean(axis=0) - coordinates[SOURCES:].mean(axis=0))

    assert gap(1e-6) < 1e-5 < 0.05 < gap(1e9)


def test_directions_without_scatter_are_left_out():
    draw = np.random.default_rng(1)
    examples = draw.normal(size=(SOURCES + TARGETS, 2))
    found = transfer_components(examples @ examples.T, SOURCES, 9, 1.0)
    assert found.shape == (SOURCES + TARGETS, 2)


def test_signs_do_not_depend_on_the_solver(kernel):
    found = transfer_components(kernel, SOURCES, 4)
    assert (found[np.abs(found).argmax(axis=0), np.arange(4)] > 0).all()


@pytest.mark.parametrize(
    ("sources", "components", "mu", "says"),
    [(0, 2, 1.0, "each domain"), (32, 2, 1.0, "each domain"), (18, 0, 1.0, "component"), (18, 2, 0.0, "positive mu")],
)
def test_what_will_not_do(kernel, sources, components, mu, says):
    with pytest.raises(ValueError, match=says):
        transfer_components(kernel, sources, components, mu)
