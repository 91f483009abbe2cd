"""Truth: Clarabel on each problem, and the optimality conditions themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from tlbench.methods import boxed_quadratic
from tlbench.methods.active_set import Program, first_guess, middle_multiplier, settle
from tlbench.methods.boxed_quadratic import minimise_boxed


def plain(rng, problems, count):
    return rng.normal(size=(problems, count, count + 2)), rng.normal(size=(problems, count))


def low_rank(rng, problems, count):
    return rng.normal(size=(problems, count, 2)), rng.normal(size=(problems, count))


def integers(rng, problems, count):
    return rng.integers(-1, 2, (problems, count, 3)).astype(float), rng.integers(-1, 2, (problems, count)).astype(float)


def repeated(rng, problems, count):
    features, borrowed = plain(rng, problems, count)
    half = count // 2
    features[:, half : 2 * half], borrowed[:, half : 2 * half] = features[:, :half], borrowed[:, :half]
    return features, borrowed


def all_the_same(rng, problems, count):
    return np.zeros((problems, count, 1)), rng.normal(size=(problems, count))


def loud(rng, problems, count):
    features, borrowed = plain(rng, problems, count)
    return 30.0 * features, 100.0 * borrowed


KINDS = [plain, low_rank, integers, repeated, all_the_same, loud]


def stack(kind, seed, problems=12, count=9, equality=True):
    """Q, p, u and d as support vector machines have them, with costs from hundredths to hundreds."""
    rng = np.random.default_rng(seed)
    features, borrowed = kind(rng, problems, count)
    labels = np.where(rng.random((problems, count)) < 0.4, 1.0, -1.0)
    labels[:, 0], labels[:, 1] = 1.0, -1.0
    signed = features * labels[..., None]
    upper = 10.0 ** rng.uniform(-2, 2.5, (problems, 1)) * rng.uniform(0.3, 3.0, (problems, count))
    direction = labels if equality else np.zeros_like(labels)
    return signed @ np.swapaxes(signed, 1, 2), 1.0 - labels * borrowed, upper, direction


def value(quadratic, linear, alpha):
    return 0.5 * alpha @ quadratic @ alpha - linear @ alpha


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("equality", [True, False])
def test_the_minimum_is_that_of_a_conic_solver(kind, equality, convex):
    problem = stack(kind, 1, equality=equality)
    alphas, _ = minimise_boxed(*problem)
    for alpha, quadratic, linear, upper, direction in zip(alphas, *problem, strict=True):
        assert alpha.min() >= 0.0
        assert (alpha <= upper).all()
        assert abs(alpha @ direction) <= 1e-9 * upper.sum()
        box, count = np.concatenate([np.eye(9), -np.eye(9)]), len(alpha)
        bounds = np.append(upper, np.zeros(count))
        _, least = convex.minimise(quadratic, -linear, box, bounds, direction[None] if equality else None, np.zeros(1))
        assert value(quadratic, linear, alpha) == pytest.approx(least, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("equality", [True, False])
def test_the_multiplier_closes_the_gap(kind, equality):
    quadratic, linear, upper, direction = stack(kind, 2, problems=40, count=15, equality=equality)
    alpha, b = minimise_boxed(quadratic, linear, upper, direction)
    explained = np.einsum("pij,pj->pi", quadratic, alpha)
    hinge = np.maximum(linear - explained - b[:, None] * direction, 0.0)
    primal = 0.5 * np.sum(alpha * explained, axis=1) + np.sum(upper * hinge, axis=1)
    dual = np.sum(linear * alpha, axis=1) - 0.5 * np.sum(alpha * explained, axis=1)
    assert ((primal - dual) <= 1e-6 * np.maximum(primal, 1e-9 * upper.sum(axis=1))).all()
    if not equality:
        np.testing.assert_array_equal(b, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_active_set_settles_the_interior_point_finds_too(kind):
    program = Program(*stack(kind, 3, problems=30))
    settled = settle(program, first_guess(program), 20)
    found = boxed_quadratic._interior_point(program)
    for index in np.flatnonzero(settled.solved):
        one, other = (
            value(program.quadratic[index], program.linear[index], a[index]) for a in (settled.alpha, found.alpha)
        )
        assert one == pytest.approx(other, rel=1e-6, abs=1e-7)


def test_most_ordinary_problems_are_settled_without_the_interior_point():
    program = Program(*stack(plain, 4, problems=200, count=12, equality=False))
    assert settle(program, first_guess(program), boxed_quadratic.GUESSES).solved.mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_each_problem_is_solved_as_if_alone(kind):
    problem = stack(kind, 5)
    together, b = minimise_boxed(*problem)
    for index in range(len(together)):
        alone, alone_b = minimise_boxed(*(part[index : index + 1] for part in problem))
        np.testing.assert_allclose(together[index], alone[0], rtol=0, atol=1e-9 * problem[2].max())
        assert b[index] == pytest.approx(alone_b[0], abs=1e-6 * np.abs(problem[1]).max())


def test_hundreds_of_variables_are_no_trouble():
    rng = np.random.default_rng(6)
    examples = rng.normal(size=(300, 5))
    labels = np.sign(examples[:, 0] + rng.normal(0, 0.7, 300))
    kernel = np.exp(-0.1 * np.sum((examples[:, None] - examples) ** 2, axis=-1))
    problem = ((kernel * np.outer(labels, labels))[None], np.ones((1, 300)), np.full((1, 300), 3.0), labels[None])
    with threadpool_limits(1):  # as the program computes; several threads on a busy machine wait for each other
        alpha, b = minimise_boxed(*problem)
    slope = problem[0][0] @ alpha[0] - 1.0 + b * labels
    inside = (alpha[0] > 0.0) & (alpha[0] < 3.0)
    assert np.abs(slope[inside]).max() < 1e-8
    assert slope[alpha[0] == 0.0].min() > -1e-8
    assert slope[alpha[0] == 3.0].max() < 1e-8


def test_the_middle_of_an_interval_is_taken():
    # Both variables at their upper bound: slope −½ and −¼ allow b from −¼ to ½.
    alpha, b = minimise_boxed(
        np.array([[[0.5, 0.0], [0.0, 0.75]]]), np.ones((1, 2)), np.ones((1, 2)), np.array([[1.0, -1.0]])
    )
    np.testing.assert_array_equal(alpha, [[1.0, 1.0]])
    assert b[0] == pytest.approx(0.125)


def test_an_interval_open_on_one_side_gives_its_end():
    bounds = np.array([[-1, -1]], dtype=np.int8)
    assert middle_multiplier(np.array([[2.0, 3.0]]), np.array([[1.0, 1.0]]), bounds)[0] == -2.0
    assert middle_multiplier(np.array([[2.0, 3.0]]), np.array([[0.0, 0.0]]), bounds)[0] == 0.0


@given(
    st.lists(
        st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(-2, 2), st.sampled_from([0.25, 1.0, 8.0])),
        min_size=2,
        max_size=6,
    ),
    st.booleans(),
)
@settings(max_examples=100)
def test_integers_end_at_the_optimum(rows, equality):
    first, second, borrowed, upper = np.array(rows, dtype=float).T
    labels = np.where(np.arange(len(rows)) % 2, -1.0, 1.0)
    signed = np.stack([first, second], axis=1) * labels[:, None]
    quadratic, linear = signed @ signed.T, 1.0 - labels * borrowed
    direction = labels if equality else np.zeros_like(labels)
    (alpha,), (b,) = minimise_boxed(quadratic[None], linear[None], upper[None], direction[None])
    explained = quadratic @ alpha
    primal = 0.5 * alpha @ explained + upper @ np.maximum(linear - explained - b * direction, 0.0)
    assert primal == pytest.approx(linear @ alpha - 0.5 * alpha @ explained, rel=1e-6, abs=1e-6)


def test_a_problem_that_is_not_solved_is_an_error(monkeypatch):
    monkeypatch.setattr(boxed_quadratic, "GUESSES", 0)
    monkeypatch.setattr(boxed_quadratic, "MOST_STEPS", 2)
    with pytest.raises(ArithmeticError, match="12 box-constrained programs were not solved in 2 steps"):
        minimise_boxed(*stack(plain, 7))


def test_the_careful_pace_solves_as_well(monkeypatch):
    problem = stack(repeated, 8)
    expected, _ = minimise_boxed(*problem)
    monkeypatch.setattr(boxed_quadratic, "GUESSES", 0)
    monkeypatch.setattr(boxed_quadratic, "BOLD_STEPS", 0)
    for alpha, other, quadratic, linear in zip(minimise_boxed(*problem)[0], expected, *problem[:2], strict=True):
        assert value(quadratic, linear, alpha) == pytest.approx(value(quadratic, linear, other), rel=1e-6, abs=1e-7)
