"""What trainings of ``layer_transfer`` will cost, from a few steps measured now on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np
import torch

from ...datasets import LabelledPictures
from ...datasets.outlines import AbsentPixels
from ...methods.networks.architectures import ARCHITECTURES
from ...methods.networks.initialisation import initialise
from ...methods.networks.pictures import Held, Inputs, Through, advance, bytes_after
from ...methods.networks.training import Recipe, train
from ...study import Block, Estimate
from .choices import NETWORKS, Half, Training, draw_half
from .layer_training import MOST_HELD, PRECISIONS, frozen_layers, on_device

STEPS = 4
WARM_UP_STEPS = 2
MOST_PICTURES = 32
"""In a measured step: larger batches cost about as much a picture."""
PROCESS = 500 << 20
"""Bytes that a process with torch in it takes before it holds anything."""


def measured_cost(pictures: LabelledPictures, blocks: Sequence[Block], device: str) -> Estimate:
    """Seconds of each block on one core or on the device, and bytes of memory a process."""
    torch.set_num_threads(1)
    halves: dict[str, Half] = {}
    seconds, passes, memory, decoding = [], 0, 0, False
    for block in blocks:
        training = msgspec.convert(block.parameters, Training)
        if block.unit not in halves:
            halves[block.unit] = draw_half(pictures, training, block.unit)
        half = halves[block.unit]
        count = len(half.training) * training.epochs
        passes += count
        frozen = frozen_layers(block.conditions[0], training.layers)
        bench = _bench(training, len(half.classes), pictures.pixels.shape[3], device)
        kept, held = bench.memory(frozen, len(half.training) + len(half.test))
        memory = max(memory, held)
        decoding |= bench.crops
        seconds.append(count * (bench.seconds_a_picture(frozen, kept) + bench.decoding(pictures)))
    days = sum(seconds) / 86400
    remarks = [f"that is {len(blocks):,} trainings and {_in_words(passes)} pictures shown to them in all"]
    if decoding and isinstance(pictures.pixels, AbsentPixels):
        remarks.append("the time to decode pictures is not counted: they are not here to measure it on")
    if days > 3:
        remarks.append(
            f"that is {days:,.0f} days of one core's or the device's work: the same command goes on where it was "
            "stopped; fewer --seeds, layers or conditions cost less, and --device cuda is faster"
        )
    return Estimate(tuple(seconds), memory, tuple(remarks))


def _in_words(count: int) -> str:
    """A large number as it is said."""
    for size, name in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.1f} {name}"
    return f"{count:,}"


def _bench(training: Training, classes: int, channels: int, device: str) -> _Bench:
    return _benches(training.network, training.batch, training.precision, classes, channels, device)


class _Bench:
    """Steps of one network on made-up pictures; what was measured is remembered."""

    def __init__(self, network: str, batch: int, precision: str, classes: int, channels: int, device: str) -> None:
        self.network = ARCHITECTURES[network](classes, channels)
        initialise(self.network, "scaled", lambda stage: torch.Generator().manual_seed(stage))
        self.device = torch.device(device)
        on_device(self.network, self.device)
        self.precision = PRECISIONS[precision]
        self.crops = NETWORKS[network].side != self.network.side
        """Whether it takes crops of larger pictures, which are decoded each time they are shown."""
        self.batch = min(batch, MOST_PICTURES)
        self.labels = torch.arange(self.batch, device=self.device) % classes
        side = self.network.side
        drawn = torch.rand(self.batch, side, side, channels, generator=torch.Generator().manual_seed(0))
        self.pictures = Held(drawn.to(self.device, self.precision))
        self._seconds: dict[tuple[int, bool], float] = {}
        self._bytes: dict[int, int] = {}
        self._decoding: float | None = None

    def seconds_a_picture(self, frozen: int, held: bool) -> float:
        """Of a training step in which the outputs of the frozen layers are held, or computed again."""
        if (frozen, held) not in self._seconds:
            self.network.freeze(frozen)
            inputs: Inputs = Through(self.pictures, self.network, frozen, self.precision)
            if held:
                inputs = advance(self.pictures, self.network, range(frozen), self.precision)
            recipe = Recipe(WARM_UP_STEPS + STEPS, self.batch, learning_rate=1e-6, precision=self.precision)
            part = (inputs, self.labels)
            epochs = train(self.network, frozen, part, part, recipe, lambda _: torch.Generator(), False)
            for _ in range(WARM_UP_STEPS):
                next(epochs)
            begun = time.perf_counter()
            for _ in range(STEPS - 1):
                next(epochs)
            self._seconds[frozen, held] = (time.perf_counter() - begun) / ((STEPS - 1) * self.batch)
        return self._seconds[frozen, held]

    def decoding(self, pictures: LabelledPictures) -> float:
        """Seconds a picture, where pictures are decoded each time they are shown; 0 for pictures that are not here."""
        if not self.crops or isinstance(pictures.pixels, AbsentPixels):
            return 0.0
        if self._decoding is None:
            begun = time.perf_counter()
            pictures.pixels.take(np.arange(min(8, len(pictures.labels))))
            self._decoding = (time.perf_counter() - begun) / 8
        return self._decoding

    def memory(self, frozen: int, count: int) -> tuple[bool, int]:
        """Whether the frozen layers' outputs are held, and bytes of memory with them."""
        weights = 4 * sum(values.numel() * values.element_size() for values in self.network.state_dict().values())
        if self.crops:
            return False, PROCESS + weights
        whole, outputs, before = (count * self._bytes_a_picture(n) for n in (0, frozen, max(0, frozen - 1)))
        if outputs > MOST_HELD:
            return False, PROCESS + weights + whole
        return True, PROCESS + weights + (outputs + before if frozen else whole)

    def _bytes_a_picture(self, layers: int) -> int:
        if layers not in self._bytes:
            self._bytes[layers] = bytes_after(self.network, layers, 1, self.precision)
        return self._bytes[layers]


_benches = cache(_Bench)
