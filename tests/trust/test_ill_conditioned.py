"""Ill-conditioned kernels: what is computed is right, or a warning says that it may not be.

Truth: the same systems solved exactly, in fractions, from the very kernel matrices that the program was given.
"""

import json
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.methods.conditioning import WORST, IllConditionedWarning
from tlbench.methods.estimators import BalancedLSSVC
from tlbench.methods.gaussian_process import Hyperparameters, Observations, predict
from tlbench.methods.kernels import RBF, ChiSquared, Linear, MeanKernel, Polynomial
from tlbench.methods.least_squares_svm import class_balance, factorise, train
from tlbench.methods.source_boosting import weighted_machine

DIGITS = 1e-5
"""What may be wrong without a warning, of the largest value or of one, the scale of the labels."""


def solved(matrix, sides):
    """The exact solution of a system of floating-point numbers, by Gauss's elimination in fractions."""
    rows = [
        [*map(Fraction, row), *map(Fraction, side)]
        for row, side in zip(matrix.tolist(), np.atleast_2d(sides.T).T.tolist(), strict=True)
    ]
    for place in range(len(rows)):
        pivot = next(row for row in range(place, len(rows)) if rows[row][place])
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for row in range(len(rows)):
            if row != place and rows[row][place]:
                factor = rows[row][place] / rows[place][place]
                rows[row] = [one - factor * other for one, other in zip(rows[row], rows[place], strict=True)]
    return [[cell / row[place] for cell in row[len(rows) :]] for place, row in enumerate(rows)]


def exact_machine(kernel, labels, C, across):
    """Decision values and leave-one-out values of the class-balanced machine, without rounding."""
    count = len(labels)
    bordered = np.ones((count + 1, count + 1))
    bordered[:count, :count] = kernel
    bordered[np.arange(count), np.arange(count)] += 1.0 / (C * class_balance(labels))
    bordered[count, count] = 0.0
    inverse = solved(bordered, np.eye(count + 1))
    given = [Fraction(label) for label in labels.tolist()]
    dual = [sum(row[place] * label for place, label in enumerate(given)) for row in inverse]
    bias = dual.pop()
    decisions = [float(sum(Fraction(k) * a for k, a in zip(row, dual, strict=True)) + bias) for row in across.tolist()]
    left_out = [float(given[i] - dual[i] / inverse[i][i]) for i in range(count)]
    return np.array(decisions), np.array(left_out)


