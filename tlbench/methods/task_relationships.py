"""Linear regression of many tasks at once, with a matrix Ω learned that says how the tasks are related.

    min_{W,b,Ω} Σ_i (1/n_i) Σ_j (y_ij − w_i·x_ij − b_i)² + (λ₁/2) tr(W Wᵀ) + (λ₂/2) tr(W Ω⁻¹ Wᵀ),   Ω ⪰ 0, tr Ω = 1

(MTRL: Zhang & Yeung, UAI 2010; W has a column w_i for each of m tasks). Jointly convex. Both of its parts are closed:

- *W for a given Ω*: w_i = Σ_j A_ij X_jᵀ α_j with A = Ω(λ₁Ω + λ₂I)⁻¹, where α solves one linear system in the kernel
  A_ij ⟨x, x'⟩ of examples of tasks i and j, with n_i/2 added to the diagonal. Intercepts are not penalised, so every
  task is centred first.
- *Ω for a given W*: Ω = (WᵀW)^½ / tr (WᵀW)^½, at which tr(W Ω⁻¹ Wᵀ) = ‖W‖_*², the square of the sum of W's singular
  values. That square root, and not WᵀW, is what Ω shows of the tasks.

The paper alternates between the two from Ω = I/m. That stops short of the optimum where the best Ω is singular: W never
leaves the range of Ω, whose smallest directions vanish before the others have turned to where they should
(``tests/methods/test_task_relationships.py`` has a case that stays 1 % above). Here Ω is put in place, which leaves
loss + (λ₁/2)‖W‖² + (λ₂/2)‖W‖_*², and that is minimised by accelerated proximal steps (FISTA of Beck & Teboulle, SIAM J.
Imaging Sciences 2009, started anew as O'Donoghue & Candès, Found. Comput. Math. 2015, say), until the gap to the dual

    max_α  Σ_i y_i·α_i − (n_i/4)‖α_i‖² − R*(G),      G = (X_iᵀ α_i)_i,      R = (λ₁/2)‖·‖² + (λ₂/2)‖·‖_*²

proves the solution. Both the proximal step and R* shrink singular values s to (s − λ₂T)₊, T the sum of the results.

All functions take stacks: leading dimensions are independent problems. Rows of W are tasks here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_STEPS = 20_000
LOOKS = 10
"""Steps from one look at the gap to the next."""


class Tasks(NamedTuple):
    """Examples of m tasks, centred and folded to at most d rows a task, which leaves every least-squares problem as is.

    rows (…, m, r, d) and targets (…, m, r): zero where a task has fewer. counts n_i (…, m). input_means (…, m, d) and
    target_means (…, m). unexplained (…, m): the squared length of centred targets outside the span of the examples.
    """

    rows: Floats
    targets: Floats
    counts: Floats
    input_means: Floats
    target_means: Floats
    unexplained: Floats


class LearnedRelationship(NamedTuple):
    """weights (…, m, d), intercepts (…, m), the relationship Ω (…, m, m), and how far from the optimum it may be.

    gap (…) is the duality gap, relative to the objective (…).
    """

    weights: Floats
    intercepts: Floats
    relationship: Floats
    objective: Floats
    gap: Floats


def fold_tasks(inputs: Sequence[Floats], targets: Sequence[Floats]) -> Tasks:
    """Tasks from examples (n_i, d) and targets (n_i,) of each, as one problem of a stack.

    Raises ValueError for a task without examples, and for examples that are not as many as their targets or not all of
    one length.

    >>> x = np.arange(9.0)[:, None]
    >>> tasks = fold_tasks([x, x[:4]], [2.0 * x[:, 0] + 1.0, x[:4, 0]])
    >>> tasks.rows.shape, tasks.counts.tolist()  # nine examples of one number are folded to one row
    ((2, 1, 1), [9.0, 4.0])
    """
    dimensions = {values.shape[1] for values in inputs}
    if len(dimensions) != 1 or any(len(x) != len(y) for x, y in zip(inputs, targets, strict=True)):
        raise ValueError("tasks need examples of one length, and a target for each")
    if not all(len(x) for x in inputs):
        raise ValueError("every task needs at least one example")
    (size,) = dimensions
    most = min(max(map(len, inputs)), size)
    rows, folded = np.zeros((len(inputs), most, size)), np.zeros((len(inputs), most))
    unexplained = np.zeros(len(inputs))
    means = np.stack([values.mean(axis=0) for values in inputs])
    target_means = np.array([values.mean() for values in targets])
    for task, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        centred, aims = x - means[task], y - target_means[task]
        # An orthogonal Q turns (x, y) without changing any ‖y − Xw‖, and X = QR needs no more than d rows.
        turned, upper = np.linalg.qr(centred)
        rows[task, : len(upper)] = upper
        folded[task, : len(upper)] = turned.T @ aims
        unexplained[task] = max(0.0, float(aims @ aims - folded[task] @ folded[task]))
    counts = np.array([float(len(values)) for values in inputs])
    return Tasks(rows, folded, counts, means, target_means, unexplained)


def stack_tasks(problems: Sequence[Tasks]) -> Tasks:
    """Problems of the same tasks, with examples of their own, as one stack.

    >>> one = fold_tasks([np.ones((3, 1))] * 2, [np.ones(3)] * 2)
    >>> stack_tasks([one, one, one]).rows.shape
    (3, 2, 1, 1)
    """
    most = max(problem.rows.shape[-2] for problem in problems)

    def padded(problem: Tasks) -> Tasks:
        more = most - problem.rows.shape[-2]
        return problem._replace(
            rows=np.pad(problem.rows, ((0, 0), (0, more), (0, 0))), targets=np.pad(problem.targets, ((0, 0), (0, more)))
        )

    return Tasks(*(np.stack(parts) for parts in zip(*map(padded, problems), strict=True)))


def coupling(relationship: Floats, lambda_1: float | Floats, lambda_2: float | Floats) -> Floats:
    """A = Ω(λ₁Ω + λ₂I)⁻¹, (…, m, m), of a relationship Ω (…, m, m); its limit for λ₂ → 0 is I/λ₁, tasks apart.

    Raises ValueError unless λ₁ ≥ 0 and λ₂ > 0.

    >>> coupling(np.eye(2) / 2, lambda_1=0.5, lambda_2=1e-12).round(6).tolist()  # apart: I/λ₁
    [[2.0, 0.0], [0.0, 2.0]]
    """
    _refuse(lambda_1, lambda_2)
    first, second = np.asarray(lambda_1, dtype=np.float64), np.asarray(lambda_2, dtype=np.float64)
    sizes, directions = np.linalg.eigh(relationship)
    sizes = np.maximum(sizes, 0.0)
    return (directions * (sizes / (first[..., None] * sizes + second[..., None]))[..., None, :]) @ np.swapaxes(
        directions, -1, -2
    )


def solve_coupled(tasks: Tasks, coupled: Floats) -> Floats:
    """Weights (…, m, d) of tasks that are coupled by A (…, m, m).

    The least of Σ_i (1/n_i)‖y_i − X_i w_i − b_i‖² + ½ tr(W A⁻¹ Wᵀ); with A = I/λ that is a ridge regression of each.

    >>> x = np.arange(4.0)[:, None]
    >>> tasks = fold_tasks([x, x], [x[:, 0], 3.0 * x[:, 0]])
    >>> solve_coupled(tasks, 1e9 * np.ones((2, 2))).round(4).tolist()  # slopes 1 and 3, one weight for both
    [[2.0], [2.0]]
    """
    number, each = tasks.targets.shape[-2:]
    together = tasks.rows.reshape(*tasks.rows.shape[:-3], -1, tasks.rows.shape[-1])
    system = together @ np.swapaxes(together, -1, -2) * np.repeat(np.repeat(coupled, each, axis=-2), each, axis=-1)
    place = np.arange(number * each)
    system[..., place, place] += np.repeat(tasks.counts, each, axis=-1) / 2.0
    aims = np.broadcast_to(tasks.targets.reshape(*tasks.targets.shape[:-2], -1), system.shape[:-1])
    dual = np.linalg.solve(system, aims[..., None])[..., 0].reshape(*system.shape[:-2], number, each)
    return coupled @ np.einsum("...mrd,...mr->...md", tasks.rows, dual)


def intercepts(tasks: Tasks, weights: Floats) -> Floats:
    """B (…, m) of weights (…, m, d).

    >>> x = np.arange(4.0)[:, None]
    >>> intercepts(fold_tasks([x], [2.0 * x[:, 0] + 5.0]), np.array([[2.0]])).tolist()
    [5.0]
    """
    return tasks.target_means - np.einsum("...md,...md->...m", tasks.input_means, weights)


def best_relationship(weights: Floats) -> Floats:
    """Ω = (WᵀW)^½ / tr(WᵀW)^½ (…, m, m) of weights (…, m, d); I/m where all weights are zero.

    >>> best_relationship(np.array([[3.0, 0.0], [0.0, 1.0]])).round(4).tolist()  # lengths, not their squares
    [[0.75, 0.0], [0.0, 0.25]]
    """
    sides, sizes, _ = np.linalg.svd(weights, full_matrices=False)
    total = sizes.sum(axis=-1)[..., None, None]
    found = (sides * sizes[..., None, :]) @ np.swapaxes(sides, -1, -2)
    apart = np.eye(weights.shape[-2]) / weights.shape[-2]
    return np.where(total > 0.0, found / np.where(total > 0.0, total, 1.0), apart)


def correlations(relationship: Floats) -> Floats:
    """Ω_ij/√(Ω_ii Ω_jj), (…, m, m); zero for a task that has no weights.

    >>> correlations(np.array([[0.5, -0.5], [-0.5, 0.5]])).round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    own = np.sqrt(np.diagonal(relationship, axis1=-2, axis2=-1))
    scale = own[..., :, None] * own[..., None, :]
    return np.divide(relationship, scale, out=np.zeros_like(relationship), where=scale > 0.0)


