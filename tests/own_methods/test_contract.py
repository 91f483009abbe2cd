"""What a method has to do, each rule with something that breaks it."""

import copy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.neighbors import NearestCentroid

from tlbench import TransferLSSVC
from tlbench.own_methods import ContractError, Source, decide, fit, source_weights
from tlbench.own_methods.contract import construct

X = np.array([[0.0, 0.1], [0.2, 0.0], [1.0, 1.1], [0.9, 1.0]])
Y = np.array([-1, -1, 1, 1])


def source(name="heron"):
    return Source(name, 2, lambda examples: examples[:, 0] - 0.5)


class Named:
    """Takes sources by name."""

    def __init__(self, C=1.0, *, sources=(), random_state=None):
        self.sources, self.C, self.random_state = sources, C, random_state

    def fit(self, X, y):
        self.seen = X, y
        return self

    def decision_function(self, X):
        return X[:, 0] - 0.5


class First(Named):
    """Takes sources as its first."""

    def __init__(self, models, random_state=5):
        super().__init__(sources=models, random_state=random_state)


def test_a_source_is_a_classifier():
    one = source()
    assert one.decision_function([[0.0, 9.0], [2.0, 9.0]]).tolist() == [-0.5, 1.5]
    assert one.predict([[0.0, 9.0], [2.0, 9.0]]).tolist() == [-1, 1]
    assert one.classes_.tolist() == [-1, 1]
    assert copy.deepcopy([one])[0] is one
    assert repr(one) == "Source('heron')"
    for wrong in ([[1.0, 2.0, 3.0]], [1.0, 2.0]):
        with pytest.raises(ValueError, match="a source takes examples of 2 numbers"):
            one.decision_function(wrong)


def test_scikit_learn_clones_what_leans_on_sources():
    machine = TransferLSSVC([source()])
    assert clone(machine).sources[0] is machine.sources[0]


def test_how_it_is_constructed():
    sources = [source()]
    by_name, first = construct(Named, sources, 7), construct(First, sources, 7)
    assert by_name.sources == first.sources == sources
    assert by_name.sources is not sources
    assert (by_name.random_state, first.random_state) == (7, 5)
    assert isinstance(construct(NearestCentroid, sources, 7), NearestCentroid)
    assert construct(lambda *others, C=2.0: C, sources, 7) == 2.0
    assert construct(dict, sources, 7) == {}


def test_it_is_given_copies():
    class Rude(Named):
        def fit(self, X, y):
            X[:], y[:] = 0.0, 0

        def decision_function(self, X):
            X[:] = 3.0
            return X[:, 0]

    x, y = X.copy(), Y.copy()
    assert decide(fit(Rude, [], x, y, 0), x).tolist() == [3.0] * 4
    assert np.array_equal(x, X)
    assert np.array_equal(y, Y)


def test_decisions_of_every_allowed_shape():
    class Columned(Named):
        def decision_function(self, X):
            return X[:, :1]

    class Predicts:
        def fit(self, X, y):
            self.mean = X[:, 0].mean()

        def predict(self, X):
            return np.where(X[:, 0] > self.mean, 1, 0)

    assert decide(fit(Columned, [], X, Y, 0), X).tolist() == X[:, 0].tolist()
    assert decide(fit(Predicts, [], X, Y, 0), X).tolist() == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda X: X, r"decision_function gives shape \(4, 2\) for 4 examples instead of \(4,\)"),
        (lambda X: X[:2, 0], r"shape \(2,\)"),
        (lambda X: 1.0, r"shape \(\)"),
        (lambda X: None, "decision_function gives"),
        (lambda X: ["a"] * len(X), "instead of numbers"),
        (lambda X: np.where(X[:, 0] > 0.5, np.nan, 1.0), "2 values that are not finite"),
        (lambda X: np.full(len(X), np.inf), "4 values that are not finite"),
    ],
)
def test_decisions_that_are_none(given, words):
    class Wrong(Named):
        def decision_function(self, X):
            return given(X)

    with pytest.raises(ContractError, match=words):
        decide(fit(Wrong, [], X, Y, 0), X)


def test_functions_that_are_missing():
    with pytest.raises(ContractError, match="it has no fit"):
        fit(type("Mute", (), {"predict": lambda self, X: X}), [], X, Y, 0)
    with pytest.raises(ContractError, match=r"no decision_function\(X\) and no predict"):
        fit(type("Dumb", (), {"fit": lambda self, X, y: self}), [], X, Y, 0)


def test_weights_of_sources():
    machine = Named()
    assert source_weights(machine, 2) is None
    machine.source_weights_ = [0.5, 1]
    assert source_weights(machine, 2).tolist() == [0.5, 1.0]
    for wrong, words in {
        (0.5,): r"shape \(1,\) with 2 sources",
        ("a", "b"): "no numbers",
        (0.1, np.nan): "finite",
    }.items():
        machine.source_weights_ = list(wrong)
        with pytest.raises(ContractError, match=words):
            source_weights(machine, 2)
