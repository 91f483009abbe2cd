"""CIFAR-10 and CIFAR-100 from their binary version: fixed records of label bytes and 3 × 32 × 32 pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .distinct_pictures import distinct_pictures
from .errors import DataError
from .labelled_pictures import LabelledPictures
from .pixels import ArrayPixels, Bytes, Integers
from .remote_files import reading

_CHANNELS, _SIDE = 3, 32
_PIXELS = _CHANNELS * _SIDE * _SIDE


@dataclass(frozen=True)
class Cifar:
    """How one of the two is laid out. label_bytes: before the pixels of a record; the last one is the class."""

    training: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    label_bytes: int


LAYOUTS = {
    "cifar10": Cifar(tuple(f"data_batch_{n}.bin" for n in range(1, 6)), ("test_batch.bin",), "batches.meta.txt", 1),
    "cifar100": Cifar(("train.bin",), ("test.bin",), "fine_label_names.txt", 2),
}


def load_cifar(which: str, folder: Path) -> LabelledPictures:
    """Read cifar10 or cifar100 as their archive unpacks: uint8 (N, 32, 32, 3), with the published test part.

    Kinds are not set. A picture that is in the training and the test part is left out of the training, one in several
    classes is left out. Raises DataError for a file that is missing, cut off or not in this format.
    """
    layout = LAYOUTS[which]
    classes = _names(folder / layout.names)
    pixels, labels, is_test = [], [], []
    for test, files in ((False, layout.training), (True, layout.test)):
        for name in files:
            some, own = _records(folder / name, layout.label_bytes, len(classes))
            pixels.append(some)
            labels.append(own)
            is_test.append(np.full(len(own), test))
    everything, label, tests = np.concatenate(pixels), np.concatenate(labels), np.concatenate(is_test)
    rows, notices = distinct_pictures(
        [hashlib.sha256(picture).hexdigest() for picture in everything],
        label.tolist(),
        tests.tolist(),
        lambda row: f"picture {row} of {folder}",
        published=True,
    )
    planes = everything[rows].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    chosen = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    return LabelledPictures(ArrayPixels(chosen), label[rows], classes, tests[rows], None, tuple(notices))


def _names(path: Path) -> tuple[str, ...]:
    with reading(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(names) < 2 or len(set(names)) != len(names):
        raise DataError(f"{path} does not name the classes, one a line; remove its folder and get the archive again")
    return names


def _records(path: Path, label_bytes: int, classes: int) -> tuple[Bytes, Integers]:
    """The records of one file: (n, 3072) pixels and (n,) labels."""
    with reading(path):
        values = np.fromfile(path, np.uint8)
    length = label_bytes + _PIXELS
    if not len(values) or len(values) % length:
        raise DataError(
            f"{path} is cut off or of another format: {len(values):,} bytes are no number of records of {length:,}; "
            "remove its folder and get the archive again"
        )
    records = values.reshape(-1, length)
    labels = records[:, label_bytes - 1].astype(np.int64)
    if labels.max() >= classes:
        raise DataError(f"{path} has label {labels.max()}, and there are {classes} classes; get the archive again")
    return records[:, label_bytes:], labels
