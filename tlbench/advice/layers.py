"""How many blocks of a pretrained network to keep: a rehearsal with what each number of them puts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .. import pretrained
from ..datasets import DataError, FeaturePack, generator
from ..methods.transferability import logme
from ..sheet import Cell, Sheet
from .machines import OPTIONS
from .material import Material
from .page import escaped
from .rehearsal import FEWEST_PLAYERS, players, rehearse

FOLDS = 5
"""Of the cross-validation on the target's own pictures; with fewer of these it is not done."""
COLUMNS = ("blocks", "numbers", *OPTIONS, "behind", "error", "cross_validated", "logme")


@dataclass(frozen=True)
class Layers:
    """table: one row a number of blocks, ``COLUMNS``. best: that number, and the option that was best with it.

    behind: points behind the best in the mean over players, with its standard error over them.
    """

    network: str
    target: str
    table: pd.DataFrame
    best: int
    option: str
    players: int


def judge_layers(
    material: Material, network: str, widths: list[int], seed: int, progress: Callable[[int, int], None]
) -> Layers:
    """Rehearse with every number of blocks alone.

    material: pictures described by ``pretrained.each_block``, whose ``widths`` these are. Each source in turn plays the
    target with as many labelled pictures as that has, whatever the number of blocks, so accuracies are compared on the
    same pictures. Beside it stand the balanced accuracy of ``FOLDS``-fold cross-validation on the target's own pictures
    against other things, and LogME of these. LEEP judges a whole network by its answers, so it is the same for every
    number and left out. Raises DataError where too few sources can play.
    """
    names, _ = players(material, material.shots, seed)
    if not names:
        raise DataError(
            f"how many blocks to keep is rehearsed on sources, and {FEWEST_PLAYERS} of them need 15 pictures more than "
            "the target has; give more sources, or fewer pictures of the target"
        )
    (values,) = material.pack.features.values()
    ends = np.cumsum(widths)
    rows, by_player = [], {}
    progress(0, len(widths))
    for count, (width, end) in enumerate(zip(widths, ends, strict=True), start=1):
        part = FeaturePack(
            material.pack.identities,
            {"blocks": values[:, end - width : end]},
            material.pack.categories,
            material.pack.background,
        )
        alone = replace(material, pack=part)
        rehearsal = rehearse(alone, names, [material.shots], seed, 1, lambda *_: None)
        by_player[count] = rehearsal.groupby("source")[list(OPTIONS)].mean()
        rows.append(
            {"blocks": count, "numbers": width, **rehearsal[list(OPTIONS)].mean(), **_on_the_target(alone, seed)}
        )
        progress(count, len(widths))
    table = pd.DataFrame(rows)
    accuracies = table[list(OPTIONS)].to_numpy(dtype=np.float64)
    place, column = np.unravel_index(int(accuracies.argmax()), accuracies.shape)
    best, option = int(place) + 1, list(OPTIONS)[column]
    behind = np.array([by_player[best][option] - by_player[count][option] for count in table["blocks"]])
    table["behind"] = behind.mean(axis=1)
    table["error"] = behind.std(axis=1, ddof=1) / np.sqrt(behind.shape[1])
    return Layers(network, material.target, table[list(COLUMNS)], best, option, len(names))


def _on_the_target(material: Material, seed: int) -> dict[str, float]:
    """What the target's own pictures say, against as many draws of other things as there are."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    from ..methods.estimators import BalancedLSSVC  # imports scikit-learn, too, which nothing else here needs

    rows = np.concatenate([material.positives, material.background])
    labels = np.repeat([1, 0], [len(material.positives), len(material.background)])
    (values,) = material.pack.take(rows).values()
    accuracy = np.nan
    if material.shots >= FOLDS:
        state = int(generator(seed, "folds").integers(2**31))
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=state)
        found = cross_val_predict(BalancedLSSVC(), values, labels, cv=folds)
        accuracy = 50.0 * float((found[labels == 1] == 1).mean() + (found[labels == 0] == 0).mean())
    return {"cross_validated": accuracy, "logme": logme(values, labels) if material.shots > 1 else np.nan}


def layers_page(found: Layers) -> str:
    """The decision in words, and the table."""
    table = found.table
    accuracy, most = table[found.option].to_numpy(dtype=np.float64)[found.best - 1], len(table)
    alike = table.loc[table["behind"] <= table["error"], "blocks"].tolist()
    how = "without transfer" if found.option == "none" else f"with its sources ({found.option})"
    lines = [
        f"# {escaped(found.target)}: how many blocks of {found.network} to keep",
        "",
        f"**Keep the first {found.best} of {most} blocks, frozen, and train a machine on what they put out {how}:** "
        f"{accuracy:.1f} % balanced accuracy in the mean over {found.players} sources that played the target.",
        "",
        f"Within a standard error of it: {', '.join(map(str, alike))} blocks.",
        "",
        f"Ask again with `--features {pretrained.of_blocks(found.network, found.best)}`, or with "
        f"`--features {found.network}` for the whole network up to its last layer.",
    ]
    return "\n".join(lines) + "\n"


def layers_sheet(found: Layers) -> Sheet:
    """One row a number of blocks."""
    headings = ("blocks", "numbers", *OPTIONS, "behind", "± error", "cross-validated", "LogME")
    digits = (0, 0, *(1 for _ in OPTIONS), 1, 1, 1, 2)
    rows = tuple(
        tuple(_cell(row[column], places) for column, places in zip(COLUMNS, digits, strict=True))
        for row in found.table.to_dict("records")
    )
    caption = (
        "Balanced accuracy (%), each number of blocks rehearsed with every option, and on the target's own pictures"
    )
    return Sheet(caption, headings, rows, numbers=(False, *(True for _ in headings[1:])))


def _cell(value: float, digits: int) -> Cell:
    """A number, or a dash where there is none."""
    return Cell("–", mark="muted") if np.isnan(value) else Cell(f"{value:.{digits}f}", float(value))
