"""Truth: a file written in the released layout."""

import numpy as np
import pytest
from scipy.io import savemat

from tlbench.datasets import DataError, DataMissingError, Options, open_tables
from tlbench.datasets.school import SCHOOL, load_school


def cells(arrays):
    found = np.empty((1, len(arrays)), dtype=object)
    found[0] = arrays
    return found


def write(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content)
    return path


def test_every_cell_is_a_school(tmp_path):
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 2, (count, 5)).astype(np.uint8) for count in (4, 7, 2)]
    scores = [rng.integers(0, 70, (len(one), 1)).astype(np.uint8) for one in inputs]
    path = write(tmp_path / SCHOOL.path, X=cells(inputs), Y=cells(scores))
    found = load_school(path)
    assert found.categories == ("school 001", "school 002", "school 003")
    assert found.columns == tuple(f"attribute {number}" for number in range(1, 6))
    for name, values, aims in zip(found.categories, inputs, scores, strict=True):
        np.testing.assert_array_equal(found.inputs[name], values)
        np.testing.assert_array_equal(found.targets[name], aims.ravel())
        assert found.inputs[name].dtype == found.targets[name].dtype == np.float64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"A": np.zeros((2, 2))}, "no cells 'X' and 'Y'"),
        ({"X": np.zeros((3, 2)), "Y": np.zeros((3, 1))}, "no cells 'X' and 'Y'"),
        ({"X": cells([np.zeros((2, 2))] * 2), "Y": cells([np.zeros((2, 1))] * 3)}, "one of each a school"),
        ({"X": cells([np.zeros((2, 2))] * 2), "Y": cells([np.zeros((3, 1))] * 2)}, "for 3 targets"),
        ({"X": cells([np.full((2, 2), np.nan)] * 2), "Y": cells([np.zeros((2, 1))] * 2)}, "NaN or infinity"),
    ],
)
def test_another_file_is_refused(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        load_school(write(tmp_path / "school.mat", **content))


def test_what_is_no_matlab_file_is_refused(tmp_path):
    (tmp_path / "school.mat").write_bytes(b"<html>not found</html>" * 20)
    with pytest.raises(DataError, match="is no MATLAB file"):
        load_school(tmp_path / "school.mat")


def test_the_catalogue_says_what_is_missing(tmp_path):
    with pytest.raises(DataMissingError, match=r"school\.mat is missing"):
        open_tables("school", Options(), tmp_path)