def learn_relationships(
    tasks: Tasks, lambda_1: float | Floats, lambda_2: float | Floats, gap: float = 1e-5
) -> LearnedRelationship:
    """W, b and Ω together, each problem of a stack within a relative ``gap`` of the optimum.

    λ₁ and λ₂ may be arrays whose shape broadcasts with the stack's. Raises ValueError unless λ₁ ≥ 0 and λ₂ > 0, and
    ArithmeticError where the gap is not reached.

    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> task = x @ [1.0, -2.0, 0.5]
    >>> found = learn_relationships(fold_tasks([x, x, x], [task, task, -task]), lambda_1=1e-3, lambda_2=1e-3)
    >>> correlations(found.relationship).round(2).tolist()  # two alike and one turned round
    [[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]
    """
    _refuse(lambda_1, lambda_2)
    shape = np.broadcast_shapes(np.shape(lambda_1), np.shape(lambda_2), tasks.counts.shape[:-1])
    first, second = (
        np.broadcast_to(np.asarray(value, dtype=np.float64), shape).ravel() for value in (lambda_1, lambda_2)
    )
    flat = Tasks(*(_flattened(part, tail, shape) for part, tail in zip(tasks, (3, 2, 1, 2, 1, 1), strict=True)))
    found, objective, reached = _descend(flat, first, second, gap)
    weights = found.reshape(*shape, *found.shape[1:])
    return LearnedRelationship(
        weights,
        intercepts(tasks, weights),
        best_relationship(weights),
        objective.reshape(shape),
        reached.reshape(shape),
    )


