"""What the catalogue says of a data set, what a user may choose about it, and where it is looked for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .decoded_folder import Decoding
from .downloads import Progress
from .errors import DataError
from .feature_pack import FeaturePack
from .labelled_pictures import LabelledPictures
from .picture_folder import PictureSet
from .regression_tables import RegressionTables
from .remote_files import RemoteFile
from .setting_packs import SettingPacks


@dataclass(frozen=True)
class Options:
    """What a user may choose about a data set; None and () leave it to the data set.

    settings: several settings side by side, instead of one. features: kinds that pictures are described with. side:
    height and width in pixels that pictures for networks are brought to. class_list: a CSV file that tells which
    classes are natural and which man-made. unused: how many pictures of categories that are not in use to list besides.
    """

    setting: str | None = None
    settings: tuple[str, ...] = ()
    background: str | None = None
    categories: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    side: int | None = None
    class_list: Path | str | None = None
    unused: int = 0


@dataclass(frozen=True)
class Place:
    """Where a data set is looked for, and how its pictures are opened.

    path: the user's own, if the data are. progress: told bytes unpacked; decoding: told pictures decoded by `jobs`
    threads. skip_broken: leave out pictures that cannot be decoded.
    """

    folder: Path
    path: Path | None = None
    progress: Progress | None = None
    jobs: int = 1
    skip_broken: bool = False
    decoding: Decoding | None = None

    @property
    def index(self) -> Path:
        """A folder of ours beside the data, in which identities are remembered."""
        return self.folder / "identities"

    @property
    def decoded(self) -> Path:
        """A folder of ours beside the data, in which decoded pictures are kept."""
        return self.folder / "pictures"

    @property
    def own(self) -> Path:
        """The user's path."""
        if self.path is None:
            raise DataError("this data set needs a path")
        return self.path


Shape = Literal["features", "pictures", "tables"]
"""What a study is handed: a feature pack or one for each setting, labelled pictures, or regression tables."""
Opened = FeaturePack | SettingPacks | PictureSet | LabelledPictures | RegressionTables


@dataclass(frozen=True)
class Offer:
    """One shape of a data set: how it is opened, once its files are in place, and the options it understands then."""

    load: Callable[[Place, Options], Opened]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One line of `tlbench data list`.

    offers: the shapes that it has. files: what has to be fetched, by setting; all of it where there is no setting to
    choose. collection: its name among the picture collections, whose archive is fetched where no tree lies. embedded:
    whether it comes with the program. A name with PATH stands for any file or folder of the user's.
    """

    name: str
    says: str
    licence: str
    offers: Mapping[Shape, Offer]
    files: Mapping[str, tuple[RemoteFile, ...]] = field(default_factory=dict)
    collection: str = ""
    embedded: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """All that it understands, in any shape."""
        return tuple(dict.fromkeys(option for offer in self.offers.values() for option in offer.options))

    @property
    def every_file(self) -> list[RemoteFile]:
        """Those of all settings, each once."""
        return list(dict.fromkeys(file for files in self.files.values() for file in files))


def setting_of(options: Options, settings: Mapping[str, object]) -> str:
    """The setting that is chosen, *mixed* where none is. Raises DataError for one that there is not."""
    name = options.setting or "mixed"
    if name not in settings:
        raise DataError(f"there is no setting '{name}'; {nearest_name(name, list(settings))}")
    return name


def nearest_name(word: str, known: list[str]) -> str:
    """The end of a sentence about a name that is not known."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
