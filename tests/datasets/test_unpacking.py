"""Unpacking: archives with every kind of bad entry, broken ones, processes that die, and disks that are full."""

from __future__ import annotations

import errno
import gzip
import io
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tlbench
from tlbench.datasets import remote_files, unpacking
from tlbench.datasets.errors import DataError, DataMissingError
from tlbench.datasets.unpacking import unpack

GOOD = {"set/dog/1.jpg": b"one" * 500, "set/dog/2.jpg": b"", "set/cat/1.jpg": random.Random(0).randbytes(2_304_000)}
HERE = str(Path(tlbench.__file__).parents[1])


def tar(
    files: dict[str, bytes] = GOOD, *infos: tarfile.TarInfo, mode: str = "w", form: int = tarfile.PAX_FORMAT
) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o4777
            archive.addfile(info, io.BytesIO(content))
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return packed.getvalue()


def zipped(files: dict[str, bytes] = GOOD, *infos: zipfile.ZipInfo, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for info in infos:
            archive.writestr(info, b"there")
    return packed.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in more.items():
        setattr(info, key, value)
    return info


def marked(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def put(folder: Path, content: bytes, name: str = "a.bin") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def held(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, content: bytes, match: str, error: type[Exception] = DataError, **more: object) -> None:
    """Unpacking raises, says why in one sentence, and leaves nothing."""
    archive = put(folder, content)
    with pytest.raises(error, match=match) as caught:
        unpack(archive, folder / "out/tree", **more)
    assert "\n" not in str(caught.value)
    assert not (folder / "out").exists() or list((folder / "out").iterdir()) == []


# What is unpacked


PACKERS: list[Callable[[dict[str, bytes]], bytes]] = [
    tar,
    lambda files: tar(files, mode="w:gz"),
    lambda files: tar(files, form=tarfile.GNU_FORMAT),
    lambda files: tar(files, form=tarfile.USTAR_FORMAT),
    zipped,
    lambda files: zipped(files, method=zipfile.ZIP_STORED),
]


@pytest.mark.parametrize("pack", PACKERS)
def test_an_archive_is_known_by_its_content_and_appears_whole(tmp_path, pack):
    told = []
    folder = unpack(put(tmp_path, pack(GOOD)), tmp_path / "out/tree", lambda *said: told.append(said))
    assert folder == tmp_path / "out/tree"
    assert held(folder) == GOOD
    assert list((tmp_path / "out").iterdir()) == [folder]
    assert told[-1][0] == told[-1][1] > 0
    assert told == sorted(told)
    assert {total for _, total in told} == {told[-1][1]}


@pytest.mark.fault("archive")
def test_modes_are_ours_whatever_the_archive_and_the_umask_say(tmp_path):
    before = os.umask(0o077)
    try:
        folder = unpack(put(tmp_path, tar()), tmp_path / "tree")
    finally:
        os.umask(before)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert modes == {True: 0o755, False: 0o644}


@pytest.mark.parametrize("pack", PACKERS)
def test_members_are_unpacked_alone(tmp_path, pack):
    files = {**GOOD, "settle/x": b"no", "__MACOSX/set/dog/._1.jpg": b"litter", "read.me": b"no"}
    folder = unpack(put(tmp_path, pack(files)), tmp_path / "tree", members="set")
    assert held(folder) == {name.removeprefix("set/"): content for name, content in GOOD.items()}


@pytest.mark.fault("archive")
def test_members_that_are_not_there_are_an_error(tmp_path):
    refused(tmp_path, tar(), "holds no folder 'sets'", members="sets")
    refused(tmp_path, tar({}), "holds nothing")
    refused(tmp_path, zipped({}), "holds nothing")


@pytest.mark.parametrize("dots", ["./", "set/./", ".//"])
def test_dots_that_lead_nowhere_are_harmless(tmp_path, dots):
    folder = unpack(put(tmp_path, tar({f"{dots}a.jpg": b"a"}, entry("./", tarfile.DIRTYPE))), tmp_path / "tree")
    assert list(held(folder).values()) == [b"a"]


@pytest.mark.parametrize("inner", [tar(), tar(mode="w:gz")])
@pytest.mark.parametrize("pack", PACKERS)
def test_an_inner_archive_is_unpacked_as_it_streams_by(tmp_path, pack, inner):
    litter = entry("litter", tarfile.SYMTYPE, linkname="/etc/passwd")
    outer = pack({"all/Annotations.tar": tar({"no": b""}), "all/pictures.tar.gz": inner, "__MACOSX/._x": b"litter"})
    told = []
    folder = unpack(
        put(tmp_path, outer if pack is not tar else tar({"all/pictures.tar.gz": inner}, litter)),
        tmp_path / "tree",
        lambda *said: told.append(said),
        inner="all/pictures.tar.gz",
        members="set",
    )
    assert held(folder) == {name.removeprefix("set/"): content for name, content in GOOD.items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "tree"]
    assert told[-1] == (len(inner), len(inner))


@pytest.mark.fault("archive")
@pytest.mark.parametrize("pack", PACKERS)
def test_an_inner_archive_that_cannot_be_had_is_named(tmp_path, pack):
    name = "all/pictures.tar.gz"
    refused(tmp_path, pack({"all/other": b""}), f"holds no '{name}'", inner=name)
    refused(tmp_path, pack({name: b"<html>"}), f"{name} in .* is a web page", inner=name)
    refused(tmp_path, pack({name: b""}), f"{name} in .* is empty", inner=name)
    refused(tmp_path, pack({name: zipped()}), "is a .zip, and a .zip inside", inner=name)
    refused(tmp_path, pack({name: tar(mode="w:gz")[:-9]}), f"{name} in .* damaged or cut off", inner=name)
    refused(tmp_path, pack({name: tar({"../x": b""})}), "leads out of the folder", inner=name)


# What is refused


BAD_NAMES = {
    "/etc/x": "absolute",
    "C:\\x": "absolute",
    "\\x": "absolute",
    "../x": "leads out",
    "set/../../x": "leads out",
    "set\\..\\x": "leads out",
    "/".join("a" * 70): "folders deep",
    "n" * 300: "cannot be written here",
}


@pytest.mark.fault("archive")
@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("pack", [tar, zipped])
def test_names_that_would_escape_or_do_not_fit_are_refused(tmp_path, pack, name):
    refused(tmp_path, pack({**GOOD, name: b"x"}), f"its entry .* {BAD_NAMES[name]}")
    refused(tmp_path, pack({**GOOD, name: b"x"}), "its entry|holds no", members="other")
    assert not (tmp_path.parent / "x").exists()


@pytest.mark.fault("archive")
def test_an_entry_without_a_name_is_refused(tmp_path):
    packed = bytearray(zipped({"x": b"there"}, method=zipfile.ZIP_STORED))
    central = packed.index(b"PK\1\2")
    del packed[central + 46]  # its name there, and the length of that
    packed[central + 28] = 0
    packed[-10] -= 1  # the length of the whole directory
    refused(tmp_path, bytes(packed), "entry '' has no name|damaged or cut off")
    refused(tmp_path, tar({".": b"x"}), r"entry '\.' has no name")


@pytest.mark.fault("archive")
def test_a_nul_in_a_name_is_refused(tmp_path):
    packed = zipped({"set/a.jpg": b"x", "set/b?evil.jpg": b"x"})
    refused(tmp_path, packed.replace(b"b?evil", b"b\0evil"), r"entry 'set/b\\x00evil.jpg' has a NUL")
    info = entry("set/a", pax_headers={"path": "set/a\0b"})
    refused(tmp_path, tar(GOOD, info), r"entry 'set/a\\x00b' has a NUL")


@pytest.mark.fault("archive")
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a pipe"),
        (tarfile.GNUTYPE_SPARSE, "not a plain file"),
        (b"Z", "not a plain file"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind, says):
    bad = entry("set/bad", kind, linkname="dog/1.jpg")
    refused(tmp_path, tar(GOOD, bad), f"its entry 'set/bad' .*{says}")


@pytest.mark.fault("archive")
@pytest.mark.parametrize(
    ("kind", "says"), [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "pipe"), (stat.S_IFBLK, "device"), (stat.S_IFCHR, "dev")]
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind, says):
    refused(tmp_path, zipped(GOOD, marked("set/bad", kind | 0o777)), f"its entry 'set/bad' is a .*{says}")


@pytest.mark.fault("archive")
def test_encrypted_and_oddly_compressed_entries_are_refused(tmp_path):
    refused(tmp_path, zipped(method=zipfile.ZIP_BZIP2), "compressed in a way")
    packed = bytearray(zipped({"a": b"x"}))
    packed[6] |= 1
    packed[packed.index(b"PK\1\2") + 8] |= 1
    refused(tmp_path, bytes(packed), "'a' is encrypted")


@pytest.mark.fault("archive")
def test_a_link_cannot_lead_what_follows_astray(tmp_path):
    (tmp_path / "away").mkdir()
    link = entry("set", tarfile.SYMTYPE, linkname=str(tmp_path / "away"))
    refused(tmp_path, tar({}, link, entry("set/x", size=1)), "symbolic link")
    assert list((tmp_path / "away").iterdir()) == []


@pytest.mark.fault("archive")
@pytest.mark.parametrize("pack", [tar, zipped])
def test_entries_that_would_overwrite_one_another_are_refused(tmp_path, pack):
    twice = pack({"a/b.jpg": b"1", "./a/b.jpg": b"2"})
    refused(tmp_path, twice, "'./a/b.jpg' would overwrite")
    refused(tmp_path, pack({"a": b"1", "a/b": b"2"}), "'a/b' would overwrite")
    refused(tmp_path, pack({"a/b": b"1", "a": b"2"}), "'a' would overwrite")


@pytest.mark.fault("archive")
def test_case_and_composition_matter_only_where_the_file_system_says_so(tmp_path, monkeypatch):
    files = {"dog/é.jpg": b"1", "dog/É.jpg": b"2", "Dog/e\u0301.jpg": b"3"}
    (tmp_path / "Case").touch()
    if not (tmp_path / "case").exists():
        assert held(unpack(put(tmp_path, tar(files)), tmp_path / "tree")) == files
    real = unpacking._Tree._file

    def folded(self: unpacking._Tree, found: unpacking._Entry, path: Path) -> None:
        real(self, found, path.with_name(path.name.casefold()))

    monkeypatch.setattr(unpacking._Tree, "_file", folded)
    refused(tmp_path, tar(files), "'dog/É.jpg' would overwrite")


@pytest.mark.fault("archive")
def test_too_much_is_refused(tmp_path):
    refused(tmp_path, tar(), "'set/cat/1.jpg' is one too many: more than 2 files", most_files=2)
    refused(tmp_path, zipped(), "is one too many", most_files=2)
    refused(tmp_path, tar(), "'set/cat/1.jpg' is too large: .* 2.0 MB", most_bytes=2_000_000)
    refused(tmp_path, zipped(), "is too large", most_bytes=2_000_000)
    refused(tmp_path, tar(), "too many", most_files=2, members="nothing")
    assert held(unpack(put(tmp_path, tar()), tmp_path / "tree", most_files=3, most_bytes=2_305_500)) == GOOD


@pytest.mark.fault("archive")
def test_bombs_are_refused(tmp_path):
    refused(tmp_path, zipped({"a": b"a", "zeros": bytes(9_000_000)}), "200 times as large, .* 'zeros'")
    refused(tmp_path, zipped({"in": bytes(9_000_000)}), "200 times as large", inner="in")
    assert len(held(unpack(put(tmp_path, zipped({"a": bytes(900_000)})), tmp_path / "tree"))["a"]) == 900_000
    long = tar({}, entry("a", pax_headers={"comment": "x" * 5_000_000}), mode="w:gz")
    refused(tmp_path, long, "a header of 5")
    refused(tmp_path, gzip.compress(tar() + bytes(80_000_000)), "goes on after its end")


@pytest.mark.fault("archive")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\n <!DOCTYPE html><html>Sign in" + b" " * 600, "is a web page"),
        (b"\xef\xbb\xbf<HTML>", "is a web page"),
        (b"Quota exceeded\n", "is a text"),
        ("Vergriffen, später\n".encode(), "is a text"),
        (b"", "is empty"),
        (b"Rar!\x1a\x07\x00", "is packed as .rar"),
        (b"\xfd7zXZ\0", "is packed as .xz"),
        (bytes(range(256)) * 4, "is something else"),
    ],
)
def test_what_is_no_archive_is_told_by_its_content(tmp_path, content, says):
    refused(tmp_path, content, f"a.bin {says}.*, not a .tar, .tar.gz or .zip")


