"""The ladder of relatedness: the truth is in the tasks, the numbers follow from weights, and the units are apart."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tlbench import datasets, protocol, studies
from tlbench.datasets import DataError, Options
from tlbench.plan import make_plan
from tlbench.protocol import ProtocolError
from tlbench.settings import resolve
from tlbench.studies.sources import relatedness as study
from tlbench.study import Block

PARAMETERS = {
    "shots": [1, 4],
    "kernel": "linear",
    "draws": 3,
    "similarities": [0.9, 0.0, 0.5, 0.0],
    "dimensions": 8,
    "negatives": 6,
    "test_examples": 40,
    "source_examples": 30,
    "C": 10.0,
    "nonnegative": True,
    "seed": 0,
}
CONDITIONS = ("none", "single-selected", "multi-average", "multi-equal", "multi-weighted", "multi-weighted-l1")
NOTHING = datasets.open_data("tasks", Options(), None)


def parameters(**changed):
    return msgspec.convert({**PARAMETERS, **changed}, study.Parameters)


def block(group, unit="draw 001", splits=(0, 1), **changed):
    members = tuple(name for name in CONDITIONS if study.GROUP_OF[name] == group)
    return Block("relatedness", 1, unit, tuple(splits), group, members, {**PARAMETERS, **changed}, "x")


def results(**given):
    """Values by (split, condition, shots, metric), and weights (condition, split, shots) → β of each source."""
    values, weights = {}, {}
    task = study.prepare(NOTHING, block("none", **given))
    for group in dict.fromkeys(study.GROUP_OF[name] for name in CONDITIONS):
        tables = study.compute(task, block(group, **given), None)
        m, w = tables["measurements"], tables["weights"]
        values |= dict(
            zip(zip(m["split"], m["condition"], m["shots"], m["metric"], strict=True), m["value"], strict=True)
        )
        for condition, split, shots, beta in zip(w["condition"], w["split"], w["shots"], w["beta"], strict=True):
            weights.setdefault((condition, split, shots), []).append(beta)
    return values, weights


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_every_example_stands_once_on_the_side_of_its_label(kernel):
    asked = parameters(kernel=kernel)
    tasks = study.draw_tasks(asked, "draw 002")
    pack = study.as_pack(tasks, asked.names)
    assert list(pack.categories) == ["target", "1 (0.9)", "2 (0)", "3 (0.5)", "4 (0)"]
    assert list(pack.identities) == sorted(set(pack.identities))
    every = np.concatenate([rows for part in (pack.categories, pack.background) for rows in part.values()])
    np.testing.assert_array_equal(np.sort(every), np.arange(tasks.labels.size))
    for place, name in enumerate(pack.categories):
        for rows, sign in ((pack.categories[name], 1.0), (pack.background[name], -1.0)):
            examples = pack.features["numbers"][rows] * np.sqrt(8)
            np.testing.assert_array_equal(np.sign(tasks.values(examples)[place]), sign)
    np.testing.assert_allclose(tasks.correlations[0, 1:], PARAMETERS["similarities"])


def test_sources_are_trained_on_their_own_examples_alone():
    task = study.prepare(NOTHING, block("none"))
    pack = task.sources.pack
    for name, source in task.rows.sources.items():
        assert set(source.positives) <= set(pack.categories[name])
        assert set(source.negatives) <= set(pack.background[name])
        assert len(source.positives) == len(source.negatives) == 30
    assert task.rows.test.shape == (2, 80)


def test_more_similar_sources_agree_more_with_the_target():
    """The share of the target's test examples that a source gets right is near that of the true functions."""
    similarities = [0.95, 0.6, 0.0, -0.6]
    changed = {"similarities": similarities, "source_examples": 400, "test_examples": 400, "C": 1.0}
    task = study.prepare(NOTHING, block("none", splits=(0,), **changed))
    truth = np.repeat([1.0, -1.0], 400)
    right = np.mean(np.sign(task.test_scores[0, 0]) == truth[:, None], axis=0)
    np.testing.assert_allclose(right, 1 - np.arccos(similarities) / np.pi, atol=0.07)


