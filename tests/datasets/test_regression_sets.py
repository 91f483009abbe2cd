"""Regression tasks: the patients are all there, and files that are not what they should be are named."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat
from sklearn.datasets import load_diabetes as twin

from tlbench.datasets import DataError
from tlbench.datasets.regression_sets import SARCOS, WINES, load_diabetes, load_sarcos, load_wine_quality

HEADER = '"fixed acidity";"alcohol";"quality"\n'


def wines(folder, red="7.4;9.4;5\n7.8;9.8;6\n7.4;9.4;5\n", white="7;8.8;6\n7;8.8;7\n", header=HEADER, other=None):
    for colour, text, first in (("red", red, header), ("white", white, other or header)):
        path = folder / WINES[colour].path
        path.parent.mkdir(exist_ok=True)
        path.write_text(first + text, encoding="utf-8")
    return folder


def test_every_patient_stands_in_the_task_of_their_sex_without_it():
    data, whole = load_diabetes(), twin(scaled=False)
    assert {task: len(values) for task, values in data.targets.items()} == {"sex 1": 235, "sex 2": 207}
    assert "sex" not in data.columns
    assert len(data.columns) == 9
    for task, code in (("sex 1", 1), ("sex 2", 2)):
        rows = whole.data[:, 1] == code
        np.testing.assert_array_equal(data.inputs[task][:, 1:], whole.data[rows][:, 2:])
        np.testing.assert_array_equal(data.inputs[task][:, 0], whole.data[rows][:, 0])
        np.testing.assert_array_equal(data.targets[task], whole.target[rows])


def test_wines_that_repeat_another_are_kept_once(tmp_path):
    data = load_wine_quality(wines(tmp_path))
    np.testing.assert_array_equal(data.inputs["red"], [[7.4, 9.4], [7.8, 9.8]])
    np.testing.assert_array_equal(data.targets["white"], [6, 7])
    assert data.columns == ("fixed acidity", "alcohol")
    assert data.notices == ("1 wines repeat another of their colour to the last digit: kept once",)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"header": '"fixed acidity";"alcohol";"grade"\n'}, "no column 'quality' among numbers"),
        ({"white": "seven;8.8;6\n"}, "white.csv has no column 'quality' among numbers"),
        ({"other": '"acidity";"alcohol";"quality"\n'}, "have other columns"),
        ({"red": "1;2;3\n1;2;3;4;5\n"}, "red.csv is no table of wines"),
        ({"red": "7.4;;5\n"}, "NaN or infinity in task 'red'"),
    ],
)
def test_files_that_are_no_wines_are_named(tmp_path, changed, says):
    with pytest.raises(DataError, match=says):
        load_wine_quality(wines(tmp_path, **changed))


def test_the_joints_share_their_inputs(tmp_path):
    values = np.arange(3 * 28, dtype=float).reshape(3, 28)
    path = tmp_path / SARCOS.path
    path.parent.mkdir()
    savemat(path, {"sarcos_inv": values})
    data = load_sarcos(path)
    assert data.categories == tuple(f"joint {number}" for number in range(1, 8))
    assert len(data.columns) == 21
    for place, joint in enumerate(data.categories):
        np.testing.assert_array_equal(data.inputs[joint], values[:, :21])
        np.testing.assert_array_equal(data.targets[joint], values[:, 21 + place])


def test_another_matlab_file_and_none_at_all_are_refused(tmp_path):
    savemat(tmp_path / "other.mat", {"sarcos_inv": np.zeros((3, 27))})
    (tmp_path / "text.mat").write_text("no matrix " * 40, encoding="utf-8")
    for name, says in (("other.mat", "no table 'sarcos_inv' of 28 columns"), ("text.mat", "is no MATLAB file")):
        with pytest.raises(DataError, match=says):
            load_sarcos(tmp_path / name)
    with pytest.raises(DataError, match="cannot read"):
        load_sarcos(tmp_path / "absent.mat")


def test_addresses_are_those_of_the_publishers_and_no_checksum_is_invented():
    for file in (*WINES.values(), SARCOS):
        assert file.sha256 is None
        assert file.urls[0].split("/")[2] in ("archive.ics.uci.edu", "www.gaussianprocess.org")
