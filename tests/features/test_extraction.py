"""Many pictures to vectors: computed once, in parallel, whatever a picture does to a process."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlbench.features import KINDS, FeatureCache, FeaturesError, Picture, PictureError, describe, ensure, kinds, workers

ROOT = Path(__file__).parents[2]


def picture(path: Path) -> Picture:
    return Picture(hashlib.sha256(path.read_bytes()).hexdigest(), path)


def make(folder: Path, count: int) -> list[Picture]:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(count)
    for n in range(count):
        Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(folder / f"{n:03}.png")
    return [picture(path) for path in sorted(folder.glob("*.png"))]


def test_one_and_two_processes_give_the_same_and_each_picture_is_computed_once(tmp_path: Path) -> None:
    pictures = make(tmp_path / "p", 70)
    told: list[tuple[int, int, float]] = []
    one = describe(pictures, list(KINDS), tmp_path / "one", 1, progress=lambda *now: told.append(now))
    assert (one.computed, one.kept, one.broken) == (70, list(range(70)), [])
    assert [done for done, _, _ in told] == [0, 32, 64, 70]
    assert {total for _, total, _ in told} == {70}
    assert [seconds for _, _, seconds in told] == sorted(seconds for _, _, seconds in told)
    for name, kind in KINDS.items():
        rows = one.features[name]
        assert rows.dtype == np.float32
        for place in (0, 40, 69):
            np.testing.assert_array_equal(rows[place], kind.of_file(pictures[place].path))

    two = describe(pictures[:69], list(KINDS), tmp_path / "two", 2)
    assert all(two.features[name].tobytes() == one.features[name][:69].tobytes() for name in KINDS)
    more = describe([pictures[69], *pictures[:69]], list(KINDS), tmp_path / "two", 2)
    assert more.computed == 1
    assert more.features["phog"][0].tobytes() == one.features["phog"][69].tobytes()
    again = describe(pictures, ["phog"], tmp_path / "two", 2)
    assert again.computed == 0
    assert list(again.features) == ["phog"]


def test_a_kind_added_later_leaves_the_others_alone(tmp_path: Path) -> None:
    pictures = make(tmp_path / "p", 3)
    assert ensure(pictures, ["pixels"], tmp_path / "c", 1).computed == 3
    before = FeatureCache(tmp_path / "c", KINDS["pixels"]).path.read_bytes()
    assert ensure(pictures, ["pixels", "phog180"], tmp_path / "c", 1).computed == 3
    assert FeatureCache(tmp_path / "c", KINDS["pixels"]).path.read_bytes() == before


def test_a_picture_is_decoded_once_for_all_kinds_and_in_colour_only_for_those_that_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = make(tmp_path / "p", 1)
    opened: list[object] = []
    plain = Image.open
    monkeypatch.setattr(Image, "open", lambda *given, **options: opened.append(1) or plain(*given, **options))
    results = workers._describe(workers.Task(one.identity, one.path, tuple(KINDS.values())))
    assert set(results) == set(KINDS)
    assert len(opened) == 1
    monkeypatch.setattr(kinds, "read_both", None)
    grey = tuple(kind for kind in KINDS.values() if not kind.in_colour)
    assert set(workers._describe(workers.Task(one.identity, one.path, grey))) == set(KINDS) - {"regcov"}


def test_the_same_picture_under_two_names_is_computed_once(tmp_path: Path) -> None:
    pictures = make(tmp_path / "p", 2)
    twin = tmp_path / "p" / "twin.png"
    twin.write_bytes(pictures[0].path.read_bytes())
    described = describe([*pictures, picture(twin)], ["pixels"], tmp_path / "c", 1)
    assert described.computed == 2
    np.testing.assert_array_equal(described.features["pixels"][0], described.features["pixels"][2])


def test_no_pictures_and_no_processes(tmp_path: Path) -> None:
    nothing = describe([], ["phog"], tmp_path / "c", 2)
    assert nothing.features["phog"].shape == (0, 3400)
    with pytest.raises(FeaturesError, match="no kind of feature 'surf'"):
        describe([], ["surf"], tmp_path / "c", 2)


def test_broken_pictures_are_named_after_the_others_are_kept(tmp_path: Path) -> None:
    pictures = make(tmp_path / "p", 40)
    for n in range(5):
        pictures[n].path.write_bytes(b"a letter" * n)
    pictures = [picture(p.path) for p in pictures]
    with pytest.raises(PictureError) as caught:
        describe(pictures, ["pixels"], tmp_path / "c", 2)
    p = tmp_path / "p"
    text = "is text, not a picture"
    assert str(caught.value) == (
        f"{p / '000.png'} is empty; {p / '001.png'} {text}; {p / '002.png'} {text}; and 2 more cannot be read"
    )
    described = describe(pictures, ["pixels"], tmp_path / "c", 2, skip_broken=True)
    assert described.computed == 0
    assert described.kept == list(range(5, 40))
    assert described.features["pixels"].shape == (35, 1024)
    np.testing.assert_array_equal(described.features["pixels"][0], KINDS["pixels"].of_file(pictures[5].path))
    assert described.broken == [(pictures[0].path, "is empty"), *[(pictures[n].path, text) for n in range(1, 5)]]


def test_a_damaged_row_is_computed_again(tmp_path: Path) -> None:
    pictures = make(tmp_path / "p", 3)
    whole = describe(pictures, ["pixels"], tmp_path / "c", 1)
    path = FeatureCache(tmp_path / "c", KINDS["pixels"]).path
    content = path.read_bytes()
    place = content.index(whole.features["pixels"][1].tobytes()[100:200])
    path.write_bytes(content[:place] + b"\x01" * 50 + content[place + 50 :])
    again = describe(pictures, ["pixels"], tmp_path / "c", 1)
    assert again.computed == 1
    assert again.features["pixels"].tobytes() == whole.features["pixels"].tobytes()


# Processes that die

DEADLY = """
import os
import numpy as np
def of_grey(grey):
    if grey.min() == 1:
        os.kill(os.getpid(), 9)
    return np.full(4, grey.mean(), np.float32)
