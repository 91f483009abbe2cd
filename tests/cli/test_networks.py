"""Networks by the real command: the same bytes whatever interrupts it, and what it says of what cannot be."""

import os
import shutil
import signal
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

Y, X = "yosinski-layers", "caltech-multisource"
DIGITS = ("run", Y, "--dataset", "digits", "--profile", "smoke")
FEW = (*DIGITS, "--set", "conditions=base,BnB,AnB+", "--set", "layers=2,5", "--set", "epochs=4")
BLOCKS = 2 * (1 + 2 * 2)

# Read by every process that has its folder on the path. Trainings leave what they can go on from after every epoch, and
# note each epoch in LOG. STALL = "TRAINING EPOCH": the process's training of that number stops there for ever, after
# it has made the file STALLED. NAN: the unit whose base has no finite loss.
WATCH = """
import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path


class Watcher(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "tlbench.studies.layers.layer_training":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_watch(module):
            load(module)
            module.SECONDS_BETWEEN_SAVES = -1.0
            module.train = watched(module.train)
            module.Chain.train = hopeless(module.Chain.train)

        spec.loader.exec_module = load_and_watch
        return spec


begun = 0


def watched(train):
    def watching(*arguments):
        global begun
        begun += 1
        for progress, tensors in train(*arguments):
            with Path(os.environ["LOG"]).open("a") as log:
                log.write(f"{begun} {progress.epoch}\\n")
            yield progress, tensors
            if os.environ.get("STALL") == f"{begun} {progress.epoch}":
                Path(os.environ["STALLED"]).touch()
                time.sleep(600)

    return watching


def hopeless(train):
    def training(self, training, block, keeping):
        if block.conditions == ("base",) and block.unit == os.environ.get("NAN"):
            import msgspec

            training = msgspec.structs.replace(training, learning_rate=1e30)
        return train(self, training, block, keeping)

    return training


sys.meta_path.insert(0, Watcher())
"""

# The optional part as if it had never been installed.
WITHOUT = """
import importlib.machinery

find = importlib.machinery.PathFinder.find_spec
HIDDEN = ("torch", "torchvision", "safetensors")


def find_others(name, path=None, target=None):
    return None if name.partition(".")[0] in HIDDEN else find(name, path, target)


importlib.machinery.PathFinder.find_spec = staticmethod(find_others)
"""


def on_path(folder, content):
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def watch(tmp_path_factory):
    return on_path(tmp_path_factory.mktemp("networks") / "watch", WATCH)


@pytest.fixture(scope="session")
def without_torch(tmp_path_factory):
    return on_path(tmp_path_factory.mktemp("networks") / "without", WITHOUT)


@pytest.fixture(scope="session")
def only_once():
    return {}


@pytest.fixture
def finished_networks(only_once, tmp_path_factory, warm, place):
    """A run of two processes, to be looked at and not touched: its place and what it printed."""
    if not only_once:
        only_once["place"] = type(place)(tmp_path_factory.mktemp("trained") / "place", warm)
        only_once["done"] = only_once["place"].succeed(*FEW, "--jobs", "2")
    return only_once["place"], only_once["done"]


@pytest.fixture
def trained(finished_networks):
    """What it published, byte by byte."""
    return finished_networks[0].published()


@pytest.fixture
def log(place):
    """Which epochs of which trainings were computed, since it was asked last."""
    path = place.folder / "log"

    def epochs():
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.unlink(missing_ok=True)
        found = {}
        for line in text.splitlines():
            training, epoch = map(int, line.split())
            found.setdefault(training, []).append(epoch)
        return found

    return epochs


def begun(place):
    return sorted(place.folder.rglob(".tlbench/begun/*"))


