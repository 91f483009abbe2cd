"""The support vector machine that starts from given scores instead of from zero, many at a time.

    min_{v,b} ½‖v‖² + Σ_i C_i max(0, 1 − y_i (f_a(x_i) + v·φ(x_i) + b)),      f_a = Σ_j β_j f_j,

with source scores f_j, fixed weights β and a cost C_i for each example. Off-the-shelf machines know f_a = 0 only; here
f_a enters the linear term of the dual (Aytar & Zisserman, ICCV 2011, and Yang, Yan & Hauptmann, ACM MM 2007, whose
machine has no b):

    max_α Σ_i (1 − y_i f_a(x_i)) α_i − ½ Σ_ij α_i α_j y_i y_j K_ij,      0 ≤ α_i ≤ C_i,      Σ_i α_i y_i = 0 (with b),

and v = Σ_i α_i y_i φ(x_i). If f_j is a hyperplane w_j of the same space, the same machine is the one that minimises
½‖w − Σ_j β_j w_j‖² over w = v + Σ_j β_j w_j; but any function will do as f_j.

With few examples and costs that balance the classes b often has an interval of equally good values (no α strictly
between its bounds). Its middle is taken; LIBSVM takes an end, whichever rounding leads it to, and test decisions can
differ by whole points of accuracy between the two.

All functions take stacks: leading dimensions are independent machines. A machine with fewer examples than its stack is
padded with labels of zero; what else padding holds has no influence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .boxed_quadratic import minimise_boxed
from .least_squares_svm import class_balance

Floats = NDArray[np.float64]


class LeaningMachine(NamedTuple):
    """A decision function Σ_i a_i K(x, x_i) + Σ_j β_j f_j(x) + b for every machine of a stack."""

    dual: Floats
    """a (…, N), zero at padding: α_i y_i in the module's terms."""
    bias: Floats
    """b (…)."""
    weights: Floats
    """β (…, k)."""
    gap: Floats
    """Primal minus dual objective (…), relative to the primal: how far from the optimum the machine may be."""

    def decide(self, kernel: Floats, scores: Floats) -> Floats:
        """Decision values (…, T) from kernels (…, T, N) with the training examples and source scores (…, T, k)."""
        own = (kernel @ self.dual[..., None])[..., 0]
        return own + (scores @ self.weights[..., None])[..., 0] + self.bias[..., None]


def balanced_costs(labels: Floats, C: float) -> Floats:
    """C_i = C ζ_i, (…, N), so that both classes cost the same in all; ``class_balance`` has ζ and its error.

    >>> balanced_costs(np.array([1.0, -1.0, -1.0, -1.0, -1.0]), C=2.0).tolist()  # the one as much as the four
    [5.0, 1.25, 1.25, 1.25, 1.25]
    """
    return C * class_balance(labels, labels != 0)


def train_hinge(
    kernel: Floats, labels: Floats, costs: Floats, scores: Floats, weights: ArrayLike, with_bias: bool = True
) -> LeaningMachine:
    """The machines of kernels (…, N, N), labels and costs C_i (…, N), source scores (…, N, k) and weights β (…, k).

    Labels are −1 or 1, and 0 at padding. Leading dimensions are broadcast, so many β may share a kernel. A relative
    gap below 1e-6 may be relied on while C_i K_ii stays below a million. Raises ValueError for labels other than
    these, a machine that lacks a class, costs that are not positive and values that are not finite, and
    ArithmeticError if a machine cannot be found.

    >>> x, labels = np.array([[-1.0], [1.0], [5.0]]), np.array([-1.0, 1.0, 1.0])
    >>> machine = train_hinge(x @ x.T, labels, np.full(3, 9.0), np.zeros((3, 0)), [])
    >>> machine.dual.round(6).tolist(), bool(machine.gap < 1e-6)  # the widest margin rests on −1 and 1: f(x) = x
    ([-0.5, 0.5, 0.0], True)
    """
    weights = np.asarray(weights, dtype=np.float64)
    borrowed = (scores @ weights[..., None])[..., 0]
    dual, bias, gap = solve_hinge(kernel, labels, costs, borrowed, with_bias)
    return LeaningMachine(dual, bias, np.broadcast_to(weights, (*bias.shape, weights.shape[-1])), gap)


def solve_hinge(
    kernel: Floats, labels: Floats, costs: Floats, borrowed: Floats, with_bias: bool
) -> tuple[Floats, Floats, Floats]:
    """Solve for given f_a(x_i) (…, N): a (…, N), b (…) and the relative gap (…). All else as in ``train_hinge``.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> dual, b, gap = solve_hinge(x @ x.T, labels, np.full(2, 9.0), 0.25 * labels, with_bias=True)
    >>> dual.round(6).tolist()  # a quarter of the margin is borrowed, so three quarters of the plain ±½ are learned
    [-0.375, 0.375]
    """
    count = labels.shape[-1]
    stack = np.broadcast_shapes(kernel.shape[:-2], labels.shape[:-1], costs.shape[:-1], borrowed.shape[:-1])

    def flat(values: Floats, *shape: int) -> Floats:
        return np.broadcast_to(values, (*stack, *shape)).reshape(-1, *shape)

    y, given, lent = flat(labels, count), flat(costs, count), flat(borrowed, count)
    matrices = flat(kernel, count, count)
    used = y != 0.0
    together = used[:, :, None] & used[:, None, :]
    _check(matrices[together], y, given[used], lent[used])
    # A padded α has slope 1 at zero whatever the others do: it stays there.
    quadratic = np.where(together, matrices, 0.0) * y[:, :, None] * y[:, None, :]
    padded = np.nonzero(~used)
    quadratic[padded[0], padded[1], padded[1]] = 1.0
    linear = np.where(used, 1.0 - y * np.where(used, lent, 0.0), -1.0)
    costs = np.where(used, given, 1.0)
    alpha, bias = minimise_boxed(quadratic, linear, costs, y if with_bias else np.zeros_like(y))
    alpha = np.where(used, alpha, 0.0)
    gap = _relative_gap(quadratic, linear, np.where(used, costs, 0.0), alpha, y * bias[:, None])
    return (alpha * y).reshape(*stack, count), bias.reshape(stack), gap.reshape(stack)


def _relative_gap(quadratic: Floats, linear: Floats, costs: Floats, alpha: Floats, lifted: Floats) -> Floats:
    """(primal − dual) / primal, (machines,); costs are zero at padding, ``lifted`` is y b."""
    explained = (quadratic @ alpha[..., None])[..., 0]
    squared = np.sum(alpha * explained, axis=1)
    primal = squared / 2 + np.sum(costs * np.maximum(linear - explained - lifted, 0.0), axis=1)
    dual = np.sum(alpha * linear, axis=1) - squared / 2
    # Sources that leave nothing to explain make both zero but for rounding.
    return (primal - dual) / np.maximum(primal, 1e-12 * costs.sum(axis=1))


def _check(kernel: Floats, labels: Floats, costs: Floats, borrowed: Floats) -> None:
    if not np.isin(labels, (-1.0, 0.0, 1.0)).all():
        raise ValueError("labels must be −1 or 1, and 0 at padding")
    if not ((labels > 0).any(axis=-1).all() and (labels < 0).any(axis=-1).all()):
        raise ValueError("a hinge machine needs at least one example of each class")
    if not (np.isfinite(costs).all() and (costs > 0.0).all()):
        raise ValueError("costs must be positive and finite")
    if not (np.isfinite(kernel).all() and np.isfinite(borrowed).all()):
        raise ValueError("the kernel and the source scores must be finite")
