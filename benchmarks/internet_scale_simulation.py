"""The planted world at work: what sources are worth by the way they are chosen, and what choosing costs.

Every number is a mean over targets; those of c = 256 over the first batch of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .internet_scale_search import NEGATIVES, QUERIES, SHOTS, TEST, Integers, Question, Scored, lean, nearest, scored
from .internet_scale_world import Floats, Size, Targets, World

FEW, MANY = (1, 4, 16, 64), 256
BEST = 4
"""Candidates of the table of accuracies."""


@dataclass(frozen=True)
class Extent:
    """How much is simulated: targets for the algebra, in batches, and targets that are only searched for."""

    size: Size
    targets: int
    batch: int
    searched: int


EXTENTS: Mapping[str, Extent] = {
    "small": Extent(Size(sources=300, kinds=60, dimensions=64), targets=20, batch=10, searched=100),
    "full": Extent(Size(sources=10_000, kinds=1_000, dimensions=256), targets=400, batch=50, searched=100_000),
}


def questions(world: World, extent: Extent) -> Iterator[Question]:
    """The targets, a batch at a time."""
    for batch in range(extent.targets // extent.batch):
        yield Question(world, world.targets(extent.batch, batch, NEGATIVES, max(SHOTS), TEST))


def simulate(world: World, extent: Extent) -> pd.DataFrame:
    """One row a target, way of choosing, number of sources and shot count: promised, accuracy, area, recall."""
    parts = []
    for batch, question in enumerate(questions(world, extent)):
        related = world.relatives(question.targets)
        for way, count, found, candidates in _ways(question, batch == 0):
            recall = np.full(found.accuracy.shape, np.nan) if candidates is None else recall_of(related, candidates)
            for place, shots in enumerate(SHOTS):
                columns = {name: getattr(found, name)[:, place] for name in ("promised", "accuracy", "area")}
                target = batch * extent.batch + np.arange(len(related))
                parts.append(
                    pd.DataFrame(
                        {"target": target, "way": way, "sources": count, "shots": shots, **columns}
                        | {"recall": recall[:, place]}
                    )
                )
    return pd.concat(parts, ignore_index=True)


def _ways(question: Question, first: bool) -> Iterator[tuple[str, int, Scored, Integers | None]]:
    """(way of choosing, number of sources, what came out, which they were)."""
    task, k = question.task, len(question.world.biases)
    stack = task.labels.shape[:2]
    yield "none", 0, scored(task, np.zeros((*stack, 0))), None
    total = question.world.hyperplanes.sum(axis=0), question.world.biases.sum()
    for way, root in (("equal, 1/√k", np.sqrt(k)), ("equal, 1/k", float(k))):
        plane = np.broadcast_to(total[0] / root, (*stack, 1, len(total[0])))
        everyone = question.leaning_on_planes(plane, np.full((*stack, 1), total[1] / root))
        yield way, k, scored(everyone, np.ones((*stack, 1))), None
    yield "all, learned (either sign)", k, lean(question.leaning_on_span(), nonnegative=False), None
    draw = np.random.default_rng([question.world.seed, 2, int(question.targets.kinds.sum())])
    looks: dict[str, Floats] = {"at random": draw.random((*stack, k))}
    looks |= {name: query(question) for name, query in QUERIES.items()}
    looks["truth"] = question.truth()
    for name, look in looks.items():
        for count in (*FEW, *([MANY] if first and name in ("at random", "class mean") else [])):
            candidates = nearest(look, min(count, k))
            yield name, count, lean(question.leaning_on(candidates)), candidates
    pool = draw.permutation(k)
    strange = np.where(question.world.relatives(question.targets)[:, None], -np.inf, looks["leave-one-out"])
    for count in (*(some for some in (10, 100, 1000) if some < k), k):
        for way, look in (("best of", looks["leave-one-out"]), ("best of strangers", strange)):
            among = pool[:count]
            winner = among[nearest(look[..., among], 1)]
            yield way, count, lean(question.leaning_on(winner)), winner


def recall_of(related: np.ndarray, candidates: Integers) -> Floats:
    """Share of the relatives that are candidates, of as many as there is room for, (t, H); nan without relatives."""
    found = np.take_along_axis(related[:, None], candidates, axis=-1).sum(axis=-1)
    room = np.minimum(related.sum(axis=-1), candidates.shape[-1])[:, None]
    return np.divide(found, room, out=np.full(found.shape, np.nan), where=room > 0)


@dataclass(frozen=True)
class Searched:
    """Very many targets, three labels each: recall of relatives among 16, and seconds of processor time a target."""

    targets: int
    recall: Mapping[str, float]
    seconds: Mapping[str, float]


def search(world: World, extent: Extent, shots: int = 3, count: int = 16) -> Searched:
    """Exact search by one product a batch, keys and queries in 32 bits."""
    keys = world.hyperplanes / np.linalg.norm(world.hyperplanes, axis=1, keepdims=True)
    keys, own = keys.astype(np.float32), world.source_centres.astype(np.float32)
    lengths = np.einsum("kd,kd->k", own, own) / 2
    middle = world.background.mean(axis=0)
    recalls: dict[str, list[Floats]] = {"class mean": [], "nearest mean": []}
    spent = {"product": 0.0, "selection": 0.0}
    batch = min(1000, extent.searched)
    for number in range(extent.searched // batch):
        targets = world.targets(batch, 10**6 + number, 0, shots, 0)
        related = world.relatives(targets)
        mean = targets.train.mean(axis=1)
        queries: dict[str, Callable[[], Floats]] = {
            "class mean": lambda mean=mean: (mean - middle).astype(np.float32) @ keys.T,
            "nearest mean": lambda mean=mean: mean.astype(np.float32) @ own.T - lengths,
        }
        for name, query in queries.items():
            begun = time.process_time()
            looks = query()
            multiplied = time.process_time()
            candidates = nearest(looks, min(count, len(keys)))
            spent["product"] += multiplied - begun
            spent["selection"] += time.process_time() - multiplied
            recalls[name].append(recall_of(related, candidates[:, None])[:, 0])
    searches = len(recalls) * extent.searched
    return Searched(
        extent.searched,
        {name: float(np.nanmean(np.concatenate(parts))) for name, parts in recalls.items()},
        {name: seconds / searches for name, seconds in spent.items()},
    )


def seconds_a_problem(world: World, count: int = 16, targets: int = 50) -> dict[str, float]:
    """Processor time of the second stage, for a target at one shot count."""
    question = Question(world, world.targets(targets, 10**7, NEGATIVES, max(SHOTS), TEST))
    candidates = nearest(question.class_mean(), min(count, len(world.biases)))
    problems = targets * len(SHOTS)
    begun = time.process_time()
    fresh = Question(world, question.targets)
    _ = fresh.task
    factorised = time.process_time()
    task = fresh.leaning_on(candidates)
    leant = time.process_time()
    lean(task)
    learned = time.process_time()
    return {
        "machines of the target": (factorised - begun) / problems,
        "scores of the candidates": (leant - factorised) / problems,
        "leave-one-out, β and decisions": (learned - leant) / problems,
    }


def median_relatives(world: World, count: int = 2000) -> tuple[float, float]:
    """How many relatives a target has: the median, and the share of targets that have none."""
    targets: Targets = world.targets(count, 10**8, 0, 1, 0)
    number = world.relatives(targets).sum(axis=1)
    return float(np.median(number)), float(np.mean(number == 0))
