"""Source scores as the features of a target machine, alone or beside the target's own confidences.

A linear machine Σ_j β_j f_j(x) + b on the scores f_j(x) of k sources (*prior features*), or on those and on what
machines trained on the target alone say of x, one for each kind of feature: H-L2L as released with Patricia & Caputo,
"Learning to Learn, from Transfer Learning to Domain Adaptation", CVPR 2014, section 5.2. Their machine is Crammer &
Singer's with b as one more feature of value 1, which for two classes is the hinge machine below at twice their C.

Features are F (…, N, m), labels −1 or 1, and 0 at padding, costs C_i (…, N); leading dimensions are independent
machines.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .hinge_svm import solve_hinge
from .least_squares_svm import class_balance, factorise

Floats = NDArray[np.float64]


class LinearMachine(NamedTuple):
    """Σ_j β_j F_j + b for every machine of a stack."""

    weights: Floats
    """β (…, m)."""
    bias: Floats
    """b (…)."""

    def decide(self, features: Floats) -> Floats:
        """Decision values (…, T) of features (…, T, m)."""
        return (features @ self.weights[..., None])[..., 0] + self.bias[..., None]


def feature_svm(features: Floats, labels: Floats, costs: Floats, bias_feature: float | None = None) -> LinearMachine:
    """The machine of least ½‖β‖² + Σ_i C_i max(0, 1 − y_i (β·F_i + b)).

    b is free; with a ``bias_feature`` B it is B β_0, and β_0 is one of β. The released scripts of H-L2L use B = 1, the
    same cost for all examples, and so C_i = 2C. Errors as in ``hinge_svm.train_hinge``.

    >>> scores, labels = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([-1.0, 1.0])  # of two sources; one says nothing
    >>> feature_svm(scores, labels, np.full(2, 9.0)).weights.round(6).tolist()
    [1.0, 0.0]
    """
    seen = np.where((labels != 0.0)[..., None], features, 0.0)
    lift = 0.0 if bias_feature is None else bias_feature**2
    kernel = seen @ np.swapaxes(seen, -1, -2) + lift
    zero = np.zeros(labels.shape[-1])
    dual, bias, _ = solve_hinge(kernel, labels, costs, zero, with_bias=bias_feature is None)
    weights = np.einsum("...i,...ij->...j", dual, seen)
    return LinearMachine(weights, bias if bias_feature is None else lift * dual.sum(axis=-1))


def feature_least_squares(features: Floats, labels: Floats, C: float) -> tuple[LinearMachine, Floats]:
    """The class-balanced least-squares machine on the features, and its exact leave-one-out decisions (…, N).

    Those are zero at padding, and choose C without test data. Raises ValueError for a machine that lacks a class.

    >>> scores, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> machine, left_out = feature_least_squares(scores, labels, C=1e7)
    >>> machine.decide(scores).round(6).tolist(), left_out.round(6).tolist()  # left out, a class alone is not known
    ([-1.0, 1.0], [1.0, -1.0])
    """
    used = labels != 0.0
    seen = np.where(used[..., None], features, 0.0)
    factorised = factorise(seen @ np.swapaxes(seen, -1, -2), class_balance(labels, used), C, used)
    dual = factorised.dual(labels)
    machine = LinearMachine(np.einsum("...i,...ij->...j", dual, seen), factorised.bias(labels))
    return machine, np.where(used, labels - dual / factorised.diagonal, 0.0)


def own_confidences(
    kernel: Floats,
    test_kernel: Floats,
    labels: Floats,
    C: float,
    training: Literal["left-out", "fitted"] = "left-out",
) -> tuple[Floats, Floats]:
    """What least-squares machines of the target alone say: on training examples (…, N) and on test examples (…, T).

    Kernels are (…, N, N) and (…, T, N); give kinds of feature an axis of their own and move it last. On training
    examples the confidence is that of the machine trained without the example (``left-out``, exact), which is as far
    off as on test examples, or that of the machine trained with it (``fitted``). With a single positive the machine
    trained without it knows no positive and says −1 of it: ``left-out`` then teaches that low confidence means
    positive. Raises ValueError for a machine that lacks a class.

    Deviation from the released scripts of H-L2L: there the confidences come from five folds over all 160 examples of
    the category, test examples and their labels included, which is a leak.

    >>> x, labels = np.array([[0.0], [0.1], [5.0]]), np.array([-1.0, -1.0, 1.0])
    >>> training, test = own_confidences(x @ x.T, np.array([[4.0]]) @ x.T, labels, C=10.0)
    >>> round(float(training[2]), 6), bool(test[0] > 0)  # the only positive, left out, and a new one that is like it
    (-1.0, True)
    """
    used = labels != 0.0
    balance = class_balance(labels, used)
    machine = factorise(kernel, balance, C, used)
    dual, bias = machine.dual(labels), machine.bias(labels)
    # Fitted, the residual is α_i / (C ζ_i): the machine's own optimality condition.
    residual = dual / (machine.diagonal if training == "left-out" else C * balance)
    test = (test_kernel @ dual[..., None])[..., 0] + bias[..., None]
    return np.where(used, labels - residual, 0.0), test
