"""Put the committed runs of yosinski-layers into their page, between its markers, so that they cannot drift apart."""

from __future__ import annotations

import re
from pathlib import Path

from tlbench.results import Results, reopen

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "yosinski-layers.md"
MARKED = re.compile(r"<!-- (?P<what>accuracies|verdicts) of (?P<run>[^ ]+) -->\n.*?<!-- end -->", re.DOTALL)


def run_of(name: str) -> Results:
    """The committed run whose folder begins with a name."""
    (folder,) = (ROOT / "results" / "yosinski-layers").glob(f"{name}*")
    return reopen(folder)


def accuracies(run: Results) -> str:
    """Mean accuracy over target halves: conditions of each class split down, layers across."""
    summary = run.summary()
    summary = summary[summary["metric"] == run.protocol.metric]
    layers = sorted(set(summary["layers"]) - {0})
    lines = [
        "| class split | condition | " + " | ".join(f"n = {n}" if n == 1 else str(n) for n in layers) + " |",
        "|---|---" + "|--:" * len(layers) + "|",
    ]
    for split, part in summary.groupby("class_split", sort=False):
        base = part[part["condition"] == "base"].iloc[0]
        units = f"{split}, {base['units']} target halves; base {base['mean']:.1f}"
        grid = part[part["layers"] > 0].pivot_table(index="condition", columns="layers", values="mean", sort=False)
        for condition, row in grid.iterrows():
            cells = " | ".join("" if value != value else f"{value:.1f}" for value in row.reindex(layers))
            lines.append(f"| {units} | {condition} | {cells} |")
            units = ""
    return "\n".join(lines)


def verdicts(run: Results) -> str:
    """Every claim on the run, and on the released networks."""
    beside = run.findings_published() or []
    lines = [
        "| claim | effect (95 % interval) | p, Holm | verdict | released: effect | verdict |",
        "|---|--:|--:|---|--:|---|",
    ]
    for ours, theirs in zip(run.findings(), beside, strict=True):
        at = f", weakest at {ours.at}" if ours.at else ""
        lines.append(
            f"| {ours.claim.id} | {_effect(ours.effect, ours.low, ours.high)} | {_number(ours.p_holm, '.2g')} | "
            f"{ours.verdict}{at} | {_number(theirs.effect, '+.1f')} | {theirs.verdict} |"
        )
    return "\n".join(lines)


def _effect(effect: float, low: float, high: float) -> str:
    return "" if effect != effect else f"{effect:+.1f} ({low:+.1f} … {high:+.1f})"


def _number(value: float, form: str) -> str:
    return "" if value != value else format(value, form)


def with_tables(page: str) -> str:
    """The page's text with the tables that its markers ask for."""

    def filled(marked: re.Match[str]) -> str:
        table = {"accuracies": accuracies, "verdicts": verdicts}[marked["what"]](run_of(marked["run"]))
        return f"<!-- {marked['what']} of {marked['run']} -->\n\n{table}\n\n<!-- end -->"

    return MARKED.sub(filled, page)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
