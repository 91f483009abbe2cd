"""Networks trained elsewhere by the names users type, with their weights found: ``deep:NETWORK[/BLOCKS][@FILE]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import datasets, features

DEEP = "deep:"


def settled(names: Sequence[str], folder: Path) -> list[str | features.Kind]:
    """Names of kinds of feature, those of networks in place of theirs.

    ``deep:resnet18`` has weights that ``tlbench data fetch weights:resnet18`` put into the data folder,
    ``deep:efficientnet-lite0`` those of its package, ``deep:resnet18@my.safetensors`` the user's own;
    ``deep:resnet18/6`` is what its first six blocks put out. Raises
    FeaturesError as ``features.deep_kind``, DataError for an unknown network and DataMissingError for weights that are
    not there or damaged.
    """
    return [deep_kind(name, folder) if name.startswith(DEEP) else name for name in names]


def deep_kind(name: str, folder: Path) -> features.Kind:
    """The kind of feature of that name, which begins with ``deep:``; raises as ``settled``."""
    network, kept, own = _parts(name)
    weights = _weights(network, own, folder)
    if kept is None:
        return features.deep_kind(name, network, weights)
    return features.blocks_kind(name, network, weights, kept)


def each_block(name: str, folder: Path) -> tuple[features.Kind, list[int]]:
    """What every number of blocks of a network puts out, as one kind, and how many numbers each has.

    name: of a kind for the whole network. Raises as ``settled``.
    """
    if not name.startswith(DEEP) or _parts(name)[1] is not None:
        raise features.FeaturesError(f"'{name}' is no whole network; name one, like {DEEP}{features.LITE}")
    network, _, own = _parts(name)
    weights = _weights(network, own, folder)
    kind = features.blocks_kind(f"{name}/each", network, weights, None)
    return kind, features.block_widths(network, weights, str(kind.parameters["weights"]))


def of_blocks(name: str, kept: int) -> str:
    """The name of the kind for the first blocks of a network, by that of the whole."""
    network, at, own = name.partition("@")
    return f"{network}/{kept}{at}{own}"


def _parts(name: str) -> tuple[str, int | None, str]:
    """Network, number of blocks and the user's own file, which may be left out."""
    of, _, own = name.removeprefix(DEEP).partition("@")
    network, slash, kept = of.partition("/")
    if slash and not (kept.isascii() and kept.isdigit()):
        raise features.FeaturesError(f"'{name}' should end with a number of blocks, like {DEEP}{features.LITE}/12")
    return network, int(kept) if slash else None, own


def _weights(network: str, own: str, folder: Path) -> Path:
    features.import_check(network)
    if own:
        return Path(own).expanduser()
    if network == features.LITE:
        return features.lite_weights()
    file = datasets.weights_file(network)
    there = folder / file.path
    if (state := datasets.state(file, folder)) != "present":
        raise datasets.DataMissingError(
            f"{there} is {state}; fetch it with: tlbench data fetch weights:{network}"
            f"\n  Or give a file of your own:  --features {DEEP}{network}@FILE.safetensors"
        )
    return there
