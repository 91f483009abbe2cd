"""Truth: the bordered (N + 1) × (N + 1) system, the primal problem, and retraining without each example."""

import numpy as np
import pytest

from tlbench.methods.least_squares_svm import class_balance, factorise, train


def bordered(kernel, targets, balance, C):
    """α and b of one machine by the textbook system."""
    count = len(targets)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = kernel + np.diag(1.0 / (C * balance))
    system[count, count] = 0.0
    solution = np.linalg.solve(system, np.append(targets, 0.0))
    return solution[:count], solution[count]


def left_out(kernel, targets, balance, C):
    """Prediction of each example by the machine trained on the others, with their ζ unchanged."""
    predictions = []
    for left in range(len(targets)):
        rest = np.delete(np.arange(len(targets)), left)
        dual, bias = bordered(kernel[np.ix_(rest, rest)], targets[rest], balance[rest], C)
        predictions.append(kernel[left, rest] @ dual + bias)
    return np.array(predictions)


def problem(seed, count=14, positives=5, features=3):
    rng = np.random.default_rng(seed)
    examples = rng.normal(size=(count, features))
    labels = np.where(rng.permutation(count) < positives, 1.0, -1.0)
    return examples, labels


def rbf(examples):
    return np.exp(-0.5 * np.sum((examples[:, None] - examples[None]) ** 2, axis=-1))


def test_class_balance_gives_both_classes_the_same_total():
    labels = np.array([1.0, -1.0, -1.0, -1.0])
    np.testing.assert_allclose(class_balance(labels), [2.0, 2 / 3, 2 / 3, 2 / 3])


def test_class_balance_counts_only_the_used():
    labels = np.array([[1.0, -1.0, -1.0, 0.0], [1.0, 1.0, -1.0, -1.0]])
    used = np.array([[True, True, True, False], [True, True, True, True]])
    np.testing.assert_allclose(class_balance(labels, used), [[1.5, 0.75, 0.75, 1.0], [1.0, 1.0, 1.0, 1.0]])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_machine_of_one_class_is_refused(sign):
    with pytest.raises(ValueError, match="each class"):
        class_balance(np.full(3, sign))
    with pytest.raises(ValueError, match="each class"):
        class_balance(np.array([[1.0, -1.0], [sign, sign]]))
    with pytest.raises(ValueError, match="each class"):
        train(np.eye(3), np.full(3, sign), 1.0)


def test_a_class_that_is_only_padding_is_refused():
    with pytest.raises(ValueError, match="each class"):
        class_balance(np.array([1.0, 1.0, -1.0]), np.array([True, True, False]))