@pytest.mark.fault("archive")
@pytest.mark.parametrize("pack", PACKERS)
def test_an_archive_cut_off_anywhere_is_refused(tmp_path, pack):
    whole = pack({"set/1.jpg": b"1" * 700, "set/2.jpg": random.Random(1).randbytes(3000), "set/3.jpg": b"3" * 512})
    marks = {1, 300, 511, 512, 513, 1024, 1536, 2048, len(whole) // 2, len(whole) - 1, len(whole) - 22}
    end = len(whole.rstrip(b"\0")) if whole[:4] not in (b"PK\3\4",) and whole[0] != 0x1F else len(whole)
    for cut in sorted(mark for mark in marks if mark < end):
        refused(tmp_path, whole[:cut], "damaged or cut off|is something else|is a text")


@pytest.mark.fault("archive")
def test_a_tar_cut_off_between_two_entries_is_refused(tmp_path):
    whole = tar({"1": b"1" * 512, "2": b"2" * 512})
    assert whole[1024:1025] == b"2"
    refused(tmp_path, whole[:1024], "it has no end")
    refused(tmp_path, gzip.compress(whole[:1024]), "it has no end")


@pytest.mark.fault("archive")
@pytest.mark.parametrize("pack", PACKERS)
def test_damage_anywhere_never_raises_anything_else(tmp_path, pack, faults_tried):
    """A tar has checksums for its headers alone, so what it holds may be damaged unseen; its fetching has more."""
    whole = pack({"set/1.jpg": b"1" * 700, "set/2.jpg": random.Random(1).randbytes(900)})
    chance = random.Random(7)
    for trial in range(150):
        broken = bytearray(whole)
        for _ in range(chance.choice([1, 1, 8])):
            broken[chance.randrange(min(len(whole), 4096))] = chance.randrange(256)
        archive, tree = put(tmp_path, bytes(broken)), tmp_path / "out" / str(trial)
        try:
            unpack(archive, tree)
        except DataError:
            assert not tree.exists()
        assert not [path for path in (tmp_path / "out").iterdir() if "unpacking" in path.name]
        faults_tried.came_to(survived=True)


@pytest.mark.fault("archive")
def test_an_archive_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.tar"):
        unpack(tmp_path / "none.tar", tmp_path / "tree")
    with pytest.raises(DataError, match="cannot read"):
        unpack(tmp_path, tmp_path / "tree")


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0:"), min_size=1, max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(st.tuples(NAMES, NAMES).map("/".join), st.binary(max_size=40), min_size=1, max_size=4),
    pack=st.sampled_from(PACKERS[:3]),
)
def test_names_in_any_script_are_kept(tmp_path, files, pack):
    tree = tmp_path / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    wanted = {name: data for name, data in files.items() if not {".", ".."} & set(name.split("/"))}
    assume(wanted)
    assert held(unpack(put(tmp_path, pack(wanted)), tree)) == wanted


