"""Two runs side by side: how they were set, by how much their numbers differ over units of both, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .claims import LEVEL, wording
from .claims.statistics import paired
from .records import RecordsError, in_words
from .results import Results, find_runs, reopen
from .sheet import Cell, Sheet, words
from .tables import unit_means

NOT_THERE = "–"


def pairs(first: Path, second: Path) -> list[tuple[Results, Results]]:
    """Runs to hold against each other: two run folders as they are, or those of the same name in two results folders.

    Raises RecordsError where there are none, or where two runs are of different experiments.
    """
    if all((folder / "manifest.json").is_file() for folder in (first, second)):
        one, two = reopen(first), reopen(second)
        if one.protocol.name != two.protocol.name:
            raise RecordsError(
                f"{first} is a run of {one.protocol.name} and {second} of {two.protocol.name}; compare runs of one "
                "experiment"
            )
        return [(one, two)]
    of_first, of_second = (_by_name(folder) for folder in (first, second))
    shared = [name for name in of_first if name in of_second]
    if not shared:
        raise RecordsError(f"{first} and {second} hold no runs of the same name; name two run folders instead")
    return [(of_first[name], of_second[name]) for name in shared]


def _by_name(folder: Path) -> dict[tuple[str, str], Results]:
    if (folder / "manifest.json").is_file():
        raise RecordsError(f"{folder} is one run's folder, the other holds several; name two of a kind")
    runs = find_runs(folder, None, None, None)
    return {(run.protocol.name, run.records.folder.name): run for run in runs}


def settings_sheet(first: Results, second: Results) -> Sheet:
    """What the two were set to, as far as it differs."""
    one, two = _flat(first.manifest), _flat(second.manifest)
    keys = [key for key in dict.fromkeys([*one, *two]) if one.get(key) != two.get(key)]
    rows = [(key, one.get(key, NOT_THERE), two.get(key, NOT_THERE)) for key in keys]
    return words("Set differently", ("what", "first", "second"), rows)


def _flat(manifest: Mapping[str, Any]) -> dict[str, str]:
    settings, data = manifest["settings"], manifest["data"]
    return {
        "profile": str(manifest["profile"]),
        "data": str(data["name"]),
        "data's fingerprint": str(data["fingerprint"])[:12],
        "study's version": str(manifest["study"]["version"]),
        "splits": str(settings["seeds"]),
        "conditions": in_words(settings["conditions"]),
        **{key: in_words(value) for part in ("factors", "choices") for key, value in settings[part].items()},
        "units": in_words(manifest["units"]),
        **{f"version of {key}": str(value) for key, value in manifest["environment"].items()},
        "blocks": f"{manifest['blocks']['finished']} of {manifest['blocks']['planned']}",
    }


def differences_sheet(first: Results, second: Results) -> Sheet:
    """Second minus first for everything that both measured: means over the units that both have, and 95 % intervals.

    Each unit is paired with itself; the interval is Student's t over units, and missing where there is only one.
    """
    factors = [name for name in first.factors if name in second.factors]
    one, two = (unit_means(run.measured, factors) for run in (first, second))
    both = one.merge(two, on=["metric", "condition", *factors, "unit"], suffixes=("_first", "_second"))
    rows = []
    for level, part in both.groupby(["metric", "condition", *factors], sort=False):
        before, after = (part[f"value_{which}"].to_numpy(dtype=float) for which in ("first", "second"))
        estimate = paired(after - before)
        low, high = estimate.interval(1 - LEVEL) if estimate.units > 1 else (np.nan, np.nan)
        mark = "strong" if low > 0 or high < 0 else ""
        named = [Cell(str(name)) for name in level]
        means = [Cell(f"{mean:.4g}", mean) for mean in (float(before.mean()), float(after.mean()))]
        change = [Cell(wording.number(value, "+.3g"), value, mark) for value in (estimate.mean, low, high)]
        rows.append((*named, *means, *change, Cell(str(estimate.units), estimate.units)))
    headings = ("metric", "condition", *factors, "first", "second", "difference", "low", "high", "units")
    numbers = (*[False] * (2 + len(factors)), *[True] * 6)
    return Sheet("Second minus first, over the units of both", headings, tuple(rows), numbers)


def verdicts_sheet(first: Results, second: Results) -> Sheet:
    """Claims of both whose verdicts differ."""
    one, two = ({finding.claim.id: finding for finding in run.findings()} for run in (first, second))
    rows = [
        (
            name,
            f"{one[name].verdict} ({wording.effect_of(one[name], first.protocol)})",
            f"{two[name].verdict} ({wording.effect_of(two[name], second.protocol)})",
        )
        for name in one
        if name in two and one[name].verdict != two[name].verdict
    ]
    return words("Other verdicts", ("claim", "first", "second"), rows)


def same_numbers(first: Results, second: Results) -> bool:
    """Whether every table of the two holds the same bytes."""
    names = set(first.tables) | set(second.tables)
    files = [[run.records.folder / f"{name}.csv" for run in (first, second)] for name in sorted(names)]
    return all(one.is_file() and two.is_file() and one.read_bytes() == two.read_bytes() for one, two in files)
