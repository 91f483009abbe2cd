"""Pictures that come one after the other: taken as there is room for them, computed once, resumed, never all held."""

from __future__ import annotations

import gc
import multiprocessing
import sqlite3
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import million_pictures
from tlbench.features import KINDS, FeatureCache, Picture, describe, ensure, extraction, workers

KIND = KINDS["lbp"]
JOBS = 2


@pytest.fixture
def pictures(tmp_path: Path) -> list[Picture]:
    """120 different pictures."""
    (tmp_path / "p").mkdir()
    rng = np.random.default_rng(0)
    made = [Picture(f"{n:032x}", tmp_path / "p" / f"{n:03}.png") for n in range(120)]
    for one in made:
        Image.fromarray(rng.integers(0, 255, (12, 16), dtype=np.uint8)).save(one.path)
    return made


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """How far ahead of what is kept pictures may be taken, which is little."""
    monkeypatch.setattr(extraction, "AT_ONCE", 8)
    monkeypatch.setattr(workers, "CHUNK", 4)
    return 8 + 2 * JOBS * 4


def kept_in(cache: Path) -> int:
    """How many vectors lie on disk, asked of the file itself."""
    path = FeatureCache(cache, KIND).path
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    count = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
    connection.close()
    return int(count)


def computed_tasks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts, from now on, how often each identity is computed."""
    counts: Counter[str] = Counter()
    plain = workers.compute_all

    def counting(tasks: Iterable[workers.Task], jobs: int) -> Iterator[workers.Results]:
        for results in plain(tasks, jobs):
            counts.update(task.identity for task, _ in results)
            yield results

    monkeypatch.setattr(extraction, "compute_all", counting)
    return counts


def at_once(tasks: Iterable[workers.Task], jobs: int) -> Iterator[workers.Results]:
    """In place of ``compute_all``: no process, no file, chunks of one."""
    vector = np.zeros(KIND.dimension, np.float32)
    return ([(task, {KIND.name: vector})] for task in tasks)


def test_pictures_are_taken_a_bounded_number_ahead_of_what_is_kept(
    pictures: list[Picture], tmp_path: Path, small_batches: int
) -> None:
    ahead: list[int] = []
    alive: weakref.WeakSet[Picture] = weakref.WeakSet()

    def coming() -> Iterator[Picture]:
        for taken, one in enumerate(pictures):
            ahead.append(taken - kept_in(tmp_path / "c"))
            fresh = Picture(one.identity, one.path)
            alive.add(fresh)
            yield fresh

    most_alive: list[int] = []
    filled = ensure(coming(), [KIND], tmp_path / "c", JOBS, lambda *_: most_alive.append(len(alive)))
    assert (filled.computed, kept_in(tmp_path / "c")) == (120, 120)
    assert len(ahead) == 120
    assert JOBS * workers.CHUNK < max(ahead) <= small_batches < 120
    gc.collect()
    assert max(most_alive) <= small_batches
    assert not alive


@pytest.mark.parametrize("jobs", [1, 3])
def test_tasks_are_taken_a_bounded_number_ahead_of_what_was_yielded(pictures: list[Picture], jobs: int) -> None:
    taken: list[str] = []

    def coming() -> Iterator[workers.Task]:
        for one in pictures:
            taken.append(one.identity)
            yield workers.Task(one.identity, one.path, (KIND,))

    yielded: list[str] = []
    for results in workers.compute_all(coming(), jobs):
        assert len(taken) - len(yielded) <= 2 * jobs * workers.CHUNK
        yielded += [task.identity for task, _ in results]
        assert len(taken) > len(yielded) or len(yielded) == len(pictures)
    assert sorted(yielded) == [one.identity for one in pictures]


def test_the_memory_of_many_is_that_of_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "AT_ONCE", 256)
    monkeypatch.setattr(extraction, "compute_all", at_once)
    monkeypatch.setattr(FeatureCache, "put", lambda *_: None)

    def peak(count: int) -> int:
        tracemalloc.start()
        try:  # one path for all: the interpreter keeps a table of the names in paths, which grows by leaps
            ensure((Picture(f"{n:032x}", tmp_path / "one") for n in range(count)), [KIND], tmp_path / "c", 1)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(1_000), peak(8_000)
    a_hash = len(f"{0:032x}")
    assert many - few < 7_000 * a_hash / 4  # not even a list of the identities alone


def test_a_picture_that_comes_again_near_or_far_is_computed_once(
    pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in (5, 60):
        pictures[n].path.write_bytes(b"a letter")
    counts = computed_tasks(monkeypatch)
    rng = np.random.default_rng(1)
    near = [pictures[max(0, n - back)] for n in range(120) for back in (0, 0, *rng.integers(1, 30, 2))]
    coming = [*near, *pictures, *pictures[::-1]]
    filled = ensure(iter(coming), [KIND], tmp_path / "c", JOBS)
    assert counts == Counter(one.identity for one in pictures)
    assert filled.computed == 118
    assert filled.broken == {pictures[n].identity: "is text, not a picture" for n in (5, 60)}


def test_streamed_vectors_are_those_of_a_list(pictures: list[Picture], tmp_path: Path) -> None:
    whole = describe(pictures, [KIND], tmp_path / "one", 1).features["lbp"]
    ensure(iter(pictures), [KIND], tmp_path / "two", JOBS)
    streamed = describe(pictures, [KIND], tmp_path / "two", 1)
    assert streamed.computed == 0
    assert streamed.features["lbp"].tobytes() == whole.tobytes()


class StoppedError(Exception):
    pass


def stopped_source(pictures: list[Picture]) -> Iterator[Picture]:
    yield from pictures[:75]
    raise StoppedError


@pytest.mark.parametrize("by", ["its source", "its watcher"])
def test_stopped_in_the_middle_it_goes_on_from_what_is_kept(
    pictures: list[Picture], tmp_path: Path, by: str, small_batches: int
) -> None:
    def stop(done: int, total: int, seconds: float) -> None:
        if by == "its watcher" and done > 60:
            raise StoppedError

    source = stopped_source(pictures) if by == "its source" else iter(pictures)
    with pytest.raises(StoppedError):
        ensure(source, [KIND], tmp_path / "c", JOBS, stop)
    assert not multiprocessing.active_children()
    kept = kept_in(tmp_path / "c")
    assert 60 < kept <= 75 if by == "its watcher" else 75 - small_batches <= kept <= 75
    assert ensure(iter(pictures), [KIND], tmp_path / "c", JOBS).computed == 120 - kept
    assert ensure(iter(pictures), [KIND], tmp_path / "c", JOBS).computed == 0


def test_where_nothing_lacks_no_process_is_started(
    pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(pictures, [KIND], tmp_path / "c", 1)
    monkeypatch.setattr(workers, "_Worker", None)
    for again in (pictures, iter(pictures), iter(())):
        assert ensure(again, [KIND], tmp_path / "c", JOBS).computed == 0


def test_links_of_the_benchmark_are_pictures_with_identities_of_their_own(
    pictures: list[Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(million_pictures, "IN_A_FOLDER", 10)
    million_pictures.link(tmp_path / "p", tmp_path / "links", 350)
    found = list(million_pictures.pictures_in(tmp_path / "links"))
    assert len({one.path for one in found}) == len({one.identity for one in found}) == len(found) == 350
    assert all(one.path.samefile(pictures[n % 120].path) for n, one in enumerate(found))
    assert max(sum(1 for _ in folder.iterdir()) for folder in {one.path.parent for one in found}) == 10


# How far it is


def told(of: Callable[[], Iterable[Picture]], cache: Path) -> list[tuple[int, int]]:
    reports: list[tuple[int, int]] = []
    ensure(of(), [KIND], cache, 1, lambda done, total, _: reports.append((done, total)))
    return reports


def test_of_a_stream_the_total_is_what_was_found_so_far(pictures: list[Picture], tmp_path: Path) -> None:
    reports = told(lambda: iter(pictures), tmp_path / "c")
    assert [done for done, _ in reports] == list(range(0, 121, 4))
    assert reports[0] == (0, 0)
    assert reports[-1] == (120, 120)
    assert all(done <= total <= done + 2 * workers.CHUNK for done, total in reports)
    assert told(lambda: iter(pictures), tmp_path / "c") == [(0, 0)]


def test_of_a_sequence_what_lacks_is_counted_first(pictures: list[Picture], tmp_path: Path) -> None:
    ensure(pictures[:40], [KIND], tmp_path / "c", 1)
    assert set(told(lambda: pictures, tmp_path / "c")) == {(done, 80) for done in range(0, 81, 4)}
    assert told(lambda: pictures, tmp_path / "c") == [(0, 0)]


def test_a_count_that_was_too_high_is_mended_at_the_end(pictures: list[Picture], tmp_path: Path) -> None:
    reports = told(lambda: [*pictures, *pictures], tmp_path / "c")
    assert reports[0] == (0, 240)
    assert reports[-1] == (120, 120)


def in_a_daemon(folder, kept):
    """What a worker of a cluster does: it may have no processes of its own."""
    pictures = [Picture(path.stem, path) for path in sorted(folder.iterdir())]
    np.save(kept, describe(pictures, ["lbp"], folder.parent / "daemon", 1).features["lbp"])


def test_a_process_that_may_have_no_children_describes_by_itself(tmp_path):
    folder, kept = tmp_path / "pictures", tmp_path / "kept.npy"
    folder.mkdir()
    draw = np.random.default_rng(4)
    for number in range(3):
        Image.fromarray(draw.integers(0, 255, (24, 32), dtype=np.uint8)).save(folder / f"{number}.png")
    process = multiprocessing.get_context("spawn").Process(target=in_a_daemon, args=(folder, kept), daemon=True)
    process.start()
    process.join(60)
    pictures = [Picture(path.stem, path) for path in sorted(folder.iterdir())]
    expected = describe(pictures, ["lbp"], tmp_path / "here", 1).features["lbp"]
    np.testing.assert_array_equal(np.load(kept), expected)
