"""Folders of pictures as users have them: odd names, strays, repeats, mistakes; and an index that spares reading."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tlbench import opening
from tlbench.datasets import Options, picture_folder
from tlbench.datasets.errors import DataError
from tlbench.datasets.picture_folder import SUFFIXES, list_pictures, scan
from tlbench.features import PictureError

PLAIN = {"cat": ["1.jpg", "2.jpg"], "dog": ["1.jpg", "2.PNG", "3.jpeg"], "background": ["1.jpg", "2.jpg"]}


def make(folder: Path, labels: dict[str, list[str]]) -> Path:
    for label, names in labels.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / label / name).write_bytes(f"{label}/{name}".encode("utf-8", "surrogateescape"))
    return folder


def identity(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:32]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read to be known."""
    real, seen = picture_folder.hash_file, []

    def hash_file(path: Path, algorithm: str) -> object:
        seen.append(f"{path.parent.name}/{path.name}")
        return real(path, algorithm)

    monkeypatch.setattr(picture_folder, "hash_file", hash_file)
    return seen


# What is found


def test_pictures_are_known_by_content_and_sorted_by_it(tmp_path):
    told = []
    found = scan(make(tmp_path, PLAIN), progress=lambda *said: told.append(said))
    assert found.categories == ("cat", "dog")
    assert found.background == "background"
    assert found.notices == ()
    wanted = [
        (identity(f"{label}/{name}"), tmp_path / label / name, label)
        for label, names in PLAIN.items()
        for name in names
    ]
    assert found.pictures == tuple(sorted(wanted))
    assert told == [(done, 7) for done in range(1, 8)]


def test_categories_are_kept_alone_in_the_order_asked_for(tmp_path, reads):
    make(tmp_path, {**PLAIN, "eel": ["1.jpg"], "empty": []})
    found = scan(tmp_path, ("eel", "cat", "eel"))
    assert found.categories == ("eel", "cat")
    assert {label for _, _, label in found.pictures} == {"eel", "cat", "background"}
    assert not [name for name in reads if name.startswith("dog")]
    assert found.fingerprint == scan(tmp_path, ("cat", "eel")).fingerprint


@pytest.mark.parametrize("name", ["Background", "BACKGROUND_Google", "257.clutter", "Clutter"])
def test_a_usual_background_is_found_and_any_other_can_be_named(tmp_path, name):
    make(tmp_path, {name: ["1.jpg"], "cat": ["1.jpg"], "dog": ["1.jpg"]})
    assert scan(tmp_path).background == name
    assert scan(tmp_path, background="cat").categories == tuple(sorted([name, "dog"]))


def test_labels_may_be_made_from_folders_and_asked_for_by_either_name(tmp_path):
    make(tmp_path, {"001.cat": ["1.jpg"], "002.dog-101": ["1.jpg"], "257.clutter": ["1.jpg"]})

    def plain(name: str) -> str:
        return name[4:].removesuffix("-101")

    found = scan(tmp_path, ("002.dog-101", "cat"), name_of=plain)
    assert (found.categories, found.background) == (("dog", "cat"), "clutter")
    assert scan(tmp_path, background="257.clutter", name_of=plain).categories == ("cat", "dog")
    make(tmp_path, {"003.cat": ["2.jpg"]})
    with pytest.raises(DataError, match=r"001\.cat and .*003\.cat are both 'cat'"):
        scan(tmp_path, name_of=plain)


def test_strays_are_passed_over_with_a_notice_and_litter_without(tmp_path):
    make(tmp_path, {**PLAIN, "__MACOSX": ["1.jpg"], ".git": ["1.jpg"], "dog/more": ["1.jpg"], "dog/x.jpg": []})
    for name in ("dog/Thumbs.db", "dog/.DS_Store", "dog/._1.jpg", "read.me", "cat/notes.txt", "cat/RENAME2", "cat/jpg"):
        (tmp_path / name).write_bytes(b"?")
    found = scan(tmp_path)
    assert len(found.pictures) == 7
    assert found.notices == (
        "3 files under 'cat' not named like a picture: passed over",
        "2 folders inside 'dog': not looked into",
    )


