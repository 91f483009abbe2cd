"""Networks trained elsewhere by the names users type, with their weights found: ``deep:NETWORK[@FILE]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import datasets, features

DEEP = "deep:"


def settled(names: Sequence[str], folder: Path) -> list[str | features.Kind]:
    """Names of kinds of feature, those of networks in place of theirs.

    ``deep:resnet18`` has weights that ``tlbench data fetch weights:resnet18`` put into the data folder,
    ``deep:efficientnet-lite0`` those of its package, ``deep:resnet18@my.safetensors`` the user's own. Raises
    FeaturesError as ``features.deep_kind``, DataError for an unknown network and DataMissingError for weights that are
    not there or damaged.
    """
    return [deep_kind(name, folder) if name.startswith(DEEP) else name for name in names]


def deep_kind(name: str, folder: Path) -> features.Kind:
    """The kind of feature of that name, which begins with ``deep:``; raises as ``settled``."""
    network, at, own = name.removeprefix(DEEP).partition("@")
    features.import_check(network)
    if at:
        path = Path(own).expanduser()
        return features.deep_kind(name, network, path)
    if network == features.LITE:
        return features.deep_kind(name, network, features.lite_weights())
    file = datasets.weights_file(network)
    there = folder / file.path
    if (state := datasets.state(file, folder)) != "present":
        raise datasets.DataMissingError(
            f"{there} is {state}; fetch it with: tlbench data fetch weights:{network}"
            f"\n  Or give a file of your own:  --features {DEEP}{network}@FILE.safetensors"
        )
    return features.deep_kind(name, network, there)
