"""Curves from each unit's own zero, in panels, beside published numbers, with single units as dots."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import same_color

from tlbench import figures, protocol, published
from tlbench.figures import style

LAYERS = list(range(1, 8))
FACTORS = {"class_split": ["natural-manmade", "random"], "layers": LAYERS}
CAPTION = "yosinski-layers · tiny-imagenet · profile paper · run 0123abc"

ALL_CONDITIONS = {"class_split": "random"}  # the shipped figure leaves random filters to another


@pytest.fixture(scope="module")
def layers():
    return protocol.read("yosinski-layers")


@pytest.fixture(scope="module")
def numbers(layers):
    return published.load(layers).table


@pytest.fixture(scope="module")
def figure_of(layers):
    """A figure of the shipped protocol by name, changed."""
    named = {figure.name: figure for figure in layers.figures}
    return lambda name, **keys: msgspec.structs.replace(named[name], **keys)


def value(unit, condition, n):
    base = 40.0 + 2 * (ord(unit[-1]) - ord("A")) + int(unit.split("-")[-2])
    drop = {"BnB": 0.2, "BnB+": -0.1, "AnB": 0.5, "AnB+": -0.2, "random-gaussian": 4.0, "random-scaled": 2.0}
    return base - drop.get(condition, 0.0) * n * (2 if "manmade" in unit else 1)


@pytest.fixture(scope="module")
def table(layers):
    """Two draws of both class splits, four target halves each; the loss is measured too."""
    rows = []
    for kind, draw, half in itertools.product(("random", "natural-manmade"), (0, 1), "AB"):
        unit = f"{kind}-{draw}-{half}"
        for condition in layers.conditions:
            for n in LAYERS if condition != "base" else [0]:
                wobble = 0.1 * ((7 * n + len(condition) + ord(half) + draw) % 5)
                accuracy = value(unit, condition, n) + (wobble if n else 0.0)
                rows += [
                    (unit, draw, condition, kind, n, "accuracy", accuracy),
                    (unit, draw, condition, kind, n, "loss", 1.0),
                ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "class_split", "layers", "metric", "value"])


def drawn(figure, layers, table, numbers=None, factors=FACTORS):
    lines = figures.lines_of(figure, layers, table, factors, numbers)
    return lines, figures.draw_curves(figure, layers, lines)


def names_of(axes):
    """The name of each line as it stands at its end, by colour."""
    return {text.get_color(): text.get_text() for text in axes.texts}


def in_data(axes):
    return [line for line in axes.lines if line.get_transform() == axes.transData]


def words(figure):
    return " | ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


# Values


def test_values_are_means_of_differences_from_each_units_own_base(layers, table, figure_of):
    lines, _ = drawn(figure_of("drops"), layers, table)
    accuracy = table[table["metric"] == "accuracy"]
    base = accuracy[accuracy["condition"] == "base"].set_index("unit")["value"]
    assert {(line.panel, line.name) for line in lines} == {
        (kind, name) for kind in ("random", "natural-manmade") for name in ("BnB", "BnB+", "AnB", "AnB+")
    }
    for line in lines:
        rows = accuracy[(accuracy["class_split"] == line.panel) & (accuracy["condition"] == line.name)]
        for n, mean in zip(line.points["x"], line.points["mean"], strict=True):
            at = rows[rows["layers"] == n].set_index("unit")["value"]
            assert mean == pytest.approx((at - base[at.index]).mean())
        assert list(line.points["x"]) == LAYERS
        assert set(line.points["units"]) == {4}
        assert len(line.units) == 4 * 7


def test_published_numbers_are_treated_alike(layers, table, numbers, figure_of):
    lines, _ = drawn(figure_of("drops"), layers, table, numbers)
    by_name = {(line.panel, line.name): line.published for line in lines}
    drops = by_name["random", "AnB"]
    np.testing.assert_allclose(drops["mean"], [0.31, -0.12, -0.62, -2.53, -4.71, -4.45, -8.26], atol=0.0101)
    assert set(drops["units"]) == {8}
    np.testing.assert_allclose(by_name["natural-manmade", "AnB"]["mean"].iloc[-1], -25.01, atol=0.01)
    assert by_name["natural-manmade", "BnB"].empty
    assert not any(len(line.published) for line in drawn(figure_of("drops"), layers, table)[0])
    without = figure_of("drops", published=False)
    assert not any(len(line.published) for line in drawn(without, layers, table, numbers)[0])


def test_only_the_metric_of_the_figure_is_drawn(layers, table, figure_of):
    lines, _ = drawn(figure_of("layers", y="loss"), layers, table)
    assert {mean for line in lines for mean in line.points["mean"]} == {1.0}


def test_a_unit_without_its_zero_is_left_out(layers, table, figure_of):
    fewer = table[~((table["unit"] == "random-1-B") & (table["condition"] == "base"))]
    lines, _ = drawn(figure_of("drops"), layers, fewer)
    assert {units for line in lines if line.panel == "random" for units in line.points["units"]} == {3}
    none = table[table["condition"] != "base"]
    assert figures.draw(figure_of("drops"), layers, {"measurements": none}, FACTORS, CAPTION) == {}


def test_conditions_that_were_not_run_leave_the_others_drawn(layers, table, figure_of):
    some = table[table["condition"].isin(["base", "AnB"])]
    lines, _ = drawn(figure_of("drops"), layers, some)
    assert {line.name for line in lines} == {"AnB"}
    lines, _ = drawn(figure_of("kinds"), layers, some)
    assert len(lines) == 2


# What is drawn


def test_a_base_is_a_point_at_zero_and_a_line_across(layers, table, figure_of):
    lines, figure = drawn(figure_of("layers"), layers, table)
    (axes,) = figure.axes
    base = next(line for line in lines if line.name == "base")
    (mean,) = base.points["mean"]
    points = [line for line in in_data(axes) if len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0], line.get_marker()) for line in points] == [(0.0, mean, "o")]
    across = [
        line for line in axes.lines if list(line.get_xdata()) == [0, 1] and list(line.get_ydata()) == [mean, mean]
    ]
    assert len(across) == 1
    assert same_color(across[0].get_color(), base.colour)
    assert across[0].get_linewidth() < 1
    assert list(axes.get_xticks()) == [0, *LAYERS]
    assert "base" in names_of(axes).values()


def test_dots_are_the_single_units(layers, table, figure_of):
    lines, figure = drawn(figure_of("layers", where=ALL_CONDITIONS), layers, table)
    dots = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert len(dots) == len(lines) == 7
    for line, cloud in zip(lines, dots, strict=True):
        along, up = np.asarray(cloud.get_offsets()).T
        np.testing.assert_allclose(up, line.units["value"])
        assert np.abs(along - line.units["x"].to_numpy()).max() < 0.5
        assert cloud.get_alpha() < 0.5
    assert "dots: single target halves" in words(figure)
    _, figure = drawn(figure_of("layers", dots=False), layers, table)
    assert not [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert "dots" not in words(figure)


def test_published_numbers_are_dashed_and_hollow_in_the_colour_of_their_condition(layers, table, numbers, figure_of):
    lines, figure = drawn(figure_of("drops"), layers, table, numbers)
    for panel, axes in zip(("random", "natural-manmade"), figure.axes, strict=True):
        there = [line for line in lines if line.panel == panel]
        dashed = [line for line in in_data(axes) if line.get_linestyle() == "--"]
        shown = [line for line in there if len(line.published)]
        assert len(dashed) == len(shown) == {"random": 4, "natural-manmade": 1}[panel]
        for line, artist in zip(shown, dashed, strict=True):
            np.testing.assert_allclose(artist.get_ydata(), line.published["mean"])
            assert same_color(artist.get_color(), line.colour)
            assert same_color(artist.get_markerfacecolor(), "white")
            assert artist.get_linewidth() < 1
    assert "dashed, hollow: released networks (Yosinski et al. 2014)" in words(figure)
    _, figure = drawn(figure_of("drops"), layers, table)
    assert "hollow" not in words(figure)


def test_panels_share_their_scale_and_say_how_many_units(layers, table, figure_of):
    fewer = table[~table["unit"].str.startswith("natural-manmade-1")]
    _, figure = drawn(figure_of("drops"), layers, fewer)
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_xlim() == second.get_xlim()
    assert list(first.get_xticks()) == list(second.get_xticks()) == LAYERS
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["class_split random (4 target halves)", "class_split natural-manmade (2 target halves)"]
    assert first.get_ylabel()
    assert not second.get_ylabel()
    below = "mean over target halves, each from its own base at 0; bars: 95 % interval of that mean, of 3 or more"
    assert below in words(figure)


def test_two_values_have_no_bar(layers, table, figure_of):
    fewer = table[~table["unit"].str.startswith("natural-manmade-1")]
    _, figure = drawn(figure_of("drops"), layers, fewer)
    for axes, bars in zip(figure.axes, (True, False), strict=True):
        segments = [part for c in axes.collections if isinstance(c, LineCollection) for part in c.get_segments()]
        assert sum(len(part) == 2 and np.isfinite(part).all() for part in segments) == (4 * 7 if bars else 0)


def test_bars_are_spoken_of_where_there_are_some(layers, table, figure_of):
    two = table[table["split"] == 0]
    _, figure = drawn(figure_of("layers"), layers, two)
    assert "mean over 2 target halves; dots: single target halves; no bars: fewer than 3 target halves" in words(figure)
    assert "95 %" not in words(figure)


def test_what_was_selected_is_said_where_it_leaves_something_out(layers, table, figure_of):
    for name, kinds, said in (
        ("layers", FACTORS["class_split"], ["class_split = random"]),
        ("layers", ["random"], []),  # all that there is
        ("drops", FACTORS["class_split"], []),
        ("kinds", FACTORS["class_split"], []),
    ):
        assert figures.left_of(figure_of(name), table, {**FACTORS, "class_split": kinds}) == said
    deep = figure_of("drops", where={"condition": "AnB", "layers": {"from": 4}}, panels=None, x="split")
    assert figures.left_of(deep, table, FACTORS) == ["layers = 4, 5, 6, 7"]
    lines = figures.lines_of(figure_of("layers"), layers, table, FACTORS)
    figure = figures.draw_curves(figure_of("layers"), layers, lines, ["class_split = random"])
    assert "mean over 4 target halves; only class_split = random; dots" in words(figure)


def test_a_name_is_joined_to_the_end_of_its_line(layers, table, figure_of):
    lines, figure = drawn(figure_of("layers"), layers, table)
    (axes,) = figure.axes
    style.png(figure)
    whole = {line.name: shown for line, shown in zip(lines, in_data(axes), strict=True)}
    joins = [
        line for line in axes.lines if line.get_transform() == axes.get_yaxis_transform() and line.get_xdata()[1] > 1
    ]
    assert len(joins) == len(lines)
    for line in lines:
        (join,) = (one for one in joins if same_color(one.get_color(), line.colour))
        start = axes.transData.inverted().transform(join.get_transform().transform(join.get_xydata()[0]))
        end = whole[line.name].get_xydata()[-1]
        np.testing.assert_allclose(start, end if line.name != "base" else [axes.get_xlim()[1], end[1]])


def test_no_room_is_kept_for_longer_names_than_there_are(layers, table, figure_of):
    for name, rows in (("layers", table), ("drops", table), ("drops", table[table["class_split"] == "random"])):
        _, figure = drawn(figure_of(name), layers, rows)
        figure.set_dpi(150)
        style.png(figure)
        longest = max(text.get_window_extent().x1 for axes in figure.axes for text in axes.texts)
        assert figure.get_figwidth() - longest / 150 < 0.25


def test_zero_is_drawn_where_values_are_differences(layers, table, figure_of):
    _, figure = drawn(figure_of("drops"), layers, table)
    for axes in figure.axes:
        assert [0.0, 0.0] in [list(line.get_ydata()) for line in axes.lines if list(line.get_xdata()) == [0, 1]]


def test_names_stand_at_the_ends_in_the_last_panel_or_else_in_a_list(layers, table, figure_of):
    _, figure = drawn(figure_of("drops"), layers, table)
    assert not figure.axes[0].texts
    assert set(names_of(figure.axes[1]).values()) == {"BnB", "BnB+", "AnB", "AnB+"}
    assert figure.axes[1].get_legend() is None
    fewer = table[(table["class_split"] == "random") | table["condition"].isin(["base", "AnB"])]
    lines, figure = drawn(figure_of("drops"), layers, fewer)
    assert not figure.axes[1].texts
    listed = figure.axes[1].get_legend().get_texts()
    assert [text.get_text() for text in listed] == ["BnB", "BnB+", "AnB", "AnB+"]
    colours = {line.name: line.colour for line in lines}
    assert all(same_color(text.get_color(), colours[text.get_text()]) for text in listed)


def test_nothing_is_cut_off_and_no_names_overlap(layers, table, numbers, figure_of):
    fewer = table[(table["class_split"] == "random") | table["condition"].isin(["base", "AnB"])]
    for name in ("layers", "drops", "kinds"):
        for rows in (table, fewer):
            _, figure = drawn(figure_of(name), layers, rows, numbers)
            figure.set_dpi(150)
            style.png(figure)
            wide, tall = figure.get_size_inches() * 150
            labels = [text for axes in figure.axes for text in axes.texts]
            legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
            for text in [*figure.texts, *labels, *(text for legend in legends for text in legend.get_texts())]:
                box = text.get_window_extent()
                assert box.x0 >= 0
                assert box.y0 >= 0
                assert box.x1 <= wide, text.get_text()
                assert box.y1 <= tall
            boxes = sorted((text.get_window_extent() for text in labels), key=lambda box: box.y0)
            assert all(below.y1 - above.y0 < 0.35 * below.height for below, above in itertools.pairwise(boxes))


def test_a_line_of_its_own_has_the_colour_of_its_condition_if_no_other_has(layers, table, figure_of):
    lines, _ = drawn(figure_of("kinds"), layers, table)
    colours = {line.name: line.colour for line in lines}
    assert len(set(colours.values())) == len(colours) == 4
    whole, _ = drawn(figure_of("layers", where=ALL_CONDITIONS), layers, table)
    own = {line.name: line.colour for line in whole}
    first, second, gaussian, scaled = colours.values()
    assert (first, gaussian, scaled) == (own["AnB"], own["random-gaussian"], own["random-scaled"])
    assert second not in (own["AnB"], own["random-gaussian"], own["random-scaled"])


@pytest.mark.slow
def test_the_figures_of_the_protocol_are_the_same_bytes_each_time(layers, table, numbers):
    for figure in layers.figures:
        first, again = (
            figures.draw(figure, layers, {"measurements": table}, FACTORS, CAPTION, numbers) for _ in range(2)
        )
        assert set(first) == {f"{figure.name}.png", f"{figure.name}.svg"}
        assert first == again
        assert CAPTION in first[f"{figure.name}.svg"].decode()
        alone = figures.draw(figure, layers, {"measurements": table}, FACTORS, CAPTION)
        assert (alone == first) == (not figure.published)
