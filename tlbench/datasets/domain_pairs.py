"""Data sets of several domains with the same ten classes: a feature pack for each domain, and no background.

- **shifted-digits**, embedded: the digits that come with scikit-learn, *plain* as they are, *turned* by 30 degrees, and
  *worn*: grey values x as 0.3 + 0.4 x with noise of standard deviation 0.1, clipped. A picture has the same identity in
  all three, so that what is trained in one domain can be kept apart from what is tested in another.
- **mnist-usps**: 2,000 pictures of MNIST and 1,800 of USPS at 16 × 16, the subset of Long et al. (2013) as released in
  chamwen/JPDA; one HDF5 file.
- **office-caltech10**: bags of 800 SURF words of the ten classes that Office-31 and Caltech-256 share, in the domains
  amazon, caltech, dslr and webcam (Gong et al., CVPR 2012) as released in jtahmores/MDA. Counts are divided by their
  sum and the square root is taken (Hellinger's distance), so that no example says anything of others.

Pictures come as ``pixels`` and, computed from these, as ``gradients``: two feature spaces of the same pictures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .digits import CLASSES, digit_values
from .errors import DataError, DataMissingError
from .feature_pack import FeaturePack, Floats
from .remote_files import RemoteFile
from .setting_packs import SettingPacks

ANGLE, GROUND, CONTRAST, NOISE = 30.0, 0.3, 0.4, 0.1
"""What turns a digit (degrees) and wears it (shares of the grey scale)."""
CELL, DIRECTIONS = 4, 8
"""Pixels along a cell of the gradient histograms, and directions told apart."""

_JPDA = "https://raw.githubusercontent.com/chamwen/JPDA/b056e5eca625fc480aa605242348809f9199d5f8/data"
_MDA = "https://raw.githubusercontent.com/jtahmores/MDA/149f9250d8b17142775c886f7943f273a6123440/data"


def _surf(name: str, size: int, sha256: str) -> RemoteFile:
    return RemoteFile(f"office-caltech10-surf/{name}_SURF_L10.mat", (f"{_MDA}/{name}_SURF_L10.mat",), size, sha256)


MNIST_USPS = RemoteFile(
    "usps-mnist/MNIST_vs_USPS.mat",
    (f"{_JPDA}/MNIST_vs_USPS.mat",),
    3044944,
    "7fbb67f14af7236e18a38dc8a0a836142361e9e720e4b763a5e2db511d306d6c",
)
OFFICE_CALTECH10 = {
    "amazon": _surf("amazon", 104970, "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f"),
    "caltech": _surf("Caltech10", 150751, "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5"),
    "dslr": _surf("dslr", 18348, "44d673c68e1d07b837893aa74dba3b986e4a6cc3fd66f0dd357683bdef059216"),
    "webcam": _surf("webcam", 32406, "a6a9c78b4b7181dfbb58bcfd351d4ebd737f171c31247b8884948aa156d3f700"),
}
OFFICE_CLASSES = (
    "backpack",
    "touring-bike",
    "calculator",
    "headphones",
    "computer-keyboard",
    "laptop",
    "computer-monitor",
    "computer-mouse",
    "coffee-mug",
    "projector",
)
"""The order of the released labels 1 to 10, which is the alphabetical order of Caltech-256's names."""


class Labelled(NamedTuple):
    """A domain as it is released: one identity, one class number from 0 and one row of each kind an example."""

    identities: Sequence[str]
    labels: Sequence[int]
    features: Mapping[str, Floats]


def load_shifted_digits() -> SettingPacks:
    """Three domains of 1,797 digits of 8 × 8; see the module."""
    values, digits = digit_values()
    identities = [hashlib.sha256(row.astype(np.uint8).tobytes()).hexdigest()[:16] for row in values]
    order = np.argsort(identities)
    pictures = (values / 16.0)[order].reshape(-1, 8, 8)
    named, labels = [identities[row] for row in order], digits[order].tolist()
    shifted = {"plain": pictures, "turned": turned(pictures), "worn": worn(pictures)}
    return SettingPacks(
        {name: as_domain(Labelled(named, labels, two_views(these)), CLASSES) for name, these in shifted.items()}
    )


def load_mnist_usps(path: Path) -> SettingPacks:
    """The domains *mnist* and *usps* of the released file.

    Raises DataError if it is not laid out as released, DataMissingError without the optional part that reads it.
    """
    try:
        import h5py
    except ImportError:
        raise DataMissingError("reading this file needs an optional part: pip install 'tlbench[adaptation]'") from None
    try:
        with h5py.File(path) as file:
            read = {name: np.asarray(file[name], dtype=np.float64) for name in ("Xs", "Xt", "Ys", "Yt")}
        domains = {
            name: _released(read[f"X{which}"], read[f"Y{which}"], pixels=256)
            for name, which in (("mnist", "s"), ("usps", "t"))
        }
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not MNIST_vs_USPS.mat as released with JPDA ({error})") from None
    packs = {}
    for name, (pixels, labels) in domains.items():
        views = two_views(pixels.reshape(-1, 16, 16))
        packs[name] = as_domain(Labelled(_by_content(pixels), labels, views), CLASSES)
    return SettingPacks(packs)


