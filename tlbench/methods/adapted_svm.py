"""Support vector machines adapted from sources with weights fixed in advance, as the literature has them.

All solve the problem of ``hinge_svm`` and differ in β, b and the kernel. C, β and Γ are given: nothing is selected
here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .hinge_svm import LeaningMachine, train_hinge

Floats = NDArray[np.float64]


def adaptive_svm(
    kernel: Floats,
    labels: Floats,
    costs: Floats,
    scores: Floats,
    weights: ArrayLike | None = None,
    with_bias: bool = False,
) -> LeaningMachine:
    """A-SVM: f = f_a + v·φ with f_a the average of the sources, or with given weights that sum to one.

    Yang, Yan & Hauptmann, "Cross-domain video concept detection using adaptive SVMs", ACM MM 2007; the averaging of
    several sources is theirs too (as recalled). Arguments and errors as in ``hinge_svm.train_hinge``, and a ValueError
    for no sources and for weights that do not sum to one. They have no bias, which is the default: the sources bring
    theirs. Deviation: they give every example the same C (pass constant costs for that).

    >>> labels = np.array([-1.0, 1.0])
    >>> already_right = 2.0 * labels[:, None]  # the scores of one source, beyond the margin: nothing is left to learn
    >>> machine = adaptive_svm(np.eye(2), labels, np.ones(2), already_right)
    >>> machine.decide(np.eye(2), already_right).round(6).tolist()
    [-2.0, 2.0]
    """
    count = scores.shape[-1]
    if count == 0:
        raise ValueError("an adaptive machine needs at least one source")
    shares = np.full(count, 1.0 / count) if weights is None else np.asarray(weights, dtype=np.float64)
    if not np.allclose(shares.sum(axis=-1), 1.0, rtol=0.0, atol=1e-9):
        raise ValueError("the weights of an adaptive machine must sum to one")
    return train_hinge(kernel, labels, costs, scores, shares, with_bias)


def fixed_transfer_svm(
    kernel: Floats, labels: Floats, costs: Floats, scores: Floats, beta: ArrayLike
) -> LeaningMachine:
    """The machine nearest to Σ_j β_j w_j: ½‖w − Σ_j β_j w_j‖² + Σ_i C_i hinge, with a bias.

    The A-SVM of Aytar & Zisserman, "Tabula rasa: model transfer for object category detection", ICCV 2011, with
    Γ = β. ``beta`` has shape
    (…, k), one number for each source; β = 0 is the plain machine. Arguments and errors as in
    ``hinge_svm.train_hinge``. Conventions that differ: their objective has ‖·‖² without ½, so that their C is twice
    ours, and their w_j has length one: pass scores divided by ‖w_j‖, or β times ‖w_j‖, to follow them.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> kernel, scores = x @ x.T, 3.0 * x  # the source says 3x, the widest margin is that of x
    >>> for beta in (0.0, 1.0):  # not at all, and as it is
    ...     machine = fixed_transfer_svm(kernel, labels, np.full(2, 9.0), scores, [beta])
    ...     machine.decide(kernel, scores).round(6).tolist()
    [-1.0, 1.0]
    [-3.0, 3.0]
    """
    return train_hinge(kernel, labels, costs, scores, beta, with_bias=True)


def mixed_kernel(kernels: Floats, shares: ArrayLike | None = None) -> Floats:
    """Σ_m d_m K_m, (…, n, N), of kernels (M, …, n, N); equal shares d_m = 1/M unless (M,) are given.

    Raises ValueError for shares that are negative or not one for each kernel.

    >>> mixed_kernel(np.array([np.eye(2), np.ones((2, 2))])).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    count = len(kernels)
    parts = np.full(count, 1.0 / count) if shares is None else np.asarray(shares, dtype=np.float64)
    if parts.shape != (count,) or not (parts >= 0.0).all():
        raise ValueError(f"shares must hold one number, zero or more, for each of the {count} kernels")
    mixed: Floats = np.tensordot(parts, kernels, axes=(0, 0))
    return mixed


def several_kernels_svm(
    kernels: Floats,
    labels: Floats,
    costs: Floats,
    scores: Floats,
    beta: Floats,
    shares: ArrayLike | None = None,
) -> LeaningMachine:
    """The machine with fixed β over several kernels, each with sources of its own.

    min Σ_m ‖w^m − Σ_j β_jm w_j^m‖² / (2 d_m) + Σ_i C_i max(0, 1 − y_i (Σ_m w^m·φ_m(x_i) + b)) over the hyperplanes w^m
    in the spaces of kernels K_m (M, …, N, N), with shares d_m > 0 of the mixture; an equal share for each unless given.
    ``scores`` (…, N, k, M) holds w_j^m·φ_m(x_i), ``beta`` (…, k, M) how much to lean on it. By the substitution
    v^m = w^m − Σ_j β_jm w_j^m this is one machine with kernel Σ_m d_m K_m (Bach, Lanckriet & Jordan, ICML 2004, for
    the mixture), whose k·M weights are β in the order of ``scores``: decide by the mixed kernel and
    scores reshaped to (…, T, k·M). Errors as in ``hinge_svm.train_hinge`` and ``mixed_kernel``.

    >>> x, labels = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    >>> no_source, beta = np.zeros((2, 1, 2)), np.zeros((1, 2))
    >>> twice = several_kernels_svm(np.array([x @ x.T] * 2), labels, np.full(2, 9.0), no_source, beta)
    >>> twice.dual.round(6).tolist()  # the same kernel twice is that kernel: f(x) = x
    [-0.5, 0.5]
    """
    flat = scores.reshape(*scores.shape[:-2], -1)
    weights = beta.reshape(*beta.shape[:-2], -1)
    return train_hinge(mixed_kernel(kernels, shares), labels, costs, flat, weights, with_bias=True)
