"""The trainings of ``parameter_regularizers``: a source, rehearsals that choose strengths, and what is reported."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...datasets import LabelledPictures, generator
from ...methods.networks.architectures import ARCHITECTURES
from ...methods.networks.feature_penalties import (
    batch_spectral_shrinkage,
    channel_importance,
    delta,
    input_gradient,
    laplacian,
)
from ...methods.networks.fine_tuning import FineTuning, fine_tune
from ...methods.networks.four_layers import digits4
from ...methods.networks.initialisation import initialise
from ...methods.networks.penalties import (
    Batch,
    Penalty,
    Source,
    diagonal_fisher,
    distance,
    group_lasso_sp,
    l1,
    l1_sp,
    l2,
    l2_sp,
    l2_sp_fisher,
    lp,
    nothing,
    with_mean_one,
)
from ...methods.networks.pictures import Held, held
from ...methods.networks.stages import StagedNetwork, inherit
from ...methods.networks.training import Recipe, TrainingError, accuracy, train
from ...study import Columns, Keeping
from .choices import Parameters
from .class_draws import ClassDraw, Rows

NETWORKS = {"digits4": digits4, **ARCHITECTURES}
SOURCE_BATCH = 32
FISHER = "fisher."
PLAIN: dict[str, Penalty] = {
    "nothing": nothing,
    "l2": l2,
    "l1": l1,
    "l2-sp": l2_sp,
    "l1-sp": l1_sp,
    "group-lasso-sp": group_lasso_sp,
    "l2-sp-fisher": l2_sp_fisher,
    "input-gradient": input_gradient,
}
"""Penalties that have nothing to be set."""


class Task:
    """The source and the target of one unit and split; whatever is compared shares its draws."""

    def __init__(
        self, pictures: LabelledPictures, drawn: ClassDraw, parameters: Parameters, unit: str, split: int
    ) -> None:
        self.pictures, self.drawn, self.parameters = pictures, drawn, parameters
        self._of = unit, split
        self.recipe = FineTuning(parameters.steps, parameters.batch, parameters.learning_rate, parameters.head_decay)

    def train_source(self, keeping: Keeping) -> dict[str, Columns]:
        """Train a network on the source's classes; keep its weights and their Fisher information."""
        device = _settle(keeping)
        network = self._new_network(len(self.drawn.source_classes), "source weights", device)
        inputs, labels = self._examples(self.drawn.source, self.drawn.source_classes, network, device)
        recipe = Recipe(self.parameters.source_epochs, SOURCE_BATCH, self.parameters.learning_rate)
        network.freeze(0)
        learning = inputs, labels
        epochs = train(network, 0, learning, learning, recipe, lambda epoch: self.draw(f"source order {epoch}"), False)
        *_, (progress, _) = epochs
        every = inputs.take(torch.arange(len(inputs), device=device))
        fisher = with_mean_one(diagonal_fisher(network, every, labels))
        kept = {**network.state_dict(), **{FISHER + name: values for name, values in fisher.items()}}
        keeping.keep_weights({name: values.detach().cpu().numpy() for name, values in kept.items()})
        return {
            "sources": {
                "unit": [self._of[0]],
                "source_classes": [" ".join(self.drawn.source_classes)],
                "target_classes": [" ".join(self.drawn.target_classes)],
                "source_pictures": [len(self.drawn.source)],
                "source_loss": [progress.losses[-1]],
            }
        }

    def rehearse(self, condition: str, keeping: Keeping) -> dict[str, Columns]:
        """Accuracy at every strength and number of labels; zero where weights grew without bound."""
        source = self.kept_source(keeping)
        found: Columns = {name: [] for name in ("unit", "condition", "shots", "strength", "accuracy")}
        for shots in self.parameters.shots:
            penalty = self._penalty(condition, source, shots)
            for strength in self.parameters.strengths:
                network = self._fine_tuned(source, penalty, strength, shots)
                right = self.test_accuracy(network) if network is not None else 0.0
                for name, value in zip(found, (self._of[0], condition, shots, strength, right), strict=True):
                    found[name].append(value)
        by_shots = np.reshape(found["accuracy"], (len(self.parameters.shots), len(self.parameters.strengths)))
        keeping.keep_weights({"accuracy": by_shots})
        return {"rehearsals": found}

    def measure(self, condition: str, rehearsals: int, keeping: Keeping) -> dict[str, Columns]:
        """Accuracy and distance, each at the strength with the best mean over rehearsals.

        Raises TrainingError where weights grow without bound.
        """
        source = self.kept_source(keeping)
        strengths = [0.0] * len(self.parameters.shots)
        if rehearsals:
            seen = [keeping.weights(1 + number)["accuracy"] for number in range(rehearsals)]
            strengths = best_strengths(np.array(seen, dtype=np.float64), self.parameters.strengths)
        measured: Columns = {name: [] for name in ("split", "condition", "shots", "metric", "value")}
        for shots, strength in zip(self.parameters.shots, strengths, strict=True):
            network = self._fine_tuned(source, self._penalty(condition, source, shots), strength, shots)
            if network is None:
                raise TrainingError(
                    f"{condition} at strength {strength:g} makes weights grow without bound; set a lower learning_rate "
                    "or smaller strengths"
                )
            values = {"accuracy": self.test_accuracy(network), "distance": distance(network, source)}
            for metric, value in values.items():
                for name, one in zip(measured, (self._of[1], condition, shots, metric, value), strict=True):
                    measured[name].append(one)
        tables = {"measurements": measured}
        if rehearsals:
            levels = self.parameters.shots
            tables["strengths"] = {"condition": [condition] * len(levels), "shots": levels, "strength": strengths}
        return tables

    def kept_source(self, keeping: Keeping) -> Source:
        """The source as it was kept, and never trained again."""
        device = _settle(keeping)
        kept = {name: torch.from_numpy(np.array(values)).to(device) for name, values in keeping.weights(0).items()}
        network = NETWORKS[self.parameters.network](len(self.drawn.source_classes), self._channels).to(device)
        network.load_state_dict({name: values for name, values in kept.items() if not name.startswith(FISHER)})
        network.eval().requires_grad_(False)
        fisher = {name.removeprefix(FISHER): values for name, values in kept.items() if name.startswith(FISHER)}
        return Source(network, fisher)

    def _penalty(self, condition: str, source: Source, shots: int) -> Penalty:
        if condition in PLAIN:
            return PLAIN[condition]
        if condition == "lp":
            return lp(self.parameters.p)
        if condition == "bss":
            return batch_spectral_shrinkage(self.parameters.k)
        if condition == "laplacian":
            return laplacian(self.parameters.neighbours)
        # DELTA: channels are weighed under a head that was trained on the source's features as they are.
        data = self.target(source, shots)
        headed = self.start(source)
        headed.freeze(len(headed.stages) - 1)
        fine_tune(headed, source, data, nothing, 0.0, self.recipe, self.draw("order"))
        return delta(channel_importance(headed, data.pictures, data.labels))

    def _fine_tuned(self, source: Source, penalty: Penalty, strength: float, shots: int) -> StagedNetwork | None:
        """None where weights grew without bound."""
        network = self.start(source)
        data = self.target(source, shots)
        finite = fine_tune(network, source, data, penalty, strength, self.recipe, self.draw("order"))
        return network if finite else None

    def start(self, source: Source) -> StagedNetwork:
        """The source's layers under a new head."""
        device = next(source.network.parameters()).device
        network = self._new_network(len(self.drawn.target_classes), "weights", device)
        inherit(network, source.network.state_dict(), len(network.stages) - 1)
        network.freeze(0)
        return network

    def target(self, source: Source, shots: int) -> Batch:
        """The first pictures of every class, class after class, and the unlabelled ones."""
        device = next(source.network.parameters()).device
        classes = self.drawn.target_classes
        rows = self.drawn.labelled[:, :shots].ravel()
        inputs, labels = self._examples(rows, classes, source.network, device)
        others, _ = self._examples(self.drawn.unlabelled, classes, source.network, device)
        return Batch(_all(inputs), labels, _all(others))

    def test_accuracy(self, network: StagedNetwork) -> float:
        """Percent of the test pictures."""
        device = next(network.parameters()).device
        testing = self._examples(self.drawn.test, self.drawn.target_classes, network, device)
        return accuracy(network, 0, testing, torch.float32)

    def _examples(
        self, rows: Rows, classes: tuple[str, ...], network: StagedNetwork, device: torch.device
    ) -> tuple[Held, Tensor]:
        places = {self.pictures.classes.index(name): place for place, name in enumerate(classes)}
        labels = torch.tensor([places[int(label)] for label in self.pictures.labels[rows]], device=device)
        return held(self.pictures.pixels.take(rows), network, device, torch.float32), labels

    def _new_network(self, classes: int, purpose: str, device: torch.device) -> StagedNetwork:
        network = NETWORKS[self.parameters.network](classes, self._channels)
        initialise(network, "scaled", lambda stage: self.draw(f"{purpose} {stage}"))
        return network.to(device)

    def draw(self, purpose: str) -> torch.Generator:
        """A generator on the CPU; penalties and strengths do not enter, so they share what it draws."""
        unit, split = self._of
        words = generator(self.parameters.seed, purpose, unit, split).integers(2**62)
        return torch.Generator().manual_seed(int(words))

    @property
    def _channels(self) -> int:
        return self.pictures.pixels.shape[3]


def best_strengths(
    accuracy_seen: np.ndarray[tuple[int, ...], np.dtype[np.float64]], strengths: list[float]
) -> list[float]:
    """The strength with the highest mean over rehearsals, for each number of labels; of equal ones the least.

    accuracy_seen: (rehearsals, shots, strengths).
    """
    order = np.argsort(strengths)
    places = accuracy_seen.mean(axis=0)[:, order].argmax(axis=1)
    return [strengths[order[place]] for place in places]


def _settle(keeping: Keeping) -> torch.device:
    """One thread, and on a graphics card only what gives the same numbers again."""
    torch.set_num_threads(1)
    device = torch.device(keeping.device)
    torch.use_deterministic_algorithms(device.type == "cuda")
    return device


def _all(inputs: Held) -> Tensor:
    return inputs.take(torch.arange(len(inputs), device=inputs.values.device))
