"""A model as a file: one kernel expansion f(x) = Σ_i c_i K(x, x_i) + b, and what is needed to describe a picture.

The file is safetensors: arrays ``coefficients`` (n,), ``bias`` (1,) and ``features/KIND`` (n, d), and beside them a
description in JSON with a sha256 over everything. Nothing in it is run when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import features, keeping
from ..datasets import DataError, data_folder
from ..methods.kernels import RBF, MeanKernel
from ..records import environment, write_whole
from .gathering import identified, settle

Floats = NDArray[np.float64]

FORMAT = 1
"""Of the file; another is refused."""


@dataclass(frozen=True)
class KindOfModel:
    """What a model knows of a kind of feature.

    depends_on: what its numbers depend on besides the picture, as text; empty for numbers that a user brought. gamma:
    γ of the kernel exp(−γ‖x − z‖²).
    """

    depends_on: str = ""
    kernel: str = "rbf"
    gamma: float = 0.0

    @classmethod
    def of(cls, kind: features.Kind) -> KindOfModel:
        """A kind that pictures are described with."""
        return cls(json.dumps([dict(kind.parameters), kind.version, features.decoding.VERSION], sort_keys=True))

    def with_kernel(self, kernel: str, gamma: float) -> KindOfModel:
        """The same with the kernel that was fitted."""
        return replace(self, kernel=kernel, gamma=gamma)


@dataclass(frozen=True)
class Model:
    """A classifier of one category against the rest.

    examples: kind → (n, d); coefficients: (n,).
    """

    target: str
    sources: tuple[str, ...]
    kinds: Mapping[str, KindOfModel]
    examples: Mapping[str, Floats]
    coefficients: Floats
    bias: float

    @cached_property
    def _kernel(self) -> MeanKernel:
        return MeanKernel({name: RBF(kind.gamma) for name, kind in self.kinds.items()})

    def decision_function(self, described: Mapping[str, Floats]) -> Floats:
        """Decision values (m,) of features (m, d) by kind; above zero is the category.

        Raises ValueError for a kind that is missing or of another length.
        """
        for name, own in self.examples.items():
            if name not in described or np.ndim(described[name]) != 2 or described[name].shape[1] != own.shape[1]:
                raise ValueError(f"the model needs features '{name}' of {own.shape[1]} numbers each")
        count = len(next(iter(described.values())))
        if not count or not len(self.coefficients):
            return np.full(count, self.bias)
        given = {name: np.asarray(described[name], dtype=np.float64) for name in self.examples}
        return self._kernel(given, self.examples) @ self.coefficients + self.bias

    def predict_pictures(
        self,
        paths: Sequence[Path | str],
        data_dir: Path | None = None,
        jobs: int = 1,
        skip_broken: bool = False,
        progress: features.extraction.Progress = features.extraction.silent,
    ) -> dict[Path, float]:
        """The decision value of each picture file that can be read, in the order given; above zero is the category.

        Descriptions are kept in the data folder, as everywhere. Raises DataError for a model that cannot describe
        pictures, DataError or PictureError for a file that is not there or cannot be read, the latter unless
        ``skip_broken``.
        """
        for name, known in self.kinds.items():
            if not known.depends_on:
                raise DataError(f"the model knows numbers '{name}' and not pictures; give it a table of features")
        kinds = settle(list(self.kinds), data_folder(data_dir))
        for kind in kinds:
            if KindOfModel.of(kind).depends_on != self.kinds[kind.name].depends_on:
                raise DataError(f"the model was made with another version of '{kind.name}'; run `tlbench advise` again")
        files = [Path(path) for path in paths]
        pictures = [features.Picture(next(iter(identified([file]))), file) for file in files]
        cache = data_folder(data_dir) / "features"
        described = features.describe(pictures, kinds, cache, jobs, skip_broken, progress)
        values = self.decision_function({name: one.astype(np.float64) for name, one in described.features.items()})
        return {files[place]: float(value) for place, value in zip(described.kept, values, strict=True)}

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        arrays = {f"features/{name}": _narrow(values) for name, values in self.examples.items()}
        arrays |= {"coefficients": self.coefficients, "bias": np.array([self.bias])}
        write_whole(path, keeping.packed(arrays, json.dumps(self._about(), ensure_ascii=False)))

    def _about(self) -> dict[str, Any]:
        kinds = {name: asdict(kind) for name, kind in self.kinds.items()}
        return {
            "format": FORMAT,
            "tlbench": environment()["tlbench"],
            "target": self.target,
            "sources": list(self.sources),
            "kinds": kinds,
        }


def load(path: Path | str) -> Model:
    """Read a model that ``tlbench advise`` wrote.

    Raises DataError for a file that is not there, is none, was changed since, or is of another format.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(
            f"{file} is {'a folder' if file.is_dir() else 'not there'}; a model is a file of `tlbench advise`"
        )
    read = keeping.read(file)
    if read is None:
        raise DataError(f"{file} is no model, or was changed after `tlbench advise` wrote it; run that again")
    arrays, notes = read
    try:
        about = json.loads(notes)
        version = about["format"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{file} holds weights, but is no model that `tlbench advise` wrote") from None
    if version != FORMAT:
        raise DataError(
            f"{file} is a model of format {version}, written by tlbench {about.get('tlbench', '?')}; this one reads "
            f"format {FORMAT}: run `tlbench advise` again"
        )
    return Model(
        target=about["target"],
        sources=tuple(about["sources"]),
        kinds={name: KindOfModel(**kind) for name, kind in about["kinds"].items()},
        examples={name: np.asarray(arrays[f"features/{name}"], dtype=np.float64) for name in about["kinds"]},
        coefficients=np.asarray(arrays["coefficients"], dtype=np.float64),
        bias=float(arrays["bias"][0]),
    )


def _narrow(values: Floats) -> NDArray[np.floating[Any]]:
    """In single precision where that loses nothing, as with features of pictures."""
    single = values.astype(np.float32)
    return single if np.array_equal(single, values) else values
