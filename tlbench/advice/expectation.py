"""What a rehearsal says of a new target: which option to take, what to expect of it, and how many labels that is worth.

The sources that played the target are a sample of such targets, and the user's is one more. For a number x (an
accuracy, or a gain) of one more target with one draw of pictures, x̄ being the mean over players of their means over
draws,

    x̄ ± t_{ν, 0.975} · √(b (1 + 1/R) + w (1 − 1/D)),

with R players, D draws, b the variance of the players' means (which holds a D-th of the variance within) and w the mean
variance over a player's draws: Student's prediction interval for the mean of one more player, and what one draw varies
more than a mean of D. ν is Satterthwaite's: V²/(B²/(R − 1) + W²/(R (D − 1))) for a variance V = B + W of these two
parts. What the test of a rehearsal adds by being small is in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from .machines import OPTIONS

DEFAULT = "ours"
CLEARLY = 2.0
"""Standard errors by which another option has to lead in rehearsal to be taken instead."""
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean, and where one more target falls in 95 of 100 cases."""

    mean: float
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        return self.low <= value <= self.high


def choose(rehearsal: pd.DataFrame, shots: int) -> str:
    """The default, unless another option led it in rehearsal by ``CLEARLY`` standard errors over the players."""
    means = rehearsal[rehearsal["shots"] == shots].groupby("source")[list(OPTIONS)].mean()
    best = str(means.mean().idxmax())
    lead = means[best] - means[DEFAULT]
    error = float(lead.std(ddof=1)) / np.sqrt(len(lead))
    return best if float(lead.mean()) > CLEARLY * error else DEFAULT


def predict(cells: NDArray[np.float64], least: float = -np.inf, most: float = np.inf) -> Interval:
    """The module's interval from cells (players, draws), cut to what is possible."""
    players, draws = cells.shape
    means = cells.mean(axis=1)
    between = float(means.var(ddof=1)) * (1 + 1 / players)
    within = float(cells.var(axis=1, ddof=1).mean()) * (1 - 1 / draws) if draws > 1 else 0.0
    variance = between + within
    uncertainty = between**2 / (players - 1) + (within**2 / (players * (draws - 1)) if draws > 1 else 0.0)
    freedom = variance**2 / uncertainty if uncertainty > 0.0 else float(players - 1)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * np.sqrt(variance)
    mean = float(means.mean())
    return Interval(mean, max(least, mean - half), min(most, mean + half))


def accuracy_of(rehearsal: pd.DataFrame, shots: int, option: str) -> Interval:
    """Balanced accuracy in percent."""
    return predict(_cells(rehearsal, shots, option), 0.0, 100.0)


def gain_of(rehearsal: pd.DataFrame, shots: int, option: str) -> Interval:
    """Points of balanced accuracy more than without transfer."""
    return predict(_cells(rehearsal, shots, option) - _cells(rehearsal, shots, "none"), -100.0, 100.0)


def worth_in_labels(rehearsal: pd.DataFrame, shots: int, option: str) -> tuple[float, bool]:
    """How many labels without transfer give the accuracy of ``option`` with ``shots``, and whether it was reached.

    Mean curves are joined by straight lines in the logarithm of the labels. Not reached: the number is where the
    curve ends.
    """
    wanted = float(rehearsal[rehearsal["shots"] == shots][option].mean())
    curve = rehearsal.groupby("shots")["none"].mean()
    before: tuple[float, float] | None = None
    for count, accuracy in curve[curve.index >= shots].items():
        labels = float(np.asarray(count))
        if accuracy >= wanted:
            if before is None:
                return labels, True
            share = (wanted - before[1]) / (accuracy - before[1])
            return float(before[0] * (labels / before[0]) ** share), True
        before = labels, float(accuracy)
    return float(max(curve.index)), False


def _cells(rehearsal: pd.DataFrame, shots: int, option: str) -> NDArray[np.float64]:
    rows = rehearsal[rehearsal["shots"] == shots]
    return rows.pivot_table(index="source", columns="draw", values=option).to_numpy(np.float64)
