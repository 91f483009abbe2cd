"""Learned β, a thousand problems in one stack, against a general convex solver on one problem at a time."""

from __future__ import annotations

from statistics import median

import clarabel
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tlbench.methods.source_weights import LeaveOneOut, ball_weights

from .shared_inputs import shared_inputs
from .table import Row, interleaved, row
from .workload import WholeRun

Floats = NDArray[np.float64]
PROBLEMS, SAMPLE, REPEATS = 1000, 100, 7


def row_of(run: WholeRun) -> Row:
    tasks = [one.task for one in shared_inputs(run)]
    flat = [[term.reshape(-1, *term.shape[2:]) for term in task.leave_one_out] for task in tasks]
    stack = LeaveOneOut(*(np.concatenate(terms)[:PROBLEMS] for terms in zip(*flat, strict=True)))
    used = np.concatenate([task.labels.reshape(-1, task.labels.shape[-1]) != 0 for task in tasks])
    chosen = np.random.default_rng(0).choice(len(stack.residual), SAMPLE, replace=False)
    cones = [_Cone(*(term[number][used[number]] for term in stack)) for number in chosen]

    found = stack.bound(ball_weights(stack, "l2", nonnegative=True))[chosen]
    optimum = np.array([cone.solve() for cone in cones])
    apart = np.abs(found - optimum) / np.maximum(1.0, optimum)
    if apart.max() > 1e-6:
        raise AssertionError(f"the two solvers differ by {apart.max():.1e} in the objective")

    ours, other = interleaved(
        lambda: ball_weights(stack, "l2", nonnegative=True),
        lambda: [cone.solve() for cone in cones],
        repeats=REPEATS,
    )
    scaled = [time * len(stack.residual) / SAMPLE for time in other]
    return row(
        "learned β, one stack",
        f"Clarabel {clarabel.__version__}",
        ours,
        scaled,
        f"{len(stack.residual):,} problems ‖β‖₂ ≤ 1, β ≥ 0 of the whole grid; {run.data_name}: {median(ours):.4f} s "
        f"against {median(scaled):.3f} s, scaled up from {SAMPLE} drawn ones, solved one at a time, forming their "
        f"matrices not counted; objectives at most {apart.max():.0e}·max(1, f) apart",
    )


class _Cone:
    """min ζ·s over (β, s): s ≥ r − Gβ, s ≥ 0, β ≥ 0, ‖β‖₂ ≤ 1."""

    def __init__(self, residual: Floats, influence: Floats, balance: Floats) -> None:
        count, sources = influence.shape
        beta, hinge = np.eye(sources, sources + count), np.eye(count, sources + count, sources)
        rows = [-influence @ beta - hinge, -hinge, -beta, np.zeros((1, sources + count)), -beta]
        self.matrix = sparse.csc_matrix(np.concatenate(rows))
        self.bounds = np.concatenate([-residual, np.zeros(count), np.zeros(sources), [1.0], np.zeros(sources)])
        self.cones = [clarabel.NonnegativeConeT(2 * count + sources), clarabel.SecondOrderConeT(1 + sources)]
        self.cost = np.concatenate([np.zeros(sources), balance])
        self.quadratic = sparse.csc_matrix((sources + count, sources + count))
        self.settings = clarabel.DefaultSettings()
        self.settings.verbose = False

    def solve(self) -> float:
        """The least value."""
        solver = clarabel.DefaultSolver(self.quadratic, self.cost, self.matrix, self.bounds, self.cones, self.settings)
        return float(solver.solve().obj_val)
