"""How far from what the machine can do at all: describing pictures against decoding them, scanning against hashing."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from tlbench import features
from tlbench.features import kinds
from tlbench.preparing import Prepared

from .growth_stages import make_records, prepared
from .table import Row, interleaved, row

PICTURES, SIZE, KIND = 100, (240, 320), "lbp"
SIDE = 18  # targets, and batches of splits
REPEATS = 7


def rows() -> list[Row]:
    """Both rows."""
    with tempfile.TemporaryDirectory() as scratch:
        return [_describing(Path(scratch)), _scanning(Path(scratch))]


def jpegs(folder: Path, count: int) -> list[Path]:
    """Pictures with structure at every scale, as photographs have: sums of noise, enlarged."""
    draw = np.random.default_rng(0)
    paths = []
    for number in range(count):
        layers = [
            np.asarray(Image.fromarray(draw.normal(size=(n, n)).astype(np.float32)).resize(SIZE[::-1]))
            for n in (3, 9, 27, 81)
        ]
        values = 128 + 30 * np.sum(layers, axis=0)
        paths.append(folder / f"{number}.jpg")
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(paths[-1], quality=90)
    return paths


def decoded(path: Path) -> np.ndarray:
    """Grey values by the library that decodes, and nothing else."""
    with Image.open(path) as image:
        return np.asarray(image)


def described(path: Path) -> np.ndarray:
    """What ``features`` makes of the file, from its bytes to the vector."""
    kind = features.KINDS[KIND]
    return kind.compute(kinds.read(path))


def sound(paths: list[Path]) -> int:
    """How many files' checksums hold, by the shortest loop there is."""
    count = 0
    for path in paths:
        head, _, body = path.read_bytes().partition(b"\n")
        count += hashlib.sha256(body).hexdigest().encode() == head
    return count


def scanned(run: Prepared) -> int:
    """How many blocks a resumed run finds finished."""
    return len(run.plan.blocks) - len(run.scan()[0])


def _describing(folder: Path) -> Row:
    paths = jpegs(folder, PICTURES)
    ours, other = interleaved(
        lambda: [described(path) for path in paths], lambda: [decoded(path) for path in paths], repeats=REPEATS
    )
    return row(
        f"describing pictures, {KIND}",
        "JPEG decoding alone",
        ours,
        other,
        f"{PICTURES} made-up pictures of {SIZE[1]} × {SIZE[0]}, decoded, brought to size, described: "
        f"{PICTURES / median(ours):.0f} a second against {PICTURES / median(other):.0f}",
    )


def _scanning(folder: Path) -> Row:
    make_records(SIDE, folder)
    run = prepared(SIDE, folder)
    paths = sorted(run.records.folder.rglob("blocks/*/*.json"))
    ours, other = interleaved(lambda: scanned(run), lambda: sound(paths), repeats=REPEATS)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    each, plain = (1e6 * median(times) / len(paths) for times in (ours, other))
    return row(
        "resume scan",
        "reading and hashing alone",
        ours,
        other,
        f"{len(paths):,} made-up blocks, {megabytes:.0f} MB that the system has in memory: {each:.0f} µs a block "
        f"against {plain:.0f}",
    )
