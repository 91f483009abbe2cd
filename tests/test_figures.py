"""Figures show the numbers of their tables, say whose they are, and are the same bytes every time."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection

from tlbench import figures, protocol
from tlbench.protocol import Figure
from tlbench.tables import summarise

SHOTS = [1, 2, 4]
FACTORS = {"shots": SHOTS}
CAPTION = "toy · toy-data · profile short · run 0123abc"


def measurements(conditions=("plain", "left", "right"), units="abc", shots=SHOTS):
    rows = [
        ("toy", unit, split, condition, n, "accuracy", 50.0 + 3 * place + 2 * n + number * (1 + place) + split)
        for number, unit in enumerate(units)
        for split in range(2)
        for place, condition in enumerate(conditions)
        for n in shots
    ]
    return pd.DataFrame(rows, columns=["experiment", "unit", "split", "condition", "shots", "metric", "value"])


def weights(names=("a", "b", "c")):
    rows = [
        (target, source, split, n, "right", (names.index(target) + 2 * names.index(source)) / 10 + split / 100)
        for target in names
        for source in names
        if target != source
        for split in range(2)
        for n in SHOTS
    ]
    return pd.DataFrame(rows, columns=["target", "source", "split", "shots", "condition", "beta"])


@pytest.fixture
def declared(toy):
    return protocol.parse(toy.content, "toy")


@pytest.fixture
def curves(declared):
    return declared.figures[0]


@pytest.fixture
def heatmap(declared):
    return declared.figures[1]


def both(**tables):
    return {"measurements": measurements(), "weights": weights(), **tables}


def changed(figure, **keys):
    return Figure(**{**{name: getattr(figure, name) for name in figure.__struct_fields__}, **keys})


def words(drawn):
    return [text.get_text() for text in drawn.findobj(match=lambda artist: hasattr(artist, "get_text"))]


def curves_of(drawn):
    """The lines of the curves themselves, not those that join a name to its line's end."""
    (axes,) = drawn.axes
    return [line for line in axes.lines if line.get_transform() == axes.transData]


# Files


def test_a_figure_is_the_same_bytes_each_time(declared):
    for figure in declared.figures:
        first = figures.draw(figure, declared, both(), FACTORS, CAPTION)
        again = figures.draw(figure, declared, both(), FACTORS, CAPTION)
        assert list(first) == [f"{figure.name}.png", f"{figure.name}.svg"]
        assert first == again


def test_a_figure_shows_its_table_and_not_another(declared):
    figure = declared.figures[0]
    first = figures.draw(figure, declared, both(), FACTORS, CAPTION)
    moved = measurements()
    moved.loc[(moved["condition"] == "right") & (moved["shots"] == 4), "value"] += 5
    other = figures.draw(figure, declared, both(measurements=moved), FACTORS, CAPTION)
    assert all(first[name] != other[name] for name in first)


def test_files_are_whole_and_hold_no_time(declared):
    for figure in declared.figures:
        drawn = figures.draw(figure, declared, both(), FACTORS, CAPTION)
        png, svg = drawn[f"{figure.name}.png"], drawn[f"{figure.name}.svg"]
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert png.endswith(b"IEND\xaeB`\x82")
        for chunk in (b"tEXt", b"tIME", b"iTXt"):
            assert chunk + b"Software" not in png
            assert chunk + b"Creation" not in png
        assert b"tIME" not in png
        text = svg.decode("utf-8")
        ElementTree.fromstring(text)
        assert not re.search(r"<dc:date>|20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d", text)
        assert CAPTION in text


def test_drawing_leaves_the_style_of_others_alone(declared):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures.draw(declared.figures[0], declared, both(), FACTORS, CAPTION)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    "style", [{"font.size": 30.0}, {"svg.hashsalt": "other"}, {"axes.facecolor": "red"}, {"lines.markeredgewidth": 5.0}]
)
def test_a_style_of_the_user_changes_no_byte(declared, style):
    import matplotlib as mpl

    for figure in declared.figures:
        plain = figures.draw(figure, declared, both(), FACTORS, CAPTION)
        with mpl.rc_context(style):
            assert figures.draw(figure, declared, both(), FACTORS, CAPTION) == plain


@pytest.mark.parametrize("name", ["measurements", "weights"])
def test_nothing_is_drawn_where_there_is_nothing(declared, name):
    figure = declared.figures[name == "weights"]
    full = both()
    without = {key: table for key, table in full.items() if key != name}
    assert figures.draw(figure, declared, without, FACTORS, CAPTION) == {}
    assert figures.draw(figure, declared, {**full, name: full[name][:0]}, FACTORS, CAPTION) == {}
    other = changed(figure, where={"condition": "never run"})
    assert figures.draw(other, declared, full, FACTORS, CAPTION) == {}