"""


def test_a_picture_that_kills_its_process_is_named_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly_kind.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    import deadly_kind

    monkeypatch.setitem(KINDS, "deadly", kinds.Kind("deadly", {}, 1, 4, deadly_kind.of_grey))
    pictures = make(tmp_path / "p", 40)
    Image.new("L", (9, 9), 255).save(pictures[3].path)
    pictures[3] = picture(pictures[3].path)
    described = describe(pictures, ["deadly"], tmp_path / "c", 2, skip_broken=True)
    assert described.broken == [(pictures[3].path, "kills the process that decodes it")]
    assert described.computed == len(described.kept) == 39
    with pytest.raises(PictureError, match=r"003\.png kills the process that decodes it"):
        describe(pictures, ["deadly"], tmp_path / "c", 1)


@pytest.mark.slow
def test_processes_killed_from_outside_cost_nothing(tmp_path: Path) -> None:
    pictures = make(tmp_path / "p", 400)
    killed: list[int] = []

    def kill_some(done: int, total: int, seconds: float) -> None:
        if done > 60 * len(killed) and len(killed) < 4:
            time.sleep(0.02 * len(killed))  # in the middle of a picture, or of an answer
            killed.append(multiprocessing.active_children()[-1].pid)
            os.kill(killed[-1], signal.SIGKILL)

    described = describe(pictures, list(KINDS), tmp_path / "c", 2, progress=kill_some)
    assert len(killed) == 4
    assert (described.computed, described.broken) == (400, [])


def test_a_mistake_in_a_kind_is_no_pictures_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "mistaken", kinds.Kind("mistaken", {}, 1, 4, int))
    with pytest.raises(RuntimeError, match="TypeError"):
        describe(make(tmp_path / "p", 2), ["mistaken"], tmp_path / "c", 1)
    assert not multiprocessing.active_children()


def test_processes_that_cannot_start_are_no_pictures_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "absent_kind.py").write_text("import os\ndef start(connection):\n    os._exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    import absent_kind

    monkeypatch.setattr(workers, "_serve", absent_kind.start)
    with pytest.raises(FeaturesError, match="die as soon as they start"):
        describe(make(tmp_path / "p", 2), ["pixels"], tmp_path / "c", 1)


def test_an_error_in_the_parent_ends_the_processes(tmp_path: Path) -> None:
    def stop(done: int, total: int, seconds: float) -> None:
        if done:
            raise KeyboardInterrupt

    pictures = make(tmp_path / "p", 100)
    with pytest.raises(KeyboardInterrupt):
        describe(pictures, ["pixels"], tmp_path / "c", 1, progress=stop)
    assert not multiprocessing.active_children()
    assert describe(pictures, ["pixels"], tmp_path / "c", 1).computed == 100 - workers.CHUNK


SCRIPT = """
import multiprocessing, sys
from pathlib import Path
from tlbench.features import Picture, describe

def tell(done, total, seconds):
    if done:
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)

if __name__ == "__main__":
    pictures = [Picture(path.name, path) for path in sorted(Path(sys.argv[1]).glob("*.png"))]
    describe(pictures, ["phog"], Path(sys.argv[2]), 2, progress=tell)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_from_outside(tmp_path: Path, how: signal.Signals) -> None:
    first = make(tmp_path / "p", 1)[0].path.read_bytes()
    for n in range(600):
        (tmp_path / "p" / f"{n:03}.png").write_bytes(first)
    (tmp_path / "run.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "p"), str(tmp_path / "c")]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = [int(pid) for pid in process.stdout.readline().split()]
    process.send_signal(how)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == -how
    assert errors.count("Traceback") == (how == signal.SIGINT)
    assert children
    deadline = time.monotonic() + 10
    while any(map(is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, children))
    pictures = [Picture(path.name, path) for path in sorted((tmp_path / "p").glob("*.png"))]
    computed = describe(pictures, ["phog"], tmp_path / "c", 1).computed
    assert 0 <= computed < 600
    assert computed % 8 == 0
