"""Students of several sizes: how the work is cut, what they share, what they learn from, and what leaks nowhere."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch

from tlbench.datasets import ArrayPixels, DataError, LabelledPictures
from tlbench.protocol import ProtocolError
from tlbench.studies.distillation import distillation as module
from tlbench.studies.distillation import distillation_blocks, distillation_work, teaching
from tlbench.studies.distillation.figures import draw_sizes

STUDY = module.STUDY
FEW = {
    "draws": 1,
    "steps": 12,
    "hint_steps": 5,
    "teacher_steps": 20,
    "teacher_units": 16,
    "pictures": "3,5",
    "hidden": "4,6",
    "temperature": "1.0,8.0",
}


@pytest.fixture
def planned(bench, digit_pictures):
    return bench.plan(STUDY, "distillation", digit_pictures, **FEW)


def frame(tables, unit="draw 01"):
    parts = [pd.DataFrame(table["measurements"]) for table in tables.values()]
    return pd.concat(parts, ignore_index=True).assign(unit=unit, metric="accuracy")


def test_every_level_and_condition_is_measured_once(bench, digit_pictures):
    planned = bench.plan(STUDY, "distillation", digit_pictures, seeds=2, **FEW)
    found = frame(bench.compute_all(STUDY, planned, digit_pictures))
    grid = ["condition", "pictures", "layers", "hidden", "temperature", "split"]
    assert not found.duplicated(grid).any()
    assert len(found) == planned.cells == 1 + 4 * 2 * 2 * 2 * 2
    assert found["value"].between(0, 100).all()
    teacher = found[found["condition"] == "teacher"]
    assert teacher[["pictures", "layers", "hidden", "temperature", "split"]].to_numpy().tolist() == [[0, 0, 0, 0, 0]]


def test_students_need_their_units_teacher_and_a_new_level_needs_no_new_one(bench, digit_pictures, planned):
    two = bench.plan(STUDY, "distillation", digit_pictures, **{**FEW, "draws": 2})
    for block in two.blocks:
        own = [one.key for one in two.blocks if one.group == "teacher" and one.unit == block.unit]
        assert block.needs == (() if block.group == "teacher" else tuple(own))
    keys = {block.key for block in planned.blocks}
    wider = bench.plan(STUDY, "distillation", digit_pictures, **{**FEW, "pictures": "3,5,7"})
    assert keys < {block.key for block in wider.blocks}


def test_transfer_sets_are_nested_parts_of_the_teachers_pictures(digit_pictures, planned):
    shared = STUDY.prepare(digit_pictures, planned.blocks[0])
    assert not set(shared.drawn.training) & set(shared.drawn.test)
    work = msgspec.convert(planned.blocks[1].parameters, module.Work)
    small, large = (
        distillation_work.draw_transfer_set(
            digit_pictures, shared.drawn, msgspec.structs.replace(work, pictures=each), "draw 01", 0
        )
        for each in (3, 5)
    )
    assert set(small) < set(large) < set(shared.drawn.training)
    for rows, each in ((small, 3), (large, 5)):
        assert np.bincount(digit_pictures.labels[rows]).tolist() == [each] * 10
    other = distillation_work.draw_transfer_set(digit_pictures, shared.drawn, work, "draw 01", 1)
    assert set(other) != set(small)


@pytest.fixture
def watched(monkeypatch):
    """Every stack of students as it began, what it was taught and in which ways."""
    seen = []
    train = distillation_blocks.train_students

    def watch(students, lesson, ways, descent, draws):
        start = [tensor.detach().clone() for tensor in students.parameters]
        trained = train(students, lesson, ways, descent, draws)
        seen.append((start, lesson, list(ways), descent, trained))
        return trained

    monkeypatch.setattr(distillation_blocks, "train_students", watch)
    return seen


def test_conditions_share_weights_pictures_and_order_and_cost_equal_steps(
    bench, digit_pictures, planned, watched, monkeypatch
):
    hinted = []
    train = distillation_blocks.train_on_hints

    def watch(students, lesson, hints, descent, draws):
        hinted.append((students, [tensor.detach().clone() for tensor in students.parameters], hints, descent))
        train(students, lesson, hints, descent, draws)

    monkeypatch.setattr(distillation_blocks, "train_on_hints", watch)
    weights = {}
    blocks = [b for b in planned.blocks if b.group == "teacher" or b.parameters["pictures"] == 3]
    bench.compute_all(STUDY, planned, digit_pictures, weights, blocks)
    plain = [one for one in watched if one[3].steps == 12]
    after_hints = [one for one in watched if one[3].steps == 7]
    assert len(plain) == len(after_hints) == len(hinted) == 2
    for one, later, (_, start, hints, descent) in zip(plain, after_hints, hinted, strict=True):
        assert descent.steps == 5
        assert one[2] == [
            teaching.ALONE,
            *(teaching.Way(T, 0.1) for T in (1.0, 8.0)),
            *(teaching.Way(T, 0.1, False) for T in (1.0, 8.0)),
        ]
        assert later[2] == [teaching.Way(T, 0.1) for T in (1.0, 8.0)]
        for left, right in zip(one[0], start, strict=True):
            assert torch.equal(left, right)
        changed = [not torch.equal(left, right) for left, right in zip(start, later[0], strict=True)]
        assert changed == [True, True, False, False, False, False]  # of two hidden layers, the first is guided
        for part in ("inputs", "labels", "scores"):
            assert torch.equal(getattr(one[1], part), getattr(later[1], part))
        (teacher,) = weights.values()
        first = one[1].inputs[0] @ torch.as_tensor(teacher["weights.0"][0]) + torch.as_tensor(teacher["biases.0"][0])
        torch.testing.assert_close(hints[0], first.relu())


def test_a_teachers_scores_are_those_of_its_weights_on_the_students_pictures(bench, digit_pictures, planned, watched):
    weights = {}
    bench.compute_all(STUDY, planned, digit_pictures, weights, planned.blocks[:2])
    (teacher,) = weights.values()
    values = watched[0][1].inputs[0].double()
    for place in range(3):
        values = values @ torch.as_tensor(teacher[f"weights.{place}"][0]).double()
        values = values + torch.as_tensor(teacher[f"biases.{place}"][0]).double()
        values = values.relu() if place < 2 else values
    torch.testing.assert_close(watched[0][1].scores[0].double(), values, rtol=1e-3, atol=1e-4)


def test_accuracies_are_those_of_the_networks_by_plain_means(bench, digit_pictures, planned, watched):
    tables = bench.compute_all(STUDY, planned, digit_pictures, {}, planned.blocks[:2])
    found = pd.DataFrame(tables[planned.blocks[1].key]["measurements"])
    shared = STUDY.prepare(digit_pictures, planned.blocks[1])
    pixels = digit_pictures.pixels.take(shared.drawn.test).reshape(len(shared.drawn.test), -1)
    inputs = (pixels.astype(np.float64) - 127.5) / 64
    labels = digit_pictures.labels[shared.drawn.test]
    for width, (*_, trained) in zip((4, 6), watched, strict=True):
        for number, way in enumerate([("hard", 1.0), ("distilled", 1.0), ("distilled", 8.0), ("unscaled", 1.0)]):
            values = inputs
            for place, (w, b) in enumerate(zip(trained.weights, trained.biases, strict=True)):
                values = values @ w[number].detach().numpy() + b[number].detach().numpy()
                values = np.maximum(values, 0) if place < 2 else values
            right = 100 * np.mean(values.argmax(1) == labels)
            condition, temperature = way
            row = found[
                (found["condition"] == condition) & (found["temperature"] == temperature) & (found["hidden"] == width)
            ]
            assert row["value"].item() == pytest.approx(right, abs=0.35)  # two pictures of 600 may be close calls
    hard = found[found["condition"] == "hard"]
    assert (hard.groupby("hidden")["value"].nunique() == 1).all()


def test_at_temperature_one_the_factor_is_none(bench, digit_pictures, planned):
    found = frame(bench.compute_all(STUDY, planned, digit_pictures))
    one = found[found["temperature"] == 1.0].set_index(["condition", "pictures", "hidden"])["value"]
    np.testing.assert_allclose(one["distilled"], one["unscaled"])
    eight = found[found["temperature"] == 8.0].set_index(["condition", "pictures", "hidden"])["value"]
    assert (eight["distilled"] != eight["unscaled"]).any()


def test_what_a_block_computes_besides_changes_no_number(bench, digit_pictures):
    """Alone in its block, a condition has the accuracy that it has beside others, but for rounding."""
    whole = bench.plan(STUDY, "distillation", digit_pictures, **FEW)
    part = bench.plan(STUDY, "distillation", digit_pictures, conditions="teacher,distilled", **FEW)
    left, right = (frame(bench.compute_all(STUDY, one, digit_pictures)) for one in (whole, part))
    on = ["condition", "pictures", "layers", "hidden", "temperature", "split"]
    both = left.merge(right, on=on)
    assert len(both) == len(right)
    np.testing.assert_allclose(both["value_x"], both["value_y"], atol=0.35)


def test_the_test_pictures_teach_nobody(bench, digit_pictures, planned, watched):
    """With noise in their place no weight of teacher or student moves."""
    rows = STUDY.prepare(digit_pictures, planned.blocks[0]).drawn.test
    pixels = digit_pictures.pixels.take(np.arange(len(digit_pictures.labels)))
    draw = np.random.default_rng(0)
    pixels[rows] = draw.integers(0, 256, pixels[rows].shape)
    weights = {}
    tables = bench.compute_all(STUDY, planned, digit_pictures, weights, planned.blocks[:3])
    ends = [one[-1].parameters for one in watched]
    watched.clear()
    spoiled = dataclasses.replace(digit_pictures, pixels=ArrayPixels(pixels))
    other = {}
    again = bench.compute_all(STUDY, planned, spoiled, other, planned.blocks[:3])
    for left, right in zip(ends, (one[-1].parameters for one in watched), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
    (teacher,), (same,) = weights.values(), other.values()
    assert all(np.array_equal(teacher[name], same[name]) for name in teacher)
    assert tables != again


def test_units_and_seeds_are_draws_of_their_own(bench, digit_pictures):
    planned = bench.plan(STUDY, "distillation", digit_pictures, **{**FEW, "draws": 2})
    other = bench.plan(STUDY, "distillation", digit_pictures, seed=1, **FEW)
    tests = [set(STUDY.prepare(digit_pictures, block).drawn.test) for block in (*planned.blocks, *other.blocks)]
    units = [block.unit for block in planned.blocks]
    assert all(test == tests[units.index(unit)] for test, unit in zip(tests, units, strict=False))
    assert len({frozenset(test) for test in tests}) == 3


@pytest.mark.slow
def test_few_pictures_and_a_teacher_are_better_than_few_pictures(bench, digit_pictures):
    asked = {"draws": 1, "pictures": "10", "hidden": "32", "temperature": "8.0", "steps": 200, "hint_steps": 50}
    planned = bench.plan(STUDY, "distillation", digit_pictures, teacher_steps=300, seeds=4, **asked)
    means = frame(bench.compute_all(STUDY, planned, digit_pictures)).groupby("condition")["value"].mean()
    assert means["teacher"] > 95
    assert means["teacher"] > means["distilled"] > means["hard"] + 1
    assert means["hard"] > 75


# The figure and the remark


def test_the_figure_has_a_panel_for_each_depth_and_transfer_set(bench, digit_pictures):
    planned = bench.plan(STUDY, "distillation", digit_pictures, **{**FEW, "layers": "2,3"})
    tables = {"measurements": frame(bench.compute_all(STUDY, planned, digit_pictures))}
    drawn = draw_sizes(tables)
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    words = [f"{size} pictures of each class, {depth} hidden layers" for depth in (2, 3) for size in (3, 5)]
    assert titles == words
    names = [text.get_text() for text in drawn.axes[1].get_legend().get_texts()]
    assert names == ["alone, on labels", "distilled, T = 1", "distilled, T = 8", "hints, then T = 1", "teacher"]
    heights = [line.get_ydata() for line in drawn.axes[0].lines]
    measured = tables["measurements"].query(
        "pictures == 3 and layers == 2 and condition == 'hard' and temperature == 1"
    )
    np.testing.assert_allclose(heights[0], measured.sort_values("hidden")["value"])
    (remark,) = STUDY.remarks(tables)
    teacher = tables["measurements"].query("condition == 'teacher'")["value"].item()
    best = tables["measurements"].query("condition != 'teacher'")["value"].max()
    assert remark.startswith(f"The teachers are right on {teacher:.1f} % of the test pictures, the best")
    assert f"{best:.1f} % (" in remark
    assert draw_sizes({"measurements": tables["measurements"].query("condition == 'teacher'")}) is None


# What will not do


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"hint_steps": 12}, "hint_steps has to be below steps, which is 12"),
        ({"learning_rate": "inf"}, "learning_rate"),
        ({"temperature": "0.0"}, "temperature"),
        ({"layers": "1"}, "layers"),
        ({"hard_weight": 1.0}, "hard_weight"),
        ({"dropout": 1.0}, "dropout"),
        ({"conditions": "distilled"}, "conditions must include 'teacher'"),
        ({"conditions": "teacher,softly"}, "there is no condition 'softly'"),
    ],
)
def test_settings_that_will_not_do(bench, digit_pictures, changed, says):
    with pytest.raises(ProtocolError, match=says):
        bench.plan(STUDY, "distillation", digit_pictures, **{**FEW, **changed})


def test_more_transfer_pictures_than_the_teacher_has_are_refused(bench, digit_pictures):
    with pytest.raises(DataError, match="pictures can be at most 114, not 115: the teacher has 114 pictures"):
        bench.plan(STUDY, "distillation", digit_pictures, **{**FEW, "pictures": "3,115"})


def test_two_classes_are_too_few(bench):
    pixels = np.zeros((200, 8, 8, 1), np.uint8)
    pixels[:, 0, 0, 0] = np.arange(200)
    pictures = LabelledPictures(ArrayPixels(pixels), np.repeat([0, 1], 100), ("a", "b"))
    with pytest.raises(DataError, match=r"there are 2 classes; .* at least 3 are needed"):
        bench.plan(STUDY, "distillation", pictures, **FEW)


def test_colour_pictures_of_another_size_will_do(bench):
    draw = np.random.default_rng(0)
    pictures = LabelledPictures(
        ArrayPixels(draw.integers(0, 256, (48, 5, 5, 3), dtype=np.uint8)),
        np.repeat(np.arange(3), 16),
        ("a", "b", "c"),
        np.tile(np.arange(16) >= 10, 3),
    )
    planned = bench.plan(STUDY, "distillation", pictures, **{**FEW, "test_pictures_per_class": 0})
    found = frame(bench.compute_all(STUDY, planned, pictures))
    assert len(found) == planned.cells
    assert STUDY.side(None) == 32
