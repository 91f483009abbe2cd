"""The embedded digits are the ones that ship with scikit-learn, nine against one."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits as original

from tlbench.datasets import Options, open_data

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "background", "nine")


def test_nine_categories_and_the_eight_behind_them(digits):
    pixels, truth = original(return_X_y=True)
    assert list(digits.categories) == [name for name in NAMES if name != "background"]
    assert set(digits.features) == {"pixels"}
    for number, name in enumerate(NAMES):
        rows = digits.background if name == "background" else digits.categories[name]
        mine = digits.features["pixels"][rows] * 16
        distinct = np.unique(pixels[truth == number], axis=0)
        assert (np.unique(mine, axis=0) == distinct).all()
        assert len(mine) == len(distinct)


def test_every_picture_is_there_once(digits):
    pixels, _ = original(return_X_y=True)
    assert len(pixels) == 1797
    distinct = len(np.unique(pixels, axis=0))
    assert len(digits.identities) == len(set(digits.identities)) == distinct
    parts = [*digits.categories.values(), digits.background]
    assert sorted(np.concatenate(parts).tolist()) == list(range(distinct))
    repeats = 1797 - distinct
    assert digits.notices == (
        (f"{repeats} pictures repeat another of the same label to the last digit: kept once",) if repeats else ()
    )


def test_these_are_the_digits_that_the_committed_numbers_are_of(digits, tmp_path):
    assert digits.fingerprint == FINGERPRINT
    assert open_data("digits", Options(), tmp_path).fingerprint == FINGERPRINT


FINGERPRINT = "5194b8cb010f81cb437cdd26ddb447e8d2e942a2d76fbceb22da596970593810"
