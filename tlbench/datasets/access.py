"""Data sets by the name a user types: what has to be fetched for them, and each opened in one of its shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .catalogue import CATALOGUE
from .class_kinds import as_chosen
from .decoded_folder import Decoding
from .downloads import Progress
from .entries import Entry, Opened, Options, Place, Shape, nearest_name, setting_of
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack
from .fetching import tidy
from .handing_over import Data
from .labelled_pictures import LabelledPictures
from .picture_folder import PictureSet
from .regression_tables import RegressionTables
from .remote_files import RemoteFile, state
from .setting_packs import SettingPacks
from .trees import archive_of, find_tree
from .weights import WEIGHTS, weights_of


def find(reference: str) -> tuple[Entry, Path | None]:
    """The entry that a user's words name, and the path in them. Raises DataError with the nearest known name."""
    prefix, colon, path = reference.partition(":")
    if prefix == WEIGHTS and colon:
        return weights_of(path), None
    for entry in CATALOGUE:
        if entry.name == reference:
            return entry, None
        if colon and path and entry.name == f"{prefix}:PATH":
            return entry, Path(path).expanduser().absolute()
    names = [entry.name for entry in CATALOGUE]
    raise DataError(f"there is no data set '{reference}'; {nearest_name(reference, names)}")


def absolute(reference: str) -> str:
    """The same data by a path that does not depend on the folder one is in. Raises DataError as ``find``."""
    _, path = find(reference)
    return reference if path is None else f"{reference.partition(':')[0]}:{path}"


def all_files(entry: Entry) -> list[RemoteFile]:
    """Everything that a data set can be fetched as, whatever the setting."""
    return [archive_of(entry.collection)] if entry.collection else entry.every_file


def needed_files(reference: str, options: Options) -> list[RemoteFile]:
    """What this choice of data is fetched as."""
    entry, _ = find(reference)
    if entry.collection or "setting" not in entry.options:
        return all_files(entry)
    wanted = [replace(options, setting=name) for name in options.settings] or [options]
    chosen = [file for one in wanted for file in entry.files[setting_of(one, entry.files)]] if entry.files else []
    return list(dict.fromkeys(chosen))


def to_fetch(reference: str, options: Options, folder: Path) -> list[RemoteFile]:
    """Those that are missing or damaged in the data folder; an unpacked tree needs none."""
    entry, _ = find(reference)
    if entry.collection and find_tree(entry.collection, folder):
        return []
    return [file for file in needed_files(reference, options) if state(file, folder) != "present"]


def embedded_for(default: str) -> str:
    """The data set that comes with the program for an experiment of that default: its own, or the digits."""
    return default if find(default)[0].embedded else "digits"


SERVES: dict[Shape, str] = {"features": "kernel machines", "pictures": "networks", "tables": "regression"}
"""What data of a shape are for."""


def require_shape(reference: str, shape: Shape) -> None:
    """Raise DataError for data that do not come in that shape, before any of it is fetched."""
    entry, _ = find(reference)
    able = [one.name for one in CATALOGUE if shape in one.offers]
    if not entry.offers:
        network = reference.partition(":")[2]
        raise DataError(f"'{reference}' are weights and no data; describe pictures with --features deep:{network}")
    if entry.name not in able:
        others = " and ".join(SERVES[other] for other in entry.offers)
        raise DataError(f"data set '{entry.name}' is for {others} and not for {SERVES[shape]}; {', '.join(able)} are")


def open_data(
    reference: str, options: Options, folder: Path, progress: Progress | None = None
) -> FeaturePack | SettingPacks | PictureSet:
    """Open a data set for kernel machines, its files in place; an archive is unpacked first (``progress`` in bytes).

    Raises DataError for a data set that has no such shape and for an option it does not have, DataMissingError where a
    file is missing or damaged.
    """
    opened = _open(reference, "features", options, lambda path: Place(folder, path, progress))
    assert isinstance(opened, FeaturePack | SettingPacks | PictureSet)  # noqa: S101 (what features are offered as)
    return opened


def open_tables(reference: str, options: Options, folder: Path) -> RegressionTables:
    """Open a data set for regression, its files in place; raises as ``open_data``."""
    opened = _open(reference, "tables", options, lambda path: Place(folder, path))
    assert isinstance(opened, RegressionTables)  # noqa: S101 (what tables are offered as)
    return opened


def open_pictures(
    reference: str,
    options: Options,
    folder: Path,
    jobs: int = 1,
    skip_broken: bool = False,
    progress: Progress | None = None,
    decoding: Decoding | None = None,
) -> LabelledPictures:
    """Open a data set for networks, its files in place; decoded pictures are kept in the data folder for next time.

    jobs: threads that decode. skip_broken: leave out pictures that cannot be decoded, with a notice. progress: told
    the bytes unpacked and the bytes in all; decoding: told the pictures decoded, those in all, and the seconds.
    Kinds are those of ``options.class_list``, else of a list of ours that knows all the classes, else None.
    Raises DataError for a data set that has no such shape, an option it does not have, an unknown class and data that
    cannot be used as they are; DataMissingError where a file is missing or damaged.
    """
    opened = _open(
        reference, "pictures", options, lambda path: Place(folder, path, progress, jobs, skip_broken, decoding)
    )
    assert isinstance(opened, LabelledPictures)  # noqa: S101 (what pictures are offered as)
    return as_chosen(opened, options.categories, options.class_list)


def _open(reference: str, shape: Shape, options: Options, place: Callable[[Path | None], Place]) -> Opened:
    entry, path = find(reference)
    require_shape(reference, shape)
    for name in ("setting", "background", "categories", "features", "side", "class_list"):
        if getattr(options, name) and name not in entry.offers[shape].options:
            _refuse_option(entry, shape, name)
    there = place(path)
    for file in to_fetch(reference, options, there.folder):
        raise DataMissingError(f"{there.folder / file.path} is {state(file, there.folder)}")
    for file in [] if entry.collection else needed_files(reference, options):
        tidy(there.folder / file.path)
    return entry.offers[shape].load(there, options)


def _refuse_option(entry: Entry, shape: Shape, name: str) -> None:
    able = [one.name for one in CATALOGUE if shape in one.offers and name in one.offers[shape].options]
    if not able:
        raise DataError(f"data set '{entry.name}' has no {name} to choose in this experiment")
    verb = "has" if len(able) == 1 else "have"
    raise DataError(f"data set '{entry.name}' has no {name} to choose; {', '.join(able)} {verb}")


def public_name(reference: str) -> str:
    """What a user typed, without the folders of a path."""
    entry, path = find(reference)
    return entry.name if path is None else entry.name.replace("PATH", path.name)


def short_name(reference: str, data: Data) -> str:
    """What results are filed under: the name, or a user's file's or folder's with six characters of the fingerprint."""
    entry, path = find(reference)
    return entry.name if path is None else f"{path.stem or 'data'}-{data.fingerprint[:6]}"