def stalled(place, watch, at, *more):
    """A run that is in the middle of a training, and will not go on by itself."""
    mark = place.folder / "stalled"
    variables = {"PYTHONPATH": watch, "LOG": place.folder / "log", "STALLED": mark, "STALL": at}
    process = place.start(*FEW, "--jobs", "1", *more, **variables)
    while not mark.exists():
        if process.poll() is not None:
            pytest.fail(f"it ended: {process.communicate()}")
        time.sleep(0.02)
    mark.unlink()
    return process


# Runs


@pytest.mark.slow
def test_a_run_leaves_a_measurement_for_every_training(finished_networks):
    place, done = finished_networks
    assert "10 of 10 blocks" in done.err
    measured = place.measurements()
    accuracies = measured[measured["metric"] == "accuracy"]
    assert len(accuracies) == BLOCKS
    assert not accuracies[["unit", "condition", "layers"]].duplicated().any()
    assert set(accuracies["unit"]) == {"random-0-A", "random-0-B"}
    assert accuracies["value"].between(0, 100).all()
    assert set(accuracies.query("condition == 'base'")["layers"]) == {0}
    assert set(accuracies.query("condition != 'base'")["layers"]) == {2, 5}
    assert (measured[measured["metric"] == "train_loss"]["value"] > 0).all()
    halves = pd.read_csv(place.run_folder / "halves.csv")
    assert halves["class"].nunique() == len(halves) == 10
    assert "Each half has 5 classes, with 20 training and 60 test pictures each" in done.out
    assert len(list(place.folder.rglob("weights/*/*.safetensors"))) == 2
    assert begun(place) == []
    place.assert_nothing_left_over()


@pytest.mark.slow
def test_killed_in_a_training_it_goes_on_from_its_last_epoch(place, watch, trained, log):
    """With one process instead of two, in a training that starts from another's layers."""
    place.kill(stalled(place, watch, "4 2"))
    assert len(place.blocks) == 3
    assert len(begun(place)) == 1
    kept = place.touched(place.blocks)
    assert log()[4] == [1, 2]
    place.succeed(*FEW, "--jobs", "1", "--quiet", PYTHONPATH=watch, LOG=place.folder / "log")
    assert log() == {1: [3, 4], **{number: [1, 2, 3, 4] for number in range(2, BLOCKS - 3 + 1)}}
    assert place.published() == trained
    assert {path: place.touched(place.blocks)[path] for path in kept} == kept
    assert begun(place) == []
    place.assert_nothing_left_over()


@pytest.mark.slow
def test_killed_again_and_again_it_computes_each_epoch_once(place, watch, trained, log):
    place.kill(stalled(place, watch, "1 2"))
    place.kill(stalled(place, watch, "1 3"))
    place.kill(stalled(place, watch, "2 1"))
    place.succeed(*FEW, "--jobs", "1", "--quiet", PYTHONPATH=watch, LOG=place.folder / "log")
    first = [1, 2, 3, 4, 2, 3, 4]  # the first of each process: one base in three pieces, then the other
    later = {number: [1, 2, 3, 4] for number in range(3, BLOCKS - 1 + 1)}
    assert log() == {1: first, 2: [1, 1, 2, 3, 4], **later}
    assert place.published() == trained
    place.assert_nothing_left_over()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["everyone", "the parent"])
def test_interrupted_in_a_training_it_says_so_and_goes_on(place, watch, trained, log, to):
    process = stalled(place, watch, "4 3")
    if to == "everyone":
        place.kill(process, signal.SIGINT)
    else:
        os.kill(process.pid, signal.SIGINT)
    interrupted = place.finish(process)
    assert interrupted.status == 130
    assert "the same command goes on" in interrupted.err
    assert "Traceback" not in interrupted.err
    place.assert_nothing_left_over()
    assert len(begun(place)) == 1
    log()
    place.succeed(*FEW, "--jobs", "1", "--quiet", PYTHONPATH=watch, LOG=place.folder / "log")
    assert log()[1] == [4]
    assert place.published() == trained
    place.assert_nothing_left_over()


