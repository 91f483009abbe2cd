"""Pictures, weights, models and tables that somebody made to do harm: one sentence, and nothing of theirs runs."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.marks import slow
from tlbench import keeping
from tlbench.advice import model
from tlbench.datasets import DataError
from tlbench.datasets.feature_table import load_feature_table
from tlbench.features import FeaturesError, PictureError, decoding

pytestmark = pytest.mark.fault("security")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *more: bytes, rows: bytes = b"") -> bytes:
    """A PNG of one bit a pixel written by hand."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A note that becomes 200 MB."""
    packed = zlib.compressobj(9)
    note = b"".join([*(packed.compress(bytes(1 << 20)) for _ in range(200)), packed.flush()])
    return png(8, 8, chunk(b"zTXt", b"Comment\0\0" + note), rows=bytes(16))


def frames(count: int) -> bytes:
    file = io.BytesIO()
    first = Image.new("L", (8, 8), 200)
    others = [Image.new("L", (8, 8), shade % 256) for shade in range(count)]
    first.save(file, "GIF", save_all=True, append_images=others)
    return file.getvalue()


SVG = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;">]><svg onload="alert(1)">&b;</svg>'
SCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/owned) (w) file closefile showpage\n"
REFUSED = {
    "a drawing named .png": ("a.png", SVG, "is text, not a picture"),
    "a program of PostScript named .jpg": ("a.jpg", SCRIPT, "is text, not a picture"),
    "a drawing of Windows named .png": ("a.png", b"\xd7\xcd\xc6\x9a" + bytes(60), "not a picture in a format"),
    "10¹² pixels": ("a.png", png(1_000_000, 1_000_000), "can be decoded|at most 100 million are decoded"),
    "2³¹ pixels wide": ("a.png", png(2**31 - 1, 1), "can be decoded|at most 100 million are decoded"),
    "a million pixels wide and cut off": ("a.png", png(1_000_000, 64), "cannot be decoded"),
    "a note of 200 MB": ("a.png", text_bomb(), "cannot be decoded"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_picture_that_is_none_is_refused(tmp_path, name):
    file, content, says = REFUSED[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(PictureError, match=says) as said:
        decoding.read_rgb(tmp_path / file)
    assert str(said.value).count("\n") == 0
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_a_million_pixels_wide_is_read_and_made_small(tmp_path):
    path = tmp_path / "wide.png"
    path.write_bytes(png(1_000_000, 1, rows=b"\0" + b"\xff" * 125_000))
    assert decoding.read_grey(path, 300).shape == (1, 300)
    assert decoding.read_grey(path, 300).min() == 1.0


def test_of_many_frames_the_first_is_seen(tmp_path):
    path = tmp_path / "film.gif"
    path.write_bytes(frames(300))
    assert decoding.read_grey(path).mean() == pytest.approx(200 / 255, abs=1e-6)


def test_a_name_does_not_say_what_is_inside(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (4, 4), (255, 0, 0)).save(path, "PNG")
    assert decoding.read_rgb(path).tolist() == [[[1.0, 0.0, 0.0]] * 4] * 4


# Weights and models


def safetensors(header: bytes, length: int | None = None, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + body


HEADERS = {
    "longer than the world": safetensors(b"{}", 2**63 - 1),
    "longer than the file": safetensors(b"{}", 10_000),
    "of 10¹⁸ numbers": safetensors(
        b'{"a":{"dtype":"F64","shape":[1000000000000000000],"data_offsets":[0,8]}}', body=bytes(8)
    ),
    "that says 2⁶³ bytes": safetensors(
        b'{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}'
    ),
    "of parts that overlap": safetensors(
        b'{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        body=bytes(8),
    ),
    "without end": safetensors(b'{"a":' + b"[" * 50_000),
}


@pytest.mark.parametrize("name", HEADERS)
def test_weights_with_a_header_that_lies_are_none(tmp_path, name):
    path = tmp_path / "model.safetensors"
    path.write_bytes(HEADERS[name])
    assert keeping.read(path) is None
    with pytest.raises(DataError, match="is no model, or was changed after"):
        model.load(path)


@pytest.mark.parametrize("name", ["../../up", "/etc/passwd"])
def test_a_model_of_a_kind_that_leads_elsewhere_reads_nothing_there(tmp_path, name):
    """Its checksum holds: a checksum is no signature."""
    arrays = {f"features/{name}": np.zeros((1, 2)), "coefficients": np.ones(1), "bias": np.zeros(1)}
    kind = {"gamma": 1.0, "kernel": "rbf", "depends_on": "x", "columns": []}
    about = {"format": model.FORMAT, "tlbench": "0", "target": "t", "sources": [], "kinds": {name: kind}}
    path = tmp_path / "model.safetensors"
    path.write_bytes(keeping.packed(arrays, json.dumps(about)))
    Image.new("L", (8, 8)).save(tmp_path / "one.png")
    with pytest.raises((DataError, FeaturesError)):
        model.load(path).predict_pictures([tmp_path / "one.png"], tmp_path / "data")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.safetensors", "one.png"]


class Springs:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pt", *slow(".pth"), ".safetensors"])
def test_weights_that_would_run_code_are_refused_and_run_none(tmp_path, suffix):
    torch = pytest.importorskip("torch")
    from tlbench.features.deep import deep_kind

    path, mark = tmp_path / f"weights{suffix}", tmp_path / "sprung"
    torch.save({"conv1.weight": Springs(mark)}, path)
    with pytest.raises(FeaturesError, match="is damaged, or holds other things than weights"):
        deep_kind("deep:resnet18", "resnet18", path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Springs(mark)))
    assert mark.exists()  # it would have


# Tables of features


def zipped_array(name: str, header: bytes) -> bytes:
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    return file.getvalue()


ARRAYS = {
    "of 10¹⁵ numbers": b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000, 1000000)}\n",
    "whose header is a program": b"__import__('os').system('touch sprung')\n",
    "of objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n",
    "of a negative shape": b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}\n",
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_lies_is_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.npz").write_bytes(zipped_array("identity", ARRAYS[name]))
    with pytest.raises(DataError, match=r"table\.npz"):
        load_feature_table(tmp_path / "table.npz", None)
    assert [path.name for path in tmp_path.iterdir()] == ["table.npz"]
