"""What each way of training faster is worth on this machine: steps of one network, one thing changed at a time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

from tlbench.methods.networks.architectures import ARCHITECTURES
from tlbench.methods.networks.initialisation import initialise
from tlbench.methods.networks.pictures import Held, Through, advance
from tlbench.methods.networks.stages import StagedNetwork
from tlbench.methods.networks.training import has_bfloat16_units

from .table import Row, interleaved, row

STEPS = 30
BATCH = 32
CLASSES = 4
CHILD = "benchmarks.training_choices"


def made(name: str = "small32", channels: int = 3) -> StagedNetwork:
    network = ARCHITECTURES[name](CLASSES, channels)
    initialise(network, "scaled", lambda stage: torch.Generator().manual_seed(stage))
    network.freeze(0)
    return network


def pictures(network: StagedNetwork, precision: torch.dtype, batch: int = BATCH) -> Held:
    generator = torch.Generator().manual_seed(0)
    shape = (batch, network.side, network.side, network.channels)
    return Held(torch.rand(shape, generator=generator).to(precision))


def steps(
    network: Callable[..., torch.Tensor],
    parameters: list[torch.nn.Parameter],
    take: Callable[[], torch.Tensor],
    precision: torch.dtype,
    *start: int,
) -> Callable[[], None]:
    """A piece of work: some steps of stochastic gradient descent."""
    optimiser = torch.optim.SGD(parameters, lr=1e-6, momentum=0.9, fused=True)
    labels = torch.arange(BATCH) % CLASSES

    def work() -> None:
        for _ in range(STEPS):
            with torch.autocast("cpu", precision, enabled=precision != torch.float32):
                scores = network(take(), *start)
            optimiser.zero_grad()
            functional.cross_entropy(scores.float(), labels).backward()
            optimiser.step()

    return work


def rows() -> list[Row]:
    """Each choice: single threads and the precision that ``auto`` takes here, but for the rows about those."""
    torch.set_num_threads(1)
    precision = torch.bfloat16 if has_bfloat16_units() else torch.float32
    called = str(precision).removeprefix("torch.")
    every = torch.arange(BATCH)

    def usual(precision: torch.dtype = precision, last: bool = True) -> Callable[[], None]:
        network = made()
        if last:
            network.to(memory_format=torch.channels_last)
        values = pictures(network, precision).take(every)
        values = values if last else values.contiguous()
        return steps(network, list(network.parameters()), lambda: values, precision)

    found = [
        compare("channels last", "contiguous", f"small32, {called}", usual(), usual(last=False)),
        compare("bfloat16", "float32", "small32, channels last", usual(torch.bfloat16), usual(torch.float32)),
        compare("outputs of frozen layers held", "computed again", f"small32, n = 1…7, {called}", *frozen(precision)),
        stacked(),
        threads(),
    ]
    compiled = made().to(memory_format=torch.channels_last)
    values = pictures(compiled, precision).take(every)
    work = steps(torch.compile(compiled), list(compiled.parameters()), lambda: values, precision)
    return [*found, compare("as written", "torch.compile", f"small32, {called}, compiling not counted", usual(), work)]


def compare(what: str, against: str, about: str, ours: Callable[[], None], other: Callable[[], None]) -> Row:
    mine, theirs = interleaved(ours, other, repeats=5)
    each = [1e3 * float(np.median(taken)) / STEPS for taken in (mine, theirs)]
    return row(what, against, mine, theirs, f"{about}: {each[0]:.2f} ms a step of {BATCH} pictures, {each[1]:.2f} ms")


def frozen(precision: torch.dtype) -> tuple[Callable[[], None], Callable[[], None]]:
    """Steps with the first n layers frozen, for all n."""
    every = torch.arange(BATCH)
    held: list[Callable[[], None]] = []
    again: list[Callable[[], None]] = []
    for layers in range(1, 8):
        network = made().to(memory_format=torch.channels_last)
        network.freeze(layers)
        free = [weight for weight in network.parameters() if weight.requires_grad]
        start = pictures(network, precision)
        kept = advance(start, network, range(layers), precision)
        through = Through(start, network, layers, precision)
        held.append(steps(network, free, lambda kept=kept: kept.take(every), precision, layers))
        again.append(steps(network, free, lambda through=through: through.take(every), precision, layers))
    return lambda: [work() for work in held] and None, lambda: [work() for work in again] and None


def stacked(count: int = 8) -> Row:
    """Several small networks as one stack of weights, against one after the other."""
    networks = [made("digits8", 1) for _ in range(count)]
    values, labels = pictures(networks[0], torch.float32).take(torch.arange(BATCH)), torch.arange(BATCH) % CLASSES
    weights, buffers = stack_module_state(networks)

    def loss(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> torch.Tensor:
        return functional.cross_entropy(functional_call(networks[0], (one, other), (values,)), labels)

    slopes = vmap(grad(loss))

    def together() -> None:
        for _ in range(STEPS):
            found = slopes(weights, buffers)
            with torch.no_grad():
                for name, values_of in weights.items():
                    values_of -= 1e-6 * found[name]

    apart = [steps(one, list(one.parameters()), lambda: values, torch.float32) for one in networks]
    one_by_one, at_once = interleaved(lambda: [work() for work in apart], together, repeats=3)
    each = [1e3 * float(np.median(taken)) / STEPS / count for taken in (one_by_one, at_once)]
    measure = f"digits8, float32: {each[0]:.2f} ms a step of one network, {each[1]:.2f} ms in a stack"
    return row("one after the other", f"a stack of {count} networks", one_by_one, at_once, measure)


def threads() -> Row:
    """Two trainings side by side with one thread each, against one after the other with two."""
    apart, beside = [], []
    for _ in range(3):
        both = [_child(1) for _ in range(2)]
        times = [float(child.communicate()[0]) for child in both]
        beside.append(max(times))
        apart.append(2 * float(_child(2).communicate()[0]))
    measure = f"small32: {max(beside):.2f} s for both, {max(apart):.2f} s"
    return row("two trainings side by side", "each with two threads", beside, apart, measure)


def _child(count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", CHILD, str(count)], stdout=subprocess.PIPE, text=True)


def time_one(count: int) -> float:
    """Seconds of five rounds of steps with that many threads."""
    torch.set_num_threads(count)
    precision = torch.bfloat16 if has_bfloat16_units() else torch.float32
    network = made().to(memory_format=torch.channels_last)
    values = pictures(network, precision).take(torch.arange(BATCH))
    work = steps(network, list(network.parameters()), lambda: values, precision)
    work()
    begun = time.perf_counter()
    for _ in range(5):
        work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(time_one(int(sys.argv[1])))
    else:
        from .table import show

        show(rows())
