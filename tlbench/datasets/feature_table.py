"""A user's own features from one file: an identity, a label and numbers for each example.

``.csv`` and ``.parquet``: columns ``identity``, ``label`` and numeric ones. Columns named ``kind:anything`` belong to
that kind of feature; the others form the kind ``features``. ``.npz``: arrays ``identity`` (n,), ``label`` (n,) and one
(n, d) array for each kind, under its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack, Floats, build

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".npz", ".csv", ".parquet")


def load_feature_table(path: Path, background: str | None, categories: Sequence[str] = ()) -> FeaturePack:
    """Read a table of features; see the module for its layout and ``build`` for what is refused."""
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise DataError(f"{path} is not a file; features:PATH names a {', '.join(SUFFIXES)} file")
    if path.suffix == ".npz":
        identities, labels, features = _from_archive(path)
    elif path.suffix in (".csv", ".parquet"):
        identities, labels, features = _from_columns(_read_columns(path), path)
    else:
        raise DataError(f"{path.name} ends in '{path.suffix}'; a table of features is {', '.join(SUFFIXES)}")
    if not len(identities):
        raise DataError(f"{path} holds no examples")
    return build(list(zip(identities, labels, strict=True)), features, background, categories)


def _from_archive(path: Path) -> tuple[list[str], list[str], dict[str, Floats]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path} cannot be read as a .npz archive without pickled objects ({error}); save names as text, "
            'np.asarray(names, dtype="U")'
        ) from None
    except Exception as error:  # zipfile and zlib have no common base for a damaged archive
        raise DataError(f"{path} is damaged or not a .npz archive ({error})") from None
    for name in ("identity", "label"):
        if name not in arrays or arrays[name].ndim != 1:
            raise DataError(f"{path} needs a one-dimensional array '{name}'; it holds {', '.join(sorted(arrays))}")
    identities, labels = _text(arrays.pop("identity"), path), _text(arrays.pop("label"), path)
    if not arrays or len(labels) != len(identities):
        raise DataError(f"{path} needs as many labels as identities and at least one (n, d) array of features")
    for kind, values in arrays.items():
        if values.ndim != 2 or len(values) != len(identities) or values.dtype.kind not in "fiub" or not values.shape[1]:
            raise DataError(
                f"array '{kind}' of {path} has shape {values.shape} and type {values.dtype}; it must hold numbers, "
                f"one row for each of the {len(identities)} identities"
            )
    _refuse_empty({"identity": identities, "label": labels}, path)
    return identities, labels, {kind: values.astype(np.float64) for kind, values in arrays.items()}


def _text(values: np.ndarray, path: Path) -> list[str]:
    try:
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
    except UnicodeDecodeError:
        raise DataError(f"{path}: identities and labels must be text in UTF-8") from None


def _refuse_empty(named: Mapping[str, Sequence[str]], path: Path) -> None:
    for name, values in named.items():
        if any(not value for value in values):
            raise DataError(f"{path} has rows without {name}")


def _read_columns(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix == ".csv":
            return pd.read_csv(path, dtype={"identity": str, "label": str}, keep_default_na=False, na_values={})
        return pd.read_parquet(path)
    except ImportError:
        raise DataMissingError(
            "reading Parquet needs an optional part: pip install 'tlbench[parquet]' (or write the table as .csv)"
        ) from None
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table ({str(error).splitlines()[0]})") from None


def _from_columns(table: pd.DataFrame, path: Path) -> tuple[list[str], list[str], dict[str, Floats]]:
    for name in ("identity", "label"):
        if name not in table.columns:
            raise DataError(
                f"{path} has no column '{name}'; its columns begin {', '.join(map(str, table.columns[:5]))}"
            )
    kinds: dict[str, list[str]] = {}
    for column in table.columns:
        if column not in ("identity", "label"):
            kind, colon, _ = str(column).partition(":")
            kinds.setdefault(kind if colon else "features", []).append(column)
    if not kinds:
        raise DataError(f"{path} has no columns of numbers beside identity and label")
    features = {}
    for kind, columns in kinds.items():
        try:
            features[kind] = table[columns].replace("", np.nan).to_numpy(dtype=np.float64)
        except (ValueError, TypeError) as error:
            text = [column for column in columns if table[column].dtype.kind not in "fiub"]
            raise DataError(f"{path}: column '{(text or columns)[0]}' must hold numbers alone ({error})") from None
    identities, labels = (table[name].fillna("").astype(str).tolist() for name in ("identity", "label"))
    _refuse_empty({"identity": identities, "label": labels}, path)
    return identities, labels, features
