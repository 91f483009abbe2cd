"""Feature packs as one file, so that every process of a run reads the same arrays without opening the data again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .feature_pack import FeaturePack
from .setting_packs import KernelData, SettingPacks

Arrays = dict[str, np.ndarray]


def save_pack(data: KernelData, path: Path) -> None:
    """Write a pack, or those of several settings, as an uncompressed .npz archive, whatever the path's ending."""
    if isinstance(data, FeaturePack):
        arrays = _arrays(data)
    else:
        each = {
            f"{setting}/{name}": values
            for setting, pack in data.packs.items()
            for name, values in _arrays(pack).items()
        }
        arrays = {"settings": np.array(list(data.packs), dtype=str), **each}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_pack(path: Path) -> KernelData:
    """Read what ``save_pack`` wrote; notices are not kept. The caller compares the fingerprint."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if "settings" not in arrays:
        return _pack(arrays)
    return SettingPacks({setting: _pack(_under(arrays, f"{setting}/")) for setting in arrays["settings"].tolist()})


def _arrays(pack: FeaturePack) -> Arrays:
    arrays: Arrays = {"identities": np.array(pack.identities, dtype=str)}
    arrays |= {f"features/{kind}": values for kind, values in pack.features.items()}
    arrays |= {f"category/{name}": rows for name, rows in pack.categories.items()}
    if isinstance(pack.background, Mapping):
        return arrays | {f"background/{name}": rows for name, rows in pack.background.items()}
    return arrays | {"background": pack.background}


def _pack(arrays: Arrays) -> FeaturePack:
    return FeaturePack(
        identities=tuple(arrays["identities"].tolist()),
        features=_under(arrays, "features/"),
        categories=_under(arrays, "category/"),
        background=arrays.get("background", _under(arrays, "background/")),
    )


def _under(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
