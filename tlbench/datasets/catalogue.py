"""The data sets there are, by the name a user types."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .caltech256_features import SETTINGS, load_caltech256_features
from .digits import load_digits
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack
from .feature_table import load_feature_table
from .remote_files import RemoteFile, state


@dataclass(frozen=True)
class Options:
    """What a user may choose about a data set; None and () leave it to the data set."""

    setting: str | None = None
    background: str | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One line of `tlbench data list`.

    files: what has to be fetched, by setting (under "" where there is one). options: those it understands. A name with
    PATH stands for any file of the user's.
    """

    name: str
    says: str
    licence: str
    options: tuple[str, ...]
    files: dict[str, RemoteFile]
    load: Callable[[Path, Options], FeaturePack]


def _nothing_to_fetch(_: Path, __: Options) -> FeaturePack:
    return load_digits()


def _load_caltech256_features(folder: Path, options: Options) -> FeaturePack:
    return load_caltech256_features(folder / _setting(options).path)


def _setting(options: Options) -> RemoteFile:
    name = options.setting or "mixed"
    if name not in SETTINGS:
        raise DataError(f"there is no setting '{name}'; {_nearest(name, list(SETTINGS))}")
    return SETTINGS[name]


def _load_table(path: Path, options: Options) -> FeaturePack:
    return load_feature_table(path, options.background, options.categories)


CATALOGUE = (
    Entry(
        "digits",
        "handwritten digits, nine categories and the digit 8 as background; comes with scikit-learn",
        "CC BY 4.0 (UCI 80)",
        (),
        {},
        _nothing_to_fetch,
    ),
    Entry(
        "caltech256-features",
        "four features of Caltech-256, 80 + 80 pictures a category; settings mixed, related, unrelated",
        "none stated: fetched, never shipped",
        ("setting",),
        SETTINGS,
        _load_caltech256_features,
    ),
    Entry(
        "features:PATH",
        "your own features: a .npz, .csv or .parquet file with identity, label and numbers",
        "yours",
        ("background", "categories"),
        {},
        _load_table,
    ),
)


def find(reference: str) -> tuple[Entry, Path | None]:
    """The entry that a user's words name, and the path in them. Raises DataError with the nearest known name."""
    prefix, colon, path = reference.partition(":")
    for entry in CATALOGUE:
        if entry.name == reference:
            return entry, None
        if colon and path and entry.name == f"{prefix}:PATH":
            return entry, Path(path).expanduser().absolute()
    names = [entry.name for entry in CATALOGUE]
    raise DataError(f"there is no data set '{reference}'; {_nearest(reference, names)}")


def needed_files(reference: str, options: Options) -> list[RemoteFile]:
    """The files that this choice of data reads from the data folder."""
    entry, _ = find(reference)
    return [_setting(options)] if entry.files is SETTINGS else list(entry.files.values())


def open_pack(reference: str, options: Options, folder: Path) -> FeaturePack:
    """Load a data set whose files are in place.

    Raises DataError for an option the data set does not have, DataMissingError where a file is missing or damaged.
    """
    entry, path = find(reference)
    for name in ("setting", "background", "categories"):
        if getattr(options, name) and name not in entry.options:
            able = [other.name for other in CATALOGUE if name in other.options]
            raise DataError(f"data set '{entry.name}' has no {name} to choose; {', '.join(able)} has")
    for file in needed_files(reference, options):
        if (condition := state(file, folder)) != "present":
            raise DataMissingError(f"{folder / file.path} is {condition}")
    return entry.load(path or folder, options)


def public_name(reference: str) -> str:
    """What a user typed, without the folders of a path."""
    entry, path = find(reference)
    return entry.name if path is None else entry.name.replace("PATH", path.name)


def short_name(reference: str, pack: FeaturePack) -> str:
    """What results are filed under: the name, or a user's file name with six characters of its fingerprint."""
    entry, path = find(reference)
    return entry.name if path is None else f"{path.stem}-{pack.fingerprint[:6]}"


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
