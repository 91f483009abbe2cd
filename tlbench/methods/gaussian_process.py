"""Gaussian-process regression over one task or several: one kernel on inputs, a matrix between tasks, own noises.

Output i belongs to task t_i: y_i = f_{t_i}(x_i) + ε_i with ε_i ~ N(0, σ²_{t_i}) and functions of mean zero whose
covariance is

    cov(f_a(x), f_b(x')) = B_ab · exp(−‖x − x'‖² / 2ℓ²),

the intrinsic coregionalisation model (Bonilla, Chai & Williams, NIPS 2007, eq. 1; B is their K^f, and the kernel has
variance one, so that B alone has the scale). It is positive semi-definite wherever B is (Schur's product theorem). One
task is the plain Gaussian process of Rasmussen & Williams (2006, ch. 2), with B = [s²].

The kernel is isotropic, one ℓ for all inputs: a handful of labelled examples cannot tell the relevance of each input.
``JITTER`` is added to the diagonal of the covariance of the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from .conditioning import check_factor

Floats = NDArray[np.float64]
Tasks = NDArray[np.intp]

JITTER = 1e-10


@dataclass(frozen=True)
class Observations:
    """n examples in some order: inputs (n, d), outputs (n,), and the task of each (n,), counted from zero."""

    inputs: Floats
    outputs: Floats
    tasks: Tasks

    def __post_init__(self) -> None:
        """Refuse no examples, shapes that disagree, and values that are not finite."""
        if self.inputs.ndim != 2 or not len(self.inputs):
            raise ValueError("inputs must be a table of at least one example")
        if self.outputs.shape != (len(self.inputs),) or self.tasks.shape != self.outputs.shape:
            raise ValueError("there must be one output and one task for each example")
        if not (np.isfinite(self.inputs).all() and np.isfinite(self.outputs).all()):
            raise ValueError("inputs and outputs must be finite")

    @cached_property
    def squared_distances(self) -> Floats:
        """‖x_i − x_j‖² (n, n)."""
        return squared_distances(self.inputs, self.inputs)


@dataclass(frozen=True)
class Hyperparameters:
    """between: B (tasks, tasks), symmetric and positive semi-definite. lengthscale: ℓ. noise: σ² of each task."""

    between: Floats
    lengthscale: float
    noise: Floats


@dataclass(frozen=True)
class Gradient:
    """Derivatives of a log-likelihood in each entry of B as if it stood alone, in log ℓ, and in each σ²."""

    between: Floats
    log_lengthscale: float
    noise: Floats


def squared_distances(left: Floats, right: Floats) -> Floats:
    """‖x − z‖² (n, m) of rows (n, d) and (m, d), in LAPACK's order of memory, which all else keeps for speed.

    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).tolist()
    [[25.0]]
    """
    # Centred first: with the distances far smaller than the norms, the three terms would cancel.
    centre = right.mean(axis=0)
    left, right = left - centre, right - centre
    found = np.square(right).sum(axis=1)[:, None] + np.square(left).sum(axis=1) - 2.0 * (right @ left.T)
    return np.maximum(found, 0.0).T


def log_likelihood(data: Observations, at: Hyperparameters, given: int = 0) -> tuple[float, Gradient]:
    """Log p(the outputs after the first ``given`` | the first ``given``), and its gradient.

    given = 0 is the joint (marginal) likelihood (Rasmussen & Williams, eq. 2.30 and 5.9). Otherwise it is the joint
    one less that of the first ``given`` outputs, which share one factorisation: with Σ = LLᵀ and z = L⁻¹y, the leading
    block of L factorises their own covariance. Raises ValueError where Σ is not positive definite.

    >>> data = Observations(np.zeros((1, 1)), np.zeros(1), np.zeros(1, dtype=np.intp))
    >>> at = Hyperparameters(np.array([[0.7]]), 1.0, np.array([0.3]))  # y ~ N(0, 0.7 + 0.3), so −½ log 2π at zero
    >>> round(log_likelihood(data, at)[0], 6)
    -0.918939
    """
    correlation = np.exp(data.squared_distances * (-0.5 / at.lengthscale**2))
    covariance = _covariance(data, at, correlation)
    factor = _factorise(data, at, covariance)
    whitened, _ = lapack.dtrtrs(factor, data.outputs, lower=1)
    rest = slice(given, None)
    value = -0.5 * whitened[rest] @ whitened[rest] - np.log(np.diag(factor)[rest]).sum()
    value -= 0.5 * (len(data.outputs) - given) * np.log(2.0 * np.pi)

    # d log p = ½ tr((ααᵀ − Σ⁻¹) dΣ) with α = Σ⁻¹y, less the same of the first outputs alone.
    slope = _half_slope(factor, whitened)
    if given:
        slope[:given, :given] -= _half_slope(np.asfortranarray(factor[:given, :given]), whitened[:given])
    members = np.eye(len(at.noise))[data.tasks]
    between = members.T @ (slope * correlation) @ members
    gradient = Gradient(
        between=0.5 * (between + between.T),
        log_lengthscale=float(np.sum(slope * covariance * data.squared_distances)) / at.lengthscale**2,
        noise=members.T @ np.diag(slope),
    )
    return float(value), gradient


def predict(data: Observations, at: Hyperparameters, inputs: Floats, task: int) -> tuple[Floats, Floats]:
    """Mean and variance (m,) of a new output of the task at inputs (m, d), its noise included.

    Rasmussen & Williams, eq. 2.25 and 2.26. Raises ValueError where Σ is not positive definite, and warns where it
    nearly is not. ``log_likelihood`` does not warn: it is searched within bounds that keep Σ well conditioned.

    >>> data = Observations(np.zeros((1, 1)), np.array([5.0]), np.zeros(1, dtype=np.intp))
    >>> at = Hyperparameters(np.array([[2.0]]), 1.0, np.array([1e-9]))
    >>> mean, variance = predict(data, at, np.array([[0.0], [99.0]]), task=0)
    >>> mean.round(6).tolist(), variance.round(6).tolist()  # what was seen, and far away what was believed before
    ([5.0, 0.0], [0.0, 2.0])
    """
    correlation = np.exp(data.squared_distances * (-0.5 / at.lengthscale**2))
    covariance = _covariance(data, at, correlation)
    factor = _factorise(data, at, covariance)
    check_factor(float(covariance.trace() + at.noise[data.tasks].sum()), factor)
    across = np.exp(squared_distances(data.inputs, inputs) * (-0.5 / at.lengthscale**2))
    across *= at.between[data.tasks, task][:, None]
    whitened, _ = lapack.dtrtrs(factor, np.column_stack([data.outputs, across]), lower=1)
    mean = whitened[:, 1:].T @ whitened[:, 0]
    explained = np.square(whitened[:, 1:]).sum(axis=0)
    return mean, np.maximum(at.between[task, task] - explained, 0.0) + at.noise[task]


def _covariance(data: Observations, at: Hyperparameters, correlation: Floats) -> Floats:
    """Of the functions at the examples; B is symmetric, and its transpose has the order of memory."""
    return at.between[data.tasks[:, None], data.tasks].T * correlation


def _factorise(data: Observations, at: Hyperparameters, covariance: Floats) -> Floats:
    """L with LLᵀ = Σ, the covariance of the outputs."""
    noisy = covariance.copy(order="F")
    np.fill_diagonal(noisy, noisy.diagonal() + at.noise[data.tasks] + JITTER)
    factor, failed = lapack.dpotrf(noisy, lower=1, clean=1, overwrite_a=1)
    if failed:
        raise ValueError("the covariance of the outputs is not positive definite; give every task some noise")
    return factor


def _half_slope(factor: Floats, whitened: Floats) -> Floats:
    """Lower triangular H with H + Hᵀ = ααᵀ − Σ⁻¹, of L and L⁻¹y; for symmetric S, ½ tr((H + Hᵀ) S) = Σ_ij H_ij S_ij."""
    alpha, _ = lapack.dtrtrs(factor, whitened, lower=1, trans=1)
    inverse, _ = lapack.dpotri(factor, lower=1)
    half = blas.dsyr(1.0, alpha, lower=1, a=-inverse, overwrite_a=1)
    np.fill_diagonal(half, 0.5 * half.diagonal())
    return half
