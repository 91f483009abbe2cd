"""The released feature files: their layout, the pictures that stand in several backgrounds, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tlbench.datasets import Amounts, DataError, Options, draw_task, needed_files, open_data, state
from tlbench.datasets.caltech256_features import SETTINGS, load_caltech256_features

KINDS = ["sift", "phog", "lbp", "regcov"]
NAMES = ["105.horse", "252.car-side-101", "145.motorbikes-101"]
WIDTHS = [4, 3, 2, 5]


def released(repeat=0):
    """What lies in a file: 80 pictures and 30 of background each; the background comes from 50 pictures in all.

    ``repeat`` makes that many pictures of the first category stand there twice.
    """
    draw = np.random.default_rng(7)
    common = [draw.random((50, width)) for width in WIDTHS]
    p = np.empty((3, 4), dtype=object)
    t = np.empty((3, 4), dtype=object)
    chosen = [draw.permutation(50)[:30] for _ in NAMES]
    for row in range(3):
        for column, width in enumerate(WIDTHS):
            own = draw.random((80, width))
            if row == 0 and repeat:
                own[-repeat:] = own[:repeat]
            p[row, column] = np.vstack([own, common[column][chosen[row]]])
            t[row, column] = np.r_[np.ones((80, 1)), -np.ones((30, 1))].astype(np.int16)
    cells = {"p": p, "t": t, "names": np.empty((1, 3), dtype=object), "feat": np.empty((1, 4), dtype=object)}
    cells["names"][0, :] = NAMES
    cells["feat"][0, :] = KINDS
    return cells, chosen


def write(path, cells):
    scipy.io.savemat(path, cells, do_compression=True)
    return path


@pytest.fixture
def file(tmp_path):
    cells, chosen = released()
    return write(tmp_path / "some.mat", cells), cells, chosen


def test_categories_and_kinds_are_named_as_released(file):
    pack = load_caltech256_features(file[0])
    assert list(pack.categories) == ["horse", "car-side", "motorbikes"]
    assert list(pack.features) == KINDS
    assert [values.shape for values in pack.features.values()] == [(len(pack.identities), w) for w in WIDTHS]
    assert pack.identities == tuple(sorted(pack.identities))
    assert pack.own_backgrounds


def test_every_row_is_where_it_belongs(file):
    path, cells, _ = file
    pack = load_caltech256_features(path)
    for row, name in enumerate(pack.categories):
        for column, kind in enumerate(KINDS):
            for rows, wanted in (
                (pack.categories[name], cells["p"][row, column][:80]),
                (pack.background[name], cells["p"][row, column][80:]),
            ):
                mine = pack.features[kind][rows]
                assert len(mine) == len(wanted)
                assert sorted(map(tuple, mine)) == sorted(map(tuple, wanted))


def test_kinds_of_one_picture_stay_together(file):
    path, cells, _ = file
    pack = load_caltech256_features(path)
    whole = {tuple(np.concatenate([cells["p"][row, c][n] for c in range(4)])) for row in range(3) for n in range(110)}
    mine = {tuple(np.concatenate([pack.features[kind][n] for kind in KINDS])) for n in range(len(pack.identities))}
    assert mine == whole


def test_a_background_picture_of_several_categories_is_one_picture(file):
    path, _, chosen = file
    pack = load_caltech256_features(path)
    pictures = len(set(np.concatenate(chosen).tolist()))
    assert len(pack.identities) == 3 * 80 + pictures
    shared = len(np.intersect1d(chosen[0], chosen[1]))
    assert shared > 0
    assert len(np.intersect1d(pack.background["horse"], pack.background["car-side"])) == shared
    assert pack.notices == (
        f"{90 - pictures} background rows repeat a picture of another category's background (as released)",
    )


def test_the_overlap_is_repaired(file):
    pack = load_caltech256_features(file[0])
    amounts = Amounts(5, 5, 15, 30)
    for target in pack.categories:
        task = draw_task(pack, target, amounts, "repaired", 0, range(5))
        mine = {*task.train.ravel().tolist(), *task.test.ravel().tolist()}
        for source in task.sources.values():
            assert not mine & {*source.positives.tolist(), *source.negatives.tolist()}
    kept = draw_task(pack, "horse", amounts, "kept", 0, range(5))
    assert set(kept.test.ravel().tolist()) & {row for s in kept.sources.values() for row in s.negatives.tolist()}


def test_a_picture_that_stands_twice_is_kept_once_and_said(tmp_path):
    pack = load_caltech256_features(write(tmp_path / "some.mat", released(repeat=3)[0]))
    assert [len(rows) for rows in pack.categories.values()] == [77, 80, 80]
    assert "3 pictures stand twice in their category: kept once" in pack.notices


def test_the_same_rows_in_another_order_are_the_same_pack(file, tmp_path):
    path, cells, _ = file
    for row in range(3):
        order = np.r_[np.random.default_rng(row).permutation(80), 80 + np.random.default_rng(row).permutation(30)]
        for column in range(4):
            cells["p"][row, column] = cells["p"][row, column][order]
    other = load_caltech256_features(write(tmp_path / "other.mat", cells))
    assert other.fingerprint == load_caltech256_features(path).fingerprint


def lacking(key):
    return lambda cells: {name: value for name, value in cells.items() if name != key}


@pytest.mark.parametrize(
    "change",
    [
        lacking("p"),
        lacking("names"),
        lacking("feat"),
        lambda cells: {**cells, "p": np.zeros((3, 4))},
        lambda cells: {**cells, "p": cells["p"][:2]},
        lambda cells: {**cells, "feat": cells["feat"][:, :2]},
        lambda cells: {"x": np.zeros(3)},
    ],
    ids=["no p", "no names", "no feat", "p of numbers", "p too short", "feat too short", "something else"],
)
def test_a_file_of_another_layout_is_refused(tmp_path, change):
    path = write(tmp_path / "some.mat", change(released()[0]))
    with pytest.raises(DataError, match="not a feature file as released"):
        load_caltech256_features(path)


@pytest.mark.parametrize("content", [b"", b"not a matlab file at all" * 20, b"MATLAB 5.0 MAT-file" + b" " * 200])
def test_a_file_that_is_no_matlab_file_is_refused(tmp_path, content):
    path = tmp_path / "some.mat"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a feature file as released"):
        load_caltech256_features(path)


def test_a_file_cut_short_is_refused(file, tmp_path):
    path = tmp_path / "short.mat"
    path.write_bytes(file[0].read_bytes()[:3000])
    with pytest.raises(DataError, match="not a feature file as released"):
        load_caltech256_features(path)


# The real files, where there are some


@pytest.mark.skipif("TLBENCH_REAL_DATA" not in os.environ, reason="TLBENCH_REAL_DATA names no folder")
@pytest.mark.parametrize(("setting", "categories"), [("mixed", 10), ("related", 6), ("unrelated", 6)])
def test_the_real_files(setting, categories):
    folder = Path(os.environ["TLBENCH_REAL_DATA"])
    options = Options(setting=setting)
    (file,) = needed_files("caltech256-features", options)
    assert (file,) == SETTINGS[setting]
    assert state(file, folder) == "present"
    assert (folder / file.path).stat().st_size == file.size
    pack = open_data("caltech256-features", options, folder)
    assert len(pack.categories) == categories
    content = scipy.io.loadmat(folder / file.path)
    assert list(pack.features) == [kind[0] for kind in content["feat"].ravel()]
    assert len(pack.features) == 4
    for row, name in enumerate(pack.categories):
        assert 15 <= len(pack.categories[name]) <= 80
        assert content["names"][0, row][0].partition(".")[2].removesuffix("-101") == name
        own = {tuple(example) for example in content["p"][row, 0][:80]}
        assert {tuple(example) for example in pack.features["sift"][pack.categories[name]]} == own
        assert not np.intersect1d(pack.categories[name], pack.background[name]).size
    assert len(np.unique(np.concatenate(list(pack.categories.values())))) == sum(map(len, pack.categories.values()))
    for target in pack.categories:
        task = draw_task(pack, target, Amounts(10, 10, 50, 80), "repaired", 0, range(10))
        mine = {*task.train.ravel().tolist(), *task.test.ravel().tolist()}
        for source in task.sources.values():
            assert not mine & {*source.positives.tolist(), *source.negatives.tolist()}
