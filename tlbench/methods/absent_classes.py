"""Classes that a learner has never seen examples of: how far their scores have to be raised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

Floats = NDArray[np.float64]
SLACK = 1e-6  # at the bounds themselves rounding may put the share on the wrong side


def raise_for_share(scores: Floats, absent: NDArray[np.bool_], share: float) -> float:
    """The one number δ that, added to the scores of absent classes, makes their mean probability a given share.

    scores: logits (n, classes) of n pictures whose labels are not needed. absent: which classes, bool (classes,).
    share: how many of the pictures are of absent classes, between 0 and 1. The mean probability grows with δ from 0 to
    1, so there is one such δ.

    Hinton, Vinyals & Dean (2015, section 3) raise the bias of a class that the transfer set lacks (and lower those of
    the only two that it has) by the number that is best on the test set. Deviation: here nothing of the test is used.
    Raises ValueError for a share of 0 or 1 or outside, scores that are no finite numbers, and where all classes or none
    are absent.

    >>> even = np.zeros((4, 2))  # a learner that cannot tell two classes apart, the second of which it never saw
    >>> round(raise_for_share(even, np.array([False, True]), 0.75), 6)  # odds of 3 to 1: log 3
    1.098612
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share has to lie between 0 and 1, not at {share}")
    if not np.isfinite(scores).all():
        raise ValueError("scores have to be finite numbers")
    if absent.all() or not absent.any():
        raise ValueError("some classes have to be absent, and some present")

    # The odds that a picture is of an absent class, as a logarithm, are δ − lead.
    lead = logsumexp(scores[:, ~absent], axis=1) - logsumexp(scores[:, absent], axis=1)
    centre = np.log(share / (1.0 - share))
    bounds = lead.min() + centre - SLACK, lead.max() + centre + SLACK
    return float(brentq(lambda delta: expit(delta - lead).mean() - share, *bounds, xtol=1e-10))