# What is there already, and others at work


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_nothing_is_unpacked_over_what_is_there(tmp_path, make):
    make(tmp_path / "tree")
    with pytest.raises(DataError, match="exists already"):
        unpack(put(tmp_path, tar()), tmp_path / "tree")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "tree"]


def test_an_error_of_the_callers_is_the_callers_and_leaves_nothing(tmp_path):
    def fail(*_: object) -> None:
        raise ValueError("mine")

    refused(tmp_path, tar(), "mine", ValueError, progress=fail)
    refused(tmp_path, tar(), "mine", ValueError, finish=fail)


def test_finish_sees_the_whole_before_it_gets_its_name(tmp_path):
    seen = []

    def finish(folder: Path) -> None:
        seen.append(held(folder))
        assert not (tmp_path / "tree").exists()
        (folder / ".mark").write_bytes(b"m")

    assert held(unpack(put(tmp_path, tar()), tmp_path / "tree", finish=finish)) == {**GOOD, ".mark": b"m"}
    assert seen == [GOOD]


CHILD = """
import sys
from pathlib import Path
from tlbench.datasets.unpacking import unpack
archive, folder, wait = sys.argv[1:]
def pause(_):
    print("unpacked", flush=True)
    sys.stdin.readline()
if wait == "half":
    unpack(Path(archive), Path(folder), lambda done, total: pause(done))
print(unpack(Path(archive), Path(folder), finish=pause))
"""


