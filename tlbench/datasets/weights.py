"""Weights of torchvision's networks, fetched like data; torchvision knows addresses and checksums."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from .entries import Entry, nearest_name
from .errors import DataError, DataMissingError
from .remote_files import RemoteFile

WEIGHTS = "weights"
"""What stands before the colon."""
SAYS = "weights of a network of torchvision, for --features deep:NETWORK"
LICENCE = "as torchvision says; most were trained on ImageNet (non-commercial research and education)"


def weights_of(network: str) -> Entry:
    """The weights that torchvision recommends for a network that names classes.

    Raises DataError for a name that it does not know, DataMissingError where torchvision is not installed.
    """
    file = weights_file(network)
    return Entry(f"{WEIGHTS}:{network}", SAYS, LICENCE, {}, {"": (file,)})


def weights_file(network: str) -> RemoteFile:
    """Where these weights come from and lie; raises as ``weights_of``.

    The name of a file of torchvision ends with the first eight digits of its SHA-256.
    """
    if find_spec("torchvision") is None:
        raise DataMissingError(
            f"'{network}' is a network of torchvision, which is not installed; "
            "install it with: pip install 'tlbench[networks]'"
        )
    from torchvision import models

    known = models.list_models(module=models)
    if network not in known:
        raise DataError(f"there is no network '{network}'; {nearest_name(network, known)}")
    url = models.get_model_weights(network).DEFAULT.url
    name = PurePosixPath(urlsplit(url).path).name
    return RemoteFile(f"{WEIGHTS}/{name}", (url,), 0, name.removesuffix(".pth").rpartition("-")[2])
