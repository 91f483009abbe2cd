"""The whole advice: what it says, what it does not, and how it is shown."""

import dataclasses

import numpy as np
import pytest

from tests.advice.conftest import make_material
from tlbench.advice import KindOfModel, Material, advise, draw, page, sheets
from tlbench.sheet import written


def advice_on(material, **more):
    return advise(material, {kind: KindOfModel() for kind in material.pack.features}, **more)


@pytest.fixture(scope="module")
def found():
    return advice_on(make_material())


def test_transfer_that_helps_is_advised_with_what_it_is_worth(found):
    assert found.option != "none"
    assert found.expected.gain.mean > 3
    assert found.expected.advised.low < found.expected.advised.mean <= 100
    assert found.unanswered == ()
    assert list(found.weights) == sorted(found.weights, key=lambda name: -abs(found.weights[name]))
    text = page(found)
    assert f"{found.expected.advised.mean:.0f} %" in text
    assert "Expected gain" in text
    assert "without transfer takes" in text
    assert len(text.splitlines()) < 45


def test_the_targets_own_pictures_are_recognised_by_its_model(found):
    material = make_material()
    decisions = found.model.decision_function(material.pack.take(material.positives))
    assert (decisions > 0).all()


def test_the_same_question_has_the_same_answer(found):
    again = advice_on(make_material())
    assert again.rehearsal.equals(found.rehearsal)
    assert page(again) == page(found)
    assert draw(again) == draw(found)


@pytest.mark.parametrize("sources", [1, 2])
def test_with_few_sources_nothing_is_promised(sources):
    found = advice_on(make_material(sources=sources))
    assert found.expected is None
    assert found.rehearsal.empty
    (reason,) = found.unanswered
    assert "3 sources of at least 18 pictures are needed" in reason
    assert "Transfer on trust" in page(found)
    assert "Expected" not in page(found)
    assert draw(found) == {}
    assert found.model.decision_function({k: np.zeros((2, n)) for k, n in (("shape", 7), ("texture", 5))}).shape == (2,)


def test_too_few_pictures_to_rehearse_so_many_labels_is_said():
    found = advice_on(make_material(shots=11))
    assert found.expected is None
    assert "at least 26 pictures are needed, and there are 0" in found.unanswered[0]


def test_a_target_unlike_every_source_is_told_so():
    found = advice_on(make_material(unlike=True))
    assert found.likeness < found.least_likeness
    assert found.expected is None
    assert "less like the sources" in found.unanswered[0]
    assert "%" not in page(found).partition("Not answered")[0]


def test_names_of_every_kind_are_shown_as_they_are():
    material = make_material()
    names = ["", "<script>a|b</script>", "$x_1$", "白鷺", "x" * 200][1:]
    renamed = dict(zip(names, material.sources.values(), strict=True))
    pack = dataclasses.replace(material.pack, categories=renamed)
    found = advice_on(Material(pack, "Löffler $", material.positives))
    text = page(found)
    assert "<script>a\\|b" in text
    assert "白鷺" in text
    assert set(draw(found)) == {"advice.png", "advice.svg"}
    for form in ("csv", "json", "markdown"):
        assert "白鷺" in written(sheets(found), form)


def test_tables_hold_what_the_page_rounds(found):
    by_caption = {sheet.caption: sheet for sheet in sheets(found)}
    expected = {row[0].text: row[1:] for row in by_caption["Expected"].rows}
    assert [cell.value for cell in expected["gain in points"]] == [
        found.expected.gain.mean,
        found.expected.gain.low,
        found.expected.gain.high,
    ]
    weights = {row[0].text: row[1].value for row in by_caption["Weights"].rows}
    assert weights == found.weights
