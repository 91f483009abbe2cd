"""Binary tasks of known relatedness: a target and sources, each a known distance away from it.

Every task labels its examples x ~ N(0, I) by the side of a function f_j(x) = a_j·ψ(x) − mean, with f_0 the target's.
Functions have variance one, and those of target and source j correlate by a given c_j over the distribution of x,
exactly: a_j = c_j a_0 + √(1 − c_j²) r_j, where the r_j are orthonormal, and orthogonal to a_0, in the covariance of
ψ. So sources share with each other only what they share with the target: their correlation is c_i c_j.

- *hyperplanes*: ψ(x) = x. The correlation is the cosine between hyperplanes, and two tasks disagree on a share
  arccos(c)/π of all examples, exactly.
- *random waves*: ψ_m(x) = √2 cos(ω_m·x + τ_m) with ω_m ~ N(0, 2γ I), the random Fourier features of the kernel
  exp(−γ‖x − z‖²) (Rahimi & Recht, NIPS 2007). Their means and covariances under N(0, I) have closed forms, which is
  why correlations are exact for few waves too. Functions are nearly Gaussian if there are many, so the same share of
  disagreement holds nearly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Waves:
    """ψ_m(x) = √2 cos(ω_m·x + τ_m), with frequencies ω (M, d) and phases τ (M,).

    >>> still = Waves(np.zeros((1, 2)), np.zeros(1))  # frequency zero: constant, so without variance
    >>> still.mean().round(4).tolist(), np.abs(still.covariance()).round(4).tolist()
    ([1.4142], [[0.0]])
    """

    frequencies: Floats
    phases: Floats

    def __call__(self, examples: Floats) -> Floats:
        """ψ, (…, M), of examples (…, d)."""
        return np.sqrt(2.0) * np.cos(examples @ self.frequencies.T + self.phases)

    def mean(self) -> Floats:
        """E ψ (M,) under x ~ N(0, I): the characteristic function of the normal distribution."""
        return np.sqrt(2.0) * np.exp(-0.5 * np.sum(np.square(self.frequencies), axis=1)) * np.cos(self.phases)

    def covariance(self) -> Floats:
        """Cov ψ (M, M) under x ~ N(0, I); 2 cos A cos B = cos(A − B) + cos(A + B) term by term."""
        squares = np.sum(np.square(self.frequencies), axis=1)
        products = self.frequencies @ self.frequencies.T
        total = np.zeros_like(products)
        for sign in (-1.0, 1.0):
            damped = np.exp(-0.5 * (squares[:, None] + squares) - sign * products)
            total += damped * np.cos(self.phases[:, None] + sign * self.phases)
        mean = self.mean()
        return total - mean[:, None] * mean


@dataclass(frozen=True)
class RelatedTasks:
    """A target (first) and k sources, each with n examples of d numbers, and the truth behind them."""

    examples: Floats
    """(1 + k, n, d)."""
    labels: Floats
    """−1 or 1, (1 + k, n), some of them turned round if there is noise."""
    functions: Floats
    """a_j, (1 + k, M)."""
    correlations: Floats
    """Between all functions, (1 + k, 1 + k); the first row is 1, c_1, …, c_k."""
    waves: Waves | None
    """What ψ is; None for hyperplanes."""

    def values(self, examples: Floats) -> Floats:
        """f_j(x) of every task, (1 + k, n), for examples (n, d): its sign is the true label."""
        if self.waves is None:
            return self.functions @ examples.T
        return self.functions @ (self.waves(examples) - self.waves.mean()).T


def disagreement(correlation: float | Floats) -> Floats:
    """The share of examples on which two hyperplanes of this cosine disagree: arccos(c)/π.

    >>> disagreement(np.array([1.0, 0.0, -1.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.arccos(np.clip(correlation, -1.0, 1.0)) / np.pi


def related_hyperplanes(
    cosines: Sequence[float], dimensions: int, examples: int, generator: Generator, noise: float = 0.0
) -> RelatedTasks:
    """Tasks whose hyperplanes have these cosines with the target's, in ``dimensions`` dimensions.

    ``noise`` is the share of labels turned round by chance. Raises ValueError for a cosine outside [−1, 1], fewer
    dimensions than tasks, fewer examples than one, and noise outside [0, ½).

    >>> tasks = related_hyperplanes([1.0, 0.6, -1.0], 5, 9, np.random.default_rng(0))
    >>> (tasks.functions @ tasks.functions[0]).round(6).tolist()  # the cosines with the target, which comes first
    [1.0, 1.0, 0.6, -1.0]
    """
    functions, correlations = _functions(cosines, np.eye(dimensions), generator)
    return _draw(functions, correlations, None, dimensions, examples, generator, noise)


def related_waves(
    correlations: Sequence[float],
    dimensions: int,
    examples: int,
    generator: Generator,
    gamma: float,
    waves: int = 200,
    noise: float = 0.0,
) -> RelatedTasks:
    """Tasks whose functions are mixtures of shared random waves of the kernel exp(−γ‖x − z‖²).

    Errors as in ``related_hyperplanes``, with the number of waves in the place of dimensions, and for γ that is not
    positive.

    >>> tasks = related_waves([1.0, 0.6], 2, 9, np.random.default_rng(0), gamma=0.5)
    >>> cov = tasks.waves.covariance()
    >>> (tasks.functions @ cov @ tasks.functions[0]).round(6).tolist()  # the correlations with the target, exactly
    [1.0, 1.0, 0.6]
    """
    if not gamma > 0.0:
        raise ValueError(f"γ must be positive, not {gamma!r}")
    shared = Waves(
        np.sqrt(2.0 * gamma) * generator.standard_normal((waves, dimensions)),
        generator.uniform(0.0, 2.0 * np.pi, waves),
    )
    functions, between = _functions(correlations, shared.covariance(), generator)
    return _draw(functions, between, shared, dimensions, examples, generator, noise)


def _functions(wanted: Sequence[float], covariance: Floats, generator: Generator) -> tuple[Floats, Floats]:
    """Functions (1 + k, M) with unit variance and the wanted correlations to the first; and all correlations."""
    c = np.asarray(wanted, dtype=np.float64)
    size = len(covariance)
    if not (np.abs(c) <= 1.0).all():
        raise ValueError("correlations must lie between −1 and 1")
    if size < 1 + len(c):
        raise ValueError(f"{len(c)} sources and a target need at least {1 + len(c)} dimensions, not {size}")
    # Random mixtures, made orthonormal in the inner product u·(covariance v), the target's first (Gram–Schmidt).
    drawn = generator.standard_normal((1 + len(c), size))
    basis = np.linalg.solve(np.linalg.cholesky(drawn @ covariance @ drawn.T), drawn)
    functions = np.concatenate([basis[:1], c[:, None] * basis[:1] + np.sqrt(1.0 - np.square(c))[:, None] * basis[1:]])
    first = np.append(1.0, c)
    correlations = np.outer(first, first)
    np.fill_diagonal(correlations, 1.0)
    return functions, correlations


def _draw(
    functions: Floats,
    correlations: Floats,
    waves: Waves | None,
    dimensions: int,
    count: int,
    generator: Generator,
    noise: float,
) -> RelatedTasks:
    if count < 1:
        raise ValueError("tasks need at least one example")
    if not 0.0 <= noise < 0.5:
        raise ValueError(f"noise must be a share of labels in [0, ½), not {noise!r}")
    examples = generator.standard_normal((len(functions), count, dimensions))
    tasks = RelatedTasks(examples, np.empty(examples.shape[:2]), functions, correlations, waves)
    for task, rows in enumerate(examples):
        tasks.labels[task] = np.where(tasks.values(rows)[task] > 0.0, 1.0, -1.0)
    tasks.labels[generator.random(tasks.labels.shape) < noise] *= -1.0
    return tasks
