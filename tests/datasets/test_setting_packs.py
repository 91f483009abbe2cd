"""Several settings side by side: one file, one fingerprint, and each setting with the numbers that it has alone."""

from __future__ import annotations

import dataclasses
import itertools
from concurrent.futures import Future

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tlbench import preparing, protocol, tables
from tlbench.computing import compute_missing
from tlbench.datasets import FeaturePack, Options, SettingPacks, load_data, save_data, target_of
from tlbench.datasets.caltech_pictures import COLLECTIONS, SETTINGS_OF
from tlbench.opening import Watch, open_pack
from tlbench.plan import make_plan
from tlbench.preparing import settle
from tlbench.processes import LocalProcesses
from tlbench.settings import resolve
from tlbench.studies.sources import source_weighting

REFERENCE = "caltech256-features"


def blobs(seed, categories=3, own=False):
    """Categories about centres of their own; each name stands in every setting."""
    draw = np.random.default_rng(seed)
    member = np.r_[np.repeat(np.arange(categories), 30), np.full(90, categories)]
    centres = np.vstack([draw.normal(0.5, 0.7, (categories, 3)), np.zeros((1, 3))])
    everyone = np.flatnonzero(member == categories)
    names = [f"c{number}" for number in range(categories)]
    return FeaturePack(
        tuple(f"{seed}-{row:04}" for row in range(len(member))),
        {"f": centres[member] + draw.normal(size=(len(member), 3)), "g": draw.normal(size=(len(member), 2))},
        {name: np.flatnonzero(member == number) for number, name in enumerate(names)},
        {name: np.sort(draw.permutation(everyone)[:60]) for name in names} if own else everyone,
        (f"drawn with seed {seed}",),
    )


def both():
    return SettingPacks({"related": blobs(1), "unrelated": blobs(2, categories=4, own=True)})


def test_targets_are_named_by_their_setting():
    packs = both()
    assert packs.categories == (
        *(f"related: c{number}" for number in range(3)),
        *(f"unrelated: c{number}" for number in range(4)),
    )
    assert packs.notices == ("related: drawn with seed 1", "unrelated: drawn with seed 2")
    for unit in packs.categories:
        pack, category = target_of(packs, unit)
        assert pack is packs.packs[unit.partition(": ")[0]]
        assert category in pack.categories
    odd = dataclasses.replace(blobs(3), categories={"a: b": np.arange(5)})
    assert target_of(SettingPacks({"own": odd}), "own: a: b") == (odd, "a: b")
    assert target_of(odd, "a: b") == (odd, "a: b")


def test_settings_come_back_from_their_file(tmp_path):
    packs, path = both(), tmp_path / "packs.tmp"
    save_data(packs, path)
    back = load_data(path, "features")
    assert isinstance(back, SettingPacks)
    assert back.fingerprint == packs.fingerprint
    assert back.categories == packs.categories
    for (name, made), (kept, read) in zip(packs.packs.items(), back.packs.items(), strict=True):
        assert kept == name
        assert read.identities == made.identities
        assert read.own_backgrounds == made.own_backgrounds
        assert {kind: values.tobytes() for kind, values in read.features.items()} == {
            kind: values.tobytes() for kind, values in made.features.items()
        }
        for category in made.categories:
            np.testing.assert_array_equal(read.categories[category], made.categories[category])
            np.testing.assert_array_equal(read.background_of(category), made.background_of(category))


def test_the_fingerprint_knows_every_part():
    packs = both().packs
    related, unrelated = packs["related"], packs["unrelated"]
    changed = {kind: values.copy() for kind, values in unrelated.features.items()}
    changed["g"][-1, -1] += 1e-12
    fewer = {**unrelated.categories, "c3": unrelated.categories["c3"][1:]}
    each = [
        {"related": related},
        {"unrelated": related},
        {"related": related, "unrelated": unrelated},
        {"related": related, "mixed": unrelated},
        {"related": unrelated, "unrelated": related},
        {"related": related, "unrelated": dataclasses.replace(unrelated, features=changed)},
        {"related": related, "unrelated": dataclasses.replace(unrelated, categories=fewer)},
    ]
    prints = [SettingPacks(one).fingerprint for one in each]
    assert len(set(prints)) == len(prints)
    assert both().fingerprint == SettingPacks(dict(both().packs)).fingerprint
    assert related.fingerprint not in prints


