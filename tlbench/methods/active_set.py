"""Which variables of a small quadratic program stand at a bound: guessed for a whole stack, corrected, solved exactly.

    min_α ½ αᵀQα − pᵀα    subject to  0 ≤ α ≤ u  and, if asked,  dᵀα = 0

Given a guess, one linear system yields α where it is free and, of the equality, the multiplier b. Free variables that
leave the box go to the bound they crossed, variables at a bound whose multiplier has the wrong sign are set free, and
nothing moves at the optimum (primal–dual active set; Hintermüller, Ito & Kunisch, SIAM J. Optim. 13(3), 2002, there
for M-matrices). Support vector machines with few examples need two to six such steps. There is no promise in general:
``settle`` says which problems it solved, and ``boxed_quadratic`` has a method that does promise for the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Bounds = NDArray[np.int8]
"""Per variable: −1 at zero, 0 free, +1 at u."""

TOLERANCE = 1e-9
"""Leaving the box, relative to its width, and wrong multipliers that count as rounding."""
SOFTNESS = 0.1
"""The first guess is that of a machine with squared errors, SOFTNESS/u on the diagonal: it puts most right at once."""
JITTER = 1e-14
"""Added to the diagonal: equal examples would else meet a pivot of exactly zero."""


class Program(NamedTuple):
    """A stack of programs: Q (problems, N, N) positive semi-definite, p, u > 0 and d (problems, N).

    Entries of d are −1, 1 or, where a variable is not in the equality, 0; all zero means no equality. Q and p must be
    of order one: tolerances are absolute.

    >>> both = Program(np.array([[[2.0]], [[4.0]]]), np.ones((2, 1)), np.full((2, 1), 9.0), np.zeros((2, 1)))
    >>> both.where(np.array([False, True])).quadratic.tolist()
    [[[4.0]]]
    """

    quadratic: Floats
    linear: Floats
    upper: Floats
    direction: Floats

    def where(self, chosen: Booleans | NDArray[np.intp]) -> Program:
        """Some of the problems."""
        return Program(*(part[chosen] for part in self))


class Settled(NamedTuple):
    """α and where it stands (problems, N), and which problems are solved; of the others the rest means nothing."""

    alpha: Floats
    bounds: Bounds
    solved: Booleans


def first_guess(program: Program) -> Bounds:
    """What leaves the box when errors are squared, so that nothing is bounded, (problems, N).

    >>> first_guess(Program(np.array([[[1.0]]]), np.array([[3.0]]), np.array([[2.0]]), np.zeros((1, 1)))).tolist()
    [[1]]
    """
    everything = np.ones(program.linear.shape, dtype=bool)
    _, alpha = _bordered_solution(
        program, everything, program.linear, np.zeros(len(everything)), SOFTNESS / program.upper
    )
    return np.where(alpha < 0.0, -1, np.where(alpha > program.upper, 1, 0)).astype(np.int8)


def settle(program: Program, guess: Bounds, most_steps: int) -> Settled:
    """Solve what can be solved in ``most_steps`` steps from a guess (problems, N).

    >>> program = Program(np.array([[[1.0]]]), np.array([[3.0]]), np.array([[2.0]]), np.zeros((1, 1)))
    >>> free = np.zeros((1, 1), dtype=np.int8)  # a wrong guess: without the box α would be 3
    >>> settle(program, free, most_steps=1).solved.tolist()
    [False]
    >>> settle(program, free, most_steps=3).alpha.tolist()
    [[2.0]]
    """
    alpha, bounds = np.zeros(guess.shape), np.zeros(guess.shape, dtype=np.int8)
    solved = np.zeros(len(guess), dtype=bool)
    still_open = np.arange(len(guess))
    for _ in range(most_steps):
        step = _step(program, guess)
        done, going = step.solved, ~step.solved
        alpha[still_open[done]], bounds[still_open[done]] = step.alpha[done], step.bounds[done]
        solved[still_open[done]] = True
        still_open, program, guess = still_open[going], program.where(going), step.better[going]
        if not len(still_open):
            break
    return Settled(alpha, bounds, solved)


class _Step(NamedTuple):
    """α at a guess, where it stands, the guess that it suggests, and whether it is the solution."""

    alpha: Floats
    bounds: Bounds
    better: Bounds
    solved: Booleans


def _step(program: Program, guess: Bounds) -> _Step:
    quadratic, linear, upper, direction = program
    free = guess == 0
    fixed = np.where(guess > 0, upper, 0.0)
    left = linear - _times(quadratic, fixed)
    b, values = _bordered_solution(program, free, left, -_dot(direction, fixed), np.full_like(linear, JITTER))
    alpha = np.where(free, values, fixed)
    slope = _times(quadratic, alpha) - linear
    b = np.where((free & (direction != 0)).any(axis=1), b, middle_multiplier(slope, direction, guess))
    pull = slope + direction * b[:, None]
    outside = TOLERANCE * upper
    crossed = np.where(alpha < -outside, -1, np.where(alpha > upper + outside, 1, 0))
    kept = np.where(guess * pull <= TOLERANCE, guess, 0)
    better = np.where(free, crossed, kept).astype(np.int8)
    # A nearly singular system may give free variables that do not solve it; a full box, ones that do not balance.
    solved = (better == guess).all(axis=1) & (~free | (np.abs(pull) <= TOLERANCE)).all(axis=1)
    solved &= np.abs(_dot(direction, alpha)) <= TOLERANCE * _dot(np.abs(direction), upper)
    alpha = np.clip(alpha, 0.0, upper)
    # A free variable that ends at a bound leaves b the same interval as one that was guessed to stand there.
    near = TOLERANCE * np.minimum(upper, 1.0)
    bounds = np.where(alpha <= near, -1, np.where(alpha >= upper - near, 1, 0)).astype(np.int8)
    return _Step(alpha, bounds, better, solved)


def _bordered_solution(
    program: Program, free: Booleans, right: Floats, total: Floats, ridge: Floats
) -> tuple[Floats, Floats]:
    """Solve for b (problems,) and α (problems, N), zero unless free: (Q + ridge)α + d b = right, dᵀα = total."""
    quadratic, _, _, direction = program
    problems, count = right.shape
    border = np.where(free, direction, 0.0)
    system = np.zeros((problems, count + 1, count + 1))
    system[:, 1:, 1:] = quadratic * (free[:, :, None] & free[:, None, :])
    system[:, 0, 1:] = system[:, 1:, 0] = border
    inner = np.arange(1, count + 1)
    system[:, inner, inner] += np.where(free, ridge, 1.0)
    bordered = border.any(axis=1)
    system[:, 0, 0] = ~bordered
    sides = np.concatenate([np.where(bordered, total, 0.0)[:, None], np.where(free, right, 0.0)], axis=1)
    solution = np.linalg.solve(system, sides[..., None])[..., 0]
    return solution[:, 0], solution[:, 1:]


def middle_multiplier(slope: Floats, direction: Floats, bounds: Bounds) -> Floats:
    """The middle of the interval of b (problems,) in which slope + b d has the right sign at every bound; else 0.

    slope = Qα − p. Where the interval is open on one side, its end; a free variable in the equality closes it to a
    point.

    >>> at_zero = np.full((1, 2), -1, dtype=np.int8)  # two variables of opposite direction: b lies between −1 and 3
    >>> middle_multiplier(np.array([[1.0, 3.0]]), np.array([[1.0, -1.0]]), at_zero).tolist()
    [1.0]
    """
    crossing = -slope * direction  # d = ±1: where slope + b d changes its sign
    inside = direction != 0
    least = np.where(inside & (bounds * direction <= 0), crossing, -np.inf).max(axis=1)
    most = np.where(inside & (bounds * direction >= 0), crossing, np.inf).min(axis=1)
    least = np.where(np.isfinite(least), least, most)
    most = np.where(np.isfinite(most), most, least)
    return np.where(np.isfinite(least), 0.5 * (least + most), 0.0)


def _times(matrices: Floats, vectors: Floats) -> Floats:
    return (matrices @ vectors[..., None])[..., 0]


def _dot(left: Floats, right: Floats) -> Floats:
    return np.einsum("ij,ij->i", left, right)
