"""Print the tables of docs/distillation.md from a run: python docs/distillation_tables.py RESULTS/distillation/RUN."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import sqrt
from pathlib import Path

import pandas as pd

from tlbench.claims import effects
from tlbench.results import Results, reopen
from tlbench.tables import unit_means

ROWS = [("hard", None), *(("distilled", T) for T in (1.0, 3.0, 8.0, 20.0)), ("unscaled", 20.0), ("hints", 3.0)]


def accuracies(means: pd.DataFrame, layers: int) -> str:
    """Mean accuracy of students of a depth: conditions down; transfer sets and widths across."""
    students = means[means["layers"] == layers]
    sizes, widths = (sorted(students[name].unique()) for name in ("pictures", "hidden"))
    lines = [f"| {layers} layers | " + " | ".join(f"{size} pictures, {' / '.join(map(str, widths))}" for size in sizes)]
    lines.append("|---" * (1 + len(sizes)) + "|")
    for condition, temperature in ROWS:
        rows = students[students["condition"] == condition]
        rows = rows[rows["temperature"] == (rows["temperature"].min() if temperature is None else temperature)]
        cells = rows.groupby(["pictures", "hidden"])["value"].mean()
        name = condition if temperature is None else f"{condition}, T = {temperature:g}"
        texts = [" / ".join(f"{cells[size, width]:.1f}" for width in widths) for size in sizes]
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def corrected(run: Results, test_share: float) -> str:
    """Each claim's p, not corrected for their number, and that with the variance that overlapping draws call for.

    Nadeau & Bengio (2003): 1/J + test/training pictures in place of 1/J. Of several levels the weakest is shown.
    """
    lines = ["| claim | p | p, corrected for overlap |", "|---|---|---|"]
    for claim in run.protocol.claims:
        means = unit_means(run.measured, list(run.factors))
        null = -(claim.margin or 0.0) if claim.test == "not_worse" else 0.0
        pairs = []
        for estimate in effects(claim, means, run.extent).values():
            wider = replace(estimate, error=estimate.error * sqrt(1 + estimate.units * test_share))
            both = (estimate, wider)
            pairs.append(
                [one.p_equivalent(claim.margin or 0.0) if claim.test == "equivalent" else one.p(null) for one in both]
            )
        plain, wide = max(pairs, key=lambda pair: pair[1])
        lines.append(f"| {claim.id} | {plain:.2g} | {wide:.2g} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run = reopen(Path(sys.argv[1]))
    means = unit_means(run.measured, list(run.factors))
    tables = [accuracies(means, layers) for layers in run.factors["layers"]]
    sys.stdout.write("\n\n".join([*tables, corrected(run, test_share=600 / 1140)]) + "\n")
