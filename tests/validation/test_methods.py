"""What is found out about a classifier on the toy problem: a good one passes, and each broken one fails where it is."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from tlbench import TransferLSSVC
from tlbench.own_methods import OwnMethod
from tlbench.validation.checks import sheet
from tlbench.validation.methods import try_method
from tlbench.validation.toy import Toy

ALL = [
    "constructed with sources and fitted",
    "decides on test examples",
    "leaves what it is given as it is",
    "same seed, same decisions",
    "decides on each example by itself",
    "one example of each class",
    "no sources",
    "weights of sources",
    "parameters and clone",
    "warnings",
]


def tried(make):
    """What was tried of a class, by name."""
    checks = try_method(OwnMethod("Mine", "mine:Mine", make, "0"))
    assert [check.what for check in checks if check.what in ALL] == ALL
    return {check.what: check for check in checks}


def problems(make):
    return {what: check.says for what, check in tried(make).items() if check.outcome == "problem"}


class NearestMean(BaseEstimator):
    """Well made."""

    def __init__(self, sources=()):
        self.sources = sources

    def fit(self, X, y):
        self.middle_ = (X[y > 0].mean(0) + X[y < 0].mean(0)) / 2
        self.direction_ = X[y > 0].mean(0) - X[y < 0].mean(0)
        return self

    def decision_function(self, X):
        return (X - self.middle_) @ self.direction_


class Alike(NearestMean):
    """A batch that is centred on itself."""

    def decision_function(self, X):
        return (X - X.mean(0)) @ self.direction_


class Drawn(NearestMean):
    def fit(self, X, y):
        super().fit(X, y)
        self.direction_ = self.direction_ + 0.1 * np.random.default_rng().normal(size=X.shape[1])
        return self


class ChangesExamples(NearestMean):
    def fit(self, X, y):
        X -= X.mean(0)
        return super().fit(X, y)


class ChangesTests(NearestMean):
    def decision_function(self, X):
        X *= 1.0 + 1e-9
        return super().decision_function(X)


class NeedsMany(NearestMean):
    def fit(self, X, y):
        if (y > 0).sum() < 3:
            raise ValueError("three positives\nare needed")
        return super().fit(X, y)


class NeedsSources(NearestMean):
    def fit(self, X, y):
        self.first_ = self.sources[0]
        return super().fit(X, y)


class TooManyWeights(NearestMean):
    def fit(self, X, y):
        self.source_weights_ = np.ones(len(self.sources) + 1)
        return super().fit(X, y)


class ForgetsParameters(BaseEstimator):
    def __init__(self, sources=(), C=1.0):
        self.sources, self.C = sources, 2.0 * C

    fit, decision_function = NearestMean.fit, NearestMean.decision_function


class TurnedRound(NearestMean):
    def decision_function(self, X):
        return -super().decision_function(X)


class NotFinite(NearestMean):
    def decision_function(self, X):
        return np.full(len(X), np.nan)


class Columns(NearestMean):
    def decision_function(self, X):
        return X


class Mute:
    def decision_function(self, X):
        return X[:, 0]


class Refuses(NearestMean):
    def __init__(self, sources):
        raise RuntimeError("not today")


@pytest.mark.parametrize("make", [NearestMean, TransferLSSVC, SVC, LogisticRegression])
def test_good_ones(make):
    assert problems(make) == {}


def test_seeded_by_what_it_is_given_is_good():
    class Seeded(Drawn):
        def __init__(self, sources=(), random_state=None):
            super().__init__(sources)
            self.random_state = random_state

        def fit(self, X, y):
            NearestMean.fit(self, X, y)
            self.direction_ = self.direction_ + np.random.default_rng(self.random_state).normal(size=X.shape[1]) / 50
            return self

    assert problems(Seeded) == {}


@pytest.mark.parametrize(
    ("make", "what", "words"),
    [
        (Alike, "decides on each example by itself", "tested without the others is decided otherwise"),
        (Drawn, "same seed, same decisions", "random_state=None"),
        (ChangesExamples, "leaves what it is given as it is", "it changes X in place"),
        (ChangesTests, "leaves what it is given as it is", "it changes the test examples in place"),
        (NeedsMany, "one example of each class", "ValueError: three positives are needed"),
        (NeedsSources, "no sources", "IndexError"),
        (TooManyWeights, "weights of sources", "shape (4,) with 3 sources"),
        (ForgetsParameters, "parameters and clone", "modifies parameter C"),
    ],
)
def test_each_way_to_be_wrong(make, what, words):
    found = problems(make)
    assert list(found) == [what]
    assert words in found[what]


@pytest.mark.parametrize(
    ("make", "what", "words"),
    [
        (Refuses, ALL[0], "RuntimeError: not today (test_methods.py, line "),
        (Mute, ALL[0], "it has no fit(X, y)"),
        (NotFinite, ALL[1], "60 values that are not finite"),
        (Columns, ALL[1], "shape (60, 8) for 60 examples"),
        (TurnedRound, ALL[1], "must be positive for the class +1"),
    ],
)
def test_without_the_basics_nothing_more_is_tried(make, what, words):
    found = {check.what: check for check in try_method(OwnMethod("Mine", "mine:Mine", make, "0"))}
    assert words in found[what].says
    assert found[what].outcome == "problem"
    assert {check.outcome for name, check in found.items() if ALL.index(name) > ALL.index(what)} == {"not tried"}


def test_order_alone_is_noticed():
    class First(NearestMean):
        def decision_function(self, X):
            decided = super().decision_function(X)
            return decided + 0.1 * np.abs(decided).max() * (np.arange(len(X)) == 0)

    assert "in another order" in problems(First)["decides on each example by itself"]


def test_warnings_are_told_and_no_problem():
    class Warns(NearestMean):
        def fit(self, X, y):
            warnings.warn("this takes long\nand so on", UserWarning, stacklevel=1)
            return super().fit(X, y)

    found = tried(Warns)["warnings"]
    assert (found.outcome, found.says) == ("ok", "UserWarning: this takes long")


def test_what_it_tells_of_itself():
    found = tried(TransferLSSVC)
    assert len(found["weights of sources"].says.split(", ")) == 3
    assert "weighting" in found["parameters and clone"].says
    assert "no get_params" in tried(lambda sources: Plain())["parameters and clone"].says


class Plain:
    fit, decision_function = NearestMean.fit, NearestMean.decision_function


def test_the_toy_is_one_that_sources_help_with():
    toy = Toy.draw()
    truth = np.repeat([-1, 1], len(toy.test) // 2)
    for source in toy.sources:
        assert (source.predict(toy.test) == truth).mean() > 0.8
    again = Toy.draw()
    assert np.array_equal(again.test, toy.test)
    assert np.array_equal(again.X, toy.X)


def test_a_sheet_of_it():
    checks = try_method(OwnMethod("Mine", "mine:Mine", Mute, "0"))
    shown = sheet("mine:Mine", checks)
    assert [row[1].mark for row in shown.rows][:2] == ["contradicted", "muted"]
    assert [row[0].text for row in shown.rows] == [check.what for check in checks]
