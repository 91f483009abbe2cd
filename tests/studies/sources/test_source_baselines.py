"""Baselines in the study: each accuracy again, one machine at a time, by a general solver on the task's own arrays."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

from tlbench import protocol, studies
from tlbench.datasets import FeaturePack, draw_task
from tlbench.methods.source_boosting import multi_source_boosting
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.sources import source_weighting as study
from tlbench.studies.sources.source_baselines import BASELINES
from tlbench.study import Block

PARAMETERS = {
    "shots": [1, 4],
    "negatives": 7,
    "test_examples": 24,
    "source_examples": 22,
    "kernel": "rbf",
    "C": 3.0,
    "overlap": "repaired",
    "nonnegative": True,
    "projection": 5.0,
    "penalty": 0.7,
    "rounds": 4,
    "seed": 0,
}
UNIT, SPLITS = "c1", (0, 2)
CONDITIONS = [condition for group in BASELINES.values() for condition in group.says]


def blobs(categories=4, seed=8):
    """Overlapping categories with a direction in common before a wide background, in two kinds of feature."""
    draw = np.random.default_rng(seed)
    member = np.r_[np.repeat(np.arange(categories), 40), np.full(120, categories)]
    centres = np.vstack([0.7 + 0.5 * draw.normal(size=(categories, 4)), np.zeros((1, 4))])
    shape = centres[member] + draw.normal(size=(len(member), 4))
    return FeaturePack(
        tuple(f"p{row:04}" for row in range(len(member))),
        {"shape": shape, "colour": draw.normal(size=(len(member), 3)) + shape[:, :1]},
        {f"c{number}": np.flatnonzero(member == number) for number in range(categories)},
        np.flatnonzero(member == categories),
    )


PACK = blobs()


def block(group, unit=UNIT, **changed):
    return Block("source_weighting", 1, unit, SPLITS, group, tuple(BASELINES[group].says), PARAMETERS | changed, "x")


def prepared(pack=PACK, **changed):
    return study.prepare(pack, block("a-svm", **changed))


def accuracies(task, condition, **changed):
    """(splits, shot counts)."""
    (group,) = (name for name, group in BASELINES.items() if condition in group.says)
    measured = study.compute(task, block(group, **changed), None)["measurements"]
    rows = [v for v, name in zip(measured["value"], measured["condition"], strict=True) if name == condition]
    return np.reshape(rows, (len(SPLITS), len(task.shots)))


def problems(task):
    """Every split and shot count as plain arrays without padding, and its place."""
    for split, shots in np.ndindex(task.labels.shape[:2]):
        n = PARAMETERS["negatives"] + task.shots[shots]
        y = task.labels[split, shots, :n]
        assert (y == np.r_[-np.ones(PARAMETERS["negatives"]), np.ones(task.shots[shots])]).all()
        kinds = [task.kernels_of(kind) for kind in task.kinds]
        yield (
            (split, shots),
            SimpleNamespace(
                y=y,
                costs=PARAMETERS["C"] * np.where(y > 0, n / (2 * (y > 0).sum()), n / (2 * (y < 0).sum())),
                K=task.train_kernel[split, 0, :n, :n],
                T=task.test_kernel[split, 0, :, :n],
                F=task.scores[split, shots, :n],
                G=task.test_scores[split, 0],
                kinds=[(among[split, shots, :n, :n], across[split, 0, :, :n]) for among, across in kinds],
                train=task.rows.train[split][:n],
                test=task.rows.test[split],
            ),
        )


def balanced(task, decisions):
    called, positives = decisions > 0, task.rows.test_positives
    return 50.0 * (called[:positives].mean() + 1.0 - called[positives:].mean())


def middle_bias(margins, y, costs):
    """The middle of all b of least Σ C max(0, 1 − y (m + b)), which bends at y − m alone."""
    bends = y - margins
    values = np.array([costs @ np.maximum(0.0, 1.0 - y * (margins + b)) for b in bends])
    best = bends[values <= values.min() + 1e-5 * (1.0 + values.min())]
    return (best.min() + best.max()) / 2.0


def hinge(K, y, costs):
    """a and b of the plain machine, by LIBSVM; its b is one end of an interval, ours the middle."""
    machine = SVC(kernel="precomputed", C=1.0, tol=1e-9).fit(K, y, sample_weight=costs)
    dual = np.zeros(len(y))
    dual[machine.support_] = machine.dual_coef_[0]
    return dual, middle_bias(K @ dual, y, costs)


# Every condition again


def features_svm(p, task):
    dual, bias = hinge(p.F @ p.F.T, p.y, p.costs)
    return p.G @ (p.F.T @ dual) + bias


def features_logistic(p, task):
    machine = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(p.F, p.y, sample_weight=p.costs)
    return machine.decision_function(p.G)


def left_out(K, y, C):
    """What a least-squares machine trained without each example says of it; costs as with all of them."""
    zeta, said = np.where(y > 0, len(y) / (2 * (y > 0).sum()), len(y) / (2 * (y < 0).sum())), []
    for keep in ~np.eye(len(y), dtype=bool):
        alpha, bias = least_squares(K[np.ix_(keep, keep)], y[keep], C * zeta[keep])
        said.append(float(K[~keep][0, keep] @ alpha + bias))
    return np.array(said), least_squares(K, y, C * zeta)


def least_squares(K, y, costs):
    n = len(y)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = K + np.diag(1.0 / costs)
    system[n, n] = 0.0
    solution = np.linalg.solve(system, np.r_[y, 0.0])
    return solution[:n], solution[n]


def own_and_source_confidences(p, task):
    own, seen = [], []
    for K, T in p.kinds:
        said, (alpha, bias) = left_out(K, p.y, PARAMETERS["C"])
        own.append(said)
        seen.append(T @ alpha + bias)
    # LIBLINEAR's intercept is a feature of one whose weight is penalised, as theirs is.
    machine = LinearSVC(loss="hinge", C=2.0 * PARAMETERS["C"], tol=1e-9, max_iter=10_000_000, random_state=0)
    machine.fit(np.c_[np.transpose(own), p.F], p.y)
    return machine.decision_function(np.c_[np.transpose(seen), p.G])


def adaptive(p, task):
    """The dual has a box and nothing else: L-BFGS-B solves it."""
    borrowed, quadratic = p.F.mean(axis=1), p.K * np.outer(p.y, p.y)
    linear = 1.0 - p.y * borrowed
    found = minimize(
        lambda a: (0.5 * a @ quadratic @ a - linear @ a, quadratic @ a - linear),
        np.zeros(len(p.y)),
        jac=True,
        bounds=[(0.0, cost) for cost in p.costs],
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 100_000},
    )
    return p.T @ (found.x * p.y) + p.G.mean(axis=1)


def projective(p, task, gamma=PARAMETERS["projection"]):
    """On the direction of the mean source and across it, which is penalised more; never against it."""
    sources = task.sources
    examples = PACK.take(sources.rows)
    mean = sources.duals.mean(axis=1)
    length = np.sqrt(mean @ sources.kernel(examples, examples) @ mean)
    g, h = (sources.kernel(PACK.take(rows), examples) @ mean / length for rows in (p.train, p.test))
    across, seen = p.K - np.outer(g, g), p.T - np.outer(h, g)
    for along in (1.0, 0.0):
        dual, bias = hinge(across / (1.0 + gamma) + along * np.outer(g, g), p.y, p.costs)
        if along == 0.0 or dual @ g >= 0.0:
            return seen @ dual / (1.0 + gamma) + along * h * (dual @ g) + bias
    raise AssertionError


def hinge_equal(p, task):
    """½‖w − w_a‖² has no such solver: the dual again, with Σ α y = 0 by SLSQP."""
    beta = 1.0 / np.sqrt(p.F.shape[1])
    quadratic, linear = p.K * np.outer(p.y, p.y), 1.0 - p.y * beta * p.F.sum(axis=1)
    found = minimize(
        lambda a: (0.5 * a @ quadratic @ a - linear @ a, quadratic @ a - linear),
        np.zeros(len(p.y)),
        jac=True,
        bounds=[(0.0, cost) for cost in p.costs],
        constraints={"type": "eq", "fun": lambda a: a @ p.y, "jac": lambda _: p.y},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    margins = p.K @ (found.x * p.y) + beta * p.F.sum(axis=1)
    return p.T @ (found.x * p.y) + beta * p.G.sum(axis=1) + middle_bias(margins, p.y, p.costs)


def hinge_penalised(p, task):
    """Scores over √ρ are more features of a plain machine."""
    rho = PARAMETERS["penalty"]
    dual, bias = hinge(p.K + p.F @ p.F.T / rho, p.y, p.costs)
    return (p.T + p.G @ p.F.T / rho) @ dual + bias


def boosting(p, task):
    """The method alone, on kernels between the examples of each source and the target's, written out."""
    rows = [np.r_[source.positives, source.negatives] for source in task.rows.sources.values()]
    labels = [np.r_[np.ones(len(s.positives)), -np.ones(len(s.negatives))] for s in task.rows.sources.values()]
    everyone, kernel = PACK.take(np.concatenate(rows)), task.sources.kernel
    machine = multi_source_boosting(
        kernel(everyone, everyone),
        np.concatenate(labels),
        np.concatenate([np.full(len(own), number) for number, own in enumerate(rows)]),
        kernel(PACK.take(p.train), everyone),
        p.K,
        p.y,
        PARAMETERS["C"],
        PARAMETERS["rounds"],
    )
    return machine.decide(kernel(PACK.take(p.test), everyone), p.T)


