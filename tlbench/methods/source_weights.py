"""How much to lean on each source: weights β that minimise a convex bound on the leave-one-out error.

With ½‖w − Σ_j β_j w_j‖² as regulariser the least-squares machine stays linear in β (Tommasi, Orabona & Caputo, CVPR
2010 and PAMI 2014): for source scores f_j on the target's training examples

    α(β) = α' − Σ_j β_j α''_j,      α' = P y,      α''_j = P f_j,

and the leave-one-out prediction ỹ_i(β) = y_i − α_i(β)/P_ii is exact. β minimises the hinge of its margin,

    f(β) = Σ_i ζ_i max(0, 1 − y_i ỹ_i(β)) = Σ_i ζ_i max(0, r_i − Σ_j G_ij β_j),
    r_i = y_i α'_i / P_ii,      G_ij = y_i α''_ij / P_ii,

for one source within [0, 1], for several within ‖β‖₂ ≤ 1 or ‖β‖₁ ≤ 1, non-negative if asked. The papers follow a
projected sub-gradient for some hundred steps; here both problems are solved to optimality, and of equally good
weights the smallest win.

All functions take stacks of problems; each problem of a stack is solved as if it were alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .interior_point import Norm, minimise_hinge
from .least_squares_svm import Factorisation

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-9
"""Weights below the precision of the solver are zero."""


class LeaveOneOut(NamedTuple):
    """r (…, N), G (…, N, k) and ζ (…, N) of the module's f(β); rows of padding are zero in r and G."""

    residual: Floats
    influence: Floats
    balance: Floats

    def bound(self, weights: Floats) -> Floats:
        """f(β), shape (…), for weights (…, k)."""
        margins = self.residual - (self.influence @ weights[..., None])[..., 0]
        return np.einsum("...i,...i->...", self.balance, np.maximum(margins, 0.0))


def leave_one_out(machine: Factorisation, labels: Floats, sources: Floats, balance: Floats) -> LeaveOneOut:
    """Leave-one-out terms from labels (…, N), source scores (…, N, k) and ζ (…, N); both zero at padding.

    >>> from tlbench.methods.least_squares_svm import class_balance, factorise
    >>> labels = np.array([-1.0, -1.0, 1.0, 1.0])
    >>> balance = class_balance(labels)
    >>> machine = factorise(np.eye(4), balance, C=10.0)  # examples that have nothing in common
    >>> problem = leave_one_out(machine, labels, labels[:, None], balance)  # and a source that knows the labels
    >>> problem.residual.round(4).tolist(), problem.influence[:, 0].round(4).tolist()
    ([1.3333, 1.3333, 1.3333, 1.3333], [1.3333, 1.3333, 1.3333, 1.3333])
    """
    signed = labels / machine.diagonal
    return LeaveOneOut(signed * machine.dual(labels), signed[..., None] * machine.dual_columns(sources), balance)


def scalar_weights(problem: LeaveOneOut) -> tuple[Floats, Floats]:
    """The best weight in [0, 1] of each source used alone, and its f; both of shape (…, k).

    f is convex and piecewise linear along each source: its slope is followed through the sorted breakpoints, so the
    result is exact, and the smallest weight of a flat stretch is returned.

    >>> problem = LeaveOneOut(np.array([0.5, 0.5]), np.array([[2.0, -1.0], [2.0, -1.0]]), np.ones(2))
    >>> weights, bound = scalar_weights(problem)
    >>> weights.tolist(), bound.tolist()  # the first source takes away all error at ¼; the second would add to it
    ([0.25, 0.0], [0.0, 1.0])
    """
    slopes = np.swapaxes(problem.influence, -1, -2)
    residual = problem.residual[..., None, :]
    balance = problem.balance[..., None, :]
    loaded = balance * slopes
    rising_from_start = (residual > 0) | ((residual == 0) & (slopes < 0))
    start_slope = -np.sum(loaded, axis=-1, where=rising_from_start, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        breakpoints = residual / slopes
    inside = (breakpoints > 0) & (breakpoints < 1)
    breakpoints = np.where(inside, breakpoints, 1.0)
    order = np.argsort(breakpoints, axis=-1, kind="stable")
    jumps = np.take_along_axis(np.where(inside, np.abs(loaded), 0.0), order, -1)
    slope_after = np.concatenate([start_slope, start_slope + np.cumsum(jumps, axis=-1)], axis=-1)
    candidates = np.concatenate([np.zeros_like(start_slope), np.take_along_axis(breakpoints, order, -1)], axis=-1)
    flat = 1e-12 * np.sum(np.abs(loaded), axis=-1, keepdims=True)
    found = slope_after >= -flat
    first = np.where(found.any(-1), found.argmax(-1), candidates.shape[-1] - 1)[..., None]
    weights = np.take_along_axis(candidates, first, -1)
    margins = np.maximum(residual - slopes * weights, 0.0)
    return weights[..., 0], np.einsum("...ki,...i->...k", margins, problem.balance)


def ball_weights(problem: LeaveOneOut, norm: Norm, nonnegative: bool) -> Floats:
    """β of shape (…, k) minimising f within the unit ball of ``norm``, within 1e-6·max(1, f) of the optimum.

    Raises ValueError if a problem's terms are not all finite.

    >>> problem = LeaveOneOut(np.array([9.0]), np.array([[3.0, 4.0, -5.0]]), np.ones(1))
    >>> ball_weights(problem, "l2", nonnegative=True).round(4).tolist()  # along (3, 4) as far as the ball goes
    [0.6, 0.8, 0.0]
    >>> ball_weights(problem, "l1", nonnegative=True).round(4).tolist()  # all on the one that helps most
    [0.0, 1.0, 0.0]
    """
    stack, (count, sources) = problem.residual.shape[:-1], problem.influence.shape[-2:]
    if sources == 0:
        return np.zeros((*stack, 0))
    residual = problem.residual.reshape(-1, count)
    influence = problem.influence.reshape(-1, count, sources)
    balance = np.broadcast_to(problem.balance, problem.residual.shape).reshape(-1, count)
    if not all(np.isfinite(term).all() for term in (residual, influence, balance)):
        raise ValueError("leave-one-out terms are not finite; check the kernel and the source scores")
    if nonnegative:
        weights = minimise_hinge(residual, influence, balance, norm)
    else:
        # Signed weights are differences of two non-negative ones; the smallest such pair never overlaps.
        both = minimise_hinge(residual, np.concatenate([influence, -influence], axis=-1), balance, norm)
        weights = both[:, :sources] - both[:, sources:]
    weights[(np.abs(weights) < NEGLIGIBLE) | ~influence.any(axis=1)] = 0.0
    flattened = LeaveOneOut(residual, influence, balance)
    best, none = flattened.bound(weights), flattened.bound(np.zeros_like(weights))
    weights[none <= best + 1e-9 * np.maximum(1.0, best)] = 0.0
    return weights.reshape(*stack, sources)
