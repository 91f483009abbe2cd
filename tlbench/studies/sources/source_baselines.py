"""What others do with the same sources: scores as features, adapted hinge machines, boosting on the sources' examples.

All see the draws, kernels and source machines of the task. Hinge machines cost C ζ_i for an example, so that both
classes weigh the same, and C is that of the least-squares machines: nothing is tuned for one and not for another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...methods.adapted_svm import adaptive_svm, fixed_transfer_svm
from ...methods.hinge_svm import balanced_costs
from ...methods.logistic import feature_logistic
from ...methods.penalised_weights import penalised_svm
from ...methods.projective_svm import projective_svm
from ...methods.score_features import feature_svm, own_confidences
from ...methods.source_boosting import multi_source_boosting
from ...study import Positive, Strength
from .source_conditions import Found, Group
from .source_task import Task, TaskChoices

Floats = NDArray[np.float64]


class Strengths(TaskChoices, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With what is chosen about baselines: Γ of PMT-SVM, ρ of the penalty on β, M rounds of boosting.

    A protocol without those conditions need not name them.
    """

    projection: Strength = 30.0
    penalty: Strength = 1.0
    rounds: Positive = 20


def _features_svm(task: Task, _: Strengths) -> Found:
    machine = feature_svm(task.scores, task.labels, balanced_costs(task.labels, task.C))
    return Found.of(task, {"prior-features-svm": machine.decide(task.test_scores)})


def _features_logistic(task: Task, _: Strengths) -> Found:
    machine = feature_logistic(task.scores, task.labels, balanced_costs(task.labels, task.C))
    return Found.of(task, {"prior-features-logistic": machine.decide(task.test_scores)})


def _own_and_source_confidences(task: Task, _: Strengths) -> Found:
    """H-L2L: costs of 2C for every example, and a feature of one in the place of a bias, as released."""
    own = [own_confidences(*task.kernels_of(kind), task.labels, task.C) for kind in task.kinds]
    training, test = (np.stack(parts, axis=-1) for parts in zip(*own, strict=True))
    features = np.concatenate([training, task.scores], axis=-1)
    scores = np.broadcast_to(task.test_scores, (*test.shape[:-1], len(task.names)))
    machine = feature_svm(features, task.labels, np.full(task.labels.shape, 2.0 * task.C), bias_feature=1.0)
    return Found.of(task, {"h-l2l": machine.decide(np.concatenate([test, scores], axis=-1))})


def _adaptive(task: Task, _: Strengths) -> Found:
    machine = adaptive_svm(task.train_kernel, task.labels, balanced_costs(task.labels, task.C), task.scores)
    return Found.of(task, {"a-svm": machine.decide(task.test_kernel, task.test_scores)})


def _projective(task: Task, strengths: Strengths) -> Found:
    """PMT-SVM knows one source; here it is the mean of all, w_s = Σ w_j / k."""
    along, test_along = ((part - task.sources.biases).mean(-1) for part in (task.scores, task.test_scores))
    used = task.labels != 0.0
    machine = projective_svm(
        task.train_kernel,
        task.labels,
        balanced_costs(task.labels, task.C),
        np.where(used, along, 0.0),
        task.sources.products.mean(),
        strengths.projection,
    )
    return Found.of(task, {"pmt-svm": machine.decide(task.test_kernel, test_along[..., None])})


def _hinge_equal(task: Task, _: Strengths) -> Found:
    k = len(task.names)
    costs = balanced_costs(task.labels, task.C)
    machine = fixed_transfer_svm(task.train_kernel, task.labels, costs, task.scores, np.full(k, 1.0 / np.sqrt(k)))
    return Found.of(task, {"hinge-equal": machine.decide(task.test_kernel, task.test_scores)})


def _hinge_penalised(task: Task, strengths: Strengths) -> Found:
    costs = balanced_costs(task.labels, task.C)
    machine = penalised_svm(task.train_kernel, task.labels, costs, task.scores, strengths.penalty)
    decisions = machine.decide(task.test_kernel, task.test_scores)
    return Found.of(task, {"hinge-penalised": decisions}, {"hinge-penalised": machine.weights})


def _boosting(task: Task, strengths: Strengths) -> Found:
    """MultiSourceTrAdaBoost learns from the sources' examples; one that serves two sources is there twice."""
    sources = task.rows.sources.values()
    members = [np.r_[source.positives, source.negatives] for source in sources]
    labels = [np.repeat([1.0, -1.0], [len(source.positives), len(source.negatives)]) for source in sources]
    pack, kernel = task.sources.pack, task.sources.kernel
    place = np.searchsorted(task.sources.rows, np.concatenate(members))
    distinct = pack.take(task.sources.rows)
    source_kernel = kernel(distinct, distinct)[np.ix_(place, place)]
    decisions = np.empty((*task.labels.shape[:2], task.rows.test.shape[1]))
    for split, (train, test) in enumerate(zip(task.rows.train, task.rows.test, strict=True)):
        cross = kernel(pack.take(train), distinct)[:, place]
        machines = multi_source_boosting(
            source_kernel,
            np.concatenate(labels),
            np.repeat(np.arange(len(members)), [len(rows) for rows in members]),
            cross,
            task.train_kernel[split, 0],
            task.labels[split],
            task.C,
            strengths.rounds,
        )
        seen = kernel(pack.take(test), distinct)[:, place]
        decisions[split] = machines.decide(seen, task.test_kernel[split])
    return Found.of(task, {"multisource-tradaboost": decisions})


BASELINES: Mapping[str, Group] = {
    "features-svm": Group(
        {"prior-features-svm": "source scores as the features of a linear SVM"},
        _features_svm,
    ),
    "features-logistic": Group(
        {"prior-features-logistic": "source scores as the features of a logistic regression"},
        _features_logistic,
    ),
    "h-l2l": Group(
        {"h-l2l": "H-L2L: confidences of the target's own machines and of the sources into a linear SVM"},
        _own_and_source_confidences,
    ),
    "a-svm": Group({"a-svm": "A-SVM: hinge machine, no bias, on top of the sources' average"}, _adaptive),
    "pmt-svm": Group({"pmt-svm": "PMT-SVM: hinge machine drawn to the direction of the mean source"}, _projective),
    "hinge-equal": Group({"hinge-equal": "hinge machine with weight 1/√k for each source"}, _hinge_equal),
    "hinge-penalised": Group(
        {"hinge-penalised": "hinge machine, weights learned with it under a quadratic penalty"},
        _hinge_penalised,
    ),
    "boosting": Group(
        {"multisource-tradaboost": "MultiSourceTrAdaBoost: boosting on the sources' examples"},
        _boosting,
    ),
}
