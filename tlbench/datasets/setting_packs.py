"""Several settings side by side: each target leans on the sources of its own setting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .feature_pack import FeaturePack, below


@dataclass(frozen=True)
class SettingPacks:
    """A feature pack for each setting; a target is called 'setting: category', as categories stand in several."""

    packs: Mapping[str, FeaturePack]

    @property
    def categories(self) -> tuple[str, ...]:
        """All targets."""
        return tuple(f"{setting}: {name}" for setting, pack in self.packs.items() for name in pack.categories)

    @property
    def notices(self) -> tuple[str, ...]:
        """Those of each setting."""
        return tuple(f"{setting}: {notice}" for setting, pack in self.packs.items() for notice in pack.notices)

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 of the settings' names and fingerprints."""
        words = "\0".join(f"{setting} {pack.fingerprint}" for setting, pack in self.packs.items())
        return hashlib.sha256(words.encode()).hexdigest()

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Those of each pack below its setting's name."""
        each = {
            f"{setting}/{name}": values
            for setting, pack in self.packs.items()
            for name, values in pack.to_arrays().items()
        }
        return {"settings": np.array(list(self.packs), dtype=str), **each}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SettingPacks:
        """What ``to_arrays`` gave."""
        settings = arrays["settings"].tolist()
        return cls({setting: FeaturePack.from_arrays(below(f"{setting}/", arrays)) for setting in settings})


KernelData = FeaturePack | SettingPacks
"""What kernel machines work on."""


def target_of(data: KernelData, unit: str) -> tuple[FeaturePack, str]:
    """The pack in which a unit is the target, and its category there."""
    if isinstance(data, FeaturePack):
        return data, unit
    setting, _, category = unit.partition(": ")
    return data.packs[setting], category
