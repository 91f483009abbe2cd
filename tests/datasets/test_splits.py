"""Draws are by identity, apart where they must be, the same for all that is compared, and refused when too few."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.datasets import Amounts, DataError, FeaturePack, build, draw_task, generator

NAMES = ("a", "b", "c")
AMOUNTS = Amounts(most_shots=5, negatives=6, test_examples=20, source_examples=25)


def table(sizes=(40, 45, 30), background=90):
    """(identity, label) pairs and numbers that no two of them share."""
    labels = [name for name, size in zip(NAMES, sizes, strict=True) for _ in range(size)] + ["bg"] * background
    draw = np.random.default_rng(0)
    codes = draw.permutation(len(labels))
    return [(f"id{code:04}", label) for code, label in zip(codes, labels, strict=True)], draw.normal(
        size=(len(labels), 2)
    )


def shared(order=None, **sizes):
    examples, numbers = table(**sizes)
    order = range(len(examples)) if order is None else order
    return build([examples[row] for row in order], {"f": numbers[list(order)]}, "bg")


def own(sizes=(40, 40, 40), backgrounds=(60, 60, 60), common=30):
    """Backgrounds of their own, of which ``common`` pictures stand in all three; one is a positive of c."""
    count = sum(sizes) + common + sum(b - common for b in backgrounds)
    starts = np.cumsum([0, *sizes])
    categories = {name: np.arange(starts[n], starts[n + 1], dtype=np.intp) for n, name in enumerate(NAMES)}
    everyone = np.arange(starts[3], starts[3] + common)
    rest = iter(range(starts[3] + common, count))
    background = {
        name: np.array([*everyone, *itertools.islice(rest, size - common)], dtype=np.intp)
        for name, size in zip(NAMES, backgrounds, strict=True)
    }
    background["a"] = np.sort(np.r_[background["a"], categories["c"][:1]])
    return FeaturePack(
        tuple(f"id{row:04}" for row in range(count)),
        {"f": np.arange(2.0 * count).reshape(count, 2)},
        categories,
        background,
    )


def parts(task, amounts=AMOUNTS):
    """What a task draws, by use and split."""
    return [
        {
            "train-": set(train[: amounts.negatives].tolist()),
            "train+": set(train[amounts.negatives :].tolist()),
            "test+": set(test[: task.test_positives].tolist()),
            "test-": set(test[task.test_positives :].tolist()),
        }
        for train, test in zip(task.train, task.test, strict=True)
    ]


def source_rows(task, which=("positives", "negatives")):
    return {row for source in task.sources.values() for kind in which for row in getattr(source, kind).tolist()}


# By identity


@given(order=st.permutations(range(205)), target=st.sampled_from(NAMES), seed=st.integers(0, 3))
@settings(max_examples=15)
def test_the_order_of_the_rows_does_not_show(order, target, seed):
    plain, shuffled = shared(), shared(order)
    first = draw_task(plain, target, AMOUNTS, "repaired", seed, [0, 1])
    second = draw_task(shuffled, target, AMOUNTS, "repaired", seed, [0, 1])

    def names(pack, rows):
        return np.array(pack.identities)[rows].tolist()

    assert names(plain, first.train) == names(shuffled, second.train)
    assert names(plain, first.test) == names(shuffled, second.test)
    for source in first.sources:
        for kind in ("positives", "negatives"):
            mine, other = getattr(first.sources[source], kind), getattr(second.sources[source], kind)
            assert names(plain, mine) == names(shuffled, other)


def test_other_numbers_draw_the_same_pictures():
    plain = shared()
    other = FeaturePack(plain.identities, {"f": plain.features["f"] * 2 + 1}, plain.categories, plain.background)
    for name in NAMES:
        a, b = (draw_task(pack, name, AMOUNTS, "repaired", 0, [3]) for pack in (plain, other))
        assert (a.train == b.train).all()
        assert (a.test == b.test).all()


# Who is drawn for what


@pytest.mark.fault("leakage")
@given(
    sizes=st.tuples(*[st.integers(20, 60)] * 3),
    background=st.integers(46, 120),
    target=st.sampled_from(NAMES),
    seed=st.integers(0, 2**40),
    splits=st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
)
@settings(max_examples=60)
def test_parts_are_apart_and_of_the_right_kind(sizes, background, target, seed, splits):
    pack = shared(sizes=sizes, background=background)
    task = draw_task(pack, target, AMOUNTS, "repaired", seed, splits)
    positives, backdrop = set(pack.categories[target].tolist()), set(pack.background.tolist())
    for part in parts(task):
        assert sum(map(len, part.values())) == len(set().union(*part.values())), "no picture is used twice"
        assert part["train+"] | part["test+"] <= positives
        assert part["train-"] | part["test-"] <= backdrop
        assert (len(part["train+"]), len(part["train-"])) == (5, 6)
        assert len(part["test+"]) == task.test_positives == min(20, len(positives) - 5)
        third = backdrop - source_rows(task) - part["train-"]
        assert len(part["test-"]) <= min(20, len(third))
        assert len(part["test-"]) >= 15
        assert not source_rows(task) & set().union(*part.values())
    assert list(task.sources) == [name for name in NAMES if name != target]
    for name, source in task.sources.items():
        assert set(source.positives.tolist()) <= set(pack.categories[name].tolist())
        assert set(source.negatives.tolist()) <= backdrop
        assert len(set(source.positives.tolist())) == min(25, len(pack.categories[name]))
        assert 0 < len(set(source.negatives.tolist())) == len(source.negatives) <= 25


@pytest.mark.fault("leakage")
@given(
    target=st.sampled_from(NAMES),
    seed=st.integers(0, 2**40),
    overlap=st.sampled_from(["repaired", "kept"]),
    common=st.integers(0, 59),
)
@settings(max_examples=60)
def test_parts_are_apart_with_backgrounds_of_their_own(target, seed, overlap, common):
    pack = own(common=common)
    task = draw_task(pack, target, AMOUNTS, overlap, seed, [0, 1])
    pool = set(pack.categories[target].tolist()) | set(pack.background[target].tolist())
    for part in parts(task):
        assert sum(map(len, part.values())) == len(set().union(*part.values()))
        assert part["train-"] | part["test-"] <= set(pack.background[target].tolist())
        assert part["train+"] | part["test+"] <= set(pack.categories[target].tolist())
        assert [len(part[use]) for use in ("train+", "train-", "test+", "test-")] == [5, 6, 20, 20]
    if overlap == "repaired":
        assert not source_rows(task) & pool
    else:
        for name, source in task.sources.items():
            assert set(source.positives.tolist()) <= set(pack.categories[name].tolist())
            assert set(source.negatives.tolist()) <= set(pack.background[name].tolist())


@pytest.mark.fault("leakage")
def test_the_background_is_divided_once_for_all_targets_and_splits():
    pack = shared()
    uses = {"train": set(), "test": set(), "source": set()}
    for target in NAMES:
        task = draw_task(pack, target, AMOUNTS, "repaired", 0, range(40))
        for part in parts(task):
            uses["train"] |= part["train-"]
            uses["test"] |= part["test-"]
        uses["source"] |= source_rows(task, ["negatives"])
    assert [len(rows) for rows in uses.values()] == [30, 30, 30], "each is used to the last picture in forty splits"
    assert set().union(*uses.values()) == set(pack.background.tolist())
    other = draw_task(pack, "a", AMOUNTS, "repaired", 1, [0])
    assert parts(other)[0]["test-"] & (uses["train"] | uses["source"]), "another seed divides it anew"


def test_splits_differ_and_sources_do_not():
    pack = shared()
    task = draw_task(pack, "a", AMOUNTS, "repaired", 0, range(10))
    assert len({tuple(row) for row in task.train.tolist()}) == 10
    assert len({tuple(row) for row in task.test.tolist()}) == 10
    alone = draw_task(pack, "a", AMOUNTS, "repaired", 0, [7])
    assert (alone.train[0] == task.train[7]).all()
    assert (alone.test[0] == task.test[7]).all()
    for name, source in task.sources.items():
        assert (source.positives == alone.sources[name].positives).all()
        assert (source.negatives == alone.sources[name].negatives).all()


def test_more_shots_keep_the_pictures_of_fewer():
    pack = shared(sizes=(60, 60, 60))
    few = draw_task(pack, "a", AMOUNTS, "repaired", 0, [0, 1])
    many = draw_task(pack, "a", Amounts(12, 6, 20, 25), "repaired", 0, [0, 1])
    assert (many.train[:, :11] == few.train).all()
    assert [part["test-"] for part in parts(few)] == [part["test-"] for part in parts(many)]


def test_every_picture_is_drawn_about_as_often():
    pack = shared(sizes=(40, 40, 40))
    task = draw_task(pack, "a", AMOUNTS, "repaired", 0, range(400))
    for rows, each in (
        (task.train[:, 6:], 400 * 5 / 40),
        (task.test[:, :20], 400 * 20 / 40),
        (task.test[:, 20:], 400 * 20 / 30),
    ):
        counts = np.unique(rows, return_counts=True)[1]
        assert abs(counts - each).max() < 5 * np.sqrt(each)


# How many


@pytest.mark.parametrize(("size", "tested"), [(20, 15), (24, 19), (25, 20), (60, 20)])
def test_the_test_takes_what_training_leaves(size, tested):
    task = draw_task(shared(sizes=(size, 40, 40)), "a", AMOUNTS, "repaired", 0, [0])
    assert task.test_positives == tested


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("pack", "amounts", "says"),
    [
        (
            shared(sizes=(19, 40, 40)),
            AMOUNTS,
            "category 'a' has 19 examples; 5 shots and a test set of at least 15 need 20",
        ),
        (shared(background=42), AMOUNTS, "background has 14 examples for the test; a test set of at least 15 need 15"),
        (shared(background=90), Amounts(5, 31, 20, 25), "leaves 30 examples for target training; 31 negatives"),
        (
            own(backgrounds=(19, 60, 60), common=0),
            AMOUNTS,
            "has 20 examples; 6 negatives and a test set of at least 15 need 21",
        ),
    ],
)
def test_too_few_are_refused_with_how_many_there_are_and_are_needed(pack, amounts, says):
    with pytest.raises(DataError, match=says):
        draw_task(pack, "a", amounts, "repaired", 0, [0])


def test_just_enough_is_enough():
    assert draw_task(shared(sizes=(20, 40, 40), background=45), "a", AMOUNTS, "repaired", 0, [0]).test.shape == (1, 30)
    assert draw_task(own(backgrounds=(20, 60, 60), common=0), "a", AMOUNTS, "repaired", 0, [0]).test.shape == (1, 35)


@pytest.mark.fault("leakage")
def test_a_source_that_loses_pictures_is_filled_up_with_background_the_target_never_sees():
    pack = own(backgrounds=(60, 60, 60), common=50)
    task = draw_task(pack, "b", AMOUNTS, "repaired", 0, [0])
    hidden = set(pack.background["b"].tolist()) | set(pack.categories["b"].tolist())
    everything = set(np.concatenate(list(pack.background.values())).tolist())
    spare = everything - hidden
    for name, source in task.sources.items():
        left = set(pack.background[name].tolist()) - hidden
        assert len(left) < 25 >= len(spare) - 10
        assert left <= set(source.negatives.tolist()) <= spare
        assert len(source.negatives) == min(25, len(spare))


def test_a_source_keeps_its_own_before_it_is_filled_up():
    pack = own(backgrounds=(60, 60, 60), common=10)
    task = draw_task(pack, "b", AMOUNTS, "repaired", 0, [0])
    for name, source in task.sources.items():
        assert len(source.negatives) == 25
        assert set(source.negatives.tolist()) <= set(pack.background[name].tolist())


@pytest.mark.fault("input")
def test_a_source_with_nothing_left_is_refused():
    pack = own(backgrounds=(60, 60, 60), common=60)
    background = dict.fromkeys(NAMES, pack.background["b"])
    same = FeaturePack(pack.identities, pack.features, pack.categories, background)
    with pytest.raises(DataError, match="source 'a' has no background example left"):
        draw_task(same, "b", AMOUNTS, "repaired", 0, [0])
    assert draw_task(same, "b", AMOUNTS, "kept", 0, [0])


# The overlap taken apart

CLOSED = own(backgrounds=(60, 60, 60), common=40)


@given(target=st.sampled_from(NAMES), seed=st.integers(0, 2**40))
@settings(max_examples=20)
def test_without_a_refill_a_source_has_what_is_left(target, seed):
    small = draw_task(CLOSED, target, AMOUNTS, "no-refill", seed, [0, 1])
    pool = {*CLOSED.categories[target].tolist(), *CLOSED.background[target].tolist()}
    for name, source in small.sources.items():
        left = set(CLOSED.background[name].tolist()) - pool
        assert set(source.negatives.tolist()) <= left
        assert len(source.negatives) == min(25, len(left))
        assert not set(source.positives.tolist()) & pool


@given(target=st.sampled_from(NAMES), seed=st.integers(0, 2**40))
@settings(max_examples=20)
def test_the_same_number_is_drawn_from_all_that_a_source_was_released_with(target, seed):
    task = draw_task(CLOSED, target, AMOUNTS, "same-number", seed, [0, 1])
    small = draw_task(CLOSED, target, AMOUNTS, "no-refill", seed, [0, 1])
    for name, source in task.sources.items():
        assert len(source.negatives) == len(small.sources[name].negatives)
        assert set(source.negatives.tolist()) <= set(CLOSED.background[name].tolist())
    assert source_rows(task, ["negatives"]) & set(CLOSED.background[target].tolist())


@given(target=st.sampled_from(NAMES), seed=st.integers(0, 2**40), split=st.integers(0, 99))
@settings(max_examples=20)
def test_without_the_test_rows_a_source_still_knows_the_training_ones(target, seed, split):
    task = draw_task(CLOSED, target, Amounts(5, 30, 20, 45), "test-rows", seed, [split])
    pool = {*CLOSED.categories[target].tolist(), *CLOSED.background[target].tolist()}
    trained, tested = set(task.train.ravel().tolist()), set(task.test.ravel().tolist())
    assert not source_rows(task) & tested
    assert source_rows(task, ["negatives"]) & trained
    for name, source in task.sources.items():
        refilled = set(source.negatives.tolist()) - set(CLOSED.background[name].tolist())
        assert not refilled & pool, "what is new comes from outside the target's pool"
        assert len(source.negatives) == 45 or set(CLOSED.background[name].tolist()) - tested <= set(source.negatives)


def test_each_split_has_a_test_of_its_own_to_remove():
    with pytest.raises(ValueError, match="one split at a time"):
        draw_task(CLOSED, "a", AMOUNTS, "test-rows", 0, [0, 1])


@pytest.mark.parametrize("overlap", ["kept", "same-number", "no-refill", "test-rows"])
def test_a_target_is_drawn_alike_however_the_overlap_is_closed(overlap):
    closed, other = (draw_task(CLOSED, "b", AMOUNTS, one, 0, [3]) for one in ("repaired", overlap))
    assert (closed.train == other.train).all()
    assert (closed.test == other.test).all()


def test_there_is_no_overlap_to_keep_in_one_background():
    with pytest.raises(DataError, match="no overlap to keep"):
        draw_task(shared(), "a", AMOUNTS, "kept", 0, [0])


# The generator


def test_a_draw_depends_on_what_is_drawn_and_on_nothing_else():
    def draw(*key):
        return tuple(generator(*key).integers(0, 2**60, 3).tolist())

    keys = [(0, "p", "u", 0), (1, "p", "u", 0), (0, "q", "u", 0), (0, "p", "v", 0), (0, "p", "u", 1), (1, "p", "u", 1)]
    keys += [(0, "pu", "", 0), (0, "p", "", 0), (0, "", "p", 0), (2**40, "p", "u", 0)]
    np.random.seed(1)  # noqa: NPY002
    first = [draw(*key) for key in keys]
    np.random.seed(2)  # noqa: NPY002
    assert [draw(*key) for key in reversed(keys)] == first[::-1]
    assert len(set(first)) == len(keys)


def test_draws_are_those_of_earlier_versions():
    """Numbers move only on purpose: these were drawn when the study had version 1."""
    assert generator(0, "target", "two", 3).integers(0, 1000, 4).tolist() == GOLDEN


GOLDEN = [953, 830, 836, 999]
