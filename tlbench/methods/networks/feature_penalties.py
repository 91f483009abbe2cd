"""Penalties on what a fine-tuned network computes: its feature maps, its features, its slope, its smoothness.

Called as those of ``penalties``: ``penalty(network, source, batch)``, a scalar tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .penalties import Batch, Penalty, Source
from .stages import StagedNetwork

TEMPERATURE = 5.0


def feature_maps(network: StagedNetwork, pictures: Tensor) -> Iterator[Tensor]:
    """Outputs (n, channels, height, width) of the stages that put out maps, from the first on."""
    values = pictures
    for place in range(len(network.stages)):
        values = network(values, place, place + 1)
        if values.ndim != 4:
            return
        yield values


def delta(importance: Sequence[Tensor]) -> Penalty:
    """DELTA: maps of important channels stay near the source's (Li X. et al., ICLR 2019).

    ½ Σ_layers Σ_c C·W_c ‖FM_c(w, x) − FM_c(w⁰, x)‖² / (H·W), the mean over the batch's pictures. importance: W of each
    layer, summing to one over its C channels, of ``channel_importance``. Deviations: the released code sums over the
    batch, which ties the strength to its size; its layers are the last of each of four groups, here all that put out
    maps.
    """

    def penalty(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:
        with torch.no_grad():
            before = list(feature_maps(source.network, batch.pictures))
        total = batch.pictures.new_zeros(())
        for weights, old, new in zip(importance, before, feature_maps(network, batch.pictures), strict=True):
            apart = (new - old).square().mean(dim=(0, 2, 3))  # over pictures and the H·W places of a map
            total = total + 0.5 * len(weights) * (weights * apart).sum()
        return total

    return penalty


@torch.no_grad()
def channel_importance(network: StagedNetwork, pictures: Tensor, labels: Tensor) -> list[Tensor]:
    """W of each layer of maps: how much the loss rises without a channel (Li X. et al. 2019).

    network: the source's layers under a head trained for the target, of which these are training pictures. W =
    softmax(rise, standardised within the layer, / 5), as in the released code; the paper has a plain softmax. A channel
    is removed by setting its map to zero.
    """
    found = []
    for place, maps in enumerate(feature_maps(network, pictures)):
        usual = functional.cross_entropy(network(maps, place + 1), labels)
        rises = []
        for channel in range(maps.shape[1]):
            without = maps.clone()
            without[:, channel] = 0.0
            rises.append(functional.cross_entropy(network(without, place + 1), labels) - usual)
        rise = torch.stack(rises)
        spread = rise.std(correction=0).clamp_min(torch.finfo(rise.dtype).tiny)
        found.append(torch.softmax((rise - rise.mean()) / spread / TEMPERATURE, dim=0))
    return found


def batch_spectral_shrinkage(k: int = 1) -> Penalty:
    """BSS: Σ_{i ≤ k} σ₋ᵢ², of the k smallest singular values of the batch's features (Chen X. et al., NeurIPS 2019).

    The features (n, units) are what the head takes. Raises ValueError for k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")

    def penalty(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
        features = network(batch.pictures, 0, len(network.stages) - 1).flatten(1)
        values: Tensor = torch.linalg.svdvals(features)
        return values[-k:].square().sum()

    return penalty


def input_gradient(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:  # noqa: ARG001
    """Mean over pictures of ‖∂L / ∂x‖², by double back-propagation (Drucker & Le Cun, IEEE Trans. Neural Netw. 1992).

    L is each picture's own cross-entropy; the network may not normalise over a batch. The transfer literature has no
    default for its strength.
    """
    pictures = batch.pictures.detach().requires_grad_()
    loss = functional.cross_entropy(network(pictures), batch.labels, reduction="sum")
    (slope,) = torch.autograd.grad(loss, pictures, create_graph=True)
    return slope.square().sum() / len(pictures)


def nearest_neighbours(points: Tensor, neighbours: int) -> Tensor:
    """W (n, n) of 0 and 1: one where either of two of the points (n, dimensions) is among the other's nearest.

    Raises ValueError where there are no more points than neighbours.

    >>> nearest_neighbours(torch.tensor([[0.0], [1.0], [9.0]]), 1).int().tolist()  # the last's is the second
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    if len(points) <= neighbours:
        raise ValueError(f"{neighbours} neighbours need more than {len(points)} pictures; set fewer neighbours")
    apart = torch.cdist(points, points).fill_diagonal_(torch.inf)
    nearest = apart.topk(neighbours, largest=False).indices
    weights = torch.zeros_like(apart).scatter_(1, nearest, 1.0)
    return torch.maximum(weights, weights.T)


def laplacian(neighbours: int) -> Penalty:
    """Predictions vary little between neighbours: pᵀ(D − W)p / N² = ½ Σ_ij W_ij ‖p_i − p_j‖² / N².

    Belkin, Niyogi & Sindhwani, JMLR 2006: the batch's labelled and unlabelled pictures, N in all. p: class
    probabilities (N, classes). W: nearest neighbours by what the source's head takes. Deviations: the paper has a
    kernel machine's scores, which would not be bounded here, and neighbours of the inputs themselves.
    """

    def penalty(network: StagedNetwork, source: Source, batch: Batch) -> Tensor:
        pictures = torch.cat([batch.pictures, batch.unlabelled])
        with torch.no_grad():
            seen = source.network(pictures, 0, len(source.network.stages) - 1).flatten(1)
            weights = nearest_neighbours(seen, neighbours)
        probabilities = torch.softmax(network(pictures), dim=1)
        matrix = torch.diag(weights.sum(1)) - weights
        return (probabilities * (matrix @ probabilities)).sum() / len(pictures) ** 2

    return penalty
