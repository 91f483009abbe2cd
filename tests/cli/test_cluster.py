"""A cluster of real processes, scheduler and workers each in a folder of its own: the bytes of a local run, whatever
dies on the way.

``/proc/self/cwd`` in a path is another folder for every process: what lies there, a worker elsewhere does not see.
"""

import json
import shutil
import signal
import time

import pytest

from tests.place import BIRDS, ONE
from tlbench.manifest import read_manifest

pytest.importorskip("distributed")

WITHOUT_JOBS = BIRDS[: -len(ONE)]  # a cluster has as many processes as it has workers
UNSEEN = "/proc/self/cwd"
SLOW = "0.1"
FAILURES = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}


class DaskCluster:
    """Scheduler and workers as processes; ``address`` is the scheduler's."""

    def __init__(self, make_place, **variables):
        self._make_place, self._variables, self._count = make_place, variables, 0
        self.file = make_place("scheduler").folder / "scheduler.json"
        self.processes = []
        self.start_scheduler(port=0)

    def start_scheduler(self, port=None):
        """Start it, again on the same port unless another is given."""
        self.file.unlink(missing_ok=True)
        port = self.address.rpartition(":")[2] if port is None else port
        self.scheduler = self._start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", port, "--scheduler-file", self.file, **FAILURES
        )
        wait_until(lambda: self.file.exists() and self.file.read_bytes().strip().endswith(b"}"))
        self.address = json.loads(self.file.read_bytes())["address"]

    def add_worker(self, threads=1, memory="0", **variables):
        """One more worker, in a folder of its own; returns its place and its process."""
        self._count += 1
        name = f"worker-{self._count}"
        worker = self._start(
            name, "worker", self.address, "--nthreads", threads, "--memory-limit", memory, "--nworkers", 1, **variables
        )
        return self._make_place(name), worker

    def wait_for_workers(self, count):
        """Until the scheduler knows that many."""
        ask = (
            "import sys\nfrom distributed import Client\n"
            "with Client(sys.argv[1]) as client:\n    client.wait_for_workers(int(sys.argv[2]), timeout=60)\n"
        )
        self._make_place("asking").succeed(self.address, count, python=("-c", ask))

    def _start(self, name, kind, *arguments, **variables):
        place = self._make_place(name)
        arguments = ("-m", f"distributed.cli.dask_{kind}", *map(str, arguments), "--no-dashboard")
        process = place.start(python=arguments, **self._variables, **variables)
        self.processes.append((place, process))
        return process

    def stop(self):
        for place, process in reversed(self.processes):
            place.kill(process)


def wait_until(happens, seconds=60):
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, "it never happens"
        time.sleep(0.05)


@pytest.fixture
def make_cluster(tmp_path, birds):
    """``make_cluster(workers, …)``: a cluster that ends with the test."""
    clusters = []

    def make(workers=2, **variables):
        made = DaskCluster(lambda name: type(birds)(tmp_path / name, birds.warm), **variables)
        clusters.append(made)
        for _ in range(workers):
            made.add_worker()
        return made

    yield make
    for made in clusters:
        made.stop()


def assert_reference(birds, birds_reference):
    assert birds.published() == birds_reference
    assert len(birds.blocks) == 48
    birds.assert_nothing_left_over()


# The same bytes