AGAIN = {
    "prior-features-svm": features_svm,
    "prior-features-logistic": features_logistic,
    "h-l2l": own_and_source_confidences,
    "a-svm": adaptive,
    "pmt-svm": projective,
    "hinge-equal": hinge_equal,
    "hinge-penalised": hinge_penalised,
    "multisource-tradaboost": boosting,
}


@pytest.fixture(scope="module")
def task():
    return prepared()


@pytest.fixture
def decided(monkeypatch):
    """Decision values on the test examples, (splits, shot counts, T), instead of accuracies."""

    def decisions(task, condition, **changed):
        kept = []

        def keep(self, values):
            kept.append(values)
            return np.zeros(values.shape[:-1])

        with monkeypatch.context() as patch:
            patch.setattr(type(task), "score", keep)
            accuracies(task, condition, **changed)
        return kept[0] if len(kept) == 1 else np.stack(kept)  # boosting is scored split by split

    return decisions


def test_all_baselines_are_looked_at():
    assert list(AGAIN) == CONDITIONS


@pytest.mark.parametrize("condition", AGAIN)
def test_each_accuracy_again_one_machine_at_a_time(task, condition):
    found = accuracies(task, condition)
    assert len(np.unique(found)) > 1
    for place, problem in problems(task):
        assert found[place] == pytest.approx(balanced(task, AGAIN[condition](problem, task)), abs=1e-9), place


