"""Blocks that need others: computed after them, settled when they failed, and only as many as are missing.

Trainings are stood in for by a line of arithmetic that hands on weights as a training does, so that none of this needs
the optional part. Where processes do not matter, the work is done on the spot.
"""

from __future__ import annotations

import dataclasses
import re
from concurrent.futures import Future
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.marks import slow
from tlbench import computing, datasets, preparing, protocol
from tlbench.keeping import intact, weights_path
from tlbench.processes import LocalProcesses
from tlbench.records import packed_block
from tlbench.studies.layers import layer_transfer
from tlbench.working import Result

STUDY = layer_transfer.STUDY


@pytest.fixture(scope="module")
def pictures():
    return datasets.open_pictures("digits", datasets.Options(), Path("unused"))


@pytest.fixture
def prepare(pictures, tmp_path):
    """``prepare(key=value, …)``: a run that is planned in a folder of its own."""

    def plan(folder="results", pictures=pictures, **overrides):
        declared = protocol.read("yosinski-layers")
        texts = {"layers": "2,5", **{key: str(value) for key, value in overrides.items()}}
        settings = preparing.settle(declared, "smoke", texts, "digits")
        prepared = preparing.prepare(declared, settings, "digits", pictures, tmp_path / folder)
        prepared.records.prepare()
        return prepared

    return plan


