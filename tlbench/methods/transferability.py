"""How well a source network's outputs would serve a target task, told from the target's training examples alone.

Three scores of the field; higher means more transferable, and nothing is trained. LogME and the H-score look at the
source's features, LEEP at its class probabilities. They were made to compare sources for one target; across targets
they mix with how hard a target is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]

WIDEST_RATIO = 1e8
"""How far LogME's α/β may lie from the greatest squared singular value, either way."""
GRID = 200


def logme(features: Floats, labels: Integers) -> float:
    """Log maximum evidence of labels (n,) given features (n, d), per example; the mean over classes.

    You, Liu, Wang & Long, ICML 2021, algorithm 1. For each class its 0/1 column y is taken for a noisy linear
    function of the features, w ~ N(0, I/α), y ~ N(Fw, I/β), and the evidence is maximised over α and β. With the
    singular values s of F and t = α/β it is

        log N(y; 0, I/β + FFᵀ/α) = n/2 log(β/2π) − ½ Σ_i log(1 + s_i²/t) − β/2 yᵀ(I + FFᵀ/t)⁻¹y,

    and for given t the best β is n / yᵀ(I + FFᵀ/t)⁻¹y. Deviation: the one number that is left is searched for on a grid
    and then between its neighbours, where the authors iterate a fixed point that has the same stationary points. t is
    kept within ``WIDEST_RATIO``, because features that explain a class without error have no finite evidence.
    Raises ValueError for fewer than two classes, shapes that do not match and features that are not finite.

    >>> labels = np.array([0, 0, 1, 1])
    >>> tells, does_not = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([[0.0], [1.0], [0.1], [1.1]])
    >>> logme(tells, labels) > logme(does_not, labels)
    True
    """
    from scipy.optimize import minimize_scalar

    classes = _classes(features, labels)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    squared, count = singular**2, len(labels)
    scale = float(squared.max()) or 1.0
    ratios = np.log(scale) + np.log(WIDEST_RATIO) * np.linspace(-1.0, 1.0, GRID)
    found = []
    for one in classes:
        column = (labels == one).astype(np.float64)
        along = (left.T @ column) ** 2
        beside = max(float(column @ column - along.sum()), 0.0)

        def evidence(log_ratio: float | Floats, along: Floats = along, beside: float = beside) -> Floats:
            pulled = squared[:, None] / np.exp(np.atleast_1d(log_ratio))
            misfit = along @ (1.0 / (1.0 + pulled)) + beside
            return -0.5 * (np.log(2 * np.pi * np.e * misfit / count) + np.log1p(pulled).sum(axis=0) / count)

        best = int(evidence(ratios).argmax())
        around = ratios[max(best - 1, 0)], ratios[min(best + 1, GRID - 1)]
        refined = minimize_scalar(lambda t: -evidence(t)[0], bounds=around, method="bounded", options={"xatol": 1e-9})
        found.append(-float(refined.fun))
    return float(np.mean(found))


def leep(probabilities: Floats, labels: Integers) -> float:
    """Log expected empirical prediction: of labels (n,), from the source's class probabilities θ (n, source classes).

    Nguyen, Hassner, Seeger & Archambeau, ICML 2020: a label is predicted by drawing a source class z from
    θ(x) and then a label from what the training examples say goes with z,

        P(y, z) = 1/n Σ_{i: y_i = y} θ_z(x_i),      LEEP = 1/n Σ_i log Σ_z P(y_i | z) θ_z(x_i)  ≤ 0.

    A source class of no probability anywhere predicts nothing. Raises ValueError as ``logme``, and where rows are no
    probabilities.

    >>> labels = np.array([0, 0, 1, 1])
    >>> leep(np.eye(2)[labels], labels), round(leep(np.full((4, 2), 0.5), labels), 4)  # sure and right; log ½
    (0.0, -0.6931)
    """
    classes = _classes(probabilities, labels)
    if (probabilities < 0).any() or not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-6):
        raise ValueError("each row of probabilities must be zero or more and add up to one")
    joint = (labels == classes[:, None]).astype(np.float64) @ probabilities / len(labels)
    total = joint.sum(axis=0)
    given = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    expected = np.einsum("iz,iz->i", probabilities, given[np.searchsorted(classes, labels)])
    return float(np.log(expected).mean())


def h_score(features: Floats, labels: Integers, shrinkage: float | None = 0.0) -> float:
    """tr(cov(f)⁻¹ cov(E[f | y])) of features (n, d) and labels (n,): from 0 to the number of classes less one.

    Bao et al., ICIP 2019. With fewer examples than features every labelling is explained, and the score
    is the number of classes less one whatever the features; cov(f) is then shrunk towards its mean variance, and the
    score by as much (Ibrahim, Ponomareva & Mazumder, ECML-PKDD 2022). shrinkage: a share from 0, which is Bao's
    score with a pseudo-inverse, to 1; None for that of Ledoit & Wolf (2004). Raises ValueError as ``logme``.

    >>> labels = np.array([0, 0, 1, 1, 2, 2])
    >>> round(h_score(np.eye(3)[labels], labels), 6)  # the class itself: the number of classes less one
    2.0
    """
    classes = _classes(features, labels)
    centred = features - features.mean(axis=0)
    share = ledoit_wolf_shrinkage(features) if shrinkage is None else shrinkage
    covariance = (1 - share) * centred.T @ centred / len(labels)
    covariance += share * np.trace(centred.T @ centred) / len(labels) / features.shape[1] * np.eye(features.shape[1])
    means = np.array([centred[labels == one].mean(axis=0) for one in classes])
    sizes = np.array([np.mean(labels == one) for one in classes])
    between = (means * sizes[:, None]).T @ means
    return float((1 - share) * np.trace(np.linalg.pinv(covariance, hermitian=True) @ between))


def ledoit_wolf_shrinkage(features: Floats) -> float:
    """The share by which a covariance of features (n, d) is best shrunk to a multiple of the identity; 0 to 1.

    Ledoit & Wolf, Journal of Multivariate Analysis 88 (2004), section 3: the estimated error of the sample covariance
    over its squared distance from the target, both in mean squares. 0 where the covariance is its target already.

    >>> ledoit_wolf_shrinkage(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))  # no axis is longer
    0.0
    """
    count, size = features.shape
    centred = features - features.mean(axis=0)
    covariance = centred.T @ centred / count
    distance = float(np.sum(covariance**2) - np.trace(covariance) ** 2 / size)
    error = float(np.sum(np.sum(centred**2, axis=1) ** 2) / count - np.sum(covariance**2)) / count
    return 0.0 if distance <= 0.0 else min(1.0, max(0.0, error) / distance)


def _classes(values: Floats, labels: Integers) -> Integers:
    """The distinct labels, sorted. Raises ValueError as ``logme`` says."""
    if values.ndim != 2 or labels.shape != values.shape[:1]:
        raise ValueError(f"values {values.shape} and labels {labels.shape} are not (n, d) and (n,)")
    if not np.isfinite(values).all():
        raise ValueError("a value is not a finite number")
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError("a score of transferability needs at least two classes")
    return classes
