"""Which C to take, by the exact leave-one-out error of least-squares machines: no test example is needed.

For borrowed scores f_a (…, N), zero without transfer, the machine explains y − f_a, and the decision on example i of
the machine trained without it is y_i − α_i/P_ii (``least_squares_svm``). This holds for f_a fixed in advance; weights
that were themselves learned from all examples make it optimistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .least_squares_svm import class_balance, factorise

Floats = NDArray[np.float64]


class LeftOut(NamedTuple):
    """Leave-one-out errors of every C (last axis, c of them) of every machine of a stack.

    >>> LeftOut(np.array([[0.5, 0.5, 0.0]]), np.array([[0.9, 0.4, 0.6]])).best().tolist()  # by squares
    [1]
    """

    wrong: Floats
    """Balanced share of wrong decisions, (…, c), in [0, 1]; a decision of exactly zero counts as background (−1)."""
    squared: Floats
    """Class-balanced mean of squared errors, (…, c): breaks the ties of ``wrong``, of which few examples make many."""

    def best(self) -> NDArray[np.intp]:
        """Which C has the least squared error, (…); the first of equals."""
        return np.argmin(self.squared, axis=-1)


def left_out_errors(
    kernel: Floats, labels: Floats, candidates: Sequence[float], borrowed: Floats | float = 0.0
) -> LeftOut:
    """Errors for kernels (…, N, N), labels in {−1, 1} or 0 at padding (…, N) and c values of C.

    Raises ValueError for a machine that lacks a class, and for candidates that are none, or not positive and finite.

    >>> x, labels = np.array([[-2.0], [-2.0], [2.0], [2.0]]), np.array([-1.0, -1.0, 1.0, 1.0])
    >>> left_out_errors(x @ x.T, labels, [0.1, 10.0]).wrong.tolist()
    [0.0, 0.0]
    >>> left_out_errors(np.eye(4), labels, [0.1, 10.0]).wrong.tolist()  # nothing alike: what is left out is not known
    [1.0, 1.0]
    """
    if not len(candidates) or not all(np.isfinite(C) and C > 0.0 for C in candidates):
        raise ValueError("candidates for C must be positive and finite, and at least one")
    used = labels != 0.0
    balance = class_balance(labels, used)
    share = np.where(used, balance, 0.0) / used.sum(axis=-1, keepdims=True)
    targets = np.where(used, labels - borrowed, 0.0)
    wrong, squared = [], []
    for C in candidates:
        machine = factorise(kernel, balance, C, used)
        missing = machine.dual(targets) / machine.diagonal
        called_positive = labels - missing > 0.0
        wrong.append(np.sum(share * (called_positive != (labels > 0.0)), axis=-1))
        squared.append(np.sum(share * np.square(missing), axis=-1))
    return LeftOut(np.stack(wrong, axis=-1), np.stack(squared, axis=-1))