def load_office_caltech10(folder: Path) -> SettingPacks:
    """The four domains of the released files below a data folder. Raises DataError for one that is not as released."""
    from scipy.io import loadmat

    packs = {}
    for name, file in OFFICE_CALTECH10.items():
        path = folder / file.path
        try:
            content = loadmat(path)
            counts, labels = _released(content["fts"].astype(np.float64), content["labels"], pixels=800)
            totals = counts.sum(axis=1, keepdims=True)
            if (counts < 0).any() or not totals.all():
                raise ValueError("counts of words must not be negative, nor all zero")
        except Exception as error:  # the reader has no common base for what a damaged file makes it raise
            raise DataError(f"{path} is not a file of SURF words as released with MDA ({error})") from None
        surf = {"surf": np.sqrt(counts / totals)}
        packs[name] = as_domain(Labelled(_by_content(counts), labels, surf), OFFICE_CLASSES)
    return SettingPacks(packs)


def as_domain(domain: Labelled, classes: Sequence[str]) -> FeaturePack:
    """A pack of one domain, sorted by identity, each example once; all classes are categories, nothing is background.

    Raises DataError where one example stands under two labels.
    """
    first: dict[str, int] = {}
    for row, identity in enumerate(domain.identities):
        if domain.labels[first.setdefault(identity, row)] != domain.labels[row]:
            raise DataError(f"rows {first[identity] + 1} and {row + 1} are one example under two labels")
    identities = tuple(sorted(first))
    rows = np.array([first[identity] for identity in identities], dtype=np.intp)
    labels = np.asarray(domain.labels)[rows]
    repeats = len(domain.identities) - len(identities)
    return FeaturePack(
        identities=identities,
        features={kind: values[rows] for kind, values in domain.features.items()},
        categories={name: np.flatnonzero(labels == number) for number, name in enumerate(classes)},
        background=np.zeros(0, dtype=np.intp),
        notices=(f"{repeats} examples repeat another of the same class to the last digit: kept once",)
        if repeats
        else (),
    )


def turned(pictures: Floats) -> Floats:
    """Pictures (n, s, s) turned about their middle, bilinear, zero where nothing was."""
    from scipy.ndimage import rotate

    return _as_stored(rotate(pictures, ANGLE, axes=(2, 1), reshape=False, order=1))


def worn(pictures: Floats) -> Floats:
    """Pictures (n, s, s) of little contrast on grey ground, with noise: the same for the same pictures."""
    noise = np.random.default_rng(0).normal(scale=NOISE, size=pictures.shape)
    return _as_stored(GROUND + CONTRAST * pictures + noise)


def two_views(pictures: Floats) -> dict[str, Floats]:
    """``pixels`` (n, s²) and ``gradients`` (n, 8 (s/4)²) of square pictures."""
    return {"pixels": pictures.reshape(len(pictures), -1), "gradients": gradient_histograms(pictures)}


def gradient_histograms(pictures: Floats) -> Floats:
    """How much gradient points each way in each cell: (n, 8 (s/4)²), each row's root mean square one or all zero.

    Cells of 4 × 4 pixels, eight directions of 45 degrees, central differences (one-sided at the rim).
    """
    down, along = np.gradient(pictures, axis=(1, 2))
    size = np.hypot(down, along)
    direction = np.floor((np.arctan2(down, along) / (2 * np.pi) + 0.5) * DIRECTIONS).astype(int) % DIRECTIONS
    count, side = len(pictures), pictures.shape[1]
    by_direction = size[..., None] * (direction[..., None] == np.arange(DIRECTIONS))
    cells = by_direction.reshape(count, side // CELL, CELL, side // CELL, CELL, DIRECTIONS).sum(axis=(2, 4))
    rows: Floats = cells.reshape(count, -1)
    scale = np.sqrt(np.mean(np.square(rows), axis=1, keepdims=True))
    return np.divide(rows, scale, out=np.zeros_like(rows), where=scale > 0)


def _as_stored(pictures: Floats) -> Floats:
    """In 256 grey values, as a picture's file would hold them: the last digits of a computation do not count."""
    stored: Floats = np.rint(np.clip(pictures, 0.0, 1.0) * 255) / 255
    return stored


def _released(values: Floats, labels: Floats, pixels: int) -> tuple[Floats, list[int]]:
    """Rows and class numbers from 0, as (n, d) and labels 1 to 10 in any arrangement. Raises ValueError otherwise."""
    numbers = np.asarray(labels).ravel()
    if values.ndim != 2 or values.shape != (len(numbers), pixels):
        raise ValueError(f"it must hold rows of {pixels} numbers and as many labels, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("it holds NaN or infinity")
    if not set(numbers.tolist()) <= set(range(1, 11)):
        raise ValueError("labels must be whole numbers from 1 to 10")
    return values, (numbers.astype(int) - 1).tolist()


def _by_content(values: Floats) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(row).tobytes()).hexdigest()[:16] for row in values]
