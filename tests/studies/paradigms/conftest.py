"""Small domains and problems that every test of the map may start from."""

from __future__ import annotations

import numpy as np
import pytest

from tlbench.datasets import FeaturePack, SettingPacks
from tlbench.studies.paradigms.cells import Amounts, Draws, find_units

CLASSES = 7
PER_CLASS = 24


def domain(seed, shift, prefix, dimensions=6, second=True):
    """Blobs about the same centres in every domain, moved and stretched by ``shift``."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(scale=2.0, size=(CLASSES, dimensions))
    member = np.repeat(np.arange(CLASSES), PER_CLASS)
    values = (centres[member] + draw.normal(size=(len(member), dimensions))) * (1.0 + shift) + shift
    turn = np.random.default_rng(5).normal(size=(dimensions, 9))
    features = {"f": values} | ({"g": np.tanh(values @ turn)} if second else {})
    return FeaturePack(
        tuple(f"{prefix}-{row:04}" for row in range(len(member))),
        features,
        {f"c{number}": np.flatnonzero(member == number) for number in range(CLASSES)},
        np.zeros(0, dtype=np.intp),
    )


@pytest.fixture(scope="session")
def domains():
    """Two domains, each with pictures of its own."""
    return SettingPacks({"near": domain(1, 0.0, "n"), "far": domain(2, 0.6, "f")})


@pytest.fixture(scope="session")
def problem(domains):
    """``problem(cell, split, unit=…)`` of tasks of three classes."""
    units = find_units(domains, 3, 1, 0)

    def of(cell, split=0, name="near to far 1", **amounts):
        asked = {"labelled": 4, "unlabelled": 6, "test": 8, "source": 5} | amounts
        return Draws(domains, name, units[name], Amounts(**asked), 2.0, 0).problem(cell, split)

    return of
