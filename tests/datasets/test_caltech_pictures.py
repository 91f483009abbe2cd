"""Both Caltechs in their official layout, from a server that breaks off, resumes and lies, and as found on a disk."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tlbench.datasets import caltech_pictures, downloads, tree_marks
from tlbench.datasets.caltech_pictures import (
    CALTECH101_MIXED,
    CALTECH256_MIXED,
    CALTECH256_RELATED,
    CALTECH256_UNRELATED,
    COLLECTIONS,
    ensure_tree,
    find_tree,
    plain_name,
    scan_tree,
)
from tlbench.datasets.errors import DataError, DataMissingError

FOLDERS256 = ("056.dog", "105.horse", "145.motorbikes-101", "251.airplanes-101", "257.clutter")
FOLDERS101 = ("BACKGROUND_Google", "Motorbikes", "dalmatian", "okapi")
TREES = {"caltech256": "caltech256/256_ObjectCategories", "caltech101": "caltech101/101_ObjectCategories"}


def picture(name: str) -> bytes:
    """Bytes that begin as a JPEG does, and are the same for no two names."""
    return b"\xff\xd8\xff\xe0" + b"".join(hashlib.sha256(f"{name}{part}".encode()).digest() for part in range(200))


def pictures(which: str, each: int = 4) -> dict[str, bytes]:
    """The pictures of a small tree by their path below it, named as the official ones are."""
    if which == "caltech101":
        names = [f"{folder}/image_{n:04d}.jpg" for folder in FOLDERS101 for n in range(1, each + 1)]
    else:
        names = [f"{folder}/{folder[:3]}_{n:04d}.jpg" for folder in FOLDERS256 for n in range(1, each + 1)]
    return {name: picture(name) for name in names}


def packed_tar(top: str, files: dict[str, bytes], mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name in sorted({top, *(f"{top}/{Path(name).parent}" for name in files)}):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o775
            archive.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def official(which: str) -> bytes:
    """The archive as it is laid out officially, strays and all."""
    files = pictures(which)
    if which == "caltech256":
        return packed_tar("256_ObjectCategories", {**files, "056.dog/greg/x": b"?", "105.horse/RENAME2": b"?"}, "w")
    inner = packed_tar("101_ObjectCategories", {**files, "BACKGROUND_Google/tmp": b"?"}, "w:gz")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("caltech-101/", b"")
        archive.writestr("caltech-101/101_ObjectCategories.tar.gz", inner)
        archive.writestr("__MACOSX/caltech-101/._101_ObjectCategories.tar.gz", b"litter")
        archive.writestr("caltech-101/Annotations.tar", packed_tar("Annotations", {"x/y.mat": b"?"}, "w"))
        archive.writestr("caltech-101/show_annotation.m", b"%")
    return packed.getvalue()


class Site(http.server.ThreadingHTTPServer):
    """Serves a body as its plan says, a step a request: whole, broken off, claimed too long, or a page."""

    def __init__(self, body: bytes) -> None:
        self.body, self.plan, self.ranges = body, [], []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        step = self.server.plan.pop(0) if self.server.plan else "whole"
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = b"<!DOCTYPE html><html>Virus scan</html>" if step == "page" else self.server.body[first:]
        if first and step != "page":
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(self.server.body) - 1}/{len(self.server.body)}")
        else:
            self.send_response(200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(body) + (999 if step == "long" else 0)))
        self.end_headers()
        if step == "wrong":
            body = body[:-1] + b"?"
        self.wfile.write(body[: len(body) // 2] if step == "breaks off" else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=["caltech256", "caltech101"])
def which(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def site(which: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server with a small collection in place of the official one."""
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY", "TLBENCH_DATA_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(downloads, "_sleep", lambda _: None)
    with Site(official(which)) as server:
        real = COLLECTIONS[which]
        url = f"http://127.0.0.1:{server.server_port}/{real.archive.urls[0].rpartition('/')[2]}"
        archive = replace(real.archive, urls=(url,), size=len(server.body), md5=hashlib.md5(server.body).hexdigest())
        files = pictures(which)
        labels = len({Path(name).parent for name in files})
        small = replace(real, archive=archive, labels=labels, pictures=len(files))
        monkeypatch.setitem(caltech_pictures.COLLECTIONS, which, small)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def lay_out(which: str, data: Path, each: int = 4) -> Path:
    tree = data / TREES[which]
    for name, content in pictures(which, each).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    return tree


# What is declared