class OnTheSpot(LocalProcesses):
    """No processes at all; tasks are their own pool."""

    def open(self, work, most):
        return self

    def submit(self, work, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future

    def close(self, pool):
        pass


ON_THE_SPOT = OnTheSpot(1)


class StandIn:
    """What is computed in the place of a training; ``faulty`` says which blocks fail."""

    def __init__(self):
        self.computed = []
        self.faulty = lambda block: False

    def __call__(self, shared, block, keeping):
        self.computed.append(block)
        if self.faulty(block):
            raise ArithmeticError(f"{block.unit} fails on purpose")
        value = 1.0 + sum(map(ord, block.unit))
        if block.needs:
            value = 100 * float(keeping.weights(0)["w"][0]) + block.parameters["layers"]
        if block.conditions == ("base",):
            keeping.keep_weights({"w": np.array([value])})
        return {"measurements": {"split": [0], "condition": list(block.conditions), "value": [value]}}


@pytest.fixture
def stand_in(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setattr(layer_transfer, "STUDY", dataclasses.replace(STUDY, prepare=lambda *_: None, compute=stand_in))
    return stand_in


def compute(prepared, processes=ON_THE_SPOT, report=lambda *_: None):
    missing, damaged = prepared.scan()
    return computing.compute_missing(prepared, missing, processes, report), missing, damaged


def named(blocks):
    return {(block.unit[-1], block.conditions[0], block.parameters["layers"]) for block in blocks}


def everything_else(prepared, failed):
    return named(prepared.plan.blocks) - failed


def base(prepared, half):
    (found,) = [b for b in prepared.plan.blocks if b.conditions == ("base",) and b.unit.endswith(half)]
    return found


def bytes_of(prepared):
    folder = prepared.records.folder
    return {path.name: path.read_bytes() for path in folder.rglob("*.json")}


# Those that start from base A: its own selffers, and what the other half inherits.
ON_BASE_A = {("A", "BnB", 2), ("A", "BnB", 5), ("B", "AnB", 2), ("B", "AnB", 5)} | {
    ("A", "BnB+", 2),
    ("A", "BnB+", 5),
    ("B", "AnB+", 2),
    ("B", "AnB+", 5),
}


def fails_base_a(block):
    return block.conditions == ("base",) and block.unit.endswith("A")


def test_what_is_needed_comes_first_and_its_weights_arrive(prepare, stand_in):
    prepared, told = prepare(), []
    outcome, missing, damaged = compute(prepared, report=lambda done, total, _: told.append((done, total)))
    assert (outcome.finished, outcome.failed, damaged) == (26, {}, 0)
    assert missing == list(prepared.plan.blocks)
    assert told == [(done, 26) for done in range(27)]
    seen = set()
    for block in stand_in.computed:
        assert set(block.needs) <= seen
        seen.add(block.key)
    values = {
        (b.unit[-1], b.conditions[0], b.parameters["layers"]): prepared.records.load(b).tables["measurements"]["value"]
        for b in prepared.plan.blocks
    }
    (a,), (b,) = values["A", "base", 0], values["B", "base", 0]
    assert a != b
    assert values["A", "BnB", 5] == values["B", "AnB", 5] == [100 * a + 5]
    assert values["B", "BnB+", 2] == values["A", "AnB+", 2] == [100 * b + 2]
    assert prepared.scan() == ([], 0)


def test_a_base_that_fails_settles_those_that_start_from_it_and_no_others(prepare, stand_in):
    prepared = prepare()
    stand_in.faulty = fails_base_a
    outcome, _, _ = compute(prepared)
    failed = {("A", "base", 0)} | ON_BASE_A
    assert named(block for block, _ in outcome.failed.values()) == failed
    assert outcome.finished == 26 - len(failed)
    assert named(b for b in prepared.plan.blocks if prepared.records.load(b)) == everything_else(prepared, failed)
    assert not named(stand_in.computed) & ON_BASE_A
    for block, path in outcome.failed.values():
        text = path.read_text(encoding="utf-8")
        assert prepared.records.failure(block) == path
        if block.needs:
            assert text.endswith("not computed: it starts from random-0-A, split 0, base, layers 0, which failed")
            assert f"layers {block.parameters['layers']}" in text
        else:
            assert "ArithmeticError: random-0-A fails on purpose" in text
            assert "Traceback" in text


def test_what_failed_is_done_by_the_next_run_and_gives_the_same_bytes(prepare, stand_in):
    undisturbed = prepare("undisturbed")
    compute(undisturbed)
    prepared = prepare()
    stand_in.faulty = fails_base_a
    compute(prepared)
    stand_in.faulty = lambda block: False
    stand_in.computed.clear()
    outcome, missing, _ = compute(prepared)
    assert named(missing) == named(stand_in.computed) == {("A", "base", 0)} | ON_BASE_A
    assert (outcome.finished, outcome.failed) == (9, {})
    assert bytes_of(prepared) == bytes_of(undisturbed)
    assert not list(prepared.records.folder.rglob("failures/*/*.txt"))


def test_where_all_bases_fail_only_what_needs_none_is_finished(prepare, stand_in):
    prepared = prepare()
    stand_in.faulty = lambda block: block.conditions == ("base",)
    outcome, _, _ = compute(prepared)
    finished = named(b for b in prepared.plan.blocks if b.key not in outcome.failed)
    assert {condition for _, condition, _ in finished} == {"random-gaussian", "random-scaled"}
    assert len(finished) == outcome.finished == 8


def test_a_block_that_fails_takes_no_other_of_its_chain_along(prepare, stand_in):
    prepared = prepare()
    stand_in.faulty = lambda block: (block.conditions, block.parameters["layers"]) == (("BnB",), 2)
    outcome, _, _ = compute(prepared)
    assert named(block for block, _ in outcome.failed.values()) == {("A", "BnB", 2), ("B", "BnB", 2)}


# Lost weights


def remove(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def replace(path):
    path.write_bytes(b"not what was here")


@pytest.mark.parametrize("damage", [remove, truncate, flip, replace])
def test_lost_weights_are_computed_again_where_a_missing_block_needs_them(prepare, stand_in, damage):
    prepared = prepare()
    compute(prepared)
    before = bytes_of(prepared)
    source = base(prepared, "A")
    damage(weights_path(prepared.records, source.key))
    assert prepared.scan() == ([], 0), "nothing is missing that needs them"
    victims = [b for b in prepared.plan.blocks if named([b]) <= {("B", "AnB", 5), ("A", "random-scaled", 2)}]
    for block in victims:
        prepared.records._block_path(block).unlink()
    stand_in.computed.clear()
    outcome, missing, damaged = compute(prepared)
    assert missing == [source, *(b for b in prepared.plan.blocks if b in victims)]
    assert damaged == 0, "nothing is wrong with the files of blocks"
    assert named(stand_in.computed) == named(missing)
    assert (outcome.finished, outcome.failed) == (3, {})
    assert bytes_of(prepared) == before
    assert intact(prepared.records, source.key)
    assert prepared.scan() == ([], 0)


@pytest.mark.parametrize("victim", [("A", "AnB", 2), ("B", "random-gaussian", 5)])
def test_lost_weights_that_no_missing_block_needs_stay_lost(prepare, stand_in, victim):
    prepared = prepare()
    compute(prepared)
    weights_path(prepared.records, base(prepared, "A").key).unlink()
    (block,) = [b for b in prepared.plan.blocks if named([b]) == {victim}]
    prepared.records._block_path(block).unlink()
    assert prepared.scan() == ([block], 0)
    assert compute(prepared)[0].finished == 1
    assert not intact(prepared.records, base(prepared, "A").key)


def test_a_lost_base_alone_brings_no_other_block_back(prepare, stand_in):
    prepared = prepare()
    compute(prepared)
    prepared.records._block_path(base(prepared, "B")).unlink()
    assert prepared.scan() == ([base(prepared, "B")], 0)


class Elsewhere(OnTheSpot):
    """Blocks that are computed where the run's folder is not seen: their files come back with the result."""

    @staticmethod
    def compute(task, work, weights):
        tables = {"measurements": {"split": [0], "condition": ["none"], "value": [1.0]}}
        return [Result(0.0, content=packed_block(block, tables)) for block in task]


@pytest.mark.parametrize("damage", [remove, truncate, flip, replace])
def test_what_comes_back_takes_the_place_of_what_is_damaged(prepare, damage):
    prepared = prepare(conditions="base,random-scaled", layers="2")
    blocks = [block for block in prepared.plan.blocks if block.conditions == ("random-scaled",)]
    computing.compute_missing(prepared, blocks, Elsewhere(1), lambda *_: None)
    before = bytes_of(prepared)
    damage(prepared.records._block_path(blocks[0]))
    computing.compute_missing(prepared, blocks[:1], Elsewhere(1), lambda *_: None)
    assert bytes_of(prepared) == before


# Processes that die

DEADLY = '''
"""Trainings are stood in for, and one kills its process."""

import dataclasses
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from pathlib import Path


class Undertaker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "tlbench.studies.layers.layer_transfer":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_replace(module):
            load(module)
            module.STUDY = dataclasses.replace(module.STUDY, prepare=lambda *_: None, compute=compute)

        spec.loader.exec_module = load_and_replace
        return spec


def compute(shared, block, keeping):
    import numpy as np

    if block.conditions == ("base",) and block.unit.endswith("A"):
        deaths = Path(os.environ["DEATHS"])
        happened = len(deaths.read_bytes()) if deaths.exists() else 0
        if happened < int(os.environ["MOST_DEATHS"]):
            deaths.write_bytes(b"x" * (happened + 1))
            os.kill(os.getpid(), signal.SIGKILL)
    if block.needs:
        keeping.weights(0)
    if block.conditions == ("base",):
        keeping.keep_weights({"w": np.ones(3)})
    return {"measurements": {"split": [0], "condition": list(block.conditions), "value": [1.0]}}


sys.meta_path.insert(0, Undertaker())
'''


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """``deadly(times)``: so often base A kills its process."""
    folder = tmp_path / "deadly"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("DEATHS", str(tmp_path / "deaths"))

    def kill(times):
        monkeypatch.setenv("MOST_DEATHS", str(times))
        return tmp_path / "deaths"

    return kill


@pytest.mark.parametrize("jobs", [1, *slow(2)])
def test_a_base_that_keeps_killing_its_process_is_set_aside_with_what_starts_from_it(prepare, deadly, jobs):
    prepared = prepare(conditions="base,AnB,random-scaled", layers="2")
    deaths = deadly(1000)
    outcome, _, _ = compute(prepared, LocalProcesses(jobs))
    failed = {("A", "base", 0), ("B", "AnB", 2)}
    assert named(block for block, _ in outcome.failed.values()) == failed
    assert named(b for b in prepared.plan.blocks if prepared.records.load(b)) == everything_else(prepared, failed)
    assert outcome.finished == 4
    texts = {block.needs: path.read_text(encoding="utf-8") for block, path in outcome.failed.values()}
    of_base = (base(prepared, "A").key,)
    assert "The process died while it computed this block" in texts[()]
    assert "not computed: it starts from random-0-A, split 0, base, layers 0, which failed" in texts[of_base]
    assert 3 <= len(deaths.read_bytes()) < 10


def test_a_base_that_kills_its_process_once_costs_nothing_but_time(prepare, deadly):
    prepared = prepare(conditions="base,AnB", layers="2")
    deadly(1)
    outcome, _, _ = compute(prepared, LocalProcesses(1))
    assert (outcome.finished, outcome.failed) == (4, {})
    assert prepared.scan() == ([], 0)
    assert intact(prepared.records, base(prepared, "A").key)


def test_a_base_whose_process_dies_while_its_lost_weights_are_made_again_is_not_taken_for_finished(prepare, deadly):
    prepared = prepare(conditions="base,AnB", layers="2")
    deadly(0)
    compute(prepared, LocalProcesses(1))
    source = base(prepared, "A")
    (heir,) = [block for block in prepared.plan.blocks if source.key in block.needs]
    weights_path(prepared.records, source.key).unlink()
    prepared.records._block_path(heir).unlink()
    deadly(1)
    outcome, missing, _ = compute(prepared, LocalProcesses(1))
    assert missing == [source, heir]
    assert (outcome.finished, outcome.failed) == (2, {})
    assert intact(prepared.records, source.key)
    assert prepared.scan() == ([], 0)


# What is said and asked for


def test_notices_with_file_names_that_are_no_text_can_be_written(prepare, pictures):
    prepared = prepare(pictures=dataclasses.replace(pictures, notices=("b\udcff.png is no picture: left out",)))
    assert prepared.data["notices"] == [r"b\udcff.png is no picture: left out"]
    assert prepared.data["reference"] == "digits"
    msgspec.json.encode(prepared.data)


@pytest.mark.parametrize("wanted", ["cuda:²", "cuda:", "cuda:01", "cuda:-1", "cuda:1 ", "CUDA", "", "tpu:0"])
def test_a_device_that_torch_has_no_name_for_is_refused(wanted):
    pytest.importorskip("torch")
    with pytest.raises(protocol.ProtocolError, match=re.escape(f"there is no device '{wanted}'; known are cpu, cuda")):
        preparing.device_for(STUDY, wanted)
