"""A journey that is interrupted at random moments of all its stages, again and again, and always goes on."""

from __future__ import annotations

import hashlib
import os
import platform
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread, main_thread

import pytest

from tests.place import REPOSITORY
from tests.trust.journey_place import TO_GO_ON_FROM, TREE, Journey, serving, small_archive
from tlbench.datasets import RemoteFile, fetch
from tlbench.datasets.fetching import tidy
from tlbench.datasets.picture_folder import scan
from tlbench.spawning import OwnContext, deaf_to_interrupts

pytestmark = pytest.mark.fault("interruption")

A_CHAIN = 12  # interruptions
CHAINS = -(-int(os.environ.get("TLBENCH_MOMENTS", "24")) // A_CHAIN)
SOON = 10.0  # seconds after a signal by which the command has ended on a machine that does much else besides
STAGES = ("start", "download", "extract", "features", "blocks", "tables", "figures")
EVENTS = {"start": 400, "download": 10, "extract": 310, "features": 300, "blocks": 170, "tables": 50, "figures": 55}
SIGNALS = (
    ("SIGKILL", "group"),
    ("SIGKILL", "parent"),
    ("SIGTERM", "parent"),
    ("SIGTERM", "group"),
    ("SIGINT", "group"),
)


@dataclass
class Finished:
    """What was finished when a command ended, and what became of it by the next end."""

    files: dict[Path, tuple[int, int]] = field(default_factory=dict)
    features: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    part: int = 0
    temporary: list[str] = field(default_factory=list)

    @classmethod
    def now(cls, journey: Journey) -> Finished:
        return cls(journey.finished_files(), journey.finished_features(), journey.part(), journey.temporary())

    def lost(self, later: Finished, ranges: list[str]) -> list[object]:
        """What is gone, has changed or was done again; ranges: of what the server was asked for since."""
        gone: list[object] = [path for path, touched in self.files.items() if later.files.get(path) != touched]
        gone += [identity for identity, row in self.features.items() if later.features.get(identity) != row]
        gone += (
            [f"{self.part} bytes of the download"]
            if self.part and ranges[:1] not in ([], [f"bytes={self.part}-"])
            else []
        )
        return gone


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "small.zip"
    path.write_bytes(small_archive())
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, warm, archive) -> dict[str, bytes]:
    """What the journey publishes where nothing comes between."""
    with serving(archive.read_bytes()) as mirror:
        journey = Journey(tmp_path_factory.mktemp("undisturbed") / "place", warm, archive, mirror)
        done = journey.finish(journey.go())
    assert done.status == 0, done.err
    assert journey.temporary() == []
    assert {stage: count for stage, count in journey.counted().items() if count < EVENTS[stage]} == {}
    return journey.published()


def stages_to_come(journey: Journey) -> list[str]:
    """Those in which the next start will do something, first the one that it will go on in."""
    if not (journey.folder / TREE).exists():
        return list(STAGES[1 if not (journey.folder / "data/caltech101/caltech-101.zip").exists() else 2 :])
    if len(journey.finished_features()) < 150:
        return list(STAGES[3:])
    return list(STAGES[4 if len(journey.blocks) < 24 else 5 :])


def moment(journey: Journey, draw: random.Random) -> str:
    """When the next signal comes, which, and to whom."""
    coming = stages_to_come(journey)
    stage = draw.choices(["start", *coming[:3]], [1, 5, 2, 1][: 1 + len(coming[:3])])[0]
    left = {"features": 1 - len(journey.finished_features()) / 150, "blocks": 1 - len(journey.blocks) / 24}
    number = draw.randint(1, max(1, round(0.9 * EVENTS[stage] * left.get(stage, 1))))
    seconds = draw.choice([0, 0, draw.uniform(0, 0.02), draw.uniform(0, 0.5)])
    name, whom = draw.choice(SIGNALS)
    return f"{stage}:{number}:{seconds:.4f}:{name}:{whom}"


def assert_said(before: Finished, after: Finished, ended, name: str, seconds: float) -> None:
    """What a person reads who interrupted it: one line, soon; and what lies there then that did not before."""
    if name == "SIGKILL":
        assert ended.status == -signal.SIGKILL
        return
    assert ended.status == 130, ended
    assert "Traceback" not in ended.err
    assert "Exception" not in ended.err
    (line,) = [line for line in ended.err.splitlines() if line.startswith("tlbench: ")]
    assert "is kept" in line
    assert "the same command goes on" in line
    assert line == ended.err.splitlines()[-1]
    assert seconds < SOON
    new = {*after.temporary} - {*before.temporary}  # what an earlier one left that was killed goes a little later
    assert [path for path in new if not TO_GO_ON_FROM.fullmatch(path)] == []


@pytest.mark.slow
@pytest.mark.parametrize("chain", range(CHAINS))
def test_wherever_it_is_interrupted_nothing_is_lost(chain, tmp_path, warm, archive, undisturbed, faults_tried):
    draw, interruptions, journeys = random.Random(chain), 0, 0
    while interruptions < A_CHAIN:
        with serving(archive.read_bytes()) as mirror:
            journey = Journey(tmp_path / f"place-{journeys}", warm, archive, mirror)
            interruptions += travel(journey, draw, A_CHAIN - interruptions, undisturbed, faults_tried)
        journeys += 1
    assert faults_tried.counts["survived"] == faults_tried.counts["tried"]
    assert faults_tried.counts["lost"] == faults_tried.counts["wrong"] == 0


