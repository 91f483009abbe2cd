"""A source's examples put to use in a Gaussian process on few target outputs: several ways, from none of them to all.

- ``fit_one``: one task, B = [s²]: the target alone, or all examples pooled.
- ``fit_multitask``: intrinsic coregionalisation (Bonilla, Chai & Williams, NIPS 2007): any B = LLᵀ of two tasks and
  noises of their own; the *joint* likelihood p(y_S, y_T | X) is maximised.
- ``fit_adaptive``: adaptive transfer (Cao, Pan, Zhang, Yeung & Yang, AAAI 2010): B = s² [[1, λ], [λ, 1]] and noises of
  their own; the *conditional* likelihood p(y_T | y_S, X) is maximised, so that the source is explained only as far as
  that helps to explain the target. The paper has λ = 2(1/(1 + μ))^b − 1 with b, μ > 0, of which only λ shows in the
  model; here λ = tanh η. λ = 1 and equal noises pool, λ = 0 leaves the source out, below 0 it is turned upside down.
- ``fit_staged``: ours, the same model and likelihood, but s², ℓ and σ_S² are those of the source alone.

The likelihoods are maximised by L-BFGS-B with analytic gradients in the logarithms of s², ℓ and σ², in η, and in the
entries of L, each from four fixed starts, of which the best end is kept: two each of lengthscales and of correlations,
or of noises where a model has not both of these to find. Nothing depends on chance. Starts and bounds are meant for
inputs and outputs of about mean zero and variance one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from .gaussian_process import Gradient, Hyperparameters, Observations, log_likelihood, predict

Floats = NDArray[np.float64]
Bounds = tuple[float, float]

SOURCE, TARGET = 0, 1
SIGNAL: Bounds = (1e-2, 1e2)
LENGTHSCALE: Bounds = (0.05, 50.0)
"""Of ℓ/√d with d inputs: the distance of two examples grows with √d."""
NOISE: Bounds = (1e-4, 1e1)
ETA: Bounds = (-4.0, 4.0)
FACTOR: Bounds = (-10.0, 10.0)
START_LENGTHSCALES, START_NOISES, START_CORRELATIONS = (0.3, 1.0), (0.1, 0.5), (0.5, -0.5)
MOST_ITERATIONS = 200


@dataclass(frozen=True)
class Fitted:
    """A model that maximises a likelihood; ``task`` is the number of the target among its tasks."""

    data: Observations
    at: Hyperparameters
    log_likelihood: float
    task: int

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Mean and variance (m,) of a new target output at inputs (m, d), its noise included."""
        return predict(self.data, self.at, inputs, self.task)


@dataclass(frozen=True)
class Model:
    """How a vector of numbers stands for hyperparameters.

    pull_back: (vector, gradient in the hyperparameters) → gradient in the vector. bounds, starts: of the search.
    """

    hyperparameters: Callable[[Floats], Hyperparameters]
    pull_back: Callable[[Floats, Gradient], Floats]
    bounds: Sequence[Bounds]
    starts: Sequence[Sequence[float]]


def fit_one(inputs: Floats, outputs: Floats) -> Fitted:
    """The Gaussian process of one task, (n, d) and (n,). Raises ValueError for data that are not such tables.

    >>> x = np.linspace(0.0, 3.0, 12)[:, None]
    >>> fitted = fit_one(x, np.sin(x[:, 0]))
    >>> mean, variance = fitted.predict(np.array([[1.5]]))
    >>> bool(abs(mean[0] - np.sin(1.5)) < 0.02)
    True
    """
    data = Observations(inputs, outputs, np.zeros(len(outputs), dtype=np.intp))
    return _fit(one_task(inputs.shape[1]), data, 0, given=0)


def fit_multitask(source: tuple[Floats, Floats], target: tuple[Floats, Floats]) -> Fitted:
    """Multi-task learning of a source and a target, each inputs (n, d) and outputs (n,). Errors as in ``fit_one``.

    >>> x = np.linspace(0.0, 6.0, 15)[:, None]
    >>> source, target = (x, np.sin(x[:, 0])), (x[:5], -np.sin(x[:5, 0]))
    >>> fitted = fit_multitask(source, target)
    >>> bool(correlation_of(fitted.at.between) < -0.9)  # the target is the source upside down
    True
    """
    data = two_tasks(source, target)
    return _fit(coregionalised(data.inputs.shape[1]), data, TARGET, given=0)


