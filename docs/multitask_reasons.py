"""Why two claims of multitask-similarity came out wrong: `python docs/multitask_reasons.py` (under a minute).

Writes the explained variance without intercepts, and how much of the weights of unrelated tasks lies on the direction
that the others share.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np

from tlbench import protocol
from tlbench.datasets import generator
from tlbench.methods.related_tasks import related_hyperplanes
from tlbench.studies.multitask.learners import LEARNERS, Strengths, explained_variance, first_of, learn
from tlbench.studies.multitask.task_samples import Sample, draw_tasks

CHOICES: dict[str, Any] = {name: choice.value for name, choice in protocol.read("multitask-similarity").choices.items()}
STRENGTHS = Strengths(CHOICES["lambda_alone"], CHOICES["lambda_1"], CHOICES["lambda_2"])


def say(line: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def drawn(loadings: list[float], number: int, examples: int) -> Sample:
    """A draw of the experiment, split 0."""
    shape = (CHOICES["dimensions"], CHOICES["noise"], 40, CHOICES["test_examples"], CHOICES["seed"])
    return first_of(draw_tasks(loadings, *shape, f"draw {number:03}", 0), examples, standardise=False)


def mirrored(sample: Sample) -> Sample:
    """Each example joined by its mirror image, in the same fold: no intercept is left to find."""
    inputs = [np.stack([x, -x], axis=1).reshape(-1, x.shape[1]) for x in sample.inputs]
    targets = [np.stack([y, -y], axis=1).ravel() for y in sample.targets]
    return replace(sample, inputs=inputs, targets=targets, together=2)


def without_intercepts(draws: int = 8, examples: int = 5) -> None:
    """Explained variance of tasks that are alike, as run and without intercepts."""
    loadings = [CHOICES["alike"]] * len(CHOICES["loadings"])
    for name in LEARNERS:
        found = []
        for number in range(1, draws + 1):
            sample = drawn(loadings, number, examples)
            found.append(
                [explained_variance(one, learn(one, name, STRENGTHS, CHOICES["folds"]).predictions)
                 for one in (sample, mirrored(sample))]
            )  # fmt: skip
        as_run, without = np.mean(found, axis=0)
        say(f"alike, {examples} examples, {draws} draws: {name:16} {as_run:6.1f}, without intercepts {without:6.1f}")


def on_the_shared_direction(draws: int = 12, examples: int = 10) -> None:
    """The share of the squared weights of unrelated tasks that lies on the direction that the other tasks share."""
    loadings = CHOICES["loadings"]
    unrelated = [task for task, loading in enumerate(loadings) if loading == 0.0]
    for name in LEARNERS:
        shares = []
        for number in range(1, draws + 1):
            draw = generator(CHOICES["seed"], "functions of several tasks", f"draw {number:03}")
            shared = related_hyperplanes(loadings, CHOICES["dimensions"], 1, draw).functions[0]
            sample = drawn(loadings, number, examples)
            learned = learn(sample, name, STRENGTHS, CHOICES["folds"])
            for task in unrelated:
                tests = sample.test_inputs[task]
                values = learned.predictions[task] - learned.predictions[task].mean()
                weights = np.linalg.lstsq(tests - tests.mean(axis=0), values)[0]
                shares.append((weights @ shared) ** 2 / (weights @ weights))
        say(f"unrelated tasks, {examples} examples, {draws} draws: {name:16} {100 * np.mean(shares):5.1f} %")


if __name__ == "__main__":
    without_intercepts()
    on_the_shared_direction()
