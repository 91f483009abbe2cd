"""Whether a matrix was too ill-conditioned to be factorised, said in one sentence rather than left to be noticed.

A solution with A loses as many digits as the condition number ‖A‖ ‖A⁻¹‖ has (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, ch. 7 and 10), and what is computed from it, like leave-one-out residuals, loses more. For a
positive definite A of N rows, trace(A) is at most N‖A‖, and a diagonal entry of A⁻¹, or one over a squared pivot of
Cholesky's factor, is at most ‖A⁻¹‖: diagonals that are at hand tell the condition number within a factor of about N.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WORST = float(1.0 / np.sqrt(np.finfo(np.float64).eps))
"""Of condition numbers, 7e7: half of all digits. Below it decision values and leave-one-out keep five or more."""

SMALLEST = 1e-75
"""Of the entries of a factor's diagonal: below, and above one over it, fourth powers and their inverses vanish."""

INDEFINITE = "the kernel matrix is not positive semi-definite to working precision; use a smaller C"


class IllConditionedWarning(RuntimeWarning):
    """Numbers are right to fewer digits than they have; the message says what to do.

    >>> issubclass(IllConditionedWarning, RuntimeWarning)
    True
    """


def check_inverse(diagonal: Floats, inverse: Floats) -> None:
    """From the diagonals of A and A⁻¹, (…, N), zero where a row does not count.

    Warns where a condition number is beyond ``WORST``. Raises ValueError where there are numbers that are not finite.

    >>> with warnings.catch_warnings(record=True) as said:
    ...     warnings.simplefilter("always")
    ...     check_inverse(np.array([1.0, 1.0]), np.array([1.0, 2.0]))
    ...     check_inverse(np.array([1.0, 1.0]), np.array([1.0, 1e9]))
    >>> [one.category.__name__ for one in said]
    ['IllConditionedWarning']
    """
    _judge(diagonal.sum(-1) * np.abs(inverse).max(-1, initial=0.0))


def check_factor(trace: float, factor: Floats) -> None:
    """From the trace of A and the factor L of A = LLᵀ, as ``check_inverse``.

    >>> check_factor(2.0, np.eye(2))
    """
    least = float(np.diagonal(factor).min())
    _judge(np.array(trace / least**2 if SMALLEST < least < 1.0 / SMALLEST or np.isnan(least) else np.inf))


def check_positive(own: Floats) -> None:
    """Raises ValueError where a P_ii of ``least_squares_svm`` is not, as each is while any of its digits are right.

    >>> check_positive(np.array([0.5, 0.0]))
    Traceback (most recent call last):
    ValueError: the kernel matrix is not positive semi-definite to working precision; use a smaller C
    """
    if not (own > 0.0).all():
        raise ValueError(INDEFINITE)


def _judge(conditions: Floats) -> None:
    if np.isnan(conditions).any():
        raise ValueError("the kernel matrix holds numbers that are not finite; scale the features")
    if not (conditions <= WORST).all():
        warnings.warn(
            "a kernel matrix is ill-conditioned: what is computed from it may be right to fewer than five digits, or "
            "to none; use a smaller C, or centre and scale the features",
            IllConditionedWarning,
            stacklevel=4,
        )
