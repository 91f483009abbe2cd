"""Instance and feature transfer from skada, fitted to source examples and unlabelled target examples.

Importing skada switches a setting of scikit-learn on for the whole process, and its estimators want it while they are
used; here it is on for these calls alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray

from ...methods.kernels import RBF
from ...methods.transfer_components import transfer_components

Floats = NDArray[np.float64]

LEAST_WEIGHT = 1e-6


class Aligned(NamedTuple):
    """The source's examples (n_S, m) in the space shared with the target, and the target's way into it."""

    source: Floats
    of_target: Callable[[Floats], Floats]


@contextmanager
def contained_skada() -> Iterator[Any]:
    """skada, with scikit-learn as it was before once the block is left."""
    with sklearn.config_context(enable_metadata_routing=True):
        import skada

        yield skada


def correlation_alignment(source: Floats, pool: Floats) -> Aligned:
    """CORAL (Sun, Feng & Saenko, AAAI 2016): x ↦ (x − m_S) C_S^{−1/2} C_T^{1/2} for the source, x − m_T for the target.

    Covariances are shrunk after Ledoit & Wolf, on standardised features, as skada does; the paper adds the identity.
    """
    with contained_skada() as skada:
        return _aligned(skada.CORALAdapter(), source, pool)


def subspace_alignment(source: Floats, pool: Floats, dimensions: int) -> Aligned:
    """Subspace alignment (Fernando et al., ICCV 2013): (x − m_S) P_S P_Sᵀ P_T for the source, (x − m_T) P_T.

    P_S and P_T (d, m) are the first principal axes of each domain; m is ``dimensions`` or what both domains span.
    """
    most = min(dimensions, len(source) - 1, len(pool) - 1, source.shape[1])
    with contained_skada() as skada:
        return _aligned(skada.SubspaceAlignmentAdapter(n_components=most, random_state=0), source, pool)


def component_analysis(source: Floats, pool: Floats, dimensions: int, mu: float) -> Aligned:
    """Transfer component analysis (``methods/transfer_components.py``), kernel RBF, γ = 1/mean squared distance."""
    both = np.concatenate([source, pool])
    kernel = RBF.fit(both)
    weights = transfer_components(kernel(both, both), len(source), dimensions, mu)
    return Aligned(kernel(source, both) @ weights, lambda rows: kernel(rows, both) @ weights)


def mean_matching_weights(source: Floats, pool: Floats) -> Floats:
    """Weights (n_S,) of the source's examples by kernel mean matching (Huang et al., NIPS 2006), their mean one.

    min ½ βᵀKβ − κᵀβ, 0 ≤ β_i ≤ 1000, |Σβ − n_S| ≤ n_S ε with ε = (√n_S − 1)/√n_S and RBF kernels of γ = 1/mean squared
    distance. skada's own default solver stops early and knows no upper bound; its other one is used.
    """
    gamma = RBF.fit(np.concatenate([source, pool])).gamma
    with contained_skada() as skada:
        adapter = skada.KMMReweightAdapter(gamma=gamma, solver="scipy")
        weights = adapter.fit(np.concatenate([source, pool]), sample_domain=_domains(source, pool)).source_weights_
    # The solver's zeros may lie below zero; and no class may be left without any weight.
    positive: Floats = np.maximum(np.asarray(weights, dtype=np.float64), LEAST_WEIGHT)
    return positive / positive.mean()


def _aligned(adapter: Any, source: Floats, pool: Floats) -> Aligned:
    adapter.fit(np.concatenate([source, pool]), sample_domain=_domains(source, pool))

    def of_target(rows: Floats) -> Floats:
        with contained_skada():
            moved: Floats = adapter.transform(rows, sample_domain=_domains(rows[:0], rows))
            return moved

    return Aligned(adapter.transform(source, sample_domain=_domains(source, source[:0]), allow_source=True), of_target)


def _domains(source: Floats, target: Floats) -> NDArray[np.intp]:
    """As skada numbers them: positive for a source, negative for a target."""
    return np.repeat([1, -2], [len(source), len(target)])
