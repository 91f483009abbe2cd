"""Gaussian processes of several tasks: likelihood, gradient and predictions against other programs and algebra."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from tlbench.methods.gaussian_process import (
    JITTER,
    Hyperparameters,
    Observations,
    log_likelihood,
    predict,
    squared_distances,
)

RNG = np.random.default_rng(3)
DATA = Observations(RNG.normal(size=(14, 3)), RNG.normal(size=14), np.repeat([0, 1], [9, 5]))
ONE = Observations(DATA.inputs, DATA.outputs, np.zeros(14, dtype=np.intp))
NEW = RNG.normal(size=(6, 3))
AT = Hyperparameters(np.array([[1.3, -0.6], [-0.6, 0.8]]), 1.7, np.array([0.2, 0.05]))
AT_ONE = Hyperparameters(np.array([[1.3]]), 1.7, np.array([0.2]))


def covariance(left, left_tasks, right, right_tasks, at):
    """By its definition, entry by entry."""
    return np.array(
        [
            [
                at.between[a, b] * np.exp(-np.sum((x - z) ** 2) / (2 * at.lengthscale**2))
                for z, b in zip(right, right_tasks, strict=True)
            ]
            for x, a in zip(left, left_tasks, strict=True)
        ]
    )


def of_outputs(data, at):
    within = covariance(data.inputs, data.tasks, data.inputs, data.tasks, at)
    return within + np.diag(at.noise[data.tasks] + JITTER)


def test_squared_distances_far_from_zero_keep_their_digits():
    points = 1e6 + RNG.normal(size=(5, 2))
    brute = [[np.sum((x - z) ** 2) for z in points] for x in points]
    np.testing.assert_allclose(squared_distances(points, points), brute, atol=1e-9)


def test_joint_likelihood_is_the_density_of_a_normal_vector():
    wanted = multivariate_normal(np.zeros(14), of_outputs(DATA, AT)).logpdf(DATA.outputs)
    assert log_likelihood(DATA, AT)[0] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("given", [1, 9, 13])
def test_conditional_likelihood_is_that_of_the_conditional_normal(given):
    """By the formula of Cao et al.: mean K_TS(K_SS + σ_S²I)⁻¹y_S; and as joint less source."""
    full = of_outputs(DATA, AT)
    gain = full[given:, :given] @ np.linalg.inv(full[:given, :given])
    normal = multivariate_normal(gain @ DATA.outputs[:given], full[given:, given:] - gain @ full[:given, given:])
    found = log_likelihood(DATA, AT, given)[0]
    assert found == pytest.approx(normal.logpdf(DATA.outputs[given:]), rel=1e-10)
    source = Observations(DATA.inputs[:given], DATA.outputs[:given], DATA.tasks[:given])
    assert found == pytest.approx(log_likelihood(DATA, AT)[0] - log_likelihood(source, AT)[0], rel=1e-10)


@pytest.mark.parametrize("given", [0, 9])
def test_gradient_is_that_of_finite_differences(given):
    def value(vector):
        between = vector[:4].reshape(2, 2)
        at = Hyperparameters((between + between.T) / 2, np.exp(vector[4]), vector[5:])
        return log_likelihood(DATA, at, given)[0]

    _, gradient = log_likelihood(DATA, AT, given)
    found = np.array([*gradient.between.ravel(), gradient.log_lengthscale, *gradient.noise])
    at = np.array([*AT.between.ravel(), np.log(AT.lengthscale), *AT.noise])
    np.testing.assert_allclose(found, approx_fprime(at, value, 1e-7), rtol=1e-4, atol=1e-4)


def test_predictions_are_those_of_the_joint_normal():
    for task in (0, 1):
        tasks = np.full(6, task)
        across = covariance(NEW, tasks, DATA.inputs, DATA.tasks, AT)
        gain = across @ np.linalg.inv(of_outputs(DATA, AT))
        mean, variance = predict(DATA, AT, NEW, task)
        np.testing.assert_allclose(mean, gain @ DATA.outputs, rtol=1e-9)
        wanted = AT.between[task, task] - np.sum(gain * across, axis=1) + AT.noise[task]
        np.testing.assert_allclose(variance, wanted, rtol=1e-9)


def test_one_task_is_scikit_learns_gaussian_process():
    kernel = ConstantKernel(1.3) * RBF(1.7) + WhiteKernel(0.2)
    twin = GaussianProcessRegressor(kernel, optimizer=None, alpha=JITTER).fit(ONE.inputs, ONE.outputs)
    wanted, slope = twin.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    value, gradient = log_likelihood(ONE, AT_ONE)
    assert value == pytest.approx(wanted, rel=1e-12)
    found = [1.3 * gradient.between[0, 0], gradient.log_lengthscale, 0.2 * gradient.noise[0]]
    np.testing.assert_allclose(found, slope, rtol=1e-9)
    mean, deviation = twin.predict(NEW, return_std=True)
    np.testing.assert_allclose(predict(ONE, AT_ONE, NEW, 0)[0], mean, rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(predict(ONE, AT_ONE, NEW, 0)[1]), deviation, rtol=1e-9)


def test_two_tasks_are_gpytorchs_index_kernel():
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gpytorch = pytest.importorskip("gpytorch")
    tensor = torch.as_tensor
    inputs, tasks = tensor(DATA.inputs), tensor(DATA.tasks)[:, None]
    noise = tensor(AT.noise[DATA.tasks] + JITTER)

    class Twin(gpytorch.models.ExactGP):
        def __init__(self, likelihood):
            super().__init__((inputs, tasks), tensor(DATA.outputs), likelihood)
            self.means = gpytorch.means.ZeroMean()
            self.inner = gpytorch.kernels.RBFKernel().double()
            self.between = gpytorch.kernels.IndexKernel(num_tasks=2, rank=1).double()
            self.inner.lengthscale = AT.lengthscale
            # B = wwᵀ + diag(v)
            w = torch.tensor([[1.0], [-0.6]], dtype=torch.float64)
            self.between.covar_factor.data = w
            self.between.var = torch.tensor([1.3 - 1.0, 0.8 - 0.36], dtype=torch.float64)

        def forward(self, x, task):
            covariance = self.inner(x).mul(self.between(task))
            return gpytorch.distributions.MultivariateNormal(self.means(x), covariance)

    likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(noise)
    twin = Twin(likelihood)
    exact = gpytorch.settings.fast_computations(log_prob=False, covar_root_decomposition=False, solves=False)
    with warnings.catch_warnings(), torch.no_grad(), exact:
        warnings.simplefilter("ignore")
        joint = twin.train()(inputs, tasks)
        value = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, twin)(joint, tensor(DATA.outputs))
        target = torch.ones((6, 1), dtype=torch.long)
        posterior = twin.eval()(tensor(NEW), target)
        mean, variance = posterior.mean.numpy(), posterior.variance.numpy()
    assert log_likelihood(DATA, AT)[0] == pytest.approx(14 * float(value), rel=1e-8)
    np.testing.assert_allclose(predict(DATA, AT, NEW, 1)[0], mean, rtol=1e-6)
    np.testing.assert_allclose(predict(DATA, AT, NEW, 1)[1], variance + AT.noise[1], rtol=1e-6)


def test_far_from_all_examples_the_prior_comes_back():
    mean, variance = predict(DATA, AT, np.full((1, 3), 1e3), 1)
    np.testing.assert_allclose([mean[0], variance[0]], [0.0, 0.8 + 0.05], atol=1e-12)


def test_what_is_no_covariance_is_refused():
    twice = Observations(np.zeros((2, 1)), np.zeros(2), np.array([0, 0]))
    impossible = Hyperparameters(np.array([[1.0]]), 1.0, np.array([-0.5]))
    for call in (log_likelihood, lambda *given: predict(*given, np.zeros((1, 1)), 0)):
        with pytest.raises(ValueError, match="not positive definite; give every task some noise"):
            call(twice, impossible)


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        (np.zeros((0, 2)), np.zeros(0), "at least one example"),
        (np.zeros(3), np.zeros(3), "must be a table"),
        (np.zeros((3, 1)), np.zeros(2), "one output and one task for each example"),
        (np.array([[np.nan]]), np.zeros(1), "must be finite"),
        (np.zeros((1, 1)), np.array([np.inf]), "must be finite"),
    ],
)
def test_data_that_are_no_observations_are_refused(inputs, outputs, says):
    with pytest.raises(ValueError, match=says):
        Observations(inputs, outputs, np.zeros(len(outputs), dtype=np.intp))


@pytest.mark.parametrize("tasks", [2, 4])
def test_fewer_or_more_tasks_than_outputs_are_refused(tasks):
    with pytest.raises(ValueError, match="one output and one task for each example"):
        Observations(np.zeros((3, 1)), np.zeros(3), np.zeros(tasks, dtype=np.intp))
