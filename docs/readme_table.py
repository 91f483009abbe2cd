"""Put the committed run's table into the README, between its markers, so that the two cannot drift apart."""

from __future__ import annotations

from pathlib import Path

from tlbench.results import Results, reopen

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "results" / "caltech-multisource" / "digits-paper"
BEGIN, END = "<!-- table: made by `make results` -->", "<!-- end of table -->"


def table(run: Results) -> str:
    """The summary as Markdown: conditions down, shots across, the best that a user could choose in bold."""
    summary = run.summary()
    grid = summary.pivot_table(index="condition", columns="shots", values="mean", sort=False)
    oracles = set(run.protocol.oracles)
    best = grid.drop(index=list(oracles & set(grid.index))).max()
    lines = ["| shots | " + " | ".join(map(str, grid.columns)) + " |", "|---" + "|--:" * len(grid.columns) + "|"]
    for condition, row in grid.iterrows():
        oracle = condition in oracles
        cells = [
            f"**{value:.1f}**" if value == top and not oracle else f"{value:.1f}"
            for value, top in zip(row, best, strict=True)
        ]
        lines.append(f"| {f'*{condition} (oracle)*' if oracle else condition} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_table(readme: str, run: Results) -> str:
    """The README's text with the run's table between the markers."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table(run)}\n\n{END}{after}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_table(path.read_text(encoding="utf-8"), reopen(COMMITTED)), encoding="utf-8")
