"""A user's own features from one file: an identity, a label and numbers for each example.

``.csv`` and ``.parquet``: columns ``identity``, ``label`` and numeric ones. Columns named ``kind:anything`` belong to
that kind of feature; the others form the kind ``features``. ``.npz``: arrays ``identity`` (n,), ``label`` (n,) and one
(n, d) array for each kind, under its name. No name stands for two columns.

A column of whole numbers without a name is an index, as pandas writes one unless it is told not to. It tells the order
of the rows, which is often that of their labels: it is left out, with a notice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack, Floats, build

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".npz", ".csv", ".parquet")
UNNAMED = re.compile(r"Unnamed: \d+")
"""What pandas calls a column without a name."""


@dataclass(frozen=True)
class FeatureTable:
    """The rows of a table, as they stand there.

    labels: None where they were not asked for. features: kind → (n, d). columns: kind → the names of its d columns;
    those of an archive have none. notices: sentences that a user of the table should read.
    """

    identities: list[str]
    labels: list[str] | None
    features: Mapping[str, Floats]
    columns: Mapping[str, tuple[str, ...]]
    notices: tuple[str, ...] = ()

    def pack(self, background: str | None, categories: Sequence[str] = ()) -> FeaturePack:
        """See ``build``. Raises ValueError for a table without labels."""
        if self.labels is None:
            raise ValueError("a table that was read without labels makes no pack")
        pack = build(list(zip(self.identities, self.labels, strict=True)), self.features, background, categories)
        return replace(pack, notices=(*self.notices, *pack.notices))


def load_feature_table(path: Path, background: str | None, categories: Sequence[str] = ()) -> FeaturePack:
    """Read a table of features; see the module for its layout and ``build`` for what is refused."""
    return read_feature_table(path).pack(background, categories)


def read_feature_table(path: Path, labelled: bool = True) -> FeatureTable:
    """Read a table; unless ``labelled``, labels do not matter and may be missing.

    Raises DataError for what is no table, has no row or a name twice, and for a cell that is no number.
    """
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise DataError(f"{path} is not a file; a table of features is a {', '.join(SUFFIXES)} file")
    needed = ("identity", "label") if labelled else ("identity",)
    if path.suffix == ".npz":
        table = _from_archive(path, needed)
    elif path.suffix in (".csv", ".parquet"):
        table = _from_columns(_read_columns(path), path, needed)
    else:
        raise DataError(f"{path.name} ends in '{path.suffix}'; a table of features is {', '.join(SUFFIXES)}")
    if not table.identities:
        raise DataError(f"{path} holds no examples")
    return table


def _from_archive(path: Path, needed: Sequence[str]) -> FeatureTable:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:  # numpy leaves a bad one open
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError):
        raise DataError(
            f"{path} cannot be read as a .npz archive, or holds pickled objects, which are not read; save names as "
            'text, np.asarray(names, dtype="U")'
        ) from None
    except Exception as error:  # zipfile and zlib have no common base for a damaged archive
        raise DataError(f"{path} is damaged or not a .npz archive ({error})") from None
    for name in needed:
        if name not in arrays or arrays[name].ndim != 1:
            raise DataError(f"{path} needs a one-dimensional array '{name}'; it holds {', '.join(sorted(arrays))}")
    names = {name: _text(arrays[name], path) for name in needed}
    identities = names["identity"]
    arrays = {kind: values for kind, values in arrays.items() if kind not in ("identity", "label")}
    if not arrays or any(len(values) != len(identities) for values in names.values()):
        raise DataError(f"{path} needs as many labels as identities and at least one (n, d) array of features")
    for kind, values in arrays.items():
        if values.ndim != 2 or len(values) != len(identities) or values.dtype.kind not in "fiub" or not values.shape[1]:
            raise DataError(
                f"array '{kind}' of {path} has shape {values.shape} and type {values.dtype}; it must hold numbers, "
                f"one row for each of the {len(identities)} identities"
            )
    _refuse_empty(names, path)
    features = {kind: values.astype(np.float64) for kind, values in arrays.items()}
    return FeatureTable(identities, names.get("label"), features, dict.fromkeys(features, ()))


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
            # Asked for by itself: pandas would give the second of two columns of one name another name.
            with path.open("rb") as file:  # opened here: of a name, pandas would make an address or a home folder
                header = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False, na_values={})
                _refuse_repeated(header.iloc[0], path)
                file.seek(0)
                return pd.read_csv(file, dtype={"identity": str, "label": str}, keep_default_na=False, na_values={})
        with path.open("rb") as file:
            table = pd.read_parquet(file)
        _refuse_repeated(map(str, table.columns), path)
        return table
    except ImportError:
        raise DataMissingError(
            "reading Parquet needs an optional part: pip install 'tlbench[parquet]' (or write the table as .csv)"
        ) from None
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table ({str(error).splitlines()[0]})") from None


def _refuse_repeated(names: Iterable[str], path: Path) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path} has several columns '{repeated[0]}'; give each a name of its own")


def _from_columns(table: pd.DataFrame, path: Path, needed: Sequence[str]) -> FeatureTable:
    for name in needed:
        if name not in table.columns:
            raise DataError(
                f"{path} has no column '{name}'; its columns begin {', '.join(map(str, table.columns[:5]))}"
                + ("; separate them by commas" if re.search(r"[;\t]", str(table.columns[0])) else "")
            )
    table, notices = _without_index(table, path)
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
    names = {name: table[name].fillna("").astype(str).tolist() for name in needed}
    _refuse_empty(names, path)
    called = {kind: tuple(map(str, columns)) for kind, columns in kinds.items()}
    return FeatureTable(names["identity"], names.get("label"), features, called, notices)


def _without_index(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table without columns that have no name, and a notice on them. Raises DataError where one is no index."""
    unnamed = [column for column in table.columns if UNNAMED.fullmatch(str(column))]
    for column in unnamed:
        if table[column].dtype.kind not in "iu" or table[column].duplicated().any():
            place = list(table.columns).index(column) + 1
            raise DataError(f"column {place} of {path} has no name; give it one, or remove it")
    notices = [
        f"{path.name}: '{column}' numbers the rows; if it is no feature, remove it" for column in _counting(table)
    ]
    if unnamed:
        notices.append(
            f"{path.name} numbers its rows in a column without a name: left out, as it tells their order and nothing "
            "else"
        )
    return table.drop(columns=unnamed), tuple(notices)


def _counting(table: pd.DataFrame) -> Iterator[str]:
    """Columns with a name of their own that hold n whole numbers one after the other, in whatever order."""
    for column in table.columns:
        values = table[column]
        if column in ("identity", "label") or UNNAMED.fullmatch(str(column)) or values.dtype.kind not in "iu":
            continue
        if len(values) > 2 and int(values.max()) - int(values.min()) == len(values) - 1 and values.is_unique:
            yield str(column)