@pytest.mark.slow
def test_a_damaged_beginning_is_begun_again(place, watch, trained, log):
    place.kill(stalled(place, watch, "1 3"))
    (path,) = begun(place)
    path.write_bytes(path.read_bytes()[:-8])
    log()
    place.succeed(*FEW, "--jobs", "1", "--quiet", PYTHONPATH=watch, LOG=place.folder / "log")
    assert log()[1] == [1, 2, 3, 4]
    assert place.published() == trained


@pytest.mark.slow
def test_more_layers_and_conditions_compute_only_theirs(finished_networks, place):
    shutil.copytree(finished_networks[0].folder / "results", place.folder / "results")
    (source,) = place.run_folders
    more = ("--set", "conditions=base,BnB,AnB+,random-scaled", "--set", "layers=2,5,6", "--set", "epochs=4")
    (other,) = (source.with_name("digits-smoke--conditions=base+BnB+AnB++random-scaled,layers=2+5+6,epochs=4"),)
    source.rename(other)
    added = 2 * (2 + 3)
    shown = place.succeed(*DIGITS, *more, "--dry-run").out
    assert f"done     {BLOCKS}" in shown
    assert f"missing  {added}" in shown
    assert f"{added} of {added} blocks" in place.succeed(*DIGITS, *more).err


@pytest.mark.slow
def test_a_base_that_fails_takes_along_what_starts_from_it(place, watch, trained):
    variables = {"PYTHONPATH": watch, "LOG": place.folder / "log"}
    failed = place.tlbench(*FEW, **variables, NAN="random-0-A")
    assert failed.status == 1
    assert "Traceback" not in failed.err
    texts = [path.read_text(encoding="utf-8") for path in place.failures()]
    assert len(texts) == 1 + 2 + 2
    (cause,) = [text for text in texts if "TrainingError" in text]
    assert "in epoch 1; set a lower learning_rate" in cause
    reason = "not computed: it starts from random-0-A, split 0, base, layers 0, which failed"
    assert sum(reason in text for text in texts) == 4
    lines = [line for line in failed.err.splitlines() if line.startswith("failed: ")]
    assert len(lines) == 5
    assert sum("in epoch 1; set a lower learning_rate; see results" in line for line in lines) == 1
    assert sum(reason in line for line in lines) == 4
    assert len(place.blocks) == BLOCKS - 5
    assert set(place.measurements()["condition"]) == {"base", "BnB", "AnB+"}
    place.succeed(*FEW, "--quiet", **variables)
    assert place.published() == trained
    assert place.failures() == []


@pytest.mark.slow
def test_where_no_training_has_a_finite_loss_nothing_is_published(place):
    options = ("--set", "conditions=base,AnB", "--set", "layers=2", "--set", "learning_rate=1e12")
    failed = place.tlbench(*DIGITS, *options, "--jobs", "1")
    assert failed.status == 1
    assert "every block failed" in failed.err.splitlines()[-1]
    assert "Traceback" not in failed.err
    assert len(place.failures()) == 4
    assert "epoch 1; set a lower learning_rate" in "".join(path.read_text() for path in place.failures())
    assert place.published() == {}


# A folder of pictures


