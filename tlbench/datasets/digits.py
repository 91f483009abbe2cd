"""The handwritten digits that come with scikit-learn: nine categories, the digit 8 as the background."""

from __future__ import annotations

import hashlib

import numpy as np

from .feature_pack import FeaturePack, build

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "background", "nine")


def load_digits() -> FeaturePack:
    """1,797 pictures of 8 × 8 grey values 0…16 (Alpaydin & Kaynak, UCI 1998), identified by their content."""
    from sklearn.datasets import load_digits as load

    pixels, digits = load(return_X_y=True)
    examples = [
        (hashlib.sha256(row.astype(np.uint8).tobytes()).hexdigest()[:16], NAMES[digit])
        for row, digit in zip(pixels, digits, strict=True)
    ]
    categories = [name for name in NAMES if name != "background"]
    return build(examples, {"pixels": pixels / 16.0}, "background", categories, what="picture")
