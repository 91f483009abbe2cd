"""Whatever the input: it is read for what it says, or refused in a sentence."""

from __future__ import annotations

import copy
import tomllib
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.understood import cases, understood
from tlbench import preparing, protocol
from tlbench.datasets import DataError
from tlbench.datasets.class_folders import list_class_folders
from tlbench.datasets.feature_table import load_feature_table
from tlbench.datasets.picture_folder import scan
from tlbench.plan import Plan
from tlbench.protocol import Protocol, ProtocolError
from tlbench.settings import Settings, resolve
from tlbench.study import digest

pytestmark = pytest.mark.fault("input")

EXPERIMENTS = sorted(protocol.shipped())
ODD_TEXT = st.one_of(
    st.sampled_from(
        ["", " ", "é", "日本", "\u202e", "a\nb", "'", '"', "../up", "x" * 3000, "nan", "none", "\x00", "🦆"]
    ),
    st.text(max_size=12),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    ODD_TEXT,
    st.lists(st.one_of(st.integers(-3, 3), ODD_TEXT), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


# Protocol files


@cache
def shipped_text(name):
    return protocol.shipped()[name].read_text(encoding="utf-8")


def places(content, path=()):
    """The path of every value in plain data."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@given(name=st.sampled_from(EXPERIMENTS), data=st.data())
@cases(50)
def test_a_changed_protocol_is_read_or_refused(faults_tried, name, data):
    content = tomllib.loads(shipped_text(name))
    for _ in range(data.draw(st.integers(1, 2))):
        *path, last = data.draw(st.sampled_from([place for place in places(content) if place]))
        inside = content
        for step in path:
            inside = inside[step]
        match data.draw(st.sampled_from(["another", "gone", "renamed", "twice", "moved"])):
            case "another":
                inside[last] = data.draw(ODD)
            case "gone":
                del inside[last]
            case "renamed" if isinstance(inside, dict):
                inside[data.draw(ODD_TEXT)] = inside.pop(last)
            case "twice" if isinstance(inside, list):
                inside.append(copy.deepcopy(inside[last]))
            case _:
                content[str(last)] = inside[last]
    with understood(ProtocolError, faults_tried):
        declared = protocol.parse(content, "mine.toml")
        study = preparing.study_of(declared)
        for profile in declared.profiles:
            assert isinstance(resolve(declared, study, profile, {}), Settings)


@given(name=st.sampled_from(EXPERIMENTS), data=st.data())
@cases(40)
def test_a_protocol_with_a_slip_of_the_hand_is_read_or_refused(tmp_path_factory, faults_tried, name, data):
    content = bytearray(shipped_text(name).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6))
    path = tmp_path_factory.mktemp("slip") / "mine.toml"
    path.write_bytes(content)
    with understood(ProtocolError, faults_tried):
        assert isinstance(protocol.read(str(path)), Protocol)


VALUES = st.one_of(
    ODD_TEXT,
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.lists(st.integers(-2, 12).map(str), max_size=4).map(",".join),
    st.sampled_from(
        ["[1, 2]", "[[1]]", "{a = 1}", "1979-05-27", "0x10", "1_000", "+1", "true", '"1"', "'x", "1 # 2", "1\n2"]
    ),
)


@given(name=st.sampled_from(EXPERIMENTS), data=st.data())
@cases(80)
def test_whatever_is_set_is_a_setting_or_refused(faults_tried, name, data):
    declared = protocol.read(name)
    study = preparing.study_of(declared)
    known = ["seeds", "conditions", "setting", "categories", "features", *declared.factors, *declared.choices]
    keys = st.one_of(st.sampled_from(known), st.sampled_from(known), ODD_TEXT)
    changes = data.draw(st.dictionaries(keys, VALUES, min_size=1, max_size=3))
    with understood(ProtocolError, faults_tried):
        found = resolve(declared, study, None, changes, "digits")
        assert len(Plan(declared, found, ()).short_hash) == 7
        assert digest(found.parameters) == digest(resolve(declared, study, None, changes, "digits").parameters)


# Tables of features

CELLS = st.one_of(
    st.floats(width=32).map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        ["", "NaN", "nan", "inf", "-inf", "1e400", "1e-400", "NA", "None", "1,5", "0x1F", "true", "١٢", "1 "]
    ),
    st.text(max_size=4),
)
NAMES = st.one_of(
    st.sampled_from(["heron", "ibis", "background", "", " ", "NA", "nan", '"', "a,b", "鶴", "a\nb"]),
    st.text(max_size=5),
)
COLUMNS = st.one_of(
    st.sampled_from(["x", "y", "hog:1", "hog:2", "", "identity", ":", "Unnamed: 0"]), st.text(max_size=4)
)


def packed_or_refused(path, tried):
    """A pack whose every promise holds, or a sentence."""
    with understood(DataError, tried):
        pack = load_feature_table(path, "background")
        assert len(pack.categories) >= 2
        assert list(pack.identities) == sorted(set(pack.identities))
        for values in pack.features.values():
            assert np.isfinite(values).all()
            assert len(values) == len(pack.identities)
        members = np.concatenate([*pack.categories.values(), pack.background])
        assert len(members) == len(set(members.tolist()))


@given(
    columns=st.lists(COLUMNS, max_size=4),
    rows=st.lists(st.tuples(NAMES, NAMES, st.lists(CELLS, min_size=4, max_size=4)), max_size=9),
    quoting=st.sampled_from([0, 1]),
)
@cases(50)
def test_a_table_of_anything_is_a_pack_or_refused(tmp_path_factory, faults_tried, columns, rows, quoting):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    cells = [[identity, label, *values[: len(columns)]] for identity, label, values in rows]
    table = pd.DataFrame(cells, columns=["identity", "label", *columns], dtype=object)
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        table.to_csv(file, index=False, quoting=quoting, escapechar="\\")
    packed_or_refused(path, faults_tried)


@given(
    values=st.lists(st.lists(st.floats(), min_size=2, max_size=2), min_size=6, max_size=6),
    labels=st.lists(st.sampled_from(["heron", "ibis", "background"]), min_size=6, max_size=6),
)
@cases(25)
def test_numbers_of_any_size_are_kept_or_refused(tmp_path_factory, faults_tried, values, labels):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    named = {"identity": [f"p{n}" for n in range(6)], "label": labels}
    pd.DataFrame({**named, "x": [row[0] for row in values], "y": [row[1] for row in values]}).to_csv(path, index=False)
    packed_or_refused(path, faults_tried)


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".npz"]))
@cases(40)
def test_bytes_that_call_themselves_a_table_are_refused(tmp_path_factory, faults_tried, content, suffix):
    path = tmp_path_factory.mktemp("table") / f"t{suffix}"
    path.write_bytes(content)
    packed_or_refused(path, faults_tried)


# Folders of pictures

FILE_NAMES = st.one_of(
    st.sampled_from(
        ["a'b.png", 'c"d.png', "e\nf.png", "g h.PNG", ".hidden.png", "鶴.png", "\u202e.png", "-rf.png", "x.txt"]
    ),
    st.text(st.characters(exclude_characters="/\x00", exclude_categories=("Cs",)), min_size=1, max_size=8),
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)


@given(
    folders=st.dictionaries(FILE_NAMES, st.dictionaries(FILE_NAMES, st.integers(0, 5), max_size=4), max_size=5),
    background=st.one_of(st.none(), FILE_NAMES),
)
@cases(40)
def test_folders_of_any_names_are_pictures_or_refused(tmp_path_factory, faults_tried, folders, background):
    root = tmp_path_factory.mktemp("folders")
    for folder, files in {**folders, "background": {"0.png": 99}}.items():
        (root / folder).mkdir(exist_ok=True)
        for name, content in files.items():
            (root / folder / name).write_bytes(f"{content}".encode())
    with understood(DataError, faults_tried):
        found = scan(root, background=background)
        assert len(found.categories) >= 2
        assert len({identity for identity, *_ in found.pictures}) == len(found.pictures)
        assert {label for *_, label in found.pictures} == {*found.categories, found.background}
    with understood(DataError, faults_tried):
        listed = list_class_folders(root)
        assert all((root / name).is_file() for name in listed.names)
