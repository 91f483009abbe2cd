"""One unit of an experiment, computed with the test examples as they are and with some of them changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from tests.trust.changed_tests import changed, others
from tests.trust.fitted_numbers import watch_fitting
from tlbench import opening, preparing, protocol
from tlbench.datasets import embedded_for
from tlbench.plan import make_plan

ROUNDING = 1e-9


@dataclass(frozen=True)
class Case:
    """An experiment, small, and what of it may change with its test examples.

    rows: (probe) → {key: rows} of the test. changes: of settings. unit: what is computed, by the beginning of its name.
    additive: metrics that are a mean over test examples, one term each. ratios: those that the test enters otherwise.
    All other metrics must not change. by_test: conditions that are chosen by the test on purpose. tables: further ones
    with the columns that speak of the test. draws: where a study draws its own data, (monkeypatch, change of data)
    changes what it draws. predicts: a function, module and name, that predicts the test examples along its last axis
    but one. outputs: whether what is predicted are numbers, whose mean and spread could leak.
    """

    experiment: str
    rows: Callable[[Probe], Mapping[str, np.ndarray]]
    changes: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    additive: tuple[str, ...] = ("balanced_accuracy", "accuracy")
    ratios: tuple[str, ...] = ()
    by_test: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    draws: Callable[..., None] | None = None
    predicts: tuple[Any, str] | None = None
    outputs: bool = False
    reference: str = ""

    def __str__(self):
        return f"{self.experiment} {self.reference}".strip()


@dataclass(frozen=True)
class Computed:
    measured: pd.DataFrame
    tables: Mapping[str, str]
    fitted: Sequence[str]
    predicted: Sequence[np.ndarray]


class Memory:
    """What a block is handed, with nothing of a disk."""

    device = "cpu"

    def __init__(self, kept, block):
        self.kept, self.block = kept, block

    def begun(self):
        return None

    def keep_begun(self, arrays, notes):
        pass

    def weights(self, need):
        return self.kept[self.block.needs[need]]

    def keep_weights(self, arrays):
        self.kept[self.block.key] = {name: np.array(values) for name, values in arrays.items()}


class Probe:
    """An experiment at its smoke profile, one split, one unit and all that it needs."""

    def __init__(self, case: Case):
        self.case = case
        self.protocol = protocol.read(case.experiment)
        self.study = preparing.study_of(self.protocol)
        reference = case.reference or embedded_for(self.protocol.data.default)
        chosen = {name: str(value) for name, value in {"seeds": 1, **case.changes}.items()}
        settings = preparing.settle(self.protocol, "smoke", chosen, reference)
        options = preparing.data_options(self.study, settings, reference)
        self.data = opening.NamedData(self.study.shape, reference, options).open(Path("unused"), 1)
        self.metric = self.protocol.metric
        self.plan = make_plan(self.protocol, self.study, settings, self.data, "print")
        first = next(block.unit for block in self.plan.blocks if block.unit.startswith(case.unit))
        self.blocks = self._with_needs([block for block in self.plan.blocks if block.unit == first])
        self.block = next(block for block in self.blocks if block.unit == first)
        self.rows = case.rows(self)

    @property
    def parameters(self):
        """Those of the first block."""
        return msgspec.convert(self.block.parameters, self.study.Parameters)

    def prepared(self, data=None):
        """What the first task of the unit shares."""
        return self.study.prepare(self.data if data is None else data, self.block)

    def _with_needs(self, blocks):
        wanted = {block.key for block in blocks}
        for block in reversed(self.plan.blocks):
            wanted |= set(block.needs) if block.key in wanted else set()
        return [block for block in self.plan.blocks if block.key in wanted]

    def half(self, first):
        """Every other test example: of a test that begins with the positives, as many of both classes."""
        return {key: rows[first::2] for key, rows in self.rows.items()}

    def computed(self, way="", *parts) -> Computed:
        """Everything, where all the given parts of the data are changed in a way."""

        def change(data):
            return changed(data, parts, way) if parts else data

        kept, tables, predicted = {}, {}, []
        with pytest.MonkeyPatch.context() as monkeypatch:
            if self.case.draws:
                self.case.draws(monkeypatch, change)
            data = self.data if self.case.draws else change(self.data)
            fitted = watch_fitting(monkeypatch)
            if self.case.predicts:
                _watch_predictions(monkeypatch, *self.case.predicts, predicted)
            for task in self.plan.tasks(self.blocks):
                shared = self.study.prepare(data, task[0])
                for block in task:
                    for name, columns in self.study.compute(shared, block, Memory(kept, block)).items():
                        tables.setdefault(name, []).append(pd.DataFrame(columns).assign(unit_of_block=block.unit))
        measured = pd.concat(tables.pop("measurements"), ignore_index=True)
        if "metric" not in measured:
            measured["metric"] = self.metric
        digests = {name: _digest(frames, self.case.tables.get(name, ())) for name, frames in tables.items()}
        return Computed(measured, digests, fitted.digests, predicted)

    def other_examples(self) -> Computed:
        """Everything, where all but the test examples is noise."""
        return self.computed("noise", others(self.data, self.rows))


def leaks(probe: Probe, way: str, usual: Computed) -> list[str]:
    """What of a study knows its test examples; [] where nothing does.

    What is fitted must not change with them. A mean over the test examples that nothing but fitted numbers enter is a
    sum of one term an example: what one half of a change makes of it adds to what the other half makes. Where anything
    was chosen or scaled by the test, it does not.
    """
    case = probe.case
    once, other = (probe.computed(way, probe.half(place)) for place in (0, 1))
    both = probe.computed(way, probe.half(0), probe.half(1))
    found = []
    runs = [once, other, both, *([probe.computed("outputs", probe.rows)] if case.outputs else [])]
    for run in runs:
        if run.fitted != usual.fitted:
            found.append("what is fitted changes")
        if run.tables != usual.tables:
            found.append(f"tables change: {[name for name in usual.tables if run.tables[name] != usual.tables[name]]}")
    exempt = usual.measured["condition"].isin(case.by_test)
    free = exempt | usual.measured["metric"].isin(case.ratios)
    additive = usual.measured["metric"].isin(case.additive) & ~exempt
    values = [run.measured["value"].to_numpy() for run in (usual, once, other, both)]
    for run in (run.measured["value"].to_numpy() for run in runs):
        moved = (run != values[0]) & ~(additive | free).to_numpy()
        if moved.any():
            found.append(f"numbers change: {_named(usual.measured[moved])}")
    rest = np.abs(values[3] - values[2] - values[1] + values[0])
    crossed = (rest > ROUNDING * (1.0 + np.abs(values).max(axis=0))) & additive.to_numpy()
    if crossed.any():
        found.append(f"not a sum over test examples: {_named(usual.measured[crossed])}")
    for place, run in enumerate((once, other)):
        pairs = zip(usual.predicted, run.predicted, strict=True)
        if not all(np.array_equal(one[..., 1 - place :: 2, :], new[..., 1 - place :: 2, :]) for one, new in pairs):
            found.append("predictions of other test examples change")
    assert all((run != values[0]).any() for run in values[1:]), "the change reaches no score: it tests nothing"
    return found


def _named(rows):
    return sorted({(row.condition, row.metric) for row in rows.itertuples()})


def _digest(frames, without):
    return hashlib.sha256(pd.concat(frames).drop(columns=list(without)).to_csv(index=False).encode()).hexdigest()


def _watch_predictions(monkeypatch, module, name, predicted):
    predict = getattr(module, name)

    def watched(*arguments):
        predicted.append(predict(*arguments))
        return predicted[-1]

    monkeypatch.setattr(module, name, watched)