def child(stack: ExitStack, archive: Path, folder: Path, wait: str = "whole") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(archive), str(folder), wait]
    environment = {**os.environ, "PYTHONPATH": HERE}
    pipe = subprocess.PIPE
    return stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment))


@pytest.mark.fault("interruption")
@pytest.mark.parametrize("wait", ["half", "whole"])
def test_what_a_killed_process_left_is_removed_and_never_trusted(tmp_path, wait):
    archive, tree = put(tmp_path, tar({**GOOD, "set/last.jpg": b"last"})), tmp_path / "out/tree"
    other = tmp_path / "out/tree.unpacking-elsewhere-1"
    other.mkdir(parents=True)
    with ExitStack() as stack:
        process = child(stack, archive, tree, wait)
        assert process.stdout.readline() == "unpacked\n"
        beside = [path for path in (tmp_path / "out").iterdir() if path.name.endswith(f"-{process.pid}")]
        assert len(beside) == 1
        assert not tree.exists()
        process.send_signal(signal.SIGKILL)
    assert (beside[0] / "set/last.jpg").exists() == (wait == "whole")
    own = tmp_path / f"out/tree.unpacking-{unpacking._host()}-{os.getpid()}"  # of an earlier process of our number
    (own / "half").mkdir(parents=True)
    assert held(unpack(archive, tree)) == {**GOOD, "set/last.jpg": b"last"}
    assert sorted((tmp_path / "out").iterdir()) == [tree, other]


