"""No leak: nothing of a target's test reaches anything that is fitted, in any experiment.

Each shipped experiment is computed, small, on data that come with the program. Then the labels of its test examples are
exchanged, and its test examples replaced by noise: half of them, the other half, all. ``leak_probe`` says what must not
change.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.trust.changed_tests import WAYS, numbered
from tests.trust.leak_probe import Case, Probe, leaks
from tlbench import protocol
from tlbench.datasets import RegressionTables
from tlbench.studies.boundary.clouds import Clouds
from tlbench.studies.encoders import decoder_training, encoder_decoder, new_decoder
from tlbench.studies.gaussian_processes import gp_correlation, gp_transfer
from tlbench.studies.multitask import multitask_similarity
from tlbench.studies.similarity import class_similarity
from tlbench.studies.sources import leak_audit, relatedness

pytestmark = pytest.mark.fault("leakage")

# Which rows the test has


def of_task(probe):
    return {"": probe.prepared().rows.test[0]}


def of_most_alike(probe):
    return {"": probe.prepared().task.rows.test[0]}


def of_audit(probe):
    leak = probe.block.parameters["leak"]
    return {"": probe.prepared().rows(probe.parameters, leak, probe.block.splits).test[0]}


def of_half(probe):
    """The half that is the target; the other half's network learns none of its classes."""
    return {"": probe.prepared().half.test}


def of_similar(probe):
    return {"": class_similarity.target_task(probe.data, probe.parameters, probe.block.unit).test}


def of_teacher(probe):
    drawn = probe.prepared().drawn
    return {"": np.sort(np.concatenate([one.test for one in (drawn if isinstance(drawn, tuple) else (drawn,))]))}


def of_fine_tuning(probe):
    """Of the unit that is reported; rehearsals, where strengths are chosen, have pictures and tests of their own."""
    return {"": probe.prepared().drawn.test}


def of_views(probe):
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(encoder_decoder, "see", lambda pack, *_: np.arange(len(pack.identities))[:, None])
        monkeypatch.setattr(encoder_decoder, "_standardised", lambda values, _: values)
        return {"": probe.prepared().test[0][:, 0]}


def of_decoder(probe):
    seen = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(new_decoder, "_seen", lambda data, parameters, rows: seen.append(rows))
        new_decoder.draw(probe.data, probe.parameters, probe.block.unit, 0)
    return {"": seen[2]}


def of_domains(probe):
    draws = probe.prepared()
    tests = draws._divide(0).test
    return {draws.unit.target: np.concatenate([tests[name] for name in draws.unit.classes])}


def of_directions(probe):
    target = gp_transfer.directions(probe.data)[probe.block.unit.rpartition(", draw ")[0]][1]
    (drawn,) = probe.prepared(numbered(probe.data))
    return {target: drawn.test[0][:, 0].astype(int)}


def of_regressions(probe):
    (sample,) = probe.prepared(numbered(probe.data)).values()
    return {name: values[:, 0].astype(int) for name, values in zip(sample.names, sample.test_inputs, strict=True)}


def of_one_against_rest(probe):
    (sample,) = probe.prepared(numbered(probe.data)).values()
    return {"": np.unique(np.concatenate(sample.test_inputs)[:, 0]).astype(int)}


# What a study that draws its own data draws


def of_functions(probe):
    return {"test": np.arange(probe.parameters.test_examples)}


def drawn_functions(monkeypatch, change):
    draw = gp_correlation.draw

    def drawn(*given):
        found = draw(*given)
        test = change(RegressionTables({"test": found.test[0]}, {"test": found.test[1]}, ("x",)))
        return dataclasses.replace(found, test=(test.inputs["test"], test.targets["test"]))

    monkeypatch.setattr(gp_correlation, "draw", drawn)


def of_several_tasks(probe):
    return {name: np.arange(probe.parameters.test_examples) for name in next(iter(probe.prepared().values())).names}


def drawn_tasks(monkeypatch, change):
    draw = multitask_similarity.draw_tasks

    def drawn(*given):
        found = draw(*given)
        columns = tuple(f"x{place}" for place in range(found.test_inputs[0].shape[1]))
        inputs, targets = (
            dict(zip(found.names, part, strict=True)) for part in (found.test_inputs, found.test_targets)
        )
        test = change(RegressionTables(inputs, targets, columns))
        new = {"test_inputs": list(test.inputs.values()), "test_targets": list(test.targets.values())}
        return dataclasses.replace(found, **new)

    monkeypatch.setattr(multitask_similarity, "draw_tasks", drawn)


def drawn_pack(monkeypatch, change):
    as_pack = relatedness.as_pack
    monkeypatch.setattr(relatedness, "as_pack", lambda *given: change(as_pack(*given)))


