"""What a run does once for each block, it does no more than once, and no block's numbers outlive their turn."""

from __future__ import annotations

import builtins
import dataclasses
import io
import weakref
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from benchmarks import growth_stages
from tlbench import figures, protocol, results, shown, studies, study
from tlbench.plan import make_plan
from tlbench.preparing import Prepared
from tlbench.records import HIDDEN, Records
from tlbench.settings import resolve

DATA = {"name": "toy-data", "fingerprint": "print", "licence": "ours"}
UNITS = tuple(f"unit {number:02}" for number in range(30))


@pytest.fixture
def run(tmp_path, toy, toy_tables):
    """A run whose sixty blocks are on disk."""
    records = Records(tmp_path / "run")
    records.prepare()
    for block in toy.plan(units=UNITS).blocks:
        records.save(block, toy_tables(block, lambda unit, condition, split, shots: int(unit[5:]) + split))
    return lambda: Prepared(toy.plan(units=UNITS), records, None, DATA)


@pytest.fixture
def opened(monkeypatch):
    """How often each block's file is opened."""
    counts, plain = Counter(), builtins.open

    def counting(file, *more, **named):
        if f"{HIDDEN}/blocks/" in str(file):
            counts[str(file)] += 1
        return plain(file, *more, **named)

    for module in (builtins, io):
        monkeypatch.setattr(module, "open", counting)
    return counts


def test_a_scan_and_the_tables_each_read_a_block_once(run, toy, opened):
    prepared = run()
    assert prepared.scan() == ([], 0)
    assert set(opened.values()) == {1}
    assert len(opened) == len(prepared.plan.blocks) == 60
    results.publish(prepared.plan, prepared.records, DATA, toy.study.tables).draw()
    assert set(opened.values()) == {2}


def test_a_key_is_computed_once_for_each_block(run, toy, monkeypatch):
    digests, plain = [], study.digest
    monkeypatch.setattr(study, "digest", lambda value: (digests.append(value), plain(value))[1])
    prepared = run()
    prepared.scan()
    results.publish(prepared.plan, prepared.records, DATA, toy.study.tables)
    assert len(digests) == len(prepared.plan.blocks)


def test_no_block_is_held_once_the_next_is_read(run, toy, monkeypatch):
    prepared, alive, most = run(), weakref.WeakSet(), [0]
    load = Records.load

    def watched(records, block):
        record = load(records, block)
        tracked = Tracked(record.tables)
        alive.add(tracked)
        most[0] = max(most[0], len(alive))
        object.__setattr__(record, "tables", tracked)
        return record

    monkeypatch.setattr(Records, "load", watched)
    results.publish(prepared.plan, prepared.records, DATA, toy.study.tables)
    assert most[0] <= 2, "the one being read and the one before it"


class Tracked(dict):
    """The tables of a block, so that it can be seen when they are gone."""

    __hash__ = object.__hash__


def test_all_that_is_shown_is_made_of_one_grouping_of_the_measurements(run, toy, monkeypatch):
    prepared, sizes, plain = run(), [], pd.DataFrame.groupby

    def counting(table, *more, **named):
        sizes.append(len(table))
        return plain(table, *more, **named)

    monkeypatch.setattr(pd.DataFrame, "groupby", counting)
    found = results.publish(prepared.plan, prepared.records, DATA, toy.study.tables)
    found.findings()
    found.grids()
    found.draw()
    shown.summary_sheet(found)
    whole = [size for size in sizes if size == len(found.measured)]
    assert len(whole) == 2, "the means of units, and what is missing"


def test_curves_of_unit_means_are_those_of_the_measurements(run, toy):
    prepared = run()
    found = results.publish(prepared.plan, prepared.records, DATA, toy.study.tables)
    for figure in found.protocol.figures:
        of_all = figures.draw(figure, found.protocol, found.tables, found.factors, found.caption)
        assert found.figure(figure) == of_all
        assert found.figure(figure, ("svg",)) == {name: file for name, file in of_all.items() if name.endswith("svg")}


def test_blocks_and_failures_lie_in_many_folders(run):
    prepared = run()
    for block in prepared.plan.blocks:
        failed = prepared.records.save_failure(block, "Traceback: boom")
        assert failed.parent.name == block.key[:2]
        assert failed.parent.parent.name == "failures"
    kept = list((prepared.records.folder / HIDDEN / "blocks").rglob("*.json"))
    assert {(path.parent.name, path.stem) for path in kept} == {(b.key[:2], b.key) for b in prepared.plan.blocks}
    assert len(prepared.records.failures()) == 60


def test_the_blocks_that_growth_is_measured_on_are_like_real_ones(digits):
    declared = protocol.read(growth_stages.EXPERIMENT)
    computed = studies.find(declared.study)
    settings = resolve(declared, computed, "smoke", {"seeds": "10"})
    plan = make_plan(declared, computed, settings, digits, digits.fingerprint)
    blocks = [block for block in plan.blocks if block.unit == plan.blocks[0].unit]
    task = computed.prepare(digits, blocks[0])
    draw = np.random.default_rng(0)
    for block in blocks:
        real = computed.compute(task, block, None)
        like = growth_stages.made_up(dataclasses.replace(block, unit="category 0000"), draw, 9)
        assert {name: list(columns) for name, columns in like.items()} == {
            name: list(columns) for name, columns in real.items()
        }
        assert [like["measurements"][name] for name in ("split", "condition", "shots")] == [
            real["measurements"][name] for name in ("split", "condition", "shots")
        ]
        assert bool(like["weights"]["beta"]) == bool(real["weights"]["beta"])
        assert set(like["weights"]["condition"]) == set(real["weights"]["condition"])
