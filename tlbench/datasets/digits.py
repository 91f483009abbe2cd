"""The handwritten digits that come with scikit-learn: as ten classes, or as nine categories and one background."""

from __future__ import annotations

import hashlib

import numpy as np

from .distinct_pictures import distinct_pictures
from .feature_pack import FeaturePack, build
from .labelled_pictures import LabelledPictures
from .pixels import ArrayPixels

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "background", "nine")


def load_digits() -> FeaturePack:
    """1,797 pictures of 8 × 8 grey values 0…16 (Alpaydin & Kaynak, UCI 1998), identified by their content.

    Nine digits are categories, the digit 8 is the background.
    """
    from sklearn.datasets import load_digits as load

    pixels, digits = load(return_X_y=True)
    examples = [
        (hashlib.sha256(row.astype(np.uint8).tobytes()).hexdigest()[:16], NAMES[digit])
        for row, digit in zip(pixels, digits, strict=True)
    ]
    categories = [name for name in NAMES if name != "background"]
    return build(examples, {"pixels": pixels / 16.0}, "background", categories, what="picture")


def load_digit_pictures() -> LabelledPictures:
    """The same pictures as ten classes: grey, 8 × 8, the value 16 as 255; they have no test part of their own."""
    from sklearn.datasets import load_digits as load

    values, digits = load(return_X_y=True)
    pixels = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    identities = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in pixels]
    labels = digits.astype(np.int64)
    rows, notices = distinct_pictures(identities, labels.tolist(), None, lambda row: f"digit {row}", published=True)
    return LabelledPictures(ArrayPixels(pixels[rows]), labels[rows], CLASSES, None, None, tuple(notices))