def fit_adaptive(source: tuple[Floats, Floats], target: tuple[Floats, Floats], conditional: bool = True) -> Fitted:
    """Adaptive transfer from a source to a target, each inputs (n, d) and outputs (n,).

    Unless ``conditional``, the same model maximises the joint likelihood, which the paper decides against: it takes
    apart what the kernel does and what the objective does. Errors as in ``fit_one``.

    >>> x = np.linspace(0.0, 6.0, 15)[:, None]
    >>> source, target = (x, np.sin(x[:, 0])), (x[:5], np.sin(x[:5, 0]))
    >>> fitted = fit_adaptive(source, target)
    >>> mean, _ = fitted.predict(np.array([[5.0]]))  # where the target has no example, and the source has
    >>> bool(correlation_of(fitted.at.between) > 0.9), bool(abs(mean[0] - np.sin(5.0)) < 0.1)
    (True, True)
    """
    data = two_tasks(source, target)
    return _fit(adaptive(data.inputs.shape[1]), data, TARGET, given=len(source[1]) if conditional else 0)


def fit_staged(source: tuple[Floats, Floats], target: tuple[Floats, Floats]) -> Fitted:
    """Adaptive transfer in two stages, each task inputs (n, d) and outputs (n,); errors as in ``fit_one``.

    First s², ℓ and σ_S² maximise the likelihood of the source alone, then λ and σ_T² that of the target given the
    source. So a few target outputs have two numbers to decide instead of five.

    >>> x = np.linspace(0.0, 6.0, 15)[:, None]
    >>> source = (x, np.sin(x[:, 0]))
    >>> fitted = fit_staged(source, (x[:2], np.sin(x[:2, 0])))
    >>> fitted.at.lengthscale == fit_one(*source).at.lengthscale  # the source alone decides it
    True
    """
    data = two_tasks(source, target)
    first = fit_one(*source).at
    found = np.log([first.between[0, 0], first.lengthscale, first.noise[0]])
    model = adaptive(data.inputs.shape[1])
    kept = dict(zip((0, 1, 3), found.tolist(), strict=True))
    bounds = [(kept[place], kept[place]) if place in kept else free for place, free in enumerate(model.bounds)]
    starts = [
        (*found[:2], np.arctanh(correlation), found[2], np.log(noise))
        for correlation, noise in product(START_CORRELATIONS, START_NOISES)
    ]
    return _fit(replace(model, bounds=bounds, starts=starts), data, TARGET, given=len(source[1]))


def two_tasks(source: tuple[Floats, Floats], target: tuple[Floats, Floats]) -> Observations:
    """The examples of both, the source's first.

    >>> two_tasks((np.zeros((2, 1)), np.zeros(2)), (np.ones((1, 1)), np.ones(1))).tasks.tolist()
    [0, 0, 1]
    """
    tasks = np.repeat([SOURCE, TARGET], [len(source[1]), len(target[1])])
    return Observations(np.concatenate([source[0], target[0]]), np.concatenate([source[1], target[1]]), tasks)


def adaptive_covariance(signal: float, correlation: float) -> Floats:
    """B = s² [[1, λ], [λ, 1]] of signal s² and correlation λ.

    >>> adaptive_covariance(2.0, -0.5).tolist()
    [[2.0, -1.0], [-1.0, 2.0]]
    """
    return signal * np.array([[1.0, correlation], [correlation, 1.0]])


def correlation_of(between: Floats) -> float:
    """λ = B_ST / √(B_SS B_TT) of two tasks; 0 where a task has no variance.

    >>> correlation_of(adaptive_covariance(2.0, -0.5))
    -0.5
    """
    scale = np.sqrt(between[SOURCE, SOURCE] * between[TARGET, TARGET])
    return float(between[SOURCE, TARGET] / scale) if scale > 0.0 else 0.0


def _fit(model: Model, data: Observations, task: int, given: int) -> Fitted:
    def loss(vector: Floats) -> tuple[float, Floats]:
        value, gradient = log_likelihood(data, model.hyperparameters(vector), given)
        return -value, -model.pull_back(vector, gradient)

    options = {"maxiter": MOST_ITERATIONS}
    ends = [
        minimize(loss, np.array(start), jac=True, method="L-BFGS-B", bounds=model.bounds, options=options)
        for start in model.starts
    ]
    best = min(ends, key=lambda end: float(end.fun))
    return Fitted(data, model.hyperparameters(best.x), -float(best.fun), task)


