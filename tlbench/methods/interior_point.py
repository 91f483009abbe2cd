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
GAP = 1e-11
"""Sum of the products above at which a problem counts as solved, relative to 1 + the hinge sum at the solution."""

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


def _times(matrices: Floats, vectors: Floats) -> Floats:
    return (matrices @ vectors[..., None])[..., 0]


def _row_sums(values: list[Floats]) -> Floats:
    return np.sum([value.sum(axis=1, keepdims=True) for value in values], axis=0)


def minimise_hinge(
    residual: Floats, influence: Floats, balance: Floats, norm: Norm, pace: _Pace = BOLD
) -> Floats:
    """β of shape (problems, k) from r (problems, N), G (problems, N, k) and ζ (problems, N).

    A problem that stalls at a bold pace (degenerate: more examples exactly at the hinge than there are weights) is
    solved once more at a careful one. Raises ArithmeticError if that fails too.
    """
    problems, count, sources = influence.shape
    curvature, slope, radius = (1.0, 0.0, 0.5) if norm == "l2" else (0.0, 1.0, 1.0)
    beta = np.full((problems, sources), 0.5 / (np.sqrt(sources) if norm == "l2" else sources))
    hinge = np.maximum(residual - _times(influence, beta), 0.0) + 0.5
    state = _State(
        beta=beta,
        lower=np.ones_like(beta),
        on=balance / 2,
        off=balance / 2,
        hinge=hinge,
        surplus=hinge - residual + _times(influence, beta),
        ball=np.ones((problems, 1)),
        room=np.full((problems, 1), radius / 2),
    )
    given = (residual, influence, balance)
    transposed = np.ascontiguousarray(np.swapaxes(influence, 1, 2))
    softness = SOFTNESS * np.maximum(np.square(influence).max(axis=(1, 2)), 1e-300)[:, None]
    diagonal = np.arange(sources)
    solution = np.empty_like(beta)
    still_open = np.arange(problems)

    for _ in range(pace.most_steps):
        gradient = curvature * state.beta + slope
        stationarity = TIE_BREAK * state.beta + state.ball * gradient - _times(transposed, state.on) - state.lower
        # The ball's slack may be wrong by the square of a step; it is set right wherever that does not shrink it much.
        room = radius - np.sum((curvature / 2 * state.beta + slope) * state.beta, axis=1, keepdims=True)
        state = state._replace(room=np.where(room > state.room / 2, room, state.room))
        excess = room - state.room
        products = state.products()
        gap = _row_sums(products)
        scale = 1.0 + np.einsum("ij,ij->i", balance, state.hinge)[:, None]
        solved = (
            (gap < GAP * scale)
            & (np.abs(stationarity).max(axis=1, keepdims=True) < GAP * scale)
            & (np.abs(excess) < GAP)
        )[:, 0]
        if solved.any():
            solution[still_open[solved]] = state.beta[solved]
            going = ~solved
            still_open = still_open[going]
            if not len(still_open):
                return solution
            state = _State(*(value[going] for value in state))
            products = [product[going] for product in products]
            influence, transposed, balance = influence[going], transposed[going], balance[going]
            gradient, stationarity, excess, gap = gradient[going], stationarity[going], excess[going], gap[going]
            softness = softness[going]

        beta, lower, on, off, hinge, surplus, pull, room = state
        spread = on * hinge + off * surplus + softness * on * off
        stiffness = on * off / spread
        rest = room + SOFTNESS * pull
        system = transposed @ (stiffness[..., None] * influence)
        system += (gradient * (pull / rest))[:, :, None] * gradient[:, None, :]
        system[:, diagonal, diagonal] += TIE_BREAK + curvature * pull + lower / beta
        # Unit diagonal: bounds that become active would else spoil the condition of the whole system.
        unit = 1.0 / np.sqrt(system[:, diagonal, diagonal])
        system *= unit[:, :, None] * unit[:, None, :]

        def newton(wanted: list[Floats]) -> _State:
            """The step that changes the four products by ``wanted``, to first order."""
            on_change, off_change, lower_change, pull_change = wanted
            direct = (off * on_change - on * off_change) / spread
            right = lower_change / beta - stationarity + _times(transposed, direct)
            right -= gradient * ((pull_change - pull * excess) / rest)
            # A backward stable solve; multiplying by an explicit inverse stalls two digits earlier.
            d_beta = np.linalg.solve(system, (unit * right)[..., None])[..., 0] * unit
            across = _times(influence, d_beta)
            d_on = direct - stiffness * across
            d_hinge = (off_change + hinge * d_on) / off
            d_room = excess - np.einsum("ij,ij->i", gradient, d_beta)[:, None]
            return _State(
                beta=d_beta,
                lower=(lower_change - lower * d_beta) / beta,
                on=d_on,
                off=-d_on,
                hinge=d_hinge,
                surplus=d_hinge + across,
                ball=(pull_change - pull * d_room) / rest,
                room=d_room,
            )

        predictor = newton([-product for product in products])
        length = state.longest(predictor)
        left = _row_sums(state.moved(predictor, length).products())
        target = gap / (2 * count + sources + 1) * np.clip((left / gap) ** 3, pace.centring, 1.0)
        bends = predictor.products()
        step = newton([target - now - length**2 * bend for now, bend in zip(products, bends, strict=True)])
        state = state.moved(step, pace.back_off * state.longest(step))

    if pace is CAREFUL:
        raise ArithmeticError(f"{len(still_open)} source-weight problems were not solved in {pace.most_steps} steps")
    solution[still_open] = minimise_hinge(*(part[still_open] for part in given), norm, CAREFUL)
    return solution
