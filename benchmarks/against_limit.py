"""A whole run against the time that its unavoidable factorisations and products take in LAPACK and BLAS alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from .table import Row, interleaved, row
from .workload import WholeRun

Floats = NDArray[np.float64]
REPEATS = 9


@dataclass(frozen=True)
class Sizes:
    """What one target needs, counted from its draws; every target stands alone, as blocks do."""

    dimensions: list[int]
    sources: list[int]  # training examples of each source
    distinct: int  # different examples among them
    used: int  # different examples in the target's training and test sets
    stack: int  # splits
    training: list[int]  # training examples at each shot count
    test: int

    @classmethod
    def of(cls, run: WholeRun, number: int) -> Sizes:
        block = run.tasks[number][0]
        task = run.study.prepare(run.pack, block)
        rows = task.rows
        sources = [np.r_[source.positives, source.negatives] for source in rows.sources.values()]
        return cls(
            dimensions=[values.shape[1] for values in run.pack.features.values()],
            sources=[len(source) for source in sources],
            distinct=len(np.unique(np.concatenate(sources))),
            used=len(np.unique(np.concatenate([rows.train.ravel(), rows.test.ravel()]))),
            stack=len(block.splits),
            training=[int((task.labels[0, place] != 0).sum()) for place in range(len(task.shots))],
            test=rows.test.shape[1],
        )

    @property
    def kernel_entries(self) -> list[int]:
        """Sizes of the kernel matrices: within each source, of all sources with the target, within the target."""
        own = [count * count for count in self.sources]
        return [*own, self.distinct * self.used, self.used * self.used]


def row_of(run: WholeRun) -> Row:
    sizes = [Sizes.of(run, number) for number in range(len(run.tasks))]
    limit = [call for one in sizes for call in [*_kernels(one), *_sources(one), *_targets(one)]]
    exponents = [np.linspace(-3.0, 0.0, entries) for entries in sizes[0].kernel_entries]
    kinds = len(sizes[0].dimensions) * len(sizes)

    def bare_calls() -> None:
        for call in limit:  # results are let go at once: keeping them would time the operating system's memory
            call()

    def exponentials() -> None:
        for _ in range(kinds):
            for values in exponents:
                np.exp(values)

    ours, bare, exponential = interleaved(run.compute, bare_calls, exponentials, repeats=REPEATS)
    factor, share = median(ours) / median(bare), median(exponential) / median(ours)
    machines = sum(one.stack * len(one.training) for one in sizes)
    return row(
        "whole run in one process",
        "LAPACK/BLAS limit",
        ours,
        bare,
        f"{run.data_name}; draws, kernels, sources, targets, β, accuracies and tables of {len(sizes)} targets: "
        f"{median(ours):.3f} s; the products behind the distances, {sum(len(one.sources) for one in sizes)} source "
        f"factorisations, {machines:,} target inverses and their predictions alone: {median(bare):.4f} s; "
        f"ours is {factor:.2f} times the limit (at most 5 wanted); numpy.exp for the kernels, not in the limit, "
        f"is {share:.0%} of ours",
    )


Call = Callable[[], object]


def _kernels(sizes: Sizes) -> list[Call]:
    """X Xᵀ (numpy calls syrk) within each source and the target, X Zᵀ once between all sources and the target."""
    draw = np.random.default_rng(0)
    calls: list[Call] = []
    for size in sizes.dimensions:
        within = [draw.normal(size=(count, size)) for count in (*sizes.sources, sizes.used)]
        distinct = draw.normal(size=(sizes.distinct, size))
        calls += [partial(_within, examples) for examples in within]
        calls.append(partial(np.matmul, within[-1], distinct.T))
    return calls


def _within(examples: Floats) -> Floats:
    return examples @ examples.T


def _sources(sizes: Sizes) -> list[Call]:
    """One Cholesky factorisation and two right-hand sides a source; its scores on the target's examples."""
    draw = np.random.default_rng(1)
    calls: list[Call] = []
    for count in sizes.sources:
        kernel, sides = _positive_definite(draw, count), draw.normal(size=(count, 2))
        across, alpha = draw.normal(size=(sizes.used, count)), draw.normal(size=count)
        calls += [partial(dposv, kernel, sides, lower=1), partial(np.matmul, across, alpha)]
    return calls


def _targets(sizes: Sizes) -> list[Call]:
    """One inverse a split and shot count (leave-one-out needs its diagonal); α', α'' from it; 14 predictions."""
    draw = np.random.default_rng(2)
    calls: list[Call] = []
    sources = len(sizes.sources)
    scores = draw.normal(size=(sizes.stack, sizes.test, sources))
    betas = draw.normal(size=(sizes.stack, sources, sources + 5))
    for count in sizes.training:
        kernels = np.stack([_positive_definite(draw, count) for _ in range(sizes.stack)])
        sides = draw.normal(size=(sizes.stack, count, sources + 1))
        test = draw.normal(size=(sizes.stack, sizes.test, count))
        alphas = draw.normal(size=(sizes.stack, count, sources + 5))
        calls += [partial(np.linalg.inv, kernels), partial(np.matmul, kernels, sides)]
        calls += [partial(np.matmul, test, alphas), partial(np.matmul, scores, betas)]
    return calls


def _positive_definite(draw: np.random.Generator, count: int) -> Floats:
    examples = draw.normal(size=(count, count))
    return examples @ examples.T + count * np.eye(count)
