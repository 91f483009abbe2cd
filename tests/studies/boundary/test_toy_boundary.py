"""The plane: exact accuracies against counting, machines against scikit-learn's, and what the picture is drawn from."""

from __future__ import annotations

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from tlbench import datasets, protocol
from tlbench.datasets import DataError, Options
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.boundary import toy_boundary as study
from tlbench.studies.boundary.clouds import Clouds, turned
from tlbench.study import Block

PARAMETERS = {
    "points": [1, 3],
    "draws": 3,
    "angle": 15.0,
    "gap": 1.6,
    "along": 1.8,
    "across": 0.5,
    "source_points": 40,
    "too_much": 3.0,
    "far_too_much": 10.0,
    "C": 1.0,
    "shown_draw": 2,
    "shown_split": 1,
    "shown_points": 3,
    "seed": 0,
}
NOTHING = datasets.open_data("tasks", Options(), None)


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def block(unit="draw 001", splits=(0, 1), conditions=tuple(study.SAYS), **changed):
    return Block("toy_boundary", 1, unit, tuple(splits), "all", conditions, {**PARAMETERS, **changed}, "x")


def tables(**given):
    asked = block(**given)
    return study.compute(study.prepare(NOTHING, asked), asked, None)


def values(found, metric="accuracy"):
    rows = found["measurements"]
    keys = zip(rows["condition"], rows["split"], rows["points"], rows["metric"], rows["value"], strict=True)
    return {(c, s, p): v for c, s, p, m, v in keys if m == metric}


def test_accuracies_are_what_counting_gives():
    clouds = Clouds(turned(np.array([1.0, 0.0]), 30.0), 1.6, 1.8, 0.5)
    labels = np.repeat([1.0, -1.0], 100_000)
    points = clouds.draw(labels, np.random.default_rng(0))
    for weights, bias in (([0.3, 1.0], 0.2), ([-1.0, 0.4], -0.5), ([2.0, 0.1], 0.0)):
        right = 100 * np.mean(np.sign(points @ np.array(weights) + bias) == labels)
        assert clouds.accuracy(np.array(weights), np.array(bias)) == pytest.approx(right, abs=0.3)
    assert clouds.accuracy(np.zeros(2), np.array(1.0)) == 50.0


def test_no_line_beats_the_best_boundary():
    clouds = Clouds(np.array([0.6, 0.8]), 1.6, 1.8, 0.5)
    best = clouds.accuracy(clouds.normal, np.zeros(()))
    assert best == pytest.approx(94.52, abs=0.01)
    rng = np.random.default_rng(1)
    assert (clouds.accuracy(rng.normal(size=(500, 2)), rng.normal(size=500)) < best).all()


def test_sources_stand_where_they_should():
    target, (related, unrelated) = study.draw_clouds(parameters(), "draw 003")
    assert np.rad2deg(np.arccos(target.normal @ related.normal)) == pytest.approx(15.0)
    assert target.normal @ unrelated.normal == pytest.approx(0.0, abs=1e-12)


def test_a_machine_is_a_ridge_regression_that_leans_on_its_source():
    """½‖w − βw_s‖² + (C/2) Σ (y − w·x − b)²: with as many of each class ζ = 1."""
    plane = study.prepare(NOTHING, block())
    for condition in study.SAYS:
        beta = study.weights_of(plane, condition, parameters().beta_of(condition))
        weights, bias = study.boundary(plane, beta)
        for split in (0, 1):
            for place, count in enumerate((1, 3)):
                x = plane.training[split, : 2 * count]
                borrowed, offset = beta[split, place] @ plane.source_weights, beta[split, place] @ plane.source_biases
                left = np.tile([1.0, -1.0], count) - x @ borrowed - offset
                twin = Ridge(alpha=1.0).fit(x, left)
                np.testing.assert_allclose(weights[split, place], borrowed + twin.coef_, atol=1e-9)
                np.testing.assert_allclose(bias[split, place], offset + twin.intercept_, atol=1e-9)


def test_few_points_are_the_first_of_many():
    one, other = values(tables(points=[1, 3])), values(tables(points=[1, 3, 6], shown_points=1))
    for cell, value in one.items():
        assert other[cell] == pytest.approx(value)


def test_weights_are_those_of_each_condition():
    plane = study.prepare(NOTHING, block())
    measured = values(tables(), "beta")
    for condition in study.SAYS:
        beta = study.weights_of(plane, condition, parameters().beta_of(condition))
        leaned, other = (1, 0) if condition.startswith("unrelated") else (0, 1)
        assert (beta[..., other] == 0.0).all()
        if condition.endswith("learned"):
            assert ((beta >= 0.0) & (beta <= 1.0)).all()
            for place, points in enumerate((1, 3)):
                assert measured[condition, 1, points] == beta[1, place, leaned]
        else:
            weight = {"none": 0.0, "too-much": 3.0, "far-too-much": 10.0}.get(condition, 1.0)
            assert (beta[..., leaned] == weight).all()
    assert {condition for condition, _, _ in measured} == {"learned", "unrelated-learned"}