def test_the_declared_lists_are_those_of_the_papers_and_the_official_facts_stand():
    assert [len(set(names)) for names in (CALTECH256_MIXED, CALTECH256_RELATED, CALTECH256_UNRELATED)] == [10, 6, 6]
    assert len(set(CALTECH101_MIXED)) == 10
    assert {which: (one.labels, one.pictures) for which, one in COLLECTIONS.items()} == {
        "caltech256": (257, 30607),
        "caltech101": (102, 9144),
    }
    for one in COLLECTIONS.values():
        assert one.archive.published == ("md5", one.archive.md5)
        assert one.archive.urls[0].startswith("https://data.caltech.edu/records/")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("056.dog", "dog"),
        ("145.motorbikes-101", "motorbikes"),
        ("257.clutter", "clutter"),
        ("001.ak47", "ak47"),
        ("car_side", "car_side"),
        ("BACKGROUND_Google", "BACKGROUND_Google"),
        ("224.touring-bike", "touring-bike"),
    ],
)
def test_names_are_plain(folder, name):
    assert plain_name(folder) == name


# Fetched and unpacked


def test_the_official_archive_is_fetched_unpacked_and_verified(site, which, tmp_path):
    site.plan = ["breaks off", "page", "breaks off", "long"]
    told = []
    with pytest.raises(DataMissingError, match="web page"):
        ensure_tree(which, tmp_path)
    tree = ensure_tree(which, tmp_path, lambda *said: told.append(said))
    assert tree == find_tree(which, tmp_path)
    assert (tree.folder, tree.verified, tree.notices) == (tmp_path / TREES[which], True, ())
    for name, content in pictures(which).items():
        assert (tree.folder / name).read_bytes() == content
    assert site.ranges[0] is None
    assert all(site.ranges[2:])  # continued, by another run as well
    assert [done for done, total in told if done == total]
    kept = sorted(path.name for path in tree.folder.parent.iterdir())
    assert kept == sorted([tree.folder.name, Path(COLLECTIONS[which].archive.path).name])
    asked = len(site.ranges)
    assert ensure_tree(which, tmp_path) == tree
    assert len(site.ranges) == asked


def test_what_is_wrong_is_never_unpacked(site, which, tmp_path):
    site.plan = ["wrong"] * 9
    with pytest.raises(DataMissingError, match="wrong checksum"):
        ensure_tree(which, tmp_path)
    assert find_tree(which, tmp_path) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_plain_names_find_the_pictures_and_the_background(site, which, tmp_path):
    tree = ensure_tree(which, tmp_path)
    wanted = ("motorbikes", "dog") if which == "caltech256" else ("okapi", "Motorbikes")
    found = scan_tree(which, tree, wanted, index=tmp_path / "index")
    assert (found.categories, len(found.pictures)) == (wanted, 12)
    assert found.background == ("clutter" if which == "caltech256" else "BACKGROUND_Google")
    stray = "1 folder inside 'dog'" if which == "caltech256" else "1 file under 'BACKGROUND_Google'"
    assert [notice.startswith(stray) for notice in found.notices] == [True]
    assert len(scan_tree(which, tree).pictures) == len(pictures(which))


