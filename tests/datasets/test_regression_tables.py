"""Several regression tasks with the same columns: what is refused, what they are known by, and as a file."""

import numpy as np
import pytest

from tlbench.datasets import DataError, RegressionTables, load_data, save_data

INPUTS = {"red": np.arange(6.0).reshape(3, 2), "white": np.ones((2, 2))}
TARGETS = {"red": np.array([1.0, 2.0, 3.0]), "white": np.array([4.0, 5.0])}
COLUMNS = ("acid", "sugar")


def test_they_come_back_from_a_file(tmp_path):
    made = RegressionTables(INPUTS, TARGETS, COLUMNS, ("a notice",))
    save_data(made, tmp_path / "pack")
    back = load_data(tmp_path / "pack", "tables")
    assert back.categories == ("red", "white")
    assert back.columns == COLUMNS
    assert back.fingerprint == made.fingerprint
    for task in INPUTS:
        np.testing.assert_array_equal(back.inputs[task], INPUTS[task])
        np.testing.assert_array_equal(back.targets[task], TARGETS[task])


@pytest.mark.parametrize(
    ("inputs", "targets", "says"),
    [
        ({}, {}, "one or more"),
        (INPUTS, {"red": TARGETS["red"]}, "same tasks"),
        (INPUTS, {**TARGETS, "white": np.ones(3)}, "task 'white' has inputs of shape"),
        ({**INPUTS, "red": np.full((3, 2), np.nan)}, TARGETS, "NaN or infinity in task 'red'"),
        (INPUTS, {**TARGETS, "white": np.array([1.0, np.inf])}, "NaN or infinity in task 'white'"),
    ],
)
def test_what_cannot_be_is_refused(inputs, targets, says):
    with pytest.raises(DataError, match=says):
        RegressionTables(inputs, targets, COLUMNS)


def test_the_fingerprint_knows_every_number_name_and_column():
    def known(inputs=INPUTS, targets=TARGETS, columns=COLUMNS):
        return RegressionTables(inputs, targets, columns).fingerprint

    moved = {task: values + (task == "white") for task, values in TARGETS.items()}
    renamed = [{name.replace("red", "rose"): part for name, part in parts.items()} for parts in (INPUTS, TARGETS)]
    prints = [known(), known(targets=moved), known(*renamed), known(columns=("acid", "salt"))]
    assert len(set(prints)) == 4
    assert known() == prints[0]