def test_with_plenty_the_source_is_learned_to_be_related_or_not():
    asked = {"points": [400], "shown_points": 400, "splits": (0,), "angle": 2.0}
    beta, right = values(tables(**asked), "beta"), values(tables(**asked))
    assert beta["unrelated-learned", 0, 400] < 0.05
    assert min(right.values()) > 94.0


def test_a_source_that_is_the_target_is_worth_the_best_boundary():
    asked = {"angle": 0.0, "source_points": 400, "splits": tuple(range(10))}
    right = values(tables(**asked))
    alone, leaning = (np.mean([right[name, split, 1] for split in range(10)]) for name in ("none", "fixed"))
    assert leaning > alone + 5
    plane = study.prepare(NOTHING, block(**asked))
    assert plane.target.accuracy(plane.source_weights[0], plane.source_biases[0]) > 94.2


def test_draws_and_splits_are_their_own():
    def first(**given):
        return study.prepare(NOTHING, block(**given)).training[0, 0]

    np.testing.assert_array_equal(first(), first(C=5.0, angle=3.0))
    np.testing.assert_array_equal(study.prepare(NOTHING, block()).training[1, 0], first(splits=(1,)))
    for other in (first(unit="draw 002"), first(seed=1), first(splits=(1,))):
        assert not np.allclose(first(), other)


def test_only_the_draw_that_is_shown_leaves_what_the_picture_needs():
    assert set(tables()) == {"measurements"}
    assert set(tables(unit="draw 002", splits=(2, 3))) == {"measurements"}
    found = tables(unit="draw 002")
    lines = pd.DataFrame(found["boundaries"]).set_index("condition")
    assert tuple(found["boundaries"]) == study.BOUNDARIES
    assert tuple(found["drawn_points"]) == study.POINTS
    assert list(lines.index) == [*study.SAYS, "source", "unrelated-source", "truth"]
    measured = values(found)
    for condition in study.SAYS:
        assert lines.loc[condition, "accuracy"] == pytest.approx(measured[condition, 1, 3])
    points = pd.DataFrame(found["drawn_points"])
    few = points[points["of"] == "target"]
    np.testing.assert_allclose(
        few[["x", "y"]].to_numpy(), study.prepare(NOTHING, block(unit="draw 002")).training[1, :6]
    )
    assert few["label"].tolist() == [1, -1] * 3


def test_the_picture_is_drawn_from_tables_alone():
    found = {name: pd.DataFrame(columns) for name, columns in tables(unit="draw 002").items()}
    drawn = study.draw_boundary(found)
    assert len(drawn.axes) == 4
    words = " ".join(text.get_text() for axes in drawn.axes for text in axes.texts)
    assert "Leaning on an unrelated source" in words
    right = found["boundaries"].set_index("condition").loc["fixed", "accuracy"]
    assert f"β = 1, right {right:.0f} % of the time" in words
    assert study.draw_boundary({"measurements": found["measurements"]}) is None


def test_a_run_without_some_conditions_draws_the_other_panels():
    found = tables(unit="draw 002", conditions=("none", "learned"))
    assert len(study.draw_boundary({name: pd.DataFrame(columns) for name, columns in found.items()}).axes) == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"C": float("inf")}, "<= 1000000000000"),
        ({"shown_points": 2}, "shown_points must be one of the points that are run: 1, 3"),
        ({"shown_draw": 4}, "shown_draw must be one of the 3 draws"),
        ({"points": [0]}, ">= 1"),
        ({"too_much": 1.0}, "> 1"),
        ({"angle": 91.0}, "<= 90"),
    ],
)
def test_parameters_that_will_not_do(changed, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        parameters(**changed)


def test_data_with_examples_are_refused():
    with pytest.raises(DataError, match="draws its own points; leave --dataset out, or name 'tasks'"):
        study.cut(datasets.open_data("digits", Options(), None), parameters(), tuple(study.SAYS), 1)


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_the_shipped_protocol_plans_under_every_profile(profile):
    declared = protocol.read("toy-boundary")
    settings = resolve(declared, study.STUDY, profile, {})
    plan = make_plan(declared, study.STUDY, settings, NOTHING, NOTHING.fingerprint)
    assert any(
        part.unit == f"draw {settings.choices['shown_draw']:03}" and settings.choices["shown_split"] in part.splits
        for part in plan.blocks
    )