def test_every_suffix_counts_in_any_case_and_others_can_be_given(tmp_path):
    make(tmp_path, {"x": [f"a{suffix}" for suffix in SUFFIXES] + [f"b{suffix.upper()}" for suffix in SUFFIXES]})
    (tmp_path / "x/c.xyz").touch()
    assert len(list_pictures(tmp_path / "x").pictures) == 20
    assert list(list_pictures(tmp_path / "x", (".XYZ",)).pictures) == ["c.xyz"]


@pytest.mark.fault("input")
def test_links_of_the_users_own_are_followed(tmp_path):
    make(tmp_path / "real", PLAIN)
    (tmp_path / "set/pair").mkdir(parents=True)
    for label in ("dog", "background"):
        (tmp_path / "set" / label).symlink_to(tmp_path / "real" / label)
    (tmp_path / "set/pair/1.jpg").symlink_to(tmp_path / "real/cat/1.jpg")
    assert len(scan(tmp_path / "set").pictures) == 6


@pytest.mark.fault("leakage")
def test_the_same_picture_twice_under_a_label_is_kept_once(tmp_path):
    make(tmp_path, PLAIN)
    for name in ("0.jpg", "9.jpg", "8.png"):
        shutil.copy(tmp_path / "dog/1.jpg", tmp_path / "dog" / name)
    shutil.copy(tmp_path / "cat/1.jpg", tmp_path / "cat/9.jpg")
    found = scan(tmp_path)
    assert found.notices == (
        "1 picture stands twice under 'cat': kept once",
        "3 pictures stand twice under 'dog': kept once",
    )
    assert len(found.pictures) == 7
    assert (identity("dog/1.jpg"), tmp_path / "dog/0.jpg", "dog") in found.pictures
    for name in ("dog/0.jpg", "dog/9.jpg", "dog/8.png", "cat/9.jpg"):
        (tmp_path / name).unlink()
    assert scan(tmp_path).fingerprint == found.fingerprint


@pytest.mark.fault("leakage")
@pytest.mark.parametrize("label", ["cat", "background"])
def test_the_same_picture_under_two_labels_names_both_files(tmp_path, label):
    make(tmp_path, PLAIN)
    shutil.copy(tmp_path / "dog/1.jpg", tmp_path / label / "same.png")
    with pytest.raises(DataError, match="are the same picture; remove one") as caught:
        scan(tmp_path)
    assert str(tmp_path / "dog/1.jpg") in str(caught.value)
    assert str(tmp_path / label / "same.png") in str(caught.value)


def test_the_fingerprint_is_of_what_can_change_a_result(tmp_path):
    before = scan(make(tmp_path / "a", PLAIN)).fingerprint
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/dog/1.jpg").rename(tmp_path / "b/dog/new.jpg")
    assert scan(tmp_path / "b").fingerprint == before
    (tmp_path / "b/dog/new.jpg").rename(tmp_path / "b/cat/new.jpg")
    assert scan(tmp_path / "b").fingerprint != before
    assert scan(tmp_path / "a", background="cat").fingerprint != before


# What is refused


