"""One training of ``layer_transfer``: what is inherited, what is drawn, what is kept frozen and what is learned."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import torch
from torch import Tensor

from ...datasets import LabelledPictures, generator
from ...methods.networks.architectures import ARCHITECTURES
from ...methods.networks.initialisation import Scheme, initialise
from ...methods.networks.pictures import Cropped, Held, Inputs, Through, advance, bytes_after, held
from ...methods.networks.stages import StagedNetwork, inherit
from ...methods.networks.training import Progress, Recipe, train
from ...study import Arrays, Block, Keeping
from .choices import Half, Training

MOST_HELD = 4 << 30
"""Bytes of frozen layers' outputs that a process holds; beyond, they are computed again in every epoch."""
SECONDS_BETWEEN_SAVES = 0.5
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Chain:
    """Trainings on one target half whose frozen layers, if any, are the same: their outputs are computed once.

    The outputs of n layers are made from those of fewer, where an earlier training of the chain left them.
    """

    def __init__(self, pictures: LabelledPictures, half: Half, training: Training) -> None:
        self.pictures, self.half = pictures, half
        self.precision = PRECISIONS[training.precision]
        places = {pictures.classes.index(name): place for place, name in enumerate(half.classes)}
        self._labels = [
            torch.tensor([places[int(label)] for label in pictures.labels[rows]]) for rows in (half.training, half.test)
        ]
        self._frozen: tuple[int, list[Held]] | None = None

    def train(self, training: Training, block: Block, keeping: Keeping) -> tuple[float, float]:
        """Test accuracy in percent as the training reports it, and the mean training loss of the last epoch."""
        torch.set_num_threads(1)
        device = torch.device(keeping.device)
        torch.use_deterministic_algorithms(device.type == "cuda")  # a processor's one thread needs no asking
        draws = Draws(training.seed, block.unit, block.splits[0])
        (condition,) = block.conditions
        network = on_device(self._network(training, condition, draws, keeping), device)
        frozen = frozen_layers(condition, training.layers)
        network.freeze(frozen)
        learning, testing = self._inputs(network, frozen, training, device)
        labels, test_labels = (values.to(device) for values in self._labels)
        recipe = Recipe(
            epochs=training.epochs,
            batch=training.batch,
            learning_rate=training.learning_rate,
            schedule=training.schedule,
            precision=self.precision,
        )
        purpose = "base order" if condition == "base" else "order"
        progress = Progress()
        saved = time.monotonic()
        for progress, tensors in train(
            network,
            frozen,
            (learning, labels),
            (testing, test_labels),
            recipe,
            lambda epoch: draws.torch(purpose, epoch),
            training.report == "ten-best",
            _begun(keeping),
        ):
            if progress.epoch < training.epochs and time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                keeping.keep_begun(as_arrays(tensors()), msgspec.json.encode(progress).decode())
                saved = time.monotonic()
        if condition == "base":
            keeping.keep_weights(as_arrays(network.state_dict()))
        best = sorted(progress.accuracies)[-10:]
        return float(np.mean(best)), progress.losses[-1]

    def _network(self, training: Training, condition: str, draws: Draws, keeping: Keeping) -> StagedNetwork:
        """The network at the start of its training.

        What a base starts from and what stands above inherited layers are different draws: otherwise a selffer's upper
        layers would begin where its base's did.
        """
        channels = self.pictures.pixels.shape[3]
        network = ARCHITECTURES[training.network](len(self.half.classes), channels)
        scheme: Scheme = training.initialisation
        if condition == "base":
            initialise(network, scheme, lambda stage: draws.torch("base weights", stage))
            return network
        initialise(network, scheme, lambda stage: draws.torch("weights", stage))
        inherited = range(training.layers)
        if condition.startswith("random-"):
            plain: Scheme = "gaussian" if condition == "random-gaussian" else "scaled"
            initialise(network, plain, lambda stage: draws.torch("random layers", stage), inherited)
        else:
            inherit(network, as_tensors(keeping.weights(0)), training.layers)
        return network

    def _inputs(
        self, network: StagedNetwork, frozen: int, training: Training, device: torch.device
    ) -> tuple[Inputs, Inputs]:
        """What the first trained layer takes, of the training and of the test pictures."""
        parts = self.half.training, self.half.test
        if self.pictures.pixels.shape[1] != network.side:
            moved = training.augmentation == "crop-and-mirror"
            crops = (Cropped(self.pictures.pixels, rows, network, device, moved) for rows in parts)
            learning, testing = (Through(part, network, frozen, self.precision) for part in crops)
            return learning, testing
        count = sum(len(rows) for rows in parts)
        fits = not frozen or bytes_after(network, frozen, count, self.precision) <= MOST_HELD
        if self._frozen is None or self._frozen[0] > (frozen if fits else 0):
            pixels = self.pictures.pixels
            self._frozen = 0, [held(pixels.take(rows), network, device, self.precision) for rows in parts]
        begin, values = self._frozen
        if not fits:
            learning, testing = (Through(part, network, frozen, self.precision) for part in values)
            return learning, testing
        if frozen > begin:
            values = [advance(part, network, range(begin, frozen), self.precision) for part in values]
            self._frozen = frozen, values
        return values[0], values[1]


def on_device(network: StagedNetwork, device: torch.device) -> StagedNetwork:
    """The network where it is trained, its convolutions' weights with their channels last."""
    network.to(device)
    network.to(memory_format=torch.channels_last)
    return network


def frozen_layers(condition: str, layers: int) -> int:
    """How many layers a condition keeps as they are."""
    return 0 if condition == "base" or condition.endswith("+") else layers


class Draws:
    """Random numbers of one target half, by purpose; conditions share them, as the condition does not enter."""

    def __init__(self, seed: int, unit: str, draw: int) -> None:
        self._of = seed, unit, draw

    def torch(self, purpose: str, number: int) -> torch.Generator:
        """A generator on the CPU."""
        seed, unit, draw = self._of
        words = generator(seed, f"{purpose} {number}", unit, draw).integers(2**62)
        return torch.Generator().manual_seed(int(words))


def as_arrays(tensors: dict[str, Tensor]) -> Arrays:
    """Tensors as arrays on the CPU."""
    return {name: values.detach().cpu().numpy() for name, values in tensors.items()}


def as_tensors(arrays: Arrays) -> dict[str, Tensor]:
    """Arrays as tensors."""
    return {name: torch.from_numpy(np.array(values)) for name, values in arrays.items()}


def _begun(keeping: Keeping) -> tuple[Progress, dict[str, Tensor]] | None:
    begun = keeping.begun()
    if begun is None:
        return None
    arrays, notes = begun
    return msgspec.json.decode(notes, type=Progress), as_tensors(arrays)
