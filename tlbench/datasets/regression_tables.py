"""The shape of data for regression: several tasks whose examples have the same columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .feature_pack import Floats, below


@dataclass(frozen=True)
class RegressionTables:
    """Tasks that share their columns.

    inputs: task → (n, d). targets: task → (n,), in the units of the data set. columns: names of the d inputs.
    notices: sentences that a user of these data should read.
    """

    inputs: Mapping[str, Floats]
    targets: Mapping[str, Floats]
    columns: tuple[str, ...]
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise DataError for parts that do not belong together, and for what is not a number."""
        if list(self.inputs) != list(self.targets) or not self.inputs:
            raise DataError("inputs and targets have to be of the same tasks, one or more")
        for task, values in self.inputs.items():
            targets = self.targets[task]
            if values.shape != (len(targets), len(self.columns)):
                raise DataError(f"task '{task}' has inputs of shape {values.shape} for {len(targets)} targets")
            if not (np.isfinite(values).all() and np.isfinite(targets).all()):
                raise DataError(f"NaN or infinity in task '{task}'; fill or remove such rows")

    @property
    def categories(self) -> tuple[str, ...]:
        """The tasks."""
        return tuple(self.inputs)

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 of everything that can change a result: tasks, columns and numbers."""
        digest = hashlib.sha256("\0".join(self.columns).encode())
        for task, values in self.inputs.items():
            digest.update(f"{task} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values, "<f8").tobytes())
            digest.update(np.ascontiguousarray(self.targets[task], "<f8").tobytes())
        return digest.hexdigest()

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """All but the notices, as arrays by name."""
        inputs = {f"inputs/{task}": values for task, values in self.inputs.items()}
        targets = {f"targets/{task}": values for task, values in self.targets.items()}
        return {"columns": np.array(self.columns, dtype=str), **inputs, **targets}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> RegressionTables:
        """What ``to_arrays`` gave."""
        return cls(below("inputs/", arrays), below("targets/", arrays), tuple(arrays["columns"].tolist()))