@pytest.mark.slow
def test_a_folder_of_pictures_of_all_kinds(place):
    """Of several sizes and shapes, some grey, and one in another format."""
    draw = np.random.default_rng(0)
    for number, label in enumerate(("grey heron", "Löffler", "白鷺", "ibis")):
        folder = place.folder / "photos" / label
        folder.mkdir(parents=True)
        for index in range(12):
            shape = [(32, 32, 3), (48, 64, 3), (32, 32)][index % 3]
            colours = np.array([60, 120, 180])[: 3 if len(shape) == 3 else 1] + 20 * number
            values = (colours if len(shape) == 3 else colours[0]) + draw.normal(0, 25, shape)
            kind = "bmp" if index == 4 else "png"
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.{kind}")
    options = ("--set", "epochs=2", "--set", "layers=1,6", "--set", "conditions=base,BnB,AnB+,random-scaled")
    run = ("run", Y, "--dataset", "folder:photos", "--profile", "smoke", *options)
    planned = place.succeed(*run, "--dry-run")
    assert "decoding the pictures first, for blocks are planned on them; kept in " in planned.out
    assert "decoding: 48 of 48 pictures" in planned.err
    done = place.succeed(*run)
    assert "decoding" not in done.out + done.err
    assert "16 grey pictures among colour ones" in done.out
    assert "16 pictures were not 32 x 32: resized" in done.out
    assert "Each half has 2 classes, with 9 training and 3 test pictures each" in done.out
    assert len(place.measurements()) == 2 * 2 * (1 + 3 * 2)
    assert set(pd.read_csv(place.run_folder / "halves.csv")["class"]) == {"grey heron", "Löffler", "白鷺", "ibis"}
    before = place.published()
    again = place.succeed(*run)
    assert "blocks" not in again.err
    assert place.published() == before
    place.assert_nothing_left_over()


# Planned and not run


@pytest.mark.slow
def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(place):
    shown = place.succeed(*DIGITS, "--set", "conditions=base,AnB", "--dry-run")
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert lines[0].startswith("8 blocks in results/yosinski-layers/digits-smoke")
    assert lines[1:4] == ["done 0", "missing 8", "failed 0 (among the missing; tried again by the next run)"]
    assert "time about" in lines[4]
    assert "from a measurement just now" in lines[4]
    assert "memory about" in lines[5]
    assert "that is 8 trainings" in lines[6]
    assert place.everything() == []


