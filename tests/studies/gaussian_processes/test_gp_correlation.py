"""Tasks of known correlation: they are what they say, the truth keeps its promise, and the picture shows one draw."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from tlbench import datasets, protocol
from tlbench.datasets import DataError, Options
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.studies.gaussian_processes import gp_correlation as study
from tlbench.studies.gaussian_processes.pictured_functions import draw_functions, empty_functions, pictured_labels
from tlbench.study import Block

PARAMETERS = {
    "labels": [4, 12],
    "correlation": [-0.9, 0.0, 0.9],
    "draws": 2,
    "source_examples": 30,
    "test_examples": 40,
    "lengthscale": 0.4,
    "noise": 0.05,
    "seed": 0,
}
NOTHING = datasets.open_data("tasks", Options(), None)


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def tables(condition, unit="draw 001", **changed):
    block = Block("gp_correlation", 1, unit, (0,), condition, (condition,), {**PARAMETERS, **changed}, "x")
    found = study.compute(study.prepare(NOTHING, block), block, None)
    return {name: pd.DataFrame(columns) for name, columns in found.items()}


def test_functions_correlate_as_they_should_and_share_their_target():
    """Over many draws of functions at one input: source without noise, target without noise."""
    few = parameters(noise=1e-4, source_examples=2, test_examples=15, correlation=[-1.0, -0.6, 0.3, 1.0])
    draws = [study.draw(few, f"draw {number}", 0) for number in range(1500)]
    targets = np.array([d.functions for d in draws])
    np.testing.assert_allclose([targets.mean(), targets.std()], [0.0, 1.0], atol=0.06)
    for d in draws[:20]:
        np.testing.assert_allclose(d.sources[1.0][1], -d.sources[-1.0][1], atol=0.1)
    for rho in few.correlation:
        products = []
        for d in draws:
            inputs, outputs = d.sources[rho]
            near = np.exp(-np.square(inputs - d.test[0].T) / (2 * few.lengthscale**2))
            # E f_S(x) f_T(x') = ρ k(x, x'): the slope of products on k.
            products.append((near * outputs[:, None] * d.functions).sum() / np.square(near).sum())
        assert np.mean(products) == pytest.approx(rho, abs=0.12)


@pytest.mark.slow
def test_the_model_behind_the_tasks_covers_what_it_promises():
    found = pd.concat(
        [tables("truth", f"draw {n:03}", test_examples=200)["measurements"] for n in range(40)], ignore_index=True
    )
    coverage = found[found["metric"] == "coverage"]["value"]
    assert coverage.mean() == pytest.approx(95.0, abs=1.5)
    lambdas = found[found["metric"] == "lambda"]
    np.testing.assert_array_equal(lambdas["value"], lambdas["correlation"])


def test_without_transfer_the_correlation_does_not_matter_and_lambda_is_zero():
    found = tables("none")
    wide = found["measurements"].pivot_table(index=["labels", "metric"], columns="correlation", values="value")
    np.testing.assert_array_equal(wide[-0.9], wide[0.9])
    assert (found["correlations"]["learned"] == 0.0).all()


def test_the_learned_correlation_follows_the_truth():
    found = tables("adaptive-staged", source_examples=60, labels=[30])["correlations"]
    learned = found.set_index("correlation")["learned"]
    assert learned[-0.9] < -0.5 < learned[0.0] < 0.5 < learned[0.9]


def test_conditions_share_their_draws_and_units_do_not():
    one, two = (study.draw(parameters(draws=draws), "draw 001", 0) for draws in (2, 5))
    np.testing.assert_array_equal(one.test[1], two.test[1])
    for other in (study.draw(parameters(), "draw 002", 0), study.draw(parameters(seed=1), "draw 001", 0)):
        assert not np.isclose(one.test[1][0], other.test[1][0])


@pytest.mark.slow
def test_the_first_draw_is_pictured_and_no_other():
    assert pictured_labels([5, 10, 20, 40]) == 10
    first, other = tables("adaptive")["functions"], tables("adaptive", "draw 002")["functions"]
    assert other.empty
    assert list(other.columns) == list(study.FUNCTIONS)
    assert tables("multi-task")["functions"].empty
    assert set(first["labels"]) == {4}
    amounts = first[first["correlation"] == 0.9]["what"].value_counts()
    assert amounts.to_dict() == {"source": 30, "labelled": 4, "function": 40, "prediction": 40}
    band = first[first["what"] == "prediction"]
    assert (band["low"] < band["value"]).all()
    assert (band["value"] < band["high"]).all()
    drawn = draw_functions({"functions": pd.concat([first, tables("none")["functions"]], ignore_index=True)})
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    assert titles[0] == "no transfer"
    assert [title.split(",")[0] for title in titles[1:]] == ["ρ = −0.9", "ρ = 0", "ρ = 0.9"]
    assert draw_functions({"functions": pd.DataFrame(empty_functions())}) is None


def test_data_with_examples_are_refused():
    with pytest.raises(DataError, match="draws its own tasks; leave --dataset out, or name 'tasks'"):
        study.units(datasets.open_data("digits", Options(), None), parameters())


@pytest.mark.parametrize(
    ("key", "value"),
    [("correlation", "-1.5"), ("noise", "0.0"), ("lengthscale", "0.01"), ("labels", "1"), ("test_examples", "2")],
)
def test_settings_that_will_not_do_are_named(key, value):
    with pytest.raises(ProtocolError, match=key):
        resolve(protocol.read("gp-correlation"), study.STUDY, "smoke", {key: value})


def test_the_shipped_protocol_plans_a_block_a_draw_and_a_condition():
    declared = protocol.read("gp-correlation")
    plan = make_plan(declared, study.STUDY, resolve(declared, study.STUDY, "smoke", {}), NOTHING, NOTHING.fingerprint)
    assert len(plan.blocks) == 3 * len(study.SAYS)