def one_task(inputs: int) -> Model:
    """B = [s²] by (log s², log ℓ, log σ²).

    >>> at = one_task(1).hyperparameters(np.log([2.0, 0.5, 0.1]))
    >>> at.between.round(6).tolist(), round(float(at.lengthscale), 6), at.noise.round(6).tolist()
    ([[2.0]], 0.5, [0.1])
    """
    root = np.sqrt(inputs)

    def hyperparameters(vector: Floats) -> Hyperparameters:
        signal, lengthscale, noise = np.exp(vector)
        return Hyperparameters(np.array([[signal]]), float(lengthscale), np.array([noise]))

    def pull_back(vector: Floats, gradient: Gradient) -> Floats:
        signal, _, noise = np.exp(vector)
        return np.array([signal * gradient.between[0, 0], gradient.log_lengthscale, noise * gradient.noise[0]])

    starts = [
        (np.log(1.0 - noise), np.log(lengthscale * root), np.log(noise))
        for lengthscale, noise in product(START_LENGTHSCALES, START_NOISES)
    ]
    return Model(hyperparameters, pull_back, [_log(SIGNAL), _log(LENGTHSCALE, root), _log(NOISE)], starts)


def adaptive(inputs: int) -> Model:
    """B = s² [[1, λ], [λ, 1]] by (log s², log ℓ, η, log σ_S², log σ_T²), with λ = tanh η.

    >>> at = adaptive(1).hyperparameters(np.zeros(5))  # η = 0 leaves the source out
    >>> at.between.tolist(), at.noise.tolist()
    ([[1.0, 0.0], [0.0, 1.0]], [1.0, 1.0])
    """
    root = np.sqrt(inputs)

    def hyperparameters(vector: Floats) -> Hyperparameters:
        between = adaptive_covariance(np.exp(vector[0]), np.tanh(vector[2]))
        return Hyperparameters(between, float(np.exp(vector[1])), np.exp(vector[3:]))

    def pull_back(vector: Floats, gradient: Gradient) -> Floats:
        signal, correlation = np.exp(vector[0]), np.tanh(vector[2])
        by_signal = np.vdot(gradient.between, adaptive_covariance(signal, correlation))
        across = gradient.between[SOURCE, TARGET] + gradient.between[TARGET, SOURCE]
        by_eta = signal * (1.0 - correlation**2) * across
        return np.array([by_signal, gradient.log_lengthscale, by_eta, *(np.exp(vector[3:]) * gradient.noise)])

    noise = START_NOISES[0]
    starts = [
        (np.log(1.0 - noise), np.log(lengthscale * root), np.arctanh(correlation), np.log(noise), np.log(noise))
        for lengthscale, correlation in product(START_LENGTHSCALES, START_CORRELATIONS)
    ]
    bounds = [_log(SIGNAL), _log(LENGTHSCALE, root), ETA, _log(NOISE), _log(NOISE)]
    return Model(hyperparameters, pull_back, bounds, starts)


def coregionalised(inputs: int) -> Model:
    """B = LLᵀ by (L_SS, L_TS, L_TT, log ℓ, log σ_S², log σ_T²).

    >>> coregionalised(1).hyperparameters(np.array([1.0, 2.0, 0.0, 0.0, 0.0, 0.0])).between.tolist()  # of rank one
    [[1.0, 2.0], [2.0, 4.0]]
    """
    root = np.sqrt(inputs)

    def factor(vector: Floats) -> Floats:
        return np.array([[vector[0], 0.0], [vector[1], vector[2]]])

    def hyperparameters(vector: Floats) -> Hyperparameters:
        lower = factor(vector)
        return Hyperparameters(lower @ lower.T, float(np.exp(vector[3])), np.exp(vector[4:]))

    def pull_back(vector: Floats, gradient: Gradient) -> Floats:
        # d(LLᵀ) = dL Lᵀ + L dLᵀ, and the gradient in B is symmetric.
        by_factor = 2.0 * gradient.between @ factor(vector)
        entries = by_factor[[SOURCE, TARGET, TARGET], [SOURCE, SOURCE, TARGET]]
        return np.array([*entries, gradient.log_lengthscale, *(np.exp(vector[4:]) * gradient.noise)])

    noise = START_NOISES[0]
    scale = np.sqrt(1.0 - noise)
    starts = [
        (
            *(scale, scale * correlation, scale * np.sqrt(1.0 - correlation**2)),
            *(np.log(lengthscale * root), np.log(noise), np.log(noise)),
        )
        for lengthscale, correlation in product(START_LENGTHSCALES, START_CORRELATIONS)
    ]
    bounds = [FACTOR, FACTOR, FACTOR, _log(LENGTHSCALE, root), _log(NOISE), _log(NOISE)]
    return Model(hyperparameters, pull_back, bounds, starts)


def _log(bounds: Bounds, scale: float = 1.0) -> Bounds:
    return float(np.log(bounds[0] * scale)), float(np.log(bounds[1] * scale))
