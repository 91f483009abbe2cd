"""One training: plain stochastic gradient descent on the layers above the frozen ones, resumable at every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import cos, isfinite, nan, pi

import torch
from torch import Tensor, nn
from torch.nn import functional

from .pictures import Inputs
from .stages import StagedNetwork, in_precision

TESTED_AT_ONCE = 250
WARM_UP = 0.1


class TrainingError(Exception):
    """A training cannot go on; the message says in which epoch and what to change."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the same for every treatment.

    Biases learn twice as fast as weights and do not decay, as in the authors' prototxt files. schedule: "cosine" rises
    over the first tenth of all steps and falls to zero over the others (Goyal et al. 2017, section 2.2; Loshchilov &
    Hutter, ICLR 2017, eq. 5, without restarts), "steps" divides by ten after each
    of ``milestones`` (shares of the epochs; the paper's are 100, 200, 300 and 400 of 450 thousand iterations).

    >>> recipe = Recipe(epochs=10, batch=50, learning_rate=0.1)
    >>> recipe.rate(0.1), round(recipe.rate(1.0), 9)  # the top after a tenth of all steps, and the end
    (0.1, 0.0)
    """

    epochs: int
    batch: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "cosine"
    precision: torch.dtype = torch.float32

    milestones = (100 / 450, 200 / 450, 300 / 450, 400 / 450)

    def rate(self, progress: float) -> float:
        """Learning rate after a share of all steps."""
        if self.schedule == "steps":
            return float(self.learning_rate * 0.1 ** sum(progress >= at for at in self.milestones))
        if progress < WARM_UP:
            return self.learning_rate * progress / WARM_UP
        return self.learning_rate * 0.5 * (1 + cos(pi * (progress - WARM_UP) / (1 - WARM_UP)))


@dataclass
class Progress:
    """How far a training is: epochs done, mean training loss and test accuracy (percent) of each."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)


def trainable(network: StagedNetwork) -> list[tuple[str, nn.Parameter]]:
    """Names and weights that a training changes."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]


def optimiser(network: StagedNetwork, recipe: Recipe) -> torch.optim.SGD:
    """The paper's: momentum, weights that decay, biases that do not and learn at twice the rate."""
    named = trainable(network)
    weights = [weight for name, weight in named if not name.endswith("bias")]
    biases = [weight for name, weight in named if name.endswith("bias")]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay, "times": 1.0},
        {"params": biases, "weight_decay": 0.0, "times": 2.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)