@pytest.mark.fault("input")
def test_what_is_no_folder_of_folders_is_named(tmp_path):
    (tmp_path / "file.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="is a file, not a folder; give"):
        scan(tmp_path / "file.jpg")
    with pytest.raises(DataError, match="is not there; give"):
        scan(tmp_path / "none")
    with pytest.raises(DataError, match="has no folders in it; put"):
        scan(tmp_path)


@pytest.mark.fault("input")
@pytest.mark.parametrize(
    ("labels", "asked", "says"),
    [
        ({"dog": ["1.jpg"]}, {}, "holds 'dog' alone; a background and at least two"),
        ({"dog": ["1.jpg"], "background": ["1.jpg"]}, {}, "holds 'background', 'dog' alone"),
        (PLAIN, {"categories": ("dog",)}, "only 'dog' is a category"),
        (PLAIN, {"categories": ("dog", "dog")}, "only 'dog' is a category"),
        (PLAIN, {"categories": ("dog", "Cta")}, "no label 'Cta' in .*; did you mean 'cat'"),
        (PLAIN, {"categories": ("dog", "zebra fish")}, "no label 'zebra fish' in .*; there are 'background', 'cat'"),
        (PLAIN, {"background": "Dogs"}, "no label 'Dogs' in .*; did you mean 'dog'"),
        (PLAIN, {"categories": ("dog", "background")}, "'background' is the background and cannot"),
        (PLAIN, {"categories": ("dog", "cat"), "background": "dog"}, "'dog' is the background and cannot"),
        ({"a": ["1.jpg"], "b": ["1.jpg"], "c": ["1.jpg"]}, {}, r"no label is a background; name .*--background \('a'"),
        ({**PLAIN, "clutter": ["1.jpg"]}, {}, "'background', 'clutter' could each be the background"),
        ({**PLAIN, "eel": []}, {}, "'eel' has no picture in .*eel; add some"),
        ({**PLAIN, "eel": ["a.txt"]}, {}, "'eel' has no picture"),
        ({**PLAIN, "eel/deep": ["1.jpg"]}, {}, r"'eel' has no picture in .* directly \(1 folders in it"),
        ({**PLAIN, "background": []}, {}, "'background' has no picture"),
    ],
)
def test_a_users_mistake_is_told_in_one_sentence(tmp_path, labels, asked, says):
    with pytest.raises(DataError, match=says) as caught:
        scan(make(tmp_path, labels), **asked)
    assert "\n" not in str(caught.value)


@pytest.mark.fault("input")
def test_files_that_cannot_be_read_are_named(tmp_path):
    make(tmp_path, PLAIN)
    (tmp_path / "dog/9.jpg").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"dog.9\.jpg is a link to nowhere"):
        scan(tmp_path)
    (tmp_path / "dog/9.jpg").unlink()
    os.mkfifo(tmp_path / "dog/9.jpg")
    with pytest.raises(DataError, match=r"9\.jpg is no plain file"):
        scan(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_files_without_the_right_to_read_are_named(tmp_path):
    (make(tmp_path, PLAIN) / "dog/1.jpg").chmod(0)
    with pytest.raises(DataError, match=r"cannot read .*1\.jpg \(Permission denied"):
        scan(tmp_path)


@pytest.mark.fault("input")
def test_a_label_that_is_not_utf8_is_named_and_a_file_may_be(tmp_path):
    make(tmp_path, {**PLAIN, "dog": ["1.jpg", os.fsdecode(b"\xff.jpg")]})
    assert len(scan(tmp_path, index=tmp_path / ".index").pictures) == 6
    (tmp_path / os.fsdecode(b"\xe9l")).mkdir()
    with pytest.raises(DataError, match=r"'\\udce9l' in .* is not UTF-8; rename it"):
        scan(tmp_path)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40)
NAMES = NAMES.filter(lambda name: not name.startswith(".") and len(name.encode()) < 200)


@pytest.mark.fault("input")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=3, max_size=3, unique_by=str.casefold), NAMES)
def test_names_in_any_script_with_quotes_and_newlines_work(tmp_path, labels, name):
    assume(len({unicodedata.normalize("NFC", label) for label in labels}) == 3)
    shutil.rmtree(tmp_path / "set", ignore_errors=True)
    make(tmp_path / "set", {label: [f"{name}.jpg"] for label in labels})
    found = scan(tmp_path / "set", background=labels[0], index=tmp_path / "index")
    assert len(found.categories) == 2
    assert {path.read_bytes() for _, path, _ in found.pictures} == {f"{one}/{name}.jpg".encode() for one in labels}
    assert scan(tmp_path / "set", labels[1:], labels[0], index=tmp_path / "index").pictures == found.pictures


@pytest.mark.parametrize("asked", ["caf\u00e9", "cafe\u0301"])
def test_composition_makes_no_difference(tmp_path, asked):
    make(tmp_path, {**PLAIN, "cafe\u0301": ["1.jpg"]})
    assert scan(tmp_path, (asked, "dog")).categories == ("caf\u00e9", "dog")


# The index


def test_a_second_scan_reads_nothing(tmp_path, reads):
    make(tmp_path / "set", PLAIN)
    first = scan(tmp_path / "set", index=tmp_path / "index")
    assert len(reads) == 7
    [file] = (tmp_path / "index").iterdir()
    before = file.stat()
    assert scan(tmp_path / "set", index=tmp_path / "index") == first
    assert len(reads) == 7
    assert file.stat() == before
    scan(tmp_path / "set")  # and without the index all is read
    assert len(reads) == 14


