"""Gaussian processes across real tasks: no leak from the test, examples drawn by name, and data that will not do."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from scipy.stats import norm

from tlbench import datasets, protocol, studies
from tlbench.datasets import DataError, Options, RegressionTables
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.studies.gaussian_processes import gp_transfer as study
from tlbench.studies.gaussian_processes.conditions import SAYS, Scale, measure
from tlbench.study import Block

PARAMETERS = {
    "labels": [4, 12],
    "draws": 2,
    "source_examples": 30,
    "test_examples": 2000,
    "outputs": "together",
    "seed": 0,
}
DIABETES = datasets.open_tables("diabetes", Options(), None)
UNIT = "sex 1 to sex 2, draw 02"


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def values(drawn, condition="adaptive", unit=UNIT, **changed):
    block = Block("gp_transfer", 1, unit, (0,), condition, (condition,), {**PARAMETERS, **changed}, "x")
    table = study.compute([drawn], block, None)["measurements"]
    assert table["condition"] == [condition] * len(table["value"])
    return dict(zip(zip(table["labels"], table["metric"], strict=True), table["value"], strict=True))


def drawn(**changed):
    return study.draw(DIABETES, parameters(**changed), UNIT, 0)


def test_source_labels_and_test_are_the_tasks_own_and_apart():
    found = drawn()
    assert len(found.source[1]) == 30
    assert len(found.target[1]) + len(found.test[1]) == 207
    rows = np.column_stack(found.source)
    everyone = np.column_stack([DIABETES.inputs["sex 1"], DIABETES.targets["sex 1"]])
    assert all((everyone == row).all(axis=1).any() for row in rows)
    target = np.concatenate([np.column_stack(found.target), np.column_stack(found.test)])
    wanted = np.column_stack([DIABETES.inputs["sex 2"], DIABETES.targets["sex 2"]])
    np.testing.assert_array_equal(np.unique(target, axis=0), np.unique(wanted, axis=0))


def test_draws_depend_on_unit_split_and_seed_alone():
    np.testing.assert_array_equal(drawn().test[1], drawn(draws=9, outputs="each").test[1])
    np.testing.assert_array_equal(drawn().target[1][:5], drawn(labels=[5]).target[1])
    others = (
        study.draw(DIABETES, parameters(), "sex 1 to sex 2, draw 01", 0),
        study.draw(DIABETES, parameters(), UNIT, 1),
        drawn(seed=1),
    )
    for other in others:
        assert not np.array_equal(drawn().target[1], other.target[1])
        assert not np.array_equal(drawn().source[1], other.source[1])


@pytest.mark.slow
@pytest.mark.parametrize("condition", SAYS)
def test_nothing_of_the_test_reaches_what_is_learned(condition, monkeypatch):
    """With other test patients and other outputs, the prediction of a patient and λ are the same."""
    seen = []

    def spy(mean, variance, truth):
        seen.append((mean[0], variance[0]))
        return measure(mean, variance, truth)

    monkeypatch.setattr(study, "measure", spy)
    found = drawn()
    inputs = np.concatenate([found.test[0][:1], 9.0 * found.test[0][1:20] + 100.0])
    other = replace(found, test=(inputs, found.test[1][:20][::-1] - 1000.0))
    one, changed = values(found, condition), values(other, condition)
    np.testing.assert_allclose(seen[:2], seen[2:], rtol=1e-8)
    for labels in PARAMETERS["labels"]:
        assert one[labels, "lambda"] == changed[labels, "lambda"]
        assert one[labels, "error"] != changed[labels, "error"]


def test_without_transfer_the_source_does_not_matter():
    found = drawn()
    other = replace(found, source=(found.source[0] * 2, -found.source[1]))
    assert values(found, "none") == values(other, "none")
    assert values(found, "pooled") != values(other, "pooled")


def test_fewer_labels_are_the_first_of_more():
    found = drawn()
    changed = (found.target[0].copy(), found.target[1].copy())
    changed[1][4:] += 50.0
    other = replace(found, target=changed)
    few, many = values(found), values(other)
    assert few[4, "error"] == many[4, "error"]
    assert few[12, "error"] != many[12, "error"]


def test_units_of_measurement_do_not_matter():
    found = drawn(outputs="each")
    scaled = replace(
        found,
        target=(found.target[0], 7.0 * found.target[1] - 3.0),
        test=(found.test[0], 7.0 * found.test[1] - 3.0),
    )
    one, other = values(found, outputs="each"), values(scaled, outputs="each")
    for key, value in one.items():
        assert other[key] == pytest.approx(value, rel=1e-3, abs=1e-3)


def test_what_is_measured_is_what_it_says():
    rng = np.random.default_rng(0)
    truth = 5.0 + 2.0 * rng.standard_normal(100_000)
    flat = measure(np.full_like(truth, truth.mean()), np.full_like(truth, truth.var()), truth)
    assert flat["error"] == pytest.approx(100.0)
    assert flat["nlpd"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e))
    assert flat["coverage"] == pytest.approx(95.0, abs=0.3)
    mean, variance = np.array([0.0, 1.0, 4.0]), np.array([1.0, 4.0, 0.01])
    outputs = np.array([0.5, -1.0, 6.0])
    found, size = measure(mean, variance, outputs), outputs.std()
    wanted = -norm(mean / size, np.sqrt(variance) / size).logpdf(outputs / size).mean()
    assert found["nlpd"] == pytest.approx(wanted)
    assert found["coverage"] == pytest.approx(200 / 3)
    assert found["miscoverage"] == pytest.approx(95 - 200 / 3)
    assert found["error"] == pytest.approx(100 * (0.25 + 4 + 4) / 3 / outputs.var())


def test_a_column_that_does_not_vary_is_only_shifted():
    np.testing.assert_array_equal(Scale.of(np.array([[3.0], [3.0]]))(np.array([[5.0]])), [[2.0]])


def tables(**outputs):
    rng = np.random.default_rng(1)
    return RegressionTables(
        {task: rng.normal(size=(len(values), 1)) for task, values in outputs.items()},
        {task: np.asarray(values, dtype=float) for task, values in outputs.items()},
        ("x",),
    )


def test_every_ordered_pair_of_tasks_is_a_direction():
    found = study.units(tables(a=range(30), b=range(30), c=range(30)), parameters(draws=1))
    assert list(found) == [f"{pair}, draw 01" for pair in ("a to b", "a to c", "b to a", "b to c", "c to a", "c to b")]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tables(a=range(30)), "one task, 'a'; transfer needs at least two"),
        (tables(a=range(30), b=range(26)), "'b' has 26 examples; 12 labels and a test of at least 15 need 27"),
        (tables(a=range(30), b=np.ones(30)), "all outputs of task 'b' are the same"),
    ],
)
def test_data_that_will_not_do_are_refused(data, says):
    with pytest.raises(DataError, match=says):
        study.units(data, parameters())


def test_a_test_whose_outputs_are_all_the_same_is_refused():
    data = tables(a=range(400), b=[1.0] + [0.0] * 399)
    with pytest.raises(DataError, match="choose more test examples or another seed"):
        study.draw(data, parameters(test_examples=15), "a to b, draw 01", 0)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("outputs", "apart", "outputs"),
        ("labels", "1", "labels"),
        ("source_examples", "1", "source_examples"),
        ("test_examples", "3", "test_examples"),
        ("draws", "0", "draws"),
    ],
)
def test_settings_that_will_not_do_are_named(key, value, says):
    with pytest.raises(ProtocolError, match=says):
        resolve(protocol.read("gp-transfer"), study.STUDY, "smoke", {key: value})


def test_the_shipped_protocol_plans_a_block_a_draw_and_a_condition():
    declared = protocol.read("gp-transfer")
    found = studies.find(declared.study)
    plan = make_plan(declared, found, resolve(declared, found, "smoke", {}), DIABETES, DIABETES.fingerprint)
    assert len(plan.blocks) == 2 * 2 * len(SAYS)
    assert resolve(declared, found, None, {}, "sarcos").parameters["outputs"] == "each"