def different(one: dict[str, bytes], other: dict[str, bytes]) -> dict[str, list[str]]:
    """The lines that only one of two sets of files has, by file."""
    lines = [{name: files.get(name, b"").splitlines() for name in {**one, **other}} for files in (one, other)]
    found = {name: {*lines[0][name]} ^ {*lines[1][name]} for name in lines[0] if one.get(name) != other.get(name)}
    return {name: [repr(line) for line in sorted(several)] for name, several in found.items()}


def travel(journey: Journey, draw: random.Random, most: int, undisturbed: dict[str, bytes], faults_tried) -> int:
    """Make the journey to its end, interrupted so many times at most; returns how often it was."""
    interruptions, before = 0, Finished.now(journey)
    while True:
        asked = len(journey.mirror.ranges)
        is_last = interruptions == most or (stages_to_come(journey)[0] == "tables" and draw.random() < 0.3)
        at = "" if is_last else moment(journey, draw)
        ended = journey.finish(journey.go(at))
        now = time.monotonic()
        journey.assert_no_processes()
        after, sent = Finished.now(journey), journey.sent()
        lost = before.lost(after, journey.mirror.ranges[asked:])
        if ended.status == 0:
            wrong = different(journey.published(), undisturbed)
            if lost or wrong or journey.temporary():
                faults_tried.came_to(survived=False, lost=len(lost), wrong=len(wrong))
            assert (lost, wrong, journey.temporary()) == ([], {}, []), at
            assert sent is None or sent[0] in ("start", "tables", "figures"), at  # too late to be noticed
            return interruptions
        assert sent is not None, (at, ended)
        interruptions += 1
        try:
            assert_said(before, after, ended, at.split(":")[3], now - float(sent[3]))
            assert lost == [], at
        except AssertionError as error:
            faults_tried.came_to(survived=False, lost=len(lost))
            print("FAULT", at, error, ended.err)  # noqa: T201 (which is how to bring it about again)
        else:
            faults_tried.came_to(survived=True)
        print(sent[0], *at.split(":")[3:], f"{now - float(sent[3]):.2f}", sent[1], sep="\t")  # noqa: T201 (a protocol)
        before = after


# What the journeys have found, each alone


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to", ["this thread", "another"])
def test_a_process_is_begun_to_its_end_before_an_interruption_is_heard(number, to):
    """Also by the first one, with which Python lets signals through again; and whichever thread the signal reaches."""

    def interrupted(*_):
        raise KeyboardInterrupt

    def begin():
        with deaf_to_interrupts():
            process = OwnContext().Process(target=print)
            process.start()
            signal.pthread_kill((main_thread() if to == "this thread" else other).ident, number)
            time.sleep(0.05)
            process.join()
            reached.append(process.exitcode)

    before, ended = signal.signal(number, interrupted), Event()
    other, reached = Thread(target=ended.wait), []
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            begin()
        assert signal.getsignal(number) is interrupted
    finally:
        signal.signal(number, before)
        ended.set()
        other.join()
    assert reached == [0]


FIRST_PROCESS = """
import time
from pathlib import Path
from tlbench.spawning import OwnContext, deaf_to_interrupts
with deaf_to_interrupts():
    process = OwnContext().Process(target=time.sleep, args=(60,))
    process.start()
    print(Path(f"/proc/{process.pid}/status").read_text())
process.kill()
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_first_process_is_begun_deaf_too():
    """With it Python starts a process of its own, and then lets signals through again."""
    program = [sys.executable, "-c", FIRST_PROCESS]
    status = subprocess.run(program, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    (blocked,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk:"))
    assert all(blocked & 1 << number - 1 for number in (signal.SIGINT, signal.SIGTERM))


@pytest.mark.parametrize("opens", ["the file", "a set"])
def test_what_a_killed_download_left_beside_its_file_goes(tmp_path, opens):
    content = b"grades"
    file = RemoteFile("a/b.csv", (), len(content), hashlib.sha256(content).hexdigest())
    target = tmp_path / "a" / "b.csv"
    target.parent.mkdir()
    target.write_bytes(content)
    others = [target.with_name(name) for name in ("c.csv.part", "c.csv.part.json")]  # to go on from
    for path in (*others, *(target.with_name(f"b.csv{end}") for end in (".lock", ".part", ".part.json"))):
        path.write_bytes(b"x")
    fetch(file, tmp_path) if opens == "the file" else tidy(target)
    assert sorted(target.parent.iterdir()) == [target, *others]


def test_what_a_killed_process_left_of_an_index_goes(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    photos, index = tmp_path / "photos", tmp_path / "index"
    for label in ("a", "b", "background"):
        (photos / label).mkdir(parents=True)
        (photos / label / "one.png").write_bytes(label.encode())
    left = index / f".{platform.node()}.{dead.pid}.0a1b2c3d.tmp"
    index.mkdir()
    left.write_bytes(b"half")
    scan(photos, background="background", index=index)
    assert not left.exists()
    (kept,) = index.iterdir()
    assert kept.stat().st_size > 0
