"""Truth: a cone solver on the whole problem, scikit-learn's ridge in the limits, a general solver, plain formulas."""

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from tlbench.methods import task_relationships as method
from tlbench.methods.task_relationships import (
    best_relationship,
    correlations,
    coupling,
    fold_tasks,
    intercepts,
    learn_relationships,
    solve_coupled,
    stack_tasks,
)


def drawn(seed=0, counts=(5, 9, 7), dimensions=4, noise=0.5):
    """Tasks of which the second is near the first's mirror image, with means of their own."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(len(counts), dimensions))
    weights[1] = -weights[0] + 0.1 * rng.normal(size=dimensions)
    inputs = [rng.normal(rng.normal(), 1.0, size=(count, dimensions)) for count in counts]
    targets = [x @ w + 3.0 + noise * rng.normal(size=len(x)) for x, w in zip(inputs, weights, strict=True)]
    return inputs, targets


def objective(inputs, targets, weights, biases, relationship, lambda_1, lambda_2):
    """The formula of the paper, with tasks as rows of W."""
    loss = sum(np.mean((y - x @ w - b) ** 2) for x, y, w, b in zip(inputs, targets, weights, biases, strict=True))
    spread = np.trace(weights.T @ np.linalg.pinv(relationship) @ weights)
    return loss + lambda_1 / 2 * np.sum(weights**2) + lambda_2 / 2 * spread


def by_cones(inputs, targets, lambda_1, lambda_2):
    """The least of loss + (λ₁/2)‖W‖² + (λ₂/2)t² with ‖W‖_* ≤ t, by Clarabel: (W, b, objective).

    ‖W‖_* ≤ t exactly where some [[U, W], [Wᵀ, V]] ⪰ 0 has trace 2t.
    """
    tasks, size = len(inputs), inputs[0].shape[1]
    side, own = tasks + size, tasks * size
    triangle = side * (side + 1) // 2
    variables = own + tasks + 1 + triangle  # W, b, t, the matrix as svec
    P, q, constant = np.zeros((variables, variables)), np.zeros(variables), 0.0
    for task, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        places = [*range(task * size, (task + 1) * size), own + task]
        wide = np.column_stack([x, np.ones(len(x))])
        P[np.ix_(places, places)] += 2 * wide.T @ wide / len(x)
        q[places] -= 2 * wide.T @ y / len(x)
        constant += y @ y / len(x)
    P[:own, :own] += lambda_1 * np.eye(own)
    P[own + tasks, own + tasks] += lambda_2
    first = own + tasks + 1

    def place(row, column):  # upper triangle, column by column
        return first + column * (column + 1) // 2 + row

    rows, bounds = [], []
    for task in range(tasks):
        for feature in range(size):
            row = np.zeros(variables)
            row[place(task, tasks + feature)], row[task * size + feature] = 1.0, -np.sqrt(2.0)
            rows.append(row)
            bounds.append(0.0)
    trace = np.zeros(variables)
    trace[[place(each, each) for each in range(side)]] = 1.0
    trace[own + tasks] = -2.0
    cone = np.zeros((triangle, variables))
    cone[:, first:] = -np.eye(triangle)
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-10
    solution = clarabel.DefaultSolver(
        sp.csc_matrix(np.triu(P)),
        q,
        sp.csc_matrix(np.vstack([*rows, trace, cone])),
        np.concatenate([bounds, [0.0], np.zeros(triangle)]),
        [clarabel.ZeroConeT(len(rows)), clarabel.NonnegativeConeT(1), clarabel.PSDTriangleConeT(side)],
        options,
    ).solve()
    assert "Solved" in str(solution.status)
    x = np.array(solution.x)
    return x[:own].reshape(tasks, size), x[own : own + tasks], solution.obj_val + constant


@pytest.mark.parametrize(("lambda_1", "lambda_2"), [(0.0, 0.05), (0.0, 1.0), (0.02, 0.3), (0.3, 0.01), (0.1, 5.0)])
@pytest.mark.parametrize("counts", [(5, 9, 7), (2, 3, 2)])
def test_learned_together_is_what_a_cone_solver_finds(lambda_1, lambda_2, counts):
    inputs, targets = drawn(counts=counts)
    weights, biases, value = by_cones(inputs, targets, lambda_1, lambda_2)
    found = learn_relationships(fold_tasks(inputs, targets), lambda_1, lambda_2, gap=1e-8)
    assert found.objective == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(found.weights, weights, atol=2e-3)
    np.testing.assert_allclose(found.intercepts, biases, atol=5e-3)
    np.testing.assert_allclose(found.relationship, best_relationship(weights), atol=2e-3)


def test_the_objective_is_the_papers_at_what_was_found():
    inputs, targets = drawn(2)
    found = learn_relationships(fold_tasks(inputs, targets), 0.05, 0.05, gap=1e-9)
    plain = objective(inputs, targets, found.weights, found.intercepts, found.relationship, 0.05, 0.05)
    assert found.objective == pytest.approx(plain, rel=1e-9)
    assert 0.0 <= found.gap <= 1e-9
    assert np.trace(found.relationship) == pytest.approx(1.0)


def test_a_general_solver_over_both_w_and_omega_finds_nothing_better():
    inputs, targets = drawn(3, counts=(4, 5), dimensions=2)
    found = learn_relationships(fold_tasks(inputs, targets), 0.1, 0.2, gap=1e-9)

    def value(flat):
        root = np.array([[flat[6], 0.0], [flat[7], flat[8]]])
        relationship = root @ root.T
        relationship /= np.trace(relationship)
        return objective(inputs, targets, flat[:4].reshape(2, 2), flat[4:6], relationship, 0.1, 0.2)

    start = np.array([0.1, 0.0, 0.0, 0.1, 0.0, 0.0, 1.0, 0.0, 1.0])
    best = minimize(value, start, method="BFGS", options={"gtol": 1e-6})
    assert found.objective == pytest.approx(best.fun, rel=1e-5)


def test_the_best_relationship_turns_the_spread_into_the_squared_trace_norm():
    weights = np.random.default_rng(4).normal(size=(3, 5))
    best = best_relationship(weights)
    nuclear = np.linalg.svd(weights, compute_uv=False).sum()

    def spread(relationship):
        return np.trace(weights.T @ np.linalg.solve(relationship, weights))

    assert spread(best) == pytest.approx(nuclear**2)
    np.testing.assert_allclose(best @ best, weights @ weights.T / nuclear**2, atol=1e-12)
    rng = np.random.default_rng(5)
    for _ in range(50):
        root = rng.normal(size=(3, 3))
        other = 0.5 * best + 0.5 * root @ root.T / np.trace(root @ root.T)
        assert spread(other) > spread(best)
    np.testing.assert_array_equal(best_relationship(np.zeros((4, 2))), np.eye(4) / 4)


def test_weights_learned_together_are_those_for_their_own_relationship():
    tasks = fold_tasks(*drawn(6))
    found = learn_relationships(tasks, 0.05, 0.02, gap=1e-10)
    assert np.linalg.eigvalsh(found.relationship).min() > 1e-3
    again = solve_coupled(tasks, coupling(found.relationship, 0.05, 0.02))
    np.testing.assert_allclose(again, found.weights, atol=1e-4)


def test_alternating_as_in_the_paper_stops_short():
    inputs, targets = drawn(0, counts=(4,) * 6, dimensions=10)
    tasks = fold_tasks(inputs, targets)
    relationship = np.eye(6) / 6
    for _ in range(300):
        weights = solve_coupled(tasks, coupling(relationship, 0.0, 0.3))
        relationship = best_relationship(weights)
    nuclear = np.linalg.svd(weights, compute_uv=False).sum()
    ended = objective(inputs, targets, weights, intercepts(tasks, weights), np.eye(6), 0.0, 0.0) + 0.15 * nuclear**2
    assert ended > 1.01 * learn_relationships(tasks, 0.0, 0.3).objective


def test_given_omega_weights_are_those_of_the_primal_system():
    inputs, targets = drawn(7)
    root = np.random.default_rng(8).normal(size=(3, 3))
    relationship = root @ root.T / np.trace(root @ root.T)
    weights = solve_coupled(fold_tasks(inputs, targets), coupling(relationship, 0.2, 0.1))
    system, right = np.kron(0.2 * np.eye(3) + 0.1 * np.linalg.inv(relationship), np.eye(4)), np.zeros(12)
    for task, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        centred = x - x.mean(axis=0)
        block = slice(4 * task, 4 * task + 4)
        system[block, block] += 2 / len(x) * centred.T @ centred
        right[block] += 2 / len(x) * centred.T @ y
    np.testing.assert_allclose(weights.ravel(), np.linalg.solve(system, right), atol=1e-9)


def test_tasks_apart_are_ridge_regressions():
    inputs, targets = drawn(9)
    tasks = fold_tasks(inputs, targets)
    weights = solve_coupled(tasks, np.eye(3) / 0.3)
    learned = learn_relationships(tasks, 0.3, 1e-7, gap=1e-9)
    for task, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        twin = Ridge(alpha=0.15 * len(x)).fit(x, y)
        np.testing.assert_allclose(weights[task], twin.coef_, atol=1e-9)
        np.testing.assert_allclose(intercepts(tasks, weights)[task], twin.intercept_, atol=1e-9)
        np.testing.assert_allclose(learned.weights[task], twin.coef_, atol=1e-4)
    apart = coupling(np.eye(3) / 3, 0.3, 1e-12)
    np.testing.assert_allclose(solve_coupled(tasks, apart), weights, atol=1e-8)


def test_all_examples_as_one_task_are_the_pooled_ridge_regression():
    inputs, targets = drawn(10)
    x, y = np.concatenate(inputs), np.concatenate(targets)
    tasks = fold_tasks([x], [y])
    weights = solve_coupled(tasks, np.full((1, 1), 1 / 0.3))
    twin = Ridge(alpha=0.15 * len(x)).fit(x, y)
    np.testing.assert_allclose(weights[0], twin.coef_, atol=1e-9)
    np.testing.assert_allclose(intercepts(tasks, weights), twin.intercept_, atol=1e-9)


def test_tasks_known_to_be_the_same_share_one_hyperplane():
    """Ω = 11ᵀ/m: a ridge regression of all centred tasks, each example weighted by 1/n_i."""
    inputs, targets = drawn(11)
    weights = solve_coupled(fold_tasks(inputs, targets), coupling(np.full((3, 3), 1 / 3), 0.0, 0.2))
    x = np.concatenate([one - one.mean(axis=0) for one in inputs])
    y = np.concatenate([one - one.mean() for one in targets])
    each = np.repeat([1 / len(one) for one in inputs], [len(one) for one in inputs])
    # tr(WΩ⁻¹Wᵀ) of m equal columns w is m‖w‖².
    twin = Ridge(alpha=0.2 * 3 / 2, fit_intercept=False).fit(x, y, sample_weight=each)
    np.testing.assert_allclose(weights, np.tile(twin.coef_, (3, 1)), atol=1e-9)


def test_too_much_penalty_leaves_nothing_but_the_means():
    inputs, targets = drawn(12)
    found = learn_relationships(fold_tasks(inputs, targets), 0.0, 1e9)
    np.testing.assert_allclose(found.weights, 0.0, atol=1e-6)
    np.testing.assert_allclose(found.intercepts, [y.mean() for y in targets], atol=1e-5)
    assert found.objective == pytest.approx(sum(np.var(y) for y in targets))


def test_the_mirror_image_of_a_task_is_found_to_be_one():
    inputs, targets = drawn(13, counts=(40, 40, 40), noise=0.1)
    learned = correlations(learn_relationships(fold_tasks(inputs, targets), 0.0, 0.01).relationship)
    assert learned[0, 1] < -0.8
    assert abs(learned[0, 2]) < 0.6
    np.testing.assert_allclose(np.diag(learned), 1.0)
    np.testing.assert_array_equal(correlations(np.diag([1.0, 0.0])), [[1.0, 0.0], [0.0, 0.0]])


def test_folding_changes_no_problem():
    """More examples than dimensions become as many rows as there are dimensions."""
    inputs, targets = drawn(14, counts=(30, 3, 12))
    tasks = fold_tasks(inputs, targets)
    assert tasks.rows.shape == (3, 4, 4)
    weights = np.random.default_rng(15).normal(size=(3, 4))
    left = np.sum((tasks.targets - np.einsum("mrd,md->mr", tasks.rows, weights)) ** 2, axis=1) + tasks.unexplained
    for task, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        assert left[task] == pytest.approx(len(x) * np.var(y - x @ weights[task]))


def test_a_problem_in_a_stack_is_solved_as_if_it_were_alone():
    problems = [fold_tasks(*drawn(seed, counts=counts)) for seed, counts in ((16, (3, 3, 3)), (17, (9, 2, 6)))]
    strengths = np.array([[0.01], [0.2], [3.0]])
    together = learn_relationships(stack_tasks(problems), 0.05, strengths, gap=1e-8)
    assert together.weights.shape == (3, 2, 3, 4)
    for place, problem in enumerate(problems):
        for row, strength in enumerate(strengths[:, 0]):
            alone = learn_relationships(problem, 0.05, float(strength), gap=1e-8)
            np.testing.assert_allclose(together.weights[row, place], alone.weights, atol=1e-8)
            np.testing.assert_allclose(together.intercepts[row, place], alone.intercepts, atol=1e-8)
    fixed = solve_coupled(stack_tasks(problems), np.eye(3))
    np.testing.assert_allclose(fixed[0], solve_coupled(problems[0], np.eye(3)), atol=1e-12)


def test_weights_do_not_depend_on_the_unit_of_the_target():
    inputs, targets = drawn(18)
    one = learn_relationships(fold_tasks(inputs, targets), 0.05, 0.1, gap=1e-9)
    other = learn_relationships(fold_tasks(inputs, [100 * y for y in targets]), 0.05, 0.1, gap=1e-9)
    np.testing.assert_allclose(other.weights, 100 * one.weights, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(other.relationship, one.relationship, atol=1e-4)


def test_what_cannot_be_solved_is_refused(monkeypatch):
    inputs, targets = drawn()
    tasks = fold_tasks(inputs, targets)
    for lambda_1, lambda_2 in ((-0.1, 1.0), (0.1, 0.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="λ₁ must not be negative and λ₂ must be positive"):
            learn_relationships(tasks, lambda_1, lambda_2)
        with pytest.raises(ValueError, match="λ₁ must not be negative"):
            coupling(np.eye(3) / 3, lambda_1, lambda_2)
    with pytest.raises(ValueError, match="a target for each"):
        fold_tasks(inputs, [y[1:] for y in targets])
    with pytest.raises(ValueError, match="at least one example"):
        fold_tasks([*inputs[:2], np.zeros((0, 4))], [*targets[:2], np.zeros(0)])
    monkeypatch.setattr(method, "MOST_STEPS", 10)
    with pytest.raises(ArithmeticError, match="1 multi-task problems did not reach a gap of 1e-12"):
        learn_relationships(tasks, 0.0, 0.001, gap=1e-12)
