"""What comes from skada, against closed forms and another solver; and scikit-learn as it was, afterwards."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import sklearn
from sklearn.covariance import ledoit_wolf

from tlbench.methods.kernels import RBF
from tlbench.methods.transfer_components import transfer_components
from tlbench.studies.paradigms import adaptation

pytest.importorskip("skada")


@pytest.fixture
def inputs():
    """A source, an unlabelled target of another mean and covariance, and rows of the target that none has seen."""
    draw = np.random.default_rng(2)
    mix = draw.normal(size=(5, 5))
    source = draw.normal(size=(40, 5)) @ mix + 1.0
    pool, later = (draw.normal(size=(count, 5)) @ mix.T * 0.6 - 2.0 for count in (30, 7))
    return source, pool, later


def shrunk(rows):
    """Ledoit & Wolf's covariance on standardised features, scaled back."""
    scale = rows.std(axis=0)
    return ledoit_wolf((rows - rows.mean(axis=0)) / scale)[0] * np.outer(scale, scale)


def test_correlation_alignment_is_its_closed_form(inputs):
    source, pool, later = inputs
    aligned = adaptation.correlation_alignment(source, pool)
    there = np.linalg.inv(scipy.linalg.sqrtm(shrunk(source))).real @ scipy.linalg.sqrtm(shrunk(pool)).real
    np.testing.assert_allclose(aligned.source, (source - source.mean(axis=0)) @ there, atol=1e-8)
    np.testing.assert_allclose(aligned.of_target(later), later - pool.mean(axis=0), atol=1e-12)


