"""How good the advice of ``tlbench advise`` is, on categories of Caltech-101 that it was not developed on.

    python -m benchmarks.advice_score FOLDER [--part development] [--draws N] [--jobs N] [--table FILE]

FOLDER is 101_ObjectCategories. The 101 categories are shuffled once: 20 targets and 28 possible sources are for
development, 25 other targets and 28 other possible sources for the score. A *draw* takes twelve sources from those, 300
pictures of BACKGROUND_Google as other things, and of each target ten pictures, of which the first 1, 3, 5 and 10 are
the user's. The test is up to fifty other pictures of the target, and what is left of BACKGROUND_Google.

*Regret* is the accuracy lost against the option, of those the advice chooses from, that turned out best for that very
target, draw and number of labels: an oracle that looks at the test.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tlbench.advice import expectation
from tlbench.advice.gathering import Found, describe, identified, settle
from tlbench.advice.machines import OPTIONS, cast, likeness, train_options
from tlbench.advice.material import Material
from tlbench.advice.rehearsal import players, rehearse
from tlbench.advice.roles import target_rows
from tlbench.datasets import FeaturePack, data_folder, generator
from tlbench.datasets.picture_folder import folders_by_label, list_pictures

Rows = NDArray[np.intp]

KINDS = ("phog", "lbp", "regcov", "pixels")
BACKGROUND = "BACKGROUND_Google"
SHOTS = [1, 3, 5, 10]
DRAWS, SOURCES, BACKGROUND_PICTURES, MOST_TEST = 5, 12, 300, 50
SEED = 0


def parts(names: Sequence[str]) -> dict[str, tuple[list[str], list[str]]]:
    """Targets and possible sources, of development and of the score; no category is in two lists."""
    shuffled = generator(0, "caltech advice").permutation(sorted(names)).tolist()
    return {"development": (shuffled[:20], shuffled[45:73]), "score": (shuffled[20:45], shuffled[73:])}


def whole_pack(folder: Path, jobs: int) -> FeaturePack:
    """All 102 folders, described; the background is BACKGROUND_Google."""
    pictures = {
        name: identified([path / picture for picture in list_pictures(path).pictures])
        for name, path in folders_by_label(folder).items()
    }
    background = pictures.pop(BACKGROUND)
    found = Found("", {}, pictures, background, {}, ())
    return describe(found, settle(KINDS, data_folder(None)), data_folder(None) / "features", jobs)


def user(pack: FeaturePack, sources: Sequence[str], draw: int) -> tuple[FeaturePack, Rows]:
    """What a user of this draw has besides the target, and the background pictures that are left for the test."""
    shuffled = generator(SEED, "background of a draw", "", draw).permutation(pack.background_of(""))
    own = np.sort(shuffled[:BACKGROUND_PICTURES])
    return replace(pack, categories={name: pack.categories[name] for name in sources}, background=own), shuffled[
        BACKGROUND_PICTURES:
    ]


def score_target(
    pack: FeaturePack, target: str, positives: Rows, test_positives: Rows, test_negatives: Rows
) -> pd.DataFrame:
    """The test accuracy of every option, and the likeness, at each number of labels: what ``advise`` would train.

    The machines of 1, 3, 5 and 10 pictures are one stack, which gives the numbers that each would have alone.
    """
    material = Material(pack, target, positives)
    rows = target_rows(material, SEED)
    pool = rows.test[0]
    test = np.concatenate([test_positives, test_negatives, pool])
    task = cast(pack, replace(rows, test=test[None], test_positives=len(test_positives)), SHOTS)
    alike = likeness(replace(task, test_scores=task.test_scores[:, :, -len(pool) :], rows=rows))
    columns: dict[str, object] = {"target": target, "shots": SHOTS, "likeness": alike[0]}
    judged = slice(0, len(test) - len(pool))
    for option, machine in train_options(task, SEED).items():
        decisions = machine.decisions(task.test_kernel, task.test_scores)[..., judged]
        columns[option] = task.score(decisions)[0]
    return pd.DataFrame(columns)


def advised(scored: pd.DataFrame, rehearsal: pd.DataFrame) -> pd.DataFrame:
    """What the advice says of each row, and whether it held."""
    rows = []
    for row in scored.to_dict("records"):
        shots = int(row["shots"])
        option = expectation.choose(rehearsal, shots)
        least = rehearsal.loc[rehearsal["shots"] == shots, "likeness"].min()
        accuracy, gain = (
            expectation.accuracy_of(rehearsal, shots, option),
            expectation.gain_of(rehearsal, shots, option),
        )
        best = max(row[name] for name in OPTIONS)
        rows.append(
            {
                **row,
                "option": option,
                "advised": row[option],
                "unlike": row["likeness"] < least,
                "expected": accuracy.mean,
                "expected_gain": gain.mean,
                "gain": row[option] - row["none"],
                "width": accuracy.high - accuracy.low,
                "held": accuracy.holds(row[option]),
                "gain_held": gain.holds(row[option] - row["none"]),
                **{f"regret_{name}": best - row[name] for name in OPTIONS},
                "regret": best - row[option],
            }
        )
    return pd.DataFrame(rows)


def score_draw(pack: FeaturePack, targets: Sequence[str], possible: Sequence[str], draw: int) -> pd.DataFrame:
    """One row a target and number of labels."""
    sources = sorted(generator(SEED, "sources of a draw", "", draw).permutation(list(possible))[:SOURCES].tolist())
    own, test_negatives = user(pack, sources, draw)
    anybody, most = Material(own, "", pack.categories[targets[0]][:1]), max(SHOTS)
    names, shots = players(anybody, most, SEED)
    rehearsal = rehearse(anybody, names, sorted({*shots, *SHOTS}), SEED, 1, lambda *_: None)
    print(f"draw {draw}: {len(names)} of {', '.join(sources)} rehearsed", flush=True)
    tables = []
    for target in targets:
        order = generator(SEED, "pictures of a target", target, draw).permutation(pack.categories[target])
        scored = score_target(own, target, order[:most], order[most : most + MOST_TEST], test_negatives)
        tables.append(advised(scored, rehearsal).assign(draw=draw))
    return pd.concat(tables, ignore_index=True)


def only(pack: FeaturePack, names: Sequence[str]) -> FeaturePack:
    """Some categories and the background."""
    rows = np.sort(np.concatenate([pack.background_of(""), *(pack.categories[name] for name in names)]))
    return FeaturePack(
        tuple(pack.identities[row] for row in rows),
        pack.take(rows),
        {name: np.searchsorted(rows, pack.categories[name]) for name in names},
        np.searchsorted(rows, pack.background_of("")),
    )


def run(
    pack: FeaturePack, targets: Sequence[str], possible: Sequence[str], jobs: int, draws: int = DRAWS
) -> pd.DataFrame:
    """Everything, one row a (draw, target, shots); draws side by side on ``jobs`` processes."""
    score = partial(score_draw, only(pack, [*targets, *possible]), targets, possible)
    if jobs == 1:
        return pd.concat([score(draw) for draw in range(draws)], ignore_index=True)
    with ProcessPoolExecutor(min(jobs, draws), get_context("spawn")) as executor:
        return pd.concat(executor.map(score, range(draws)), ignore_index=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The score by number of labels."""
    by = table.groupby("shots")
    said = table[~table["unlike"]].groupby("shots")
    return pd.DataFrame(
        {
            **{name: by[name].mean() for name in OPTIONS},
            "advised": by["advised"].mean(),
            "expected": by["expected"].mean(),
            "regret": by["regret"].mean(),
            "always equally": by["regret_equal"].mean(),
            "always the average": by["regret_average"].mean(),
            "never": by["regret_none"].mean(),
            "best choice": by["regret"].apply(lambda values: 100 * (values < 1e-9).mean()),
            "worst": by["regret"].max(),
            "accuracy held": said["held"].mean() * 100,
            "gain held": said["gain_held"].mean() * 100,
            "withheld": by["unlike"].mean() * 100,
            "width": by["width"].mean(),
        }
    ).T


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.advice_score", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=["development", "score"], default="score")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--table", type=Path, help="where to write one row a target, draw and number of labels")
    asked = parser.parse_args()
    pack = whole_pack(asked.folder, asked.jobs)
    targets, possible = parts(list(pack.categories))[asked.part]
    table = run(pack, targets, possible, asked.jobs, asked.draws)
    if asked.table:
        table.to_csv(asked.table, index=False)
    print(f"{len(targets)} targets × {asked.draws} draws: {', '.join(targets)}\n")
    print(summary(table).round(1).to_string())


if __name__ == "__main__":
    main()
