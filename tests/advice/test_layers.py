"""How many blocks to keep: on blocks made so that the answer is known."""

import numpy as np
import pytest

from tlbench.advice.layers import COLUMNS, judge_layers, layers_page, layers_sheet
from tlbench.advice.material import Material
from tlbench.datasets import DataError, FeaturePack

WIDTHS = [6, 4, 8]
SOURCES, EACH, SHOTS, OTHER = 4, 24, 5, 90


def made(telling: int, sources: int = SOURCES) -> Material:
    """Each category lies at a place of its own in one block; the others are noise."""
    draw = np.random.default_rng(0)
    labels = np.concatenate(
        [np.full(OTHER, 0), np.repeat(np.arange(1, sources + 1), EACH), np.full(SHOTS, sources + 1)]
    )
    blocks = [draw.normal(size=(len(labels), width)) for width in WIDTHS]
    places = draw.normal(size=(sources + 2, WIDTHS[telling])) * 3
    blocks[telling] = blocks[telling] + places[labels] * (labels > 0)[:, None]
    rows = {f"source {number}": np.flatnonzero(labels == number) for number in range(1, sources + 1)}
    pack = FeaturePack(
        tuple(f"{number:04}" for number in range(len(labels))),
        {"deep:made/each": np.hstack(blocks)},
        rows,
        np.flatnonzero(labels == 0),
    )
    return Material(pack, "new", np.flatnonzero(labels == sources + 1))


def judged(material: Material):
    told: list[tuple[int, int]] = []
    return judge_layers(material, "deep:made", WIDTHS, 0, lambda *now: told.append(now)), told


@pytest.mark.parametrize("telling", range(3))
def test_the_block_that_tells_is_found(telling):
    found, told = judged(made(telling))
    assert found.best == telling + 1
    assert list(found.table.columns) == list(COLUMNS)
    assert found.table["numbers"].tolist() == WIDTHS
    row = found.table.iloc[telling]
    assert (row["behind"], row["error"]) == (0, 0)
    assert found.table["behind"].drop(telling).min() > 5
    assert found.table["logme"].idxmax() == found.table["cross_validated"].idxmax() == telling
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    page = layers_page(found)
    assert f"Keep the first {telling + 1} of 3 blocks" in page
    assert f"--features deep:made/{telling + 1}" in page
    assert len(layers_sheet(found).rows) == 3


def test_the_same_question_has_the_same_answer():
    one, two = judged(made(1))[0], judged(made(1))[0]
    assert one.table.equals(two.table)


def test_below_five_pictures_nothing_is_cross_validated():
    whole = made(0)
    few = Material(whole.pack, "new", whole.positives[:4])
    found, _ = judged(few)
    assert found.table["cross_validated"].isna().all()
    assert {row[-2].text for row in layers_sheet(found).rows} == {"–"}


def test_too_few_sources_cannot_play():
    with pytest.raises(DataError, match="give more sources"):
        judged(made(0, sources=2))
