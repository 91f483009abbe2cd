"""The paper plan to internet scale: its search, its algebra and its counts against brute force on small cases."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import internet_scale, reference
from benchmarks.internet_scale_costs import (
    Cost,
    Measured,
    Phases,
    Sizes,
    costs,
    each_alone,
    fit,
    made_up_pack,
    most_sources,
    sizes_of,
)
from benchmarks.internet_scale_costs import source_weight_products as weight_products
from benchmarks.internet_scale_search import NEGATIVES, QUERIES, SHOTS, Question, lean, nearest
from benchmarks.internet_scale_simulation import EXTENTS, Extent, recall_of, search, simulate
from benchmarks.internet_scale_world import C, Size, World
from tlbench.datasets import Amounts, draw_task
from tlbench.methods.least_squares_svm import Factorisation, factorise
from tlbench.methods.source_weights import LeaveOneOut, ball_weights, leave_one_out
from tlbench.studies.sources.source_task import make_task, train_sources

SOURCES, DIMENSIONS, TEST = 30, 12, 15
SOLVE = np.linalg.solve


@pytest.fixture(scope="module")
def question():
    """Three targets of a world with thirty sources of five kinds."""
    world = World.draw(Size(SOURCES, 5, DIMENSIONS), seed=3)
    return Question(world, world.targets(3, 0, NEGATIVES, max(SHOTS), TEST))


def plain_target(question, number, sources):
    """The same target for the plain loop of the benchmarks, its scores one picture and one source at a time."""
    train, test = question.targets.train[number], question.targets.test[number]
    planes, biases = question.world.hyperplanes[sources], question.world.biases[sources]
    scores = [
        np.array([[plane @ x + bias for plane, bias in zip(planes, biases, strict=True)] for x in examples])
        for examples in (train, test)
    ]
    return reference.Target(
        kernel=(train @ train.T)[None],
        scores=scores[0][None],
        test_kernel=(test @ train.T)[None],
        test_scores=scores[1][None],
        negatives=NEGATIVES,
        shots=list(SHOTS),
        test_positives=TEST,
        C=C,
        nonnegative=True,
    )


@pytest.mark.parametrize("count", [1, 4, SOURCES - 1, SOURCES])
def test_the_best_looking_are_those_of_a_full_sort(question, count):
    looks = question.class_mean()
    np.testing.assert_array_equal(nearest(looks, count), np.argsort(-looks, axis=-1)[..., :count])


@pytest.mark.parametrize("count", [4, SOURCES])
def test_the_algebra_on_candidates_is_the_plain_loop_on_them(question, count):
    candidates = nearest(question.own_hyperplane(), count)
    task = question.leaning_on(candidates)
    weights, found = ball_weights(task.leave_one_out, "l2", nonnegative=True), lean(task)
    for number in range(len(candidates)):
        for place in range(len(SHOTS)):
            target = plain_target(question, number, candidates[number, place])
            problem = reference.Problem(target, 0, SHOTS[place])
            solution, plain = reference.all_sources(problem, "l2")
            np.testing.assert_allclose(weights[number, place], plain, rtol=0, atol=1e-5)
            assert found.accuracy[number, place] == pytest.approx(problem.accuracy(solution, plain))


def test_with_all_sources_as_candidates_their_order_does_not_matter(question):
    ordered = question.leaning_on(np.broadcast_to(np.arange(SOURCES), (3, len(SHOTS), SOURCES)))
    candidates = nearest(question.class_mean(), SOURCES)
    full = ball_weights(ordered.leave_one_out, "l2", nonnegative=True)
    chosen = ball_weights(question.leaning_on(candidates).leave_one_out, "l2", nonnegative=True)
    np.testing.assert_allclose(chosen, np.take_along_axis(full, candidates, axis=-1), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(lean(question.leaning_on(candidates)).accuracy, lean(ordered).accuracy)


def test_mixtures_of_all_sources_lose_nothing_where_weights_have_either_sign(question):
    everyone = question.leaning_on(np.broadcast_to(np.arange(SOURCES), (3, len(SHOTS), SOURCES)))
    weights = ball_weights(everyone.leave_one_out, "l2", nonnegative=False)
    mixed = question.leaning_on_span()
    mixture = ball_weights(mixed.leave_one_out, "l2", nonnegative=False)
    assert mixture.shape[-1] < SOURCES
    np.testing.assert_allclose(np.linalg.norm(mixture, axis=-1), np.linalg.norm(weights, axis=-1), atol=1e-4)
    np.testing.assert_allclose(mixed.decisions(mixture), everyone.decisions(weights), rtol=0, atol=2e-3)


def test_queries_say_what_they_say(question):
    """The first target with three positives, source by source."""
    place, shots = SHOTS.index(3), 3
    world, train = question.world, question.targets.train[0]
    own = train[NEGATIVES : NEGATIVES + shots]
    labels = np.repeat([-1.0, 1.0], [NEGATIVES, shots])
    target = plain_target(question, 0, np.arange(SOURCES))
    problem = reference.Problem(target, 0, shots)
    alone = problem.solve(labels)[:-1] @ train[: len(labels)]
    looks = {name: query(question)[0, place] for name, query in QUERIES.items()}
    for j, plane in enumerate(world.hyperplanes):
        length = np.linalg.norm(plane)
        assert looks["its own hyperplane"][j] == pytest.approx(alone @ plane / length)
        gap = np.mean([plane @ x for x in own]) - np.mean([plane @ x for x in world.background])
        assert looks["class mean"][j] == pytest.approx(gap / length)
        distance = np.sum((own.mean(axis=0) - world.source_centres[j]) ** 2)
        assert looks["nearest mean"][j] - looks["nearest mean"][0] == pytest.approx(
            np.sum((own.mean(axis=0) - world.source_centres[0]) ** 2) - distance
        )
        twice = np.r_[np.repeat(np.arange(NEGATIVES), shots), np.tile(NEGATIVES + np.arange(shots), NEGATIVES)]
        expected = np.corrcoef(train[twice] @ plane, labels[twice])[0, 1]
        assert looks["correlation"][j] == pytest.approx(expected)
        _, weights, bound = reference.single_source(problem, j)
        assert looks["leave-one-out"][j] == pytest.approx(-bound - 1e-6 * weights[j], abs=1e-9)


def test_what_leave_one_out_promises_is_what_machines_without_the_picture_decide(question):
    place, shots = SHOTS.index(5), 5
    task = question.leaning_on(nearest(question.class_mean(), 4))
    weights = ball_weights(task.leave_one_out, "l2", nonnegative=True)[0, place]
    target = plain_target(question, 0, nearest(question.class_mean(), 4)[0, place])
    problem = reference.Problem(target, 0, shots)
    right = []
    for left in range(problem.count):
        kept = np.delete(np.arange(problem.count), left)
        system = np.ones((problem.count, problem.count))
        system[:-1, :-1] = target.kernel[0][np.ix_(kept, kept)] + np.diag(1.0 / (C * problem.balance[kept]))
        system[-1, -1] = 0.0
        wanted = np.r_[problem.labels[kept] - problem.scores[kept] @ weights, 0.0]
        solution = np.linalg.solve(system, wanted)
        value = target.kernel[0][left, kept] @ solution[:-1] + solution[-1] + problem.scores[left] @ weights
        right.append(value * problem.labels[left] > 0)
    shares = [np.mean(np.array(right)[problem.labels == label]) for label in (-1.0, 1.0)]
    assert lean(task).promised[0, place] == pytest.approx(50 * sum(shares))


def test_a_target_trains_and_tests_on_different_pictures(question):
    targets = question.targets
    for train, test in zip(targets.train, targets.test, strict=True):
        both = np.concatenate([train, test])
        assert len(np.unique(both, axis=0)) == len(both) == NEGATIVES + max(SHOTS) + 2 * TEST
    again = question.world.targets(3, 0, NEGATIVES, max(SHOTS), TEST)
    np.testing.assert_array_equal(again.test, targets.test)
    assert not np.array_equal(question.world.targets(3, 1, NEGATIVES, max(SHOTS), TEST).test, targets.test)


def test_recall_counts_relatives_as_far_as_there_is_room():
    related = np.array([[True, False, True, True], [False, False, False, False]])
    candidates = np.array([[[0, 1], [2, 3]], [[0, 1], [2, 3]]])
    np.testing.assert_array_equal(recall_of(related, candidates), [[0.5, 1.0], [np.nan, np.nan]])


class Counted(np.ndarray):
    """An array that counts the multiply-adds of products and solutions (n³/3, and n² a side of several) it is in."""

    products = 0.0
    solved = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        plain = _plain(options | ({"out": _plain(out)} if out else {}))
        result = getattr(ufunc, method)(*_plain(inputs), **plain)
        if ufunc is np.matmul:
            Counted.products += result.size * inputs[0].shape[-1]
        return out[0] if out else _counted(result)

    def __array_function__(self, function, types, arguments, options):
        result = function(*_plain(arguments), **_plain(options))
        if function is SOLVE:
            Counted.products += arguments[0].size * arguments[0].shape[-1] / 3
            Counted.products += arguments[1].size * arguments[0].shape[-1] * (arguments[1].shape[-1] > 1)
            Counted.solved += 1
        return _counted(result)


def _plain(value):
    if isinstance(value, Counted):
        return value.view(np.ndarray)
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _counted(value):
    return value.view(Counted) if isinstance(value, np.ndarray) else value


def count(work):
    """(multiply-adds, linear systems) of a piece of work."""
    Counted.products, Counted.solved = 0.0, 0
    work()
    return Counted.products, Counted.solved


def test_the_counts_of_the_model_are_those_of_the_code(monkeypatch):
    plain = made_up_pack(7, 11)
    pack = replace(plain, features={kind: _counted(values) for kind, values in plain.features.items()})
    rows = draw_task(pack, "category 0", Amounts(3, 4, 15, 20), "repaired", 0, range(2))
    task = make_task(pack, rows, (1, 3), "linear", C)
    sizes = sizes_of(task, rows)
    assert (sizes.sources, sizes.examples, sizes.machines, sizes.training, sizes.test) == (6, 40, 4, 7, 30)
    expected = costs(sizes)
    used = pack.take(np.union1d(rows.train, rows.test))
    factorised = np.broadcast_to(task.train_kernel, (*task.labels.shape, sizes.training))
    machines = Factorisation(_counted(task.machines.P), task.machines.bias_row)
    leant = replace(task, scores=_counted(task.scores), test_scores=_counted(task.test_scores), machines=machines)
    cholesky = sizes.sources * sizes.examples**3 / 6  # in LAPACK, which nobody can watch
    kernel = task.sources.kernel
    assert count(lambda: train_sources(pack, rows, kernel, [C] * 6))[0] + cholesky == expected["sources"].products
    assert count(lambda: task.sources.scores(used))[0] == expected["scores"].products
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: SOLVE(_counted(a), _counted(b)))  # a plain copy comes there
    work = count(lambda: factorise(factorised, task.balance, C, _counted(task.labels != 0)))
    assert work[0] == expected["machines"].products
    work = count(lambda: leave_one_out(machines, task.labels, leant.scores, task.balance))
    assert work[0] == expected["leave-one-out"].products
    both = count(lambda: each_alone(leant))[0]
    assert both == expected["single"].products + expected["leave-one-out"].products
    assert sizes.sources * sizes.distinct * 8 == task.sources.duals.nbytes == expected["sources"].held


@pytest.mark.parametrize(("training", "sources"), [(5, 3), (13, 40)])
def test_the_counts_of_a_weight_problem_are_those_of_the_solver(training, sources):
    draw = np.random.default_rng(0)
    terms = [_counted(draw.normal(size=shape)) for shape in ((1, training), (1, training, sources))]
    problem = LeaveOneOut(1.0 + abs(terms[0]), terms[1], _counted(np.ones((1, training))))
    found, systems = count(lambda: ball_weights(problem, "l2", nonnegative=True))
    assert systems > 4
    assert found == pytest.approx(weight_products(training, sources, systems // 2), rel=1e-12)


@pytest.mark.slow
def test_what_the_model_says_is_held_is_held():
    phases = Phases.of(made_up_pack(151, 16), "category 0", 150)
    for phase, work in phases.work.items():
        if phase != "scores":  # which hold what the sources left
            work()
            tracemalloc.start()
            work()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak == pytest.approx(costs(phases.sizes)[phase].held, rel=0.35), phase


def test_prices_that_were_planted_are_found_again():
    sizes = [Sizes(k, 160, 80 * k + 80, 64, 150, 8, 20, 100) for k in (4, 9, 20, 50, 130)]
    counted = [(one, costs(one)["scores"]) for one in sizes]
    measured = [Measured("scores", one, 1e-9 * (0.5 * c.products + 7 * c.entries + 3000), c) for one, c in counted]
    assert fit(measured)["scores"] == pytest.approx((0.5, 7.0, 3000.0))
    assert fit(measured)["scores"].seconds(Cost(2e9, 0, 0)) == pytest.approx(1.000003)


def test_the_most_sources_just_fit():
    sizes = Sizes(100, 160, 80 * 100 + 500, 64, 150, 8, 20, 100)
    most = most_sources(sizes, "scores", 10**9)
    assert 8 * most * (80 * most + 500) <= 10**9 < 8 * (most + 1) * (80 * (most + 1) + 500)


def test_the_simulation_and_the_search_agree(question):
    """The long search in 32 bits finds what the query in 64 bits finds."""
    extent = Extent(Size(SOURCES, 5, DIMENSIONS), targets=4, batch=2, searched=100)
    found = simulate(question.world, extent)
    assert not found.duplicated(["target", "way", "sources", "shots"]).any()
    everything = found[(found["way"] == "class mean") & (found["sources"] == 64)]  # more than there are
    assert everything["recall"].dropna().eq(1.0).all()
    at_random = found[(found["way"] == "at random") & (found["sources"] == 64)]
    np.testing.assert_array_equal(everything["accuracy"], at_random["accuracy"])
    long = search(question.world, extent, shots=3, count=4)
    batch = question.world.targets(100, 10**6, 0, 3, 0)
    gap = batch.train.mean(axis=1) - question.world.background.mean(axis=0)
    related = question.world.relatives(batch)
    candidates = np.argsort(-(gap @ question.keys.T), axis=-1)[:, :4]
    assert long.recall["class mean"] == pytest.approx(np.nanmean(recall_of(related, candidates[:, None])))


@pytest.mark.slow
def test_the_small_size_prints_every_table(capsys, tmp_path):
    internet_scale.main(["--size", "small", "--figure", str(tmp_path / "figure.png")])
    out = capsys.readouterr().out
    for head in (
        "| phase | ns",
        "| phase | multiply-adds",
        "| way of choosing | sources",
        "| relatives among 16",
        "| k =",
    ):
        assert head in out
    assert f"{EXTENTS['small'].searched:,} targets, 3 labels" in out
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