def train(
    network: StagedNetwork,
    layers: int,
    training: tuple[Inputs, Tensor],
    testing: tuple[Inputs, Tensor],
    recipe: Recipe,
    generator: Callable[[int], torch.Generator],
    test_every_epoch: bool,
    begun: tuple[Progress, dict[str, Tensor]] | None = None,
) -> Iterator[tuple[Progress, Callable[[], dict[str, Tensor]]]]:
    """Train the stages from ``layers`` on; yields after each epoch.

    network: its first ``layers`` stages frozen or not, as ``freeze`` left them. training, testing: what stage
    ``layers`` takes and labels (N,); with ``layers`` = 0 the pictures. generator: of an epoch, on the CPU; the order of
    the pictures is its first draw. begun: progress and tensors as yielded before an interruption. Yields the progress
    and a function that copies weights and momenta. Raises TrainingError where the loss, or in the end a weight or a
    test score, is not a finite number.
    """
    inputs, labels = training
    optimising = optimiser(network, recipe)
    progress = Progress()
    if begun is not None:
        progress, tensors = begun
        _restore(network, optimising, tensors)
    steps = -(-len(inputs) // recipe.batch)
    if len(inputs) % recipe.batch == 1 and steps > 1 and _normalises(network):
        steps -= 1  # one picture has no variance: it joins the batch before
    device = labels.device
    for epoch in range(progress.epoch, recipe.epochs):
        drawn = generator(epoch)
        order = torch.randperm(len(inputs), generator=drawn).to(device)
        network.hand_generator(drawn if device.type == "cpu" else _on(device, drawn))
        total = torch.zeros((), device=device)
        for step in range(steps):
            for group in optimising.param_groups:
                group["lr"] = group["times"] * recipe.rate((epoch * steps + step + 1) / (recipe.epochs * steps + 1))
            rows = order[step * recipe.batch : (step + 1) * recipe.batch if step + 1 < steps else None]
            with in_precision(device, recipe.precision):
                scores = network(inputs.take(rows, drawn), layers)
            loss = functional.cross_entropy(scores.float(), labels[rows])
            optimising.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimising.step()
            total += loss.detach() * len(rows)
        mean = float(total) / len(inputs)
        if not isfinite(mean):
            raise TrainingError(f"the training loss is {mean} in epoch {epoch + 1}; set a lower learning_rate")
        progress = Progress(epoch + 1, [*progress.losses, mean], list(progress.accuracies))
        if test_every_epoch or epoch + 1 == recipe.epochs:
            progress.accuracies.append(accuracy(network, layers, testing, recipe.precision))
            if not (isfinite(progress.accuracies[-1]) and _is_finite(network)):
                raise TrainingError(
                    f"weights or test scores are no finite numbers after epoch {epoch + 1}; set a lower learning_rate"
                )
        yield progress, lambda: _tensors(network, optimising)


@torch.no_grad()
def accuracy(network: StagedNetwork, layers: int, testing: tuple[Inputs, Tensor], precision: torch.dtype) -> float:
    """Percent of the test pictures whose highest score is their class's; stages ``layers`` and above are applied.

    NaN where a score is not a finite number.
    """
    inputs, labels = testing
    hits = torch.zeros((), dtype=torch.int64, device=labels.device)
    finite = torch.ones((), dtype=torch.bool, device=labels.device)
    with network.evaluating():
        for start in range(0, len(inputs), TESTED_AT_ONCE):
            rows = torch.arange(start, min(start + TESTED_AT_ONCE, len(inputs)), device=labels.device)
            with in_precision(labels.device, precision):
                scores = network(inputs.take(rows), layers)
            hits += (scores.argmax(1) == labels[rows]).sum()
            finite &= scores.isfinite().all()
    return 100.0 * int(hits) / len(inputs) if finite else nan


def _normalises(network: StagedNetwork) -> bool:
    """Whether a stage that is trained normalises over its batch."""
    return any(isinstance(module, nn.BatchNorm2d) and module.training for module in network.modules())


def _is_finite(network: StagedNetwork) -> bool:
    return all(bool(values.isfinite().all()) for values in network.state_dict().values())


def _on(device: torch.device, drawn: torch.Generator) -> torch.Generator:
    """A generator on the device, seeded by the one on the CPU."""
    seed = int(torch.randint(2**62, (1,), generator=drawn))
    return torch.Generator(device).manual_seed(seed)


MOMENTUM = "momentum."


def _tensors(network: StagedNetwork, optimising: torch.optim.SGD) -> dict[str, Tensor]:
    tensors = {name: values.detach().cpu().clone() for name, values in network.state_dict().items()}
    for name, weight in trainable(network):
        if weight in optimising.state:
            tensors[MOMENTUM + name] = optimising.state[weight]["momentum_buffer"].detach().cpu().clone()
    return tensors


def _restore(network: StagedNetwork, optimising: torch.optim.SGD, tensors: dict[str, Tensor]) -> None:
    weights = {name: values for name, values in tensors.items() if not name.startswith(MOMENTUM)}
    network.load_state_dict(weights)
    for name, weight in trainable(network):
        if MOMENTUM + name in tensors:
            kept = torch.empty_like(weight).copy_(tensors[MOMENTUM + name])
            optimising.state[weight]["momentum_buffer"] = kept


def has_bfloat16_units() -> bool:
    """Whether this processor multiplies 16-bit numbers faster than 32-bit ones; no, where torch cannot tell."""
    asked = "_is_avx512_bf16_supported", "_is_amx_tile_supported"
    return any(getattr(torch.cpu, name, bool)() for name in asked)
