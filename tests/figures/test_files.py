"""Figures show the numbers of their tables, say whose they are, and are the same bytes every time."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tlbench import figures
from tlbench.figures import style


def test_a_figure_is_the_same_bytes_each_time(declared, made):
    for figure in declared.figures:
        first = figures.draw(figure, declared, made.both(), made.factors, made.caption)
        again = figures.draw(figure, declared, made.both(), made.factors, made.caption)
        assert list(first) == [f"{figure.name}.png", f"{figure.name}.svg"]
        assert first == again


def test_a_figure_shows_its_table_and_not_another(declared, made):
    figure = declared.figures[0]
    first = figures.draw(figure, declared, made.both(), made.factors, made.caption)
    moved = made.measurements()
    moved.loc[(moved["condition"] == "right") & (moved["shots"] == 4), "value"] += 5
    other = figures.draw(figure, declared, made.both(measurements=moved), made.factors, made.caption)
    assert all(first[name] != other[name] for name in first)


def test_files_are_whole_and_hold_no_time(declared, made):
    for figure in declared.figures:
        drawn = figures.draw(figure, declared, made.both(), made.factors, made.caption)
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
        assert made.caption in text


def test_drawing_leaves_the_style_of_others_alone(declared, made):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    figures.draw(declared.figures[0], declared, made.both(), made.factors, made.caption)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    "style", [{"font.size": 30.0}, {"svg.hashsalt": "other"}, {"axes.facecolor": "red"}, {"lines.markeredgewidth": 5.0}]
)
def test_a_style_of_the_user_changes_no_byte(declared, style, made):
    import matplotlib as mpl

    for figure in declared.figures:
        plain = figures.draw(figure, declared, made.both(), made.factors, made.caption)
        with mpl.rc_context(style):
            assert figures.draw(figure, declared, made.both(), made.factors, made.caption) == plain


@pytest.mark.parametrize("name", ["measurements", "weights"])
def test_nothing_is_drawn_where_there_is_nothing(declared, name, made):
    figure = declared.figures[name == "weights"]
    full = made.both()
    without = {key: table for key, table in full.items() if key != name}
    assert figures.draw(figure, declared, without, made.factors, made.caption) == {}
    assert figures.draw(figure, declared, {**full, name: full[name][:0]}, made.factors, made.caption) == {}
    other = made.changed(figure, where={"condition": "never run"})
    assert figures.draw(other, declared, full, made.factors, made.caption) == {}


def test_a_metric_that_was_not_measured_is_not_drawn(declared, curves_figure, made):
    assert (
        figures.draw(
            made.changed(curves_figure, y="balanced_accuracy"), declared, made.both(), made.factors, made.caption
        )
        == {}
    )


ODD = ["$x^2", "$a$", r"a\$b$", "$", "{", "a_b^c", r"\frac", "<a&b>", "%d", "a\nb", " ", "x" * 80, "Größe", "_hidden"]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_name_is_shown_as_it_is(declared, heatmap_figure, curves_figure, odd, made):
    drawn = figures.draw(
        heatmap_figure, declared, made.both(weights=made.weights((odd, "b", "c"))), made.factors, f"run of {odd}"
    )
    assert set(drawn) == {"map.png", "map.svg"}
    ElementTree.fromstring(drawn["map.svg"].decode("utf-8"))
    table = made.measurements(conditions=("plain", odd))
    assert set(figures.draw(curves_figure, declared, made.both(measurements=table), made.factors, odd)) == {
        "lines.png",
        "lines.svg",
    }


@pytest.mark.parametrize("odd", ["$x^2$ and $y$", "$a$", "a$b"])
def test_a_dollar_starts_no_formula(heatmap_figure, odd, made):
    from matplotlib.text import Text

    drawn = figures.draw_heatmap(heatmap_figure, made.weights((odd, "b", "c")))
    style.svg(drawn)
    label = drawn.axes[0].get_yticklabels()[0]
    assert isinstance(label, Text)
    rendered, is_math = label._preprocess_math(label.get_text())
    assert (rendered, is_math) == (odd, False)


@pytest.mark.parametrize("name", ["собака", "σκύλος", "câine", "½ β ≤ 1"])
def test_a_name_in_another_script_is_drawn_without_a_complaint(declared, heatmap_figure, name, made):
    assert figures.draw(
        heatmap_figure, declared, made.both(weights=made.weights((name, "b", "c"))), made.factors, made.caption
    )
