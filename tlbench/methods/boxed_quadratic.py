"""A stack of small quadratic programs in a box, solved together, as support vector machines ask for.

    min_α ½ αᵀQα − pᵀα    subject to  0 ≤ α ≤ u  and, if asked,  dᵀα = 0

Most are solved by guessing which variables stand at a bound (``active_set``): exactly, in a few steps. The others are
solved by a primal–dual interior-point method with Mehrotra's predictor and corrector (Nocedal & Wright, Numerical
Optimization, 2nd ed., algorithm 16.4), whose solution is then a guess that is nearly always right. With multipliers
z of α ≥ 0, s of t = u − α ≥ 0 and b of the equality, optimality is

    Qα − p + b d − z + s = 0,      dᵀα = 0,      α z = s t = 0.

Each step linearises these with the products set to a shrinking τ and eliminates z and s, which leaves the matrix
Q + diag(z/α + s/t), bordered by d.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .active_set import Program, first_guess, middle_multiplier, settle

Floats = NDArray[np.float64]

GUESSES = 12
"""Steps of the active set before the interior point takes over, and again after it."""
BOLD_STEPS, MOST_STEPS = 25, 125
"""A problem that takes more steps than the first goes round in circles, and is led out of them at a careful pace."""
GAP = 1e-10
"""Products and residuals at which a problem counts as solved, relative to their scale at the solution."""
GOOD_ENOUGH = 1e-7
"""The same for a problem that has had all its steps."""


class _Pace(NamedTuple):
    """How boldly to step: least τ relative to the mean product, fraction of the way to a bound."""

    centring: float
    back_off: float


BOLD = _Pace(centring=1e-6, back_off=0.995)
CAREFUL = _Pace(centring=0.3, back_off=0.9)


def minimise_boxed(quadratic: Floats, linear: Floats, upper: Floats, direction: Floats) -> tuple[Floats, Floats]:
    """α (problems, N) and b (problems,) of programs Q (problems, N, N), p, u and d (problems, N).

    Q is positive semi-definite, u positive and finite, d in {−1, 0, 1}; a problem whose d is zero has no equality and
    b = 0. Where b has an interval at the optimum (no variable strictly inside the box takes part in the equality) it
    is the middle of it. Raises ArithmeticError if a problem cannot be solved.

    >>> one, linear = np.ones((1, 2)), np.array([[1.0, 4.0]])
    >>> alpha, b = minimise_boxed(np.eye(2)[None], linear, 2.0 * one, 0.0 * one)  # apart: p, cut off at u
    >>> alpha.round(6).tolist()
    [[1.0, 2.0]]
    >>> alpha, b = minimise_boxed(np.eye(2)[None], linear, 2.0 * one, np.array([[1.0, -1.0]]))  # α_1 = α_2
    >>> alpha.round(6).tolist()
    [[2.0, 2.0]]
    """
    # Q and p of order one, so that tolerances are the same for all: α in units of size/spread, b in units of size.
    spread = np.mean(np.diagonal(quadratic, axis1=1, axis2=2), axis=1, keepdims=True)
    spread = np.where(spread > 0.0, spread, 1.0)
    size = np.abs(linear).max(axis=1, keepdims=True)
    size = np.where(size > 0.0, size, 1.0)
    unit = size / spread
    program = Program(quadratic / spread[..., None], linear / size, upper / unit, direction)
    alpha, bounds, solved = settle(program, first_guess(program), GUESSES)
    left = np.flatnonzero(~solved)
    if len(left):
        rest = program.where(left)
        found = _interior_point(rest)
        # At a bound the product is small because the variable is, inside the box because its multiplier is.
        guess = np.where(found.alpha < rest.upper * found.lower, -1, 0).astype(np.int8)
        guess[found.room < rest.upper * found.upper] = 1
        exact = settle(rest, guess, GUESSES)
        alpha[left] = np.where(exact.solved[:, None], exact.alpha, found.alpha)
        bounds[left] = np.where(exact.solved[:, None], exact.bounds, guess)
    slope = (program.quadratic @ alpha[..., None])[..., 0] - program.linear
    multiplier = middle_multiplier(slope, direction, bounds)
    # What stands at its bound stands there exactly.
    alpha = np.where(alpha >= program.upper, upper, np.minimum(alpha * unit, upper))
    return alpha, multiplier * size[:, 0]


class _State(NamedTuple):
    """Iterates of the problems still open, (problems, N) but for b, (problems, 1); a step has the same form."""

    alpha: Floats
    room: Floats  # t
    lower: Floats  # z
    upper: Floats  # s
    multiplier: Floats  # b

    def products(self) -> Floats:
        """α z and t s, (problems, 2N)."""
        return np.concatenate([self.alpha * self.lower, self.room * self.upper], axis=1)

    def moved(self, step: _State, length: Floats) -> _State:
        return _State(*(value + length * change for value, change in zip(self, step, strict=True)))

    def longest(self, step: _State) -> Floats:
        """The largest step length ≤ 1 that keeps all but b non-negative, (problems, 1)."""
        rates = np.concatenate([-change / value for value, change in zip(self[:4], step[:4], strict=True)], axis=1)
        return 1.0 / np.maximum(rates.max(axis=1, keepdims=True), 1.0)


class _Missing(NamedTuple):
    """What is missing to optimality, and the largest of it relative to its scale, (problems,)."""

    residual: Floats  # Qα − p + b d − z + s
    imbalance: Floats  # dᵀα, (problems, 1)
    gap: Floats  # sum of the products, (problems, 1)
    error: Floats


def _interior_point(program: Program) -> _State:
    """The solution of every problem to GAP."""
    state = _start(program)
    solution = _State(*(np.empty_like(part) for part in state))
    still_open = np.arange(len(program.linear))
    for step_count in range(MOST_STEPS + 1):
        missing = _missing(program, state)
        solved = missing.error < (GAP if step_count < MOST_STEPS else GOOD_ENOUGH)
        if solved.any():
            for whole, part in zip(solution, state, strict=True):
                whole[still_open[solved]] = part[solved]
            going = ~solved
            still_open, program = still_open[going], program.where(going)
            if not len(still_open):
                return solution
            state = _State(*(part[going] for part in state))
            missing = _Missing(*(part[going] for part in missing))
        if step_count < MOST_STEPS:
            state = _advance(program, state, missing, BOLD if step_count < BOLD_STEPS else CAREFUL)
    raise ArithmeticError(f"{len(still_open)} box-constrained programs were not solved in {MOST_STEPS} steps")


def _start(program: Program) -> _State:
    """The middle of the box, or the scale of an unbounded solution where that is less."""
    quadratic, linear, upper, _ = program
    alpha = np.minimum(upper / 2, 1.0)
    slope = (quadratic @ alpha[..., None])[..., 0] - linear
    return _State(
        alpha=alpha,
        room=upper - alpha,
        lower=np.maximum(slope, 0.0) + 1.0,
        upper=np.maximum(-slope, 0.0) + 1.0,
        multiplier=np.zeros((len(linear), 1)),
    )


def _missing(program: Program, state: _State) -> _Missing:
    quadratic, linear, upper, direction = program
    slope = (quadratic @ state.alpha[..., None])[..., 0] - linear
    residual = slope + state.multiplier * direction - state.lower + state.upper
    imbalance = np.sum(direction * state.alpha, axis=1, keepdims=True)
    gap = state.products().sum(axis=1, keepdims=True)
    # Twice the value of the dual, pᵀα − ½αᵀQα, is αᵀ(p − slope); a solution worth nothing is measured by its bounds.
    widths = upper.sum(axis=1, keepdims=True)
    worth = np.abs(np.sum(state.alpha * (linear - slope), axis=1, keepdims=True)) / 2 + 1e-9 * widths
    # A residual is worth what it adds to the gap; where α is large, rounding leaves no smaller one.
    pulled = np.abs(residual).max(axis=1, keepdims=True) * state.alpha.sum(axis=1, keepdims=True)
    off = [gap / worth, pulled / worth, np.abs(imbalance) / widths]
    return _Missing(residual, imbalance, gap, np.concatenate(off, axis=1).max(axis=1))


def _advance(program: Program, state: _State, missing: _Missing, pace: _Pace) -> _State:
    """One step of predictor and corrector."""
    linearised = _Linearised(program, state, missing)
    products = state.products()
    predictor = linearised.step(-products)
    length = state.longest(predictor)
    ahead = state.moved(predictor, length).products().sum(axis=1, keepdims=True)
    target = missing.gap / products.shape[1] * np.clip((ahead / missing.gap) ** 3, pace.centring, 1.0)
    # The products bend by dα dz along the predictor, of which only ``length`` is gone.
    step = linearised.step(target - products - length**2 * predictor.products())
    return state.moved(step, pace.back_off * state.longest(step))


class _Linearised:
    """The optimality conditions at one state, linearised and reduced to N × N systems."""

    def __init__(self, program: Program, state: _State, missing: _Missing) -> None:
        self.state, self.missing, self.direction = state, missing, program.direction
        system = program.quadratic.copy()
        diagonal = np.arange(system.shape[1])
        system[:, diagonal, diagonal] += state.lower / state.alpha + state.upper / state.room
        # Unit diagonal: variables near a bound would else spoil the condition of the whole system.
        self.unit = 1.0 / np.sqrt(system[:, diagonal, diagonal])
        system *= self.unit[:, :, None] * self.unit[:, None, :]
        system[:, diagonal, diagonal] = 1.0 + 1e-14  # equal examples inside a wide box must not leave a zero pivot
        self.system = system

    def step(self, wanted: Floats) -> _State:
        """The step that changes the products by ``wanted``, to first order."""
        alpha, room, lower, upper, _ = self.state
        of_lower, of_upper = np.split(wanted, 2, axis=1)
        right = of_lower / alpha - of_upper / room - self.missing.residual
        both = np.stack([self.unit * right, self.unit * self.direction], axis=-1)
        plain, along = np.moveaxis(np.linalg.solve(self.system, both) * self.unit[..., None], -1, 0)
        curvature = np.sum(self.direction * along, axis=1, keepdims=True)
        balance = np.sum(self.direction * plain, axis=1, keepdims=True) + self.missing.imbalance
        # Without an equality d, and with it the curvature, is zero, and b stays where it is.
        change = np.where(curvature > 0.0, balance / np.where(curvature > 0.0, curvature, 1.0), 0.0)
        d_alpha = plain - change * along
        return _State(
            alpha=d_alpha,
            room=-d_alpha,
            lower=(of_lower - lower * d_alpha) / alpha,
            upper=(of_upper + upper * d_alpha) / room,
            multiplier=change,
        )
