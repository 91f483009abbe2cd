"""A user's own table: three formats, one pack; text stays text; what is not a table of numbers is refused by name."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlbench.datasets import DataError
from tlbench.datasets.feature_table import load_feature_table, read_feature_table

IDENTITIES = ["p3", "p1", "p2", "p4", "p6", "p5"]
LABELS = ["cat", "dog", "cat", "dog", "background", "background"]
NUMBERS = np.array([[0.1, 1 / 3], [2.5, -1e-17], [3e140, 4.0], [5.0, 6.0], [7.25, 8.0], [9.0, 1e9]])
OTHER = np.arange(6.0)[:, None] - 2


def frame(identities=IDENTITIES, labels=LABELS, **columns):
    columns = columns or {"x": NUMBERS[:, 0], "y": NUMBERS[:, 1], "hog:0": OTHER[:, 0]}
    return pd.DataFrame({"identity": identities, "label": labels, **columns})


def write(path, table):
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    else:
        kinds = {}
        for column in table.columns[2:]:
            kind, colon, _ = column.partition(":")
            kinds.setdefault(kind if colon else "features", []).append(column)
        np.savez(
            path,
            identity=table["identity"].to_numpy(dtype=str),
            label=table["label"].to_numpy(dtype=str),
            **{kind: table[columns].to_numpy() for kind, columns in kinds.items()},
        )
    return path


def load(path, background="background", categories=()):
    return load_feature_table(path, background, categories)


def members(pack):
    named = {name: [pack.identities[row] for row in rows] for name, rows in pack.categories.items()}
    return named | {"-": [pack.identities[row] for row in pack.background]}


FORMATS = ("csv", "parquet", "npz")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_is_a_pack(tmp_path, suffix):
    pack = load(write(tmp_path / f"mine.{suffix}", frame()))
    assert pack.identities == ("p1", "p2", "p3", "p4", "p5", "p6")
    assert set(pack.features) == {"features", "hog"}
    order = [1, 2, 0, 3, 5, 4]
    assert pack.features["features"].tolist() == NUMBERS[order].tolist()
    assert pack.features["hog"].tolist() == OTHER[order].tolist()
    assert members(pack) == {"cat": ["p2", "p3"], "dog": ["p1", "p4"], "-": ["p5", "p6"]}


def test_three_formats_are_one_pack(tmp_path):
    prints = {load(write(tmp_path / f"mine.{suffix}", frame())).fingerprint for suffix in FORMATS}
    assert len(prints) == 1


@given(numbers=st.lists(st.floats(-1e99, 1e99), min_size=6, max_size=6, unique=True))
@settings(max_examples=25)
def test_numbers_of_a_csv_keep_their_last_digit(tmp_path_factory, numbers):
    path = write(tmp_path_factory.mktemp("csv") / "mine.csv", frame(x=np.array(numbers)))
    assert load(path).features["features"][:, 0].tolist() == np.array(numbers)[[1, 2, 0, 3, 5, 4]].tolist()


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_are_text_whatever_they_look_like(tmp_path, suffix):
    identities = ["001", "1", "1.0", "NA", "null", "2024-01-01"]
    labels = ["NA", "07", "NA", "07", "nan", "nan"]
    pack = load(write(tmp_path / f"mine.{suffix}", frame(identities, labels)), "nan")
    assert pack.identities == tuple(sorted(identities))
    assert members(pack) == {"07": ["1", "NA"], "NA": ["001", "1.0"], "-": ["2024-01-01", "null"]}


@pytest.mark.fault("input")
@pytest.mark.parametrize("suffix", FORMATS)
def test_names_of_any_script_with_spaces_and_marks(tmp_path, suffix):
    labels = ["große Katze", "犬, klein", "große Katze", "犬, klein", 'the "rest"', 'the "rest"']
    pack = load(write(tmp_path / f"mine.{suffix}", frame([f"ü {n}" for n in range(6)], labels)), 'the "rest"')
    assert members(pack) == {"große Katze": ["ü 0", "ü 2"], "犬, klein": ["ü 1", "ü 3"], "-": ["ü 4", "ü 5"]}


def test_whole_numbers_and_truth_values_are_numbers(tmp_path):
    table = frame(n=[1, 2, 3, 4, 5, 6], b=[True, False] * 3)
    packs = [load(write(tmp_path / f"mine.{suffix}", table)) for suffix in ("csv", "parquet")]
    assert packs[0].fingerprint == packs[1].fingerprint
    assert packs[0].features["features"][0].tolist() == [2.0, 0.0]
    np.savez(tmp_path / "mine.npz", identity=IDENTITIES, label=LABELS, f=np.arange(6, dtype=np.uint8)[:, None])
    assert load(tmp_path / "mine.npz").features["f"].dtype == np.float64


def test_identities_may_be_numbers_in_an_archive(tmp_path):
    np.savez(tmp_path / "mine.npz", identity=np.arange(6), label=LABELS, f=NUMBERS)
    assert load(tmp_path / "mine.npz").identities == tuple("012345")


def test_a_csv_of_a_spreadsheet_may_begin_with_a_mark(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b"\xef\xbb\xbf" + frame().to_csv(index=False, lineterminator="\r\n").encode())
    assert load(path).fingerprint == load(write(tmp_path / "plain.csv", frame())).fingerprint


def test_background_and_categories_are_chosen(tmp_path):
    path = write(tmp_path / "mine.csv", frame())
    assert list(load(path, None).categories) == ["cat", "dog"]
    assert members(load(path, "cat", ["dog", "background"]))["-"] == ["p2", "p3"]
    with pytest.raises(DataError, match="no label 'owl'"):
        load(path, "owl")
    with pytest.raises(DataError, match="no label 'owl'"):
        load(path, None, ["cat", "owl"])


# What is refused


@pytest.mark.fault("input")
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_none_is_refused(tmp_path, suffix, bad):
    numbers = NUMBERS[:, 0].copy()
    numbers[4] = bad
    with pytest.raises(DataError, match="NaN or infinity in 1 rows of 'features', first 'p6'"):
        load(write(tmp_path / f"mine.{suffix}", frame(x=numbers)))


@pytest.mark.fault("input")
@pytest.mark.parametrize("text", ["", "NA", "nan", "abc", "1,5", "1 2"])
def test_a_cell_that_is_no_number_is_refused(tmp_path, text):
    path = write(tmp_path / "mine.csv", frame(x=["1", "2", text, "4", "5", "6"]))
    with pytest.raises(DataError, match=r"'x' must hold numbers|NaN or infinity in 1 rows of 'features'"):
        load(path)


@pytest.mark.fault("input")
@pytest.mark.parametrize("name", ["hog:0", "x", "identity", "label"])
def test_a_column_that_stands_there_twice_is_refused(tmp_path, name):
    path = write(tmp_path / "mine.csv", frame())
    lines = path.read_text(encoding="utf-8").splitlines()
    again = [f"{lines[0]},{name}", *(f"{line},1" for line in lines[1:])]
    for mark in ("", "\ufeff"):
        path.write_text(mark + "\n".join(again), encoding="utf-8")
        with pytest.raises(DataError, match=f"several columns '{name}'; give each a name of its own"):
            load(path)


@pytest.mark.fault("input")
def test_a_column_that_stands_in_parquet_twice_is_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.Table.from_pandas(frame(), preserve_index=False)
    parquet.write_table(table.append_column("hog:0", [OTHER[:, 0]]), tmp_path / "mine.parquet")
    with pytest.raises(DataError, match=r"several columns 'hog:0'|cannot be read as a table"):
        load(tmp_path / "mine.parquet")


def test_columns_that_only_look_alike_are_two(tmp_path):
    table = frame(**{"hog:0": OTHER[:, 0], "hog:0.1": NUMBERS[:, 0], "hog:00": NUMBERS[:, 1]})
    read = read_feature_table(write(tmp_path / "mine.csv", table))
    assert read.columns == {"hog": ("hog:0", "hog:0.1", "hog:00")}


@pytest.mark.fault("leakage")
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_index_that_pandas_writes_is_no_feature(tmp_path, shuffled):
    """Rows often lie in the order of their labels: their numbers would tell the label of every test example."""
    plain = load(write(tmp_path / "plain.csv", frame()))
    table = frame().sample(frac=1, random_state=3) if shuffled else frame()
    table.to_csv(tmp_path / "indexed.csv")
    pack = load(tmp_path / "indexed.csv")
    assert pack.fingerprint == plain.fingerprint
    assert pack.notices == (
        "indexed.csv numbers its rows in a column without a name: left out, as it tells their order and nothing else",
    )
    pd.read_csv(tmp_path / "indexed.csv").to_csv(tmp_path / "saved again.csv", index=False)
    assert load(tmp_path / "saved again.csv").fingerprint == plain.fingerprint


@pytest.mark.fault("input")
@pytest.mark.parametrize("values", [[0.5, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 4], list("abcdef")])
def test_a_column_without_a_name_that_is_no_index_is_refused(tmp_path, values):
    table = frame(x=NUMBERS[:, 0], nothing=values)
    table.columns = ["identity", "label", "x", ""]
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"column 4 of .*t\.csv has no name; give it one, or remove it"):
        load(tmp_path / "t.csv")


@pytest.mark.fault("input")
@pytest.mark.parametrize("suffix", FORMATS)
def test_an_identity_used_twice_is_refused(tmp_path, suffix):
    with pytest.raises(DataError, match="identity 'p1'"):
        load(write(tmp_path / f"mine.{suffix}", frame(["p1", *IDENTITIES[1:]])))


@pytest.mark.fault("leakage")
def test_repeats_are_kept_once_and_two_labels_refused(tmp_path):
    x = np.array([1.0, 2.0, 1.0, 4.0, 5.0, 6.0])
    pack = load(write(tmp_path / "mine.csv", frame(x=x)))
    assert len(pack.identities) == 5
    assert "1 examples repeat" in pack.notices[0]
    x[1] = 1.0
    with pytest.raises(DataError, match="are the same example"):
        load(write(tmp_path / "mine.csv", frame(x=x)))


@pytest.mark.fault("input")
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_without_examples_is_refused(tmp_path, suffix):
    with pytest.raises(DataError, match="holds no examples"):
        load(write(tmp_path / f"mine.{suffix}", frame()[:0]))


# numpy leaves its handle of a damaged archive to the garbage collector.
unclosed = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


@pytest.mark.fault("input")
@unclosed
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 40, b"PK\x03\x04 not an archive", b'identity\n"open'])
def test_a_file_that_is_no_table_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"mine.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=path.name):
        load(path)


@pytest.mark.fault("input")
@unclosed
@pytest.mark.parametrize("suffix", ["parquet", "npz"])
@pytest.mark.parametrize("keep", [0.3, 0.9, 0.99])
def test_a_file_cut_short_is_refused(tmp_path, suffix, keep):
    path = write(tmp_path / f"mine.{suffix}", frame())
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match=path.name):
        load(path)


@pytest.mark.fault("input")
def test_a_path_that_is_no_table(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="is not a file"):
        load(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is not a file"):
        load(tmp_path / "folder.csv")
    with pytest.raises(DataError, match=r"ends in '\.txt'"):
        load(tmp_path / "mine.txt")


@pytest.mark.fault("input")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("column", ["identity", "label"])
def test_a_missing_column_is_named(tmp_path, suffix, column):
    with pytest.raises(DataError, match=f"no column '{column}'"):
        load(write(tmp_path / f"mine.{suffix}", frame().drop(columns=column)))


@pytest.mark.fault("input")
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_without_numbers_is_refused(tmp_path, suffix):
    with pytest.raises(DataError, match="no columns of numbers"):
        load(write(tmp_path / f"mine.{suffix}", frame()[["identity", "label"]]))


@pytest.mark.fault("input")
@pytest.mark.parametrize("column", ["identity", "label"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_row_without_a_name_is_refused(tmp_path, suffix, column):
    table = frame()
    table.loc[2, column] = ""
    with pytest.raises(DataError, match=column):
        load(write(tmp_path / f"mine.{suffix}", table))


@pytest.mark.fault("input")
def test_a_text_column_is_refused_by_its_name(tmp_path):
    table = frame(x=NUMBERS[:, 0], **{"hog:where": ["left"] * 6})
    for suffix in ("csv", "parquet"):
        with pytest.raises(DataError, match="'hog:where' must hold numbers alone"):
            load(write(tmp_path / f"mine.{suffix}", table))


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    "change",
    [
        {"f": NUMBERS[:5]},
        {"f": NUMBERS[:, 0]},
        {"f": NUMBERS[None]},
        {"f": NUMBERS[:, :0]},
        {"f": NUMBERS + 1j},
        {"f": NUMBERS.astype(str)},
        {"g": NUMBERS[:1]},
        {"label": np.array(LABELS[:5])},
        {"label": np.array(LABELS)[:, None]},
        {"identity": np.array(IDENTITIES)[None]},
        {"identity": np.array("p1")},
    ],
)
def test_arrays_of_other_shapes_are_refused_by_name(tmp_path, change):
    np.savez(tmp_path / "mine.npz", **{"identity": IDENTITIES, "label": LABELS, "f": NUMBERS, **change})
    with pytest.raises(DataError, match=next(iter(change))):
        load(tmp_path / "mine.npz")


@pytest.mark.fault("input")
@pytest.mark.parametrize("left_out", ["identity", "label", "f"])
def test_an_archive_that_lacks_an_array_is_refused(tmp_path, left_out):
    arrays = {"identity": IDENTITIES, "label": LABELS, "f": NUMBERS}
    del arrays[left_out]
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=r"mine\.npz needs"):
        load(tmp_path / "mine.npz")


@pytest.mark.fault("input")
def test_labels_in_bytes_that_are_no_text_are_refused(tmp_path):
    labels = np.array([label.encode("latin-1") for label in ["dög", "cat", "dög", "cat", "bg", "bg"]])
    np.savez(tmp_path / "mine.npz", identity=IDENTITIES, label=labels, f=NUMBERS)
    with pytest.raises(DataError, match="label"):
        load(tmp_path / "mine.npz", "bg")


class Trap:
    """Notices when it is unpickled."""

    sprung = False

    def __reduce__(self):
        return Trap.spring, ()

    @staticmethod
    def spring():
        Trap.sprung = True


@pytest.mark.fault("security")
@pytest.mark.parametrize("name", ["identity", "label", "f"])
@pytest.mark.fault("security")
def test_nothing_is_ever_unpickled(tmp_path, name):
    arrays = {"identity": IDENTITIES, "label": LABELS, "f": NUMBERS}
    arrays[name] = np.array([Trap()] * 6, dtype=object)
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="pickled objects, which are not read"):
        load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"mine\.npz"):
        load(path)
    assert not Trap.sprung


def test_parquet_that_cannot_be_read_here_says_what_to_install(tmp_path, monkeypatch):
    from tlbench.datasets import DataMissingError

    path = write(tmp_path / "mine.parquet", frame())

    def absent(*_, **__):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", absent)
    with pytest.raises(DataMissingError, match=r"tlbench\[parquet\]"):
        load(path)


def test_a_column_that_only_numbers_the_rows_is_said_and_kept(tmp_path):
    numbered = frame(x=np.array([12, 10, 11, 14, 13, 15]))
    table = read_feature_table(write(tmp_path / "mine.csv", numbered))
    assert [notice for notice in table.notices if "'x' numbers the rows" in notice]
    assert "x" in {name for names in table.columns.values() for name in names}
    uneven = frame(x=np.array([12, 10, 11, 14, 13, 17]))
    assert not read_feature_table(write(tmp_path / "other.csv", uneven)).notices


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_table_that_is_separated_otherwise_is_told_so(tmp_path, between):
    path = tmp_path / "mine.csv"
    frame().to_csv(path, index=False, sep=between)
    with pytest.raises(DataError, match="separate them by commas"):
        load(path)
