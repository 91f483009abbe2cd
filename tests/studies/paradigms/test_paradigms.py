"""The map as an experiment: its blocks, what it measures and refuses, and the drawing of it."""

from __future__ import annotations

import warnings
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from tlbench import protocol, studies
from tlbench.datasets import DataError, Options, open_data
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.studies.paradigms import paradigms as study
from tlbench.studies.paradigms.drawing import CELLS, PARADIGMS, draw_map
from tlbench.study import Block

from .conftest import domain

PARAMETERS = {
    "cell": ["same-all", "other-domain", "other-task"],
    "shots": [0, 1, 3],
    "classes": 3,
    "class_draws": 1,
    "source_examples": 5,
    "unlabelled": 6,
    "test_examples": 8,
    "bias": 2.0,
    "dimensions": 4,
    "mu": 1.0,
    "ridge": 1.0,
    "rounds": 3,
    "weak_c": 0.1,
    "C": 10.0,
    "seed": 0,
}


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def test_a_piece_for_each_unit_cell_and_group_that_is_meant_for_it(domains):
    pieces = study.cut(domains, parameters(), ["none", "pooled", "tca", "cca"], 11)
    of_one = [piece for piece in pieces if piece.unit == "near to far 1" and piece.splits[0] == 0]
    assert [(piece.at["cell"], piece.group, piece.at["shots"]) for piece in of_one] == [
        ("same-all", "target-alone", [1, 3]),
        ("same-all", "as-is", [0, 1, 3]),
        ("same-all", "tca", [0, 1, 3]),
        ("other-domain", "target-alone", [1, 3]),
        ("other-domain", "as-is", [0, 1, 3]),
        ("other-domain", "tca", [0, 1, 3]),
        ("other-task", "target-alone", [1, 3]),
    ]
    assert {piece.splits for piece in pieces} == {tuple(range(10)), (10,)}
    assert {piece.unit for piece in pieces} == {"near to far 1", "far to near 1"}


def test_conditions_that_need_labels_are_left_out_where_there_are_none(domains):
    pieces = study.cut(domains, parameters(shots=[0]), list(study.MEANT_FOR), 1)
    assert not {name for piece in pieces for name in piece.conditions} & set(study.NEEDS_LABELS)
    with pytest.raises(DataError, match="no condition that is asked for is meant for any cell"):
        study.cut(domains, parameters(shots=[0]), ["none"], 1)


def test_every_condition_has_a_learner_a_line_and_a_row_of_the_map():
    from tlbench.studies.paradigms.learners import LEARNERS

    names = set(study.SAYS)
    assert names == set(study.MEANT_FOR) == set(LEARNERS)
    assert names - {"none"} == {name for members in PARADIGMS.values() for name in members}
    assert set(CELLS) == {cell for cells in study.MEANT_FOR.values() for cell in cells}


@pytest.fixture(scope="module")
def measured(domains):
    """Both units of the small domains under every condition that needs no optional part."""
    names = ["none", "source-only", "pooled", "model", "tca"]
    parts = []
    for piece in study.cut(domains, parameters(), names, 2):
        block = Block(
            "paradigms", 1, piece.unit, piece.splits, piece.group, piece.conditions, {**PARAMETERS, **piece.at}, "x"
        )
        tables = study.compute(study.prepare(domains, block), block, None)
        parts.append(pd.DataFrame(tables["measurements"]).assign(unit=piece.unit))
    return pd.concat(parts, ignore_index=True)


def test_every_planned_cell_is_measured_once(measured):
    accuracies = measured[measured["metric"] == "balanced_accuracy"]
    keys = ["unit", "split", "condition", "cell", "shots"]
    assert not accuracies.duplicated(keys).any()
    # none and model: 3 cells × 2 shots; the others: 2 cells × 3 shots
    assert len(accuracies) == 2 * 2 * (2 * 3 * 2 + 3 * 2 * 3)
    assert accuracies["value"].between(0, 100).all()
    leanings = measured[measured["metric"] == "leaning"]
    assert set(leanings["condition"]) == {"model"}
    assert leanings["value"].between(0, 1 + 1e-6).all()


def test_the_target_alone_is_the_same_in_every_cell(measured):
    own = measured[measured["condition"] == "none"]
    assert (own.groupby(["unit", "split", "shots"])["value"].nunique() == 1).all()


