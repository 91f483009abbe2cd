"""Data sets for regression whose examples fall into tasks with the same columns.

- **diabetes**, embedded: 442 patients, progression of the disease after a year from nine measurements (Efron, Hastie,
  Johnstone & Tibshirani, Annals of Statistics 2004; comes with scikit-learn). One task for each sex, which the source
  codes as 1 and 2 without saying which is which; the column is left out.
- **wine-quality**: Portuguese *red* and *white* wines, a grade from eleven measurements (Cortez, Cerdeira, Almeida,
  Matos & Reis, Decision Support Systems 2009; UCI 186). Rows that repeat another of their task are left out.
- **sarcos**: the torques of a robot arm's seven joints from 21 positions, velocities and accelerations, 44,484 moments
  (Vijayakumar & Schaal; Rasmussen & Williams 2006, §2.5), one task for each joint. The test file released beside it is
  not used: moments of it stand in this one too.

No checksum of the fetched files is published: what comes first is recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .regression_tables import RegressionTables
from .remote_files import RemoteFile, reading

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality"
WINES = {
    colour: RemoteFile(f"wine-quality/winequality-{colour}.csv", (f"{_UCI}/winequality-{colour}.csv",), 0, sha256=None)
    for colour in ("red", "white")
}
SARCOS = RemoteFile(
    "sarcos/sarcos_inv.mat", ("http://www.gaussianprocess.org/gpml/data/sarcos_inv.mat",), 0, sha256=None
)
JOINTS = 7
SARCOS_COLUMNS = tuple(
    f"{what} {joint}" for what in ("position", "velocity", "acceleration") for joint in range(1, JOINTS + 1)
)


def load_diabetes() -> RegressionTables:
    """235 patients of *sex 1* and 207 of *sex 2*, nine measurements each in their own units."""
    from sklearn.datasets import load_diabetes as load

    found = load(scaled=False)
    place = found.feature_names.index("sex")
    sex = found.data[:, place]
    inputs = np.delete(found.data, place, axis=1)
    rows = {f"sex {code:.0f}": np.flatnonzero(sex == code) for code in np.unique(sex)}
    return RegressionTables(
        {task: inputs[of_task] for task, of_task in rows.items()},
        {task: found.target[of_task] for task, of_task in rows.items()},
        tuple(name for name in found.feature_names if name != "sex"),
    )


def load_wine_quality(folder: Path) -> RegressionTables:
    """Red and white wines, from the two files of UCI in the data folder. Raises DataError for files that differ."""
    tables = {colour: _read_wines(folder / file.path) for colour, file in WINES.items()}
    columns = [name for name in tables["red"].columns if name != "quality"]
    if list(tables["white"].columns) != list(tables["red"].columns):
        raise DataError("the files of red and of white wines have other columns; fetch wine-quality again")
    distinct = {colour: table.drop_duplicates() for colour, table in tables.items()}
    repeats = sum(len(table) for table in tables.values()) - sum(len(table) for table in distinct.values())
    return RegressionTables(
        {colour: table[columns].to_numpy(dtype=np.float64) for colour, table in distinct.items()},
        {colour: table["quality"].to_numpy(dtype=np.float64) for colour, table in distinct.items()},
        tuple(columns),
        (f"{repeats} wines repeat another of their colour to the last digit: kept once",) if repeats else (),
    )


def load_sarcos(path: Path) -> RegressionTables:
    """The seven joints, *joint 1* to *joint 7*, over the same inputs. Raises DataError for another file."""
    from scipy.io import loadmat

    with reading(path):
        try:
            table = loadmat(path).get("sarcos_inv")
        except (ValueError, TypeError, NotImplementedError) as error:
            raise DataError(f"{path} is no MATLAB file ({error}); fetch sarcos again") from error
    columns = len(SARCOS_COLUMNS)
    if table is None or table.ndim != 2 or table.shape[1] != columns + JOINTS:
        raise DataError(f"{path} has no table 'sarcos_inv' of {columns + JOINTS} columns; fetch sarcos again")
    values = np.asarray(table, dtype=np.float64)
    joints = [f"joint {number}" for number in range(1, JOINTS + 1)]
    return RegressionTables(
        dict.fromkeys(joints, values[:, :columns]),
        {joint: values[:, columns + place] for place, joint in enumerate(joints)},
        SARCOS_COLUMNS,
    )


def _read_wines(path: Path) -> pd.DataFrame:
    import pandas as pd

    with reading(path):
        try:
            table = pd.read_csv(path, sep=";")
        except (ValueError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is no table of wines ({error}); fetch wine-quality again") from error
    if "quality" not in table.columns or not all(map(pd.api.types.is_numeric_dtype, table.dtypes)):
        raise DataError(f"{path} has no column 'quality' among numbers; fetch wine-quality again")
    return table
