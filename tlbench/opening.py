"""Any data set in the shape that a study takes; pictures are described or decoded on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import datasets, features, pretrained
from .datasets.distinct_pictures import lookalikes

USUAL_FEATURES = ("phog",)
FEWEST_TO_LEARN_FROM = 50
SHARE_TO_LEARN_FROM = 10


@dataclass(frozen=True)
class Watch:
    """Who is told how far it is: (done, in all) of an archive's bytes, (done, in all, seconds) of pictures."""

    unpacking: Callable[[int, int], None] = lambda *_: None
    learning: Callable[[int, int, float], None] = lambda *_: None
    describing: Callable[[int, int, float], None] = lambda *_: None


def open_pack(
    reference: str,
    options: datasets.Options,
    folder: Path,
    jobs: int,
    skip_broken: bool = False,
    watch: Watch | None = None,
) -> datasets.KernelData:
    """Open a data set, or several of its settings; features of pictures not described before take ``jobs`` processes.

    Raises data errors, and PictureError for pictures that cannot be read unless ``skip_broken``, which leaves them out
    with a notice.
    """
    if options.settings:
        each = {name: replace(options, setting=name, settings=()) for name in options.settings}
        opened = {name: open_setting(reference, one, folder, jobs, skip_broken, watch) for name, one in each.items()}
        packs = {name: pack for name, pack in opened.items() if isinstance(pack, datasets.FeaturePack)}
        assert len(packs) == len(opened)  # noqa: S101 (no setting has settings of its own)
        return datasets.SettingPacks(packs)
    return open_setting(reference, options, folder, jobs, skip_broken, watch)


def open_setting(
    reference: str,
    options: datasets.Options,
    folder: Path,
    jobs: int,
    skip_broken: bool = False,
    watch: Watch | None = None,
) -> datasets.KernelData:
    """One setting alone; arguments and errors as in ``open_pack``."""
    watch = watch or Watch()
    kinds = options.features or USUAL_FEATURES
    named = pretrained.settled(kinds, folder)  # first: a network that is not there costs no unpacking
    learned = any(kind in features.BAGS for kind in kinds)
    wanted = replace(options, unused=features.MOST_TO_LEARN_FROM) if learned else options
    opened = datasets.open_data(reference, wanted, folder, watch.unpacking)
    if not isinstance(opened, datasets.PictureSet):
        return opened
    if learned:
        opened = _with_pictures_to_learn_from(opened)
    listed = [features.Picture(identity, path) for identity, path, _ in opened.pictures]
    learn_from = [features.Picture(identity, path) for identity, path in opened.unused]
    apart, cache = {picture.identity for picture in listed} if learned else set(), folder / "features"
    try:
        settled = features.settle(named, learn_from, apart, cache, jobs, skip_broken, watch.learning)
        described = features.describe(listed, settled, cache, jobs, skip_broken, watch.describing)
    except features.PictureError as error:
        raise error.or_left_out from None
    left_out = tuple(f"{path} {reason}: left out" for path, reason in described.broken)
    return _pack(opened, described, left_out)


def _with_pictures_to_learn_from(opened: datasets.PictureSet) -> datasets.PictureSet:
    """Where too few pictures lie outside the experiment, a tenth of those in it, by identity, is taken out of it."""
    if len(opened.unused) >= FEWEST_TO_LEARN_FROM:
        return opened
    apart = {identity for identity, *_ in opened.pictures if int(identity[:8], 16) % SHARE_TO_LEARN_FROM == 0}
    notice = (
        f"{len(apart)} pictures are set apart to learn visual words from, as there are only {len(opened.unused)} "
        "of other categories: they are used for nothing else"
    )
    return replace(
        opened,
        pictures=tuple(one for one in opened.pictures if one[0] not in apart),
        unused=(*opened.unused, *((identity, path) for identity, path, _ in opened.pictures if identity in apart)),
        notices=(*opened.notices, notice),
    )


def open_pictures(
    reference: str,
    options: datasets.Options,
    folder: Path,
    jobs: int,
    skip_broken: bool = False,
    watch: Watch | None = None,
) -> datasets.LabelledPictures:
    """Open a data set for networks; pictures that were not decoded before are, with ``jobs`` threads.

    Raises data errors, also for pictures that cannot be read, unless ``skip_broken``, which leaves them out with a
    notice.
    """
    watch = watch or Watch()
    return datasets.open_pictures(reference, options, folder, jobs, skip_broken, watch.unpacking, watch.describing)


def open_tables(
    reference: str,
    options: datasets.Options,
    folder: Path,
    *_: object,
) -> datasets.RegressionTables:
    """Open a data set for regression: there is nothing to describe or decode, so nothing else matters."""
    return datasets.open_tables(reference, options, folder)


OPENED_BY: dict[datasets.Shape, Callable[..., datasets.Data]] = {
    "features": open_pack,
    "pictures": open_pictures,
    "tables": open_tables,
}
"""Who opens data in the shape that a study takes."""


@dataclass(frozen=True)
class NamedData:
    """Data by name: what any machine needs to open them for itself."""

    shape: datasets.Shape
    reference: str
    options: datasets.Options
    skip_broken: bool = False

    def open(self, folder: Path, jobs: int, watch: Watch | None = None) -> datasets.Data:
        """Open them, with fetched data in ``folder``; raises what ``open_pack``, ``open_pictures`` … raise."""
        return OPENED_BY[self.shape](self.reference, self.options, folder, jobs, self.skip_broken, watch)

    def from_anywhere(self) -> NamedData:
        """The same by paths that do not depend on the folder one is in."""
        chosen = self.options.class_list
        listed = replace(self.options, class_list=Path(chosen).expanduser().absolute()) if chosen else self.options
        return replace(self, reference=datasets.absolute(self.reference), options=listed)


def _pack(
    pictures: datasets.PictureSet, described: features.Described, left_out: tuple[str, ...]
) -> datasets.FeaturePack:
    kept = [pictures.pictures[place] for place in described.kept]
    labels = np.array([label for *_, label in kept], dtype=object)
    rows = {label: np.flatnonzero(labels == label) for label in (*pictures.categories, pictures.background)}
    vectors = described.taken()
    alike = lookalikes(list(vectors.values()), lambda place: f"{kept[place][2]}/{kept[place][1].name}")
    return datasets.FeaturePack(
        identities=tuple(identity for identity, *_ in kept),
        features=vectors,
        categories={label: rows[label] for label in pictures.categories},
        background=rows[pictures.background],
        notices=(*pictures.notices, *left_out, *alike),
    )
