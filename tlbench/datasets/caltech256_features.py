"""The Caltech-256 features released with Patricia & Caputo, CVPR 2014, for the three settings of Multi-KT.

Four kinds (SIFT bag of words, PHOG, LBP, region covariance; after Gehler & Nowozin, ICCV 2009) of 80 pictures and 80
background pictures a category. The background was drawn anew for each category from few pictures, so most of them
stand in several categories; a picture is known by its features, and rows with the same features are one picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .errors import DataError
from .feature_pack import FeaturePack, Floats, Rows
from .remote_files import RemoteFile

_RELEASE = "https://raw.githubusercontent.com/n-patricia/cvpr14/ebeac00698341ff23eeeda21c5a4e9bcb2ec14c1/H_L2L_KT/data"


def _files(name: str, size: int, sha256: str) -> tuple[RemoteFile]:
    return (RemoteFile(f"caltech256-features/{name}.mat", (f"{_RELEASE}/{name}/{name}.mat",), size, sha256),)


SETTINGS = {
    "mixed": _files("10class_mix", 3172453, "3a7b24b2f934479dbf8c07c07bfad6534c03192040b99abf1967d129df273465"),
    "related": _files("6class_rel", 1879563, "7cd342f24426d660e26d065ea9e41f817f7a13b970e6178644319dadcebfa6b8"),
    "unrelated": _files("6class_unrel", 1941898, "47f97c0b411085d901cbdcb1f54be9f02c3c3045048a8ea7458f0b940c558945"),
}
POSITIVES = 80
"""Rows before this one of each category are the category, those after it background."""


def load_caltech256_features(path: Path) -> FeaturePack:
    """Read one released file. Raises DataError if it is not laid out as released."""
    from scipy.io import loadmat

    try:
        content = loadmat(path)
        names = [str(name[0]) for name in content["names"].ravel()]
        kinds = [str(kind[0]) for kind in content["feat"].ravel()]
        cells = [[np.asarray(kind, dtype="<f8") for kind in row] for row in content["p"]]
        for row in cells:
            (examples,) = {len(kind) for kind in row}
            if len(cells) != len(names) or len(row) != len(kinds) or examples <= POSITIVES:
                raise ValueError(f"it must hold more than {POSITIVES} rows of {len(kinds)} kinds a category")
    except Exception as error:  # the reader has no common base for what a damaged file makes it raise
        raise DataError(f"{path} is not a feature file as released with CVPR 2014 ({error})") from None

    values_of: dict[str, list[Floats]] = {}
    members: dict[str, list[str]] = {}
    for cell, name in zip(cells, names, strict=True):
        category = name.partition(".")[2].removesuffix("-101")
        members[category] = []
        for example in range(len(cell[0])):
            values = [np.ascontiguousarray(kind[example]) for kind in cell]
            identity = hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest()[:16]
            values_of[identity] = values
            members[category].append(identity)
    identities = sorted(values_of)
    row_of = {identity: row for row, identity in enumerate(identities)}

    def rows(wanted: Sequence[str]) -> Rows:
        return np.array(sorted({row_of[identity] for identity in wanted}), dtype=np.intp)

    categories = {category: rows(own[:POSITIVES]) for category, own in members.items()}
    background = {category: rows(own[POSITIVES:]) for category, own in members.items()}
    repeated = sum(len(own) - len(categories[name]) - len(background[name]) for name, own in members.items())
    shared = sum(len(own) for own in background.values()) - len(np.unique(np.concatenate(list(background.values()))))
    notices = [f"{shared} background rows repeat a picture of another category's background (as released)"]
    if repeated:
        notices.append(f"{repeated} pictures stand twice in their category: kept once")
    return FeaturePack(
        identities=tuple(identities),
        features={
            kind: np.array([values_of[identity][index] for identity in identities]) for index, kind in enumerate(kinds)
        },
        categories=categories,
        background=background,
        notices=tuple(notices),
    )
