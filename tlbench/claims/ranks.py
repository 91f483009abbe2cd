"""Spearman's correlation of two columns of a table: among levels within each unit, or among the units."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import statistics
from .statistics import POWER, Estimate

Floats = NDArray[np.float64]
FEW_ENOUGH = 8
"""Units whose orders, 40,320 of eight, are all gone through; beyond, Student's t is close enough."""


@dataclass(frozen=True)
class AmongUnits(Estimate):
    """Spearman's correlation over n units, each of which gives one pair.

    error and freedom make ``score(0)`` Student's t = ρ √((n − 2)/(1 − ρ²)), with n − 2 degrees of freedom. ranks: n
    pairs.
    """

    ranks: tuple[tuple[float, float], ...] = ()

    def interval(self, level: float) -> tuple[float, float]:
        """By Fisher's z with the standard error √((1 + ρ²/2)/(n − 3)) of Bonett & Wright, Psychometrika 65 (2000)."""
        from scipy.special import ndtri

        if self.units < 4:
            return np.nan, np.nan
        half = float(ndtri(0.5 + level / 2)) * _fisher_error(self.mean, self.units)
        centre = float(np.arctanh(np.clip(self.mean, -1 + 1e-12, 1 - 1e-12)))
        return float(np.tanh(centre - half)), float(np.tanh(centre + half))

    def p(self, null: float) -> float:  # noqa: ARG002
        """Two-sided p of no correlation: exact over all orders of up to ``FEW_ENOUGH`` units, else Student's.

        Kendall, Rank Correlation Methods: for t, ρ comes nearer to zero by half the step between its values. The
        interval rests on another approximation, so the two may disagree by a hair.
        """
        from scipy.special import stdtr

        if self.units > FEW_ENOUGH:
            nearer = max(0.0, abs(self.mean) - 6 / (self.units**3 - self.units))
            return float(2 * stdtr(self.freedom, -nearer * np.sqrt(self.freedom / (1 - nearer**2))))
        first, second = np.array(self.ranks).T
        orders = np.array(list(permutations(second)))
        products = orders @ (first - first.mean())
        observed = abs(float(second @ (first - first.mean())))
        return float(np.mean(np.abs(products) >= observed - 1e-9))

    def detectable(self, level: float) -> float:
        """The correlation that a test at ``level`` finds with 80 % power, by Fisher's z; NaN where none is found."""
        from scipy.optimize import brentq
        from scipy.special import ndtri, stdtrit

        if self.units <= FEW_ENOUGH and 2 / factorial(self.units) > level:
            return np.nan
        t = float(stdtrit(self.freedom, 1 - level / 2))
        critical = np.arctanh(t / np.sqrt(self.freedom + t**2))

        def lacking(z: float) -> float:
            return float(z - critical - ndtri(POWER) * _fisher_error(np.tanh(z), self.units))

        return float(np.tanh(brentq(lacking, 0.0, critical + 10.0)))


@dataclass(frozen=True)
class MeanCorrelation(Estimate):
    """The mean of a correlation in each unit, by Student's t; nothing lies beyond ± 1."""

    def interval(self, level: float) -> tuple[float, float]:
        """That of the mean, cut off at ± 1."""
        low, high = super().interval(level)
        return max(low, -1.0), min(high, 1.0)

    def detectable(self, level: float) -> float:
        """As of a mean; NaN where not even a correlation of 1 would have been found."""
        least = super().detectable(level)
        return least if least <= 1.0 else np.nan


def _fisher_error(correlation: float, units: int) -> float:
    return float(np.sqrt((1 + correlation**2 / 2) / (units - 3)))


def rank_correlation(rows: pd.DataFrame, between: tuple[str, str], among: str) -> Estimate:
    """Spearman's correlation of the columns ``between`` over the levels of column ``among``.

    With among = "unit" over the units themselves, each averaged over its rows. Otherwise one in each unit, over its
    levels, each averaged over its rows; then Student's t on their mean. What is the same everywhere ranks nothing: its
    correlation counts as zero.
    """
    if among == "unit":
        return among_units(_ranks(rows.groupby("unit", sort=False)[list(between)].mean()))
    levels = rows.groupby(["unit", among], sort=False)[list(between)].mean()
    found = [_correlation(_ranks(unit)) for _, unit in levels.groupby("unit", sort=False)]
    mean = statistics.paired(np.array(found))
    return MeanCorrelation(mean.mean, mean.error, mean.freedom, mean.groups)


def _ranks(pairs: pd.DataFrame) -> Floats:
    # Rounding in a mean would rank what is equal.
    return pairs.round(12).rank().to_numpy(dtype=float)


def _correlation(ranks: Floats) -> float:
    same = bool((np.ptp(ranks, axis=0) == 0.0).any())
    return 0.0 if same else float(np.corrcoef(ranks[:, 0], ranks[:, 1])[0, 1])


def among_units(ranks: Floats) -> AmongUnits:
    """From the ranks (n, 2) of n units, ties in the middle."""
    count, rho = len(ranks), _correlation(ranks)
    left = max(0.0, 1 - rho**2)
    error = float(np.sqrt(left / (count - 2))) if count > 2 else np.nan
    places = tuple((float(first), float(second)) for first, second in ranks)
    return AmongUnits(rho, error if error > 1e-9 else 0.0, max(count - 2, 0), (count,), places)