@pytest.mark.parametrize("C", [0.01, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("positives", [1, 5, 13])
def test_factorise_and_train_solve_the_bordered_system(C, positives):
    examples, labels = problem(1, positives=positives)
    kernel, balance = rbf(examples), class_balance(labels)
    dual, bias = bordered(kernel, labels, balance, C)
    machine = factorise(kernel, balance, C)
    np.testing.assert_allclose(machine.dual(labels), dual, atol=1e-9)
    assert machine.bias(labels) == pytest.approx(bias, abs=1e-9)
    trained, trained_bias = train(kernel.copy(), labels, C)
    np.testing.assert_allclose(trained, dual, atol=1e-9)
    assert trained_bias == pytest.approx(bias, abs=1e-9)


def test_p_is_the_block_of_the_bordered_inverse_and_the_kernel_stays_whole():
    examples, labels = problem(2)
    kernel, balance = rbf(examples), class_balance(labels)
    before = kernel.copy()
    machine = factorise(kernel, balance, 10.0)
    system = np.block([[kernel + np.diag(0.1 / balance), np.ones((14, 1))], [np.ones((1, 14)), np.zeros((1, 1))]])
    inverse = np.linalg.inv(system)
    np.testing.assert_allclose(machine.P, inverse[:-1, :-1], atol=1e-10)
    np.testing.assert_allclose(machine.bias_row, inverse[-1, :-1], atol=1e-10)
    np.testing.assert_allclose(machine.diagonal, np.diag(inverse)[:-1], atol=1e-10)
    np.testing.assert_array_equal(kernel, before)


def test_several_right_hand_sides_are_solved_at_once():
    examples, labels = problem(3)
    machine = factorise(rbf(examples), class_balance(labels), 10.0)
    sides = np.random.default_rng(3).normal(size=(14, 4))
    for column in range(4):
        dual, bias = bordered(rbf(examples), sides[:, column], class_balance(labels), 10.0)
        np.testing.assert_allclose(machine.dual_columns(sides)[:, column], dual, atol=1e-10)
        np.testing.assert_allclose(machine.dual(sides.T)[column], dual, atol=1e-10)
        assert machine.bias(sides.T)[column] == pytest.approx(bias, abs=1e-10)


def features_of(kind):
    examples, labels = problem(4)
    if kind == "constant":
        examples[:, 1:] = 3.0
    elif kind == "all constant":
        examples[:] = 3.0
    elif kind == "collinear":
        examples[:] = examples[:, :1] * np.array([1.0, -2.0, 0.5])
    elif kind == "duplicated examples":
        examples[7:] = examples[:7]
    return examples, labels


@pytest.mark.parametrize("kind", ["plain", "constant", "all constant", "collinear", "duplicated examples"])
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_the_solution_minimises_the_primal_problem(kind, C):
    examples, labels = features_of(kind)
    balance = class_balance(labels)
    # ½‖w‖² + (C/2) Σ ζ (y − Xw − b)² as one ordinary least-squares problem in (w, b)
    root = np.sqrt(C * balance)
    design = np.concatenate([root[:, None] * np.c_[examples, np.ones(14)], np.eye(3, 4)])
    expected = np.linalg.lstsq(design, np.concatenate([root * labels, np.zeros(3)]))[0]
    machine = factorise(examples @ examples.T, balance, C)
    np.testing.assert_allclose(examples.T @ machine.dual(labels), expected[:3], atol=1e-9)
    assert machine.bias(labels) == pytest.approx(expected[3], abs=1e-9)
    dual, bias = train(examples @ examples.T, labels, C)
    np.testing.assert_allclose(examples.T @ dual, expected[:3], atol=1e-9)
    assert bias == pytest.approx(expected[3], abs=1e-9)


def test_sources_move_the_centre_of_the_regulariser():
    examples, labels = problem(5)
    rng = np.random.default_rng(5)
    source, beta, C = rng.normal(size=(3, 2)), np.array([0.6, -0.3]), 10.0
    balance = class_balance(labels)
    # ½‖w − Wβ‖² instead of ½‖w‖²
    root = np.sqrt(C * balance)
    design = np.concatenate([root[:, None] * np.c_[examples, np.ones(14)], np.eye(3, 4)])
    expected = np.linalg.lstsq(design, np.concatenate([root * labels, source @ beta]))[0]
    machine = factorise(examples @ examples.T, balance, C)
    targets = labels - examples @ source @ beta
    np.testing.assert_allclose(examples.T @ machine.dual(targets) + source @ beta, expected[:3], atol=1e-9)
    assert machine.bias(targets) == pytest.approx(expected[3], abs=1e-9)


@pytest.mark.parametrize("positives", [1, 2, 7, 13])
@pytest.mark.parametrize("C", [0.1, 10.0, 1000.0])
@pytest.mark.parametrize("linear", [False, True])
def test_leave_one_out_is_that_of_retraining(positives, C, linear):
    examples, labels = problem(6, positives=positives)
    kernel, balance = examples @ examples.T if linear else rbf(examples), class_balance(labels)
    machine = factorise(kernel, balance, C)
    closed = labels - machine.dual(labels) / machine.diagonal
    np.testing.assert_allclose(closed, left_out(kernel, labels, balance, C), rtol=0, atol=1e-10)


@pytest.mark.parametrize("positives", [1, 6])
def test_leave_one_out_with_sources_is_that_of_retraining(positives):
    examples, labels = problem(7, positives=positives)
    rng = np.random.default_rng(7)
    borrowed = rng.normal(size=(14, 3)) @ np.array([0.5, 0.2, -0.7])
    kernel, balance = rbf(examples), class_balance(labels)
    machine = factorise(kernel, balance, 10.0)
    closed = labels - machine.dual(labels - borrowed) / machine.diagonal
    brute = left_out(kernel, labels - borrowed, balance, 10.0) + borrowed
    np.testing.assert_allclose(closed, brute, rtol=0, atol=1e-10)


def test_two_examples_are_enough():
    kernel, labels = np.array([[1.0, 0.3], [0.3, 1.0]]), np.array([1.0, -1.0])
    machine = factorise(kernel, class_balance(labels), 10.0)
    # Without the other example only the bias is left, and it takes the label that remains.
    np.testing.assert_allclose(labels - machine.dual(labels) / machine.diagonal, [-1.0, 1.0], atol=1e-12)


def test_padded_machines_of_a_stack_are_those_without_padding():
    rng = np.random.default_rng(8)
    sizes, widest = [4, 9, 6, 2], 9
    kernels, labels = np.full((4, widest, widest), 7.0), np.zeros((4, widest))
    sides = np.zeros((4, widest, 3))
    used = np.zeros((4, widest), dtype=bool)
    slots = []
    for index, size in enumerate(sizes):
        place = np.sort(rng.permutation(widest)[:size])  # padding need not come last
        slots.append(place)
        examples, own = problem(80 + index, size, positives=1 if size == 2 else 1 + index)
        kernels[index][np.ix_(place, place)] = rbf(examples)
        labels[index, place], sides[index, place], used[index, place] = own, rng.normal(size=(size, 3)), True
    balance = class_balance(labels, used)
    stack = factorise(kernels, balance, 10.0, used)
    for index, place in enumerate(slots):
        own, kernel = labels[index, place], kernels[index][np.ix_(place, place)]
        np.testing.assert_allclose(balance[index, place], class_balance(own), atol=1e-14)
        alone = factorise(kernel, class_balance(own), 10.0)
        np.testing.assert_allclose(stack.P[index][np.ix_(place, place)], alone.P, atol=1e-12)
        np.testing.assert_allclose(stack.dual(labels)[index, place], alone.dual(own), atol=1e-12)
        np.testing.assert_allclose(stack.bias(labels)[index], alone.bias(own), atol=1e-12)
        np.testing.assert_allclose(
            stack.dual_columns(sides)[index, place], alone.dual_columns(sides[index, place]), atol=1e-12
        )
        padding = ~used[index]
        assert not stack.dual(labels)[index, padding].any()
        assert not stack.dual_columns(sides)[index, padding].any()
        np.testing.assert_array_equal(stack.diagonal[index, padding], np.ones(padding.sum()))
        closed = own - stack.dual(labels)[index, place] / stack.diagonal[index, place]
        np.testing.assert_allclose(closed, left_out(kernel, own, class_balance(own), 10.0), rtol=0, atol=1e-10)


def test_a_kernel_that_is_not_positive_definite_is_refused():
    with pytest.raises(ValueError, match="positive definite"):
        train(np.array([[1.0, 5.0], [5.0, 1.0]]), np.array([1.0, -1.0]), 10.0)