TEACHING = {"draws": 1, "steps": 8, "teacher_steps": 8, "test_pictures_per_class": 6}
VARIANCE = ("explained_variance", "unrelated_variance", "balanced_accuracy")
PREDICTED = ("error", "nlpd", "coverage")
PICTURED = ("what", "x", "value", "low", "high")
TEST_OF_PAIRS = ("base", "gain", "shareable", "gain_at_best")
CASES = [
    Case("caltech-baselines", of_task, {"shots": "1,3"}, by_test=("single-oracle",)),
    Case("caltech-multisource", of_task, by_test=("single-oracle",)),
    Case("caltech-settings", of_task),
    Case("class-similarity", of_similar, {"epochs": 2, "source_epochs": 2}, tables={"pairs": TEST_OF_PAIRS}),
    Case("distillation", of_teacher, {**TEACHING, "hint_steps": 4, "hidden": 8}),
    Case("encoder-decoder", of_views, {"steps": 3}),
    Case(
        "gp-correlation",
        of_functions,
        {"labels": "5", "correlation": "-0.9,0.9"},
        additive=PREDICTED,
        ratios=("miscoverage",),
        tables={"functions": PICTURED},
        draws=drawn_functions,
        outputs=True,
    ),
    Case("gp-transfer", of_directions, {"labels": "5"}, additive=PREDICTED, ratios=("miscoverage",), outputs=True),
    Case("increasing-sources", of_task),
    Case("kernel-transfer", of_most_alike),
    Case(
        "missing-class",
        of_teacher,
        {"steps": 8, "teacher_steps": 8, "test_pictures_per_class": 6},
        additive=("accuracy", "missing_accuracy"),
    ),
    Case("multitask-regression", of_regressions, {"examples": "4"}, additive=VARIANCE, outputs=True),
    *(
        Case("multitask-similarity", of_several_tasks, changes, additive=VARIANCE, draws=drawn_tasks, outputs=True)
        for changes in ({"examples": "5", "relation": "alike"}, {"examples": "5", "relation": "mixed"})
    ),
    Case("multitask-similarity", of_one_against_rest, {"examples": "4"}, additive=VARIANCE, reference="digits"),
    Case(
        "new-decoder",
        of_decoder,
        {"steps": 4, "source_steps": 4},
        ratios=("score",),
        tables={"examples": ("seen", "wanted", "made")},
        predicts=(decoder_training, "outputs_of"),
    ),
    Case("paradigms", of_domains),
    Case("parameter-regularizers", of_fine_tuning, {"steps": 3, "source_epochs": 1}, unit="draw"),
    Case("relatedness", of_task, {"shots": "1", "kernel": "linear"}, draws=drawn_pack),
    Case("relatedness", of_task, {"shots": "1", "kernel": "rbf"}, draws=drawn_pack),
    Case("yosinski-layers", of_half, {"epochs": 1, "pictures_per_class": 6, "test_pictures_per_class": 10}),
]
SOON_DONE = "increasing-sources"


def marked(case):
    return pytest.param(case, id=str(case), marks=() if case.experiment == SOON_DONE else pytest.mark.slow)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_nothing_fitted_knows_the_test(case, faults_tried):
    probe = Probe(case)
    usual = probe.computed()
    assert len(usual.fitted) > 0
    for way in WAYS:
        found = leaks(probe, way, usual)
        faults_tried.came_to(survived=not found, wrong=len(found))
        assert not found, f"{way}: {found}"
    if case.draws:
        others = Probe(dataclasses.replace(case, changes={**case.changes, "seed": 1})).computed()
    else:
        others = probe.other_examples()
    assert others.fitted != usual.fitted, "a test that could not fail"


# A leak is found


LEAKING = ("kept", "same-number", "target-C", "source-C", "all")


@pytest.mark.slow
@pytest.mark.parametrize("leak", leak_audit.WAYS)
def test_the_leaks_of_the_audit_are_found_and_no_others(leak, faults_tried):
    probe = Probe(Case("leak-audit", of_audit, {"leak": leak, "shots": "1,3"}, tables={"sources": ()}))
    usual = probe.computed()
    found = {way: leaks(probe, way, usual) for way in WAYS}
    right = all(found.values()) if leak in LEAKING else not any(found.values())
    faults_tried.came_to(survived=right, wrong=int(not right))
    assert right, found


@pytest.mark.slow
def test_an_oracle_is_found():
    probe = Probe(Case("caltech-multisource", of_task))
    usual = probe.computed()
    (found,) = leaks(probe, "labels", usual)
    assert found == "not a sum over test examples: [('single-oracle', 'balanced_accuracy')]"


# Where there is no test


def test_what_the_plane_measures_reaches_nothing_fitted(monkeypatch):
    probe = Probe(Case("toy-boundary", lambda _: {}, {"points": "2,8"}, tables={"boundaries": ("accuracy",)}))
    usual = probe.computed()
    monkeypatch.setattr(Clouds, "accuracy", lambda self, weights, bias: np.zeros(np.shape(bias)))
    blind = probe.computed()
    assert len(usual.fitted) > 0
    assert blind.fitted == usual.fitted
    assert blind.tables == usual.tables
    learned = usual.measured["metric"] == "beta"
    assert learned.any()
    np.testing.assert_array_equal(usual.measured["value"][learned], blind.measured["value"][learned])
    assert (blind.measured["value"][~learned] == 0).all()


def test_every_experiment_is_tried():
    tried = {case.experiment for case in CASES} | {"leak-audit", "toy-boundary"}
    assert tried == set(protocol.shipped())
