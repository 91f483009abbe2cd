"""What the tests of figures start from: the toy protocol, its tables, and ways to look into what was drawn."""

from types import SimpleNamespace

import pandas as pd
import pytest

from tlbench import figures, protocol
from tlbench.protocol import Figure

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


def changed(figure, **keys):
    return Figure(**{**{name: getattr(figure, name) for name in figure.__struct_fields__}, **keys})


def words(drawn):
    return [text.get_text() for text in drawn.findobj(match=lambda artist: hasattr(artist, "get_text"))]


def both(**tables):
    return {"measurements": measurements(), "weights": weights(), **tables}


def curves_of(drawn):
    """The lines of the curves themselves, not those that join a name to its line's end."""
    (axes,) = drawn.axes
    return [line for line in axes.lines if line.get_transform() == axes.transData]


def curves(figure, declared, table, factors, published=None):
    return figures.draw_curves(figure, declared, figures.lines_of(figure, declared, table, factors, published))


@pytest.fixture(scope="session")
def made():
    """Tables and what is done with them."""
    return SimpleNamespace(
        shots=SHOTS,
        factors=FACTORS,
        caption=CAPTION,
        measurements=measurements,
        weights=weights,
        both=both,
        changed=changed,
        words=words,
        curves_of=curves_of,
        curves=curves,
    )


@pytest.fixture
def declared(toy):
    return protocol.parse(toy.content, "toy")


@pytest.fixture
def curves_figure(declared):
    return declared.figures[0]


@pytest.fixture
def heatmap_figure(declared):
    return declared.figures[1]
