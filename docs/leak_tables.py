"""Print the tables of docs/leak-audit.md from a run's folder: python docs/leak_tables.py RESULTS/leak-audit/RUN."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tlbench.claims import effects
from tlbench.protocol import Claim, Selection
from tlbench.results import Results, reopen
from tlbench.studies.sources.leak_audit import WAYS
from tlbench.tables import unit_means

NAMES = {
    "multi-weighted": "learned",
    "multi-equal": "equal",
    "multi-average": "average",
    "single-selected": "selected",
    "none": "none",
}


def difference(run: Results, of: Selection, to: Selection, over: Selection, zero: Selection | None = None) -> str:
    """Mean difference over targets with its 95 % interval, as the claims compute it."""
    claim = Claim(
        id="table", says="of a table", test="difference", of=of, to=to, over=over, relative_to=zero, source="ours"
    )
    (estimate,) = effects(claim, unit_means(run.measured, list(run.factors)), run.extent).values()
    low, high = estimate.interval(0.95)
    return f"{_points(estimate.mean)} ({_points(low)} … {_points(high)})"


def _points(value: float) -> str:
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def worth(run: Results, over: Selection, leaks: Sequence[str]) -> str:
    """What each leak is worth to each condition: points above repaired, mean over all shots."""
    lines = [f"| {over['setting']} | " + " | ".join(NAMES.values()) + " |", "|---" * (len(NAMES) + 1) + "|"]
    for leak in leaks:
        cells = [
            difference(run, {"condition": name, "leak": leak}, {"condition": name, "leak": "repaired"}, over)
            for name in NAMES
        ]
        lines.append(f"| {leak} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def lead(run: Results, other: str, shots: list[int], leaks: Sequence[str]) -> str:
    """How far learned weights lead another condition under each leak, and how much less with the overlap kept."""
    settings = run.factors["setting"]
    lines = [f"| learned − {NAMES[other]}, shots {', '.join(map(str, shots))} | " + " | ".join(settings) + " |"]
    lines.append("|---" * (len(settings) + 1) + "|")
    for leak in leaks:
        of, to = ({"condition": name, "leak": leak} for name in ("multi-weighted", other))
        cells = [difference(run, of, to, {"setting": setting, "shots": shots}) for setting in settings]
        lines.append(f"| {leak} | " + " | ".join(cells) + " |")
    for leak in ("kept", "target-C", "all"):
        of, to = ({"condition": "multi-weighted", "leak": name} for name in ("repaired", leak))
        cells = [difference(run, of, to, {"setting": one, "shots": shots}, {"condition": other}) for one in settings]
        lines.append(f"| repaired − {leak} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def seen(run: Results) -> str:
    """What sources were trained on: negatives, those in the target's pool, those in its test; the Cs, if chosen."""
    lines = ["| setting | leak | negatives of a source | of the target's pool | of its test | C, quartiles |"]
    lines.append("|---" * 6 + "|")
    for (setting, leak), part in run.tables["sources"].groupby(["setting", "leak"]):
        quartiles = ", ".join(f"{value:g}" for value in part["C"].quantile([0.25, 0.5, 0.75], interpolation="lower"))
        negatives = f"{part['negatives'].mean():.0f} ({part['negatives'].min()} … {part['negatives'].max()})"
        shared = f"{part['shared_with_target'].mean():.1f} | {part['shared_with_test'].mean():.1f}"
        lines.append(f"| {setting} | {leak} | {negatives} | {shared} | {quartiles} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run = reopen(Path(sys.argv[1]))
    leaks = [leak for leak in WAYS if leak in run.factors["leak"]]
    from_three = [shots for shots in run.factors["shots"] if shots >= 3]
    tables = [seen(run), *(worth(run, {"setting": setting}, leaks[1:]) for setting in run.factors["setting"])]
    tables += [lead(run, "multi-equal", from_three, leaks), lead(run, "multi-average", [1, 2, 3], leaks)]
    sys.stdout.write("\n\n".join(tables) + "\n")
