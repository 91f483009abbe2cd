"""Truth: retraining without each example, second-order cone and linear programs solved by Clarabel, brute force."""

import clarabel
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.methods.least_squares_svm import class_balance, factorise
from tlbench.methods.source_weights import LeaveOneOut, ball_weights, leave_one_out, scalar_weights

BALLS = [("l2", True), ("l2", False), ("l1", True), ("l1", False)]


def conic(residual, influence, balance, norm, nonnegative, norm_under=None):
    """Least f(β) in the unit ball; with ``norm_under``, least ‖β‖₂ at f(β) ≤ norm_under instead.

    Variables are β (k), hinge values s (N), sizes of β for l1 (k), and the ‖β‖₂ to minimise (1), each where needed.
    """
    count, sources = influence.shape
    sizes, length = sources if norm == "l1" else 0, int(norm_under is not None)
    total = sources + count + sizes + length
    beta, hinge = np.eye(sources, total), np.eye(count, total, sources)
    rows, bounds = [-influence @ beta - hinge, -hinge], [-residual, np.zeros(count)]
    if nonnegative:
        rows.append(-beta)
        bounds.append(np.zeros(sources))
    if norm == "l1":
        size = np.eye(sources, total, sources + count)
        rows += [beta - size, -beta - size, size.sum(axis=0, keepdims=True)]
        bounds += [np.zeros(sources), np.zeros(sources), np.ones(1)]
    cost = balance @ hinge
    if norm_under is not None:
        rows.append(cost[None])
        bounds.append(np.array([norm_under]))
    cones = [clarabel.NonnegativeConeT(sum(map(len, bounds)))]
    if norm == "l2":
        rows.append(np.concatenate([np.zeros((1, total)), -beta]))
        bounds.append(np.r_[1.0, np.zeros(sources)])
        cones.append(clarabel.SecondOrderConeT(sources + 1))
    if norm_under is not None:
        cost = np.eye(1, total, total - 1)[0]
        rows.append(np.concatenate([-cost[None], -beta]))
        bounds.append(np.zeros(sources + 1))
        cones.append(clarabel.SecondOrderConeT(sources + 1))
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-10
    matrix, nothing = sp.csc_matrix(np.concatenate(rows)), sp.csc_matrix((total, total))
    solution = clarabel.DefaultSolver(nothing, cost, matrix, np.concatenate(bounds), cones, options).solve()
    assert "Solved" in str(solution.status)
    return solution.obj_val


def plain(rng, count, sources):
    return rng.normal(1, 1, count), rng.normal(0, 1, (count, sources))


