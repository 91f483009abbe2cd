"""Measure everything with one thread, print the table beside what is kept, and keep it in ``results.csv``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="where the released Caltech-256 features lie [default: $TLBENCH_DATA_DIR]; without them "
        "synthetic features of the same shape are used",
    )
    parser.add_argument(
        "--pictures",
        type=Path,
        help="a folder of pictures with train/ and test/, such as CIFAR-10's, to measure layer transfer on; without it "
        "those rows are left out",
    )
    arguments = parser.parse_args()
    asked: Path | None = arguments.data_dir
    usual = os.environ.get("TLBENCH_DATA_DIR")
    # Before numpy is imported, so that no pool of threads is ever made; processes started here inherit it.
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))

    from threadpoolctl import threadpool_limits

    from . import (
        against_conic,
        against_limit,
        against_rates,
        against_reference,
        distribution,
        end_to_end,
        every_experiment,
        fresh_processes,
        machine,
        networks,
        training_choices,
        workload,
    )
    from .table import show_and_keep

    with threadpool_limits(1):
        run = workload.whole_run(asked or (Path(usual) if usual else None))
        if asked and not run.folder:
            parser.error(f"{asked} does not hold the released features; `tlbench data fetch` gets them")
        print("\n".join(machine.describe()))
        print(f"data: {run.data_name}\n", flush=True)
        rows = [*against_reference.rows(run), against_limit.row_of(run), against_conic.row_of(run)]
        rows += against_rates.rows()
    rows += [*fresh_processes.rows(run), *end_to_end.rows(), *distribution.rows()]
    rows += [networks.digits_row(), *training_choices.rows(), every_experiment.row()]
    if arguments.pictures:
        rows += networks.rows(arguments.pictures)
    show_and_keep(rows)


if __name__ == "__main__":
    main()
