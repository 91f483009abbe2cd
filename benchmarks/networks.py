"""Layer transfer on real pictures: the whole grid of trainings against a plain loop, and what each choice is worth.

python -m benchmarks.networks FOLDER     a folder of pictures with train/ and test/, such as CIFAR-10's
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import nn

from tlbench import computing, datasets, preparing, processes, protocol, studies
from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.training import has_bfloat16_units
from tlbench.studies.layers.layer_training import frozen_layers
from tlbench.studies.layers.layer_transfer import Training, draw_half
from tlbench.study import Block

from .plain_training import PlainGrid
from .table import Row, row

CORES = 2


@dataclass(frozen=True)
class Side:
    """Seconds of the bases, the frozen treatments and the fine-tuned ones, and the accuracy of each block."""

    seconds: dict[str, float]
    accuracy: dict[str, float]

    @property
    def grid(self) -> float:
        return sum(self.seconds.values())


def groups(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    """The blocks of a plan in the order in which they can be trained."""
    parts: dict[str, list[Block]] = {"base": [], "frozen": [], "fine-tuned": []}
    for block in blocks:
        (condition,) = block.conditions
        parts["base" if condition == "base" else "fine-tuned" if condition.endswith("+") else "frozen"].append(block)
    return parts


def ours(prepared: preparing.Prepared, jobs: int) -> Side:
    """As `tlbench run` does it: processes are started, blocks written."""
    prepared.records.prepare()
    taken = {}
    for name, blocks in groups(prepared.plan.blocks).items():
        begun = time.perf_counter()
        outcome = computing.compute_missing(prepared, blocks, processes.LocalProcesses(jobs), lambda *_: None)
        taken[name] = time.perf_counter() - begun
        if outcome.failed:
            raise SystemExit(f"{len(outcome.failed)} blocks failed")
    return Side(taken, {block.key: _accuracy(prepared, block) for block in prepared.plan.blocks})


def _accuracy(prepared: preparing.Prepared, block: Block) -> float:
    record = prepared.records.load(block)
    if record is None:
        raise SystemExit("a block is missing")
    measured = record.tables["measurements"]
    return float(measured["value"][measured["metric"].index("accuracy")])


def plain(prepared: preparing.Prepared, threads: int) -> Side:
    """The plain loop on all cores."""
    pictures = prepared.pack
    assert isinstance(pictures, datasets.LabelledPictures)
    grid = PlainGrid(pictures, threads)
    taken, accuracy = {}, {}
    for name, blocks in groups(prepared.plan.blocks).items():
        begun = time.perf_counter()
        accuracy |= grid.train(blocks)
        taken[name] = time.perf_counter() - begun
    return Side(taken, accuracy)


def needed_work(prepared: preparing.Prepared) -> dict[str, float]:
    """Floating-point operations of each group of blocks that no implementation can leave out.

    A multiplication with its addition counts as two. Of a trained layer: outputs, gradients of its weights and, above
    the first trained one, of its inputs, for every picture of every epoch; of a frozen layer: outputs, once.
    """
    pictures = prepared.pack
    assert isinstance(pictures, datasets.LabelledPictures)
    total = {}
    for name, blocks in groups(prepared.plan.blocks).items():
        total[name] = 0.0
        for block in blocks:
            training = msgspec.convert(block.parameters, Training)
            half = draw_half(pictures, training, block.unit)
            costs = _stage_costs(training.network, len(half.classes), pictures.pixels.shape[3])
            frozen = frozen_layers(block.conditions[0], training.layers)
            once = len(half.training) + len(half.test)
            trained = 3 * sum(costs[frozen:]) - costs[frozen]
            total[name] += 2 * once * sum(costs[:frozen]) + 2 * len(half.test) * sum(costs[frozen:])
            total[name] += 2 * len(half.training) * training.epochs * trained
    return total


def _stage_costs(name: str, classes: int, channels: int) -> list[float]:
    """Multiplications a picture in each stage."""
    network = ARCHITECTURES[name](classes, channels).eval()
    costs = []
    values = torch.zeros(1, channels, network.side, network.side)
    for stage in network.stages:
        cost = 0.0

        def count(module: nn.Module, _: object, output: torch.Tensor) -> None:
            nonlocal cost
            assert isinstance(module, nn.Conv2d | nn.Linear)
            cost += output[0].numel() * float(np.prod(module.weight.shape[1:]))

        hooks = [m.register_forward_hook(count) for m in stage.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        with torch.no_grad():
            values = stage(values)
        for hook in hooks:
            hook.remove()
        costs.append(cost)
    return costs


def peak(precision: torch.dtype, side: int = 2048, repeats: int = 10) -> float:
    """Operations a second of one core multiplying square matrices."""
    torch.set_num_threads(1)
    left, right = torch.rand(2, side, side).to(precision)
    for _ in range(3):
        left @ right
    begun = time.perf_counter()
    for _ in range(repeats):
        left @ right
    return 2 * side**3 * repeats / (time.perf_counter() - begun)


def digits_row() -> Row:
    """The whole command on embedded data, as a new user types it."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tlbench", "run", "yosinski-layers", "--dataset", "digits", "--quiet"]
        begun = time.perf_counter()
        subprocess.run([*command, "--results", scratch, "--jobs", str(CORES)], check=True)
        taken = time.perf_counter() - begun
    measure = (
        "tlbench run yosinski-layers --dataset digits: 344 trainings, tables and figures, "
        f"on {CORES} cores: {taken:.0f} s"
    )
    return Row("yosinski-layers on digits", "one minute", 60 / taken, 60 / taken, 60 / taken, measure)


