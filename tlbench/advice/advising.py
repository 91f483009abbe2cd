"""An advice: the target's machine, what to expect of it, and what cannot be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..methods.taught_weights import Machine
from ..studies.sources.source_task import Task
from . import expectation
from .expectation import DEFAULT, Interval
from .machines import cast, kernels, likeness, train_options
from .material import Material
from .model import KindOfModel, Model
from .rehearsal import FEWEST_PLAYERS, Progress, players, rehearse
from .roles import FEWEST_TEST_EXAMPLES, target_rows

Floats = NDArray[np.float64]

NOTHING = 0.005
"""A weight below that is shown as 0.00."""


@dataclass(frozen=True)
class Expected:
    """What rehearsal promises at so many labelled pictures: accuracies in percent, the gain in points.

    labels: how many without transfer give as much, and whether the rehearsed curve reached it.
    """

    advised: Interval
    plain: Interval
    gain: Interval
    labels: tuple[float, bool]


@dataclass(frozen=True)
class Advice:
    """All that the page says.

    option: what the model is; chosen: what rehearsal chose, which is another where its weights came out as nothing.
    weights: source → weight, the largest first. sizes: source → how many pictures it has. expected: None where it would
    be a guess; ``unanswered`` says why. likeness: of the target, and the least of any rehearsal at as many labels (None
    where there was none). rehearsal: one row a (source, draw, shot count), with the accuracy of every option.
    """

    target: str
    shots: int
    option: str
    chosen: str
    weights: Mapping[str, float]
    sizes: Mapping[str, int]
    expected: Expected | None
    likeness: float
    least_likeness: float | None
    rehearsal: pd.DataFrame
    unanswered: tuple[str, ...]
    notices: tuple[str, ...]
    model: Model


def advise(
    material: Material,
    kinds: Mapping[str, KindOfModel],
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = lambda *_: None,
) -> Advice:
    """Rehearse, choose, train and say what to expect; ``progress`` is told rehearsals done and in all.

    kinds: what a model has to know of each kind of feature to describe a picture again.
    """
    names, shots = players(material, material.shots, seed)
    rehearsal = rehearse(material, names, shots, seed, jobs, progress)
    chosen = expectation.choose(rehearsal, material.shots) if names else DEFAULT
    with threadpool_limits(1):
        task = cast(material.pack, target_rows(material, seed), [material.shots])
        machines = train_options(task, seed)
        option = "none" if leans_on_nothing(machines[chosen].weights) else chosen
        machine = machines[option]
        alike = float(likeness(task)[0, 0])
    least = float(rehearsal.loc[rehearsal["shots"] == material.shots, "likeness"].min()) if names else None
    unlike, unmoved = least is not None and alike < least, option != chosen
    weights = dict(zip(task.names, machine.weights[0, 0].tolist(), strict=True))
    return Advice(
        target=material.target,
        shots=material.shots,
        option=option,
        chosen=chosen,
        weights=dict(sorted(weights.items(), key=lambda one: -abs(one[1]))),
        sizes={name: len(rows) for name, rows in material.sources.items()},
        expected=None if unlike or unmoved or not names else _expected(rehearsal, material.shots, option),
        likeness=alike,
        least_likeness=least,
        rehearsal=rehearsal,
        unanswered=tuple(_unanswered(material, bool(names), unlike, unmoved)),
        notices=material.pack.notices,
        model=_model(material, task, machine, kinds),
    )


def _expected(rehearsal: pd.DataFrame, shots: int, option: str) -> Expected:
    return Expected(
        expectation.accuracy_of(rehearsal, shots, option),
        expectation.accuracy_of(rehearsal, shots, "none"),
        expectation.gain_of(rehearsal, shots, option),
        expectation.worth_in_labels(rehearsal, shots, option),
    )


def leans_on_nothing(weights: Floats) -> bool:
    """Whether weights say to transfer nothing, the one and all of them together; those of 1/k for a large k do not."""
    return bool(np.abs(weights).max() < NOTHING and np.abs(weights).sum() < 10 * NOTHING)


def _unanswered(material: Material, rehearsed: bool, unlike: bool, unmoved: bool) -> list[str]:
    """What is not said, and why."""
    reasons = []
    if not rehearsed:
        needed = material.shots + FEWEST_TEST_EXAMPLES
        enough = sum(len(rows) >= needed for rows in material.sources.values())
        reasons.append(
            f"What to expect: to rehearse a target of {material.shots}, {FEWEST_PLAYERS} sources of at least {needed} "
            f"pictures are needed, and there {'is' if enough == 1 else 'are'} {enough}. The weights are then untested."
        )
    if unlike:
        reasons.append(
            "What to expect: the target is less like the sources than any target in rehearsal was, so that what was "
            "rehearsed does not speak of it. Label some more and ask again, or add sources that are more like it."
        )
    elif unmoved:
        reasons.append(
            "What to expect: every weight came out as 0.00, as for pictures that show next to nothing or are copies of "
            "one, so that what was rehearsed does not speak of them. Label some more that differ, and ask again."
        )
    return reasons


def _model(material: Material, task: Task, machine: Machine, kinds: Mapping[str, KindOfModel]) -> Model:
    """The machine as one kernel expansion: w = Σ_j β_j w_j + Σ_i α_i φ(x_i) over the distinct examples."""
    weights = machine.weights[0, 0]
    coefficients = np.zeros(len(material.pack.identities))
    coefficients[task.sources.rows] += task.sources.duals @ weights
    np.add.at(coefficients, task.rows.train[0], machine.dual[0, 0])
    used = np.flatnonzero(coefficients)
    fitted = kernels(task)
    return Model(
        target=material.target,
        sources=tuple(task.names),
        kinds={kind: kinds[kind].with_kernel(*fitted[kind]) for kind in task.kinds},
        examples=material.pack.take(used),
        coefficients=coefficients[used],
        bias=float(machine.bias[0, 0] + task.sources.biases @ weights),
    )
