"""Rehearsals against a loop that solves every machine from its equations, one at a time."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from tests.advice.conftest import make_material
from tlbench.advice.machines import OPTIONS, cast, likeness, train_options
from tlbench.advice.rehearsal import COLUMNS, DRAWS, rehearse, rehearse_source
from tlbench.advice.roles import rehearsal_rows
from tlbench.datasets import generator
from tlbench.methods.taught_weights import teach, train_members

C, SHOTS = 10.0, [1, 3]


class Plain:
    """One rehearsal, by the book."""

    def __init__(self, material, player, seed, most_shots=3):
        self.pack, self.most_shots = material.pack, most_shots
        self.rows = rehearsal_rows(material, player, most_shots, range(DRAWS), seed)
        training = self.rows.source_training
        self.gammas = {}
        for kind, values in self.pack.features.items():
            distances = cdist(values[training], values[training], "sqeuclidean")
            self.gammas[kind] = (len(training) * (len(training) - 1)) / distances.sum()
        self.sources = []
        for source in self.rows.sources.values():
            own = np.r_[source.positives, source.negatives]
            labels = np.repeat([1.0, -1.0], [len(source.positives), len(source.negatives)])
            self.sources.append((own, *self.solve(own, labels, labels)))

    def kernel(self, rows, columns):
        each = [
            np.exp(-self.gammas[kind] * cdist(values[rows], values[columns], "sqeuclidean"))
            for kind, values in self.pack.features.items()
        ]
        return sum(each) / len(each)

    def solve(self, rows, labels, right):
        """[[K + diag(1/(Cζ)), 1], [1ᵀ, 0]] [α; b] = [right; 0]."""
        n = len(rows)
        weight = np.array([n / (2 * (labels == label).sum()) for label in labels])
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = self.kernel(rows, rows) + np.diag(1 / (C * weight))
        system[:n, n] = system[n, :n] = 1
        solution = np.linalg.solve(system, np.r_[right, 0.0])
        return solution[:n], solution[n]

    def source_scores(self, rows):
        return np.stack([self.kernel(rows, own) @ alpha + bias for own, alpha, bias in self.sources], axis=1)

    def accuracy(self, draw, shots, beta):
        train, test = self.rows.train[draw], self.rows.test[draw]
        negatives = len(train) - self.most_shots
        own = train[: negatives + shots]
        labels = np.repeat([-1.0, 1.0], [negatives, shots])
        weights = np.full(len(self.sources), beta)
        alpha, bias = self.solve(own, labels, labels - self.source_scores(own) @ weights)
        decisions = self.kernel(test, own) @ alpha + bias + self.source_scores(test) @ weights
        return self.balanced(decisions)

    def balanced(self, decisions):
        held = self.rows.test_positives
        return 50 * ((decisions[:held] > 0).mean() + (decisions[held:] <= 0).mean())


@pytest.mark.parametrize("own_background", [True, False])
def test_accuracies_are_those_of_a_plain_loop(own_background):
    material = make_material(sources=4, own_background=own_background, pictures=60, seed=1)
    found = rehearse_source(material, "source 2", SHOTS, seed=5)
    plain = Plain(material, "source 2", seed=5)
    assert tuple(found.columns) == COLUMNS
    assert len(found) == DRAWS * len(SHOTS)
    for row in found.to_dict("records"):
        for option, beta in {"none": 0.0, "average": 1 / 3, "equal": 1 / np.sqrt(3)}.items():
            assert row[option] == pytest.approx(plain.accuracy(row["draw"], row["shots"], beta), abs=1e-9)
    assert found[list(OPTIONS)].nunique().min() > 1  # they are no constants


@pytest.mark.parametrize(("background", "negatives_of_lessons"), [(90, 15), (150, 30)])
def test_ours_is_what_the_method_gives_on_the_same_kernels(background, negatives_of_lessons):
    material = make_material(sources=4, seed=2, background=background)
    found = rehearse_source(material, "source 0", [3], seed=1)
    plain = Plain(material, "source 0", seed=1, most_shots=3)
    rows = plain.rows
    training = rows.source_training
    members = [
        (np.searchsorted(training, one.positives), np.searchsorted(training, one.negatives))
        for one in rows.sources.values()
    ]
    negatives = rows.train.shape[1] - 3
    random = generator(1, "taught", "source 0", 3)
    lesson = teach(plain.kernel(training, training), members, [3], negatives_of_lessons, C, 6, random)
    assert lesson.accuracy.any()
    labels = np.repeat([-1.0, 1.0], [negatives, 3])[None]
    for draw, (train, test) in enumerate(zip(rows.train, rows.test, strict=True)):
        kernel = plain.kernel(train, train)[None]
        machine = train_members(kernel, labels, plain.source_scores(train)[None]).mean(lesson)
        decisions = machine.decisions(plain.kernel(test, train)[None], plain.source_scores(test)[None])[0]
        assert found["ours"][draw] == pytest.approx(plain.balanced(decisions), abs=1e-9)


def test_nothing_of_the_test_reaches_what_is_fitted():
    material = make_material(sources=4)
    rows = rehearsal_rows(material, "source 1", 3, [0], 0)
    honest = train_options(cast(material.pack, rows, SHOTS), 0)
    test = rows.test[0]
    for values in material.pack.features.values():
        values[test] = np.random.default_rng(0).normal(50, 9, (len(test), values.shape[1]))
    changed = train_options(cast(material.pack, rows, SHOTS), 0)
    for option in OPTIONS:
        for one, other in zip(honest[option], changed[option], strict=True):
            np.testing.assert_array_equal(one, other)


def test_likeness_is_the_area_under_the_curve(material):
    rows = rehearsal_rows(material, "source 1", 3, range(2), 0)
    task = cast(material.pack, rows, SHOTS)
    plain = Plain(material, "source 1", 0)
    found = likeness(task)
    for draw in range(2):
        other = plain.source_scores(rows.test[draw, rows.test_positives :]).mean(axis=1)
        for place, shots in enumerate(SHOTS):
            first = rows.train.shape[1] - 3
            own = plain.source_scores(rows.train[draw, first : first + shots]).mean(axis=1)
            area = roc_auc_score(np.repeat([1, 0], [len(own), len(other)]), np.r_[own, other])
            assert found[draw, place] == pytest.approx(area)


@pytest.mark.slow
def test_processes_change_no_number(material):
    told = []
    alone = rehearse(material, ["source 0", "source 3"], [1, 2], 0, 1, lambda *done: told.append(done))
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert alone["source"].unique().tolist() == ["source 0", "source 3"]
    together = rehearse(material, ["source 0", "source 3"], [1, 2], 0, 2, lambda *_: None)
    assert alone.equals(together)


def test_no_players_is_an_empty_table(material):
    empty = rehearse(material, [], [], 0, 2, lambda *_: None)
    assert tuple(empty.columns) == COLUMNS
    assert empty.empty
