"""Domains with the same classes: what the shifts do, what the released files hold, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tlbench.datasets import DataError, DataMissingError, Options, find, open_data
from tlbench.datasets.domain_pairs import (
    MNIST_USPS,
    OFFICE_CALTECH10,
    OFFICE_CLASSES,
    Labelled,
    as_domain,
    gradient_histograms,
    load_mnist_usps,
    load_office_caltech10,
    turned,
    worn,
)


@pytest.fixture(scope="module")
def shifted():
    return open_data("shifted-digits", Options(), Path("unused"))


def test_the_three_domains_are_the_same_pictures(shifted):
    plain, turned_, worn_ = (shifted.packs[name] for name in ("plain", "turned", "worn"))
    assert list(shifted.packs) == ["plain", "turned", "worn"]
    assert plain.identities == turned_.identities == worn_.identities == tuple(sorted(plain.identities))
    assert len(plain.identities) == 1797
    for name, rows in plain.categories.items():
        np.testing.assert_array_equal(rows, turned_.categories[name])
        np.testing.assert_array_equal(rows, worn_.categories[name])
        assert not len(plain.background_of(name))
    pictures = plain.features["pixels"].reshape(-1, 8, 8)
    np.testing.assert_array_equal(turned_.features["pixels"].reshape(-1, 8, 8), turned(pictures))
    np.testing.assert_array_equal(worn_.features["pixels"].reshape(-1, 8, 8), worn(pictures))
    assert {kind: values.shape[1] for kind, values in plain.features.items()} == {"pixels": 64, "gradients": 32}


def test_plain_digits_are_those_of_scikit_learn(shifted):
    from sklearn.datasets import load_digits

    values, digits = load_digits(return_X_y=True)
    pack = shifted.packs["plain"]
    for number, rows in enumerate(pack.categories.values()):
        ours = {row.tobytes() for row in pack.features["pixels"][rows] * 16}
        assert ours == {row.tobytes() for row in values[digits == number]}


def test_turning_moves_what_is_above_to_the_left_and_keeps_the_middle():
    picture = np.zeros((1, 9, 9))
    picture[0, 4, 4] = picture[0, 1, 4] = 1.0
    moved = turned(picture)[0]
    assert moved[4, 4] == 1.0
    y, x = np.unravel_index(np.argmax(np.where(np.arange(81).reshape(9, 9) == 40, 0, moved)), (9, 9))
    # 30 degrees from straight up, three pixels from the middle
    assert (y - 4, abs(x - 4)) == (-3, 1) or (y - 4, abs(x - 4)) == (-3, 2)


def test_worn_pictures_have_less_contrast_on_a_ground_and_noise_that_is_always_the_same():
    flat = np.stack([np.zeros((40, 40)), np.ones((40, 40))])
    found = worn(flat)
    assert found.mean(axis=(1, 2)) == pytest.approx([0.3, 0.7], abs=0.01)
    assert found.std(axis=(1, 2)) == pytest.approx([0.1, 0.1], abs=0.01)
    np.testing.assert_array_equal(found, worn(flat))
    np.testing.assert_allclose(found * 255, np.rint(found * 255), atol=1e-9)


def test_gradient_histograms_by_hand():
    draw = np.random.default_rng(3)
    picture = draw.random((8, 12)).repeat(1, axis=0)[:8, :8]
    down, along = np.gradient(picture)
    expected = np.zeros((2, 2, 8))
    for y in range(8):
        for x in range(8):
            angle = np.arctan2(down[y, x], along[y, x]) + np.pi
            expected[y // 4, x // 4, int(angle / (np.pi / 4)) % 8] += np.hypot(down[y, x], along[y, x])
    expected /= np.sqrt(np.mean(np.square(expected)))
    np.testing.assert_allclose(gradient_histograms(picture[None])[0], expected.ravel())
    assert not gradient_histograms(np.full((1, 8, 8), 0.4)).any()


def mnist_usps(path, **changed):
    """A file laid out as released, smaller."""
    h5py = pytest.importorskip("h5py")
    draw = np.random.default_rng(0)
    content = {
        "Xs": draw.random((30, 256)),
        "Ys": np.tile(np.arange(1.0, 11.0), 3)[None],
        "Xt": draw.random((20, 256)),
        "Yt": np.tile(np.arange(1.0, 11.0), 2)[None],
    } | changed
    with h5py.File(path, "w") as file:
        for name, values in content.items():
            if values is not None:
                file[name] = values
    return content


def test_the_released_layout_of_mnist_and_usps(tmp_path):
    content = mnist_usps(tmp_path / "some.mat")
    packs = load_mnist_usps(tmp_path / "some.mat").packs
    assert {name: len(pack.identities) for name, pack in packs.items()} == {"mnist": 30, "usps": 20}
    three = packs["mnist"].features["pixels"][packs["mnist"].categories["three"]]
    assert {row.tobytes() for row in three} == {row.tobytes() for row in content["Xs"][3::10]}
    assert packs["usps"].features["gradients"].shape == (20, 128)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"Yt": None}, "Yt"),
        ({"Xs": np.zeros((30, 255))}, "256 numbers"),
        ({"Ys": np.zeros((1, 30))}, "1 to 10"),
        ({"Ys": np.full((1, 30), 1.5)}, "1 to 10"),
        ({"Xt": np.full((20, 256), np.nan)}, "NaN"),
    ],
)
def test_other_layouts_are_refused(tmp_path, changed, says):
    mnist_usps(tmp_path / "some.mat", **changed)
    with pytest.raises(DataError, match=says):
        load_mnist_usps(tmp_path / "some.mat")


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "some.mat").write_bytes(b"not HDF5")
    with pytest.raises(DataError, match="not MNIST_vs_USPS"):
        load_mnist_usps(tmp_path / "some.mat")


def office(folder, **changed):
    """Four files laid out as released; ``changed`` replaces what lies in that of amazon."""
    draw = np.random.default_rng(1)
    written = {}
    for name, file in OFFICE_CALTECH10.items():
        counts = draw.integers(0, 4, (20, 800)).astype(np.uint8)
        content = {"fts": counts, "labels": np.tile(np.arange(1, 11), 2)[:, None].astype(np.uint8)}
        written[name] = content | (changed if name == "amazon" else {})
        (folder / file.path).parent.mkdir(exist_ok=True)
        scipy.io.savemat(folder / file.path, {key: value for key, value in written[name].items() if value is not None})
    return written


def test_the_released_layout_of_office_caltech10(tmp_path):
    content = office(tmp_path)
    packs = load_office_caltech10(tmp_path).packs
    assert list(packs) == ["amazon", "caltech", "dslr", "webcam"]
    for name, pack in packs.items():
        assert list(pack.categories) == list(OFFICE_CLASSES)
        np.testing.assert_allclose(np.square(pack.features["surf"]).sum(axis=1), 1.0)
        counts = content[name]["fts"][7::10].astype(float)
        mice = pack.features["surf"][pack.categories["computer-mouse"]]
        expected = np.sqrt(counts / counts.sum(axis=1, keepdims=True))
        np.testing.assert_allclose(np.sort(mice, axis=0), np.sort(expected, axis=0))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"labels": None}, "labels"),
        ({"fts": np.ones((20, 799))}, "800 numbers"),
        ({"fts": np.zeros((20, 800))}, "all zero"),
        ({"fts": np.full((20, 800), np.inf)}, "NaN or infinity"),
        ({"labels": np.full((20, 1), 11)}, "1 to 10"),
    ],
)
def test_other_files_of_office_caltech10_are_refused(tmp_path, changed, says):
    office(tmp_path, **changed)
    with pytest.raises(DataError, match=f"amazon_SURF_L10.mat is not .*{says}"):
        load_office_caltech10(tmp_path)


def test_one_example_stands_once_and_under_one_label():
    features = {"f": np.array([[1.0], [2.0], [1.0]])}
    pack = as_domain(Labelled(["b", "a", "b"], [1, 0, 1], features), ["zero", "one"])
    assert pack.identities == ("a", "b")
    np.testing.assert_array_equal(pack.features["f"], [[2.0], [1.0]])
    assert pack.notices == ("1 examples repeat another of the same class to the last digit: kept once",)
    with pytest.raises(DataError, match="rows 1 and 3 are one example under two labels"):
        as_domain(Labelled(["b", "a", "b"], [1, 0, 0], features), ["zero", "one"])


def test_what_is_fetched_is_pinned():
    for name in ("mnist-usps", "office-caltech10"):
        files = find(name)[0].every_file
        assert all(file.sha256 and file.size for file in files)
        assert all(url.startswith("https://raw.githubusercontent.com/") for file in files for url in file.urls)
        with pytest.raises(DataMissingError):
            open_data(name, Options(), Path("nowhere"))


# The real files, where there are some


@pytest.mark.skipif("TLBENCH_REAL_DATA" not in os.environ, reason="TLBENCH_REAL_DATA names no folder")
def test_the_real_files():
    folder = Path(os.environ["TLBENCH_REAL_DATA"])
    if not (folder / MNIST_USPS.path).exists():
        pytest.skip("it has no domains")
    digits = open_data("mnist-usps", Options(), folder)
    assert {name: len(pack.identities) for name, pack in digits.packs.items()} == {"mnist": 2000, "usps": 1800}
    # A zero has a hole in the middle, a one has none.
    for pack in digits.packs.values():
        middle = pack.features["pixels"].reshape(-1, 16, 16)[:, 7:9, 7:9].mean(axis=(1, 2))
        assert middle[pack.categories["zero"]].mean() < 0.25 < middle[pack.categories["one"]].mean()
    surf = open_data("office-caltech10", Options(), folder)
    assert {name: len(pack.identities) for name, pack in surf.packs.items()} == {
        "amazon": 933,
        "caltech": 1122,
        "dslr": 157,
        "webcam": 295,
    }
