"""The offset of absent classes against its definition and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from tlbench.methods.absent_classes import raise_for_share


@pytest.mark.parametrize("share", [0.01, 0.1, 0.8, 0.999])
@pytest.mark.parametrize("spread", [0.1, 5.0, 300.0])
def test_the_mean_probability_is_the_share(share, spread):
    scores = spread * np.random.default_rng(0).normal(size=(50, 5))
    absent = np.array([False, True, False, False, True])
    delta = raise_for_share(scores, absent, share)
    found = softmax(scores + delta * absent, axis=1)[:, absent].sum(1).mean()
    assert found == pytest.approx(share, abs=1e-6)


def test_one_kind_of_picture_has_a_closed_form():
    """log odds of the share, less those that the scores give."""
    scores = np.tile([2.0, -1.0, 0.5], (4, 1))
    absent = np.array([False, True, False])
    lead = np.log(np.exp(2.0) + np.exp(0.5)) + 1.0
    assert raise_for_share(scores, absent, 0.25) == pytest.approx(np.log(1 / 3) + lead)


def test_scores_that_are_raised_already_need_no_more():
    scores = np.random.default_rng(1).normal(size=(30, 4))
    absent = np.array([True, False, False, False])
    delta = raise_for_share(scores, absent, 0.3)
    assert raise_for_share(scores + 2.5 * absent, absent, 0.3) == pytest.approx(delta - 2.5)
    assert raise_for_share(scores + delta * absent, absent, 0.3) == pytest.approx(0.0, abs=1e-8)
    assert raise_for_share(scores, absent, 0.4) > delta


@pytest.mark.parametrize(
    ("scores", "absent", "share", "says"),
    [
        (np.zeros((2, 3)), [True, False, False], 0.0, "between 0 and 1"),
        (np.zeros((2, 3)), [True, False, False], 1.5, "not at 1.5"),
        (np.array([[np.nan, 0.0, 1.0]]), [True, False, False], 0.5, "finite"),
        (np.zeros((2, 3)), [True, True, True], 0.5, "absent, and some present"),
        (np.zeros((2, 3)), [False, False, False], 0.5, "absent, and some present"),
    ],
)
def test_what_has_no_offset_is_refused(scores, absent, share, says):
    with pytest.raises(ValueError, match=says):
        raise_for_share(scores, np.array(absent), share)
