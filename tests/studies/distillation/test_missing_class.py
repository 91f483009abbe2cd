"""Students that never see some classes: what they see, what they are told, what is raised by how much."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import softmax

from tlbench.datasets import ArrayPixels, DataError, LabelledPictures
from tlbench.protocol import ProtocolError
from tlbench.studies.distillation import missing_class as module
from tlbench.studies.distillation import missing_class_blocks as blocks
from tlbench.studies.distillation import missing_class_work, teaching
from tlbench.studies.distillation.figures import draw_recognised

STUDY = module.STUDY
FEW = {"steps": 12, "teacher_steps": 20, "teacher_units": 16, "hidden": 6, "temperature": "1.0,8.0"}


@pytest.fixture(scope="module")
def few_pictures():
    """Four classes of pictures that are easily told apart."""
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 20)
    means = draw.uniform(0, 255, (4, 3, 3, 1))[labels]
    pixels = (means + draw.normal(0, 25, (80, 3, 3, 1))).clip(0, 255).astype(np.uint8)
    return LabelledPictures(ArrayPixels(pixels), labels, ("a", "b", "c", "d"))


@pytest.fixture
def planned(bench, few_pictures):
    return bench.plan(STUDY, "missing-class", few_pictures, seeds=2, test_pictures_per_class=5, **FEW)


def frame(planned, tables, name="measurements"):
    units = {block.key: block.unit for block in planned.blocks}
    parts = [pd.DataFrame(table[name]).assign(unit=units[key]) for key, table in tables.items() if name in table]
    return pd.concat(parts, ignore_index=True)


def test_every_class_is_missing_once_and_every_cell_measured_once(bench, few_pictures, planned):
    found = frame(planned, bench.compute_all(STUDY, planned, few_pictures))
    assert list(dict.fromkeys(found["unit"])) == list(few_pictures.classes)
    grid = ["unit", "condition", "missing", "temperature", "split"]
    for metric in module.METRICS:
        rows = found[found["metric"] == metric]
        assert not rows.duplicated(grid).any()
        assert len(rows) == planned.cells == 4 * 2 * 2 * (1 + 2 + 2 * 2)
    assert found["value"].between(0, 100).all()
    without = found[found["condition"].isin(["teacher", "hard", "hard-raised"])]
    assert set(without["temperature"]) == {0.0}
    for block in planned.blocks:
        own = [one.key for one in planned.blocks if one.group == "teacher" and one.unit == block.unit]
        assert block.needs == (() if block.group == "teacher" else tuple(own))


@pytest.mark.parametrize(
    ("kind", "unit", "lacking"),
    [("one", "c", "c"), ("all but two", "b", "ad"), ("all but two", "d", "bc")],
)
def test_which_classes_are_missing(kind, unit, lacking):
    classes = ("a", "b", "c", "d")
    found = missing_class_work.missing_classes(kind, unit, classes)
    assert "".join(np.array(classes)[found]) == lacking


@pytest.fixture
def watched(monkeypatch):
    """What students were taught, in which ways, and what became of them."""
    seen = []
    train = blocks.train_students

    def watch(students, lesson, ways, descent, draws):
        trained = train(students, lesson, ways, descent, draws)
        seen.append((lesson, list(ways), trained))
        return trained

    monkeypatch.setattr(blocks, "train_students", watch)
    return seen


def test_students_see_all_the_teachers_pictures_but_those_of_missing_classes(bench, few_pictures, planned, watched):
    bench.compute_all(STUDY, planned, few_pictures, {}, planned.blocks[:5])
    of_unit = planned.blocks[1:5]
    assert [block.parameters["missing"] for block in of_unit] == [["all but two"]] * 2 + [["one"]] * 2
    shared = STUDY.prepare(few_pictures, planned.blocks[0])
    for block, (lesson, ways, _) in zip(of_unit, watched, strict=True):
        lacking = missing_class_work.missing_classes(block.parameters["missing"][0], "a", few_pictures.classes)
        for split, drawn in enumerate(shared.drawn):
            rows = [row for row in drawn.training if not lacking[few_pictures.labels[row]]]
            assert lesson.labels[split].tolist() == few_pictures.labels[rows].tolist()
            pixels = few_pictures.pixels.take(np.array(rows)).reshape(len(rows), -1)
            np.testing.assert_allclose(lesson.inputs[split].numpy(), (pixels - 127.5) / 64, rtol=1e-6)
        hard = block.group == "hard"
        assert ways == ([teaching.ALONE] if hard else [teaching.Way(T, 0.1) for T in (1.0, 8.0)])
    assert not set(shared.drawn[0].training) & set(shared.drawn[0].test)
    assert set(shared.drawn[0].test) != set(shared.drawn[1].test)


def test_numbers_are_those_of_the_networks_by_plain_means(bench, few_pictures, planned, watched):
    """Scores, offsets by their definition, and who is recognised, one network and picture at a time."""
    tables = bench.compute_all(STUDY, planned, few_pictures, {}, planned.blocks[:5])
    shared = STUDY.prepare(few_pictures, planned.blocks[0])
    for block, (_, ways, trained) in zip(planned.blocks[1:5], watched, strict=True):
        found, said = (pd.DataFrame(tables[block.key][name]) for name in ("measurements", "offsets"))
        (kind,) = block.parameters["missing"]
        lacking = missing_class_work.missing_classes(kind, "a", few_pictures.classes)
        for number, way in enumerate(ways):
            temperature = 0.0 if block.group == "hard" else way.temperature
            for split, drawn in enumerate(shared.drawn):

                def scores(rows, place=number * 2 + split, trained=trained):
                    values = teaching.inputs_of(few_pictures, rows, torch.device("cpu"))
                    for layer, (w, b) in enumerate(zip(trained.weights, trained.biases, strict=True)):
                        values = values @ w[place] + b[place]
                        values = values.relu() if layer < 2 else values
                    return values.detach().double().numpy()

                cell = f"split == {split} and temperature == {temperature}"
                offset = said.query(cell)["offset"].item()
                raised = softmax(scores(drawn.training) + offset * lacking, axis=1)
                assert raised[:, lacking].sum(1).mean() == pytest.approx(lacking.mean(), abs=1e-5)
                labels = few_pictures.labels[drawn.test]
                for condition in block.conditions:
                    moved = scores(drawn.test) + (offset * lacking if condition.endswith("raised") else 0)
                    right = moved.argmax(1) == labels
                    values = found.query(f"{cell} and condition == '{condition}'").set_index("metric")["value"]
                    assert values["accuracy"] == pytest.approx(100 * right.mean())
                    assert values["missing_accuracy"] == pytest.approx(100 * right[lacking[labels]].mean())


def test_the_test_pictures_move_neither_networks_nor_offsets(bench, few_pictures, planned):
    rows = STUDY.prepare(few_pictures, planned.blocks[0]).drawn
    both = np.intersect1d(rows[0].test, rows[1].test)
    assert len(both)
    pixels = few_pictures.pixels.take(np.arange(80))
    pixels[both] = 255 - pixels[both]
    spoiled = dataclasses.replace(few_pictures, pixels=ArrayPixels(pixels))
    weights, other = {}, {}
    tables = bench.compute_all(STUDY, planned, few_pictures, weights, planned.blocks[:5])
    again = bench.compute_all(STUDY, planned, spoiled, other, planned.blocks[:5])
    for key, arrays in weights.items():
        assert all(np.array_equal(values, other[key][name]) for name, values in arrays.items())
    for block in planned.blocks[1:5]:
        assert tables[block.key]["offsets"] == again[block.key]["offsets"]
    assert tables != again


def test_a_condition_alone_has_its_numbers(bench, few_pictures, planned):
    part = bench.plan(
        STUDY, "missing-class", few_pictures, seeds=2, test_pictures_per_class=5, conditions="teacher,hard", **FEW
    )
    tables = bench.compute_all(STUDY, part, few_pictures)
    left, right = frame(planned, bench.compute_all(STUDY, planned, few_pictures)), frame(part, tables)
    on = ["unit", "condition", "missing", "temperature", "split", "metric"]
    both = left.merge(right, on=on)
    assert len(both) == len(right)
    assert (both["value_x"] == both["value_y"]).all()
    assert all(not table["offsets"]["offset"] for table in tables.values())
    assert STUDY.remarks({"measurements": right}) == []


@pytest.mark.slow
def test_a_digit_that_was_never_seen_is_recognised(bench, digit_pictures):
    asked = {"missing": "one", "temperature": "20.0", "steps": 300, "teacher_steps": 300}
    planned = bench.plan(STUDY, "missing-class", digit_pictures, **asked)
    some = [block for block in planned.blocks if block.unit == "three"]
    found = frame(planned, bench.compute_all(STUDY, planned, digit_pictures, {}, some))
    means = found[found["metric"] == "missing_accuracy"].groupby("condition")["value"].mean()
    assert means["hard"] == 0.0
    assert means["distilled-raised"] > 60
    assert means["distilled-raised"] > means["distilled"]
    assert means["teacher"] > 90


def test_the_figure_shows_a_line_a_class(bench, few_pictures, planned):
    tables = bench.compute_all(STUDY, planned, few_pictures)
    frames = {"measurements": frame(planned, tables), "offsets": frame(planned, tables, "offsets")}
    (axes,) = draw_recognised(frames).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list("abcd")
    drawn = {dots.get_label(): dots.get_offsets() for dots in axes.collections if not dots.get_label().startswith("_")}
    assert len(drawn) == 5
    for condition, name in (("hard-raised", "labels, bias raised"), ("distilled", "soft targets")):
        rows = frames["measurements"].query(f"condition == '{condition}' and metric == 'missing_accuracy'")
        rows = rows[(rows["missing"] == "one") & rows["temperature"].isin([0.0, 8.0])]
        np.testing.assert_allclose(drawn[name][:, 0], rows.groupby("unit")["value"].mean())
        assert list(drawn[name][:, 1]) == [3, 2, 1, 0]
    only_two = {"measurements": frames["measurements"].query("missing == 'all but two'")}
    assert draw_recognised(only_two) is None
    (remark,) = STUDY.remarks(frames)
    mean = frames["offsets"].query("condition == 'hard-raised' and missing == 'one'")["offset"].mean()
    assert f"{mean:.1f} (hard-raised, missing one)" in remark


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"missing": "three"}, "missing"),
        ({"layers": 0}, "layers"),
        ({"temperature": "-1.0"}, "temperature"),
        ({"learning_rate": "inf"}, "learning_rate"),
        ({"conditions": "hard"}, "conditions must include 'teacher'"),
    ],
)
def test_settings_that_will_not_do(bench, few_pictures, changed, says):
    with pytest.raises(ProtocolError, match=says):
        bench.plan(STUDY, "missing-class", few_pictures, **{**FEW, "test_pictures_per_class": 5, **changed})


def test_too_few_pictures_are_refused(bench, few_pictures):
    with pytest.raises(DataError, match="test_pictures_per_class can be at most 19"):
        bench.plan(STUDY, "missing-class", few_pictures, **FEW)
