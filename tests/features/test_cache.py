"""Kept vectors: damaged, shared, interrupted."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tlbench.features import KINDS, FeatureCache, FeaturesError

KIND = KINDS["pixels"]
ROOT = Path(__file__).parents[2]


def vectors(start: int, count: int) -> dict[str, np.ndarray]:
    return {f"id{n}": np.full(KIND.dimension, n, dtype=np.float32) for n in range(start, start + count)}


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "new" / "folder", KIND)


def test_what_is_put_is_got(cache: FeatureCache) -> None:
    assert cache.get(["id0"]) == {}
    cache.put(vectors(0, 5))
    got = cache.get(["id3", "id9", "id0"])
    assert list(got) == ["id3", "id0"]
    assert got["id3"].dtype == np.float32
    np.testing.assert_array_equal(got["id3"], vectors(3, 1)["id3"])
    cache.put({"id3": vectors(7, 1)["id7"]})
    assert cache.get(["id3"])["id3"][0] == 7
    cache.put({})
    with pytest.raises(ValueError, match="a vector of 3 numbers in place of 1024"):
        cache.put({"id8": np.zeros(3, np.float32)})


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE vectors SET vector = zeroblob(4096) WHERE identity = 'id1'",
        "UPDATE vectors SET vector = substr(vector, 1, 4092) WHERE identity = 'id1'",
        "UPDATE vectors SET vector = NULL WHERE identity = 'id1'",
        "UPDATE vectors SET vector = 'text' WHERE identity = 'id1'",
        "UPDATE vectors SET checksum = checksum + 1 WHERE identity = 'id1'",
        "UPDATE vectors SET (checksum, vector) = (SELECT checksum, vector FROM vectors WHERE identity = 'id2') "
        "WHERE identity = 'id1'",
    ],
)
def test_a_damaged_row_counts_as_missing(cache: FeatureCache, damage: str) -> None:
    cache.put(vectors(0, 3))
    connection = sqlite3.connect(cache.path)
    with connection:
        connection.execute(damage)
    connection.close()
    assert set(cache.get(["id0", "id1", "id2"])) == {"id0", "id2"}
    cache.put(vectors(1, 1))
    assert set(cache.get(["id0", "id1", "id2"])) == {"id0", "id1", "id2"}


@pytest.mark.parametrize("content", [b"<html>" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_damaged_file_is_set_aside(cache: FeatureCache, content: bytes) -> None:
    cache.put(vectors(0, 3))
    for number in (1, 2):
        cache.path.write_bytes(content)
        Path(f"{cache.path}-journal").write_bytes(b"")
        assert cache.get(["id0"]) == {}
        assert Path(f"{cache.path}.damaged-{number}").read_bytes() == content
        cache.put(vectors(0, 1))
        assert set(cache.get(["id0", "id1"])) == {"id0"}


def test_tables_of_another_shape_are_set_aside(cache: FeatureCache) -> None:
    cache.path.parent.mkdir(parents=True)
    connection = sqlite3.connect(cache.path)
    connection.execute("CREATE TABLE vectors (name TEXT)")
    connection.close()
    assert cache.get(["id0"]) == {}
    cache.put(vectors(0, 1))
    assert set(cache.get(["id0"])) == {"id0"}


def test_damage_anywhere_is_found(cache: FeatureCache) -> None:
    rng = np.random.default_rng(0)
    for _ in range(25):
        cache.path.unlink(missing_ok=True)
        cache.put(vectors(0, 20))
        content = bytearray(cache.path.read_bytes())
        start = int(rng.integers(len(content)))
        content[start : start + 300] = rng.bytes(300)
        cache.path.write_bytes(content[: int(rng.integers(start, len(content))) + 1] if start % 2 else content)
        for identity, vector in cache.get(list(vectors(0, 20))).items():
            np.testing.assert_array_equal(vector, vectors(0, 20)[identity])
        cache.put(vectors(0, 20))
        assert len(cache.get(list(vectors(0, 20)))) == 20


@pytest.mark.parametrize("content", [b"", b"x"])  # SQLite takes either for a new file
def test_an_emptied_or_removed_file_is_begun_anew(cache: FeatureCache, content: bytes) -> None:
    cache.put(vectors(0, 1))
    cache.path.write_bytes(content)
    assert cache.get(["id0"]) == {}
    cache.put(vectors(0, 1))
    cache.path.unlink()
    assert cache.get(["id0"]) == {}


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FeaturesError, match=r"features cannot be kept in .*file"):
        FeatureCache(tmp_path / "file", KIND).get(["a"])
    cache = FeatureCache(tmp_path, KIND)
    cache.path.mkdir()
    with pytest.raises(FeaturesError, match="unable to open database file"):
        cache.put(vectors(0, 1))


def test_a_full_disk_is_one_sentence_and_no_damage(cache: FeatureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.put(vectors(0, 2))
    connect = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute("PRAGMA max_page_count = 8")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(FeaturesError, match="full"):
        cache.put(vectors(2, 50))
    monkeypatch.undo()
    assert set(cache.get(list(vectors(0, 52)))) == {"id0", "id1"}


WRITER = """
import sys
from pathlib import Path
import numpy as np
from tlbench.features import KINDS, FeatureCache
kind = KINDS["pixels"]
cache = FeatureCache(Path(sys.argv[1]), kind)
start, count, step = map(int, sys.argv[2:])
print("ready", flush=True)
for n in range(start, start + count * step, step):
    cache.put({f"id{n + k}": np.full(kind.dimension, n + k, np.float32) for k in range(step)})
"""


def writer(folder: Path, *numbers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "error", "-c", WRITER, str(folder), *map(str, numbers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("damaged", [False, True])
def test_two_processes_at_once(cache: FeatureCache, damaged: bool) -> None:
    cache.path.parent.mkdir(parents=True)
    if damaged:
        cache.path.write_bytes(b"no database" * 1000)
    processes = [writer(cache.path.parent, start, 100, 1) for start in (0, 50)]
    for process in processes:
        assert process.wait(30) == 0
        process.stdout.close()
    got = cache.get([f"id{n}" for n in range(150)])
    assert len(got) == 150
    assert all((vector == float(identity[2:])).all() for identity, vector in got.items())
    assert len(list(cache.path.parent.glob("*.damaged*"))) == damaged


def test_killed_while_it_writes(cache: FeatureCache) -> None:
    for seed in range(4):
        process = writer(cache.path.parent, 0, 10_000, 40)
        time.sleep(0.05 + 0.07 * seed)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
    got = cache.get([f"id{n}" for n in range(2000)])
    assert got
    assert len(got) % 40 == 0
    assert all((vector == float(identity[2:])).all() for identity, vector in got.items())
    cache.put(vectors(0, 5))
    assert not list(cache.path.parent.glob("*.damaged*"))
