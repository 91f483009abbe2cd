"""What may be added to the loss when a network is fine-tuned from a source: penalties on its weights.

Every penalty is called as ``penalty(network, source, batch)`` and returns a scalar tensor that is differentiable in
the network's weights; penalties on what a network computes are in ``feature_penalties``. Only the weights of shared
layers are penalised: those of convolutions and linear layers in all stages but the last, no biases and nothing of a
normalisation, as in the code that Li, Grandvalet & Davoine released ("only variables named weights"). The last stage,
the head, is new and has no source; it decays towards zero whatever the penalty (``head_decay``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional

from .stages import StagedNetwork

FISHER_AT_ONCE = 100


@dataclass(frozen=True)
class Batch:
    """What a step sees: pictures (n, channels, height, width), their labels (n,), and pictures without (m, …)."""

    pictures: Tensor
    labels: Tensor
    unlabelled: Tensor


@dataclass(frozen=True)
class Source:
    """The network that a training starts from, kept as it was, in the mode of a test.

    fisher: diagonal Fisher information of each shared weight, by name; empty where no penalty asks for it.
    """

    network: StagedNetwork
    fisher: Mapping[str, Tensor] = field(default_factory=dict)


Penalty = Callable[[StagedNetwork, Source, Batch], Tensor]


def layer_weights(network: StagedNetwork, start: int, stop: int) -> dict[str, Tensor]:
    """Weights, not biases, of the convolutions and linear layers in stages ``start`` to ``stop``, by name."""
    return {
        f"stages.{place}.{name}.weight": module.weight
        for place in range(start, stop)
        for name, module in network.stages[place].named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def shared_weights(network: StagedNetwork) -> dict[str, Tensor]:
    """w_S: those of every stage but the last.

    >>> from tlbench.methods.networks.four_layers import digits4
    >>> list(shared_weights(digits4(10, 1)))  # no biases, and nothing of the head
    ['stages.0.0.weight', 'stages.1.0.weight', 'stages.2.1.weight']
    """
    return layer_weights(network, 0, len(network.stages) - 1)


def head_decay(network: StagedNetwork) -> Tensor:
    """½ ‖w_N‖² of the last stage's weights."""
    count = len(network.stages)
    return 0.5 * _total(weight.square() for weight in layer_weights(network, count - 1, count).values())


def distance(network: StagedNetwork, source: Source) -> float:
    """‖w_S − w_S⁰‖, how far the shared weights are from the source's.

    >>> from tlbench.methods.networks.four_layers import digits4
    >>> network = digits4(10, 1)
    >>> distance(network, Source(network))
    0.0
    """
    with torch.no_grad():
        return float(_total(moved.square() for moved in _moved(network, source).values()).sqrt())


def nothing(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """0."""
    return batch.pictures.new_zeros(())


def l2(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """½ ‖w_S‖², plain weight decay."""
    return 0.5 * _total(weight.square() for weight in shared_weights(network).values())


def l1(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """‖w_S‖₁."""
    return _total(weight.abs() for weight in shared_weights(network).values())


def lp(p: float) -> Penalty:
    """Σ |w|ᵖ over shared weights, the bridge penalty (Frank & Friedman, Technometrics 1993).

    Raises ValueError for p < 1, where the gradient at a weight of zero is not finite.
    """
    if not p >= 1:
        raise ValueError(f"p must be at least 1, not {p:g}")

    def penalty(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
        return _total(weight.abs().pow(p) for weight in shared_weights(network).values())

    return penalty


def l2_sp(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """½ ‖w_S − w_S⁰‖² (Li, Grandvalet & Davoine, ICML 2018; the head's part is ``head_decay``).

    >>> from tlbench.methods.networks.four_layers import digits4
    >>> network, nothing_seen = digits4(10, 1), Batch(torch.zeros(0), torch.zeros(0), torch.zeros(0))
    >>> l2_sp(network, Source(network), nothing_seen).item(), l2(network, Source(network), nothing_seen).item() > 0
    (0.0, True)
    """
    return 0.5 * _total(moved.square() for moved in _moved(network, source).values())


def l1_sp(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """‖w_S − w_S⁰‖₁ (Li et al. 2018), with the subgradient 0 at the source's weights."""
    return _total(moved.abs() for moved in _moved(network, source).values())


def group_lasso_sp(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """Σ_g √|g| ‖w_g − w_g⁰‖₂, a group for each output feature map or unit (Li et al. 2018, GL-SP, and their code).

    The subgradient at the source's weights is 0.
    """
    groups = [moved.flatten(1) for moved in _moved(network, source).values()]
    return _total(sqrt(group.shape[1]) * torch.linalg.vector_norm(group, dim=1) for group in groups)


def l2_sp_fisher(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """½ Σ_j F_j (w_j − w_j⁰)² (Li et al. 2018, L2-SP-Fisher; Kirkpatrick et al., PNAS 2017)."""
    return 0.5 * _total(source.fisher[name] * moved.square() for name, moved in _moved(network, source).items())


def diagonal_fisher(network: StagedNetwork, pictures: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """F_j = mean over pictures of (∂ log p(label | picture) / ∂ w_j)², of each shared weight, by name.

    The empirical information: labels are the pictures' own, not drawn from the network, as in Li et al.'s code.
    """
    weights = {name: weight.detach() for name, weight in network.named_parameters()}

    def loss(values: dict[str, Tensor], picture: Tensor, label: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(network, values, (picture[None],)), label[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))
    found = {name: torch.zeros_like(weight) for name, weight in shared_weights(network).items()}
    with network.evaluating():
        for some, theirs in zip(
            torch.split(pictures, FISHER_AT_ONCE), torch.split(labels, FISHER_AT_ONCE), strict=True
        ):
            gradients = each(weights, some, theirs)
            for name, total in found.items():
                total.add_(gradients[name].square().sum(0))
    return {name: (total / len(pictures)).detach() for name, total in found.items()}


def with_mean_one(fisher: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divided by its mean over all weights: one strength then means about the same to L2-SP and L2-SP-Fisher.

    The factor is of the strength alone; Li et al.'s code adds a constant or clips instead. Raises ValueError where all
    are zero.

    >>> with_mean_one({"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([9.0])})["b"].tolist()
    [2.25]
    """
    mean = float(torch.cat([values.flatten() for values in fisher.values()]).mean())
    if mean == 0.0:
        raise ValueError("the Fisher information is zero everywhere: the source's loss does not depend on its weights")
    return {name: values / mean for name, values in fisher.items()}


def _moved(network: StagedNetwork, source: Source) -> dict[str, Tensor]:
    """w_S − w_S⁰, by name."""
    before = shared_weights(source.network)
    return {name: weight - before[name].detach() for name, weight in shared_weights(network).items()}


def _total(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack([part.sum() for part in parts]).sum()