def said(compute):
    """What is computed, or None where it is refused in a sentence, and whether it was said to be poor."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = compute()
        except ValueError:  # no one means to raise LinAlgError, which is one
            return None, True
    assert all(issubclass(one.category, IllConditionedWarning) for one in caught), [str(one.message) for one in caught]
    return found, bool(caught)


def off(found, exact):
    """The largest error, of the largest value or of one."""
    return np.abs(found - exact).max() / max(1.0, np.abs(exact).max())


def by_inverse(kernel, labels, C, across):
    machine = factorise(kernel[None], class_balance(labels)[None], C)
    dual = machine.dual(labels[None])[0]
    return across @ dual + machine.bias(labels[None])[0], labels - dual / machine.diagonal[0]


def by_cholesky(kernel, labels, C, across):
    dual, bias = train(kernel.copy(), labels, C)
    return across @ dual + bias


def by_weights(kernel, labels, C, across):
    machine = weighted_machine(kernel, labels, class_balance(labels), C, held=len(labels))
    return across @ machine.dual + machine.bias, labels - machine.left_out


HARD = ("near duplicates", "duplicates", "far from the origin", "huge", "tiny", "constant", "as drawn")


@st.composite
def machines(draw):
    """A kernel matrix of up to nine examples, hard in one way or another, labels, C, and the kernel with others."""
    seed, how = draw(st.integers(0, 10_000)), draw(st.sampled_from(HARD))
    count, size = draw(st.integers(2, 9)), draw(st.integers(1, 4))
    power = draw(st.floats(-2, 14))
    rng = np.random.default_rng(seed)
    examples = rng.normal(size=(count, size))
    half = count // 2
    if how == "near duplicates":
        examples[-half:] = examples[:half] + 10.0 ** rng.uniform(-12, -1) * rng.normal(size=(half, size))
    elif how == "duplicates":
        examples[-half:] = examples[:half]
    elif how == "far from the origin":
        examples += 10.0 ** rng.uniform(1, 7)
    elif how in ("huge", "tiny"):
        examples *= 10.0 ** (rng.uniform(3, 100) * (1 if how == "huge" else -1))
    elif how == "constant":
        examples[:, 0] = examples[0, 0]
    labels = np.where(np.arange(count) < max(1, count // 3), 1.0, -1.0)
    kernel = (RBF.fit, Linear.fit, Polynomial.fit)[seed % 3](examples)
    others = examples.mean(axis=0) + examples.std(axis=0) * rng.normal(size=(5, size))
    return kernel(examples, examples), labels, 10.0**power, kernel(others, examples)


@given(problem=machines())
@settings(max_examples=60)
def test_least_squares_machines_are_right_or_say_that_they_may_not_be(problem):
    decisions, left_out = exact_machine(*problem)
    for compute in (by_inverse, by_cholesky, by_weights):
        found, warned = said(lambda compute=compute: compute(*problem))
        if not warned:
            of, left = found if isinstance(found, tuple) else (found, left_out)
            assert off(of, decisions) < DIGITS, compute
            assert off(left, left_out) < DIGITS, compute


def test_an_example_on_which_all_hangs_is_left_out_as_exactly_as_the_others():
    """Two examples that are there twice, with either label, and one alone: what it adds is small in what they undo."""
    labels = np.array([1.0, -1.0, -1.0, -1.0, -1.0])
    for seed in range(60):
        examples = np.random.default_rng(seed).normal(size=(5, 2))
        examples[-2:] = examples[:2]
        kernel = examples @ examples.T
        _, left_out = exact_machine(kernel, labels, 1e6, kernel)
        (_, left), warned = said(lambda kernel=kernel: by_inverse(kernel, labels, 1e6, kernel))
        assert not warned
        assert off(left, left_out) < 1e-7, seed


def test_where_it_warns_numbers_are_indeed_wrong():
    """The warning is no mere caution: without it somebody would believe these."""
    examples = np.array([[1.0, 0.0], [1.0, 1e-9], [0.0, 1.0], [1.0, 1.0]]) + 1e6
    labels = np.array([1.0, -1.0, -1.0, 1.0])
    kernel = examples @ examples.T
    decisions, left_out = exact_machine(kernel, labels, 10.0, kernel)
    (of, left), warned = said(lambda: by_inverse(kernel, labels, 10.0, kernel))
    assert warned
    assert max(off(of, decisions), off(left, left_out)) > DIGITS


@pytest.mark.parametrize("C", [1e-6, 1.0, 1e3])
def test_usual_machines_give_no_warning(C):
    draw = np.random.default_rng(0)
    examples = draw.normal(size=(160, 20))
    examples[80:] = examples[:80]  # every example twice
    labels = np.where(np.arange(160) % 2, 1.0, -1.0)
    kernel = RBF.fit(examples)(examples, examples)
    for compute in (by_inverse, by_cholesky, by_weights):
        assert not said(lambda compute=compute: compute(kernel, labels, C, kernel))[1]


@pytest.mark.parametrize(("change", "warned"), [(0.5, False), (2.0, True)])
def test_the_warning_comes_at_the_condition_number_that_is_named(change, warned):
    """Two examples that are orthogonal, and one of them long: the condition number is the ratio of the diagonals."""
    labels = np.array([-1.0, 1.0])
    kernel = np.diag([WORST * change, 1.0]) - np.eye(2) / 1e3
    assert said(lambda: by_inverse(kernel, labels, 1e3, kernel))[1] == warned
    assert said(lambda: by_cholesky(kernel, labels, 1e3, kernel))[1] == warned


def test_padding_neither_hides_nor_causes_a_warning():
    used = np.array([[True, True, False]])
    labels = np.array([[-1.0, 1.0, 0.0]])
    balance = class_balance(labels, used)
    for scale in (1e-9, 1.0, 1e9):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            factorise(scale * np.eye(3)[None], balance, 1e9 / scale, used)
    with pytest.warns(IllConditionedWarning):
        factorise(np.diag([1e9, 1.0, 1.0])[None], balance, 1e9, used)


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # of LAPACK's own, before it is refused
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value):
    kernel = np.eye(3)
    kernel[0, 1] = kernel[1, 0] = value
    labels = np.array([-1.0, 1.0, 1.0])
    for compute in (by_inverse, by_cholesky, by_weights):
        with pytest.raises(ValueError, match="kernel"):
            compute(kernel, labels, 1.0, kernel)


def test_a_singular_matrix_is_refused_in_a_sentence():
    kernel = np.full((2, 2), 1e20)  # beside which 1/C is lost
    with pytest.raises(ValueError, match="singular to working precision; use a smaller C"):
        by_inverse(kernel, np.array([-1.0, 1.0]), 1.0, kernel)


# Scales


@pytest.mark.parametrize("kind", [RBF, ChiSquared, Polynomial])
@pytest.mark.parametrize("power", [-150, -100, -8, 0, 8, 100, 140])
def test_kernels_that_fit_their_width_do_not_depend_on_the_unit(kind, power):
    examples = np.random.default_rng(1).uniform(0.5, 2.0, size=(12, 3))
    scaled = examples * 10.0**power
    one, other = kind.fit(examples), kind.fit(scaled)
    np.testing.assert_allclose(one(examples, examples), other(scaled, scaled), rtol=1e-9)


@pytest.mark.parametrize("kind", [RBF, Polynomial])
def test_numbers_whose_squares_vanish_are_refused(kind):
    examples = np.random.default_rng(1).uniform(0.5, 2.0, size=(12, 3)) * 1e-170
    with pytest.raises(ValueError, match="squares vanish"):
        kind.fit(examples)
    with pytest.raises(ValueError, match="shape: its numbers are so small"):
        MeanKernel.fit({"shape": examples}, "rbf")


def test_constant_features_and_one_example_are_no_error():
    assert RBF.fit(np.full((4, 2), 1e-170)).gamma == 0.0
    assert RBF.fit(np.ones((1, 3))).gamma == 0.0
    alike = np.ones((3, 2))
    found, warned = said(
        lambda: by_inverse(np.ones((3, 3)), np.array([1.0, -1.0, -1.0]), 10.0, alike @ np.ones((2, 3)) / 2)
    )
    assert not warned
    # Nothing tells them apart, so the balanced classes outvote each other.
    assert found[0] == pytest.approx(np.zeros(3), abs=1e-12)


def test_an_estimator_warns_its_user():
    examples = np.random.default_rng(0).normal(size=(20, 2)) + 1e5
    with pytest.warns(IllConditionedWarning, match="centre and scale the features"):
        BalancedLSSVC(kernel="linear", C=1e3).fit(examples, np.arange(20) % 2)


# Gaussian processes


def exact_process(inputs, outputs, at, new):
    """Mean and variance without rounding, from the covariances as they are in floating point."""

    def between(one, other):
        return at.between[0, 0] * np.exp(-np.square(one[:, None] - other[None]).sum(-1) / (2 * at.lengthscale**2))

    covariance, across = between(inputs, inputs) + (at.noise[0] + 1e-10) * np.eye(len(inputs)), between(inputs, new)
    solution = solved(covariance, np.column_stack([outputs, across]))
    mean, variance = [], []
    for place, column in enumerate(across.T.tolist()):
        mean.append(float(sum(Fraction(k) * row[0] for k, row in zip(column, solution, strict=True))))
        explained = sum(Fraction(k) * row[1 + place] for k, row in zip(column, solution, strict=True))
        variance.append(float(Fraction(at.between[0, 0]) - explained) + at.noise[0])
    return np.array(mean), np.array(variance)


@given(seed=st.integers(0, 10_000), noise=st.floats(-14, 0), width=st.floats(-1, 3), signal=st.floats(-2, 4))
@settings(max_examples=40)
def test_gaussian_processes_are_right_or_say_that_they_may_not_be(seed, noise, width, signal):
    draw = np.random.default_rng(seed)
    inputs = np.sort(draw.uniform(0, 3, size=(int(draw.integers(1, 9)), 1)), axis=0)
    outputs, new = draw.normal(size=len(inputs)), draw.uniform(0, 3, size=(4, 1))
    at = Hyperparameters(np.array([[10.0**signal]]), 10.0**width, np.array([10.0**noise]))
    data = Observations(inputs, outputs, np.zeros(len(inputs), dtype=np.intp))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            mean, variance = predict(data, at, new, task=0)
        except ValueError:
            return  # "give every task some noise"
    if not caught:
        exact_mean, exact_variance = exact_process(inputs, outputs, at, new)
        assert off(mean, exact_mean) < DIGITS
        assert np.abs(variance - exact_variance).max() < DIGITS * max(1.0, 10.0**signal)


def test_the_bounds_of_the_search_keep_a_gaussian_process_well_conditioned():
    """Where a likelihood is climbed nothing is checked: this is why."""
    from tlbench.methods.transfer_gaussian_process import NOISE, SIGNAL

    examples = 100
    assert examples * SIGNAL[1] / NOISE[0] < 1e3 * WORST


# What a user is told


@pytest.mark.slow
def test_a_run_says_so_and_says_it_again(place):
    command = [*place.digits, "--seeds", "1", "--set", "shots=1", "--set", "kernel=linear", "--set", "C=1e6", "--quiet"]
    for _ in range(2):  # the second computes nothing
        done = place.succeed(*command)
        assert done.err.count("note: a kernel matrix is ill-conditioned") == 1
        assert "Traceback" not in done.err
    manifest = json.loads((place.run_folder / "manifest.json").read_bytes())
    assert [note.split(":")[0] for note in manifest["notes"]] == ["a kernel matrix is ill-conditioned"]
    place.succeed("report")
    page = (place.folder / "results" / "report.html").read_text(encoding="utf-8")
    assert page.count("<li>a kernel matrix is ill-conditioned") == 1


@pytest.mark.slow
def test_a_usual_run_has_nothing_to_say(finished):
    place, done = finished
    assert "ill-conditioned" not in done.out + done.err
    assert "notes" not in json.loads((place.run_folder / "manifest.json").read_bytes())
