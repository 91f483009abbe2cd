"""Source weights learned together with the machine, kept small by a quadratic penalty.

    min_{w,β,b} ½‖w − Σ_j β_j w_j‖² + (ρ/2)‖β‖² + loss(w·φ(x_i) + b)

Jointly convex in w and β. With v = w − Σ_j β_j w_j it is a plain machine, in which each source's scores f_j/√ρ have
become one more feature: its kernel is K + F Fᵀ/ρ, and β_j = (1/ρ) Σ_i a_i f_j(x_i) is read off the dual a.
ρ → ∞ is no transfer. Any loss will do: here the hinge, and the class-balanced squares of ``least_squares_svm``,
whose exact leave-one-out learns β anew without each example.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hinge_svm import LeaningMachine, solve_hinge
from .least_squares_svm import class_balance, factorise

Floats = NDArray[np.float64]


def kernel_with_scores(kernel: Floats, scores: Floats, columns: Floats, rho: float) -> Floats:
    """K + F Fᵀ/ρ, (…, n, N), of a kernel and the scores (…, n, k) of its rows and (…, N, k) of its columns.

    Raises ValueError for a ρ that is not positive.

    >>> scores = np.array([[1.0], [2.0]])
    >>> kernel_with_scores(np.zeros((2, 2)), scores, scores, rho=0.5).tolist()
    [[2.0, 4.0], [4.0, 8.0]]
    """
    if not (np.isfinite(rho) and rho > 0.0):
        raise ValueError(f"ρ must be positive and finite, not {rho!r}")
    return kernel + scores @ np.swapaxes(columns, -1, -2) / rho


def weights_from_dual(dual: Floats, scores: Floats, rho: float) -> Floats:
    """β (…, k) of a machine with dual a (…, N) and scores (…, N, k).

    >>> weights_from_dual(np.array([-1.0, 1.0]), np.array([[1.0], [3.0]]), rho=4.0).tolist()
    [0.5]
    """
    return np.einsum("...i,...ij->...j", dual, scores) / rho


def penalised_svm(kernel: Floats, labels: Floats, costs: Floats, scores: Floats, rho: float) -> LeaningMachine:
    """The hinge machine with learned β, for kernels (…, N, N), labels and costs (…, N), scores (…, N, k) and ρ > 0.

    Errors as in ``hinge_svm.train_hinge`` and ``kernel_with_scores``.

    >>> x, labels, costs = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]), np.full(2, 9.0)
    >>> for rho in (1.0, 1e9):  # the source says x as well: half each; then it costs too much to be used
    ...     machine = penalised_svm(x @ x.T, labels, costs, x, rho)
    ...     machine.dual.round(6).tolist(), machine.weights.round(6).tolist()
    ([-0.25, 0.25], [0.5])
    ([-0.5, 0.5], [0.0])
    """
    seen = np.where((labels != 0.0)[..., None], scores, 0.0)
    wide = kernel_with_scores(kernel, seen, seen, rho)
    dual, bias, gap = solve_hinge(wide, labels, costs, np.zeros(labels.shape[-1]), with_bias=True)
    return LeaningMachine(dual, bias, weights_from_dual(dual, seen, rho), gap)


class PenalisedSquares(NamedTuple):
    """A least-squares machine with learned β, and what it decides on each training example when left out."""

    machine: LeaningMachine
    left_out: Floats
    """(…, N), β and b learned anew, ζ as with all examples; zero at padding."""


def penalised_least_squares(kernel: Floats, labels: Floats, scores: Floats, C: float, rho: float) -> PenalisedSquares:
    """The class-balanced least-squares machine with learned β, for kernels (…, N, N), labels (…, N), scores (…, N, k).

    Raises ValueError for a machine that lacks a class and as ``kernel_with_scores``. Solved in closed form: its gap is
    zero.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> found = penalised_least_squares(x @ x.T, labels, x, C=1e7, rho=1.0)
    >>> found.machine.dual.round(6).tolist(), found.machine.weights.round(6).tolist()  # half learned, half borrowed
    ([-0.25, 0.25], [0.5])
    """
    used = labels != 0.0
    seen = np.where(used[..., None], scores, 0.0)
    factorised = factorise(kernel_with_scores(kernel, seen, seen, rho), class_balance(labels, used), C, used)
    dual, bias = factorised.dual(labels), factorised.bias(labels)
    machine = LeaningMachine(dual, bias, weights_from_dual(dual, seen, rho), np.zeros_like(bias))
    return PenalisedSquares(machine, np.where(used, labels - dual / factorised.diagonal, 0.0))
