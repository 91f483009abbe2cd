"""The picture everybody draws: a boundary learned from plenty puts right one that few points got wrong.

A unit is a draw of a target and of two sources in the plane: one whose boundary is turned a little from the target's,
and one whose boundary stands upright on it, so that it says nothing about the target. All machines are the class-
balanced least-squares machine with a linear kernel; the target leans on one source with a weight β that is fixed, or
learned by leave-one-out within [0, 1] (``methods/source_weights.py``). Accuracies are exact (``clouds.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ...datasets import DataError, FeaturePack, KernelData, generator
from ...methods.least_squares_svm import Factorisation, class_balance, factorise, train
from ...methods.source_weights import leave_one_out, scalar_weights
from ...study import Block, Columns, Count, Keeping, Positive, Seed, Strength, Study, units_by_groups
from .clouds import Clouds, turned
from .drawing import draw_boundary

Floats = NDArray[np.float64]
Width = Annotated[float, Meta(gt=0, le=100)]

RELATED, UNRELATED = 0, 1
SAYS = {
    "none": "the target alone (β = 0)",
    "fixed": "leaning on the source with β = 1",
    "learned": "the same, β in [0, 1] learned by leave-one-out",
    "too-much": "the same with β too large",
    "far-too-much": "the same with β much too large",
    "unrelated-fixed": "leaning on an unrelated source with β = 1",
    "unrelated-learned": "the same, β in [0, 1] learned by leave-one-out",
}
POINTS = ("unit", "of", "x", "y", "label")
BOUNDARIES = ("unit", "points", "condition", "beta", "x_weight", "y_weight", "bias", "accuracy")
POPULATION = 60
"""Points of each class that the picture shows of the target, which no machine ever saw."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Factors and choices; the protocol file gives the reason for each value."""

    points: Annotated[list[Positive], Meta(min_length=1)]
    draws: Annotated[int, Meta(ge=1, le=999)]
    angle: Annotated[float, Meta(ge=-90, le=90)]
    gap: Width
    along: Width
    across: Width
    source_points: Positive
    too_much: Annotated[float, Meta(gt=1, le=1000)]
    far_too_much: Annotated[float, Meta(gt=1, le=1000)]
    C: Strength
    shown_draw: Positive
    shown_split: Count
    shown_points: Positive
    seed: Seed

    def __post_init__(self) -> None:
        """Refuse a picture of what is not run."""
        if self.shown_points not in self.points:
            raise ValueError(f"shown_points must be one of the points that are run: {', '.join(map(str, self.points))}")
        if self.shown_draw > self.draws:
            raise ValueError(f"shown_draw must be one of the {self.draws} draws")

    def beta_of(self, condition: str) -> float:
        """β where it is not learned."""
        fixed = {"none": 0.0, "too-much": self.too_much, "far-too-much": self.far_too_much}
        return fixed.get(condition, 1.0)


def units(data: KernelData, parameters: Parameters) -> dict[str, dict[str, str]]:
    """The draws, by name."""
    if not isinstance(data, FeaturePack) or data.identities:
        raise DataError("this experiment draws its own points; leave --dataset out, or name 'tasks'")
    return {f"draw {number:03}": {} for number in range(1, parameters.draws + 1)}


@dataclass(frozen=True)
class Plane:
    """What all conditions share. S splits, H numbers of points, N training points at the most."""

    target: Clouds
    source_points: Sequence[Floats]  # of each source, (n, 2)
    source_labels: Floats  # (n,)
    source_weights: Floats  # (2 sources, 2)
    source_biases: Floats  # (2 sources,)
    training: Floats  # (S, N, 2)
    labels: Floats  # (S, H, N), zero where unused
    scores: Floats  # (S, H, N, 2 sources), zero where unused
    balance: Floats  # (S, H, N)
    machines: Factorisation  # of (S, H) machines
    population: Floats  # (2 · POPULATION, 2), for the picture alone


def draw_clouds(parameters: Parameters, unit: str) -> tuple[Clouds, list[Clouds]]:
    """The target, and its two sources: turned by the angle to either side, and standing upright on it."""
    draw = generator(parameters.seed, "boundaries in the plane", unit)
    towards = draw.standard_normal(2)
    normal = towards / np.linalg.norm(towards)
    sides = draw.choice([-1.0, 1.0], size=2)
    shape = (parameters.gap, parameters.along, parameters.across)
    sources = [
        Clouds(turned(normal, sides[0] * parameters.angle), *shape),
        Clouds(turned(normal, sides[1] * 90), *shape),
    ]
    return Clouds(normal, *shape), sources


def prepare(_: KernelData, block: Block) -> Plane:
    """Draw a unit's points, train its sources and factorise every target machine."""
    parameters = msgspec.convert(block.parameters, Parameters)
    target, sources = draw_clouds(parameters, block.unit)
    plenty = np.tile([1.0, -1.0], parameters.source_points)
    draw = generator(parameters.seed, "points of the sources", block.unit)
    source_points = [source.draw(plenty, draw) for source in sources]
    machines = [train(points @ points.T, plenty, parameters.C) for points in source_points]
    weights = np.stack([alpha @ points for (alpha, _), points in zip(machines, source_points, strict=True)])
    biases = np.array([bias for _, bias in machines])
    most = max(parameters.points)
    signs = np.tile([1.0, -1.0], most)  # pairs, so that few points are the first of many
    training = np.stack(
        [target.draw(signs, generator(parameters.seed, "points of the target", block.unit, s)) for s in block.splits]
    )
    used = np.arange(2 * most) < 2 * np.array(parameters.points)[:, None]
    used = np.broadcast_to(used, (len(training), *used.shape))
    labels = np.where(used, signs, 0.0)
    balance = class_balance(labels, used)
    kernel = np.broadcast_to((training @ training.swapaxes(1, 2))[:, None], (*used.shape, 2 * most))
    scores = (training @ weights.T + biases)[:, None] * used[..., None]
    seen = generator(parameters.seed, "points for the picture", block.unit)
    return Plane(
        target=target,
        source_points=source_points,
        source_labels=plenty,
        source_weights=weights,
        source_biases=biases,
        training=training,
        labels=labels,
        scores=scores,
        balance=balance,
        machines=factorise(kernel, balance, parameters.C, used),
        population=target.draw(np.tile([1.0, -1.0], POPULATION), seen),
    )


