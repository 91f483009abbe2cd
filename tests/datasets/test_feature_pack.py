"""A pack holds distinct examples in the order of their names; what would fool an experiment is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.datasets import DataError, FeaturePack, build, load_data, save_data

EXAMPLES = [("e", "dog"), ("b", "cat"), ("a", "bg"), ("d", "dog"), ("c", "cat"), ("f", "bg")]
NUMBERS = np.arange(12.0).reshape(6, 2)


def pack(examples=EXAMPLES, numbers=NUMBERS, background="bg", categories=(), **kinds):
    return build(examples, {"f": np.array(numbers, dtype=float), **kinds}, background, categories)


def members(made):
    named = {name: [made.identities[row] for row in rows] for name, rows in made.categories.items()}
    return named | {"-": [made.identities[row] for row in made.background]}


def test_examples_are_in_the_order_of_their_names():
    made = pack()
    assert made.identities == tuple("abcdef")
    assert made.features["f"].tolist() == [[4, 5], [2, 3], [8, 9], [6, 7], [0, 1], [10, 11]]
    assert members(made) == {"cat": ["b", "c"], "dog": ["d", "e"], "-": ["a", "f"]}
    assert made.notices == ()
    assert not made.own_backgrounds
    assert made.take(np.array([4, 0]))["f"].tolist() == [[0, 1], [4, 5]]


@given(order=st.permutations(range(6)))
def test_the_order_of_the_rows_does_not_show(order):
    other = pack([EXAMPLES[row] for row in order], NUMBERS[list(order)])
    assert other.identities == pack().identities
    assert members(other) == members(pack())
    assert other.fingerprint == pack().fingerprint


def test_categories_are_those_named_in_that_order():
    examples = [*EXAMPLES, ("g", "owl"), ("h", "owl")]
    numbers = np.arange(16.0).reshape(8, 2)
    assert list(pack(examples, numbers).categories) == ["cat", "dog", "owl"]
    assert list(pack(examples, numbers, categories=["owl", "cat"]).categories) == ["owl", "cat"]


@pytest.mark.parametrize("name", ["background", "Background", "BACKGROUND_Google", "257.clutter", "clutter"])
def test_a_usual_background_is_found_by_its_name(name):
    made = pack([(identity, name if label == "bg" else label) for identity, label in EXAMPLES], background=None)
    assert members(made)["-"] == ["a", "f"]


def test_a_named_background_wins_over_a_usual_one():
    examples = [*EXAMPLES, ("g", "clutter")]
    made = pack(examples, np.arange(14.0).reshape(7, 2), background="bg")
    assert list(made.categories) == ["cat", "clutter", "dog"]


# Repeats


@pytest.mark.fault("leakage")
def test_a_repeated_row_is_kept_once_and_said():
    numbers = NUMBERS.copy()
    numbers[4] = numbers[1]  # c repeats b, both cats
    numbers[5] = numbers[2]
    made = pack(numbers=numbers)
    assert members(made) == {"cat": ["b"], "dog": ["d", "e"], "-": ["a"]}
    (notice,) = made.notices
    assert notice.startswith("2 examples repeat")


def test_the_first_by_name_is_the_one_that_is_kept_whatever_the_order():
    numbers = NUMBERS.copy()
    numbers[3] = numbers[0]
    forwards, backwards = pack(numbers=numbers), pack(EXAMPLES[::-1], numbers[::-1])
    assert members(forwards) == members(backwards)
    assert members(forwards)["dog"] == ["d"]


def test_rows_alike_in_one_kind_alone_are_different():
    same = np.zeros((6, 1))
    assert len(pack(g=same).identities) == 6
    with pytest.raises(DataError, match="same example"):
        build(EXAMPLES, {"g": same}, "bg")


@pytest.mark.fault("leakage")
def test_zero_and_minus_zero_are_one_number():
    numbers = NUMBERS.copy()
    numbers[1], numbers[4] = [0.0, 99.0], [-0.0, 99.0]
    assert len(pack(numbers=numbers).identities) == 5


@pytest.mark.fault("leakage")
@pytest.mark.parametrize("first", [0, 1])
def test_one_picture_under_two_labels_is_refused(first):
    numbers = NUMBERS.copy()
    numbers[2 + first] = numbers[first]
    with pytest.raises(DataError, match=r"'.' \(label '.+'\) and '.' \(label '.+'\) are the same example"):
        pack([("e", "dog"), ("b", "cat"), ("a", "bg"), ("d", "bg"), ("c", "cat"), ("f", "dog")], numbers)


@pytest.mark.fault("input")
def test_an_identity_used_twice_is_refused_with_its_rows():
    with pytest.raises(DataError, match="identity 'b' stands in rows 2 and 5"):
        pack([*EXAMPLES[:4], ("b", "cat"), EXAMPLES[5]])


# What cannot be used


@pytest.mark.fault("input")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused_with_the_first_row(bad):
    numbers = NUMBERS.copy()
    numbers[3, 1] = numbers[4, 0] = bad
    with pytest.raises(DataError, match="NaN or infinity in 2 rows of 'f', first 'd'"):
        pack(numbers=numbers)


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"background": "owl"}, "there is no label 'owl'; there are 'dog', 'cat', 'bg'"),
        ({"background": None}, "no label is a background; name one"),
        ({"categories": ["dog", "owl"]}, "there is no label 'owl'"),
        ({"categories": ["dog", "bg"]}, "'bg' is the background and cannot be a category"),
        ({"categories": ["dog"]}, "1 a category; an experiment needs at least two"),
        ({"examples": [(i, "dog") for i, _ in EXAMPLES], "background": "dog"}, "0 a category"),
        ({"examples": [(i, "bg" if b == "bg" else "dog") for i, b in EXAMPLES]}, "1 a category"),
    ],
)
def test_labels_that_make_no_experiment_are_refused(keys, says):
    with pytest.raises(DataError, match=says):
        pack(**keys)


def test_a_category_named_twice_is_not_two_categories():
    with pytest.raises(DataError, match="at least two"):
        pack(categories=["dog", "dog"])


# The fingerprint


def test_a_fingerprint_changes_with_everything_that_can_change_a_result():
    numbers = NUMBERS.copy()
    numbers[0, 0] = np.nextafter(0.0, 1.0)
    others = [
        pack(numbers=numbers),
        pack([("z", "dog"), *EXAMPLES[1:]]),
        pack([("e", "cat"), *EXAMPLES[1:]]),
        pack([(i, {"dog": "dogs"}.get(label, label)) for i, label in EXAMPLES]),
        pack(background="cat", categories=["dog", "bg"]),
        build(EXAMPLES, {"g": NUMBERS}, "bg"),
        build(EXAMPLES, {"f": NUMBERS[:, :1], "g": NUMBERS[:, 1:]}, "bg"),
    ]
    prints = {made.fingerprint for made in [pack(), *others]}
    assert len(prints) == 1 + len(others)


def test_a_fingerprint_does_not_know_how_numbers_are_laid_out():
    made = pack(g=NUMBERS + 1)
    other = dataclasses.replace(
        made, features={kind: np.asfortranarray(made.features[kind]) for kind in ("g", "f")}, notices=("x",)
    )
    assert other.fingerprint == made.fingerprint


def test_a_background_of_ones_own_is_in_the_fingerprint():
    made = pack()
    own = {"cat": made.background, "dog": made.background}
    assert dataclasses.replace(made, background=own).own_backgrounds
    fewer = {**own, "dog": made.background[:1]}
    assert (
        dataclasses.replace(made, background=fewer).fingerprint != dataclasses.replace(made, background=own).fingerprint
    )
    assert dataclasses.replace(made, background=fewer).background_of("dog").tolist() == [0]


# As a file


LABELS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


@given(labels=st.lists(LABELS, min_size=3, max_size=3, unique=True), kind=LABELS)
@settings(max_examples=40)
def test_a_pack_comes_back_from_its_file(tmp_path_factory, labels, kind):
    new = dict(zip(("bg", "cat", "dog"), labels, strict=True))
    path = tmp_path_factory.mktemp("pack") / "pack.tmp"
    shared = build([(i, new[label]) for i, label in EXAMPLES], {kind: NUMBERS / 3}, labels[0])
    own = dataclasses.replace(shared, background={labels[1]: shared.background, labels[2]: shared.background[:1]})
    for made in (shared, own):
        save_data(made, path)
        back = load_data(path, "features")
        assert back.fingerprint == made.fingerprint
        assert isinstance(back, FeaturePack)
        assert back.identities == made.identities
        assert list(back.categories) == list(made.categories)
        assert list(back.features) == list(made.features)
        assert back.own_backgrounds == made.own_backgrounds
        assert back.features[kind].tobytes() == made.features[kind].tobytes()


@pytest.mark.fault("input")
def test_numbers_whose_squares_overflow_are_refused():
    examples = [(f"p{row}", label) for row, label in enumerate(("dog", "cat", "background"))]
    features = {"f": np.array([[1.0], [-1e200], [3.0]])}
    with pytest.raises(DataError, match=r"a number beyond 1e\+150 in 1 rows of 'f', first 'p1'"):
        build(examples, features, "background")