@pytest.mark.slow
def test_two_workers_elsewhere_give_the_bytes_of_a_local_run(birds, birds_reference, make_cluster):
    cluster = make_cluster()
    done = birds.succeed(*WITHOUT_JOBS, "--cluster", cluster.address)
    assert_reference(birds, birds_reference)
    assert "refused" not in done.err
    before = birds.touched()
    birds.succeed(*WITHOUT_JOBS, "--cluster", cluster.file)  # nothing is missing any more
    assert birds.touched() == before

    # What no worker sees travels back, and the data by name have to be where the worker is.
    unseen = ("--results", f"{UNSEEN}/elsewhere", "--cluster", cluster.file)
    birds.succeed(*WITHOUT_JOBS, *unseen)
    assert (
        birds.published(birds.folder / "elsewhere" / "caltech-multisource" / birds.run_folders[0].name)
        == birds_reference
    )
    birds.assert_nothing_left_over()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "results"), [("caltech-multisource", "results"), ("yosinski-layers", f"{UNSEEN}/results")]
)
def test_both_main_experiments(place, other_place, make_cluster, name, results):
    if name == "yosinski-layers":
        pytest.importorskip("torch")
    command = ("run", name, "--dataset", "digits", "--profile", "smoke", "--quiet")
    other_place.succeed(*command, "--jobs", "1")
    place.succeed(*command, "--cluster", make_cluster().address, "--results", results)
    (found,) = (place.folder / "results" / name).iterdir()
    assert place.published(found) == other_place.published()
    place.assert_nothing_left_over()


# What dies


@pytest.mark.slow
def test_a_worker_and_a_process_of_one_that_are_killed(birds, birds_reference, make_cluster, faults, tmp_path):
    once = tmp_path / "once"
    cluster = make_cluster(
        1, PYTHONPATH=faults, SLOW=SLOW, FAULT="kill", FAULT_UNIT="ibis", FAULT_GROUP="none", FAULT_ONCE=once
    )
    place, worker = cluster.add_worker()
    process = birds.start(*WITHOUT_JOBS, "--cluster", cluster.address, "--quiet")
    birds.wait_for_blocks(process, 3)
    place.kill(worker)
    done = birds.finish(process)
    assert done.status == 0, done.err
    assert once.exists(), "the process was never killed"
    assert_reference(birds, birds_reference)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "memory"), [("kill", "0"), ("fill", "600MB")])
def test_a_block_that_always_takes_its_worker_along_is_set_aside_and_named(
    birds, birds_reference, make_cluster, faults, fault, memory
):
    cluster = make_cluster(0, PYTHONPATH=faults, FAULT=fault, FAULT_UNIT="ibis", FAULT_GROUP="none")
    for _ in range(2):
        cluster.add_worker(memory=memory)
    done = birds.tlbench(*WITHOUT_JOBS, "--cluster", cluster.address, "--quiet")
    assert done.status == 1
    assert "failed: ibis, splits 0–9, none: The process died while it computed this block" in done.err
    assert len(birds.failures()) == 1
    assert len(birds.blocks) == 47
    cluster.stop()
    birds.succeed(*birds.birds, "--quiet")  # here, where nothing kills
    assert_reference(birds, birds_reference)


@pytest.mark.slow
def test_a_scheduler_that_is_started_again(birds, birds_reference, make_cluster, faults):
    cluster = make_cluster(PYTHONPATH=faults, SLOW=SLOW)
    process = birds.start(*WITHOUT_JOBS, "--cluster", cluster.file)
    birds.wait_for_blocks(process, 3)
    cluster.stop()
    cluster.start_scheduler()
    cluster.add_worker()
    done = birds.finish(process)
    assert done.status == 0, done.err
    assert "note: the connection to the scheduler is lost; waiting for it to come back\n" in done.err
    assert_reference(birds, birds_reference)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_driver_that_is_killed_or_interrupted(birds, birds_reference, make_cluster, faults, number):
    cluster = make_cluster(PYTHONPATH=faults, SLOW=SLOW)
    process = birds.start(*WITHOUT_JOBS, "--cluster", cluster.address, "--quiet")
    birds.wait_for_blocks(process, 3)
    birds.kill(process, number)
    if number == signal.SIGINT:
        done = birds.finish(process)
        assert done.status == 130
        says = "tlbench: interrupted; what had finished is kept: the same command goes on from there\n"
        assert done.err.endswith(says)
    birds.succeed(*WITHOUT_JOBS, "--cluster", cluster.address, "--quiet")
    assert_reference(birds, birds_reference)


