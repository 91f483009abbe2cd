"""What several tests start from: the embedded digits, and a toy study whose every number is chosen here."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from msgspec import Meta

from tlbench import datasets, protocol
from tlbench.plan import make_plan
from tlbench.settings import resolve
from tlbench.study import Study, units_by_groups

pytest_plugins = ("tests.fault_table", "tests.place_fixtures")

# A busy machine is no fault of the program, nor is it one of a change that a rare draw fails after it.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeated", PATIENT, derandomize=True)
settings.register_profile("anew", PATIENT, derandomize=False)
settings.load_profile("repeated")

TOY: dict[str, Any] = {
    "name": "toy",
    "asks": "Is the right better than the plain?",
    "study": "toy_study",
    "source": "nobody",
    "metric": "accuracy",
    "units": "places",
    "default_profile": "short",
    "conditions": ["plain", "left", "right"],
    "oracles": ["left"],
    "data": {"default": "toy-data", "setting": "mixed", "categories": ["a", "b"]},
    "factors": {"shots": [1, 2, 4]},
    "choices": {
        "count": {"value": 10, "why": "small"},
        "C": {"value": 2.5, "why": "between"},
        "signed": {"value": True, "why": "both ways"},
        "mode": {"value": "kept", "why": "as found"},
        "grid": {"value": [0.5, 1.0], "why": "two"},
    },
    "profiles": {
        "short": {"says": "two splits", "seeds": 2},
        "tiny": {"says": "one split, few shots", "seeds": 1, "factors": {"shots": [1, 4]}},
    },
    "figures": [
        {"name": "lines", "kind": "curves", "title": "Lines", "x": "shots", "y": "accuracy", "highlight": "right"},
        {
            "name": "map",
            "kind": "heatmap",
            "title": "Map",
            "table": "weights",
            "x": "source",
            "y": "target",
            "value": "beta",
            "where": {"condition": "right"},
        },
    ],
    "claims": [
        {
            "id": "right-beats-plain",
            "says": "The right beats the plain.",
            "source": "nobody",
            "test": "difference",
            "of": {"condition": "right"},
            "to": {"condition": "plain"},
            "over": {"shots": [1, 2]},
        },
        {
            "id": "gain-falls",
            "says": "The gain falls.",
            "source": "nobody",
            "test": "slope",
            "of": {"condition": "right"},
            "to": {"condition": "plain"},
            "along": "shots",
            "direction": "falls",
        },
        {
            "id": "no-harm",
            "says": "No harm at the most shots.",
            "source": "nobody",
            "test": "not_worse",
            "margin": 1.0,
            "of": {"condition": "right"},
            "to": {"condition": "plain"},
            "over": {"shots": "most"},
            "expects": {"other-data": {"verdict": "contradicted", "why": "there it harms"}},
        },
    ],
}


class ToyParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    shots: Annotated[list[Annotated[int, Meta(ge=1)]], Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1)]
    C: Annotated[float, Meta(gt=0)]
    signed: bool
    mode: Literal["kept", "repaired"]
    grid: list[float]


TOY_STUDY = Study(
    version=3,
    Parameters=ToyParameters,
    says={"plain": "nothing", "left": "to the left", "right": "to the right", "far": "far off"},
    tables={"weights": ("target", "source", "split", "shots", "condition", "beta")},
    cut=units_by_groups(
        lambda data, parameters: {unit: {} for unit in data},
        {"plain": "plain", "left": "sided", "right": "sided", "far": "far"},
        splits_per_block=10,
    ),
    prepare=lambda data, block: None,
    compute=lambda shared, block, keeping: {},
    remarks=lambda tables: [],
)


@pytest.fixture(scope="session")
def digits() -> datasets.FeaturePack:
    return datasets.open_data("digits", datasets.Options(), Path("unused"))


@pytest.fixture
def toy() -> SimpleNamespace:
    """A protocol as plain data, its study, and ``plan(overrides, units, …)`` on them."""
    content = copy.deepcopy(TOY)

    def plan(overrides=None, units=("b", "a"), profile=None, data="print", study=TOY_STUDY, content=content):
        declared = protocol.parse(content, "toy.toml")
        settings = resolve(declared, study, profile, overrides or {})
        return make_plan(declared, study, settings, units, data)

    return SimpleNamespace(content=content, study=TOY_STUDY, plan=plan)


@pytest.fixture
def toy_tables():
    """``tables(block, value)``: what the toy study leaves for a block, ``value(unit, condition, split, shots)``."""

    def tables(block, value):
        rows = [
            (split, condition, shots, float(value(block.unit, condition, split, shots)))
            for condition in block.conditions
            for split in block.splits
            for shots in block.parameters["shots"]
        ]
        columns = {
            name: list(cells)
            for name, cells in zip(("split", "condition", "shots", "value"), zip(*rows, strict=True), strict=True)
        }
        found = {"measurements": columns}
        if "right" in block.conditions:
            found["weights"] = {
                "target": [block.unit] * 2,
                "source": ["s1", "s2"],
                "split": [block.splits[0]] * 2,
                "shots": [1, 1],
                "condition": ["right"] * 2,
                "beta": [0.25, 0.5],
            }
        return found

    return tables
