"""The committed run is what the program computes today, and the README shows it."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tlbench import datasets, protocol, studies, tables
from tlbench.plan import make_plan, resolve

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "results" / "caltech-multisource" / "digits-paper"


@pytest.fixture(scope="module")
def plan():
    declared = protocol.read("caltech-multisource")
    study = studies.find(declared.study)
    settings = resolve(declared, study, None, {})
    pack = datasets.open_data("digits", datasets.Options(), Path("unused"))
    return make_plan(declared, study, settings, pack, pack.fingerprint), study, pack


@pytest.mark.parametrize("unit", ["two", "nine"])
def test_numbers_move_only_with_the_version_of_the_study(plan, unit):
    made, study, pack = plan
    (task,) = (task for task in made.tasks(made.blocks) if task[0].unit == unit)
    shared = study.prepare(pack, task[0])
    computed = [study.compute(shared, block, None) for block in task]
    for name, value, keys in (
        ("measurements", "value", ["condition", "split", "shots"]),
        ("weights", "beta", ["condition", "split", "shots", "source"]),
    ):
        frame = pd.concat(pd.DataFrame(part[name]) for part in computed).set_index(keys)[value].sort_index()
        committed = pd.read_csv(COMMITTED / f"{name}.csv")
        column = "unit" if name == "measurements" else "target"
        committed = committed[committed[column] == unit].set_index(keys)[value].sort_index()
        assert list(committed.index) == list(frame.index)
        # One example of fifty is one point: an accuracy is the same or it is not.
        np.testing.assert_allclose(frame, committed, rtol=1e-5, atol=1e-5)


def test_the_committed_run_is_the_plan_of_today(plan):
    made, _, _ = plan
    committed = pd.read_csv(COMMITTED / "measurements.csv")
    settings = made.settings
    factors = {name: list(levels) for name, levels in settings.factors.items()}
    units = list(dict.fromkeys(block.unit for block in made.blocks))
    assert tables.missing_cells(committed, units, settings.conditions, settings.seeds, factors) == 0
    assert f'"run": "{made.short_hash}"' in (COMMITTED / "manifest.json").read_text(encoding="utf-8")


def test_readme_shows_the_committed_table():
    spec = importlib.util.spec_from_file_location("readme_table", ROOT / "docs" / "readme_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert module.with_table(readme, module.reopen(COMMITTED)) == readme
