"""What the learners of several tasks are given: training examples of each task, nested by number, and a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...datasets import DataError, FeaturePack, RegressionTables, generator
from ...methods.related_tasks import related_hyperplanes

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_TEST_EXAMPLES = 5


@dataclass(frozen=True)
class Sample:
    """One draw of m tasks.

    inputs (most, d) and targets (most,) of each task for training: the first n are the n-example task. together:
    examples in a row that go into one fold, so that a fold of a classification has both classes. test_weights: of each
    test example, of sum one a task. known: correlations of the true functions (m, m), where there is a truth. classes:
    whether targets are −1 and 1.
    """

    names: tuple[str, ...]
    inputs: Sequence[Floats]
    targets: Sequence[Floats]
    together: int
    test_inputs: Sequence[Floats]
    test_targets: Sequence[Floats]
    test_weights: Sequence[Floats]
    known: Floats | None = None
    classes: bool = False


def draw_tasks(
    loadings: Sequence[float], dimensions: int, noise: float, most: int, tests: int, seed: int, unit: str, split: int
) -> Sample:
    """Tasks w_i·x + noise with x ~ N(0, I) and ‖w_i‖ = 1, of which i and j correlate by loading i times loading j.

    Tasks share what each has of one common function and nothing else. Tests are of the function itself, without noise.
    Examples of a split are the same whatever the loadings, and those of few the first of many.
    """
    common = related_hyperplanes(loadings, dimensions, 1, generator(seed, "functions of several tasks", unit))
    functions = common.functions[1:]
    known = common.correlations[1:, 1:]

    def draw(purpose: str, count: int) -> Floats:
        drawn = generator(seed, purpose, unit, split).standard_normal((count, len(functions), dimensions + 1))
        return drawn.swapaxes(0, 1)

    training, testing = draw("training of several tasks", most), draw("test of several tasks", tests)[..., :-1]
    values = np.einsum("mnd,md->mn", training[..., :-1], functions) + noise * training[..., -1]
    return Sample(
        names=tuple(f"{number} ({loading:+g})" for number, loading in enumerate(loadings, 1)),
        inputs=list(training[..., :-1]),
        targets=list(values),
        together=1,
        test_inputs=list(testing),
        test_targets=list(np.einsum("mnd,md->mn", testing, functions)),
        test_weights=[np.full(tests, 1.0 / tests)] * len(loadings),
        known=known,
    )


def parts_of(pack: FeaturePack, parts: int, most: int, seed: int) -> list[dict[str, Rows]]:
    """A pack's categories, and what is in none, in disjoint parts: in each, label → its rows in the drawn order.

    Raises DataError where a part has too few of a category for ``most`` // 2 to train on and as many to test on.
    """
    labelled = np.unique(np.concatenate(list(pack.categories.values())))
    others = np.setdiff1d(np.arange(len(pack.identities)), labelled)
    found: list[dict[str, Rows]] = [{} for _ in range(parts)]
    for name, rows in {**pack.categories, "": others}.items():
        drawn = generator(seed, "parts for several tasks", name).permutation(rows)
        for part, own in zip(found, np.array_split(drawn, parts), strict=True):
            part[name] = own
            if name and len(own) // 2 < most // 2:
                raise DataError(
                    f"'{name}' has {len(rows)} examples: in {parts} parts too few to train on {most // 2} of them and "
                    "test on as many; set fewer draws or fewer examples"
                )
    return found


def one_against_rest(
    pack: FeaturePack, part: Mapping[str, Rows], most: int, seed: int, unit: str, split: int
) -> Sample:
    """A task for each category: its pictures (1) against all others (−1), as many of each; tests count both alike.

    Half of a part's pictures of each label are for training, the others for the test, of every task alike. A picture of
    the training half may be a negative example of several tasks.
    """
    features = np.concatenate([pack.features[kind] for kind in sorted(pack.features)], axis=1)
    draw = generator(seed, "one against the rest", unit, split)
    mixed = {name: draw.permutation(rows) for name, rows in part.items()}
    pool = {name: rows[: len(rows) // 2] for name, rows in mixed.items()}
    rest = {name: rows[len(rows) // 2 :] for name, rows in mixed.items()}
    names = list(pack.categories)
    inputs, tests, truths, weights = [], [], [], []
    signs = np.tile([1.0, -1.0], most // 2)
    for name in names:
        negatives = draw.permutation(np.concatenate([rows for other, rows in pool.items() if other != name]))
        rows = np.empty(most, dtype=np.intp)
        rows[::2], rows[1::2] = pool[name][: most // 2], negatives[: most // 2]
        inputs.append(features[rows])
        against = np.concatenate([rows for other, rows in rest.items() if other != name])
        tests.append(features[np.r_[rest[name], against]])
        truths.append(np.r_[np.ones(len(rest[name])), -np.ones(len(against))])
        weights.append(
            np.r_[np.full(len(rest[name]), 0.5 / len(rest[name])), np.full(len(against), 0.5 / len(against))]
        )
    return Sample(tuple(names), inputs, [signs] * len(names), 2, tests, truths, weights, classes=True)


def groups_of(tables: RegressionTables, groups: int, parts: int, most: int, seed: int) -> dict[str, dict[str, Rows]]:
    """Disjoint units of tables: tasks in groups, the rows of each task in parts; in each, task → its rows as drawn.

    Raises DataError for more groups than there are pairs of tasks, and where a task has too few rows.
    """
    names = list(tables.inputs)
    if len(names) < 2 * groups:
        raise DataError(f"{len(names)} tasks are too few for {groups} groups of two or more; set fewer groups")
    rows: dict[str, list[Rows]] = {}
    for name, targets in tables.targets.items():
        drawn = generator(seed, "parts of a task", name).permutation(len(targets))
        rows[name] = np.array_split(drawn, parts)
        if len(rows[name][-1]) < most + LEAST_TEST_EXAMPLES:
            raise DataError(
                f"task '{name}' has {len(targets)} examples: in {parts} {'parts' if parts > 1 else 'part'} too few to "
                f"train on {most} and test on {LEAST_TEST_EXAMPLES}; set fewer parts or fewer examples"
            )
    members = np.array_split(generator(seed, "groups of tasks").permutation(len(names)), groups)
    return {
        f"group {group:02} part {part + 1:02}": {names[place]: rows[names[place]][part] for place in sorted(own)}
        for group, own in enumerate(members, 1)
        for part in range(parts)
    }


def regressions(
    tables: RegressionTables, members: Mapping[str, Rows], most: int, seed: int, unit: str, split: int
) -> Sample:
    """The tasks of a unit: ``most`` rows of each to train on, all its others to test on."""
    drawn = {name: generator(seed, f"rows of {name}", unit, split).permutation(rows) for name, rows in members.items()}
    return Sample(
        names=tuple(drawn),
        inputs=[tables.inputs[name][rows[:most]] for name, rows in drawn.items()],
        targets=[tables.targets[name][rows[:most]] for name, rows in drawn.items()],
        together=1,
        test_inputs=[tables.inputs[name][rows[most:]] for name, rows in drawn.items()],
        test_targets=[tables.targets[name][rows[most:]] for name, rows in drawn.items()],
        test_weights=[np.full(len(rows) - most, 1.0 / (len(rows) - most)) for rows in drawn.values()],
    )