@pytest.mark.slow
def test_a_scheduler_that_dies_before_it_has_a_worker(birds, birds_reference, make_cluster):
    cluster = make_cluster(0)
    process = birds.start(*WITHOUT_JOBS, "--cluster", cluster.address)
    line = process.stderr.readline()
    while "has no worker yet; waiting for one" not in line:
        assert line, "it never waits"
        line = process.stderr.readline()
    cluster.stop()
    cluster.start_scheduler()
    cluster.add_worker()
    done = birds.finish(process)
    assert done.status == 0, done.err
    assert_reference(birds, birds_reference)


# Who is refused


@pytest.mark.slow
def test_workers_with_other_data_another_program_or_several_threads_are_refused(
    birds, birds_reference, make_cluster, make_table, save_table, tmp_path
):
    copy = tmp_path / "copy"
    shutil.copytree(birds.repository / "tlbench", copy / "tlbench", ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "tlbench" / "plan.py").open("a", encoding="utf-8") as file:
        file.write("# another program\n")
    cluster = make_cluster(0)
    here = (f"features:{UNSEEN}/birds.csv", "--results", f"{UNSEEN}/results", "--quiet", "--cluster", cluster.address)
    command = ("run", "caltech-multisource", *WITHOUT_JOBS[4:], "--dataset", *here)
    strange, _ = cluster.add_worker()
    save_table(make_table(dimensions=20), strange.folder / "birds.csv")
    cluster.add_worker(threads=2)
    cluster.add_worker(PYTHONPATH=copy)
    empty, _ = cluster.add_worker()
    cluster.wait_for_workers(4)
    refused = birds.tlbench(*command)
    assert refused.status == 3
    assert refused.err.splitlines()[-1].startswith(f"tlbench: no worker of {cluster.address} can be used: ")
    for why in (
        "it has 2 threads, which would share one process: start it with --nthreads 1",
        "its tlbench is another (",
        "it cannot have the run's data (features:/proc/self/cwd/birds.csv is ",
        "it cannot have the run's data (DataError: ",
    ):
        assert f"is refused: {why}" in refused.err
    assert birds.blocks == []

    shutil.copy2(birds.folder / "birds.csv", empty.folder)
    good = birds.succeed(*command)
    assert good.err.count("note: worker ") == 3
    (found,) = birds.run_folders
    assert read_manifest(found)["blocks"] == {"finished": 48, "planned": 48}
    assert birds.published()["measurements.csv"] == birds_reference["measurements.csv"]


NONE = {
    ("tcp://127.0.0.1:9",): "no Dask scheduler answers at tcp://127.0.0.1:9; start one with `dask scheduler`",
    ("nowhere.json",): "nowhere.json is not there; give an address like tcp://HOST:8786",
    ("birds.csv",): "birds.csv is no scheduler file; give an address like",
    (".",): ". cannot be read (Is a directory); give an address like",
    ("tcp://127.0.0.1",): "'tcp://127.0.0.1' is no scheduler's address; give an address like tcp://HOST:8786",
    ("",): "'' is no scheduler's address; give an address like",
    ("tcp://127.0.0.1:9", "--jobs", "2"): "--jobs has no effect with --cluster",
}


@pytest.mark.slow
def test_a_cluster_that_is_none(birds):
    """Side by side, for a scheduler may still be starting and is waited for."""
    started = {more: birds.start(*WITHOUT_JOBS, "--cluster", *more) for more in NONE}
    for more, says in NONE.items():
        done = birds.finish(started[more])
        assert done.status == (2 if "--jobs" in more else 3)
        assert says in done.err
        assert done.err.count("\n") == 1


def test_without_dask_there_is_a_remedy(birds, tmp_path):
    (tmp_path / "distributed.py").write_text("raise ImportError\n", encoding="utf-8")
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'distributed' else find(name, *more)\n",
        encoding="utf-8",
    )
    refused = birds.tlbench(*WITHOUT_JOBS, "--cluster", "tcp://127.0.0.1:9", PYTHONPATH=hidden)
    assert (refused.status, refused.err.count("\n")) == (3, 1)
    assert "--cluster needs distributed, not installed here; to have it: pip install 'tlbench[dask]'" in refused.err
