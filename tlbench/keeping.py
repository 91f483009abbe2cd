"""Weights that are kept: of finished blocks for those that need them, and of blocks that were interrupted on the way.

Files are safetensors, written whole or not at all, and carry a sha256 of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from .records import HIDDEN, Records, RecordsError, write_whole
from .study import Arrays, Block


class BlockKeeping:
    """What ``study.Keeping`` asks for, of one block in one run's folder that this process sees."""

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
        return _there(read(weights_path(self._records, self._block.needs[need])))

    def keep_weights(self, arrays: Arrays) -> None:
        """Keep them under the block's key."""
        write_whole(weights_path(self._records, self._block.key), packed(arrays, ""))

    def finish(self) -> bytes | None:
        """The block has finished: what was left on the way goes, and nothing has to be carried."""
        self._begun_path.unlink(missing_ok=True)
        return None

    @property
    def _begun_path(self) -> Path:
        return self._records.folder / HIDDEN / "begun" / f"{self._block.key}.safetensors"


class CarriedKeeping:
    """The same where this process does not see the run's folder: weights come and go with the task.

    What an interrupted computation left is lost with its process: it begins again.
    """

    def __init__(self, block: Block, device: str, carried: Mapping[str, bytes]) -> None:
        self.device = device
        self._block, self._carried = block, carried
        self._kept: bytes | None = None

    def begun(self) -> tuple[Arrays, str] | None:
        """There is never any."""
        return None

    def keep_begun(self, arrays: Arrays, notes: str) -> None:
        """Nothing can be left here."""

    def weights(self, need: int) -> Arrays:
        """Raises RecordsError where the weights of that need did not come along, or arrived damaged."""
        content = self._carried.get(self._block.needs[need])
        return _there(unpacked(content) if content is not None else None)

    def keep_weights(self, arrays: Arrays) -> None:
        """Hold them until the block has finished."""
        self._kept = packed(arrays, "")

    def finish(self) -> bytes | None:
        """The file of the weights that were kept, if any."""
        return self._kept


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
    try:
        return unpacked(path.read_bytes())
    except OSError:
        return None


def unpacked(content: bytes) -> tuple[Arrays, str] | None:
    """What ``packed`` packed: arrays and notes, or None where it is not as it was."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
        header = msgspec.json.decode(content[8 : 8 + int.from_bytes(content[:8], "little")], type=dict[str, Any])
        about = msgspec.convert(header.get("__metadata__", {}), dict[str, str])
    except (SafetensorError, msgspec.MsgspecError, TypeError, AttributeError, KeyError, ValueError, RecursionError):
        # A type of number that numpy lacks, a shape that nothing can have, a header without end.
        return None
    notes = about.get("notes", "")
    return (arrays, notes) if about.get("sha256") == _digest(arrays, notes) else None


def _there(found: tuple[Arrays, str] | None) -> Arrays:
    if found is None:
        raise RecordsError("the weights that this block starts from are missing or damaged; run it again")
    return found[0]


def _digest(arrays: Arrays, notes: str) -> str:
    from safetensors.numpy import save

    return hashlib.sha256(save(dict(arrays)) + notes.encode()).hexdigest()
