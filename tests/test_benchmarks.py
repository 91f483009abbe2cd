"""The loop that the speed is measured against is the same mathematics: it must keep agreeing with the study."""

import csv
import dataclasses

import numpy as np
import pytest
from PIL import Image

from benchmarks import against_rates, end_to_end, growth_stages, reference
from benchmarks.against_limit import Sizes
from benchmarks.empty_blocks import Nothing
from benchmarks.shared_inputs import shared_inputs
from benchmarks.table import Row, row, show, write
from benchmarks.workload import WholeRun, synthetic_pack, whole_run
from tlbench import computing
from tlbench.studies.sources.source_task import Task


@pytest.fixture(scope="module")
def run():
    """Four small categories, two splits, shots 1, 3 and 10."""
    whole = whole_run(None, {"seeds": "2", "shots": "1,3,10"})
    small = synthetic_pack(categories=4, dimensions={"sift": 30, "phog": 4})
    blocks = [blocks for blocks in whole.tasks if blocks[0].unit in small.categories]
    return WholeRun(None, small, whole.study, blocks)


@pytest.fixture(scope="module")
def inputs(run):
    return shared_inputs(run)


def test_reference_and_study_find_the_same_accuracies(inputs):
    for one in inputs:
        ours, plain = one.accuracies(), reference.accuracies(one.target)
        assert sorted(ours) == sorted(plain)
        assert len(ours) == 8
        for condition, values in ours.items():
            np.testing.assert_allclose(values, plain[condition], rtol=0, atol=1e-9, err_msg=condition)


@pytest.mark.parametrize("kind", ["none", "equal", "random"])
def test_reference_and_study_decide_alike_for_given_weights(inputs, kind, monkeypatch):
    monkeypatch.setattr(Task, "score", lambda self, decisions: decisions)
    for one in inputs:
        sources = len(one.task.names)
        betas = {
            "none": np.zeros(sources),
            "equal": np.full(sources, 1 / np.sqrt(sources)),
            "random": np.random.default_rng(3).uniform(-0.5, 0.5, sources),
        }
        beta = betas[kind]
        weights = np.broadcast_to(beta, (*one.task.labels.shape[:2], sources))
        ours = one.factorised().accuracy(weights)
        for problem in one.target.problems():
            plain = problem.decisions(reference.given_weights(problem, beta), beta)
            place = one.task.shots.index(problem.shots)
            np.testing.assert_allclose(ours[problem.split, place], plain, rtol=0, atol=1e-8)


def test_machines_factorised_anew_are_the_ones_that_prepare_made(inputs):
    for one in inputs:
        np.testing.assert_allclose(one.factorised().machines.P, one.task.machines.P, rtol=0, atol=1e-9)


def test_the_synthetic_pack_has_the_released_shape():
    run = whole_run(None)
    pack = run.pack
    assert {kind: values.shape[1] for kind, values in pack.features.items()} == {
        "sift": 300,
        "phog": 40,
        "lbp": 37,
        "regcov": 28,
    }
    assert [len(rows) for rows in pack.categories.values()] == [80] * 10
    backgrounds = [pack.background_of(category) for category in pack.categories]
    assert [len(np.unique(rows)) for rows in backgrounds] == [80] * 10
    assert len(np.intersect1d(backgrounds[0], backgrounds[1])) > 0
    assert len(run.tasks) == 10
    assert sum(len(block.conditions) for block in run.tasks[0]) == 8


def test_the_limit_counts_what_the_draws_hold(run):
    sizes = Sizes.of(run, 0)
    assert sizes.training == [11, 13, 20]
    assert sizes.sources == [160, 160, 160]
    assert 80 * 3 < sizes.distinct <= 160 * 3


def test_the_table_takes_medians_and_bounds_of_paired_ratios(tmp_path, capsys):
    taken = row("grid", "loop", [1.0, 2.0, 4.0], [10.0, 10.0, 10.0], "seconds, in words")
    assert taken == Row("grid", "loop", 5.0, 2.5, 10.0, "seconds, in words")
    write([taken], tmp_path / "results.csv")
    show([taken])
    assert "5" in capsys.readouterr().out
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        (entry,) = csv.DictReader(file)
    assert list(entry) == [field.name for field in dataclasses.fields(Row)]
    assert entry["ratio"] == "5"


def test_what_was_kept_stands_beside_and_a_fall_is_marked(tmp_path, capsys):
    kept = tmp_path / "results.csv"
    write([Row("steady", "loop", 5.0, 5.0, 5.0, ""), Row("slower", "loop", 5.0, 5.0, 5.0, "")], kept)
    now = [
        Row("steady", "loop", 4.1, 4.1, 4.1, ""),
        Row("slower", "loop", 3.9, 3.9, 3.9, ""),
        Row("new", "", 1, 1, 1, ""),
    ]
    show(now, kept)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("steady", "slower", "new"))]
    assert [line.split()[-1] for line in lines] == ["5", "!", "1"]
    write(now[:1], kept)
    with kept.open(encoding="utf-8", newline="") as file:
        assert [(entry["benchmark"], entry["ratio"]) for entry in csv.DictReader(file)] == [
            ("steady", "4.1"),
            ("slower", "5"),
        ]


def test_pictures_are_decoded_to_the_same_values_as_by_the_decoder_alone(tmp_path):
    for path in against_rates.jpegs(tmp_path, 3):
        plain = against_rates.decoded(path)
        assert plain.shape == against_rates.SIZE
        assert plain.std() > 20, "there is nothing in it to describe"
        ours = against_rates.kinds.read(path)  # brought to its usual size on the way
        resized = np.asarray(Image.fromarray(plain).resize(ours.shape[::-1], Image.Resampling.BILINEAR), dtype=float)
        np.testing.assert_allclose(255 * ours, resized, atol=1e-9)
        assert against_rates.described(path).shape == (against_rates.features.KINDS[against_rates.KIND].dimension,)


def test_the_scan_and_the_shortest_loop_find_the_same_blocks_sound(tmp_path):
    growth_stages.make_records(3, tmp_path)
    run = growth_stages.prepared(3, tmp_path)
    paths = sorted(run.records.folder.rglob("blocks/*/*.json"))
    paths[0].write_bytes(paths[0].read_bytes()[:-2])
    assert against_rates.scanned(run) == against_rates.sound(paths) == len(paths) - 1 == len(run.plan.blocks) - 1


def test_blocks_that_compute_nothing_are_kept_as_others_are(tmp_path):
    run = growth_stages.prepared(2, tmp_path)
    run.records.prepare()
    outcome = computing.compute_missing(run, run.plan.blocks, Nothing(1), lambda *_: None)
    assert (outcome.finished, outcome.failed) == (len(run.plan.blocks), {})
    assert run.scan() == ([], 0)


@pytest.mark.slow
def test_the_modules_of_a_command_are_those_that_it_imports(tmp_path):
    modules = end_to_end.library_modules(("list",), tmp_path)
    assert {"click", "msgspec", "rich.console"} <= set(modules)
    assert not any(name.partition(".")[0] in ("tlbench", "os", "json") for name in modules)
    end_to_end._python(["-c", end_to_end.IMPORTING, *modules], tmp_path)
