"""The study of ½‖w_t − βw_s‖²: every number again from hyperplanes in full, which a linear kernel has."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from tlbench import datasets, protocol, studies
from tlbench.datasets import DataError, FeaturePack
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.studies.sources import kernel_terms as study
from tlbench.study import Block

BETAS = [0.0, 0.5, 1.0, 2.0]
PARAMETERS = {
    "kernel": "linear",
    "beta": BETAS,
    "shots": 2,
    "negatives": 6,
    "test_examples": 20,
    "source_examples": 25,
    "C": 3.0,
    "seed": 0,
}
METRICS = ("balanced_accuracy", "target", "source", "similarity", "cosine", "pull")


def synthetic(categories=4, positives=40, backdrop=120, seed=5):
    """Blobs about centres of their own before a wide background, in six numbers."""
    draw = np.random.default_rng(seed)
    member = np.r_[np.repeat(np.arange(categories), positives), np.full(backdrop, categories)]
    centres = np.vstack([draw.normal(0, 1.0, (categories, 6)), np.zeros((1, 6))])
    return FeaturePack(
        identities=tuple(f"p{row:04}" for row in range(len(member))),
        features={"shape": centres[member] + draw.normal(0, 0.9, (len(member), 6))},
        categories={f"c{number}": np.flatnonzero(member == number) for number in range(categories)},
        background=np.flatnonzero(member == categories),
    )


PACK = synthetic()


def block(unit="c0", splits=(0, 1), **changed):
    return Block("kernel_terms", 1, unit, tuple(splits), "sources", tuple(study.SAYS), {**PARAMETERS, **changed}, "x")


def results(pack=PACK, **given):
    """Values by (split, condition, β, metric)."""
    asked = block(**given)
    columns = study.compute(study.prepare(pack, asked), asked, None)["measurements"]
    keys = zip(columns["split"], columns["condition"], columns["beta"], columns["metric"], strict=True)
    return dict(zip(keys, columns["value"], strict=True))


def machine(x, y, lent, C):
    """v, b and the objective of min ½‖v‖² + (C/2) Σ ζ_i (y_i − lent_i − v·x_i − b)², from the primal problem."""
    balance = np.where(y > 0, len(y) / (2 * (y > 0).sum()), len(y) / (2 * (y < 0).sum()))
    root = np.sqrt(C * balance)
    design = np.r_[root[:, None] * np.c_[x, np.ones(len(y))], np.eye(x.shape[1], x.shape[1] + 1)]
    wanted = np.r_[root * (y - lent), np.zeros(x.shape[1])]
    found = np.linalg.lstsq(design, wanted)[0]
    return found[:-1], found[-1], 0.5 * np.sum(np.square(design @ found - wanted))


def labelled(pack, positives, negatives):
    return pack.features["shape"][np.r_[positives, negatives]], np.repeat([1.0, -1.0], [len(positives), len(negatives)])


def by_hand(split, pack=PACK, unit="c0"):
    """Cosine with each source, and by source and β every metric."""
    parameters = msgspec.convert(PARAMETERS, study.Parameters)
    rows = parameters.rows(pack, unit, (0, 1))
    train, test = (pack.features["shape"][part[split]] for part in (rows.train, rows.test))
    y = np.repeat([-1.0, 1.0], [parameters.negatives, parameters.shots])
    truth = np.repeat([1.0, -1.0], [rows.test_positives, len(test) - rows.test_positives])
    own, _, _ = machine(*labelled(pack, *study.examples_apart(pack, unit, rows, split)), 0.0, parameters.C)
    cosines, values = [], []
    for source in rows.sources.values():
        w, b, _ = machine(*labelled(pack, source.positives, source.negatives), 0.0, parameters.C)
        cosines.append(own @ w / np.sqrt(own @ own * (w @ w)))
        at = {}
        for beta in BETAS:
            v, bias, _ = machine(train, y, beta * (train @ w + b), parameters.C)
            target = v + beta * w
            called = test @ target + beta * b + bias > 0
            at[beta] = {
                "balanced_accuracy": 50 * (called[truth > 0].mean() + 1 - called[truth < 0].mean()),
                "target": target @ target,
                "source": beta**2 * (w @ w),
                "similarity": -2 * beta * (target @ w),
                "cosine": target @ w / np.sqrt(target @ target * (w @ w)),
                "pull": 100 * (v @ w) / (w @ w),
            }
        values.append(at)
    return np.array(cosines), values


def test_every_number_is_that_of_hyperplanes_in_full():
    found = results()
    asked = block()
    alike = study.prepare(PACK, asked)
    for split in (0, 1):
        cosines, values = by_hand(split)
        np.testing.assert_allclose(alike.cosines[split], cosines, atol=1e-8)
        for beta in BETAS:
            for metric in METRICS:
                each = [one[beta][metric] for one in values]
                for condition, expected in [
                    ("most-alike", each[int(cosines.argmax())]),
                    ("each-source", np.mean(each)),
                    ("least-alike", each[int(cosines.argmin())]),
                ]:
                    assert found[split, condition, beta, metric] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_pull_is_minus_the_slope_of_the_least_objective():
    draw = np.random.default_rng(1)
    x, w = draw.normal(size=(12, 4)), draw.normal(size=4)
    y, step = np.repeat([-1.0, 1.0], 6), 1e-5
    for beta in BETAS:
        v, _, _ = machine(x, y, beta * (x @ w), 2.0)
        up, down = (machine(x, y, (beta + sign * step) * (x @ w), 2.0)[2] for sign in (1, -1))
        assert v @ w == pytest.approx(-(up - down) / (2 * step), rel=1e-5)


def test_examples_that_tell_how_alike_sources_are_are_used_for_nothing_else():
    rows = msgspec.convert(PARAMETERS, study.Parameters).rows(PACK, "c1", (0, 1))
    for split in (0, 1):
        positives, negatives = study.examples_apart(PACK, "c1", rows, split)
        used = np.concatenate([rows.train[split], rows.test[split], rows.source_training])
        assert not set(used) & {*positives, *negatives}
        assert set(positives) <= set(PACK.categories["c1"])
        assert set(negatives) <= set(PACK.background)
        assert len(positives) == 40 - 2 - 20
        # Two thirds of the background are the target's: 6 + 20 of them are used.
        assert len(negatives) >= 80 - 6 - 20


def test_no_test_example_has_a_part_in_anything_but_accuracy():
    rows = msgspec.convert(PARAMETERS, study.Parameters).rows(PACK, "c0", (0,))
    values = PACK.features["shape"].copy()
    values[rows.test[0]] += 7.0
    changed = dataclasses.replace(PACK, features={"shape": values})
    before, after = results(splits=(0,)), results(changed, splits=(0,))
    for key, value in before.items():
        if key[-1] != "balanced_accuracy":
            assert after[key] == pytest.approx(value, rel=1e-9, abs=1e-12)


def planned(kernel):
    declared = protocol.read("kernel-transfer")
    settings = resolve(declared, studies.find("kernel_terms"), "smoke", {"kernel": kernel}, "digits")
    pack = datasets.open_data("digits", datasets.Options(), None)
    return pack, make_plan(declared, study.STUDY, settings, pack, pack.fingerprint)


def test_a_block_is_of_one_kernel_and_another_kernel_changes_none():
    several, one = ({b.key for b in planned(kernel)[1].blocks} for kernel in ("linear,rbf", "rbf"))
    assert len(several) == 18
    assert one < several


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"kernel": ["rbf", "chi2"]},
            "kernel chi2 needs features of zero or more, and 'shape' has others; leave it out",
        ),
        ({"kernel": ["rbf"], "test_examples": 30}, "'c0' has 8 examples of a class beyond training and test"),
    ],
)
def test_data_that_will_not_do(changed, says):
    parameters = msgspec.convert({**PARAMETERS, **changed}, study.Parameters)
    with pytest.raises(DataError, match=says):
        study.cut(PACK, parameters, list(study.SAYS), 1)


def test_an_infinite_cost_is_refused():
    with pytest.raises(msgspec.ValidationError, match="<= 1000000000000"):
        msgspec.convert({**PARAMETERS, "C": float("inf")}, study.Parameters)


@pytest.mark.parametrize("kernel", ["rbf", "intersection"])
def test_digits_without_transfer_are_the_same_for_all_sources(kernel):
    pack, plan = planned(kernel)
    assert [b.parameters["kernel"] for b in plan.blocks] == [kernel] * 9
    one = next(b for b in plan.blocks if b.unit == "seven")
    columns = study.compute(study.prepare(pack, one), one, None)["measurements"]
    keys = zip(columns["split"], columns["condition"], columns["beta"], columns["metric"], strict=True)
    found = dict(zip(keys, columns["value"], strict=True))
    assert len(found) == 2 * 3 * 3 * len(METRICS) == plan.cells // 9 * len(METRICS)
    for split in (0, 1):
        for metric in ("balanced_accuracy", "target", "source", "similarity"):
            values = {round(found[split, condition, 0.0, metric], 8) for condition in study.SAYS}
            assert len(values) == 1
        assert found[split, "most-alike", 0.0, "cosine"] > found[split, "least-alike", 0.0, "cosine"]
        # The penalty is never negative.
        for condition in study.SAYS:
            for beta in (0.0, 1.0, 2.0):
                terms = [found[split, condition, beta, metric] for metric in ("target", "source", "similarity")]
                assert sum(terms) >= -1e-9
