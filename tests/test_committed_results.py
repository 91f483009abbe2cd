"""The committed run is what the program computes today, and the README shows it."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tlbench import datasets, protocol, studies, tables
from tlbench.keeping import BlockKeeping
from tlbench.plan import make_plan
from tlbench.records import Records
from tlbench.settings import resolve

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


@pytest.mark.parametrize(
    "manifest", sorted((ROOT / "results").glob("*/*/manifest.json")), ids=lambda path: path.parts[-3]
)
def test_committed_tables_are_as_their_runs_wrote_them(manifest):
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in manifest.parent.glob("*.csv")}
    assert json.loads(manifest.read_bytes())["seals"] == found


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_shows_the_committed_table():
    module = script("readme_table")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert module.with_table(readme, module.reopen(COMMITTED)) == readme


LAYERS = ROOT / "results" / "yosinski-layers" / "digits-laptop"


@pytest.fixture(scope="module")
def layers():
    declared = protocol.read("yosinski-layers")
    study = studies.find(declared.study)
    settings = resolve(declared, study, None, {}, "digits")
    pictures = datasets.open_pictures("digits", datasets.Options(), Path("unused"))
    return make_plan(declared, study, settings, pictures, pictures.fingerprint), study, pictures


def test_the_committed_networks_are_the_plan_of_today(layers):
    made, _, _ = layers
    manifest = (LAYERS / "manifest.json").read_text(encoding="utf-8")
    assert f'"run": "{made.short_hash}"' in manifest
    assert len(pd.read_csv(LAYERS / "measurements.csv")) == 2 * made.cells


def test_trained_networks_are_as_good_as_the_committed_ones(layers, tmp_path):
    made, study, pictures = layers
    wanted = [block for block in made.blocks if block.unit in ("random-0-A", "random-0-B") and block.group == "base"]
    wanted += [block for block in made.blocks if block.unit == "random-0-B" and block.group in ("AnB 3", "BnB+ 6")]
    committed = pd.read_csv(LAYERS / "measurements.csv").query("metric == 'accuracy'")
    committed = committed.set_index(["unit", "condition", "layers"])["value"]
    records = Records(tmp_path)
    for block in wanted:
        found = study.compute(study.prepare(pictures, block), block, BlockKeeping(records, block))["measurements"]
        there = committed[block.unit, block.conditions[0], found["layers"][0]]
        # 300 test pictures: another processor rounds otherwise, and a few of them fall on the other side.
        assert abs(found["value"][0] - there) <= 3.0


def test_the_page_on_layers_shows_the_committed_runs():
    module = script("layer_tables")
    page = module.PAGE.read_text(encoding="utf-8")
    assert module.MARKED.search(page)
    assert module.with_tables(page) == page
