"""The data sets there are, by the name a user types, and the shapes they offer.

One shape is for kernel machines: features, or pictures to be described, with a background. The other is for networks:
labelled pictures of one size.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from .caltech256_features import SETTINGS, load_caltech256_features
from .caltech_pictures import SETTINGS_OF, scan_tree
from .class_kinds import as_chosen
from .decoded_folder import Decoding
from .digits import load_digit_pictures, load_digits
from .downloads import Progress
from .entries import Entry, Options, Place
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack
from .feature_table import load_feature_table
from .labelled_pictures import LabelledPictures
from .network_loaders import (
    pictures_of_caltech101,
    pictures_of_cifar,
    pictures_of_folder,
    pictures_of_imagenet,
    pictures_of_tiny_imagenet,
)
from .picture_folder import PictureSet, scan
from .remote_files import RemoteFile, state
from .setting_packs import KernelData
from .task_draws import load_task_draws
from .trees import archive_of, ensure_tree, find_tree


def _of_setting(options: Options, settings: Mapping[str, object]) -> str:
    name = options.setting or "mixed"
    if name not in settings:
        raise DataError(f"there is no setting '{name}'; {_nearest(name, list(settings))}")
    return name


def _load_features(place: Place, options: Options) -> FeaturePack:
    return load_caltech256_features(place.folder / SETTINGS[_of_setting(options, SETTINGS)].path)


def _load_caltech(which: str) -> Callable[[Place, Options], PictureSet]:
    def load(place: Place, options: Options) -> PictureSet:
        tree = ensure_tree(which, place.folder, place.progress)
        categories = options.categories or SETTINGS_OF[which][_of_setting(options, SETTINGS_OF[which])]
        return scan_tree(which, tree, categories, unused=options.unused, index=place.index)

    return load


CATALOGUE = (
    Entry(
        "digits",
        "handwritten digits, ten classes, or nine categories and the digit 8 as background; comes with scikit-learn",
        "CC BY 4.0 (UCI 80)",
        lambda _, __: load_digits(),
        load_pictures=lambda _, __: load_digit_pictures(),
        network_options=("categories", "class_list"),
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
        _load_caltech("caltech256"),
        ("setting", "categories", "features"),
        collection="caltech256",
    ),
    Entry(
        "caltech101",
        "the pictures of Caltech-101; settings mixed, related, unrelated, or any categories",
        "see CaltechDATA",
        _load_caltech("caltech101"),
        ("setting", "categories", "features"),
        collection="caltech101",
        load_pictures=pictures_of_caltech101,
        network_options=("categories", "side", "class_list"),
    ),
    Entry(
        "cifar10",
        "60,000 colour pictures of 32 × 32 in ten classes, for networks",
        "none stated: fetched, never shipped",
        collection="cifar10",
        load_pictures=pictures_of_cifar("cifar10"),
        network_options=("categories", "class_list"),
    ),
    Entry(
        "cifar100",
        "60,000 colour pictures of 32 × 32 in a hundred classes, for networks",
        "none stated: fetched, never shipped",
        collection="cifar100",
        load_pictures=pictures_of_cifar("cifar100"),
        network_options=("categories", "class_list"),
    ),
    Entry(
        "tiny-imagenet",
        "200 classes of ImageNet, 550 pictures each, at 32 × 32 or another side, for networks; the archive's checksum "
        "is not known: recorded at first use",
        "none stated (ImageNet: non-commercial research and education): fetched, never shipped",
        collection="tiny-imagenet",
        load_pictures=pictures_of_tiny_imagenet,
        network_options=("categories", "side", "class_list"),
    ),
    Entry(
        "imagenet",
        "ImageNet (ILSVRC 2012) from a folder that you have, at imagenet/ in the data folder, for networks",
        "non-commercial research and education: never fetched",
        load_pictures=pictures_of_imagenet,
        network_options=("categories", "side", "class_list"),
    ),
    Entry(
        "tasks",
        "tasks of known relatedness, drawn anew for each unit by the experiment itself: no file, no example",
        "made up: nothing to license",
        lambda _, __: load_task_draws(),
    ),
    Entry(
        "folder:PATH",
        "your own pictures: a folder with a folder of pictures for each category, and one for the background; for "
        "networks in train/ and test/, or without such parts",
        "yours",
        lambda place, options: scan(
            place.own, options.categories, options.background, unused=options.unused, index=place.index
        ),
        ("background", "categories", "features"),
        load_pictures=pictures_of_folder,
        network_options=("background", "categories", "side", "class_list"),
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
        return [archive_of(entry.collection)]
    if not entry.files:
        return []
    wanted = [replace(options, setting=name) for name in options.settings] or [options]
    return [entry.files[_of_setting(one, entry.files)] for one in wanted]


def to_fetch(reference: str, options: Options, folder: Path) -> list[RemoteFile]:
    """Those that are missing or damaged in the data folder; an unpacked tree needs none."""
    entry, _ = find(reference)
    if entry.collection and find_tree(entry.collection, folder):
        return []
    return [file for file in needed_files(reference, options) if state(file, folder) != "present"]


def require_shape(reference: str, networks: bool) -> None:
    """Raise DataError for data that are not for networks, or not for kernel machines, before any of it is fetched."""
    entry, _ = find(reference)
    able = [one.name for one in CATALOGUE if (one.load_pictures if networks else one.load)]
    if entry.name not in able:
        wanted, other = ("networks", "kernel machines") if networks else ("kernel machines", "networks")
        raise DataError(f"data set '{entry.name}' is for {other} and not for {wanted}; {', '.join(able)} are")


def open_data(
    reference: str, options: Options, folder: Path, progress: Progress | None = None
) -> FeaturePack | PictureSet:
    """Open a data set for kernel machines, its files in place; an archive is unpacked first (``progress`` in bytes).

    Raises DataError for a data set that has no such shape and for an option it does not have, DataMissingError where a
    file is missing or damaged.
    """
    entry, path = find(reference)
    require_shape(reference, networks=False)
    assert entry.load is not None  # noqa: S101 (just required)
    _refuse_options(entry, options, lambda one: one.kernel_options if one.load else ())
    _refuse_missing(reference, options, folder)
    return entry.load(Place(folder, path, progress), options)


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
    entry, path = find(reference)
    require_shape(reference, networks=True)
    assert entry.load_pictures is not None  # noqa: S101 (just required)
    _refuse_options(entry, options, lambda one: one.network_options)
    _refuse_missing(reference, options, folder)
    pictures = entry.load_pictures(Place(folder, path, progress, jobs, skip_broken, decoding), options)
    return as_chosen(pictures, options.categories, options.class_list)


def _refuse_options(entry: Entry, options: Options, understood: Callable[[Entry], tuple[str, ...]]) -> None:
    for name in ("setting", "background", "categories", "features", "side", "class_list"):
        if getattr(options, name) and name not in understood(entry):
            able = [other.name for other in CATALOGUE if name in understood(other)]
            if not able:
                raise DataError(f"data set '{entry.name}' has no {name} to choose in this experiment")
            verb = "has" if len(able) == 1 else "have"
            raise DataError(f"data set '{entry.name}' has no {name} to choose; {', '.join(able)} {verb}")


def _refuse_missing(reference: str, options: Options, folder: Path) -> None:
    for file in to_fetch(reference, options, folder):
        raise DataMissingError(f"{folder / file.path} is {state(file, folder)}")


def public_name(reference: str) -> str:
    """What a user typed, without the folders of a path."""
    entry, path = find(reference)
    return entry.name if path is None else entry.name.replace("PATH", path.name)


def short_name(reference: str, pack: KernelData | LabelledPictures) -> str:
    """What results are filed under: the name, or a user's file's or folder's with six characters of the fingerprint."""
    entry, path = find(reference)
    return entry.name if path is None else f"{path.stem or 'data'}-{pack.fingerprint[:6]}"


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
