"""A table to predict: its columns are those of the model, found by name and not by place."""

import numpy as np
import pandas as pd
import pytest

from tests.place import save, table
from tlbench.advice import KindOfModel
from tlbench.advice.tables import material_of_table, unseen_table
from tlbench.datasets import DataError

COLUMNS = {"x": ("x:b", "x:a"), "features": ("plain", "features:0")}
KINDS = {kind: KindOfModel(columns=names) for kind, names in COLUMNS.items()}
VALUES = {"x:b": [1.0, 2.0], "x:a": [3.0, 4.0], "plain": [5.0, 6.0], "features:0": [7.0, 8.0]}
FRAME = pd.DataFrame({"identity": ["2", "01"], **VALUES})


def unseen(frame, folder, suffix="csv", kinds=KINDS):
    return unseen_table(save(frame, folder / f"unseen.{suffix}"), kinds)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("order", [[4, 3, 2, 1], [2, 4, 1, 3], [1, 2, 3, 4]])
def test_columns_are_found_by_name(tmp_path, suffix, order):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    frame = FRAME[[FRAME.columns[place] for place in order] + ["identity"]].assign(label="heron")
    identities, found = unseen(frame, tmp_path, suffix)
    assert identities == ["2", "01"]
    assert found["x"].tolist() == [[1, 3], [2, 4]]
    assert found["features"].tolist() == [[5, 7], [6, 8]]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (FRAME.drop(columns="x:a"), "lacks 'x:a'; give exactly the columns that the model was made from, in any order"),
        (FRAME.drop(columns=["x:a", "x:b"]), "lacks 'x:b' and 1 more; give exactly"),
        (FRAME.assign(**{"x:c": 1.0}), "has 'x:c', which the model does not know; give exactly"),
        (FRAME.assign(more=1.0, other=2.0), "has 'more' and 1 more, which the model does not know"),
        (FRAME.rename(columns={"x:a": "x:A"}), "lacks 'x:a'"),
        (FRAME.drop(columns="identity"), "no column 'identity'"),
        (FRAME[:0], "holds no examples"),
        (FRAME.assign(plain=["1", "red"]), "'plain' must hold numbers alone"),
        (FRAME.assign(plain=[1.0, np.nan]), "NaN, infinity or a number beyond 1e\\+150 in 'features'"),
        (FRAME.assign(plain=[1.0, 1e200]), "NaN, infinity or a number beyond 1e\\+150 in 'features'"),
    ],
)
def test_a_table_that_is_not_like_the_models_is_refused(tmp_path, frame, words):
    with pytest.raises(DataError, match=words):
        unseen(frame, tmp_path)


def test_a_column_twice_is_refused(tmp_path):
    (tmp_path / "unseen.csv").write_text("identity,x:b,x:a,plain,features:0,x:a\n1,1,2,3,4,5\n", encoding="utf-8")
    with pytest.raises(DataError, match="several columns 'x:a'"):
        unseen_table(tmp_path / "unseen.csv", KINDS)


def test_an_archive_has_no_names_and_is_no_table_that_has(tmp_path):
    np.savez(tmp_path / "unseen.npz", identity=["a", "b"], x=np.eye(2))
    unnamed = {"x": KindOfModel()}
    identities, found = unseen_table(tmp_path / "unseen.npz", unnamed)
    assert (identities, found["x"].tolist()) == (["a", "b"], [[1, 0], [0, 1]])
    with pytest.raises(DataError, match=r"from a table whose columns have names; give a \.csv or \.parquet"):
        unseen_table(tmp_path / "unseen.npz", KINDS)
    with pytest.raises(DataError, match=r"archive, whose columns have no names; give a \.npz"):
        unseen(FRAME, tmp_path, kinds=unnamed)
    with pytest.raises(DataError, match=r"lacks 'y'; give exactly"):
        unseen_table(tmp_path / "unseen.npz", unnamed | {"y": KindOfModel()})
    np.savez(tmp_path / "unseen.npz", identity=["a", "b"], x=np.eye(2), y=np.eye(2))
    with pytest.raises(DataError, match=r"has 'x', which the model does not know"):
        unseen_table(tmp_path / "unseen.npz", {"y": KindOfModel()})


def test_the_names_of_a_tables_columns_are_known(tmp_path):
    _, kinds = material_of_table(save(table(), tmp_path / "birds.csv"), "heron", None)
    assert kinds["shape"].columns == tuple(f"shape:{number}" for number in range(1, 24, 2))
    assert kinds["texture"].columns == tuple(f"texture:{number}" for number in range(0, 24, 2))
    _, kinds = material_of_table(save(table(), tmp_path / "birds.npz"), "heron", None)
    assert {kind: known.columns for kind, known in kinds.items()} == {"shape": (), "texture": ()}


def test_a_table_with_a_small_background_is_told_of_rows(tmp_path):
    path = save(table(background=20), tmp_path / "birds.csv")
    with pytest.raises(
        DataError, match=r"birds\.csv has 20 rows with the background's label .* another label"
    ) as raised:
        material_of_table(path, "heron", None)
    assert "folder" not in str(raised.value)