def test_a_metric_that_was_not_measured_is_not_drawn(declared, curves):
    assert figures.draw(changed(curves, y="balanced_accuracy"), declared, both(), FACTORS, CAPTION) == {}


# Curves


def test_curves_are_means_over_units_with_their_intervals(declared, curves):
    table = measurements()
    drawn = figures._curves(curves, declared, table, FACTORS)
    lines = curves_of(drawn)
    whiskers = [c for c in drawn.axes[0].collections if isinstance(c, LineCollection)]
    assert len(lines) == len(whiskers) == 3
    summary = summarise(table, ["shots"])
    for place, (line, bars, condition) in enumerate(zip(lines, whiskers, ("plain", "left", "right"), strict=True)):
        by_hand = [50 + 3 * place + 2 * n + (1 + place) + 0.5 for n in SHOTS]
        np.testing.assert_allclose(line.get_ydata(), by_hand)
        offset = np.asarray(line.get_xdata()) - SHOTS
        assert np.ptp(offset) < 1e-12
        assert abs(offset[0]) < 0.5, "a point belongs to the nearest tick"
        expected = summary[summary["condition"] == condition]
        segments = np.array(bars.get_segments())
        np.testing.assert_allclose(segments[:, :, 0], np.asarray(line.get_xdata())[:, None] * [1, 1])
        np.testing.assert_allclose(np.sort(segments[:, :, 1]), expected[["low", "high"]])
    assert list(drawn.axes[0].get_xticks()) == SHOTS
    low, high = drawn.axes[0].get_ylim()
    assert low <= summary["low"].min()
    assert high >= summary["high"].max()
    assert any(text.startswith("mean over 3 places; bars: 95 % interval") for text in words(drawn))


def test_curves_stand_beside_each_other(declared, curves):
    first = [line.get_xdata()[0] for line in curves_of(figures._curves(curves, declared, measurements(), FACTORS))]
    assert len(set(first)) == 3
    assert first == sorted(first)


def test_each_curve_is_named_in_its_colour_and_an_oracle_is_marked(declared, curves):
    drawn = figures._curves(curves, declared, measurements(), FACTORS)
    lines = dict(zip(("plain", "left", "right"), curves_of(drawn), strict=True))
    names = {text.get_text(): text for text in drawn.axes[0].texts}
    assert set(names) == {"plain", "left (oracle)", "right"}
    for condition, line in lines.items():
        label = names[f"{condition} (oracle)" if condition == "left" else condition]
        assert matplotlib.colors.same_color(label.get_color(), line.get_color())
    assert len({line.get_color() for line in lines.values()}) == 3
    assert [name for name, line in lines.items() if line.get_linestyle() == "--"] == ["left"]
    assert max(lines, key=lambda name: lines[name].get_linewidth()) == "right"


def test_names_stand_in_the_order_of_their_ends_and_do_not_overlap(declared, curves):
    table = measurements(conditions=tuple("abcdefgh"))
    table["value"] = 50.0 + table["condition"].map({c: i / 100 for i, c in enumerate("abcdefgh")}) + table["shots"]
    drawn = figures._curves(curves, declared, table, FACTORS)
    texts = drawn.axes[0].texts
    heights = {text.get_text(): text.get_position()[1] for text in texts}
    assert sorted(heights, key=heights.get) == list("abcdefgh")
    figures._png(drawn)
    boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.y0)
    assert all(below.y1 - above.y0 < 0.35 * below.height for below, above in itertools.pairwise(boxes))


def test_a_condition_keeps_its_colour_when_others_are_left_out(declared, curves):
    whole = curves_of(figures._curves(curves, declared, measurements(), FACTORS))
    fewer = measurements(conditions=("left", "right"))
    some = curves_of(figures._curves(curves, declared, fewer, FACTORS))
    assert [line.get_color() for line in some] == [line.get_color() for line in whole[1:]]


def test_where_takes_rows_of_the_figure(declared, curves):
    drawn = figures._curves(curves, declared, measurements(), FACTORS)
    assert len(curves_of(drawn)) == 3
    picked = figures.select(measurements(), {"condition": ["plain", "right"]}, FACTORS)
    assert len(curves_of(figures._curves(curves, declared, picked, FACTORS))) == 2


def test_one_unit_one_level_one_condition(declared, curves):
    table = measurements(conditions=("plain",), units="a", shots=[2])
    drawn = figures.draw(curves, declared, both(measurements=table), {"shots": [2]}, CAPTION)
    assert set(drawn) == {"lines.png", "lines.svg"}
    (line,) = curves_of(figures._curves(curves, declared, table, {"shots": [2]}))
    np.testing.assert_allclose(line.get_ydata(), [54.5])