def test_what_describes_weights_follows_from_them():
    values, weights = results()
    noise = np.array(PARAMETERS["similarities"]) == 0
    fixed = {"none": np.zeros(4), "multi-average": np.full(4, 0.25), "multi-equal": np.full(4, 0.5)}
    for split in (0, 1):
        for shots in (1, 4):
            for condition in CONDITIONS:
                beta = np.array(weights.get((condition, split, shots), fixed.get(condition)))
                total = beta.sum()
                share = beta[noise].sum() / total if total else 0.0
                sources = 1.0 / np.sum(np.square(beta / total)) if total else 0.0
                assert values[split, condition, shots, "noise_share"] == pytest.approx(share)
                assert values[split, condition, shots, "effective_sources"] == pytest.approx(sources)
                assert 0.0 <= values[split, condition, shots, "balanced_accuracy"] <= 100.0
    assert values[0, "multi-equal", 1, "effective_sources"] == pytest.approx(4.0)
    assert all(np.linalg.norm(beta) <= 1 + 1e-6 for beta in weights.values())


def test_signed_weights_count_by_their_size():
    values, weights = results(nonnegative=False, similarities=[-0.9, 0.0, 0.5, 0.0])
    beta = np.abs(weights["multi-weighted", 0, 4])
    assert min(weights["multi-weighted", 0, 4]) < 0
    assert values[0, "multi-weighted", 4, "noise_share"] == pytest.approx((beta[1] + beta[3]) / beta.sum())


def test_with_one_related_source_and_plenty_of_labels_the_weight_is_there():
    changed = {"similarities": [0.0, 0.98, 0.0], "shots": [60], "negatives": 60, "source_examples": 300, "C": 1.0}
    values, weights = results(splits=(0,), **changed)
    assert np.argmax(weights["multi-weighted", 0, 60]) == 1
    assert weights["single-selected", 0, 60][1] > 0
    assert values[0, "multi-weighted-l1", 60, "noise_share"] < 0.2


def test_units_kernels_and_seeds_are_draws_of_their_own_and_splits_are_not():
    def examples(unit="draw 001", **changed):
        return study.draw_tasks(parameters(**changed), unit).examples

    np.testing.assert_array_equal(examples(), examples(draws=9, C=1.0))
    for other in (examples("draw 002"), examples(kernel="rbf"), examples(seed=1)):
        assert not np.isclose(examples()[0, 0, 0], other[0, 0, 0])
    one, two = (study.prepare(NOTHING, block("none", splits=splits)) for splits in ((0,), (0, 1)))
    np.testing.assert_array_equal(one.rows.train[0], two.rows.train[0])
    np.testing.assert_allclose(one.sources.duals, two.sources.duals)


def test_data_with_examples_are_refused():
    with pytest.raises(DataError, match="draws its own tasks; leave --dataset out, or name 'tasks'"):
        study.cut(datasets.open_data("digits", Options(), None), parameters(), CONDITIONS, 1)


def test_another_experiment_on_no_examples_says_what_it_lacks():
    other = protocol.read("caltech-multisource")
    found = studies.find(other.study)
    with pytest.raises(DataError, match="'drawn by the experiment' has 0 examples"):
        make_plan(other, found, resolve(other, found, None, {}), NOTHING, NOTHING.fingerprint)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"C": float("inf")}, "<= 1000000000000"),
        ({"dimensions": 4}, "4 sources and a target need more dimensions"),
        ({"similarities": [1.5]}, "<= 1"),
        ({"kernel": "chi2"}, "kernel"),
    ],
)
def test_parameters_that_will_not_do(changed, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        parameters(**changed)


def test_the_shipped_protocol_plans_a_block_a_draw_a_kernel_and_a_group():
    declared = protocol.read("relatedness")
    settings = resolve(declared, study.STUDY, "smoke", {})
    plan = make_plan(declared, study.STUDY, settings, NOTHING, NOTHING.fingerprint)
    assert len(plan.blocks) == 4 * 2 * 5
    assert plan.cells == 4 * 2 * 2 * len(CONDITIONS)
    assert len(list(plan.tasks(plan.blocks))) == 4 * 2
    with pytest.raises(ProtocolError, match="dimensions"):
        resolve(declared, study.STUDY, "smoke", {"dimensions": "8"})
