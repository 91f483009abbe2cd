"""Each experiment in a short run: the numbers of the golden tables, and the same bytes however it is run.

Processors differ in the last digit. How far that carries was measured by running all of these with the oldest
instructions that the libraries have code for (``OPENBLAS_CORETYPE=Nehalem ATEN_CPU_CAPABILITY=default
ONEDNN_MAX_CPU_ISA=SSE41``, and NumPy's AVX off) against a processor with AVX2 and more: closed forms, convex problems
and climbed likelihoods gave the same six digits but for one in a last place, and of trained networks one mean moved by
0.08 points, one by 1 and one by a relative 2e-5.
"""

import pandas as pd
import pytest

from tests.trust.golden_tables import BESIDE, MOST_ROWS, RUNS, drawn, means_of
from tlbench import protocol

RUNS_BY_NAME = {run.experiment: run for run in RUNS}


def test_every_experiment_has_a_golden_table():
    assert sorted(RUNS_BY_NAME) == sorted(protocol.shipped())
    for run in RUNS:
        golden = pd.read_csv(run.table)
        assert 0 < len(golden) <= MOST_ROWS
        assert not set(BESIDE) & set(golden.columns)
        assert golden["mean"].notna().all(), run.experiment


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS_BY_NAME)
def test_an_experiment_gives_its_golden_numbers_and_the_same_bytes_however_it_is_run(place, other_place, name):
    run = RUNS_BY_NAME[name]
    place.succeed(*run.command, "--jobs", "2", PYTHONHASHSEED="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    golden, found = pd.read_csv(run.table), drawn(means_of(place.run_folder))
    keys = [column for column in golden.columns if column != "mean"]
    pd.testing.assert_frame_equal(found[keys].reset_index(drop=True), golden[keys])
    allowed = run.tolerance.points + run.tolerance.relative * golden["mean"].abs()
    away = (found["mean"].reset_index(drop=True) - golden["mean"]).abs()
    assert not (away > allowed).any(), golden.assign(found=found["mean"].to_numpy())[away > allowed].to_string()

    other_place.succeed(*run.command, "--jobs", "1", PYTHONHASHSEED="2", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
    first, second = (
        {path.name: path.read_bytes() for path in where.run_folder.glob("*.csv")} for where in (place, other_place)
    )
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
