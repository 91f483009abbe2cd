"""The handwritten digits that come with scikit-learn: as ten classes, or as nine categories and one background."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .distinct_pictures import distinct_pictures
from .feature_pack import FeaturePack, build
from .labelled_pictures import LabelledPictures
from .pixels import ArrayPixels

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "background", "nine")


def digit_values() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(1797, 64) grey values 0…16 and (1797,) digits, as scikit-learn's ``load_digits`` returns them.

    Read from the file that comes with it: to import that loader takes longer than to run the experiment's blocks.
    """
    spec = find_spec("sklearn")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for file in (Path(folder) / "datasets" / "data" / "digits.csv.gz" for folder in folders):
        if file.is_file():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits as load

    values, digits = load(return_X_y=True)
    return values, digits.astype(np.int64)


def load_digits() -> FeaturePack:
    """1,797 pictures of 8 × 8 grey values 0…16 (Alpaydin & Kaynak, UCI 1998), identified by their content.

    Nine digits are categories, the digit 8 is the background.
    """
    pixels, digits = digit_values()
    examples = [
        (hashlib.sha256(row.astype(np.uint8).tobytes()).hexdigest()[:16], NAMES[digit])
        for row, digit in zip(pixels, digits, strict=True)
    ]
    categories = [name for name in NAMES if name != "background"]
    return build(examples, {"pixels": pixels / 16.0}, "background", categories, what="picture")


def load_digit_pictures() -> LabelledPictures:
    """The same pictures as ten classes: grey, 8 × 8, the value 16 as 255; they have no test part of their own."""
    values, digits = digit_values()
    pixels = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    identities = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in pixels]
    rows, notices = distinct_pictures(identities, digits.tolist(), None, lambda row: f"digit {row}", published=True)
    return LabelledPictures(ArrayPixels(pixels[rows]), digits[rows], CLASSES, None, None, tuple(notices))
