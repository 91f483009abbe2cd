"""An experiment from its name to its results, in one call."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import computing, datasets, preparing, processes, protocol, published, studies
from . import results as results_room
from .methods.conditioning import IllConditionedWarning
from .opening import NamedData
from .records import describe, in_words
from .results import Results


class BlocksFailedError(Exception):
    """Some blocks could not be computed; the message names the first, and what had finished is kept."""


def run(
    experiment: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    profile: str | None = None,
    settings: Mapping[str, Any] | None = None,
    results: str | os.PathLike[str] = "results",
    data_dir: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    cluster: str | None = None,
    device: str | None = None,
    skip_broken: bool = False,
    methods: Sequence[str] = (),
    keep_scores: bool = False,
) -> Results:
    """Run an experiment as `tlbench run` does: what is done is kept and not done again, and the same files are written.

    experiment: a name from `tlbench list` or the path of a protocol file. dataset, profile: others than the protocol's.
    settings: key → value, as ``--set KEY=VALUE`` takes them; lists for the levels of a factor. results: where results
    lie; data_dir: where fetched data lie. jobs: processes; the number of cores if None. cluster: compute on that Dask
    cluster, by its scheduler's address or file; there ``jobs`` are for pictures alone. skip_broken: leave out pictures
    that cannot be read. methods: classifiers of your own beside the others, each as MODULE:Class. keep_scores: the
    score of every test example as well, in the table ``scores``. Nothing is fetched: `tlbench data fetch` does that.

    Returns the results: ``tables`` (name → DataFrame, among them ``measurements``: one row a measurement, accuracies in
    percent), ``summary()``, ``verdicts()``, ``draw()``.

    Raises ProtocolError for what is wrong in the experiment or the settings, own_methods.BrokenMethodError for a method
    that cannot be used, DataError and DataMissingError for data that cannot be used or are not there,
    studies.MissingPartError where an optional part is not installed, cluster.ClusterError where no cluster can be used,
    RecordsError where the results folder cannot be used, and BlocksFailedError where blocks failed.

    >>> import tempfile, tlbench
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = tlbench.run("toy-boundary", profile="smoke", results=folder, jobs=1)
    >>> one_point = results.summary().query("metric == 'accuracy' and points == 1").set_index("condition")["mean"]
    >>> bool(one_point["fixed"] > one_point["none"] + 10)  # a related source is worth more than ten points
    True
    """
    declared = protocol.with_methods(protocol.read(os.fspath(experiment)), methods)
    study = studies.find(declared.study)
    studies.require_part(study)
    published.load(declared)
    reference = declared.data.default if dataset is None else dataset
    typed = {key: in_words(value, ",") for key, value in (settings or {}).items()}
    settled = preparing.settle(declared, profile, typed, reference)
    if keep_scores:
        settled = preparing.with_scores(settled, study)
    where = preparing.device_for(study, device, elsewhere=cluster is not None)
    options = preparing.data_options(study, settled, reference)
    datasets.require_shape(reference, study.shape)
    folder = datasets.data_folder(Path(data_dir) if data_dir is not None else None)
    named = NamedData(study.shape, reference, options, skip_broken)
    data = named.open(folder, jobs or processes.cores())
    prepared = preparing.prepare(declared, settled, reference, data, Path(results))
    prepared.records.prepare()
    missing, _ = prepared.scan()
    elsewhere = named.from_anywhere() if cluster else None
    with computing.processes_for(cluster if missing else None, jobs, where, warnings.warn) as there:
        outcome = computing.compute_missing(
            prepared, missing, there, lambda *_: None, where, elsewhere, folder.absolute()
        )
    if outcome.failed:
        block, path = next(iter(outcome.failed.values()))
        raise BlocksFailedError(
            f"{len(outcome.failed)} of {len(prepared.plan.blocks)} blocks failed, first {describe(block)}; see {path}"
        )
    found = results_room.publish(prepared.plan, prepared.records, prepared.data, study.tables)
    found.draw()
    for sentence in found.notes:
        warnings.warn(sentence, IllConditionedWarning, stacklevel=2)
    return found
