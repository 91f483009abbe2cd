"""A figure that a study draws itself: declared by its name, in the house's dress, the same bytes again."""

from dataclasses import replace

import pytest

from tlbench import figures
from tlbench.protocol import Figure, ProtocolError, parse
from tlbench.settings import resolve


def own(toy, **keys):
    toy.content["figures"] = [{"name": "picture", "kind": "own", "title": "What it drew", **keys}]
    return parse(toy.content, "mine.toml").figures[0]


def test_it_needs_a_name_and_a_title_alone(toy):
    assert own(toy).columns == []
    with pytest.raises(ProtocolError, match="figure 'picture': the study draws it, so it has no 'panels'"):
        own(toy, x="shots", panels="shots")
    with pytest.raises(ProtocolError, match="figure 'picture': a figure of kind curves needs 'y'"):
        own(toy, kind="curves", x="shots")


def test_it_is_drawn_from_the_tables_in_the_houses_dress(declared, made):
    from matplotlib.figure import Figure as Drawn

    seen, drawn = [], []

    def draw(tables):
        seen.append(tables)
        drawn.append(Drawn(figsize=(3, 3)))
        drawn[-1].add_axes((0.2, 0.2, 0.6, 0.6)).plot(tables["measurements"]["value"])
        return drawn[-1]

    figure = Figure(name="picture", kind="own", title="What it drew")
    tables = made.both()
    files = figures.draw(figure, declared, tables, made.factors, made.caption, own={"picture": draw})
    assert set(files) == {"picture.png", "picture.svg"}
    assert seen == [tables]
    assert {"What it drew", made.caption} <= set(made.words(drawn[0]))
    assert files == figures.draw(figure, declared, tables, made.factors, made.caption, own={"picture": draw})


def test_nothing_is_written_where_there_is_nothing_to_draw(declared, made):
    figure = Figure(name="picture", kind="own", title="What it drew")
    assert figures.draw(figure, declared, {}, made.factors, made.caption, own={"picture": lambda _: None}) == {}


def test_a_protocol_that_names_a_figure_which_the_study_does_not_draw_is_refused(toy):
    own(toy)
    declared = parse(toy.content, "mine.toml")
    draws = {"pictures": lambda tables: None}
    with pytest.raises(ProtocolError, match="'picture': the study draws no such figure; did you mean 'pictures'"):
        resolve(declared, replace(toy.study, draws=draws), None, {})