def test_kernels_of_single_kinds_have_the_tasks_as_their_mean(task):
    among, across = (np.mean(parts, axis=0) for parts in zip(*map(task.kernels_of, task.kinds), strict=True))
    np.testing.assert_allclose(among, np.broadcast_to(task.train_kernel, among.shape), atol=1e-12)
    np.testing.assert_allclose(across, task.test_kernel, atol=1e-12)


def test_penalised_weights_are_those_of_the_machine_on_more_features(task):
    tables = study.compute(task, block("hinge-penalised"), None)
    beta = np.reshape(tables["weights"]["beta"], (len(SPLITS), len(task.shots), len(task.names)))
    assert tables["weights"]["source"][: len(task.names)] == task.names
    for place, p in problems(task):
        dual, _ = hinge(p.K + p.F @ p.F.T / PARAMETERS["penalty"], p.y, p.costs)
        np.testing.assert_allclose(beta[place], dual @ p.F / PARAMETERS["penalty"], atol=1e-4)


# Limits


def plain(task):
    """Accuracies of the hinge machine of the target alone."""
    found = np.zeros(task.labels.shape[:2])
    for place, p in problems(task):
        dual, bias = hinge(p.K, p.y, p.costs)
        found[place] = balanced(task, p.T @ dual + bias)
    return found