def weights_of(plane: Plane, condition: str, fixed: float) -> Floats:
    """β of both sources, (S, H, 2), in one condition; ``fixed`` where it is not learned."""
    beta = np.zeros((*plane.labels.shape[:2], 2))
    place = UNRELATED if condition.startswith("unrelated") else RELATED
    if condition.endswith("learned"):
        found, _ = scalar_weights(leave_one_out(plane.machines, plane.labels, plane.scores, plane.balance))
        beta[..., place] = found[..., place]
    else:
        beta[..., place] = fixed
    return beta


def boundary(plane: Plane, beta: Floats) -> tuple[Floats, Floats]:
    """Weights w (S, H, 2) and biases b (S, H) of the target machines that lean on the sources by β (S, H, 2)."""
    targets = plane.labels - np.einsum("shnk,shk->shn", plane.scores, beta)
    own = np.einsum("shn,snd->shd", plane.machines.dual(targets), plane.training)
    return own + beta @ plane.source_weights, plane.machines.bias(targets) + beta @ plane.source_biases


def compute(plane: Plane, block: Block, _: Keeping) -> dict[str, Columns]:
    """Accuracies, and the weights that are learned; of the split that is shown, all that the picture needs."""
    parameters = msgspec.convert(block.parameters, Parameters)
    measured: dict[str, list[Any]] = {name: [] for name in ("split", "condition", "points", "metric", "value")}
    boundaries: dict[str, list[Any]] = {name: [] for name in BOUNDARIES}
    split, points = (grid.ravel().tolist() for grid in np.meshgrid(block.splits, parameters.points, indexing="ij"))
    shown = block.unit == f"draw {parameters.shown_draw:03}" and parameters.shown_split in block.splits
    for condition in block.conditions:
        beta = weights_of(plane, condition, parameters.beta_of(condition))
        weights, bias = boundary(plane, beta)
        accuracy = plane.target.accuracy(weights, bias)
        scores = {"accuracy": accuracy, **({"beta": beta.sum(axis=-1)} if condition.endswith("learned") else {})}
        for metric, values in scores.items():
            measured["split"] += split
            measured["condition"] += [condition] * len(split)
            measured["points"] += points
            measured["metric"] += [metric] * len(split)
            measured["value"] += values.ravel().tolist()
        if shown:
            cell = (block.splits.index(parameters.shown_split), parameters.points.index(parameters.shown_points))
            numbers = (beta[cell].sum(), *weights[cell], bias[cell], accuracy[cell])
            _add(boundaries, block.unit, parameters.shown_points, condition, *map(float, numbers))
    if not shown:
        return {"measurements": measured}
    for place, name in enumerate(("source", "unrelated-source")):
        line = (*plane.source_weights[place], plane.source_biases[place])
        right = plane.target.accuracy(plane.source_weights[place], plane.source_biases[place])
        _add(boundaries, block.unit, parameters.source_points, name, 1.0, *map(float, (*line, right)))
    best = (*plane.target.normal, 0.0, plane.target.accuracy(plane.target.normal, np.zeros(())))
    _add(boundaries, block.unit, 0, "truth", 0.0, *map(float, best))
    few = plane.training[block.splits.index(parameters.shown_split)][: 2 * parameters.shown_points]
    return {"measurements": measured, "boundaries": boundaries, "drawn_points": _points(plane, block.unit, few)}


def _add(columns: dict[str, list[Any]], *cells: object) -> None:
    for column, cell in zip(columns.values(), cells, strict=True):
        column.append(cell)


def _points(plane: Plane, unit: str, few: Floats) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in POINTS}
    sets = {
        "source": plane.source_points[RELATED],
        "unrelated-source": plane.source_points[UNRELATED],
        "target": few,
        "population": plane.population,
    }
    for name, points in sets.items():
        for place, (x, y) in enumerate(points.tolist()):
            _add(columns, unit, name, x, y, 1 - 2 * (place % 2))
    return columns


def remarks(tables: Mapping[str, Any]) -> list[str]:
    """What is shown, and of how much."""
    return (
        ["Accuracies are exact, from the distribution of the target's points: no test set is drawn."] if tables else []
    )


cut: Callable[..., Any] = units_by_groups(units, dict.fromkeys(SAYS, "all"), splits_per_block=20)
STUDY = Study(
    version=1,
    Parameters=Parameters,
    says=SAYS,
    tables={"boundaries": BOUNDARIES, "drawn_points": POINTS},
    cut=cut,
    prepare=prepare,
    compute=compute,
    remarks=remarks,
    metrics=("accuracy", "beta"),
    draws={"boundary": draw_boundary},
)
