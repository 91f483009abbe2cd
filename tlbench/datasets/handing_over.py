"""The data of a run as one file, so that every process reads the same arrays without opening the data again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .entries import Shape
from .feature_pack import FeaturePack
from .labelled_pictures import LabelledPictures
from .pictures_file import load_pictures, save_pictures
from .regression_tables import RegressionTables
from .setting_packs import KernelData, SettingPacks

Data = KernelData | LabelledPictures | RegressionTables
"""What a study is handed."""


def save_data(data: Data, path: Path) -> None:
    """Write data of any shape as one file, whatever the path's ending: pictures to be mapped, others as an .npz."""
    if isinstance(data, LabelledPictures):
        save_pictures(data, path)
        return
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **data.to_arrays())


def load_data(path: Path, shape: Shape) -> Data:
    """Read what ``save_data`` wrote, notices only of pictures. The caller compares the fingerprint."""
    if shape == "pictures":
        return load_pictures(path)
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if shape == "tables":
        return RegressionTables.from_arrays(arrays)
    return SettingPacks.from_arrays(arrays) if "settings" in arrays else FeaturePack.from_arrays(arrays)