def test_the_measure_is_that_of_scikit_learn():
    draw = np.random.default_rng(0)
    labels, decided = draw.integers(0, 4, 50), draw.integers(0, 4, 50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = 100 * balanced_accuracy_score(labels, decided)
    assert study.balanced_accuracy(decided, labels) == pytest.approx(expected)


def test_blocks_are_independent_of_their_company(domains):
    """Another list of cells or of conditions changes no block that is in both."""

    def blocks(**changed):
        pieces = study.cut(domains, parameters(**changed), ["pooled", "tca"], 1)
        return {(one.unit, one.at["cell"], one.group): {**PARAMETERS, **changed, **one.at} for one in pieces}

    few, many = blocks(cell=["same-all"]), blocks()
    assert all(many[key] == values for key, values in few.items())


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"shots": [0, 7]}, "'unlabelled' must be at least the most shots"),
        ({"shots": [-1]}, ">= 0"),
        ({"shots": []}, "length"),
        ({"cell": "nowhere"}, "nowhere"),
        ({"classes": 2}, ">= 3"),
        ({"C": float("inf")}, "<= 1000000000000"),
        ({"mu": 0.0}, ">= 1e-12"),
        ({"bias": float("nan")}, "bias"),
        ({"rounds": 0}, ">= 1"),
    ],
)
def test_parameters_that_will_not_do(changed, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        parameters(**changed)


def test_data_that_will_not_do(domains):
    with pytest.raises(DataError, match="shifted-digits, mnist-usps and office-caltech10"):
        study.cut(open_data("digits", Options(), None), parameters(), ["none"], 1)
    with pytest.raises(DataError, match="9 shots need 27"):
        study.cut(domains, parameters(shots=[9], unlabelled=9), ["none"], 1)
    once = type(domains)({"a": domain(1, 0.0, "a", second=False), "b": domain(2, 0.3, "b", second=False)})
    with pytest.raises(DataError, match=r"in one way; leave the cell out .*--set cell=same-all\)"):
        study.cut(once, parameters(cell=["same-all", "other-space"]), ["none"], 1)


def test_the_shipped_protocol_plans_on_the_digits():
    declared = protocol.read("paradigms")
    found = studies.find(declared.study)
    assert found.part == "adaptation"
    data = open_data(declared.data.default, Options(), Path("unused"))
    plan = make_plan(declared, found, resolve(declared, found, "smoke", {}), data, data.fingerprint)
    # 6 pairs; blocks of a unit: the target alone in 6 cells, 6 others in 3, discriminants in 5, cca in 1
    assert len(plan.blocks) == 6 * (6 + 6 * 3 + 5 + 1)
    assert plan.own_levels["none"] == {"shots": [1]}
    assert plan.own_levels["cca"] == {"cell": ["other-space"]}
    office = resolve(declared, found, None, {}, "office-caltech10")
    assert office.factors["shots"] == [0, 1, 3]
    assert "other-space" not in office.factors["cell"]
    with pytest.raises(ProtocolError, match="cell"):
        resolve(declared, found, "smoke", {"cell": "elsewhere"})


def rows_of(values):
    """Measurements from {(condition, cell, shots): one value a unit}."""
    return pd.DataFrame(
        [
            (f"u{unit}", 0, condition, cell, shots, "balanced_accuracy", value)
            for (condition, cell, shots), units in values.items()
            for unit, value in enumerate(units)
        ],
        columns=["unit", "split", "condition", "cell", "shots", "metric", "value"],
    )


def test_the_map_shows_gains_over_no_transfer():
    drawn = draw_map(
        {
            "measurements": rows_of(
                {
                    ("none", "same-all", 1): [50.0, 60.0, 70.0],
                    ("none", "other-task", 1): [50.0, 60.0, 70.0],
                    ("pooled", "same-all", 0): [99.0, 99.0, 99.0],
                    ("pooled", "same-all", 1): [62.0, 73.0, 81.0],
                    ("model", "same-all", 1): [50.0, 70.0, 60.0],
                    ("model", "other-task", 1): [45.0, 54.0, 66.0],
                }
            )
        }
    )
    texts = {text.get_text(): text for text in drawn.axes[0].texts}
    assert texts["60.0"].get_weight() == "normal"
    assert texts["+12.0"].get_weight() == "bold"
    assert texts["+0.0"].get_weight() == "normal"
    assert texts["−5.0"].get_weight() == "bold"
    assert {"pooled", "model", "references"} <= set(texts)
    assert not {"tca", "features"} & set(texts)
    # pooled has no tile where other classes are to be told
    assert sum(len(line.get_xdata()) == 2 and line.get_color() == "#d0d0d0" for line in drawn.axes[0].lines) == 1


def test_there_is_no_map_without_anything_to_compare():
    assert draw_map({}) is None
    assert draw_map({"measurements": rows_of({})}) is None
    assert draw_map({"measurements": rows_of({("pooled", "same-all", 1): [3.0]})}) is None


def test_remarks_speak_only_of_results(measured):
    assert study.remarks({"measurements": measured.iloc[:0]}) == []
    assert "not meant for it" in study.remarks({"measurements": measured})[0]