def wide_scales(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    return residual * 10 ** rng.uniform(-2, 2), influence * 10 ** rng.uniform(-3, 2)


def wide_sources(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    return residual, influence * 10 ** rng.uniform(-3, 2, sources)


def loud_sources(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    return residual, influence * 1e3


def duplicated_sources(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    influence[:, -1] = influence[:, 0]
    return residual, influence


def collinear_sources(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    return residual, influence[:, :1] * rng.normal(size=sources)


def no_influence(rng, count, sources):
    return rng.normal(1, 1, count), np.zeros((count, sources))


def constant_residual(rng, count, sources):
    return np.ones(count), rng.normal(0, 1, (count, sources))


def integers(rng, count, sources):
    return rng.integers(-1, 3, count).astype(float), rng.integers(-2, 3, (count, sources)).astype(float)


def negative_residuals(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    return -np.abs(residual), influence


def duplicated_examples(rng, count, sources):
    residual, influence = plain(rng, count, sources)
    half = count // 2
    residual[half : 2 * half], influence[half : 2 * half] = residual[:half], influence[:half]
    return residual, influence


KINDS = [
    plain,
    wide_scales,
    wide_sources,
    loud_sources,
    duplicated_sources,
    collinear_sources,
    no_influence,
    constant_residual,
    integers,
    negative_residuals,
    duplicated_examples,
]


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_ball_weights_reach_the_optimum_of_a_conic_solver(kind, norm, nonnegative):
    rng = np.random.default_rng(20)
    for _ in range(25):
        count, sources = int(rng.integers(1, 26)), int(rng.integers(1, 15))
        residual, influence = kind(rng, count, sources)
        balance = rng.uniform(0.1, 5.0, count)
        problem = LeaveOneOut(residual, influence, balance)
        weights = ball_weights(problem, norm, nonnegative)
        least = conic(residual, influence, balance, norm, nonnegative)
        assert problem.bound(weights) == pytest.approx(least, rel=1e-6, abs=1e-6)
        assert np.linalg.norm(weights, 2 if norm == "l2" else 1) <= 1.0 + 1e-8
        assert not nonnegative or weights.min() >= 0.0


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_of_equally_good_weights_the_smallest_win(norm, nonnegative):
    rng = np.random.default_rng(21)
    inside = 0
    for _ in range(40):
        # Few examples, many sources: whole faces of the ball close every hinge that can be closed.
        residual, influence = rng.uniform(0.1, 1.0, 4), rng.normal(0, 2, (4, 8))
        balance = rng.uniform(0.5, 2.0, 4)
        weights = ball_weights(LeaveOneOut(residual, influence, balance), norm, nonnegative)
        if np.linalg.norm(weights, 2 if norm == "l2" else 1) > 0.99:
            continue
        inside += 1
        least = conic(residual, influence, balance, norm, nonnegative)
        shortest = conic(residual, influence, balance, norm, nonnegative, norm_under=least + 1e-7)
        assert np.linalg.norm(weights) == pytest.approx(shortest, rel=1e-2, abs=1e-4)
    assert inside >= 10


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_each_problem_of_a_stack_is_solved_as_if_alone(norm, nonnegative):
    rng = np.random.default_rng(22)
    for kind in KINDS:
        drawn = [kind(rng, 9, 5) for _ in range(6)]
        residual = np.stack([one for one, _ in drawn]).reshape(2, 3, 9)
        influence = np.stack([one for _, one in drawn]).reshape(2, 3, 9, 5)
        problem = LeaveOneOut(residual, influence, rng.uniform(0.1, 5.0, (2, 3, 9)))
        together = ball_weights(problem, norm, nonnegative)
        assert together.shape == (2, 3, 5)
        for place in np.ndindex(2, 3):
            alone = ball_weights(LeaveOneOut(*(part[place] for part in problem)), norm, nonnegative)
            np.testing.assert_allclose(together[place], alone, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_rows_of_padding_have_no_influence(norm, nonnegative):
    rng = np.random.default_rng(23)
    for _ in range(10):
        residual, influence = plain(rng, 8, 4)
        balance = rng.uniform(0.5, 2.0, 8)
        padded = LeaveOneOut(
            np.r_[residual, np.zeros(3)], np.r_[influence, np.zeros((3, 4))], np.r_[balance, np.ones(3)]
        )
        expected = ball_weights(LeaveOneOut(residual, influence, balance), norm, nonnegative)
        np.testing.assert_allclose(ball_weights(padded, norm, nonnegative), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_duplicated_source_shares_its_weight_equally(norm):
    rng = np.random.default_rng(24)
    shared = 0
    for _ in range(30):
        residual, influence = plain(rng, 10, 4)
        influence[:, 3] = influence[:, 0]
        weights = ball_weights(LeaveOneOut(residual, influence, np.ones(10)), norm, nonnegative=True)
        assert weights[0] == pytest.approx(weights[3], abs=1e-6)
        shared += weights[0] > 0.01
    assert shared >= 10


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_weights_are_zero_where_zero_is_already_best(norm, nonnegative):
    rng = np.random.default_rng(25)
    closed = LeaveOneOut(-rng.uniform(0.0, 1.0, 6), rng.normal(size=(6, 3)), np.ones(6))
    np.testing.assert_array_equal(ball_weights(closed, norm, nonnegative), np.zeros(3))
    # Opposed examples: what any source gains on one it loses on the other.
    row = rng.normal(size=(1, 3))
    opposed = LeaveOneOut(np.full(2, 5.0), np.concatenate([row, -row]), np.ones(2))
    np.testing.assert_array_equal(ball_weights(opposed, norm, nonnegative), np.zeros(3))


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_harmful_sources_get_no_weight_or_a_negative_one(norm):
    rng = np.random.default_rng(26)
    problem = LeaveOneOut(rng.uniform(1.0, 2.0, 6), -rng.uniform(0.1, 1.0, (6, 3)), np.ones(6))
    np.testing.assert_array_equal(ball_weights(problem, norm, nonnegative=True), np.zeros(3))
    assert ball_weights(problem, norm, nonnegative=False).min() < -0.3


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_a_source_of_zeros_gets_no_weight(norm, nonnegative):
    rng = np.random.default_rng(27)
    others = []
    for _ in range(40):
        residual, influence = plain(rng, 10, 4)
        influence[:, 2] = 0.0
        weights = ball_weights(LeaveOneOut(residual, influence, np.ones(10)), norm, nonnegative)
        assert weights[2] == pytest.approx(0.0, abs=1e-3)
        others.append(np.abs(weights).max())
    assert np.mean(others) > 0.3


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_no_sources_no_weights(norm, nonnegative):
    empty = LeaveOneOut(np.ones((2, 3)), np.zeros((2, 3, 0)), np.ones((2, 3)))
    assert ball_weights(empty, norm, nonnegative).shape == (2, 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("term", [0, 1])
@pytest.mark.parametrize("nonnegative", [True, False])
def test_terms_that_are_not_finite_are_refused(value, term, nonnegative):
    terms = [np.ones((2, 4)), np.ones((2, 4, 3)), np.ones((2, 4))]
    terms[term].flat[5] = value
    with pytest.raises(ValueError, match="not finite"):
        ball_weights(LeaveOneOut(*terms), "l2", nonnegative)


def target(rng, count=12, positives=4):
    """Kernel, labels and ζ of a small machine."""
    labels = np.where(rng.permutation(count) < positives, 1.0, -1.0)
    examples = rng.normal(size=(count, 3)) + 0.5 * labels[:, None]
    kernel = np.exp(-0.2 * np.sum((examples[:, None] - examples[None]) ** 2, axis=-1))
    return kernel, labels, class_balance(labels)


@pytest.mark.parametrize("positives", [1, 4])
def test_leave_one_out_terms_are_those_of_retraining(positives):
    rng = np.random.default_rng(28)
    kernel, labels, balance = target(rng, positives=positives)
    sources, beta, C = rng.normal(size=(12, 3)), np.array([0.6, 0.0, -0.4]), 10.0
    problem = leave_one_out(factorise(kernel, balance, C), labels, sources, balance)
    borrowed = sources @ beta
    hinge = 0.0
    for left in range(12):
        rest = np.delete(np.arange(12), left)
        system = np.ones((12, 12))
        system[:11, :11] = kernel[np.ix_(rest, rest)] + np.diag(1.0 / (C * balance[rest]))
        system[11, 11] = 0.0
        solution = np.linalg.solve(system, np.append((labels - borrowed)[rest], 0.0))
        predicted = kernel[left, rest] @ solution[:11] + solution[11] + borrowed[left]
        missing = problem.residual[left] - problem.influence[left] @ beta
        assert missing == pytest.approx(1.0 - labels[left] * predicted, abs=1e-10)
        hinge += balance[left] * max(0.0, 1.0 - labels[left] * predicted)
    assert problem.bound(beta) == pytest.approx(hinge, abs=1e-9)


def test_a_constant_added_to_a_source_changes_nothing():
    rng = np.random.default_rng(29)
    kernel, labels, balance = target(rng)
    sources = rng.normal(size=(12, 2))
    machine = factorise(kernel, balance, 10.0)
    shifted = leave_one_out(machine, labels, sources + np.array([3.0, -2.0]), balance)
    np.testing.assert_allclose(
        shifted.influence, leave_one_out(machine, labels, sources, balance).influence, atol=1e-10
    )


@pytest.mark.parametrize(("norm", "nonnegative"), BALLS)
def test_noise_gets_less_weight_than_a_good_source(norm, nonnegative):
    rng = np.random.default_rng(30)
    drawn = []
    for _ in range(40):
        kernel, labels, balance = target(rng)
        sources = np.stack([labels + rng.normal(0, 0.5, 12), rng.normal(size=12)], axis=1)
        problem = leave_one_out(factorise(kernel, balance, 10.0), labels, sources, balance)
        drawn.append(ball_weights(problem, norm, nonnegative))
    good, noise = np.mean(drawn, axis=0)
    assert good > 0.5
    assert abs(noise) < good / 3


def best_of(residual, slope, balance):
    """Smallest weight in [0, 1] with the least f, by trying every breakpoint; and that f."""
    breaks = [r / g for r, g in zip(residual, slope, strict=True) if g != 0.0 and 0.0 < r / g < 1.0]
    candidates = np.array(sorted([0.0, 1.0, *breaks]))
    values = np.array([balance @ np.maximum(residual - slope * weight, 0.0) for weight in candidates])
    return candidates[values <= values.min() + 1e-11 * max(1.0, values.min())][0], values.min()


@pytest.mark.parametrize("kind", KINDS)
def test_scalar_weights_are_those_of_brute_force(kind):
    rng = np.random.default_rng(31)
    grid = np.linspace(0.0, 1.0, 1001)
    for _ in range(20):
        count, sources = int(rng.integers(1, 20)), int(rng.integers(1, 6))
        residual, influence = kind(rng, count, sources)
        balance = rng.uniform(0.1, 5.0, count)
        weights, bounds = scalar_weights(LeaveOneOut(residual, influence, balance))
        for source in range(sources):
            weight, least = best_of(residual, influence[:, source], balance)
            assert weights[source] == pytest.approx(weight, abs=1e-9)
            assert bounds[source] == pytest.approx(least, rel=1e-10, abs=1e-10)
            on_grid = balance @ np.maximum(residual[:, None] - influence[:, source, None] * grid, 0.0)
            assert bounds[source] <= on_grid.min() + 1e-10 * max(1.0, least)


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-4, 4), st.integers(1, 3)), min_size=1, max_size=7),
)
@settings(max_examples=200)
def test_scalar_weights_of_integers_are_those_of_brute_force(rows):
    residual, slope, balance = np.array(rows, dtype=np.float64).T
    weights, bounds = scalar_weights(LeaveOneOut(residual, slope[:, None], balance))
    weight, least = best_of(residual, slope, balance)
    assert weights[0] == pytest.approx(weight, abs=1e-12)
    assert bounds[0] == pytest.approx(least, abs=1e-12)


def test_scalar_weights_by_hand():
    def alone(residual, slope):
        weights, bounds = scalar_weights(LeaveOneOut(np.array(residual), np.array(slope)[:, None], np.ones(len(slope))))
        return weights[0], bounds[0]

    assert alone([1.0, 1.0], [2.0, 2.0]) == (0.5, 0.0)  # flat from ½ on: the smallest weight
    assert alone([1.0, 3.0], [4.0, -4.0]) == (0.0, 4.0)  # flat from the start
    assert alone([1.0, 1.0], [0.0, 0.0]) == (0.0, 2.0)  # no slope at all
    assert alone([0.0, -1.0], [3.0, 1.0]) == (0.0, 0.0)  # nothing to gain
    assert alone([0.0, 1.0], [-1.0, 1.0]) == (0.0, 1.0)  # at the hinge, and it would open
    assert alone([2.0], [1.0]) == (1.0, 1.0)  # would gain beyond the bound


def test_scalar_weights_of_a_stack_are_those_of_each_alone():
    rng = np.random.default_rng(32)
    problem = LeaveOneOut(rng.normal(1, 1, (2, 3, 9)), rng.normal(size=(2, 3, 9, 5)), rng.uniform(0.1, 5.0, (2, 3, 9)))
    weights, bounds = scalar_weights(problem)
    assert weights.shape == bounds.shape == (2, 3, 5)
    for place in np.ndindex(2, 3):
        alone = scalar_weights(LeaveOneOut(*(part[place] for part in problem)))
        np.testing.assert_allclose(weights[place], alone[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(bounds[place], alone[1], rtol=0, atol=1e-12)
