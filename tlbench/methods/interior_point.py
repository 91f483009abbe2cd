"""A stack of small hinge problems over a unit ball, solved together by a primal–dual interior-point method.

    min_{β ≥ 0} Σ_i ζ_i max(0, r_i − G_i·β) + (ε/2)‖β‖²    subject to  ½‖β‖₂² ≤ ½  or  Σ_j β_j ≤ 1

With hinge values s, surpluses p = s − r + Gβ, ball slack w and multipliers a (of p ≥ 0), b = ζ − a (of s ≥ 0),
n (of β ≥ 0), λ (of the ball), optimality is

    ε β + λ v − Gᵀa − n = 0,   v = gradient of the ball,    a p = b s = n β = λ w = 0.

Each step linearises these with the four products set to a shrinking τ (Mehrotra's predictor and corrector; Nocedal &
Wright, Numerical Optimization, 2nd ed., algorithm 14.3) and eliminates all but dβ, which leaves one k × k system a
problem. Solved problems leave the stack.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Norm = Literal["l1", "l2"]

TIE_BREAK = 1e-6
"""ε: of equally good β the smallest wins; costs at most ε/2 in the objective, as ‖β‖ ≤ 1."""
GAP = 1e-12
"""Sum of the products above at which a problem counts as solved, relative to 1 + the hinge sum at the solution."""


GOOD_ENOUGH = 1e-8
"""The same for a problem that has had all its steps: its objective is right, its ties may not be broken."""


class _Pace(NamedTuple):
    """How boldly to step: least τ relative to the mean product, fraction of the way to a bound, steps at most."""

    centring: float
    back_off: float
    most_steps: int


BOLD = _Pace(centring=1e-4, back_off=0.995, most_steps=40)
CAREFUL = _Pace(centring=0.3, back_off=0.9, most_steps=200)

SOFTNESS = 1e-8
"""Keeps the stiffest example from drowning ε in rounding; vanishes from the solution, as it multiplies a change."""


class _State(NamedTuple):
    """Iterates of the problems still open, first axis the problem; a step has the same form."""

    beta: Floats
    lower: Floats  # n, multipliers of β ≥ 0
    on: Floats  # a
    off: Floats  # b
    hinge: Floats  # s
    surplus: Floats  # p
    ball: Floats  # λ, shape (problems, 1)
    room: Floats  # w, shape (problems, 1)

    def products(self) -> list[Floats]:
        return [self.on * self.surplus, self.off * self.hinge, self.lower * self.beta, self.ball * self.room]

    def moved(self, step: _State, length: Floats) -> _State:
        return _State(*(value + length * change for value, change in zip(self, step, strict=True)))

    def longest(self, step: _State) -> Floats:
        """The largest step length ≤ 1 that keeps everything non-negative, shape (problems, 1)."""
        rates = np.concatenate([-change / value for value, change in zip(self, step, strict=True)], axis=1)
        return 1.0 / np.maximum(rates.max(axis=1, keepdims=True), 1.0)


class _Ball(NamedTuple):
    """curvature/2 ‖β‖² + slope Σβ ≤ radius."""

    curvature: float
    slope: float
    radius: float

    def gradient(self, beta: Floats) -> Floats:
        return self.curvature * beta + self.slope

    def room(self, beta: Floats) -> Floats:
        return self.radius - np.sum((self.curvature / 2 * beta + self.slope) * beta, axis=1, keepdims=True)


BALLS = {"l2": _Ball(1.0, 0.0, 0.5), "l1": _Ball(0.0, 1.0, 1.0)}


class _Given(NamedTuple):
    """What defines the problems still open: G, its transpose, ζ, SOFTNESS on the scale of G², and ε."""

    influence: Floats
    transposed: Floats
    balance: Floats
    softness: Floats
    tie_break: Floats


class _Linearised:
    """The optimality conditions at one state, linearised and reduced to k × k systems."""

    def __init__(self, state: _State, given: _Given, ball: _Ball, stationarity: Floats, excess: Floats) -> None:
        beta, lower, on, off, hinge, surplus, pull, room = state
        self.state, self.given, self.stationarity, self.excess = state, given, stationarity, excess
        self.gradient = ball.gradient(beta)
        self.spread = on * hinge + off * surplus + given.softness * on * off
        self.stiffness = on * off / self.spread
        self.rest = room + SOFTNESS * pull
        system = given.transposed @ (self.stiffness[..., None] * given.influence)
        system += (self.gradient * (pull / self.rest))[:, :, None] * self.gradient[:, None, :]
        diagonal = np.arange(beta.shape[1])
        system[:, diagonal, diagonal] += given.tie_break + ball.curvature * pull + lower / beta
        # Unit diagonal: bounds that become active would else spoil the condition of the whole system.
        self.unit = 1.0 / np.sqrt(system[:, diagonal, diagonal])
        system *= self.unit[:, :, None] * self.unit[:, None, :]
        # Equal sources make equal columns; the hair's breadth keeps them from a pivot of exactly zero.
        system[:, diagonal, diagonal] = 1.0 + 1e-14
        self.system = system

    def step(self, wanted: list[Floats]) -> _State:
        """The step that changes the four products by ``wanted``, to first order."""
        beta, lower, on, off, hinge, _, pull, _ = self.state
        on_change, off_change, lower_change, pull_change = wanted
        direct = (off * on_change - on * off_change) / self.spread
        right = lower_change / beta - self.stationarity + _times(self.given.transposed, direct)
        right -= self.gradient * ((pull_change - pull * self.excess) / self.rest)
        # A backward stable solve; multiplying by an explicit inverse stalls two digits earlier.
        d_beta = np.linalg.solve(self.system, (self.unit * right)[..., None])[..., 0] * self.unit
        across = _times(self.given.influence, d_beta)
        d_on = direct - self.stiffness * across
        d_hinge = (off_change + hinge * d_on) / off
        d_room = self.excess - np.einsum("ij,ij->i", self.gradient, d_beta)[:, None]
        return _State(
            beta=d_beta,
            lower=(lower_change - lower * d_beta) / beta,
            on=d_on,
            off=-d_on,
            hinge=d_hinge,
            surplus=d_hinge + across,
            ball=(pull_change - pull * d_room) / self.rest,
            room=d_room,
        )


def minimise_hinge(residual: Floats, influence: Floats, balance: Floats, norm: Norm, pace: _Pace = BOLD) -> Floats:
    """β of shape (problems, k) from r (problems, N), G (problems, N, k) and ζ (problems, N).

    A problem that stalls at a bold pace (degenerate: more examples exactly at the hinge than there are weights) is
    solved once more at a careful one. Raises ArithmeticError if that fails too.

    >>> r, zeta = np.full((1, 1), 0.5), np.ones((1, 1))
    >>> minimise_hinge(r, np.array([[[2.0]]]), zeta, "l2").round(4).tolist()  # a quarter is enough: 0.5 − 2 β = 0
    [[0.25]]
    >>> minimise_hinge(r, np.array([[[0.1]]]), zeta, "l2").round(4).tolist()  # never enough: as far as the ball goes
    [[1.0]]
    """
    ball = BALLS[norm]
    # Loud sources are turned down to the scale of the starting point; f and ε shrink alike.
    loudness = np.maximum(np.abs(influence).max(axis=(1, 2), keepdims=True), 1.0)
    quiet = influence / loudness
    state = _start(residual / loudness[:, 0], quiet, balance, norm)
    scale = np.maximum(np.square(quiet).max(axis=(1, 2)), 1e-300)[:, None]
    transposed = np.ascontiguousarray(np.swapaxes(quiet, 1, 2))
    # A degenerate problem needs all of ε to be solved at all.
    tie_break = TIE_BREAK / loudness[:, 0] if pace is not CAREFUL else np.full((len(residual), 1), TIE_BREAK)
    given = _Given(quiet, transposed, balance, SOFTNESS * scale, tie_break)
    conditions = sum(value.shape[1] for value in state.products())
    solution = np.empty_like(state.beta)
    still_open = np.arange(len(residual))

    for step_count in range(pace.most_steps + 1):
        # The ball's slack may be wrong by the square of a step; it is set right wherever that does not shrink it much.
        room = ball.room(state.beta)
        state = state._replace(room=np.where(room > state.room / 2, room, state.room))
        excess = room - state.room
        stationarity = given.tie_break * state.beta + state.ball * ball.gradient(state.beta) - state.lower
        stationarity -= _times(given.transposed, state.on)
        gap = _row_sums(state.products())
        error = np.maximum(gap, _largest(stationarity)) / (1.0 + np.sum(given.balance * state.hinge, 1, keepdims=True))
        error = np.maximum(error, np.abs(excess))[:, 0]
        solved = error < (GAP if step_count < pace.most_steps else GOOD_ENOUGH)
        if solved.any():
            solution[still_open[solved]] = state.beta[solved]
            going = ~solved
            still_open, gap, excess, stationarity = still_open[going], gap[going], excess[going], stationarity[going]
            if not len(still_open):
                return solution
            state, given = _State(*(value[going] for value in state)), _Given(*(value[going] for value in given))

        if step_count == pace.most_steps:
            break
        linearised = _Linearised(state, given, ball, stationarity, excess)
        products = state.products()
        predictor = linearised.step([-product for product in products])
        length = state.longest(predictor)
        left = _row_sums(state.moved(predictor, length).products())
        target = gap / conditions * np.clip((left / gap) ** 3, pace.centring, 1.0)
        bends = [length**2 * bend for bend in predictor.products()]
        step = linearised.step([target - now - bend for now, bend in zip(products, bends, strict=True)])
        state = state.moved(step, pace.back_off * state.longest(step))

    if pace is CAREFUL:
        raise ArithmeticError(f"{len(still_open)} source-weight problems were not solved in {pace.most_steps} steps")
    solution[still_open] = minimise_hinge(
        residual[still_open], influence[still_open], balance[still_open], norm, CAREFUL
    )
    return solution


def _start(residual: Floats, influence: Floats, balance: Floats, norm: Norm) -> _State:
    """A point inside all bounds: β half-way to the ball's surface, everything else of order one."""
    problems, _, sources = influence.shape
    beta = np.full((problems, sources), 0.5 / (np.sqrt(sources) if norm == "l2" else sources))
    predicted = _times(influence, beta)
    hinge = np.maximum(residual - predicted, 0.0) + 0.5
    ones = np.ones((problems, 1))
    return _State(
        beta=beta,
        lower=np.ones_like(beta),
        on=balance / 2,
        off=balance / 2,
        hinge=hinge,
        surplus=hinge - residual + predicted,
        ball=ones,
        room=BALLS[norm].radius / 2 * ones,
    )


def _times(matrices: Floats, vectors: Floats) -> Floats:
    return (matrices @ vectors[..., None])[..., 0]


def _row_sums(values: list[Floats]) -> Floats:
    return np.sum([value.sum(axis=1, keepdims=True) for value in values], axis=0)


def _largest(values: Floats) -> Floats:
    return np.abs(values).max(axis=1, keepdims=True)
