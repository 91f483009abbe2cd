"""How fast a pretrained network describes pictures, one core, and what would change it.

    python -m benchmarks.deep_throughput [NETWORK ...]

Each row is a ratio in one run to what tlbench does: one picture at a time, channels last, 32-bit numbers, one thread.
Below 1 is slower than that. Networks of torchvision have weights drawn at random, which cost as much as learned ones.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tlbench.features import LITE

PICTURES, SIDE, ROUNDS = 32, 224, 3
USUAL = (LITE, "resnet18", "mobilenet_v3_small")


def network(name: str) -> nn.Module:
    if name == LITE:
        from efficientnet_lite_pytorch import EfficientNet

        return EfficientNet.from_name(name).eval()
    from torchvision import models

    return models.get_model(name, weights=None).eval()


def rate(run: Callable[[Tensor], object], pictures: Tensor, batch: int) -> float:
    """Pictures a second, the best of some rounds."""
    spent = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for start in range(0, len(pictures), batch):
            run(pictures[start : start + batch])
        spent.append(time.perf_counter() - begun)
    return len(pictures) / min(spent)


@torch.inference_mode()
def rates(name: str) -> dict[str, float]:
    plain = network(name)
    pictures = torch.randn(PICTURES, 3, SIDE, SIDE)
    last = pictures.to(memory_format=torch.channels_last)

    def half(some: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return plain(some)

    torch.set_num_threads(1)
    found = {"channels first": rate(plain, pictures, 1)}
    plain = plain.to(memory_format=torch.channels_last)
    found["as tlbench"] = rate(plain, last, 1)
    found |= {f"{batch} at once": rate(plain, last, batch) for batch in (8, 32)}
    found["bfloat16"] = rate(half, last, 1)
    torch.set_num_threads(2)
    found["two threads (two cores)"] = rate(plain, last, 1)
    return found


def main() -> None:
    for name in sys.argv[1:] or USUAL:
        found = rates(name)
        ours = found.pop("as tlbench")
        print(f"{name}: {ours:.1f} pictures a second on one core; ratios to it:")
        print("".join(f"    {what:26} {value / ours:5.2f}\n" for what, value in found.items()))


if __name__ == "__main__":
    main()