def rows(folder: Path, epochs: int = 8, pictures: int = 500, class_split: str = "random") -> list[Row]:
    """Frozen treatments, the whole grid, and the share of the peak, one draw of classes."""
    declared = protocol.read("yosinski-layers")
    reference = f"folder:{folder}"
    overrides = {
        "class_split": class_split,
        "pictures_per_class": str(pictures),
        "epochs": str(epochs),
        "classes_per_half": "4",
        "seeds": "1",
    }
    settings = preparing.settle(declared, None, overrides, reference)
    study = studies.find(declared.study)
    with tempfile.TemporaryDirectory() as scratch:
        options = preparing.data_options(study, settings, reference)
        data = datasets.open_pictures(reference, options, Path(scratch), CORES)
        prepared = preparing.prepare(declared, settings, reference, data, Path(scratch) / "results")
        precision = str(prepared.plan.blocks[0].parameters["precision"])
        best = peak({"bfloat16": torch.bfloat16, "float32": torch.float32}[precision])
        mine, theirs = ours(prepared, CORES), plain(prepared, CORES)
    keys = [block.key for block in prepared.plan.blocks]
    gaps = np.array([mine.accuracy[key] - theirs.accuracy[key] for key in keys])
    half = 1.96 * gaps.std(ddof=1) / np.sqrt(len(gaps))
    work = needed_work(prepared)
    about = (
        f"{len(keys)} trainings of small32 ({class_split} halves of 4 classes, {pictures} pictures each, {epochs} "
        f"epochs) on {CORES} cores, processes started and blocks written by ours; ours in {precision}, the plain loop "
        "in float32"
    )
    equal = f"accuracies differ by {gaps.mean():+.2f} ± {half:.2f} points (mean of pairs, 95 %)"

    def share(part: str) -> str:
        achieved = work[part] / mine.seconds[part] / CORES
        return f"{achieved / 1e9:.0f} needed GFLOP/s a core, {100 * achieved / best:.0f} % of {best / 1e9:.0f}"

    def compared(what: str, mine_s: float, theirs_s: float, measure: str) -> Row:
        return row(
            what, "plain loop, two threads", [mine_s], [theirs_s], f"{measure}: {mine_s:.0f} s, {theirs_s:.0f} s"
        )

    whole = sum(work.values()) / mine.grid / CORES
    return [
        compared("frozen layers", mine.seconds["frozen"], theirs.seconds["frozen"], f"BnB, AnB, random; {about}"),
        compared(
            "fine-tuned layers",
            mine.seconds["fine-tuned"],
            theirs.seconds["fine-tuned"],
            f"BnB+, AnB+ ({share('fine-tuned')})",
        ),
        compared("layer-transfer grid", mine.grid, theirs.grid, f"{about}; {equal}"),
        Row(
            "share of the peak",
            "matrix multiplication",
            whole / best,
            whole / best,
            whole / best,
            f"{whole / 1e9:.0f} needed GFLOP/s a core over the whole grid against {best / 1e9:.0f} in a product of "
            f"2,048 × 2,048 {precision} matrices on one core",
        ),
    ]


def main() -> None:
    from .table import show

    parser = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=500, help="a class")
    parser.add_argument("--class-split", default="random")
    asked = parser.parse_args()
    print(f"units for bfloat16: {'yes' if has_bfloat16_units() else 'no'}", flush=True)
    show(rows(asked.folder, asked.epochs, asked.pictures, asked.class_split))


if __name__ == "__main__":
    main()
