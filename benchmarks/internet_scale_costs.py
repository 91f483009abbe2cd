"""What the present algebra costs: counted from the code, timed, and carried on to sizes that nobody can run.

A phase costs products (multiply-adds within matrix products and factorisations) and entries (numbers that are made or
walked over one at a time: exponentials of a kernel, elements of k × k systems). Both follow from the sizes of a target;
their prices are fitted to measured processor times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tlbench.datasets import Amounts, FeaturePack, TaskRows, draw_task
from tlbench.methods.kernels import MeanKernel
from tlbench.methods.least_squares_svm import factorise
from tlbench.methods.source_weights import ball_weights, leave_one_out, scalar_weights
from tlbench.studies.sources.source_task import Task, make_task, train_sources

from .internet_scale_world import EXAMPLES, C, Floats

SHOTS = (1, 3, 5, 10)
NEGATIVES, SPLITS, TEST = 10, 2, 50
STEPS = 14
"""Interior-point steps that are usual; the price of β takes up what they differ by."""


@dataclass(frozen=True)
class Sizes:
    """Of one target: k sources with so many training examples each, ``distinct`` in all, in d dimensions; ``used``
    pictures of the target, so many machines (splits × shot counts) of ``training`` examples, tested on ``test``."""

    sources: int
    examples: int
    distinct: int
    dimensions: int
    used: int
    machines: int
    training: int
    test: int


class Cost(NamedTuple):
    """Of one phase: multiply-adds in products, entries walked over, and bytes held at once."""

    products: float
    entries: float
    held: float


def costs(sizes: Sizes) -> dict[str, Cost]:
    """Every phase of one target, as the code does it; see the table in docs/internet-scale.md."""
    k, m, n, d = sizes.sources, sizes.examples, sizes.distinct, sizes.dimensions
    R, P, N, T = sizes.used, sizes.machines, sizes.training, sizes.test
    return {
        "sources": Cost(k * (m * m * d + m**3 / 6), k * m * m, 8 * n * k),
        "scores": Cost(R * n * d + R * n * k, R * n, 8 * n * k),
        "machines": Cost(P * (4 * N**3 / 3 + N * N), P * N * N, 32 * P * N * N),
        "leave-one-out": Cost(P * N * N * (k + 1), P * N * k, 16 * P * N * k),
        "single": Cost(P * k * (k * (N + T) + N * N + T * N), P * k * k, 8 * P * k * (k + 2 * T)),
        "β": Cost(P * source_weight_products(N, k, STEPS), P * STEPS * k * k, 24 * P * k * k),
    }


def source_weight_products(training: int, sources: int, steps: int) -> float:
    """Multiply-adds of one β problem: a k × k system a step, which predictor and corrector each factorise."""
    N, k = training, sources
    system, solve, vector = N * k * k, k**3 / 3, N * k
    return steps * (system + 2 * solve + 5 * vector) + 4 * vector


@dataclass(frozen=True)
class Measured:
    """Processor seconds of a phase of one target, and what the model counts for it."""

    phase: str
    sizes: Sizes
    seconds: float
    cost: Cost


def measure(grid: Sequence[int], dimensions: Sequence[int], targets: int, repeats: int) -> list[Measured]:
    """Every phase with the program's own functions, over numbers of sources, of dimensions and targets; the fastest
    of the repeats."""
    found = []
    for size in dimensions:
        pack = made_up_pack(max(grid) + 1, size)
        for k in grid:
            for target in list(pack.categories)[:targets]:
                phases = Phases.of(pack, target, k)
                for phase, work in phases.work.items():
                    seconds = min(_seconds(work) for _ in range(repeats))
                    found.append(Measured(phase, phases.sizes, seconds, costs(phases.sizes)[phase]))
    return found


class Price(NamedTuple):
    """Nanoseconds a multiply-add, an entry and a call of a phase."""

    product: float
    entry: float
    call: float

    def seconds(self, cost: Cost) -> float:
        return 1e-9 * (self.product * cost.products + self.entry * cost.entries + self.call)


def fit(measured: Sequence[Measured]) -> dict[str, Price]:
    """Prices of every phase, none below zero, by least squares of the relative error."""
    from scipy.optimize import nnls

    prices = {}
    for phase in dict.fromkeys(one.phase for one in measured):
        own = [one for one in measured if one.phase == phase]
        counts = np.array([[one.cost.products, one.cost.entries, 1.0] for one in own])
        scale = counts.max(axis=0)
        relative = counts / scale / np.array([[one.seconds] for one in own])
        prices[phase] = Price(*(1e9 * nnls(relative, np.ones(len(own)))[0] / scale).tolist())
    return prices


def ratios(measured: Sequence[Measured], prices: Mapping[str, Price]) -> dict[str, Floats]:
    """By phase: measured seconds over the model's."""
    found: dict[str, list[float]] = {}
    for one in measured:
        found.setdefault(one.phase, []).append(one.seconds / prices[one.phase].seconds(one.cost))
    return {phase: np.array(values) for phase, values in found.items()}


