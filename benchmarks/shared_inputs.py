"""What the study and the reference both start from: kernels, source scores and draws of every target."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from tlbench.methods.kernels import MeanKernel
from tlbench.methods.least_squares_svm import factorise
from tlbench.studies.sources.source_task import Task, TaskChoices, kernel_names
from tlbench.study import Block, Columns, Study

from .reference import Target
from .workload import WholeRun

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inputs:
    """One target: ``task`` as the study prepares it, ``target`` the same numbers as the reference takes them."""

    study: Study
    blocks: list[Block]
    task: Task
    target: Target

    def factorised(self) -> Task:
        """The task with its target machines factorised anew, as ``prepare`` does it."""
        used = self.task.labels != 0
        stacked = np.broadcast_to(self.target.kernel[:, None], (*used.shape, used.shape[-1]))
        return replace(self.task, machines=factorise(stacked, self.task.balance, self.target.C, used))

    def compute(self) -> list[dict[str, Columns]]:
        """Everything the study does from here on: factorise, learn β, predict, and fill the tables."""
        task = self.factorised()
        return [self.study.compute(task, block, None) for block in self.blocks]

    def accuracies(self) -> dict[str, Floats]:
        """Of every condition, (splits, shots)."""
        found: dict[str, Floats] = {}
        for tables in self.compute():
            measured = tables["measurements"]
            condition, value = np.array(measured["condition"]), np.array(measured["value"])
            for name in dict.fromkeys(measured["condition"]):
                found[name] = value[condition == name].reshape(-1, len(self.task.shots))
        return found


def shared_inputs(run: WholeRun) -> list[Inputs]:
    """The inputs of all targets."""
    return [_inputs(run, blocks) for blocks in run.tasks]


def _inputs(run: WholeRun, blocks: list[Block]) -> Inputs:
    task = run.study.prepare(run.pack, blocks[0])
    parameters = msgspec.convert(blocks[0].parameters, TaskChoices)
    sources = np.unique(np.concatenate([np.r_[s.positives, s.negatives] for s in task.rows.sources.values()]))
    kernel = MeanKernel.fit(run.pack.take(sources), kernel_names(run.pack, parameters.kernel))
    training = [run.pack.take(rows) for rows in task.rows.train]
    target = Target(
        kernel=np.stack([kernel(examples, examples) for examples in training]),
        scores=task.scores[:, int(np.argmax(task.shots))],
        test_kernel=task.test_kernel[:, 0],
        test_scores=task.test_scores[:, 0],
        negatives=parameters.negatives,
        shots=task.shots,
        test_positives=task.rows.test_positives,
        C=parameters.C,
        nonnegative=parameters.nonnegative,
    )
    return Inputs(run.study, blocks, task, target)
