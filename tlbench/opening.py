"""Any data set as a feature pack, its pictures described on the way, or as labelled pictures for networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import datasets, features

USUAL_FEATURES = ("phog",)


@dataclass(frozen=True)
class Watch:
    """Who is told how far it is: (done, in all) of an archive's bytes, (done, in all, seconds) of pictures."""

    unpacking: Callable[[int, int], None] = lambda *_: None
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
        return datasets.SettingPacks(opened)
    return open_setting(reference, options, folder, jobs, skip_broken, watch)


def open_setting(
    reference: str,
    options: datasets.Options,
    folder: Path,
    jobs: int,
    skip_broken: bool = False,
    watch: Watch | None = None,
) -> datasets.FeaturePack:
    """One setting alone; arguments and errors as in ``open_pack``."""
    watch = watch or Watch()
    opened = datasets.open_data(reference, options, folder, watch.unpacking)
    if isinstance(opened, datasets.FeaturePack):
        return opened
    kinds = options.features or USUAL_FEATURES
    listed = [features.Picture(identity, path) for identity, path, _ in opened.pictures]
    try:
        described = features.describe(listed, kinds, folder / "features", jobs, skip_broken, watch.describing)
    except features.PictureError as error:
        raise features.PictureError(
            error.path, f"{error.reason}; leave out what is broken with --skip-broken"
        ) from None
    left_out = tuple(f"{path} {reason}: left out" for path, reason in described.broken)
    return _pack(opened, described, left_out)


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


def _pack(
    pictures: datasets.PictureSet, described: features.Described, left_out: tuple[str, ...]
) -> datasets.FeaturePack:
    labels = np.array([pictures.pictures[place][2] for place in described.kept], dtype=object)
    rows = {label: np.flatnonzero(labels == label) for label in (*pictures.categories, pictures.background)}
    return datasets.FeaturePack(
        identities=tuple(pictures.pictures[place][0] for place in described.kept),
        features={kind: values.astype(np.float64) for kind, values in described.features.items()},
        categories={label: rows[label] for label in pictures.categories},
        background=rows[pictures.background],
        notices=(*pictures.notices, *left_out),
    )