def test_several_at_once_end_with_one_tree(site, which, tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(ensure_tree(which, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [find_tree(which, tmp_path)] * 4
    assert len(site.ranges) == 1


def test_an_archive_of_another_layout_is_an_error_and_leaves_nothing(which, tmp_path, monkeypatch):
    other = packed_tar("elsewhere", pictures(which), "w:gz")
    real = COLLECTIONS[which]
    archive = replace(real.archive, urls=(), md5=hashlib.md5(other).hexdigest())
    monkeypatch.setitem(caltech_pictures.COLLECTIONS, which, replace(real, archive=archive))
    (tmp_path / archive.path).parent.mkdir()
    (tmp_path / archive.path).write_bytes(other)
    with pytest.raises(DataError, match=r"holds no .*; it is not the archive"):
        ensure_tree(which, tmp_path)
    assert [path.name for path in (tmp_path / which).iterdir()] == [Path(archive.path).name]


# As found


def test_a_tree_of_the_users_is_taken_as_it_is_and_said_to_be_unverified(site, which, tmp_path):
    folder = lay_out(which, tmp_path)
    tree = ensure_tree(which, tmp_path)
    assert site.ranges == []
    assert (tree.folder, tree.verified) == (folder, False)
    assert [("unverified" in notice) for notice in tree.notices] == [True]
    ours = ensure_tree(which, tmp_path / "ours")
    wanted = ("dog", "horse") if which == "caltech256" else ("okapi", "dalmatian")
    theirs = scan_tree(which, tree, wanted)
    assert theirs.fingerprint == scan_tree(which, ours, wanted).fingerprint
    assert theirs.notices[0] == tree.notices[0]


def test_other_counts_are_a_notice(which, tmp_path):
    lay_out(which, tmp_path)
    tree = ensure_tree(which, tmp_path)
    official_counts = "30,607 in 257" if which == "caltech256" else "9,144 in 102"
    held = "20 pictures in 5 folders" if which == "caltech256" else "16 pictures in 4 folders"
    assert [held in notice and official_counts in notice for notice in tree.notices] == [False, True]


def test_a_tree_changed_since_it_was_unpacked_is_no_longer_verified(site, which, tmp_path):
    tree = ensure_tree(which, tmp_path)
    name = next(iter(pictures(which)))
    (tree.folder / name).write_bytes(b"another")
    assert not find_tree(which, tmp_path).verified
    (tree.folder / name).write_bytes(pictures(which)[name])
    assert find_tree(which, tmp_path).verified
    (tree.folder / name).with_name("one_more.jpg").write_bytes(b"more")
    found = find_tree(which, tmp_path)
    assert (found.verified, len(found.notices)) == (False, 2)
    (tree.folder / name).with_name("one_more.jpg").unlink()
    (tree.folder / tree_marks.MARK).write_bytes(b"{")
    assert not find_tree(which, tmp_path).verified


def test_what_is_no_tree_is_named(which, tmp_path):
    place = tmp_path / TREES[which]
    place.parent.mkdir()
    place.write_bytes(b"a file")
    with pytest.raises(DataError, match="is a file, not a folder"):
        ensure_tree(which, tmp_path)
    place.unlink()
    place.mkdir()
    with pytest.raises(DataError, match="has no folders in it"):
        ensure_tree(which, tmp_path)


def test_an_unknown_collection_and_an_unknown_category_are_named(which, tmp_path):
    with pytest.raises(DataError, match="no collection 'caltech512'; there are caltech256, caltech101"):
        ensure_tree("caltech512", tmp_path)
    lay_out(which, tmp_path)
    with pytest.raises(DataError, match=r"no label 'Motorbike'.* did you mean '[Mm]otorbikes'"):
        scan_tree(which, ensure_tree(which, tmp_path), ("Motorbike", "okapi"))


@pytest.mark.skipif("TLBENCH_REAL_DATA" not in os.environ, reason="TLBENCH_REAL_DATA names no folder")
def test_real_pictures_from_a_site_that_breaks_off_to_accuracies(tmp_path, monkeypatch):
    """The whole way of Caltech-256: its layout with real pictures, fetched in two parts, unpacked, described, run."""
    from tlbench import datasets, opening, protocol, studies
    from tlbench.plan import make_plan
    from tlbench.settings import resolve

    monkeypatch.setattr(downloads, "_sleep", lambda _: None)
    folders = {"dalmatian": "056.dog", "llama": "105.horse", "Motorbikes": "145.motorbikes-101"}
    folders["BACKGROUND_Google"] = "257.clutter"
    files: dict[str, bytes] = {}
    with tarfile.open(Path(os.environ["TLBENCH_REAL_DATA"]) / "caltech101-ObjectCategories.tar.gz") as archive:
        for entry in archive:
            folder, number = folders.get(Path(entry.name).parent.name), Path(entry.name).stem[-4:]
            if folder and entry.name.endswith(".jpg") and number <= "0075":
                files[f"{folder}/{folder[:3]}_{number}.jpg"] = archive.extractfile(entry).read()
    body = packed_tar("256_ObjectCategories", files, "w")
    with Site(body) as server:
        server.plan = ["long", "breaks off", "whole"]
        url = f"http://127.0.0.1:{server.server_port}/256_ObjectCategories.tar"
        real = COLLECTIONS["caltech256"]
        archive = replace(real.archive, urls=(url,), size=len(body), md5=hashlib.md5(body).hexdigest())
        monkeypatch.setitem(caltech_pictures.COLLECTIONS, "caltech256", replace(real, archive=archive))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        options = datasets.Options(categories=("dog", "horse", "motorbikes"))
        for file in datasets.to_fetch("caltech256", options, tmp_path):
            datasets.fetch(file, tmp_path)
        server.shutdown()
        thread.join()
    pack = opening.open_pack("caltech256", options, tmp_path, jobs=1)
    assert len(pack.identities) == len(files)
    declared = protocol.read("caltech-multisource")
    study = studies.find(declared.study)
    plan = make_plan(declared, study, resolve(declared, study, "smoke", {}), pack, pack.fingerprint)
    for block in plan.blocks[:1]:
        measured = study.compute(study.prepare(pack, block), block, None)["measurements"]
        assert max(measured["value"]) > 70
    assert datasets.to_fetch("caltech256", options, tmp_path) == []
