"""Four ways to use a source in a Gaussian process: their gradients, their maxima, and the limits that join them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from tlbench.methods import transfer_gaussian_process as method
from tlbench.methods.gaussian_process import JITTER, Hyperparameters, log_likelihood, predict


def drawn(correlation=0.8, source=30, target=12, noise=0.1, seed=0, dimensions=1):
    """Two tasks whose functions are drawn from the model itself, and new target examples."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(-1.7, 1.7, size=(source + target + 50, dimensions))
    within = np.exp(-np.square(inputs[:, None] - inputs).sum(-1) / (2 * 0.5**2)) + 1e-10 * np.eye(len(inputs))
    one, two = np.linalg.cholesky(within) @ rng.normal(size=(len(inputs), 2)).T[..., None]
    functions = np.concatenate([one, correlation * one + np.sqrt(1 - correlation**2) * two], axis=1)
    outputs = functions + np.sqrt(noise) * rng.normal(size=functions.shape)
    parts = np.split(np.arange(len(inputs)), [source, source + target])
    return (
        (inputs[parts[0]], outputs[parts[0], 1]),
        (inputs[parts[1]], outputs[parts[1], 0]),
        (inputs[parts[2]], outputs[parts[2], 0]),
    )


SOURCE, TARGET, NEW = drawn()
MODELS = {"one": method.one_task, "adaptive": method.adaptive, "multi-task": method.coregionalised}