def test_two_processes_at_once_end_with_one_good_tree(tmp_path):
    archive, tree = put(tmp_path, tar()), tmp_path / "out/tree"
    with ExitStack() as stack:
        processes = [child(stack, archive, tree) for _ in range(2)]
        for process in processes:
            assert process.stdout.readline() == "unpacked\n"
        assert len(list((tmp_path / "out").iterdir())) == 2
        for process in processes:
            said, _ = process.communicate("go\n", timeout=20)
            assert (process.returncode, said.strip()) == (0, str(tree))
    assert list((tmp_path / "out").iterdir()) == [tree]
    assert held(tree) == GOOD


@pytest.mark.fault("disk")
def test_a_file_that_takes_the_name_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(DataError, match="cannot write"):
        unpack(put(tmp_path, tar()), tmp_path / "tree", finish=lambda _: (tmp_path / "tree").write_bytes(b"mine"))
    assert (tmp_path / "tree").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "tree"]


# The disk


@pytest.mark.fault("disk")
@pytest.mark.parametrize("pack", PACKERS)
def test_a_disk_that_fills_up_is_named_with_what_it_would_take(tmp_path, monkeypatch, pack):
    files = {f"{number}.jpg": random.Random(number).randbytes(700_000) for number in range(5)}
    real, written = remote_files._write, 0

    def write(handle, data):
        nonlocal written
        if written > 1_500_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += len(data)
        real(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(remote_files, "_write", write)
        refused(tmp_path, pack(files), r"disk is full: [0-3]\.\d MB more are needed in .*out", DataMissingError)
    assert held(unpack(tmp_path / "a.bin", tmp_path / "out/tree")) == files


@pytest.mark.fault("disk")
def test_a_disk_with_too_little_room_is_known_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    refused(tmp_path, tar(), r"2\.3 MB are needed in .*out to unpack .*a.bin, and 1\.0 MB are free", DataMissingError)


@pytest.mark.fault("disk")
@pytest.mark.parametrize("blocked", ["out", "out/deeper"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, blocked):
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_bytes(b"a file, not a folder")
    with pytest.raises(DataError, match="cannot write in the data folder"):
        unpack(put(tmp_path, tar()), tmp_path / "out/deeper/tree")
