"""A heat map has each mean in its place."""

from __future__ import annotations

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from tlbench import figures


def shown(drawn):
    """What a reader sees: {(row name, column name): (colour's value, printed number)}."""
    axes = drawn.axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    values = np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
    printed = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in axes.texts}
    return {
        (rows[r], columns[c]): (values[r, c], printed.get((r, c)))
        for r in range(len(rows))
        for c in range(len(columns))
    }


def test_a_heatmap_has_each_mean_in_its_place(heatmap_figure, made):
    names = ("c", "a", "b")  # as in the table, not in the alphabet
    cells = shown(figures.draw_heatmap(heatmap_figure, made.weights(names)))
    assert list(cells) == [(target, source) for target in names for source in names]
    for (target, source), (value, printed) in cells.items():
        if target == source:
            assert np.isnan(value)
            assert printed is None
        else:
            mean = (names.index(target) + 2 * names.index(source)) / 10 + 0.005
            assert value == pytest.approx(mean)
            assert float(printed) == pytest.approx(mean, abs=0.00501)


def test_colours_start_at_zero_and_are_even_about_it_when_signed(heatmap_figure, made):
    plain = figures.draw_heatmap(heatmap_figure, made.weights()).axes[0].images[0]
    assert plain.get_clim() == (0.0, pytest.approx(np.nanmax(plain.get_array())))
    signed = (
        figures.draw_heatmap(heatmap_figure, made.weights().assign(beta=lambda table: -table["beta"])).axes[0].images[0]
    )
    low, high = signed.get_clim()
    assert low == -high < 0


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "b", 0.5)],
        [("a", "b", 0.5), ("a", "c", 0.25)],
        [("a", "b", 0.0), ("b", "a", 0.0)],
        [("a", "b", 0.5), ("b", "a", 0.25), ("a", "c", 1.0), ("c", "a", 0.1), ("c", "b", 0.2)],
        [("b", "a", -0.5), ("a", "b", -0.25)],
    ],
)
def test_small_and_incomplete_heatmaps(declared, heatmap_figure, rows, made):
    table = pd.DataFrame(rows, columns=["target", "source", "beta"]).assign(condition="right", split=0, shots=1)
    cells = shown(figures.draw_heatmap(heatmap_figure, table))
    assert {cell: value for cell, (value, _) in cells.items() if not np.isnan(value)} == {
        (target, source): beta for target, source, beta in rows
    }
    assert set(figures.draw(heatmap_figure, declared, made.both(weights=table), made.factors, made.caption)) == {
        "map.png",
        "map.svg",
    }


@pytest.mark.parametrize(
    ("value", "printed"), [(-0.001, ".00"), (0.0, ".00"), (-0.25, "-.25"), (10.25, "10.25"), (0.125, ".12")]
)
def test_a_number_is_short_and_whole(heatmap_figure, value, printed):
    table = pd.DataFrame([("a", "b", value)], columns=["target", "source", "beta"])
    assert shown(figures.draw_heatmap(heatmap_figure, table))["a", "b"][1] == printed


def test_a_heatmap_says_what_was_selected_of_more(declared, heatmap_figure, made):
    only = made.changed(heatmap_figure, where={"condition": "right"})
    both = pd.concat([made.weights(), made.weights().assign(condition="left")])
    for table, there in ((both, True), (made.weights(), False)):
        drawn = figures.draw(only, declared, made.both(weights=table), made.factors, made.caption)
        assert ("only condition = right" in drawn["map.svg"].decode()) == there


def test_a_number_on_a_dark_cell_is_light(heatmap_figure, made):
    axes = figures.draw_heatmap(heatmap_figure, made.weights()).axes[0]
    image = axes.images[0]
    for text in axes.texts:
        column, row = text.get_position()
        cell = image.cmap(image.norm(image.get_array()[round(row), round(column)]))
        lightness = np.dot(cell[:3], [0.299, 0.587, 0.114])
        letter = np.dot(matplotlib.colors.to_rgb(text.get_color()), [0.299, 0.587, 0.114])
        assert abs(lightness - letter) > 0.35


@pytest.mark.parametrize(("count", "numbers", "every"), [(38, True, 1), (56, False, 1), (150, False, 2)])
def test_a_heatmap_of_many_rows_grows_no_larger(heatmap_figure, made, count, numbers, every):
    drawn = figures.draw_heatmap(heatmap_figure, made.weights([f"{number:03}" for number in range(count)]))
    axes = drawn.axes[0]
    assert max(drawn.get_size_inches()) < 23
    assert axes.images[0].get_array().shape == (count, count)
    assert bool(axes.texts) == numbers
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        assert [label.get_text() for label in labels] == [f"{number:03}" for number in range(0, count, every)]
