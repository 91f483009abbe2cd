"""What the catalogue says of a data set, what a user may choose about it, and where it is looked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .decoded_folder import Decoding
from .downloads import Progress
from .errors import DataError
from .feature_pack import FeaturePack
from .labelled_pictures import LabelledPictures
from .picture_folder import PictureSet
from .remote_files import RemoteFile


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


@dataclass(frozen=True)
class Entry:
    """One line of `tlbench data list`.

    load: opens the data for kernel machines, once its files are in place; load_pictures: for networks. None: the data
    do not have that shape. kernel_options, network_options: those it understands in each shape. files: what has to be
    fetched, by setting. collection: its name among the picture collections, whose archive is fetched where no tree
    lies. A name with PATH stands for any file or folder of the user's.
    """

    name: str
    says: str
    licence: str
    load: Callable[[Place, Options], FeaturePack | PictureSet] | None = None
    kernel_options: tuple[str, ...] = ()
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    collection: str = ""
    load_pictures: Callable[[Place, Options], LabelledPictures] | None = None
    network_options: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """All that it understands, in any shape."""
        return tuple(dict.fromkeys((*self.kernel_options, *self.network_options)))
