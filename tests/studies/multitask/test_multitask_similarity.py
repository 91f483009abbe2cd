"""What is drawn, from the truth and from pictures; what is written; and what is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest

from tlbench import datasets, protocol
from tlbench.datasets import DataError, Options
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.multitask import multitask_similarity as study
from tlbench.studies.multitask.task_samples import draw_tasks, one_against_rest, parts_of
from tlbench.study import Block

PARAMETERS = {
    "examples": [4, 8],
    "relation": "mixed",
    "draws": 2,
    "loadings": [0.9, 0.8, -0.9, 0.0],
    "alike": 0.95,
    "dimensions": 6,
    "noise": 0.5,
    "test_examples": 30,
    "folds": 4,
    "lambda_alone": [0.01, 0.05, 0.2, 1.0],
    "lambda_1": [0.01, 0.1],
    "lambda_2": [0.01, 0.2],
    "seed": 0,
}
NOTHING = datasets.open_data("tasks", Options(), None)
CONDITIONS = ("single-task", "pooled", "mtrl", "known-relations")


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def tables(data=NOTHING, conditions=CONDITIONS, unit="draw 001", splits=(0,), **changed):
    block = Block("multitask_similarity", 1, unit, splits, "x", conditions, {**PARAMETERS, **changed}, "x")
    found = study.compute(study.prepare(data, block), block, None)
    return {name: pd.DataFrame(columns) for name, columns in found.items()}


def test_tasks_have_the_correlations_that_were_asked_for():
    drawn = draw_tasks([0.9, -0.5, 0.0], 8, 0.0, 40, 60, 0, "draw 001", 0)
    weights = np.stack([np.linalg.lstsq(x, y)[0] for x, y in zip(drawn.inputs, drawn.targets, strict=True)])
    np.testing.assert_allclose(weights @ weights.T, drawn.known, atol=1e-9)
    np.testing.assert_allclose(drawn.known, [[1.0, -0.45, 0.0], [-0.45, 1.0, 0.0], [0.0, 0.0, 1.0]], atol=1e-12)
    for x, y, w in zip(drawn.test_inputs, drawn.test_targets, weights, strict=True):
        np.testing.assert_allclose(x @ w, y, atol=1e-9)


def test_few_examples_are_the_first_of_many_and_relations_share_examples():
    few, many = (draw_tasks([0.9, 0.0], 5, 0.5, most, 30, 0, "draw 001", 0) for most in (4, 9))
    for one, other in zip(few.inputs, many.inputs, strict=True):
        np.testing.assert_array_equal(one, other[:4])
    alike = draw_tasks([0.95, 0.95], 5, 0.5, 4, 30, 0, "draw 001", 0)
    np.testing.assert_array_equal(alike.inputs, few.inputs)
    for other in (
        draw_tasks([0.9, 0.0], 5, 0.5, 4, 30, *changed)
        for changed in ((1, "draw 001", 0), (0, "b", 0), (0, "draw 001", 1))
    ):
        assert not np.allclose(few.inputs[0], other.inputs[0])


def test_parts_of_the_digits_share_no_picture(digits):
    parts = parts_of(digits, 10, 16, 0)
    every = np.concatenate([rows for part in parts for rows in part.values()])
    np.testing.assert_array_equal(np.sort(every), np.arange(len(digits.identities)))
    assert {"", "zero", "nine"} <= set(parts[0])


def test_one_against_the_rest_trains_and_tests_on_different_pictures(digits):
    part = parts_of(digits, 10, 8, 0)[3]
    drawn = one_against_rest(digits, part, 8, 0, "draw 004", 0)
    pixels = digits.features["pixels"]
    place = {values.tobytes(): row for row, values in enumerate(pixels)}
    tests = {place[values.tobytes()] for each in drawn.test_inputs for values in each}
    for name, inputs, targets, weights in zip(
        drawn.names, drawn.inputs, drawn.targets, drawn.test_weights, strict=True
    ):
        rows = np.array([place[values.tobytes()] for values in inputs])
        assert not tests & set(rows)
        np.testing.assert_array_equal(targets, [1.0, -1.0] * 4)
        np.testing.assert_array_equal(np.isin(rows, digits.categories[name]), targets > 0)
        assert len(set(rows)) == 8
        assert weights.sum() == pytest.approx(1.0)
    assert tests <= {row for rows in part.values() for row in rows}


def test_scores_relations_and_their_truth_are_written():
    found = tables()
    measured = found["measurements"]
    assert set(measured["metric"]) == {"explained_variance", "unrelated_variance", "negatives_found"}
    assert len(measured) == 4 * 2 * 3
    by = measured.set_index(["condition", "examples", "metric"])["value"]
    assert by["known-relations", 4, "negatives_found"] == 100.0
    assert by["pooled", 4, "negatives_found"] == 0.0
    assert found["relationships"].empty
    relations = found["known_relationships"]
    assert tuple(relations.columns) == study.STUDY.tables["known_relationships"]
    assert len(relations) == 2 * 6
    pair = relations[relations["pair"] == "1 (+0.9) & 3 (-0.9)"].iloc[0]
    assert pair["known"] == pytest.approx(-0.81)
    assert -0.81 < pair["ideal"] < 0.0


def test_alike_tasks_have_no_opposites_and_no_outsiders():
    measured = tables(relation="alike", conditions=("pooled",))["measurements"]
    assert set(measured["metric"]) == {"explained_variance"}
    assert set(measured["relation"]) == {"alike"}


def test_digits_have_an_accuracy_and_no_truth(digits):
    found = tables(digits, ("single-task", "mtrl"), relation="as-found", draws=10)
    assert set(found["measurements"]["metric"]) == {"explained_variance", "balanced_accuracy"}
    assert found["known_relationships"].empty
    assert len(found["relationships"]) == 2 * 36
    assert (found["measurements"]["value"].abs() <= 100.0).all()
    drawn = study.draw_relationships(found)
    assert len(drawn.axes) == 3
    assert drawn.axes[0].get_yticklabels()[0].get_text() == "zero"


def test_the_figure_shows_the_truth_beside_what_was_learned():
    drawn = study.draw_relationships(tables(conditions=("mtrl",)))
    titles = [axes.get_title(loc="left") for axes in drawn.axes[:-1]]
    assert titles == ["as drawn", "Ω of the true weights", "Ω learned from 4 a task", "Ω learned from 8 a task"]
    image = drawn.axes[0].images[0].get_array()
    assert image[0, 2] == image[2, 0] == pytest.approx(-0.81)
    assert study.draw_relationships({}) is None


def test_more_examples_are_better():
    by = tables(examples=[4, 60], test_examples=200)["measurements"].set_index(["condition", "examples", "metric"])
    for condition in ("single-task", "mtrl", "known-relations"):
        few, many = (by.loc[(condition, count, "explained_variance"), "value"] for count in (4, 60))
        assert many > max(few, 85.0)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"lambda_1": [0.1]}, "lambda_alone has 4 candidates and lambda_1 × lambda_2 has 2; give both the same number"),
        ({"dimensions": 4}, "4 tasks need more dimensions than 4"),
        ({"loadings": [0.5, 1.0]}, "< 1"),
        ({"lambda_2": [0.0, 1.0]}, ">= 1e-12"),
        ({"relation": "unlike"}, "relation"),
    ],
)
def test_parameters_that_will_not_do(changed, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        parameters(**changed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "the relation of these tasks is as-found; set relation to that"),
        ({"relation": "as-found", "examples": [4, 7]}, "set even numbers from 4 on"),
        ({"relation": "as-found", "examples": [2]}, "set even numbers from 4 on"),
        ({"relation": "as-found", "examples": [40], "draws": 10}, "has 178 examples: in 10 parts too few"),
    ],
)
def test_digits_that_do_not_fit_are_refused(digits, changed, says):
    with pytest.raises(DataError, match=says):
        study.cut(digits, parameters(**changed), CONDITIONS, 1)


def test_made_up_tasks_are_never_as_found():
    with pytest.raises(DataError, match="the relation of these tasks is alike or mixed"):
        study.cut(NOTHING, parameters(relation=["alike", "as-found"]), CONDITIONS, 1)


def test_the_shipped_protocol_plans_on_tasks_and_on_digits(digits):
    declared = protocol.read("multitask-similarity")
    settings = resolve(declared, study.STUDY, "smoke", {}, "tasks")
    plan = make_plan(declared, study.STUDY, settings, NOTHING, NOTHING.fingerprint)
    assert len(plan.blocks) == 4 * 2 * 3
    settings = resolve(declared, study.STUDY, "full", {}, "digits")
    plan = make_plan(declared, study.STUDY, settings, digits, digits.fingerprint)
    assert {block.parameters["relation"] for block in plan.blocks} == {"as-found"}
    assert "known" not in {block.group for block in plan.blocks}
    assert plan.cells == 10 * 2 * 3 * 3
