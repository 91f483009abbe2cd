"""A user's classifier in the study of weighted sources: the same draws and sources, and no test example in anything."""

import dataclasses
import sys
from itertools import product

import numpy as np
import pytest

from tests.studies.sources.conftest import PARAMETERS
from tlbench import own_methods
from tlbench.datasets import DataError, FeaturePack
from tlbench.methods.kernels import mean_squared_distance
from tlbench.own_methods import BrokenMethodError, ContractError
from tlbench.protocol import ProtocolError
from tlbench.studies.sources import increasing_sources, relatedness
from tlbench.studies.sources import source_weighting as study
from tlbench.studies.sources.own_conditions import SideBySide, sources_of
from tlbench.study import Block

MODULE = '''
"""Methods for these tests."""

import warnings

import numpy as np

from tlbench import BalancedLSSVC, TransferLSSVC


class NearestMean:
    """Nearer to the mean of the positives."""

    def fit(self, X, y):
        self.means = [X[y == label].mean(0) for label in (-1, 1)]

    def predict(self, X):
        apart = [((X - mean) ** 2).sum(1) for mean in self.means]
        return np.where(apart[1] < apart[0], 1, -1)


class Alone(BalancedLSSVC):
    def __init__(self, gamma=1.0):
        super().__init__(gamma=gamma)


class Equal(TransferLSSVC):
    def __init__(self, sources, gamma=1.0, weighting="equal"):
        super().__init__(sources, gamma=gamma, weighting=weighting)


class Learned(TransferLSSVC):
    def __init__(self, sources, gamma=1.0):
        super().__init__(sources, gamma=gamma)


class Witness(NearestMean):
    """Tells as weights what it was given."""

    def __init__(self, sources, random_state=None):
        self.sources, self.random_state = sources, random_state

    def fit(self, X, y):
        warnings.warn("said to nobody", UserWarning)
        super().fit(X, y)
        scores = [source.decision_function(X).sum() for source in self.sources]
        self.source_weights_ = [X.sum(), (X.T @ y).sum(), float(self.random_state), sum(scores)][: len(scores)]


class Broken(NearestMean):
    def predict(self, X):
        return np.full(len(X), np.nan)
'''


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    """The module above, where it can be imported."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_for_tests.py").write_text(MODULE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(folder)
        yield folder
    sys.modules.pop("own_for_tests", None)


def blobs(kinds=1, categories=5):
    """Categories about centres of their own, before a wide background; each kind on a scale of its own."""
    draw = np.random.default_rng(5)
    member = np.r_[np.repeat(np.arange(categories), 50), np.full(120, categories)]
    features = {}
    for kind in range(kinds):
        centres = np.vstack([0.4 + 0.6 * draw.normal(size=(categories, 4)), np.zeros(4)])
        features[f"kind {kind}"] = 10.0**kind * (centres[member] + draw.normal(size=(len(member), 4)))
    return FeaturePack(
        identities=tuple(f"p{row:04}" for row in range(len(member))),
        features=features,
        categories={f"c{number}": np.flatnonzero(member == number) for number in range(categories)},
        background=np.flatnonzero(member == categories),
    )


def block(name, splits=(0, 3), **changed):
    method = own_methods.find(f"own_for_tests:{name}")
    parameters = {**PARAMETERS, **changed}
    return Block("source_weighting", 1, "c1", splits, method.group, (method.condition,), parameters, "print")


def accuracies(tables):
    columns = tables["measurements"]
    return dict(zip(zip(columns["split"], columns["shots"], strict=True), columns["value"], strict=True))


def computed(name, pack, **changed):
    one = block(name, **changed)
    return study.compute(study.prepare(pack, one), one, None)


def of_ours(pack, group, condition, **changed):
    one = dataclasses.replace(block("Alone", **changed), group=group, conditions=(condition,))
    return study.compute(study.prepare(pack, one), one, None)


def test_kinds_side_by_side_weigh_alike_and_come_apart_again():
    pack = blobs(kinds=3)
    beside = SideBySide.fit(pack.features)
    joined = beside.join(pack.features)
    apart = [mean_squared_distance(joined[:, columns]) for columns in beside.columns.values()]
    assert np.allclose(apart, 1 / 3)
    assert np.isclose(mean_squared_distance(joined), 1.0)
    back = beside.part(joined)
    assert list(back) == list(pack.features)
    assert all(np.allclose(back[kind], values) for kind, values in pack.features.items())
    constant = SideBySide.fit({"a": np.ones((4, 2)), "b": pack.features["kind 0"]})
    assert constant.factors["a"] == 1.0


@pytest.mark.parametrize("kinds", [1, 2])
def test_sources_are_the_tasks_own(kinds):
    pack = blobs(kinds)
    task = study.prepare(pack, block("Alone"))
    beside = SideBySide.fit(pack.take(task.rows.source_training))
    sources = sources_of(task.sources, task.names, beside)
    assert [source.name for source in sources] == ["c0", "c2", "c3", "c4"]
    for place in range(len(task.rows.train)):
        X = beside.join(pack.take(task.rows.train[place]))
        scores = np.column_stack([source.decision_function(X) for source in sources])
        assert np.allclose(scores, task.scores[place, -1], atol=1e-9)


def test_the_estimators_are_the_conditions_that_they_stand_for():
    pack = blobs()
    for name, group, condition in (
        ("Alone", "none", "none"),
        ("Equal", "fixed", "multi-equal"),
        ("Learned", "weighted", "multi-weighted"),
    ):
        own, ours = computed(name, pack), of_ours(pack, group, condition)
        assert accuracies(own) == accuracies(ours), name
    weights, expected = own["weights"], ours["weights"]
    assert set(weights["condition"]) == {"own:Learned"}
    assert np.allclose(weights["beta"], expected["beta"], atol=1e-4)
    assert [weights[key] for key in ("source", "split", "shots")] == [
        expected[key] for key in ("source", "split", "shots")
    ]


def test_again_by_a_loop():
    pack = blobs(kinds=2)
    found = accuracies(computed("NearestMean", pack))
    task = study.prepare(pack, block("NearestMean"))
    training = pack.take(task.rows.source_training)
    scales = {kind: np.sqrt(2 * mean_squared_distance(values)) for kind, values in training.items()}
    everything = np.hstack([values / scales[kind] for kind, values in pack.features.items()])
    for (place, split), shots in product(enumerate((0, 3)), PARAMETERS["shots"]):
        rows = task.rows.train[place]
        negative, positive = everything[rows[:6]].mean(0), everything[rows[6 : 6 + shots]].mean(0)
        test = everything[task.rows.test[place]]
        called = ((test - positive) ** 2).sum(1) < ((test - negative) ** 2).sum(1)
        half = task.rows.test_positives
        assert np.isclose(found[split, shots], 50 * (called[:half].mean() + (~called[half:]).mean()))


def test_no_test_example_reaches_what_is_fitted():
    pack = blobs(kinds=2)
    before = computed("Witness", pack)
    task = study.prepare(pack, block("Witness"))
    values = {kind: part.copy() for kind, part in pack.features.items()}
    tested = np.setdiff1d(task.rows.test, np.r_[task.rows.train.ravel(), task.rows.source_training])
    assert len(tested) > 20
    for part in values.values():
        part[tested] = np.random.default_rng(1).normal(size=(len(tested), 4))
    after = computed("Witness", dataclasses.replace(pack, features=values))
    assert after["weights"] == before["weights"]
    assert after["measurements"] != before["measurements"]


def test_seeds_are_of_the_split_alone():
    pack = blobs()
    columns = computed("Witness", pack)["weights"]
    seeds = {}
    for source, split, beta in zip(columns["source"], columns["split"], columns["beta"], strict=True):
        if source == "c3":  # the third of the sources: where the witness puts its seed
            seeds.setdefault(split, set()).add(beta)
    assert [len(found) for found in seeds.values()] == [1, 1]
    assert seeds[0] != seeds[3]
    alone = computed("Witness", pack, splits=(3,))["weights"]
    assert {beta for source, beta in zip(alone["source"], alone["beta"], strict=True) if source == "c3"} == seeds[3]
    other = computed("Witness", pack, seed=1)["weights"]
    assert not seeds[0] & set(other["beta"])


def test_what_learns_no_weights_has_no_rows_there():
    assert computed("NearestMean", blobs())["weights"]["beta"] == []


def test_a_method_that_breaks_the_contract_or_has_changed():
    pack = blobs()
    with pytest.raises(ContractError, match="not finite"):
        computed("Broken", pack)
    edited = dataclasses.replace(block("Alone"), group="own_for_tests:Alone 0123456789abcdef")
    with pytest.raises(BrokenMethodError, match="has changed"):
        study.compute(study.prepare(pack, edited), edited, None)


def test_joined_to_a_study():
    pack, parameters = blobs(), study.Strengths(**PARAMETERS)
    methods = [own_methods.find(f"own_for_tests:{name}") for name in ("Alone", "Equal")]
    joined = own_methods.join(study.STUDY, methods)
    assert joined.methods == ("own:Alone", "own:Equal")
    assert joined.says["own:Equal"].startswith("a method of your own, own_for_tests:Equal")
    pieces = joined.cut(pack, parameters, ["none", "own:Equal", "multi-equal", "own:Alone"], 12)
    ours = study.STUDY.cut(pack, parameters, ["none", "multi-equal"], 12)
    assert pieces[: len(ours)] == ours
    own = pieces[len(ours) :]
    expected = {(f"c{n}", splits) for n in range(5) for splits in (tuple(range(10)), (10, 11))}
    for method in methods:
        mine = [piece for piece in own if piece.conditions == (method.condition,)]
        assert {(piece.unit, piece.splits) for piece in mine} == expected
        assert {piece.group for piece in mine} == {method.group}
    assert len(own) == 2 * len(expected)
    assert joined.cut(pack, parameters, ["own:Alone"], 12) == [p for p in own if p.conditions == ("own:Alone",)]
    with pytest.raises(DataError):
        joined.cut(pack, study.Strengths(**{**PARAMETERS, "negatives": 500}), ["own:Alone"], 1)


def test_two_of_one_name(module):
    (module / "own_again.py").write_text("class Alone: pass\n", encoding="utf-8")
    methods = [own_methods.find(f"{name}:Alone") for name in ("own_for_tests", "own_again")]
    with pytest.raises(ProtocolError, match="own_for_tests:Alone and own_again:Alone are both called own:Alone"):
        own_methods.join(study.STUDY, methods)
    assert own_methods.join(study.STUDY, [methods[0], methods[0]]).methods == ("own:Alone",)


def test_which_studies_take_methods():
    assert study.STUDY.methods == relatedness.STUDY.methods == ()
    assert increasing_sources.STUDY.methods is None
