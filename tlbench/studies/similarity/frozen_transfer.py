"""The trainings of ``class_similarity``: a target's own network, a source's, and the target's above frozen layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression
from torch import Tensor

from ...datasets import LabelledPictures
from ...methods.networks.architectures import ARCHITECTURES
from ...methods.networks.initialisation import initialise
from ...methods.networks.pictures import Held, advance, held
from ...methods.networks.stages import StagedNetwork, inherit
from ...methods.networks.training import Recipe, accuracy, train
from ...study import Keeping
from ..layers.layer_training import Draws, as_arrays, as_tensors, on_device
from .choices import Parameters, Task
from .scores import Representations, pair_scores

Floats = NDArray[np.float64]
PLAIN = torch.float32
MEASURED = "measured"
"""Under this name a base's accuracies lie beside its weights."""


@dataclass(frozen=True)
class Transfer:
    """What one source brings: accuracies (depths, 2) of validation and test, those of the base (2,), and scores."""

    accuracies: Floats
    base: Floats
    scores: dict[str, float]

    def outcomes(self, parameters: Parameters) -> dict[str, float]:
        """Gains over the base in points, and numbers of layers.

        gain: with the deeper half of the layers. shareable: how many layers can be shared before the test falls
        ``tolerance`` below its base. best: the number with which validation is best, none among them and the fewest of
        equals; gain_at_best: what it brings on the test.
        """
        depths = np.array(parameters.depths)
        gains = self.accuracies[:, 1] - self.base[1]
        best = int(np.append(self.base[0], self.accuracies[:, 0]).argmax())
        return {
            "base": float(self.base[1]),
            "gain": float(gains[depths > depths[-1] / 2].mean()),
            "shareable": shareable_layers(depths, gains, parameters.tolerance),
            "best": float(np.append(0, depths)[best]),
            "gain_at_best": float(np.append(0.0, gains)[best]),
        }


def shareable_layers(depths: NDArray[np.int64], gains: Floats, tolerance: float) -> float:
    """Where gains over depths, smoothed to fall or stay, come ``tolerance`` below zero; the greatest depth if nowhere.

    Smoothed by isotonic regression, and joined by straight lines from a gain of at least zero without any layer. A
    single noisy accuracy would otherwise decide.
    """
    falling = isotonic_regression(gains, increasing=False)
    places, values = np.append(0, depths), np.append(max(0.0, falling[0]), falling)
    beyond = np.flatnonzero(values < -tolerance)
    if not len(beyond):
        return float(depths[-1])
    after = beyond[0]
    return float(np.interp(tolerance, -values[after - 1 : after + 1], places[after - 1 : after + 1]))


@dataclass(frozen=True)
class Part:
    """Pictures, or what frozen layers make of them, with labels (N,)."""

    inputs: Held
    labels: Tensor


def train_base(pictures: LabelledPictures, target: Task, parameters: Parameters, unit: str, keeping: Keeping) -> Floats:
    """Train a target's own network and keep it; its accuracies on validation and test pictures, (2,)."""
    draws, device = Draws(parameters.seed, unit, 0), _device(keeping)
    network = _network(pictures, target, parameters, device)
    initialise(network, "scaled", lambda stage: draws.torch("weights", stage))
    parts = _parts(pictures, target, network, device)
    found = _train(network, 0, parts, _recipe(parameters, parameters.epochs), draws, "order")
    keeping.keep_weights({**as_arrays(network.state_dict()), MEASURED: found})
    return found


def transfer(
    pictures: LabelledPictures,
    target: Task,
    source: Task,
    parameters: Parameters,
    place: tuple[str, int],
    keeping: Keeping,
) -> Transfer:
    """Train a source, compare it with the target, and train the target above its first n layers for every n.

    What stands above starts from the base's own draws and takes pictures in the base's order. Only training pictures
    enter the scores.
    """
    unit, split = place
    draws, device = Draws(parameters.seed, unit, 0), _device(keeping)
    kept = dict(keeping.weights(0))
    measured = np.asarray(kept.pop(MEASURED), dtype=np.float64)
    own = _network(pictures, target, parameters, device)
    own.load_state_dict(as_tensors(kept))
    network, seen = _train_source(pictures, source, parameters, Draws(parameters.seed, unit, split), device)
    parts = _parts(pictures, target, network, device)
    scores = pair_scores(
        _pixels(pictures, target),
        _pixels(pictures, source),
        _representations(network, parts[0]),
        _representations(network, seen).penultimate,
        _representations(own, parts[0]).penultimate,
        parameters.C,
    )
    recipe = _recipe(parameters, parameters.epochs)
    accuracies = []
    for depth, frozen in _frozen(network, parts, parameters.depths):
        heir = _network(pictures, target, parameters, device)
        initialise(heir, "scaled", lambda stage: draws.torch("weights", stage))
        inherit(heir, network.state_dict(), depth)
        accuracies.append(_train(heir, depth, frozen, recipe, draws, "order"))
    return Transfer(np.array(accuracies), measured, scores)


