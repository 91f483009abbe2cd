"""How alike a target and a source are, told from training pictures alone; higher means more alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...methods.kernels import RBF
from ...methods.least_squares_svm import class_balance, factorise, train
from ...methods.representations import linear_cka, squared_mean_discrepancy
from ...methods.source_weights import ball_weights, leave_one_out
from ...methods.transferability import h_score, leep, logme

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Representations:
    """What a network makes of n pictures: the last layer but one (n, d), class probabilities (n, classes)."""

    penultimate: Floats
    probabilities: Floats


def pair_scores(
    target: tuple[Floats, Integers],
    source: tuple[Floats, Integers],
    seen_by_source: Representations,
    source_features: Floats,
    own_features: Floats,
    C: float,
) -> dict[str, float]:
    """Scores of a source for a target.

    relief: what learned weights β take off the bound on the leave-one-out error of all the target's classes, as a share
    of it. beta_mass: Σ_j β_j, the mean over classes; the ball is filled even where a source is noise, so it says how
    evenly weight is spread and not how much is gained. closeness: minus the discrepancy of both tasks' pictures in the
    source's features. cka: likeness of what both networks make of the target's pictures.

    target, source: training pictures as rows of pixels, and the places of their classes. seen_by_source: what the
    source's network makes of the target's pictures. source_features: the last layer but one of its own pictures.
    own_features: what the target's own network makes of the target's pictures in that layer.
    """
    features, labels = seen_by_source.penultimate, target[1]
    weights, relief = learned_weights(target, source, C)
    return {
        "relief": relief,
        "beta_mass": float(weights.sum(axis=1).mean()),
        "closeness": -squared_mean_discrepancy(features, source_features),
        "cka": linear_cka(features, own_features),
        "logme": logme(features, labels),
        "leep": leep(seen_by_source.probabilities, labels),
        "h_score": h_score(features, labels, None),
    }


def learned_weights(target: tuple[Floats, Integers], source: tuple[Floats, Integers], C: float) -> tuple[Floats, float]:
    """How a target leans on a source's classes when it may choose: β (classes, classes), and the relief that it brings.

    Each class of either stands against the rest of its own task. The source's hyperplanes are least-squares machines;
    a target's class weighs them as Multi-KT does, β ≥ 0 within ‖β‖₂ ≤ 1 (Tommasi, Orabona & Caputo, PAMI 2014). One RBF
    kernel of the pixels serves all, its γ from the source's pictures.
    """
    (rows, labels), (source_rows, source_labels) = target, source
    kernel = RBF.fit(source_rows)
    own, across = kernel(rows, rows), kernel(rows, source_rows)
    signed = _one_against_rest(labels)
    machines = [train(kernel(source_rows, source_rows), one, C) for one in _one_against_rest(source_labels)]
    scores = np.stack([across @ dual + bias for dual, bias in machines], axis=-1)
    stack = len(signed)
    balance = class_balance(signed)
    factorised = factorise(np.broadcast_to(own, (stack, *own.shape)), balance, C)
    problem = leave_one_out(factorised, signed, np.broadcast_to(scores, (stack, *scores.shape)), balance)
    weights = ball_weights(problem, "l2", nonnegative=True)
    alone, leaning = (float(problem.bound(beta).sum()) for beta in (np.zeros_like(weights), weights))
    return weights, 1.0 - leaning / alone if alone > 0 else 0.0


def _one_against_rest(labels: Integers) -> Floats:
    """±1 for each class, (classes, n)."""
    return np.where(labels == np.unique(labels)[:, None], 1.0, -1.0)
