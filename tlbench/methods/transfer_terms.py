"""What ½‖w_t − β w_s‖² is made of: the lengths of target and source hyperplane, and how far they agree.

    ½‖w_t − β w_s‖² = ½ (‖w_t‖² + β²‖w_s‖² − 2β ⟨w_t, w_s⟩)

of target machines trained with this as their regulariser, for many β at once. With w_t = β w_s + Σ_i a_i φ(x_i) all
follows from the dual a, the kernel, the source's scores and its length:

    ‖w_t‖² = β²‖w_s‖² + 2β Σ_i a_i f_s(x_i) + aᵀK a,      ⟨w_t, w_s⟩ = β‖w_s‖² + Σ_i a_i f_s(x_i).

A machine with a bias has Σ_i a_i = 0: a constant in f_s, such as the source's own bias, then changes nothing.

Leading dimensions are independent machines; B values of β stand on the last axis of the results.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hinge_svm import solve_hinge
from .least_squares_svm import class_balance, factorise

Floats = NDArray[np.float64]


class TransferTerms(NamedTuple):
    """The three terms, without ½, each (…, B)."""

    target: Floats
    """‖w_t‖²."""
    source: Floats
    """β²‖w_s‖²."""
    cross: Floats
    """−2β ⟨w_t, w_s⟩."""

    @property
    def penalty(self) -> Floats:
        """½‖w_t − β w_s‖², (…, B)."""
        return 0.5 * (self.target + self.source + self.cross)


def kernel_transfer_terms(
    kernel: Floats, duals: Floats, scores: Floats, squared_norm: Floats, betas: Floats
) -> TransferTerms:
    """Terms of trained machines with duals (…, B, N), one for each of β (B,).

    ``kernel`` (…, N, N) and ``scores`` f_s (…, N) are those of the training examples, ``squared_norm`` (…) is ‖w_s‖².

    >>> kernel, nothing_added = np.eye(2), np.zeros((1, 2))
    >>> terms = kernel_transfer_terms(kernel, nothing_added, np.ones(2), np.array(4.0), np.array([0.5]))
    >>> terms.target.tolist(), terms.cross.tolist(), terms.penalty.tolist()  # w_t = ½ w_s with ‖w_s‖² = 4
    ([1.0], [-2.0], [0.0])
    """
    length = np.asarray(squared_norm, dtype=np.float64)[..., None]
    own = np.einsum("...bi,...bi->...b", duals @ kernel, duals)
    agreement = np.einsum("...bi,...i->...b", duals, scores)
    source = np.square(betas) * length
    target = source + 2.0 * betas * agreement + own
    return TransferTerms(target, source, -2.0 * (source + betas * agreement))


def least_squares_terms(
    kernel: Floats, labels: Floats, scores: Floats, squared_norm: Floats, betas: Floats, C: float
) -> TransferTerms:
    """Terms of the class-balanced least-squares machine, whose dual is linear in β: a(β) = P y − β P f_s.

    Labels in {−1, 1}, or 0 at padding, (…, N). Raises ValueError for a machine that lacks a class.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> terms = least_squares_terms(x @ x.T, labels, x[:, 0], np.array(1.0), np.array([0.0, 1.0]), C=1e7)
    >>> terms.penalty.round(6).tolist()  # w = 1 explains all: without the source it is learned, with it nothing is
    [0.5, 0.0]
    """
    used = labels != 0.0
    seen = np.where(used, scores, 0.0)
    machine = factorise(kernel, class_balance(labels, used), C, used)
    duals = machine.dual(labels)[..., None, :] - betas[:, None] * machine.dual(seen)[..., None, :]
    return kernel_transfer_terms(kernel, duals, seen, squared_norm, betas)


def hinge_terms(
    kernel: Floats,
    labels: Floats,
    costs: Floats,
    scores: Floats,
    squared_norm: Floats,
    betas: Floats,
    with_bias: bool = True,
) -> TransferTerms:
    """Terms of the hinge machine with costs C_i (…, N); each β is a machine of its own. Errors as in ``train_hinge``.

    Without a bias ``scores`` must not contain the source's.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> terms = hinge_terms(x @ x.T, labels, np.full(2, 9.0), x[:, 0], np.array(1.0), np.array([0.0, 0.5, 1.0]))
    >>> terms.penalty.round(6).tolist()  # ½ (1 − β)²
    [0.5, 0.125, 0.0]
    """
    seen = np.where(labels != 0.0, scores, 0.0)
    borrowed = betas[:, None] * seen[..., None, :]
    duals, _, _ = solve_hinge(kernel[..., None, :, :], labels[..., None, :], costs[..., None, :], borrowed, with_bias)
    return kernel_transfer_terms(kernel, duals, seen, squared_norm, betas)


def hyperplane_products(kernel: Floats, duals: Floats) -> Floats:
    """⟨w_i, w_j⟩ (k, k) of hyperplanes w_j = Σ_i a_ij φ(x_i), from their duals (n, k) and the kernel (n, n).

    The diagonal holds each ‖w_j‖²; the mean of all entries is that of the average of the sources.

    >>> x = np.array([[3.0, 0.0], [0.0, 2.0]])
    >>> hyperplane_products(x @ x.T, np.eye(2)).tolist()  # w_1 and w_2 are the examples themselves
    [[9.0, 0.0], [0.0, 4.0]]
    """
    return duals.T @ kernel @ duals
