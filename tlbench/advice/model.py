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
from ..datasets.feature_pack import LARGEST
from ..methods.kernels import RBF, MeanKernel
from ..records import environment, write_whole
from ..study import Arrays
from .gathering import identified, settle

Floats = NDArray[np.float64]

FORMAT = 2
"""Of the file; another is refused. 1 did not know the names of a table's columns."""


@dataclass(frozen=True)
class KindOfModel:
    """What a model knows of a kind of feature.

    depends_on: what its numbers depend on besides the picture, as text; empty for numbers that a user brought. gamma:
    γ of the kernel exp(−γ‖x − z‖²). columns: the names of a table's columns, in the order of the numbers.
    """

    depends_on: str = ""
    kernel: str = "rbf"
    gamma: float = 0.0
    columns: tuple[str, ...] = ()

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
            if self.examples[kind.name].shape[1] != kind.dimension:  # of a network it was not known before
                raise DataError(f"the model's examples are not of '{kind.name}'; run `tlbench advise` again")
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

    Raises DataError for a file that is not there, is none, was changed since, lacks a part or has one that no model
    has, or is of another format.

    >>> import tempfile
    >>> bump = Model("heron", (), {"x": KindOfModel(gamma=1.0)}, {"x": np.zeros((1, 1))}, np.array([2.0]), -1.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bump.save(Path(folder) / "model.safetensors")
    ...     loaded = load(Path(folder) / "model.safetensors")
    >>> loaded.decision_function({"x": np.array([[0.0], [99.0]])}).tolist()  # 2 exp(−x²) − 1
    [1.0, -1.0]
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
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{file} holds weights, but is no model that `tlbench advise` wrote") from None
    if version != FORMAT:
        raise DataError(
            f"{file} is a model of format {version}, written by tlbench {about.get('tlbench', '?')}; this one reads "
            f"format {FORMAT}: run `tlbench advise` again"
        )
    try:
        model = _model(about, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):  # a checksum is no signature
        raise DataError(f"{file} lacks a part of a model; run `tlbench advise` again") from None
    if wrong := _impossible(model):
        raise DataError(f"{file} is no model that can be used: {wrong}; run `tlbench advise` again")
    return model


def _model(about: Mapping[str, Any], arrays: Arrays) -> Model:
    """Raises whatever a part does that is missing or of another shape."""
    coefficients, (bias,) = _floats(arrays["coefficients"]), _floats(arrays["bias"])
    examples = {name: _floats(arrays[f"features/{name}"]) for name in about["kinds"]}
    if not examples or any(values.shape != (len(coefficients), values.shape[1]) for values in examples.values()):
        raise ValueError("an example for each coefficient")
    kinds = {name: KindOfModel(**kind) for name, kind in about["kinds"].items()}
    return Model(
        target=str(about["target"]),
        sources=tuple(map(str, about["sources"])),
        kinds={name: replace(kind, columns=tuple(map(str, kind.columns))) for name, kind in kinds.items()},
        examples=examples,
        coefficients=coefficients,
        bias=float(bias),
    )


def _floats(values: NDArray[Any]) -> Floats:
    if values.dtype.kind != "f":
        raise ValueError("numbers of another type")
    return values.astype(np.float64)


def _impossible(model: Model) -> str | None:
    """What no model that was fitted has, in words; None where all may be."""
    if not (np.abs(np.append(model.coefficients, model.bias)) <= LARGEST).all():  # NaN is not either
        return "its coefficients are not finite numbers"
    for name, kind in model.kinds.items():
        values = model.examples[name]
        width = values.shape[1]
        if kind.kernel != "rbf":
            return f"the kernel of '{name}' is not rbf"
        if not isinstance(kind.gamma, int | float) or not 0 <= kind.gamma <= LARGEST:
            return f"γ of '{name}' is not a number from zero up"
        if not isinstance(kind.depends_on, str) or not (np.abs(values) <= LARGEST).all():
            return f"the examples of '{name}' are not finite numbers of a known kind"
        if not width or len(set(kind.columns)) != (width if kind.columns else 0):
            return f"the columns of '{name}' are not as many as their names"
        known = features.KINDS.get(name)
        if known and KindOfModel.of(known).depends_on == kind.depends_on and width != known.dimension:
            return f"its examples have {width} numbers of '{name}', which has {known.dimension}"
    if len({bool(kind.columns) for kind in model.kinds.values()}) > 1:
        return "only some of its columns have names"
    return None


def _narrow(values: Floats) -> NDArray[np.floating[Any]]:
    """In single precision where that loses nothing, as with features of pictures."""
    single = values.astype(np.float32)
    return single if np.array_equal(single, values) else values