def _device(keeping: Keeping) -> torch.device:
    torch.set_num_threads(1)
    device = torch.device(keeping.device)
    torch.use_deterministic_algorithms(device.type == "cuda")  # a processor's one thread needs no asking
    return device


def _network(pictures: LabelledPictures, task: Task, parameters: Parameters, device: torch.device) -> StagedNetwork:
    channels = pictures.pixels.shape[3]
    return on_device(ARCHITECTURES[parameters.network](len(task.classes), channels), device)


def _recipe(parameters: Parameters, epochs: int) -> Recipe:
    return Recipe(epochs=epochs, batch=parameters.batch, learning_rate=parameters.learning_rate)


def _train_source(
    pictures: LabelledPictures, source: Task, parameters: Parameters, draws: Draws, device: torch.device
) -> tuple[StagedNetwork, Part]:
    network = _network(pictures, source, parameters, device)
    initialise(network, "scaled", lambda stage: draws.torch("source weights", stage))
    seen = _part(pictures, source, source.training, network, device)
    _train(network, 0, [seen, seen], _recipe(parameters, parameters.source_epochs), draws, "source order")
    return network, seen


def _train(
    network: StagedNetwork, layers: int, parts: list[Part], recipe: Recipe, draws: Draws, purpose: str
) -> Floats:
    """Train the stages above ``layers`` on the first part; accuracies in percent on the others."""
    network.freeze(layers)
    learning, *testing = parts
    *_, (progress, _) = train(
        network,
        layers,
        (learning.inputs, learning.labels),
        (testing[-1].inputs, testing[-1].labels),
        recipe,
        lambda epoch: draws.torch(purpose, epoch),
        test_every_epoch=False,
    )
    others = [accuracy(network, layers, (part.inputs, part.labels), recipe.precision) for part in testing[:-1]]
    return np.array([*others, progress.accuracies[-1]])


def _parts(pictures: LabelledPictures, task: Task, network: StagedNetwork, device: torch.device) -> list[Part]:
    """To train on, to choose with, to test on."""
    return [_part(pictures, task, rows, network, device) for rows in (task.training, task.validation, task.test)]


def _part(
    pictures: LabelledPictures,
    task: Task,
    rows: NDArray[np.int64],
    network: StagedNetwork,
    device: torch.device,
) -> Part:
    labels = torch.from_numpy(class_places(pictures, task, rows)).to(device)
    return Part(held(pictures.pixels.take(rows), network, device, PLAIN), labels)


def class_places(pictures: LabelledPictures, task: Task, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each row's class among the task's, (N,)."""
    places = {pictures.classes.index(name): place for place, name in enumerate(task.classes)}
    return np.array([places[int(label)] for label in pictures.labels[rows]])


def _pixels(pictures: LabelledPictures, task: Task) -> tuple[Floats, NDArray[np.int64]]:
    """Training pictures as rows of pixels from 0 to 1, with the places of their classes."""
    pixels = pictures.pixels.take(task.training)
    return pixels.reshape(len(pixels), -1) / 255.0, class_places(pictures, task, task.training)


def _frozen(network: StagedNetwork, parts: list[Part], depths: list[int]) -> Iterator[tuple[int, list[Part]]]:
    """What the first n layers make of the parts, those of more from those of fewer."""
    network.freeze(len(network.stages))
    begin = 0
    for depth in depths:
        layers = range(begin, depth)
        parts = [Part(advance(part.inputs, network, layers, PLAIN), part.labels) for part in parts]
        begin = depth
        yield depth, parts


@torch.no_grad()
def _representations(network: StagedNetwork, part: Part) -> Representations:
    network.freeze(len(network.stages))
    last = len(network.stages) - 1
    features = advance(part.inputs, network, range(last), PLAIN)
    scores = network(features.values, last)
    as_floats = [values.double().cpu().numpy() for values in (features.values, torch.softmax(scores.double(), dim=1))]
    return Representations(*as_floats)