def test_a_picture_replaced_by_one_of_the_same_size_and_date_is_noticed(tmp_path):
    make(tmp_path / "set", PLAIN)
    first = scan(tmp_path / "set", index=tmp_path / "index")
    for _, path, _ in first.pictures:
        about = path.stat()
        path.write_bytes(bytes(about.st_size))
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    with pytest.raises(DataError, match="same picture"):
        scan(tmp_path / "set", index=tmp_path / "index")


def test_what_is_new_or_changed_alone_is_read_and_what_is_gone_is_forgotten(tmp_path, reads):
    make(tmp_path / "set", {**PLAIN, "eel": ["1.jpg"]})
    scan(tmp_path / "set", index=tmp_path / "index")
    reads.clear()
    (tmp_path / "set/dog/new.jpg").write_bytes(b"new")
    (tmp_path / "set/cat/1.jpg").write_bytes(b"longer than it was")
    os.utime(tmp_path / "set/cat/2.jpg", ns=(0, 0))
    (tmp_path / "set/dog/1.jpg").unlink()
    scan(tmp_path / "set", ("cat", "dog"), index=tmp_path / "index")
    assert sorted(reads) == ["cat/1.jpg", "cat/2.jpg", "dog/new.jpg"]
    [file] = (tmp_path / "index").iterdir()
    kept = json.loads(file.read_text())["pictures"]
    assert "dog/1.jpg" not in kept
    assert "eel/1.jpg" in kept  # not asked for this time
    reads.clear()
    scan(tmp_path / "set", index=tmp_path / "index")
    assert reads == []


def test_what_was_read_before_an_interruption_is_remembered(tmp_path, reads):
    make(tmp_path / "set", PLAIN)

    def interrupt(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(tmp_path / "set", index=tmp_path / "index", progress=interrupt)
    scan(tmp_path / "set", index=tmp_path / "index")
    assert len(reads) == 7


@pytest.mark.fault("damage")
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"pictures": {"a": [1, 2]}}', b'{"pictures": {"a": [1, 2, 3]}}']
)
def test_a_spoilt_index_is_no_index(tmp_path, reads, content):
    make(tmp_path / "set", PLAIN)
    first = scan(tmp_path / "set", index=tmp_path / "index")
    [file] = (tmp_path / "index").iterdir()
    file.write_bytes(content)
    assert scan(tmp_path / "set", index=tmp_path / "index") == first
    assert len(reads) == 14
    assert scan(tmp_path / "set", index=tmp_path / "index") == first
    assert len(reads) == 14


def test_an_index_that_cannot_be_written_costs_time_alone(tmp_path, monkeypatch):
    (tmp_path / "index").write_bytes(b"a file in its place")
    first = scan(make(tmp_path / "set", PLAIN), index=tmp_path / "index")
    assert scan(tmp_path / "set", index=tmp_path / "index") == first

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert scan(tmp_path / "set", index=tmp_path / "other") == first
    assert list((tmp_path / "other").iterdir()) == []


def test_a_picture_still_being_written_is_not_remembered(tmp_path, monkeypatch):
    make(tmp_path / "set", PLAIN)
    real = picture_folder.hash_file

    def hash_file(path: Path, algorithm: str) -> object:
        result = real(path, algorithm)
        if path.name == "3.jpeg":
            path.write_bytes(b"more and more")
        return result

    with monkeypatch.context() as patch:
        patch.setattr(picture_folder, "hash_file", hash_file)
        first = scan(tmp_path / "set", index=tmp_path / "index")
    second = scan(tmp_path / "set", index=tmp_path / "index")
    assert first.fingerprint != second.fingerprint
    assert hashlib.sha256(b"more and more").hexdigest()[:32] in {identity for identity, _, _ in second.pictures}


@pytest.mark.fault("input")
def test_an_error_over_a_broken_picture_says_how_to_leave_it_out(tmp_path):
    make(tmp_path / "set", PLAIN)
    with pytest.raises(PictureError, match=r"\.(jpg|PNG|jpeg) .*; leave out what is broken with --skip-broken"):
        opening.open_pack(f"folder:{tmp_path / 'set'}", Options(features=("pixels",)), tmp_path / "data", jobs=1)