@pytest.mark.parametrize(("name", "given"), [("one", 0), ("adaptive", 30), ("adaptive", 0), ("multi-task", 0)])
def test_gradients_are_those_of_finite_differences(name, given):
    data = method.two_tasks(SOURCE, TARGET)
    if name == "one":
        data = type(data)(data.inputs, data.outputs, np.zeros_like(data.tasks))
    model = MODELS[name](1)
    for start in model.starts:
        vector = np.array(start) + 0.1
        _, gradient = log_likelihood(data, model.hyperparameters(vector), given)
        differences = approx_fprime(vector, lambda v: log_likelihood(data, model.hyperparameters(v), given)[0], 1e-7)
        np.testing.assert_allclose(model.pull_back(vector, gradient), differences, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_starts_lie_within_bounds_and_are_as_many_for_all(name):
    for dimensions in (1, 9):
        model = MODELS[name](dimensions)
        low, high = np.array(model.bounds).T
        starts = np.array(model.starts)
        assert starts.shape == (4, len(low))
        assert (low < starts).all()
        assert (starts < high).all()


def test_the_plain_process_is_as_likely_as_scikit_learns_best():
    fitted = method.fit_one(*TARGET)
    kernel = ConstantKernel(1.0, method.SIGNAL) * RBF(1.0, method.LENGTHSCALE) + WhiteKernel(0.1, method.NOISE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        twin = GaussianProcessRegressor(kernel, alpha=JITTER, n_restarts_optimizer=5, random_state=0).fit(*TARGET)
    assert fitted.log_likelihood == pytest.approx(twin.log_marginal_likelihood_value_, abs=1e-4)
    mean, deviation = twin.predict(NEW[0], return_std=True)
    found, variance = fitted.predict(NEW[0])
    np.testing.assert_allclose(found, mean, atol=1e-2)
    np.testing.assert_allclose(np.sqrt(variance), deviation, atol=1e-2)


def test_the_adaptive_process_maximises_the_conditional_density():
    """Nelder–Mead on the density of Cao et al., written out, finds nothing better."""
    fitted = method.fit_adaptive(SOURCE, TARGET)
    both = np.concatenate([SOURCE[0], TARGET[0]])
    distances = np.square(both - both.T)

    def loss(vector):
        signal, lengthscale, noise_source, noise_target = np.exp(vector[[0, 1, 3, 4]])
        full = signal * np.exp(-distances / (2 * lengthscale**2))
        full[:30, 30:] *= np.tanh(vector[2])
        full[30:, :30] *= np.tanh(vector[2])
        full += np.diag(np.repeat([noise_source, noise_target], [30, 12]) + JITTER)
        gain = full[30:, :30] @ np.linalg.inv(full[:30, :30])
        conditional = full[30:, 30:] - gain @ full[:30, 30:]
        density = multivariate_normal(gain @ SOURCE[1], (conditional + conditional.T) / 2)
        return -density.logpdf(TARGET[1])

    bounds = method.adaptive(1).bounds
    at = fitted.at
    correlation = method.correlation_of(at.between)
    found = np.array([*np.log([at.between[0, 0], at.lengthscale]), np.arctanh(correlation), *np.log(at.noise)])
    assert -loss(found) == pytest.approx(fitted.log_likelihood, abs=1e-6)
    start = np.clip(found + 0.2, *np.array(bounds).T)
    other = minimize(loss, start, method="Nelder-Mead", bounds=bounds, options={"maxfev": 1500})
    assert fitted.log_likelihood >= -other.fun - 1e-3


def test_more_freedom_is_never_less_likely():
    """Every B of the adaptive process is one of the multi-task process, and pooling is a limit of both."""
    pooled = method.fit_one(np.concatenate([SOURCE[0], TARGET[0]]), np.concatenate([SOURCE[1], TARGET[1]]))
    adaptive = method.fit_adaptive(SOURCE, TARGET, conditional=False)
    multitask = method.fit_multitask(SOURCE, TARGET)
    assert multitask.log_likelihood >= adaptive.log_likelihood - 1e-4 >= pooled.log_likelihood - 2e-4
    conditional = method.fit_adaptive(SOURCE, TARGET)
    assert log_likelihood(conditional.data, conditional.at)[0] <= adaptive.log_likelihood + 1e-4
    assert conditional.log_likelihood >= log_likelihood(adaptive.data, adaptive.at, given=30)[0] - 1e-4


@pytest.mark.slow
def test_the_staged_process_keeps_what_the_source_says_and_finds_the_best_of_the_rest():
    first, fitted = method.fit_one(*SOURCE).at, method.fit_staged(SOURCE, TARGET)
    assert fitted.at.lengthscale == pytest.approx(first.lengthscale, rel=1e-12)
    assert fitted.at.between[0, 0] == pytest.approx(first.between[0, 0], rel=1e-12)
    assert fitted.at.noise[0] == pytest.approx(first.noise[0], rel=1e-12)

    def likelihood(correlation, noise):
        between = method.adaptive_covariance(first.between[0, 0], correlation)
        return log_likelihood(
            fitted.data, Hyperparameters(between, first.lengthscale, np.array([first.noise[0], noise])), given=30
        )[0]

    grid = [likelihood(c, n) for c in np.linspace(-0.99, 0.99, 67) for n in np.geomspace(*method.NOISE, 40)]
    assert max(grid) <= fitted.log_likelihood + 1e-6
    assert fitted.log_likelihood <= max(grid) + 0.1
    assert fitted.log_likelihood <= method.fit_adaptive(SOURCE, TARGET).log_likelihood + 1e-4


def test_no_correlation_is_no_transfer():
    both = method.two_tasks(SOURCE, TARGET)
    alone = method.fit_one(*TARGET)
    signal, noise = alone.at.between[0, 0], alone.at.noise[0]
    at = Hyperparameters(method.adaptive_covariance(signal, 0.0), alone.at.lengthscale, np.array([0.3, noise]))
    for found, wanted in zip(predict(both, at, NEW[0], method.TARGET), alone.predict(NEW[0]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert log_likelihood(both, at, given=30)[0] == pytest.approx(alone.log_likelihood, rel=1e-10)


def test_full_correlation_and_equal_noise_is_pooling():
    both = method.two_tasks(SOURCE, TARGET)
    pooled = method.fit_one(both.inputs, both.outputs)
    signal, noise = pooled.at.between[0, 0], pooled.at.noise[0]
    gaps = []
    for correlation in (0.9, 0.999, 1.0):
        between = method.adaptive_covariance(signal, correlation)
        at = Hyperparameters(between, pooled.at.lengthscale, np.array([noise, noise]))
        pairs = zip(predict(both, at, NEW[0], method.TARGET), pooled.predict(NEW[0]), strict=True)
        gaps.append(max(np.abs(found - wanted).max() for found, wanted in pairs))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-10


@pytest.mark.parametrize("correlation", [-1.0, -0.99, -0.3, 0.0, 0.7, 1.0])
def test_every_correlation_gives_a_covariance(correlation):
    data = method.two_tasks(SOURCE, (SOURCE[0][:10], TARGET[1][:10]))  # inputs twice: the hardest case
    between = method.adaptive_covariance(2.0, correlation)
    within = np.exp(-data.squared_distances / 2) * between[data.tasks[:, None], data.tasks]
    assert np.linalg.eigvalsh(within).min() > -1e-12
    assert method.correlation_of(between) == pytest.approx(correlation)


@pytest.mark.slow
def test_a_source_turned_upside_down_turns_the_correlation_and_nothing_else():
    turned = (SOURCE[0], -SOURCE[1])
    for fit in (method.fit_adaptive, method.fit_multitask):
        one, other = fit(SOURCE, TARGET), fit(turned, TARGET)
        assert method.correlation_of(one.at.between) > 0.3
        found = method.correlation_of(other.at.between)
        assert found == pytest.approx(-method.correlation_of(one.at.between), abs=1e-3)
        np.testing.assert_allclose(other.predict(NEW[0])[0], one.predict(NEW[0])[0], atol=1e-2)


@pytest.mark.parametrize("truth", [-0.95, 0.95])
def test_a_related_source_is_found_and_helps(truth):
    source, target, new = drawn(truth, source=60, target=6, noise=0.01, seed=4)
    alone, adaptive = method.fit_one(*target), method.fit_adaptive(source, target)
    assert np.sign(method.correlation_of(adaptive.at.between)) == np.sign(truth)
    errors = [np.mean(np.square(model.predict(new[0])[0] - new[1])) for model in (alone, adaptive)]
    assert errors[1] < 0.5 * errors[0]


def test_a_task_without_variance_correlates_with_nothing():
    assert method.correlation_of(np.array([[0.0, 0.0], [0.0, 1.0]])) == 0.0
