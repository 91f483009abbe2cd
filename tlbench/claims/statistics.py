"""Student's t on a mean over units, paired or of two groups, and Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Estimate:
    """A mean effect with all that a t test asks for.

    mean: in the unit of the metric. error: its standard error; NaN where a group has one unit. freedom: degrees of
    freedom. groups: the number of units, or of both groups where two are compared.
    """

    mean: float
    error: float
    freedom: float
    groups: tuple[int, ...]

    @property
    def units(self) -> int:
        """The number of units; of two groups that of the smaller."""
        return min(self.groups)

    @property
    def _arrangements(self) -> float:
        """In how many ways the units could have had their signs, or been divided into the groups."""
        return 2.0 ** self.groups[0] if len(self.groups) == 1 else float(comb(sum(self.groups), self.groups[0]))

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval of the mean; NaN where there is no standard error."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, 0.5 + level / 2)) * self.error
        return self.mean - half, self.mean + half

    def score(self, null: float) -> float:
        """Student's t against ``null``; infinite, or zero, where units do not differ at all."""
        distance = self.mean - null
        if self.error == 0.0:
            return 0.0 if abs(distance) <= 1e-12 else float(np.copysign(np.inf, distance))
        return distance / self.error

    def p(self, null: float) -> float:
        """Two-sided p of a t test against ``null``.

        Units that do not differ have no spread to judge their mean by, however few they are; p is then that of their
        signs, 2 · 2⁻ⁿ, or of two groups that of the one division of n units that parts them so.
        """
        from scipy.special import stdtr

        if self.error == 0.0 and self.score(null) != 0.0:
            return min(1.0, 2.0 / self._arrangements)
        return float(2 * stdtr(self.freedom, -abs(self.score(null))))

    def p_equivalent(self, margin: float) -> float:
        """The p of two one-sided tests that the mean lies within ± ``margin``: that of the nearer margin.

        Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987).
        """
        from scipy.special import stdtr

        nearer = float(np.copysign(margin, self.mean))
        return float(stdtr(self.freedom, self.score(nearer) * np.copysign(1.0, self.mean)))

    def detectable(self, level: float) -> float:
        """The distance from its null that a two-sided test at ``level`` finds with 80 % power, given this spread."""
        return self._shift(level / 2, 1 - POWER)

    def detectable_margin(self, level: float) -> float:
        """A margin within which a mean of exactly zero is found at ``level`` with at least 80 % power.

        Each of the two one-sided tests is given half of what may be missed.
        """
        return self._shift(level, (1 - POWER) / 2)

    def _shift(self, tail: float, missed: float) -> float:
        """How far from a null a mean must lie so that a one-sided test at ``tail`` misses it this seldom."""
        from scipy.special import nctdtrinc, stdtrit

        if self.error == 0.0:
            return 0.0
        critical = stdtrit(self.freedom, 1 - tail)
        return self.error * float(nctdtrinc(self.freedom, missed, critical))


def paired(differences: NDArray[np.float64]) -> Estimate:
    """The mean of independent differences, one a unit."""
    count = len(differences)
    mean = float(np.mean(differences))
    error = float(np.std(differences, ddof=1) / np.sqrt(count)) if count > 1 else np.nan
    return Estimate(mean, _but_for_rounding(error, mean), count - 1, (count,))


def two_groups(of: NDArray[np.float64], to: NDArray[np.float64]) -> Estimate:
    """The difference of two groups' means, whose spreads may differ: Welch, Biometrika 34 (1947)."""
    mean = float(np.mean(of) - np.mean(to))
    groups = (len(of), len(to))
    if min(groups) < 2:
        return Estimate(mean, np.nan, 0, groups)
    parts = np.array([np.var(of, ddof=1) / len(of), np.var(to, ddof=1) / len(to)])
    error = _but_for_rounding(float(np.sqrt(parts.sum())), mean)
    below = np.sum(parts**2 / (np.array(groups) - 1))
    freedom = float(parts.sum() ** 2 / below) if error else float(sum(groups) - 2)
    return Estimate(mean, error, freedom, groups)


def _but_for_rounding(error: float, mean: float) -> float:
    """A standard error, or zero where units differ in the last digits alone, as differences of percentages do."""
    return 0.0 if error <= 1e-12 * max(1.0, abs(mean)) else error


def holm(p_values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Holm's adjusted p-values and the level each p is held against; NaN stays NaN and does not count.

    Holm, Scandinavian Journal of Statistics 6 (1979): valid whatever the dependence between the tests.
    """
    tested = [place for place, p in enumerate(p_values) if not np.isnan(p)]
    adjusted, levels = [np.nan] * len(p_values), [np.nan] * len(p_values)
    worst = 0.0
    for rank, place in enumerate(sorted(tested, key=lambda place: p_values[place])):
        remaining = len(tested) - rank
        worst = max(worst, min(1.0, remaining * p_values[place]))
        adjusted[place], levels[place] = worst, LEVEL / remaining
    return adjusted, levels
