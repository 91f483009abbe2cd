"""Tables of features as material for an advice, and as examples to predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets import DataError
from ..datasets.entries import nearest_name
from ..datasets.feature_table import SUFFIXES, load_feature_table
from .material import Material

Floats = NDArray[np.float64]


def is_table(path: Path) -> bool:
    """Whether a path is a file with a table's suffix."""
    return path.suffix in SUFFIXES and not path.is_dir()


def material_of_table(path: Path, target: str, background: str | None) -> Material:
    """A table's label as target, the other labels as sources; see ``datasets.feature_table`` for its layout.

    Raises DataError as that does, and for a target that is no label or is the background.
    """
    pack = load_feature_table(path, background)
    if target not in pack.categories:
        hint = nearest_name(target, list(pack.categories))
        raise DataError(f"there is no label '{target}' in {path.name} besides the background; {hint}")
    sources = {name: rows for name, rows in pack.categories.items() if name != target}
    return Material(replace(pack, categories=sources), target, pack.categories[target])


def unseen_table(path: Path) -> tuple[list[str], Mapping[str, Floats]]:
    """Identities and features by kind of a table's rows, in their order; a label does not matter and may be missing.

    Raises DataError for what is no such table.
    """
    import pandas as pd

    if path.suffix != ".csv":
        raise DataError(f"{path} cannot be predicted; give pictures, folders of pictures, or a .csv of features")
    try:
        table = pd.read_csv(path, dtype={"identity": str}, keep_default_na=False, na_values={})
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table ({str(error).splitlines()[0]})") from None
    if "identity" not in table.columns or table.empty:
        raise DataError(f"{path} needs a column 'identity', columns of numbers, and at least one row")
    kinds: dict[str, list[str]] = {}
    for column in table.columns.drop(["identity", "label"], errors="ignore"):
        kind, colon, _ = str(column).partition(":")
        kinds.setdefault(kind if colon else "features", []).append(column)
    features = {}
    for kind, columns in kinds.items():
        try:
            features[kind] = table[columns].replace("", np.nan).to_numpy(dtype=np.float64)
        except (ValueError, TypeError):
            raise DataError(f"{path}: the columns of '{kind}' must hold numbers alone") from None
        if not np.isfinite(features[kind]).all():
            raise DataError(f"{path}: NaN or infinity in '{kind}'; fill or remove those rows")
    return table["identity"].tolist(), features
