"""What the first n blocks of a pretrained network make of a picture: the mean over all places of their last output.

A block is an element of the rows of modules that a network is made of (residual blocks, convolutions with what follows
them), if it puts out a map of places. After Yosinski et al., NIPS 2014: the first n layers are kept as they were
learned, frozen; what stands above them is left away here, and a machine is trained on what they put out.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .deep import Pretrained, deep_kind, pretrained
from .errors import FeaturesError
from .kinds import Kind

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]

VERSION = 1


def blocks_kind(name: str, architecture: str, weights: Path, kept: int | None) -> Kind:
    """The kind of feature that the first ``kept`` blocks compute; of None, that of each number of blocks in a row.

    Raises FeaturesError as ``deep_kind``, for a network without such blocks, and where it has fewer.
    """
    plain = deep_kind(name, architecture, weights)
    digest = str(plain.parameters["weights"])
    widths = block_widths(architecture, weights, digest)
    if kept is not None and not 1 <= kept <= len(widths):
        raise FeaturesError(f"'{architecture}' has {len(widths)} blocks to keep the first of, not {kept}")
    if not widths:
        raise FeaturesError(
            f"'{architecture}' is no row of blocks that put out maps; take deep:{architecture} as it is"
        )
    compute = partial(block_means, architecture=architecture, weights=str(weights), digest=digest, kept=kept)
    parameters = {**plain.parameters, "blocks": kept or "each"}
    dimension = widths[kept - 1] if kept else sum(widths)
    return Kind(name, parameters, VERSION, dimension, compute, in_colour=True)


def block_widths(architecture: str, weights: Path, digest: str) -> list[int]:
    """How many numbers each block puts out, in the order in which they run."""
    network = pretrained(architecture, str(weights), digest)
    return [len(mean) for mean in _means(network, np.zeros((network.side, network.side, 3), np.float32))]


def block_means(colours: Floats, architecture: str, weights: str, digest: str, kept: int | None) -> Floats:
    """The vector of a picture (h, w, 3); see ``blocks_kind``."""
    means = _means(pretrained(architecture, weights, digest), colours)
    found: Floats = np.concatenate(means) if kept is None else means[kept - 1]
    return found


def _means(network: Pretrained, colours: Floats) -> list[Floats]:
    """Of every block that puts out a map, in the order in which they run."""
    import torch
    from torch import nn

    found: list[Floats] = []

    def keep(_: nn.Module, __: Any, output: Tensor) -> None:
        if output.ndim == 4:
            found.append(output.mean((2, 3))[0].numpy())  # at once: what follows may write over the map

    rows = [row for row in network.body.children() if isinstance(row, nn.Sequential | nn.ModuleList)]
    hooks = [block.register_forward_hook(keep) for row in rows for block in row.children()]
    try:
        with torch.inference_mode():
            network.body(network.seen(colours))
    finally:
        for hook in hooks:
            hook.remove()
    return found
