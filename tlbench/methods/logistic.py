"""Logistic regression on few features, many at a time.

    min_{β,b} ½‖β‖² + Σ_i C_i log(1 + exp(−y_i (β·F_i + b)))

by Newton's method on whole stacks: scikit-learn solves the same problem one at a time, some seventy times slower, most
of which goes into checking what it is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .least_squares_svm import class_balance
from .score_features import LinearMachine

Floats = NDArray[np.float64]

MOST_STEPS = 100
PRECISION = 1e-10
"""Largest entry of the gradient at which a problem counts as solved, relative to 1 + ΣC_i·max|F|."""


def feature_logistic(features: Floats, labels: Floats, costs: Floats) -> LinearMachine:
    """The machines of features (…, N, m), labels in {−1, 1} or 0 at padding, and costs C_i (…, N).

    Raises ValueError for a machine that lacks a class, costs that are not positive and values that are not finite,
    and ArithmeticError if a problem is not solved.

    >>> says_nothing, labels = np.zeros((4, 1)), np.array([1.0, 1.0, 1.0, -1.0])
    >>> machine = feature_logistic(says_nothing, labels, np.ones(4))
    >>> machine.weights.round(6).tolist(), round(float(machine.bias), 6)  # b is the log of the odds, 3 to 1
    ([0.0], 1.098612)
    """
    used = labels != 0.0
    class_balance(labels, used)  # raises where a class is missing: b would run away
    count, size = features.shape[-2:]
    stack = np.broadcast_shapes(features.shape[:-2], labels.shape[:-1], costs.shape[:-1])
    y = np.broadcast_to(labels, (*stack, count)).reshape(-1, count)
    present = y != 0.0
    seen = np.broadcast_to(features, (*stack, count, size)).reshape(-1, count, size)
    given = np.broadcast_to(costs, (*stack, count)).reshape(-1, count)
    if not (np.isfinite(seen[present]).all() and np.isfinite(given[present]).all() and (given[present] > 0.0).all()):
        raise ValueError("features must be finite, and costs positive and finite")
    weight = np.where(present, given, 0.0)
    design = np.concatenate([np.where(present[..., None], seen, 0.0), present[..., None]], axis=-1)
    solution = _newton(design, y, weight)
    return LinearMachine(solution[:, :-1].reshape(*stack, size), solution[:, -1].reshape(stack))


def _newton(design: Floats, labels: Floats, costs: Floats) -> Floats:
    """(β, b), (problems, m + 1), of designs (problems, N, m + 1) whose last column is one."""
    ridge = np.append(np.ones(design.shape[2] - 1), 0.0)
    solution = np.zeros((len(design), design.shape[2]))
    scale = 1.0 + costs.sum(axis=1) * np.abs(design).max(axis=(1, 2))
    still_open = np.arange(len(design))
    for _ in range(MOST_STEPS):
        at = solution[still_open]
        signed = labels[still_open, :, None] * design[still_open]
        weight = costs[still_open]
        # 1/(1 + exp(m)) by the hyperbolic tangent, which does not overflow.
        against = 0.5 * (1.0 - np.tanh(0.5 * _times(signed, at)))
        gradient = ridge * at - np.einsum("pi,pij->pj", weight * against, signed)
        left = np.abs(gradient).max(axis=1) > PRECISION * scale[still_open]
        if not left.any():
            return solution
        still_open, at, signed, gradient = still_open[left], at[left], signed[left], gradient[left]
        weight, against = weight[left], against[left]
        curvature = np.swapaxes(signed, 1, 2) @ ((weight * against * (1.0 - against))[..., None] * signed)
        diagonal = np.arange(len(ridge))
        curvature[:, diagonal, diagonal] += ridge
        # Where every example is told apart with certainty, b has no curvature left; a trace keeps the system solvable.
        curvature[:, -1, -1] += 1e-12 * (1.0 + weight.sum(axis=1))
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        solution[still_open] = at - _length(at, step, gradient, signed, weight, ridge)[:, None] * step
    raise ArithmeticError(f"{len(still_open)} logistic regressions were not solved in {MOST_STEPS} steps")


def _length(at: Floats, step: Floats, gradient: Floats, signed: Floats, costs: Floats, ridge: Floats) -> Floats:
    """The first of 1, ½, ¼, … that lowers the objective by a fair share of what the slope promises (Armijo)."""

    def objective(point: Floats) -> Floats:
        loss = np.logaddexp(0.0, -_times(signed, point))
        return 0.5 * np.sum(ridge * np.square(point), axis=1) + np.sum(costs * loss, axis=1)

    promised = np.sum(gradient * step, axis=1)
    before = objective(at)
    # Near the optimum the fall drowns in the rounding of the objective.
    rounding = 1e-14 * np.maximum(1.0, before)
    length = np.ones(len(at))
    for _ in range(40):
        short = objective(at - length[:, None] * step) > before - 1e-4 * length * promised + rounding
        if not short.any():
            break
        length[short] *= 0.5
    return length


def _times(matrices: Floats, vectors: Floats) -> Floats:
    return (matrices @ vectors[..., None])[..., 0]
