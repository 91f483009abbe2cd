"""What a block of these studies is handed, and a plan of a shipped protocol on few pictures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tlbench import datasets, protocol
from tlbench.plan import make_plan
from tlbench.settings import resolve


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digit_pictures():
    return datasets.open_pictures("digits", datasets.Options(), Path("unused"))


class Memory:
    """What a block is handed, with nothing of a disk."""

    device = "cpu"

    def __init__(self, weights, block):
        self.of, self.block = weights, block

    def weights(self, need):
        return self.of[self.block.needs[need]]

    def keep_weights(self, arrays):
        self.of[self.block.key] = {name: values.copy() for name, values in arrays.items()}


def compute_all(study, planned, pictures, weights=None, blocks=None):
    """Tables of each block, tasks one after the other as a process computes them."""
    weights = {} if weights is None else weights
    tables = {}
    for task in planned.tasks(planned.blocks if blocks is None else blocks):
        shared = study.prepare(pictures, task[0])
        for block in task:
            tables[block.key] = study.compute(shared, block, Memory(weights, block))
    return tables


def plan(study, name, data, profile="smoke", **overrides):
    declared = protocol.read(name)
    settings = resolve(declared, study, profile, {key: str(value) for key, value in overrides.items()}, "digits")
    return make_plan(declared, study, settings, data, data.fingerprint)


@pytest.fixture
def bench():
    return SimpleNamespace(plan=plan, compute_all=compute_all, Memory=Memory)
