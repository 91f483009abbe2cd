"""Layer transfer as one would write it in an afternoon: the loop that the study is measured against.

A fair one: frozen layers ask for no gradients, pictures are decoded once and held in memory, nothing is augmented, the
test pictures are seen once at the end, and each training may use all cores. Draws, recipe and order are the study's, so
that accuracies can be compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import torch
from torch.nn import functional

from tlbench.datasets import LabelledPictures
from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.stages import StagedNetwork
from tlbench.methods.networks.training import Recipe
from tlbench.studies.layers.layer_training import Draws
from tlbench.studies.layers.layer_transfer import Training, draw_half
from tlbench.study import Block


class PlainGrid:
    """Trains blocks one after the other; bases must come first."""

    def __init__(self, pictures: LabelledPictures, threads: int) -> None:
        self.pictures, self.threads = pictures, threads
        self.weights: dict[str, Mapping[str, torch.Tensor]] = {}

    def train(self, blocks: Sequence[Block]) -> dict[str, float]:
        """Test accuracy in percent by block key."""
        torch.set_num_threads(self.threads)
        return {block.key: self._train(block) for block in blocks}

    def _tensors(self, rows: np.ndarray, classes: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        places = {self.pictures.classes.index(name): place for place, name in enumerate(classes)}
        pixels = torch.from_numpy(self.pictures.pixels.take(rows)).permute(0, 3, 1, 2).contiguous().float()
        return pixels, torch.tensor([places[int(label)] for label in self.pictures.labels[rows]])

    def _network(self, training: Training, block: Block, draws: Draws, classes: int, channels: int) -> StagedNetwork:
        network = ARCHITECTURES[training.network](classes, channels)
        (condition,) = block.conditions
        purpose = "base weights" if condition == "base" else "weights"
        initialise(network, training.initialisation, lambda stage: draws.torch(purpose, stage))
        if condition.startswith("random-"):
            scheme = "gaussian" if condition.endswith("gaussian") else "scaled"
            drawn = range(training.layers)
            initialise(network, scheme, lambda stage: draws.torch("random layers", stage), drawn)
        elif condition != "base":
            own = network.state_dict()
            kept = tuple(f"stages.{place}." for place in range(training.layers))
            base = self.weights[block.needs[0]]
            network.load_state_dict({name: (base if name.startswith(kept) else own)[name] for name in own})
        if condition != "base" and not condition.endswith("+"):
            for stage in network.stages[: training.layers]:
                stage.requires_grad_(False)
        return network

    def _train(self, block: Block) -> float:
        training = msgspec.convert(block.parameters, Training)
        half = draw_half(self.pictures, training, block.unit)
        draws = Draws(training.seed, block.unit, block.splits[0])
        inputs, labels = self._tensors(half.training, half.classes)
        network = self._network(training, block, draws, len(half.classes), inputs.shape[1])
        inputs = (inputs - network.centre) / network.scale
        recipe = Recipe(training.epochs, training.batch, training.learning_rate, schedule=training.schedule)
        named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
        optimiser = torch.optim.SGD(
            [
                {"params": [w for n, w in named if not n.endswith("bias")], "weight_decay": 5e-4, "times": 1},
                {"params": [w for n, w in named if n.endswith("bias")], "weight_decay": 0.0, "times": 2},
            ],
            lr=training.learning_rate,
            momentum=0.9,
        )
        purpose = "base order" if block.conditions[0] == "base" else "order"
        steps = -(-len(inputs) // training.batch)
        for epoch in range(training.epochs):
            order = torch.randperm(len(inputs), generator=draws.torch(purpose, epoch))
            for step in range(steps):
                for group in optimiser.param_groups:
                    progress = (epoch * steps + step + 1) / (training.epochs * steps + 1)
                    group["lr"] = group["times"] * recipe.rate(progress)
                rows = order[step * training.batch : (step + 1) * training.batch]
                optimiser.zero_grad()
                functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
                optimiser.step()
        if block.conditions == ("base",):
            self.weights[block.key] = network.state_dict()
        return self._accuracy(network, half.test, half.classes)

    @torch.no_grad()
    def _accuracy(self, network: StagedNetwork, rows: np.ndarray, classes: Sequence[str]) -> float:
        network.eval()
        inputs, labels = self._tensors(rows, classes)
        inputs = (inputs - network.centre) / network.scale
        scores = torch.cat([network(part) for part in inputs.split(250)])
        return 100.0 * float((scores.argmax(1) == labels).float().mean())
