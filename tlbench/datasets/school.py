"""The examination scores of 15,362 pupils of 139 London schools: a task for each school (ILEA, 1985–87).

Released by the Inner London Education Authority, and usual in papers on several tasks since Bakker & Heskes (JMLR 2003)
and Argyriou, Evgeniou & Pontil (NIPS 2006). Here as MALSAR keeps it (Zhou, Chen & Ye): a MATLAB file with a cell for
each school, X of pupils by coded attributes of pupil and school, Y of scores. No checksum is published: what comes
first is recorded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .errors import DataError
from .regression_tables import RegressionTables
from .remote_files import RemoteFile, reading

_COMMIT = "ca3d55b878cc4113f0d9603e8ac46538aeb1ecd9"
SCHOOL = RemoteFile(
    "school/school.mat",
    (f"https://raw.githubusercontent.com/jiayuzhou/MALSAR/{_COMMIT}/data/school.mat",),
    0,
    sha256=None,
)


def load_school(path: Path) -> RegressionTables:
    """The schools, *school 001* and on, in the order of the file. Raises DataError for another file."""
    from scipy.io import loadmat

    with reading(path):
        try:
            found = loadmat(path)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise DataError(f"{path} is no MATLAB file ({error}); fetch school again") from error
    if not {"X", "Y"} <= set(found) or found["X"].dtype != object or found["X"].size != found["Y"].size:
        raise DataError(f"{path} has no cells 'X' and 'Y', one of each a school; fetch school again")
    inputs, targets = {}, {}
    for number, (values, scores) in enumerate(zip(found["X"].ravel(), found["Y"].ravel(), strict=True), 1):
        inputs[f"school {number:03}"] = np.asarray(values, dtype=np.float64)
        targets[f"school {number:03}"] = np.asarray(scores, dtype=np.float64).ravel()
    columns = next(iter(inputs.values())).shape[-1]
    return RegressionTables(inputs, targets, tuple(f"attribute {number}" for number in range(1, columns + 1)))