def test_axes_and_title_say_what_is_shown(declared, curves, heatmap):
    named = changed(curves, x_label="labels", y_label="per cent")
    (axes,) = figures._curves(named, declared, measurements(), FACTORS).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("labels", "per cent")
    drawn = figures._curves(curves, declared, measurements(), FACTORS)
    assert (drawn.axes[0].get_xlabel(), drawn.axes[0].get_ylabel()) == ("shots", "accuracy")
    assert "Lines" in words(drawn)
    drawn = figures._heatmap(changed(heatmap, value_label="trust"), weights())
    assert (drawn.axes[0].get_xlabel(), drawn.axes[0].get_ylabel()) == ("source", "target")
    assert drawn.axes[1].get_ylabel() == "trust"
    assert "Map" in words(drawn)


# Heat maps


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


def test_a_heatmap_has_each_mean_in_its_place(heatmap):
    names = ("c", "a", "b")  # as in the table, not in the alphabet
    cells = shown(figures._heatmap(heatmap, weights(names)))
    assert list(cells) == [(target, source) for target in names for source in names]
    for (target, source), (value, printed) in cells.items():
        if target == source:
            assert np.isnan(value)
            assert printed is None
        else:
            mean = (names.index(target) + 2 * names.index(source)) / 10 + 0.005
            assert value == pytest.approx(mean)
            assert float(printed) == pytest.approx(mean, abs=0.00501)


def test_colours_start_at_zero_and_are_even_about_it_when_signed(heatmap):
    plain = figures._heatmap(heatmap, weights()).axes[0].images[0]
    assert plain.get_clim() == (0.0, pytest.approx(np.nanmax(plain.get_array())))
    signed = figures._heatmap(heatmap, weights().assign(beta=lambda table: -table["beta"])).axes[0].images[0]
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
def test_small_and_incomplete_heatmaps(declared, heatmap, rows):
    table = pd.DataFrame(rows, columns=["target", "source", "beta"]).assign(condition="right", split=0, shots=1)
    cells = shown(figures._heatmap(heatmap, table))
    assert {cell: value for cell, (value, _) in cells.items() if not np.isnan(value)} == {
        (target, source): beta for target, source, beta in rows
    }
    assert set(figures.draw(heatmap, declared, both(weights=table), FACTORS, CAPTION)) == {"map.png", "map.svg"}


def test_a_number_on_a_dark_cell_is_light(heatmap):
    axes = figures._heatmap(heatmap, weights()).axes[0]
    image = axes.images[0]
    for text in axes.texts:
        column, row = text.get_position()
        cell = image.cmap(image.norm(image.get_array()[round(row), round(column)]))
        lightness = np.dot(cell[:3], [0.299, 0.587, 0.114])
        letter = np.dot(matplotlib.colors.to_rgb(text.get_color()), [0.299, 0.587, 0.114])
        assert abs(lightness - letter) > 0.35


# Names of any kind

ODD = ["$x^2", "$a$", r"a\$b$", "$", "{", "a_b^c", r"\frac", "<a&b>", "%d", "a\nb", " ", "x" * 80, "Größe", "_hidden"]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_name_is_shown_as_it_is(declared, heatmap, curves, odd):
    drawn = figures.draw(heatmap, declared, both(weights=weights((odd, "b", "c"))), FACTORS, f"run of {odd}")
    assert set(drawn) == {"map.png", "map.svg"}
    ElementTree.fromstring(drawn["map.svg"].decode("utf-8"))
    table = measurements(conditions=("plain", odd))
    assert set(figures.draw(curves, declared, both(measurements=table), FACTORS, odd)) == {"lines.png", "lines.svg"}


@pytest.mark.parametrize("odd", ["$x^2$ and $y$", "$a$", "a$b"])
def test_a_dollar_starts_no_formula(heatmap, odd):
    from matplotlib.text import Text

    drawn = figures._heatmap(heatmap, weights((odd, "b", "c")))
    figures._svg(drawn)
    label = drawn.axes[0].get_yticklabels()[0]
    assert isinstance(label, Text)
    rendered, is_math = label._preprocess_math(label.get_text())
    assert (rendered, is_math) == (odd, False)


@pytest.mark.parametrize("name", ["собака", "σκύλος", "câine", "½ β ≤ 1"])
def test_a_name_in_another_script_is_drawn_without_a_complaint(declared, heatmap, name):
    assert figures.draw(heatmap, declared, both(weights=weights((name, "b", "c"))), FACTORS, CAPTION)
