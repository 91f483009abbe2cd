"""2,000 handwritten numerals from Dutch utility maps in six feature spaces (Duin, Multiple Features, UCI 72).

Each feature space is a text file of 2,000 lines of numbers in the same order, 200 of each digit from 0 to 9 (van
Breukelen, Duin, Tax & den Hartog, Kybernetika 1998). No checksum is published: what comes first is recorded.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from .digits import NAMES
from .errors import DataError
from .feature_pack import FeaturePack, Floats, build
from .remote_files import RemoteFile, reading

WIDTHS = {"fac": 216, "fou": 76, "kar": 64, "mor": 6, "pix": 240, "zer": 47}
"""Numbers in each space: profile correlations, Fourier coefficients of the shape, Karhunen-Loève coefficients,
morphological features, means of 2 × 3 pixels, Zernike moments."""
PER_DIGIT = 200
_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/mfeat"
MULTIPLE_FEATURES = {
    kind: RemoteFile(f"multiple-features/mfeat-{kind}", (f"{_UCI}/mfeat-{kind}",), 0, sha256=None) for kind in WIDTHS
}


def load_multiple_features(folder: Path) -> FeaturePack:
    """The six spaces as kinds; as in ``digits``, nine digits are categories and the digit 8 is the background.

    folder: of all data. Raises DataError for a file of another layout.
    """
    features = {kind: _read(folder / file.path, WIDTHS[kind]) for kind, file in MULTIPLE_FEATURES.items()}
    examples = [(f"numeral {row:04}", NAMES[row // PER_DIGIT]) for row in range(PER_DIGIT * len(NAMES))]
    categories = [name for name in NAMES if name != "background"]
    return build(examples, features, "background", categories, what="numeral")


def _read(path: Path, width: int) -> Floats:
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty file is refused below, as any other layout
        try:
            values = np.loadtxt(path, dtype=np.float64, ndmin=2)
        except ValueError as error:
            raise DataError(f"{path} is no table of numbers ({error}); fetch multiple-features again") from None
    rows = PER_DIGIT * len(NAMES)
    if values.shape != (rows, width):
        found = " × ".join(f"{length:,}" for length in values.shape)
        raise DataError(f"{path} has {found} numbers instead of {rows:,} × {width}; fetch multiple-features again")
    return values