@pytest.mark.parametrize(
    ("arguments", "blocks"),
    [
        pytest.param(
            ("--dataset", "tiny-imagenet", "--profile", "smoke", "--set", "layers=4"), 14, marks=pytest.mark.slow
        ),
        pytest.param(
            ("--dataset", "imagenet", "--profile", "paper", "--set", "conditions=base", "--set", "batch=1"),
            4 * 2 * 2,
            marks=pytest.mark.slow,
        ),
        pytest.param(("--dataset", "cifar10"), 4 * 2 * 2 * (1 + 6 * 7), marks=pytest.mark.slow),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else str(value),
)
def test_a_dry_run_plans_data_that_are_not_here(place, arguments, blocks):
    shown = place.succeed("run", Y, *arguments, "--dry-run", "--jobs", "1")
    assert f"{arguments[1]} is not here: planned from its published numbers" in shown.out
    assert f"{blocks} blocks in" in shown.out
    assert f"that is {blocks} trainings and " in shown.out
    assert "memory   about" in shown.out
    if arguments[1] == "imagenet":
        assert "days of one core's or the device's work" in shown.out
    uncounted = "the time to decode pictures is not counted: they are not here to measure it on"
    assert (uncounted in shown.out) == (arguments[1] == "imagenet")
    assert place.everything() == []


# Without the optional part


def test_without_torch_networks_are_listed_and_refused_with_a_remedy(place, without_torch):
    listed = place.succeed("list", PYTHONPATH=without_torch)
    assert Y in listed.out
    refused = place.tlbench(*DIGITS, PYTHONPATH=without_torch)
    assert refused.status == 3
    assert refused.err.count("\n") == 1
    assert "this experiment needs torch and torchvision and safetensors, not installed here" in refused.err
    assert "pip install 'tlbench[networks]'" in refused.err
    assert place.everything() == []


@pytest.mark.slow
def test_without_torch_finished_networks_are_drawn_and_checked_and_others_run(finished_networks, place, without_torch):
    shutil.copytree(finished_networks[0].folder / "results", place.folder / "results")
    before = place.published()
    place.succeed("plot", Y, PYTHONPATH=without_torch)
    assert place.published() == before
    checked = [place.tlbench("check", Y, **more) for more in ({"PYTHONPATH": without_torch}, {})]
    assert "Traceback" not in checked[0].err
    assert checked[0] == checked[1]
    few = ("--set", "conditions=none", "--seeds", "1", "--quiet")
    place.succeed("run", X, "--dataset", "digits", "--profile", "smoke", *few, PYTHONPATH=without_torch)


# What cannot be

LIST = "class,kind\nzero,natural\none,natural\ntwo,man-made\nthree,man-made\n"

REFUSED = [
    ((*DIGITS, "--device", "cuda"), ("device cuda is not here", "--device cpu")),
    ((*DIGITS, "--device", "cuda:²"), ("there is no device 'cuda:²'", "cpu, cuda and cuda:N")),
    ((*DIGITS, "--device", "tpu"), ("there is no device 'tpu'", "cpu, cuda and cuda:N")),
    (("run", X, "--dataset", "digits", "--device", "cuda"), "leave --device out"),
    ((*DIGITS, "--set", "layers=0"), "layers"),
    ((*DIGITS, "--set", "layers=4,8"), ("layers may be 1 to 7, not 8", "digits8 has 8")),
    ((*DIGITS, "--set", "layers=x"), "layers"),
    ((*DIGITS, "--set", "learning_rate=nan"), "learning_rate"),
    ((*DIGITS, "--set", "conditions=BnB"), "conditions must include 'base'"),
    ((*DIGITS, "--set", "class_list=wrong.csv"), ("wrong.csv", "there is no class 'thre'", "did you mean 'three'")),
    ((*DIGITS, "--set", "class_list=nothere.csv"), "nothere.csv"),
    ((*DIGITS, "--set", "class_split=natural-manmade"), ("natural", "class_list")),
    ((*DIGITS, "--set", "classes_per_half=1"), "a half with fewer than 2 classes cannot be learned"),
    ((*DIGITS, "--categories", "one,two,three"), "1 class for each half"),
    ((*DIGITS, "--set", "network=resnet18"), ("resnet18 takes pictures of 32 × 32", "set network=digits8")),
    (("run", Y, "--profile", "paper", "--dataset", "digits"), ("caffenet", "256 × 256", "8 × 8")),
    (("run", Y, "--dataset", "caltech256-features"), ("is for kernel machines and not for networks", "digits")),
    (("run", X, "--dataset", "cifar10"), ("is for networks and not for kernel machines", "digits")),
]
USUAL = (9, 16)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [pytest.param(*case, marks=() if place in USUAL else pytest.mark.slow) for place, case in enumerate(REFUSED)],
    ids=lambda value: str(value)[-50:],
)
def test_what_is_wrong_is_said_in_a_sentence(place, arguments, words):
    (place.folder / "wrong.csv").write_text(LIST.replace("three", "thre"), encoding="utf-8")
    before = place.everything()
    done = place.tlbench(*arguments)
    assert done.status == 2, done
    assert "Traceback" not in done.err
    assert done.out == ""
    assert done.err.startswith("tlbench: ")
    assert done.err.count("\n") == 1
    for word in words if isinstance(words, tuple) else (words,):
        assert word in done.err
    assert place.everything() == before


@pytest.mark.slow
def test_a_class_list_makes_halves_of_kinds(place):
    (place.folder / "mine.csv").write_text(LIST, encoding="utf-8")
    options = ("class_list=mine.csv", "class_split=natural-manmade", "conditions=base,AnB", "layers=3", "epochs=2")
    place.succeed(*DIGITS, *(word for option in options for word in ("--set", option)), "--quiet")
    halves = pd.read_csv(place.run_folder / "halves.csv")
    assert halves.groupby("half")["class"].agg(list).to_dict() == {"A": ["zero", "one"], "B": ["two", "three"]}


def test_the_processor_may_be_named_where_there_is_nothing_else(place):
    options = ("--set", "conditions=none", "--seeds", "1", "--dry-run", "--device", "cpu")
    place.succeed("run", X, "--dataset", "digits", "--profile", "smoke", *options)