def test_correlation_alignment_matches_covariances_where_there_are_plenty():
    draw = np.random.default_rng(0)
    mix = draw.normal(size=(3, 3))
    source, pool = draw.normal(size=(20000, 3)) @ mix, draw.normal(size=(20000, 3)) @ mix.T + 4.0
    found = adaptation.correlation_alignment(source, pool).source
    np.testing.assert_allclose(np.cov(found.T), np.cov(pool.T), rtol=0.02, atol=0.02 * np.trace(np.cov(pool.T)))
    np.testing.assert_allclose(found.mean(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize("dimensions", [1, 3, 5, 99])
def test_subspace_alignment_is_its_closed_form(inputs, dimensions):
    source, pool, later = inputs
    most = min(dimensions, 5)

    def axes(rows):
        return np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:most].T

    aligned = adaptation.subspace_alignment(source, pool, dimensions)
    theirs, ours = axes(source), axes(pool)
    expected = (source - source.mean(axis=0)) @ theirs @ theirs.T @ ours
    # Axes are known but for their signs; those of the target turn both sides alike.
    signs = np.sign(np.sum(aligned.source * expected, axis=0))
    np.testing.assert_allclose(aligned.source, expected * signs, atol=1e-9)
    np.testing.assert_allclose(aligned.of_target(later), (later - pool.mean(axis=0)) @ ours * signs, atol=1e-9)


def test_a_domain_of_few_examples_spans_fewer_dimensions(inputs):
    source, pool, later = inputs
    aligned = adaptation.subspace_alignment(source, pool[:3], 4)
    assert aligned.source.shape == (40, 2)
    assert aligned.of_target(later).shape == (7, 2)


def test_components_of_rows_not_seen_are_those_of_the_same_rows_seen(inputs):
    source, pool, later = inputs
    aligned = adaptation.component_analysis(source, pool, 3, 1.0)
    both = np.concatenate([source, pool])
    kernel = RBF.fit(both)
    np.testing.assert_allclose(
        aligned.source, (kernel(both, both) @ transfer_components(kernel(both, both), 40, 3))[:40]
    )
    np.testing.assert_allclose(aligned.of_target(pool)[4:6], aligned.of_target(pool[4:6]))
    assert aligned.of_target(later).shape == (7, 3)


def matched_by_clarabel(kernel, towards, bound=1000.0):
    """min ½ βᵀKβ − κᵀβ, 0 ≤ β ≤ B, |Σβ − n| ≤ nε."""
    import clarabel
    from scipy import sparse

    count = len(kernel)
    slack = (np.sqrt(count) - 1) / np.sqrt(count)
    rows = np.concatenate([np.ones((1, count)), -np.ones((1, count)), -np.eye(count), np.eye(count)])
    limits = np.concatenate([[count * (1 + slack), count * (slack - 1)], np.zeros(count), np.full(count, bound)])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    quadratic = sparse.csc_matrix(np.triu(kernel))
    cones = [clarabel.NonnegativeConeT(len(limits))]
    solver = clarabel.DefaultSolver(quadratic, -towards, sparse.csc_matrix(rows), limits, cones, settings)
    return np.array(solver.solve().x)


def test_mean_matching_solves_its_quadratic_programme(inputs):
    source, pool, _ = inputs
    pool = pool + 2.5
    kernel = RBF.fit(np.concatenate([source, pool]))
    among, towards = kernel(source, source), 40 * kernel(source, pool).mean(axis=1)
    exact = matched_by_clarabel(among, towards)
    found = adaptation.mean_matching_weights(source, pool)
    assert found.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(found, exact / exact.mean(), atol=5e-3)
    assert (exact < 1e-6).any()
    assert found.max() > 2.0


def test_mean_matching_brings_the_means_together(inputs):
    source, _, _ = inputs
    draw = np.random.default_rng(8)
    pool = source[source[:, 0] > np.median(source[:, 0])] + 0.05 * draw.normal(size=(20, 5))
    kernel = RBF.fit(np.concatenate([source, pool]))

    def gap(weights):
        difference = np.concatenate([weights / weights.sum(), np.full(len(pool), -1 / len(pool))])
        both = np.concatenate([source, pool])
        return difference @ kernel(both, both) @ difference

    weights = adaptation.mean_matching_weights(source, pool)
    assert gap(weights) < 0.2 * gap(np.ones(40))
    assert weights[source[:, 0] > np.median(source[:, 0])].sum() > 0.8 * weights.sum()


def test_domains_that_are_the_same_are_weighted_alike():
    rows = np.random.default_rng(3).normal(size=(30, 3))
    np.testing.assert_allclose(adaptation.mean_matching_weights(rows, rows), 1.0, atol=0.02)


def test_scikit_learn_is_left_as_it_was(inputs):
    before = sklearn.get_config()
    source, pool, later = inputs
    adaptation.correlation_alignment(source, pool).of_target(later)
    adaptation.mean_matching_weights(source, pool)
    assert sklearn.get_config() == before
    with pytest.raises(RuntimeError, match="inside"), adaptation.contained_skada():
        raise RuntimeError("inside")
    assert sklearn.get_config() == before


def test_nor_does_the_first_import_of_skada_change_it():
    """In a process of its own, as skada sets what it sets once, when it is first imported."""
    script = (
        "import sklearn; from tlbench.studies.paradigms.adaptation import contained_skada as contained\n"
        "with contained() as skada: assert sklearn.get_config()['enable_metadata_routing']\n"
        "assert not sklearn.get_config()['enable_metadata_routing']"
    )
    quick = os.environ | {"POT_BACKEND_DISABLE_PYTORCH": "1"}  # what skada imports, imports torch if it may
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, env=quick)


def test_skadas_own_components_are_no_eigenvectors(inputs):
    """Why transfer components are ours; once this fails, skada's will do."""
    source, pool, _ = inputs
    both = np.concatenate([source, pool])
    with adaptation.contained_skada() as skada:
        adapter = skada.TransferComponentAnalysisAdapter(n_components=2, mu=1.0)
        adapter.fit(both, sample_domain=np.repeat([1, -2], [len(source), len(pool)]))
    kernel, count = adapter.K_, len(both)
    e = np.repeat([1 / len(source), -1 / len(pool)], [len(source), len(pool)])
    quotient = np.linalg.solve(
        kernel @ np.outer(e, e) @ kernel + np.eye(count), kernel @ (np.eye(count) - 1 / count) @ kernel
    )

    def residual(weights):
        values = np.sum(weights * (quotient @ weights), axis=0) / np.sum(weights * weights, axis=0)
        return np.linalg.norm(quotient @ weights - weights * values) / np.linalg.norm(quotient @ weights)

    assert residual(transfer_components(kernel, len(source), 2)) < 1e-8
    assert residual(adapter.eigvects_) > 0.01
