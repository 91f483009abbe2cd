"""The class-balanced least-squares support vector machine, many at a time, with exact leave-one-out.

Every machine solves, for labels y ∈ {−1, +1} and a kernel matrix K,

    min_{w,b} ½‖w‖² + (C/2) Σ_i ζ_i (y_i − w·φ(x_i) − b)²,      ζ_i = N / (2 N_{class of i}),

whose solution is linear in y: with A = K + diag(1/(C ζ)), u = A⁻¹1 and P = A⁻¹ − u uᵀ/(1ᵀu),

    α = P y,      b = uᵀy / (1ᵀu),      y_i − ŷ_i^{(−i)} = α_i / P_ii      (leave-one-out, ζ kept fixed).

P is the upper left block of the inverse of [[A, 1], [1ᵀ, 0]]: one factorisation serves any number of right-hand
sides, which is what makes learning source weights nearly free (Tommasi, Orabona & Caputo, PAMI 2014; leave-one-out
after Cawley, IJCNN 2006).

All functions take stacks: leading dimensions are independent machines. A machine with fewer examples than its stack
is padded; ``used`` marks the real ones, and padding has no influence on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .conditioning import check_factor, check_inverse, check_positive

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def class_balance(labels: Floats, used: Booleans | None = None) -> Floats:
    """Weights ζ, shape of ``labels`` (…, N), that give both classes the same total N/2; 1 where unused.

    Raises ValueError if a machine lacks a class.

    >>> class_balance(np.array([1.0, -1.0, -1.0, -1.0, -1.0])).tolist()
    [2.5, 0.625, 0.625, 0.625, 0.625]
    """
    used = np.ones(labels.shape, dtype=bool) if used is None else used
    positive, negative = used & (labels > 0), used & (labels < 0)
    positives, negatives = positive.sum(-1, keepdims=True), negative.sum(-1, keepdims=True)
    if not (positives.all() and negatives.all()):
        raise ValueError("a class-balanced machine needs at least one example of each class")
    total = positives + negatives
    return np.where(positive, total / (2 * positives), np.where(negative, total / (2 * negatives), 1.0))


@dataclass(frozen=True)
class Factorisation:
    """What one factorisation of a stack of machines gives; see the module for P and u.

    P: (…, N, N), rows and columns of padding are zero but for P_ii = 1. ``bias_row`` = u/(1ᵀu): (…, N).
    """

    P: Floats
    bias_row: Floats

    @property
    def diagonal(self) -> Floats:
        """P_ii, shape (…, N)."""
        return np.diagonal(self.P, axis1=-2, axis2=-1)

    def dual(self, targets: Floats) -> Floats:
        """α = P t, shape (…, N), zero at padding, for right-hand sides t (…, N) that may have more leading axes."""
        return (self.P @ targets[..., None])[..., 0]

    def dual_columns(self, targets: Floats) -> Floats:
        """P T for k right-hand sides a machine, (…, N, k)."""
        return self.P @ targets

    def bias(self, targets: Floats) -> Floats:
        """B = uᵀt/(1ᵀu) for right-hand sides t (…, N), shape (…)."""
        return np.einsum("...i,...i->...", self.bias_row, targets)


def factorise(kernel: Floats, balance: Floats, C: float, used: Booleans | None = None) -> Factorisation:
    """Factorise a stack of kernels (…, N, N) with weights ζ (…, N); right-hand sides must be zero at padding.

    Raises ValueError for a matrix that is singular or indefinite to working precision, and warns of one that nearly is.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> machine = factorise(x @ x.T, class_balance(labels), C=1e7)  # errors cost so much that f(x) = x
    >>> machine.dual(labels).round(6).tolist(), round(float(machine.bias(labels)), 6)
    ([-0.5, 0.5], 0.0)
    >>> left_out = labels - machine.dual(labels) / machine.diagonal
    >>> left_out.round(6).tolist()  # without its only example a class is not known: what is decided is the other
    [1.0, -1.0]
    """
    regularised = np.array(kernel, dtype=np.float64)
    diagonal = np.arange(kernel.shape[-1])
    counted: Floats | float = 1.0
    if used is not None:
        regularised *= used[..., :, None] & used[..., None, :]
        counted = used.astype(np.float64)
    regularised[..., diagonal, diagonal] += 1.0 / (C * balance)
    if used is not None:
        regularised[..., diagonal, diagonal] = np.where(used, regularised[..., diagonal, diagonal], 1.0)
    inverse, u = _solved(regularised, counted)
    check_inverse(regularised[..., diagonal, diagonal] * counted, inverse[..., diagonal, diagonal] * counted)
    bias_row = u / u.sum(-1, keepdims=True)
    if not (np.isfinite(regularised.sum()) and np.isfinite(bias_row).all()):
        raise ValueError("the kernel matrix holds numbers that are not finite, or loses all digits; scale the features")
    # Each column of A⁻¹ is right to so many digits of its own length, which is small for an example alone and large for
    # two that nearly coincide. Leave-one-out of an example takes a row of P: that is made of its own column, and of u,
    # which is solved for too, as a sum of the columns it would inherit the errors of the longest.
    P = u[..., :, None] * bias_row[..., None, :]
    np.subtract(np.swapaxes(inverse, -1, -2), P, out=P)
    machine = Factorisation(P, bias_row)
    check_positive(machine.diagonal)
    return machine


def _solved(regularised: Floats, counted: Floats | float) -> tuple[Floats, Floats]:
    """A⁻¹ and u, each column solved for."""
    diagonal = np.arange(regularised.shape[-1])
    sides = np.zeros((*regularised.shape[:-1], len(diagonal) + 1))
    sides[..., diagonal, diagonal] = 1.0
    sides[..., -1] = counted
    try:
        solution = np.linalg.solve(regularised, sides).astype(np.float64, copy=False)
    except np.linalg.LinAlgError:
        raise ValueError("the kernel matrix is singular to working precision; use a smaller C") from None
    return solution[..., :-1], solution[..., -1]


def train(kernel: Floats, labels: Floats, C: float) -> tuple[Floats, float]:
    """One machine with plenty of examples: (α of shape (N,), b), by one Cholesky factorisation.

    Used for the sources, where neither P nor leave-one-out is needed. ``kernel`` (N, N) is overwritten. Raises and
    warns as ``factorise``.

    >>> x = np.array([[-1.0], [1.0], [3.0]])
    >>> alpha, b = train(x @ x.T, np.array([-1.0, 1.0, 3.0]), C=1e7)  # f(x) = x explains all
    >>> (x @ x.T @ alpha + b).round(4).tolist(), abs(round(float(alpha.sum()), 4))
    ([-1.0, 1.0, 3.0], 0.0)
    """
    from scipy.linalg.lapack import dposv

    diagonal = np.arange(len(labels))
    kernel[diagonal, diagonal] += 1.0 / (C * class_balance(labels))
    trace = float(kernel.trace())
    right_sides = np.stack([labels, np.ones_like(labels)], axis=1)
    factor, solution, failed = dposv(kernel, right_sides, lower=1, overwrite_a=1)
    if failed:
        raise ValueError("the kernel matrix is not positive definite; use a smaller C")
    check_factor(trace, factor)
    bias = float(solution[:, 0].sum() / solution[:, 1].sum())
    return solution[:, 0] - bias * solution[:, 1], bias
