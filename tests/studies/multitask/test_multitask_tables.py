"""Tasks of a table: disjoint units, tests apart from training, and what is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from tlbench import protocol
from tlbench.datasets import DataError, Options, RegressionTables, open_tables
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.multitask import multitask_tables as study
from tlbench.studies.multitask.task_samples import groups_of, regressions
from tlbench.study import Block

PARAMETERS = {
    "examples": [4, 8],
    "groups": 2,
    "parts": 1,
    "folds": 4,
    "lambda_alone": [0.01, 0.05, 0.2, 1.0],
    "lambda_1": [0.01, 0.1],
    "lambda_2": [0.01, 0.2],
    "seed": 0,
}


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def schools(count=6, pupils=40):
    """Schools whose scores follow one rule, each with a level of its own; one attribute is the same for all."""
    rng = np.random.default_rng(0)
    inputs = {f"school {place}": rng.integers(0, 3, (pupils, 4)).astype(float) for place in range(count)}
    for values in inputs.values():
        values[:, 3] = 1.0
    rule = np.array([3.0, -2.0, 1.0, 0.0])
    targets = {name: x @ rule + rng.normal() * 5 + rng.normal(size=pupils) for name, x in inputs.items()}
    return RegressionTables(inputs, targets, ("a", "b", "c", "same"))


def test_units_are_disjoint_and_hold_everything():
    data = schools()
    found = groups_of(data, 2, 3, 4, 0)
    assert list(found) == [f"group {group:02} part {part:02}" for group in (1, 2) for part in (1, 2, 3)]
    for name, targets in data.targets.items():
        rows = np.concatenate([members[name] for members in found.values() if name in members])
        np.testing.assert_array_equal(np.sort(rows), np.arange(len(targets)))
    assert {len(members) for members in found.values()} == {3}


def test_what_is_trained_on_is_not_tested_on():
    data = schools()
    members = groups_of(data, 1, 2, 8, 0)["group 01 part 02"]
    drawn = regressions(data, members, 8, 0, "group 01 part 02", 0)
    for name, trained, tested in zip(drawn.names, drawn.targets, drawn.test_targets, strict=True):
        assert len(trained) == 8
        both = np.sort(np.concatenate([trained, tested]))
        np.testing.assert_array_equal(both, np.sort(data.targets[name][members[name]]))


def test_one_rule_for_all_is_worth_learning_together():
    data = schools()
    block = Block("multitask_tables", 1, "group 01 part 01", (0, 1, 2), "x", tuple(study.STUDY.says), PARAMETERS, "x")
    found = study.compute(study.prepare(data, block), block, None)
    measured = pd.DataFrame(found["measurements"])
    assert set(measured["metric"]) == {"explained_variance"}
    assert "relation" not in measured
    means = measured.groupby(["condition", "examples"])["value"].mean()
    assert means["mtrl", 4] > means["single-task", 4]
    assert len(study.draw_relationships({name: pd.DataFrame(columns) for name, columns in found.items()}).axes) == 3


@pytest.mark.parametrize(
    ("changed", "data", "says"),
    [
        ({"groups": 4}, schools(), "6 tasks are too few for 4 groups of two or more; set fewer groups"),
        ({"parts": 4}, schools(), "has 40 examples: in 4 parts too few to train on 8 and test on 5"),
        ({}, schools(pupils=12), "has 12 examples: in 1 part too few"),
        (
            {},
            RegressionTables({"a": np.eye(40), "b": np.eye(40)}, {"a": np.ones(40), "b": np.arange(40.0)}, ("c",) * 40),
            "task 'a' has the same target everywhere; remove it",
        ),
    ],
)
def test_tables_that_will_not_do(changed, data, says):
    with pytest.raises(DataError, match=says):
        study.STUDY.cut(data, parameters(**changed), ("mtrl",), 1)


def test_budgets_that_differ_are_refused():
    with pytest.raises(msgspec.ValidationError, match="give both the same number"):
        parameters(lambda_1=[0.1])


def test_the_shipped_protocol_plans_on_patients_and_on_schools(tmp_path):
    declared = protocol.read("multitask-regression")
    data = open_tables("diabetes", Options(), tmp_path)
    plan = make_plan(declared, study.STUDY, resolve(declared, study.STUDY, "smoke", {}, "diabetes"), data, "x")
    assert len({block.unit for block in plan.blocks}) == 8
    assert resolve(declared, study.STUDY, "smoke", {}, "school").choices["groups"] == 10
