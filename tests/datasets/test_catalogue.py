"""Data sets by the name a user types: unknown names, options that a set does not have, files that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlbench.datasets import (
    CATALOGUE,
    DataError,
    DataMissingError,
    Options,
    find,
    kernel_loaders,
    needed_files,
    open_data,
    open_pictures,
    public_name,
    require_shape,
    short_name,
)
from tlbench.datasets.digits import load_digits
from tlbench.datasets.remote_files import RemoteFile


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "my set.csv"
    labels = ["cat", "cat", "dog", "dog", "clutter"]
    path.write_text("identity,label,x\n" + "".join(f"p{n},{label},{n}\n" for n, label in enumerate(labels)))
    return path


def test_every_entry_says_what_it_is_and_its_licence():
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    for entry in CATALOGUE:
        assert entry.says
        assert entry.licence
        assert entry.offers
        understood = {
            "features": {"setting", "background", "categories", "features"},
            "pictures": {"background", "categories", "side", "class_list"},
            "tables": set(),
        }
        for shape, offer in entry.offers.items():
            assert set(offer.options) <= understood[shape]
        assert ("setting" in entry.options) == (len(entry.files) > 1 or entry.collection.startswith("caltech"))
        for file in entry.every_file:
            assert file.sha256 is None or len(file.sha256) == 64
            assert all(url.startswith(("https://", "http://www.gaussianprocess.org")) for url in file.urls)


def test_what_is_fetched_is_pinned():
    entry = find("caltech256-features")[0]
    assert set(entry.files) == {"mixed", "related", "unrelated"}
    assert len({file.sha256 for file in entry.every_file}) == 3
    for file in entry.every_file:
        assert "ebeac00698341ff23eeeda21c5a4e9bcb2ec14c1" in file.urls[0]
        assert file.size > 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("digit", "did you mean 'digits'"),
        ("caltech256-feature", "did you mean 'caltech256-features'"),
        ("Digits", "did you mean 'digits'"),
        (
            "zzz",
            "known are digits, caltech256-features, caltech256, caltech101, cifar10, .* folder:PATH, features:PATH",
        ),
        ("cifar", "did you mean 'cifar10'"),
        ("", "known are"),
        ("features:", "no data set 'features:'"),
        ("digits:x", "no data set 'digits:x'"),
        ("pictures:/some/where", "no data set"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, says, tmp_path):
    for attempt in (
        lambda: find(name),
        lambda: open_data(name, Options(), tmp_path),
        lambda: needed_files(name, Options()),
        lambda: open_pictures(name, Options(), tmp_path),
    ):
        with pytest.raises(DataError, match=says):
            attempt()


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "digits",
            Options(setting="mixed"),
            "'digits' has no setting to choose; caltech256-features, caltech256, caltech101 have",
        ),
        ("digits", Options(background="zero"), "'digits' has no background to choose; folder:PATH, features:PATH have"),
        ("digits", Options(categories=("zero", "one")), "'digits' has no categories to choose"),
        ("caltech256-features", Options(background="x"), "has no background to choose"),
        ("caltech256-features", Options(categories=("x",)), "has no categories to choose"),
        ("features:x.csv", Options(setting="mixed"), "'features:PATH' has no setting to choose"),
    ],
)
def test_an_option_that_a_set_does_not_have_is_refused(tmp_path, name, options, says):
    with pytest.raises(DataError, match=says):
        open_data(name, options, tmp_path)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("digits", Options(setting="mixed"), "'digits' has no setting to choose in this experiment"),
        ("caltech101", Options(features=("phog",)), "'caltech101' has no features to choose in this experiment"),
        (
            "digits",
            Options(side=9),
            "'digits' has no side to choose; caltech101, tiny-imagenet, imagenet, folder:PATH have",
        ),
        ("cifar10", Options(background="cat"), "'cifar10' has no background to choose; folder:PATH has"),
    ],
)
def test_an_option_that_networks_do_not_have_is_refused(tmp_path, name, options, says):
    with pytest.raises(DataError, match=says):
        open_pictures(name, options, tmp_path)


def test_an_option_of_networks_is_none_of_kernel_machines(tmp_path):
    with pytest.raises(DataError, match="'caltech101' has no side to choose in this experiment"):
        open_data("caltech101", Options(side=32), tmp_path)
    with pytest.raises(DataError, match="has no class_list to choose in this experiment"):
        open_data("digits", Options(class_list="list.csv"), tmp_path)


def test_a_shape_that_a_set_does_not_have_names_those_that_do(tmp_path):
    says = r"'cifar10' is for networks and not for kernel machines; digits, .*features:PATH are"
    with pytest.raises(DataError, match=says):
        open_data("cifar10", Options(), tmp_path)
    says = r"'features:PATH' is for kernel machines and not for networks; digits, caltech101, .*folder:PATH are"
    with pytest.raises(DataError, match=says):
        open_pictures("features:x.csv", Options(), tmp_path)


def test_a_shape_can_be_asked_for_before_anything_is_fetched():
    for name in ("digits", "caltech101", "folder:/nowhere"):
        require_shape(name, "pictures")
        require_shape(name, "features")
    require_shape("cifar10", "pictures")
    with pytest.raises(DataError, match="'cifar10' is for networks"):
        require_shape("cifar10", "features")


def test_classes_and_kinds_that_a_user_chooses(tmp_path):
    chosen = Options(categories=("nine", "one", "four", "seven"))
    pictures = open_pictures("digits", chosen, tmp_path)
    assert pictures.classes == ("one", "four", "seven", "nine")
    assert pictures.kinds is None
    with pytest.raises(DataError, match="there is no class 'for'; did you mean 'four'"):
        open_pictures("digits", Options(categories=("one", "for")), tmp_path)
    (tmp_path / "list.csv").write_text("class,kind\none,natural\nnine,natural\nfour,man-made\nseven,man-made\n")
    for path in (tmp_path / "list.csv", str(tmp_path / "list.csv")):
        with_kinds = open_pictures("digits", replace(chosen, class_list=path), tmp_path)
        assert with_kinds.kinds == ("natural", "man-made", "man-made", "natural")
        assert with_kinds.fingerprint != pictures.fingerprint
        assert open_pictures("digits", Options(class_list=path), tmp_path).kinds.count("") == 6
    assert with_kinds.notices == (
        *pictures.notices,
        "class_list names 2 natural and 2 man-made of 4 classes; random halves do not use it, "
        "class_split=natural-manmade does",
    )
    with pytest.raises(DataError, match="class_list is empty; give it the path of a CSV file"):
        open_pictures("digits", Options(class_list=""), tmp_path)


def test_an_unknown_setting_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(DataError, match="no setting 'mixd'; did you mean 'mixed'"):
        open_data("caltech256-features", Options(setting="mixd"), tmp_path)
    with pytest.raises(DataError, match="known are mixed, related, unrelated"):
        needed_files("caltech256-features", Options(setting="zzz"))


def test_what_is_needed():
    assert needed_files("digits", Options()) == []
    assert needed_files("features:x.csv", Options()) == []
    mixed, related = (needed_files("caltech256-features", Options(setting=s)) for s in (None, "related"))
    assert [file.path for file in mixed + related] == [
        "caltech256-features/10class_mix.mat",
        "caltech256-features/6class_rel.mat",
    ]


def test_a_file_that_is_not_there_or_not_the_one_is_said_and_never_replaced(tmp_path):
    path = tmp_path / "caltech256-features" / "10class_mix.mat"
    with pytest.raises(DataMissingError, match=r"10class_mix\.mat is missing"):
        open_data("caltech256-features", Options(), tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"half of it")
    with pytest.raises(DataMissingError, match=r"10class_mix\.mat is damaged"):
        open_data("caltech256-features", Options(), tmp_path)
    assert path.read_bytes() == b"half of it"


def test_a_sound_file_is_loaded(tmp_path, monkeypatch):
    import hashlib

    content = b"as released"
    file = RemoteFile(
        "caltech256-features/some.mat", ("https://example.org/x",), 11, hashlib.sha256(content).hexdigest()
    )
    monkeypatch.setitem(kernel_loaders.SETTINGS, "mixed", (file,))
    read, digits = [], load_digits()
    monkeypatch.setattr(kernel_loaders, "load_caltech256_features", lambda path: read.append(path) or digits)
    target = tmp_path / file.path
    target.parent.mkdir()
    target.write_bytes(content)
    assert open_data("caltech256-features", Options(), tmp_path) is digits
    assert read == [target]


def test_a_users_table_is_opened_with_what_was_chosen(table, tmp_path):
    pack = open_data(f"features:{table}", Options(), tmp_path / "unused")
    assert (list(pack.categories), len(pack.background)) == (["cat", "dog"], 1)
    pack = open_data(f"features:{table}", Options(background="dog", categories=("clutter", "cat")), tmp_path)
    assert (list(pack.categories), len(pack.background)) == (["clutter", "cat"], 2)
    with pytest.raises(DataError, match="is not a file"):
        open_data(f"features:{tmp_path}/none.csv", Options(), tmp_path)


def test_a_path_may_be_relative_to_here_or_home(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for reference in ("features:my set.csv", "features:~/my set.csv"):
        assert find(reference)[1] == table
    assert find("features:C:/x.csv")[1].name == "x.csv"


def test_names_that_results_are_filed_under(table, digits, tmp_path):
    pack = open_data(f"features:{table}", Options(), tmp_path)
    assert short_name(f"features:{table}", pack) == f"my set-{pack.fingerprint[:6]}"
    assert public_name(f"features:{table}") == "features:my set.csv"
    pictures = open_pictures("digits", Options(), tmp_path)
    assert short_name("digits", pictures) == "digits"
    assert short_name("folder:/my/birds", pictures) == f"birds-{pictures.fingerprint[:6]}"
    assert short_name("digits", digits) == public_name("digits") == "digits"


def test_the_digits_need_no_folder(digits):
    pack = open_data("digits", Options(), Path("/nonexistent"))
    assert np.array_equal(pack.features["pixels"], digits.features["pixels"])
