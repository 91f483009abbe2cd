"""A feature pack as one file, so that every process of a run reads the same arrays without opening the data again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .feature_pack import FeaturePack


def save_pack(pack: FeaturePack, path: Path) -> None:
    """Write a pack as an uncompressed .npz archive, whatever the path's ending."""
    arrays: dict[str, np.ndarray] = {"identities": np.array(pack.identities, dtype=str)}
    arrays |= {f"features/{kind}": values for kind, values in pack.features.items()}
    arrays |= {f"category/{name}": rows for name, rows in pack.categories.items()}
    if isinstance(pack.background, Mapping):
        arrays |= {f"background/{name}": rows for name, rows in pack.background.items()}
    else:
        arrays["background"] = pack.background
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_pack(path: Path) -> FeaturePack:
    """Read what ``save_pack`` wrote; notices are not kept. The caller compares the fingerprint."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}

    def under(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

    return FeaturePack(
        identities=tuple(arrays["identities"].tolist()),
        features=under("features/"),
        categories=under("category/"),
        background=arrays.get("background", under("background/")),
    )
