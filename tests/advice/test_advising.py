"""The whole advice: what it says, what it does not, and how it is shown."""

import dataclasses

import numpy as np
import pytest

from tests.advice.conftest import make_material
from tlbench.advice import KindOfModel, Material, advise, draw, page, sheets
from tlbench.advice.advising import leans_on_nothing
from tlbench.advice.machines import cast, train_options
from tlbench.advice.page import escaped
from tlbench.advice.roles import target_rows
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
    assert len(found.unanswered) == 1
    assert "%" not in page(found).partition("Not answered")[0]


def test_a_model_that_transfers_nothing_promises_no_gain():
    material = make_material()
    features = {kind: values.copy() for kind, values in material.pack.features.items()}
    for values in features.values():
        values[material.positives] = 30.0  # three copies of one picture, like nothing else
    given = Material(dataclasses.replace(material.pack, features=features), "target", material.positives)
    found = advice_on(given)
    assert (found.chosen, found.option) == ("ours", "none")
    assert found.likeness >= found.least_likeness
    assert set(found.weights.values()) == {0.0}
    assert found.expected is None
    text = page(found)
    assert "No transfer: every weight came out as 0.00" in text
    assert "copies of one" in text
    assert "Expected gain" not in text
    assert "| source |" not in text
    assert set(draw(found)) == {"advice.png", "advice.svg"}
    rows = target_rows(given, 0)
    task = cast(given.pack, rows, [given.shots])
    decisions = train_options(task, 0)["none"].decisions(task.test_kernel, task.test_scores)[0, 0]
    seen = given.pack.take(rows.test[0])
    np.testing.assert_allclose(found.model.decision_function(seen), decisions, rtol=0, atol=1e-10)


def test_equal_weights_of_many_sources_are_not_nothing():
    weights = np.full((1, 1, 300), 1 / 300)
    assert not leans_on_nothing(weights)
    assert leans_on_nothing(0.01 * weights)
    assert not leans_on_nothing(np.array([[[0.0, 0.006]]]))


def test_sources_that_did_not_play_are_named_with_the_reason(found, monkeypatch):
    assert "sources played" not in page(found)
    material = make_material(sources=6, pictures=40)
    fewer = {"source 1": 17, "source 4": 10}
    categories = {name: rows[: fewer.get(name)] for name, rows in material.pack.categories.items()}
    short = Material(dataclasses.replace(material.pack, categories=categories), "target", material.positives)
    text = page(advice_on(short))
    assert "\n4 of the 6 sources played: source 1 and source 4 have fewer than 35 pictures.\n" in text
    monkeypatch.setattr("tlbench.advice.rehearsal.MOST_PLAYERS", 3)
    text = page(advice_on(short))
    assert (
        "3 of the 6 sources played: source 1 and source 4 have fewer than 35 pictures; of the other 4, 3 were" in text
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", r"\<script>alert(1)\</script>"),
        ("a|b`c`", r"a\|b\`c\`"),
        ("a\\|b", r"a\\\|b"),
        ("![](http://example.org)", r"!\[](http://example.org)"),
        ("red\x1b[31m\nline", r"red\\x1b\[31m\\nline"),
        ("my_source - 白鷺 & co", "my_source - 白鷺 & co"),
    ],
)
def test_a_name_is_no_markup(name, shown):
    assert escaped(name) == shown


def test_names_of_every_kind_are_shown_as_they_are():
    material = make_material()
    names = ["", "<script>a|b</script>", "$x_1$", "白鷺", "x" * 200][1:]
    renamed = dict(zip(names, material.sources.values(), strict=True))
    pack = dataclasses.replace(material.pack, categories=renamed)
    found = advice_on(Material(pack, "Löffler $", material.positives))
    text = page(found)
    assert r"\<script>a\|b\</script>" in text
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