@pytest.mark.parametrize("condition", ["hinge-equal", "hinge-penalised"])
def test_sources_that_say_nothing_leave_a_plain_machine(task, condition):
    silent = dataclasses.replace(task, scores=task.scores * 0, test_scores=task.test_scores * 0)
    np.testing.assert_allclose(accuracies(silent, condition), plain(task))


def test_a_huge_penalty_transfers_nothing(task):
    np.testing.assert_allclose(accuracies(task, "hinge-penalised", penalty=1e12), plain(task))


def test_a_small_projection_is_a_plain_machine_and_a_huge_one_the_mean_source(task, decided):
    np.testing.assert_allclose(accuracies(task, "pmt-svm", projection=1e-9), plain(task))
    values = decided(task, "pmt-svm", projection=1e9)
    for place, p in problems(task):
        # All that is left is a threshold on what the mean source says, or one answer for all against its direction.
        order = np.argsort(p.G.mean(axis=1))
        assert (np.diff(values[place][order]) >= -1e-6).all()


def test_boosting_with_one_source():
    pack = blobs(categories=2)
    task = prepared(pack, unit="c1")
    assert task.names == ["c0"]
    found = accuracies(task, "multisource-tradaboost", unit="c1")
    assert np.isfinite(found).all()
    assert found[:, -1].mean() > 60.0
    again = accuracies(prepared(pack, unit="c1"), "multisource-tradaboost", unit="c1")
    np.testing.assert_array_equal(found, again)


# Nothing of a test set in anything fitted


@pytest.mark.parametrize("condition", CONDITIONS)
def test_one_test_example_changes_what_is_said_of_it_alone(task, condition, decided):
    """Decision values on all other test examples stay what they were; its own does not."""
    parameters = msgspec.convert(PARAMETERS, study.STUDY.Parameters)
    rows = draw_task(PACK, UNIT, parameters.amounts, parameters.overlap, parameters.seed, SPLITS)
    trained = set(rows.train.ravel().tolist()) | set(rows.source_training.tolist())
    moved = next(row for row in rows.test[0].tolist() if row not in trained)
    features = {kind: values.copy() for kind, values in PACK.features.items()}
    for values in features.values():
        values[moved] += 5.0
    before, after = decided(task, condition), decided(prepared(dataclasses.replace(PACK, features=features)), condition)
    for split in range(len(SPLITS)):
        same = rows.test[split] != moved
        np.testing.assert_allclose(after[split][:, same], before[split][:, same], rtol=1e-9, atol=1e-9)
        if condition != "multisource-tradaboost":  # its votes may well be the same
            assert (after[split][:, ~same] != before[split][:, ~same]).all()


# The whole way


def test_the_shipped_protocol_runs_on_the_digits(digits):
    declared = protocol.read("caltech-baselines")
    found = studies.find(declared.study)
    assert set(declared.conditions) == set(found.says)
    overrides = {"seeds": "1", "conditions": ",".join(CONDITIONS), "shots": "10", "rounds": "2"}
    settings = resolve(declared, found, "smoke", overrides, "digits")
    plan = make_plan(declared, found, settings, digits, digits.fingerprint)
    blocks = next(plan.tasks(plan.blocks))
    task = found.prepare(digits, blocks[0])
    assert [block.group for block in blocks] == list(BASELINES)
    for one in blocks:
        (value,) = found.compute(task, one, None)["measurements"]["value"]
        assert 70.0 < value <= 100.0, one.group