def _refuse(lambda_1: float | Floats, lambda_2: float | Floats) -> None:
    if not (np.all(np.asarray(lambda_1) >= 0.0) and np.all(np.asarray(lambda_2) > 0.0)):
        raise ValueError("λ₁ must not be negative and λ₂ must be positive")


def _flattened(part: Floats, tail: int, shape: tuple[int, ...]) -> Floats:
    kept = part.shape[-tail:]
    return np.broadcast_to(part, (*shape, *kept)).reshape(-1, *kept)


def _descend(tasks: Tasks, lambda_1: Floats, lambda_2: Floats, gap: float) -> tuple[Floats, Floats, Floats]:
    """W, the objective and its relative gap of a flat stack; problems that are solved leave it."""
    weights = np.zeros((len(lambda_1), *tasks.input_means.shape[-2:]))
    objective, reached = np.zeros(len(lambda_1)), np.full(len(lambda_1), np.inf)
    # The loss of a task is as steep as its own examples are wide; the steepest task sets the step.
    widest = np.linalg.svd(tasks.rows, compute_uv=False)[..., 0]
    step = 1.0 / np.maximum((2.0 * np.square(widest) / tasks.counts).max(axis=-1), np.finfo(np.float64).tiny)
    going, ahead, before = np.arange(len(lambda_1)), weights, weights
    momentum = np.ones(len(lambda_1))
    for count in range(MOST_STEPS):
        some = Tasks(*(part[going] for part in tasks))
        first, second, pace = lambda_1[going], lambda_2[going], step[going]
        new = _shrunk(ahead + pace[:, None, None] * _pulls(some, ahead), pace * first, pace * second)
        # Momentum that points uphill has overshot: start anew from here.
        uphill = np.einsum("...md,...md->...", ahead - new, new - before) > 0.0
        larger = np.where(uphill, 1.0, 0.5 + np.sqrt(0.25 + np.square(momentum)))
        share = np.where(uphill, 0.0, (momentum - 1.0) / larger)
        ahead, before, momentum = new + share[:, None, None] * (new - before), new, larger
        if count % LOOKS == LOOKS - 1:
            weights[going] = new
            objective[going], reached[going] = _certify(some, new, first, second)
            open_still = reached[going] > gap
            if not open_still.any():
                return weights, objective, reached
            going, momentum = going[open_still], momentum[open_still]
            ahead, before = ahead[open_still], before[open_still]
    raise ArithmeticError(f"{len(going)} multi-task problems did not reach a gap of {gap:g}; use a larger λ₁ or λ₂")


