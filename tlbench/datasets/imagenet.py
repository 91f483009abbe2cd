"""ImageNet (ILSVRC 2012) from a folder that the user has; its pictures are decoded as they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .class_folders import ListedPictures, list_class_folders
from .errors import DataError, DataMissingError
from .labelled_pictures import LabelledPictures
from .pixels import FilePixels

SIDE = 256  # short side, and so the side of the middle square


def load_imagenet(folder: Path, side: int | None = None, categories: Sequence[str] = ()) -> LabelledPictures:
    """Open train/CLASS/*.JPEG and val/CLASS/*.JPEG, classes by WordNet number; the validation set is the test part.

    Pictures are known by relative path and size; none is opened here, so that repeated ones are not noticed. Kinds are
    not set. Raises DataMissingError where the folder is not there; DataError as ``list_class_folders`` does.
    """
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        raise DataMissingError(
            f"ImageNet is not fetched: put it, or a link to it, at {folder}, with the pictures in "
            "train/CLASS/*.JPEG and val/CLASS/*.JPEG (CLASS is a WordNet number such as n01440764)"
        )
    side = SIDE if side is None else side
    if not 1 <= side <= 4 * SIDE:
        raise DataError(f"a side of {side} pixels is not possible; choose 1 to {4 * SIDE}")
    return as_files(list_class_folders(folder, categories), side)


def as_files(listed: ListedPictures, side: int) -> LabelledPictures:
    """Listed pictures in the order of classes and names, to be decoded when they are taken."""
    labels = np.array(listed.labels, dtype=np.int64)
    rows = np.array(sorted(range(len(labels)), key=lambda row: (listed.labels[row], listed.names[row])), dtype=np.intp)
    return LabelledPictures(
        FilePixels.of(listed.root.absolute(), [listed.names[row] for row in rows], listed.about[rows, 0], side),
        labels[rows],
        listed.classes,
        np.array(listed.is_test, dtype=bool)[rows] if listed.is_test else None,
        None,
        tuple(listed.notices),
    )
