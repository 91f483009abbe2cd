"""The data sets there are, by the name a user types."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .caltech256_features import SETTINGS, load_caltech256_features
from .caltech_pictures import (
    CALTECH101_DECLARED,
    CALTECH256_MIXED,
    CALTECH256_RELATED,
    CALTECH256_UNRELATED,
    COLLECTIONS,
    ensure_tree,
    find_tree,
    scan_tree,
)
from .digits import load_digits
from .downloads import Progress
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack
from .feature_table import load_feature_table
from .picture_folder import PictureSet, scan
from .remote_files import RemoteFile, state

CALTECH256_SETTINGS = {
    "mixed": CALTECH256_MIXED,
    "related": CALTECH256_RELATED,
    "unrelated": CALTECH256_UNRELATED,
}


@dataclass(frozen=True)
class Options:
    """What a user may choose about a data set; None and () leave it to the data set.

    features: kinds that pictures are described with.
    """

    setting: str | None = None
    background: str | None = None
    categories: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a data set is looked for. path: the user's own, if the data are; index: where identities are remembered."""

    folder: Path
    path: Path | None = None
    progress: Progress | None = None

    @property
    def index(self) -> Path:
        """A folder of ours beside the data."""
        return self.folder / "identities"

    @property
    def own(self) -> Path:
        """The user's path."""
        if self.path is None:
            raise DataError("this data set needs a path")
        return self.path


@dataclass(frozen=True)
class Entry:
    """One line of `tlbench data list`.

    load: opens the data, once its files are in place. options: those it understands. files: what has to be fetched,
    by setting. collection: its name among the picture collections, whose archive is fetched where no tree lies. A name
    with PATH stands for any file or folder of the user's.
    """

    name: str
    says: str
    licence: str
    load: Callable[[Place, Options], FeaturePack | PictureSet]
    options: tuple[str, ...] = ()
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    collection: str = ""


def _of_setting(options: Options, settings: Mapping[str, object]) -> str:
    name = options.setting or "mixed"
    if name not in settings:
        raise DataError(f"there is no setting '{name}'; {_nearest(name, list(settings))}")
    return name


def _load_features(place: Place, options: Options) -> FeaturePack:
    return load_caltech256_features(place.folder / SETTINGS[_of_setting(options, SETTINGS)].path)


def _load_caltech256(place: Place, options: Options) -> PictureSet:
    tree = ensure_tree("caltech256", place.folder, place.progress)
    categories = options.categories or CALTECH256_SETTINGS[_of_setting(options, CALTECH256_SETTINGS)]
    return scan_tree("caltech256", tree, categories, index=place.index)


def _load_caltech101(place: Place, options: Options) -> PictureSet:
    tree = ensure_tree("caltech101", place.folder, place.progress)
    return scan_tree("caltech101", tree, options.categories or CALTECH101_DECLARED, index=place.index)


CATALOGUE = (
    Entry(
        "digits",
        "handwritten digits, nine categories and the digit 8 as background; comes with scikit-learn",
        "CC BY 4.0 (UCI 80)",
        lambda _, __: load_digits(),
    ),
    Entry(
        "caltech256-features",
        "four features of Caltech-256, 80 + 80 pictures a category; settings mixed, related, unrelated",
        "none stated: fetched, never shipped",
        _load_features,
        ("setting",),
        SETTINGS,
    ),
    Entry(
        "caltech256",
        "the pictures of Caltech-256; settings mixed, related, unrelated, or any categories",
        "CC BY 4.0 (as others list it; see CaltechDATA)",
        _load_caltech256,
        ("setting", "categories", "features"),
        collection="caltech256",
    ),
    Entry(
        "caltech101",
        "the pictures of Caltech-101; ten declared categories, or any",
        "see CaltechDATA",
        _load_caltech101,
        ("categories", "features"),
        collection="caltech101",
    ),
    Entry(
        "folder:PATH",
        "your own pictures: a folder with a folder of pictures for each category, and one for the background",
        "yours",
        lambda place, options: scan(place.own, options.categories, options.background, index=place.index),
        ("background", "categories", "features"),
    ),
    Entry(
        "features:PATH",
        "your own features: a .npz, .csv or .parquet file with identity, label and numbers",
        "yours",
        lambda place, options: load_feature_table(place.own, options.background, options.categories),
        ("background", "categories"),
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
    """What this choice of data is fetched as."""
    entry, _ = find(reference)
    if entry.collection:
        return [COLLECTIONS[entry.collection].archive]
    return [entry.files[_of_setting(options, entry.files)]] if entry.files else []


def to_fetch(reference: str, options: Options, folder: Path) -> list[RemoteFile]:
    """Those that are missing or damaged in the data folder; an unpacked tree needs none."""
    entry, _ = find(reference)
    if entry.collection and find_tree(entry.collection, folder):
        return []
    return [file for file in needed_files(reference, options) if state(file, folder) != "present"]


def open_data(
    reference: str, options: Options, folder: Path, progress: Progress | None = None
) -> FeaturePack | PictureSet:
    """Open a data set whose files are in place; an archive of pictures is unpacked first (``progress`` in bytes).

    Raises DataError for an option the data set does not have, DataMissingError where a file is missing or damaged.
    """
    entry, path = find(reference)
    for name in ("setting", "background", "categories", "features"):
        if getattr(options, name) and name not in entry.options:
            able = [other.name for other in CATALOGUE if name in other.options]
            verb = "has" if len(able) == 1 else "have"
            raise DataError(f"data set '{entry.name}' has no {name} to choose; {', '.join(able)} {verb}")
    for file in to_fetch(reference, options, folder):
        raise DataMissingError(f"{folder / file.path} is {state(file, folder)}")
    return entry.load(Place(folder, path, progress), options)


def public_name(reference: str) -> str:
    """What a user typed, without the folders of a path."""
    entry, path = find(reference)
    return entry.name if path is None else entry.name.replace("PATH", path.name)


def short_name(reference: str, pack: FeaturePack) -> str:
    """What results are filed under: the name, or a user's file's or folder's with six characters of the fingerprint."""
    entry, path = find(reference)
    return entry.name if path is None else f"{path.stem or 'data'}-{pack.fingerprint[:6]}"


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