def _duals(tasks: Tasks, weights: Floats) -> Floats:
    """α = (2/n_i)(y_i − X_i w_i), (…, m, r): minus the slope of the loss in what is predicted."""
    left = tasks.targets - np.einsum("...mrd,...md->...mr", tasks.rows, weights)
    return left * (2.0 / tasks.counts)[..., None]


def _pulls(tasks: Tasks, weights: Floats) -> Floats:
    return np.einsum("...mrd,...mr->...md", tasks.rows, _duals(tasks, weights))


def _total(sizes: Floats, own: Floats, shared: Floats) -> Floats:
    """T = Σ_k s_k of s = (v − shared·T)₊/own, for singular values v (…, k) that fall: the largest over counts k."""
    counted = np.arange(1, sizes.shape[-1] + 1)
    return (np.cumsum(sizes, axis=-1) / (own[..., None] + counted * shared[..., None])).max(axis=-1)


def _shrunk(weights: Floats, first: Floats, second: Floats) -> Floats:
    """The least of ½‖W' − W‖² + (first/2)‖W'‖² + (second/2)‖W'‖_*²."""
    sides, sizes, others = np.linalg.svd(weights, full_matrices=False)
    total = _total(sizes, 1.0 + first, second)
    kept = np.maximum(sizes - (second * total)[..., None], 0.0) / (1.0 + first)[..., None]
    return (sides * kept[..., None, :]) @ others


def _certify(tasks: Tasks, weights: Floats, lambda_1: Floats, lambda_2: Floats) -> tuple[Floats, Floats]:
    """The objective at W and its best Ω, and the relative gap to the dual."""
    dual = _duals(tasks, weights)
    quarters = tasks.counts / 4.0 * np.sum(np.square(dual), axis=-1)
    unexplained = np.sum(tasks.unexplained / tasks.counts, axis=-1)
    sizes = np.linalg.svd(weights, compute_uv=False)
    penalty = lambda_1 / 2.0 * np.sum(np.square(sizes), axis=-1) + lambda_2 / 2.0 * np.square(sizes.sum(axis=-1))
    objective = quarters.sum(axis=-1) + unexplained + penalty
    steep = np.linalg.svd(np.einsum("...mrd,...mr->...md", tasks.rows, dual), compute_uv=False)
    total = _total(steep, lambda_1, lambda_2)
    above = np.maximum(steep - (lambda_2 * total)[..., None], 0.0)
    own = np.divide(np.sum(np.square(above), axis=-1), lambda_1, out=np.zeros_like(total), where=lambda_1 > 0.0)
    conjugate = own / 2.0 + lambda_2 / 2.0 * np.square(total)
    below = np.sum(dual * tasks.targets, axis=(-2, -1)) + unexplained - quarters.sum(axis=-1) - conjugate
    return objective, (objective - below) / np.maximum(objective, np.finfo(np.float64).tiny)
