"""The projective machine: what of w points away from the source hyperplane is penalised more.

    min_{w,b} ½‖w‖² + (Γ/2)‖P w‖² + Σ_i C_i max(0, 1 − y_i (w·φ(x_i) + b))      subject to  w·w_s ≥ 0,

P = I − w_s w_sᵀ/‖w_s‖² (PMT-SVM; Aytar & Zisserman, "Tabula rasa: model transfer for object category detection", ICCV
2011). Unlike ½‖w − β w_s‖² it does not reward a long w. In kernel form only g(x) = w_s·φ(x)/‖w_s‖ is needed: with
M = I + Γ P, M⁻¹ = P/(1+Γ) + u uᵀ, u = w_s/‖w_s‖, the dual is that of a plain machine with

    K_Γ = (K − g gᵀ)/(1 + Γ) + g gᵀ        while  Σ_i α_i y_i g_i ≥ 0  (η = 0), else
    K_⊥ = (K − g gᵀ)/(1 + Γ)               (η = −Σ_i α_i y_i g_i > 0 takes out all that points along w_s).

The problem is convex: if the optimum without the half-space lies outside it, the one with it lies on its border.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .hinge_svm import LeaningMachine, solve_hinge

Floats = NDArray[np.float64]


def projective_svm(
    kernel: Floats, labels: Floats, costs: Floats, scores: Floats, squared_norm: Floats, gamma: float
) -> LeaningMachine:
    """The machines of kernels (…, N, N), labels and costs (…, N), one source each, and Γ ≥ 0.

    ``scores`` (…, N) holds w_s·φ(x_i) *without* the source's bias, ``squared_norm`` (…) its ‖w_s‖². Leading dimensions
    are broadcast, so many sources may share a kernel. The result has one weight, (…, 1), of these scores. Γ = 0 is the
    plain machine with the half-space; Γ → ∞ leaves w parallel to w_s, or zero where it would point the other way.

    Raises ValueError as ``hinge_svm.train_hinge``, for a negative Γ, for a source of no length, and for scores that no
    hyperplane of that length in the space of the kernel can have (g_i² > K_ii: a bias left in, or another kernel).

    Deviations: their objective has no ½, so that their C is twice ours; costs may differ between examples.

    >>> x, labels, costs = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]), np.full(2, 9.0)
    >>> for source in (x[:, 0], -x[:, 0]):  # one that points along the solution, and one that points the other way
    ...     machine = projective_svm(x @ x.T, labels, costs, source, np.ones(()), gamma=1.0)
    ...     np.abs(machine.decide(x @ x.T, source[:, None])).round(6).tolist()
    [1.0, 1.0]
    [0.0, 0.0]
    """
    if not (np.isfinite(gamma) and gamma >= 0.0):
        raise ValueError(f"Γ must be zero or more, not {gamma!r}")
    squared_norm = np.asarray(squared_norm, dtype=np.float64)
    if not (squared_norm > 0.0).all():
        raise ValueError("a projective machine needs a source of positive length")
    length = np.sqrt(squared_norm)
    along = np.where(labels != 0.0, scores, 0.0) / length[..., None]
    own = np.diagonal(kernel, axis1=-2, axis2=-1)
    if (np.square(along) > own * (1.0 + 1e-6) + 1e-12).any():
        raise ValueError("scores are too large for a hyperplane of that length; they must not contain a bias")

    parallel = along[..., :, None] * along[..., None, :]
    across = (kernel - parallel) / (1.0 + gamma)
    zero = np.zeros(labels.shape[-1])
    dual, bias, gap = solve_hinge(across + parallel, labels, costs, zero, with_bias=True)
    length_along = np.sum(dual * along, axis=-1)  # w·u
    outside = length_along < 0.0
    if outside.any():
        stack = bias.shape
        # Here the optimum stands on the border, and nothing of w points along the source.
        dual[outside], bias[outside], gap[outside] = solve_hinge(
            np.broadcast_to(across, (*stack, *across.shape[-2:]))[outside],
            np.broadcast_to(labels, dual.shape)[outside],
            np.broadcast_to(costs, dual.shape)[outside],
            zero,
            with_bias=True,
        )
        length_along = np.where(outside, 0.0, length_along)
    # w = (Σ a_i φ(x_i) − (Σ a_i g_i) u)/(1 + Γ) + (w·u) u, in terms of K and of w_s·φ.
    dual = dual / (1.0 + gamma)
    weight = (length_along - np.sum(dual * along, axis=-1)) / length
    return LeaningMachine(dual, bias, weight[..., None], gap)
