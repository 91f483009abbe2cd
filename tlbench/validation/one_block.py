"""One block of a protocol's smallest profile, computed where its data are here, and what is made of its tables."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .. import computing, datasets, opening, preparing, processes, results, studies
from ..preparing import Prepared
from ..protocol import Protocol
from ..records import describe
from .checks import Check, FailedError, attempt


def try_one_block(protocol: Protocol, reference: str, folder: Path) -> list[Check]:
    """Plan, compute, collect and draw, each if what is before it went well.

    reference: a data set. folder: where fetched data lie. Nothing is fetched, and nothing is written but what pictures
    come to in the cache, and a folder that is gone afterwards.
    """
    study = preparing.study_of(protocol)
    try:
        studies.require_part(study)
    except studies.MissingPartError as missing:
        return [Check("one block", "not tried", str(missing))]
    here = _here(protocol, reference, folder)
    if here is None:
        return [
            Check("one block", "not tried", f"{reference} is not here; `tlbench data fetch {reference}` fetches it")
        ]
    profile = min(protocol.profiles, key=lambda name: protocol.profiles[name].seeds)
    with tempfile.TemporaryDirectory() as written:
        planned: list[Prepared] = []

        def plan() -> str:
            settings = preparing.settle(protocol, profile, {}, here)
            options = preparing.data_options(study, settings, here)
            data = opening.NamedData(study.shape, here, options).open(folder, processes.cores())
            planned.append(preparing.prepare(protocol, settings, here, data, Path(written)))
            return f"{len(planned[0].plan.blocks)} blocks"

        checks = [attempt(f"plan of {profile} on {here}", plan)]
        if planned:
            checks.append(attempt("one block", lambda: _compute(planned[0])))
        if checks[-1].outcome == "ok":
            checks.append(attempt("its tables and figures", lambda: _publish(planned[0])))
        return checks


def _here(protocol: Protocol, reference: str, folder: Path) -> str | None:
    """The data set, or the embedded one that can stand for it, or None."""
    study = preparing.study_of(protocol)
    for name in dict.fromkeys([reference, datasets.embedded_for(protocol.data.default)]):
        if study.shape not in datasets.find(name)[0].offers:
            continue
        settings = preparing.settle(protocol, None, {}, name)
        if not datasets.to_fetch(name, preparing.data_options(study, settings, name), folder):
            return name
    return None


def _compute(prepared: Prepared) -> str:
    """The first block, for it needs no other."""
    block = prepared.plan.blocks[0]
    prepared.records.prepare()
    outcome = computing.compute_missing(prepared, [block], processes.LocalProcesses(1), lambda *_: None)
    for _, path in outcome.failed.values():
        raise FailedError(path.read_text(encoding="utf-8").strip().splitlines()[-1])
    return describe(block)


def _publish(prepared: Prepared) -> str:
    """Tables and declared figures; a figure of the study's own may need more than one block."""
    study = preparing.study_of(prepared.plan.protocol)
    found = results.publish(prepared.plan, prepared.records, prepared.data, study.tables)
    drawn = [figure.name for figure in found.protocol.figures if figure.kind != "own" and found.figure(figure)]
    return ", ".join([*found.tables, *(f"figure {name}" for name in drawn)])
