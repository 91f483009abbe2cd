"""Weights on disk: of finished blocks for those that need them, and of blocks that were interrupted on the way.

Files are safetensors, written whole or not at all, and carry a sha256 of their own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from .records import HIDDEN, Records, RecordsError, write_whole
from .study import Arrays, Block


class BlockKeeping:
    """What ``study.Keeping`` asks for, of one block in one run's folder."""

    def __init__(self, records: Records, block: Block, device: str = "cpu") -> None:
        self.device = device
        self._records, self._block = records, block

    def begun(self) -> tuple[Arrays, str] | None:
        """What an interrupted computation left; None where there is none or it is damaged."""
        return read(self._begun_path)

    def keep_begun(self, arrays: Arrays, notes: str) -> None:
        """Replace what was left before."""
        write_whole(self._begun_path, packed(arrays, notes))

    def weights(self, need: int) -> Arrays:
        """Raises RecordsError where the weights of that need are missing or damaged."""
        found = read(weights_path(self._records, self._block.needs[need]))
        if found is None:
            raise RecordsError("the weights that this block starts from are missing or damaged; run it again")
        return found[0]

    def keep_weights(self, arrays: Arrays) -> None:
        """Keep them under the block's key."""
        write_whole(weights_path(self._records, self._block.key), packed(arrays, ""))

    def finish(self) -> None:
        """The block has finished: what was left on the way goes."""
        self._begun_path.unlink(missing_ok=True)

    @property
    def _begun_path(self) -> Path:
        return self._records.folder / HIDDEN / "begun" / f"{self._block.key}.safetensors"


def weights_path(records: Records, key: str) -> Path:
    """Where a block's weights lie."""
    return records.folder / HIDDEN / "weights" / key[:2] / f"{key}.safetensors"


def intact(records: Records, key: str) -> bool:
    """Whether a block's weights are there and as they were written."""
    return read(weights_path(records, key)) is not None


def packed(arrays: Arrays, notes: str) -> bytes:
    """A safetensors file that carries notes and the sha256 of all it holds."""
    from safetensors.numpy import save

    plain = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    return save(plain, {"notes": notes, "sha256": _digest(plain, notes)})


def read(path: Path) -> tuple[Arrays, str] | None:
    """Arrays and notes of a file, or None where it is missing or not as it was written."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping, it only has keys)
            about = file.metadata() or {}
    except (OSError, SafetensorError, TypeError, AttributeError):  # the latter two: a type of number that numpy lacks
        return None
    notes = about.get("notes", "")
    return (arrays, notes) if about.get("sha256") == _digest(arrays, notes) else None


def _digest(arrays: Arrays, notes: str) -> str:
    from safetensors.numpy import save

    return hashlib.sha256(save(dict(arrays)) + notes.encode()).hexdigest()