def most_sources(sizes: Sizes, phase: str, allowed: float) -> int:
    """The largest number of sources with which a phase holds no more than so many bytes at once."""
    least, most = 1, 10**8
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if costs(_with(sizes, middle))[phase].held <= allowed else (least, middle)
    return least


def _with(sizes: Sizes, sources: int) -> Sizes:
    background = sizes.distinct - EXAMPLES * sizes.sources
    return replace(sizes, sources=sources, distinct=EXAMPLES * sources + background)


@dataclass(frozen=True)
class Phases:
    """The work of one target's phases, each to be done by itself."""

    sizes: Sizes
    work: Mapping[str, Callable[[], object]]

    @classmethod
    def of(cls, pack: FeaturePack, target: str, sources: int) -> Phases:
        """The phases of a target with the first k of the others as its sources."""
        others = [name for name in pack.categories if name != target][:sources]
        known = replace(pack, categories={name: pack.categories[name] for name in (target, *others)})
        amounts = Amounts(max(SHOTS), NEGATIVES, TEST, EXAMPLES)
        rows = draw_task(known, target, amounts, "repaired", 0, range(SPLITS))
        kernel = MeanKernel.fit(known.take(rows.source_training), {"features": "rbf"})
        task = make_task(known, rows, SHOTS, "rbf", C)
        used = known.take(np.union1d(rows.train, rows.test))
        stacked = np.broadcast_to(task.train_kernel, (*task.labels.shape, task.labels.shape[-1]))
        return cls(
            sizes_of(task, rows),
            {
                "sources": lambda: train_sources(known, rows, kernel, [C] * sources),
                "scores": lambda: task.sources.scores(used),
                "machines": lambda: factorise(stacked, task.balance, C, task.labels != 0),
                "leave-one-out": lambda: leave_one_out(task.machines, task.labels, task.scores, task.balance),
                "single": lambda: each_alone(task),
                "β": lambda: ball_weights(task.leave_one_out, "l2", nonnegative=True),
            },
        )


def sizes_of(task: Task, rows: TaskRows) -> Sizes:
    """The sizes of a task whose sources have equally many examples."""
    splits, shots, training = task.labels.shape
    one = next(iter(rows.sources.values()))
    return Sizes(
        sources=len(rows.sources),
        examples=len(one.positives) + len(one.negatives),
        distinct=len(rows.source_training),
        dimensions=sum(values.shape[1] for values in task.sources.pack.features.values()),
        used=len(np.union1d(rows.train, rows.test)),
        machines=splits * shots,
        training=training,
        test=rows.test.shape[1],
    )


def each_alone(task: Task) -> object:
    """What ``source_conditions`` computes for the sources one by one."""
    alone, _ = scalar_weights(task.leave_one_out)
    return task.decisions(np.moveaxis(alone[..., None, :] * np.eye(alone.shape[-1]), -2, 0))


def made_up_pack(categories: int, dimensions: int) -> FeaturePack:
    """Categories of 80 examples around centres of their own, and a background of three pools of 80."""
    draw = np.random.default_rng(0)
    background = 3 * EXAMPLES
    count = EXAMPLES * categories + background
    centres = np.repeat(draw.normal(size=(categories, dimensions)), EXAMPLES, axis=0)
    values = draw.normal(size=(count, dimensions))
    values[: len(centres)] += 0.25 * centres
    return FeaturePack(
        identities=tuple(f"picture {row:07}" for row in range(count)),
        features={"features": values},
        categories={f"category {n}": np.arange(EXAMPLES) + EXAMPLES * n for n in range(categories)},
        background=np.arange(EXAMPLES * categories, count),
    )


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def for_all(sizes: Sizes, prices: Mapping[str, Price], targets: int) -> Iterator[tuple[str, Cost, float]]:
    """(phase, its cost for one target, processor hours for all targets)."""
    for phase, cost in costs(sizes).items():
        yield phase, cost, targets * prices[phase].seconds(cost) / 3600