# A run


@pytest.fixture(scope="module")
def declared():
    return protocol.read("caltech-settings")


OVERRIDES = {"shots": "1,3", "seeds": "2", "test_examples": "20", "source_examples": "20"}
CONDITIONS = {"conditions": "none,single-selected,multi-average,multi-weighted,multi-taught"}


class OnTheSpot(LocalProcesses):
    """A pool without processes; the data go through their file all the same."""

    def open(self, work, most):
        return self

    def submit(self, work, *arguments):
        future = Future()
        future.set_result(work(*arguments))
        return future

    def close(self, pool):
        pass


def measured(declared, data, levels, folder):
    """The measurements of a run by the real loop."""
    settings = settle(declared, "smoke", {**OVERRIDES, **CONDITIONS, "setting": levels}, REFERENCE)
    prepared = preparing.prepare(declared, settings, REFERENCE, data, folder)
    prepared.records.prepare()
    missing, _ = prepared.scan()
    outcome = compute_missing(prepared, missing, OnTheSpot(1), lambda *_: None)
    assert not outcome.failed, [path.read_text() for _, path in outcome.failed.values()]
    found = [(block, prepared.records.load(block)) for block in prepared.plan.blocks]
    whole = tables.collect(prepared.plan, "toy", found, tuple(source_weighting.STUDY.tables))["measurements"]
    missed = tables.missing_cells(
        whole, data.categories, settings.conditions, 2, settings.factors, prepared.plan.cells, prepared.plan.own_levels
    )
    assert missed == 0
    return whole


def test_each_setting_has_the_numbers_that_it_has_alone(declared, tmp_path):
    packs = both()
    together = measured(declared, packs, "related,unrelated", tmp_path / "both")
    assert set(together["unit"]) == set(packs.categories)
    keys = ["unit", "split", "condition", "shots"]
    for name, pack in packs.packs.items():
        alone = measured(declared, pack, name, tmp_path / name).assign(setting=name)
        mine = together[together["setting"] == name]
        mine = mine.assign(unit=mine["unit"].str.removeprefix(f"{name}: "))
        columns = [*keys, "setting", "value"]
        mine, alone = (table[columns].reset_index(drop=True) for table in (mine, alone))
        pd.testing.assert_frame_equal(mine, alone, check_dtype=False, check_categorical=False)
    assert together.groupby("unit")["setting"].nunique().max() == 1


def test_each_block_has_the_one_level_of_its_unit(declared):
    packs, study = both(), source_weighting.STUDY
    settings = resolve(declared, study, "smoke", {**OVERRIDES, **CONDITIONS, "setting": "related,unrelated"})
    plan = make_plan(declared, study, settings, packs, packs.fingerprint)
    for block in plan.blocks:
        assert block.parameters["setting"] == block.unit.partition(": ")[0]
    assert plan.cells == len(packs.categories) * len(settings.conditions) * 2 * 2


# Opened


def test_settings_are_opened_each_as_it_is_alone(tmp_path):
    """A tree with four pictures of each category of two settings, and a background."""
    draw = np.random.default_rng(0)
    wanted = ("related", "unrelated")
    labels = dict.fromkeys(itertools.chain(*(SETTINGS_OF["caltech101"][name] for name in wanted)))
    for label in (*labels, COLLECTIONS["caltech101"].background):
        folder = tmp_path / COLLECTIONS["caltech101"].tree / label
        folder.mkdir(parents=True)
        for number in range(4):
            Image.fromarray(draw.integers(0, 255, (24, 32), dtype=np.uint8)).save(folder / f"{number}.pgm")
    told: list[tuple[int, int]] = []
    watch = Watch(describing=lambda done, total, _: told.append((done, total)))
    opened = open_pack("caltech101", Options(settings=wanted, features=("phog",)), tmp_path, 1, watch=watch)
    assert isinstance(opened, SettingPacks)
    assert list(opened.packs) == list(wanted)
    assert told[-1][0] == told[-1][1]
    for name in wanted:
        alone = open_pack("caltech101", Options(setting=name, features=("phog",)), tmp_path, 1)
        assert isinstance(alone, FeaturePack)
        assert tuple(alone.categories) == SETTINGS_OF["caltech101"][name]
        assert alone.fingerprint == opened.packs[name].fingerprint
        assert any(notice.startswith(f"{name}: ") for notice in opened.notices)
