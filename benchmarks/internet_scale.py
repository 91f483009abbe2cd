"""A million targets with ten thousand sources, on paper and in a planted world: the tables of docs/internet-scale.md.

    python -m benchmarks.internet_scale [--size small|full] [--seed N] [--figure FILE]

Costs of the present algebra are counted, timed and carried on; source choice as a search is simulated. One thread;
times are processor times. The full size takes about four minutes and 2 GiB, the small one a quarter of a
minute.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from .internet_scale_costs import Sizes, fit, for_all, measure, most_sources, ratios
from .internet_scale_figure import draw
from .internet_scale_rooms import measure_rooms
from .internet_scale_search import QUERIES, SHOTS
from .internet_scale_simulation import (
    EXTENTS,
    MANY,
    Extent,
    median_relatives,
    search,
    seconds_a_problem,
    simulate,
)
from .internet_scale_world import EXAMPLES, POOL, World
from .machine import describe

TARGETS, SOURCES, DIMENSIONS = 10**6, 10**4, 512
ALLOWED = 4 * 2**30
"""Bytes that a process may hold."""
GRIDS = {"small": ((16, 32, 64), 96), "full": ((16, 32, 64, 128, 256, 512), 1024)}
"""Numbers of sources that prices are fitted to, and one that they foretell."""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def present_costs(size: str) -> Iterator[str]:
    """Prices, how well they fit, and what a million targets would cost."""
    grid, beyond = GRIDS[size]
    measured = measure(grid, (64, 256), targets=2, repeats=2)
    prices = fit(measured)
    within = ratios(measured, prices)
    further = ratios(measure([beyond], (64,), targets=1, repeats=2), prices)
    yield table(
        ["phase", "ns a multiply-add", "ns an entry", "µs a call", "measured / model", f"at k = {beyond:,}"],
        [
            [
                phase,
                f"{price.product:.3f}",
                f"{price.entry:.2f}",
                f"{price.call / 1e3:.0f}",
                f"{within[phase].min():.2f} … {within[phase].max():.2f}",
                f"{further[phase][0]:.2f}",
            ]
            for phase, price in prices.items()
        ],
    )
    once = Sizes(SOURCES, 2 * EXAMPLES, EXAMPLES * SOURCES + POOL, DIMENSIONS, 120, 1, 20, 100)
    protocol = Sizes(SOURCES, 2 * EXAMPLES, EXAMPLES * SOURCES + POOL, DIMENSIONS, 600, 100, 20, 100)
    hours = {phase: wanted for phase, _, wanted in for_all(protocol, prices, TARGETS)}
    rows = [
        [
            phase,
            f"{cost.products:.1e}",
            f"{wanted:,.3g}",
            f"{hours[phase]:,.3g}",
            f"{cost.held / 1e9:.3g}",
            most_words(most_sources(once, phase, ALLOWED)),
            most_words(most_sources(protocol, phase, ALLOWED)),
        ]
        for phase, cost, wanted in for_all(once, prices, TARGETS)
    ]
    total = [sum(wanted for _, _, wanted in for_all(sizes, prices, TARGETS)) for sizes in (once, protocol)]
    rows.append(["all", "", f"{total[0]:,.3g}", f"{total[1]:,.3g}", "", "", ""])
    yield table(
        [
            "phase",
            "multiply-adds a target",
            "hours, one problem",
            "hours, protocol",
            "GB held, one problem",
            "most k, one problem",
            "most k, protocol",
        ],
        rows,
    )


def most_words(sources: int) -> str:
    return "no limit" if sources > 10**7 else f"{sources:,}"


def accuracies(found: pd.DataFrame) -> str:
    """Balanced accuracy and area under the curve, by what is leaned on."""
    k = int(found["sources"].max())
    chosen = [("none", 0), ("equal, 1/√k", k), ("equal, 1/k", k), ("all, learned (either sign)", k), ("best of", k)]
    chosen += [("at random", 4), ("at random", MANY)]
    chosen += [(query, count) for query in QUERIES for count in (4, 16)] + [("truth", 4), ("truth", 16)]
    rows = []
    for way, count in chosen:
        own = found[(found["way"] == way) & (found["sources"] == count)].groupby("shots")
        mean = own[["accuracy", "area"]].mean()
        cells = [f"{mean.loc[shots, 'accuracy']:.1f} ({mean.loc[shots, 'area']:.0f})" for shots in SHOTS]
        rows.append([way, f"{count:,}", *cells, f"{own['target'].nunique().max():,}"])
    return table(["way of choosing", "sources", *map(str, SHOTS), "targets"], rows)


def recalls(found: pd.DataFrame, count: int = 16) -> str:
    """Share of the relatives among the candidates."""
    own = found[(found["sources"] == count) & found["way"].isin(QUERIES)]
    mean = own.pivot_table(index="way", columns="shots", values="recall")
    return table(
        [f"relatives among {count}", *map(str, SHOTS)],
        [[query, *(f"{mean.loc[query, shots]:.2f}" for shots in SHOTS)] for query in QUERIES],
    )


def curse(found: pd.DataFrame) -> str:
    """What leave-one-out promises of the best-looking, or of all with learned weights, and what the test says."""
    rows = []
    for way in ("best of", "best of strangers", "at random", "all, learned (either sign)"):
        for count, own in found[found["way"] == way].groupby("sources"):
            mean = own.groupby("shots")[["promised", "accuracy"]].mean()
            cells = [f"{mean.loc[s, 'promised']:.1f} → {mean.loc[s, 'accuracy']:.1f}" for s in SHOTS]
            rows.append([way, f"{count:,}", *cells])
    return table(["way of choosing", "of sources", *map(str, SHOTS)], rows)


def two_stages(world: World, extent: Extent) -> Iterator[str]:
    """Seconds a target of both stages, carried on to a million; recall of the long search."""
    found = search(world, extent)
    k, d = world.hyperplanes.shape
    rows = [
        [f"search: {what}", f"{1e6 * seconds:.1f}", f"{TARGETS * seconds / 3600:.3f}"]
        for what, seconds in found.seconds.items()
    ]
    for count in (16, 64):
        for what, seconds in seconds_a_problem(world, count).items():
            rows.append([f"c = {count}: {what}", f"{1e6 * seconds:.1f}", f"{TARGETS * seconds / 3600:.3f}"])
    yield table([f"k = {k:,}, d = {d}", "µs a target", f"hours, {TARGETS:,} targets"], rows)
    recall = ", ".join(f"{name} {value:.3f}" for name, value in found.recall.items())
    yield f"{found.targets:,} targets, 3 labels: recall of the relatives among 16: {recall}."


def rooms() -> str:
    found = measure_rooms()
    return table(
        ["of one target", "measured", f"{TARGETS:,} targets"],
        [
            ["blocks, files", found.blocks, f"{TARGETS * found.blocks:.1e}"],
            ["measurements", found.rows, f"{TARGETS * found.rows:.1e}"],
            [
                "bytes of planned blocks",
                f"{found.blocks * found.block_bytes:,.0f}",
                f"{TARGETS * found.blocks * found.block_bytes / 1e9:.0f} GB",
            ],
            [
                "µs to plan and name blocks",
                f"{1e6 * found.blocks * found.key_seconds:.0f}",
                f"{TARGETS * found.blocks * found.key_seconds / 60:.0f} min",
            ],
            [
                "bytes of records",
                f"{found.blocks * found.record_bytes:,.0f}",
                f"{TARGETS * found.blocks * found.record_bytes / 1e9:.0f} GB",
            ],
        ],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.internet_scale")
    parser.add_argument("--size", choices=EXTENTS, default="full")
    parser.add_argument("--seed", type=int, default=0, help="of the planted world")
    parser.add_argument("--figure", type=Path, help="where to write the figure")
    chosen = parser.parse_args(arguments)
    extent = EXTENTS[chosen.size]
    print(*describe(), sep="\n")
    with threadpool_limits(1):
        for text in present_costs(chosen.size):
            print("", text, sep="\n")
        begun = time.process_time()
        world = World.draw(extent.size, seed=chosen.seed)
        spent = time.process_time() - begun
        typical, alone = median_relatives(world)
        print(
            f"\n{extent.size}: drawn and trained in {spent:.0f} s; a target has {typical:.0f} relatives (median), "
            f"{alone:.0%} of them none"
        )
        found = simulate(world, extent)
        errors = found.groupby(["way", "sources", "shots"])["accuracy"].sem()
        everyone = errors[[key for key in errors.index if key[1] != MANY]]
        print(f"standard errors of accuracy: at most {everyone.max():.1f}, with {MANY} sources {errors.max():.1f}")
        for text in (accuracies(found), recalls(found), curse(found), *two_stages(world, extent), rooms()):
            print("", text, sep="\n")
    if chosen.figure:
        chosen.figure.write_bytes(draw(found))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(f"\n{usage.ru_utime + usage.ru_stime:.0f} s of processor time, {usage.ru_maxrss / 2**20:.1f} GiB at most")


if __name__ == "__main__":
    main()
