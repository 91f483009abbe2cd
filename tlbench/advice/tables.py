"""Tables of features as material for an advice, and as examples to predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets import DataError
from ..datasets.entries import nearest_name
from ..datasets.feature_pack import LARGEST
from ..datasets.feature_table import SUFFIXES, FeatureTable, read_feature_table
from .material import FEWEST_BACKGROUND, Material
from .model import KindOfModel

Floats = NDArray[np.float64]


def is_table(path: Path) -> bool:
    """Whether a path is a file with a table's suffix."""
    return path.suffix in SUFFIXES and not path.is_dir()


def material_of_table(path: Path, target: str, background: str | None) -> tuple[Material, dict[str, KindOfModel]]:
    """A table's label as target, the other labels as sources; and what a model must know of each kind of column.

    See ``datasets.feature_table`` for the layout. Raises DataError as that does, for a target that is no label or is
    the background, and for too few other rows.
    """
    table = read_feature_table(path)
    pack = table.pack(background)
    if target not in pack.categories:
        hint = nearest_name(target, list(pack.categories))
        raise DataError(f"there is no label '{target}' in {path.name} besides the background; {hint}")
    rows = len(pack.background_of(""))
    if rows < FEWEST_BACKGROUND:
        raise DataError(
            f"{path.name} has {'one row' if rows == 1 else f'{rows} rows'} with the background's label to tell the "
            f"target from, and {FEWEST_BACKGROUND} are needed; add some, or name another label with --background"
        )
    sources = {name: members for name, members in pack.categories.items() if name != target}
    material = Material(replace(pack, categories=sources), target, pack.categories[target])
    return material, {kind: KindOfModel(columns=names) for kind, names in table.columns.items()}


def unseen_table(path: Path, kinds: Mapping[str, KindOfModel]) -> tuple[list[str], Mapping[str, Floats]]:
    """Identities and features by kind of a table's rows, in their order, with the columns in the order of a model's.

    A label does not matter and may be missing. Raises DataError for what is no such table, and for one that has not
    exactly the columns that the model was made from.
    """
    table = read_feature_table(path, labelled=False)
    _refuse_other_columns(path, table, kinds)
    for kind, values in table.features.items():
        if not (np.abs(values) <= LARGEST).all():  # NaN is not either
            raise DataError(f"{path}: NaN, infinity or a number beyond {LARGEST:g} in '{kind}'; fill or remove it")
    by_name = {
        name: table.features[kind][:, place]
        for kind, names in table.columns.items()
        for place, name in enumerate(names)
    }
    ordered = {
        kind: np.stack([by_name[name] for name in known.columns], axis=1) if known.columns else table.features[kind]
        for kind, known in kinds.items()
    }
    return table.identities, ordered


def _refuse_other_columns(path: Path, table: FeatureTable, kinds: Mapping[str, KindOfModel]) -> None:
    """By name; an archive's columns have none, and its arrays have to be the same."""
    own = [name for columns in table.columns.values() for name in columns]
    wanted = [name for known in kinds.values() for name in known.columns]
    if bool(own) != bool(wanted):
        made = "a table whose columns have names" if wanted else "a .npz archive, whose columns have no names"
        raise DataError(f"the model was made from {made}; give {'a .csv or .parquet' if wanted else 'a .npz'} of those")
    if not wanted:
        own, wanted = list(table.columns), list(kinds)
    what = "exactly the columns that the model was made from, in any order"
    if missing := [name for name in wanted if name not in own]:
        raise DataError(f"{path} lacks {_columns(missing)}; give {what}")
    if unknown := [name for name in own if name not in wanted]:
        raise DataError(f"{path} has {_columns(unknown)}, which the model does not know; give {what}")


def _columns(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"'{names[0]}'{more}"
