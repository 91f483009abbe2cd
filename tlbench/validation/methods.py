"""A classifier of a user's own on a toy problem: what an experiment will ask of it, and what numbers need to compare.

A method that changes what it is given, that draws at random as it likes, or whose decision on one example depends on
which others are tested with it, has no accuracy of its own to compare.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..own_methods import OwnMethod, decide, fit, source_weights
from ..own_methods.contract import construct, decisions_of
from .checks import Check, FailedError, attempt
from .toy import SEED, Labels, Toy

Floats = NDArray[np.float64]
TOLERANCE = 1e-6
"""How far two decisions may be apart, relative to the largest, that differ by rounding alone."""
WRONG_WAY_ROUND = 40.0
"""Balanced accuracy in percent below which decisions must have the wrong sign; chance gives 50."""


def try_method(method: OwnMethod) -> list[Check]:
    """Everything that was tried, in an order in which the first problem explains those below it."""
    trial = _Trial(method, Toy.draw())
    checks: list[Check] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for what, tried in trial.basics.items():
            checks.append(attempt(what, tried))
            if checks[-1].outcome == "problem":
                left = [*trial.basics, *trial.rest][len(checks) :]
                return checks + [Check(name, "not tried") for name in left]
        checks += [attempt(what, tried) for what, tried in trial.rest.items()]
    said = list(dict.fromkeys(f"{one.category.__name__}: {one.message}".split("\n")[0] for one in caught))
    return [*checks, Check("warnings", "ok", "; ".join(said) or "none")]


@dataclass(frozen=True)
class _Trial:
    """A method on the toy problem."""

    method: OwnMethod
    toy: Toy

    @property
    def basics(self) -> dict[str, Callable[[], str | None]]:
        """Without these there is nothing to try further."""
        return {"constructed with sources and fitted": self.fits, "decides on test examples": self.decides}

    @property
    def rest(self) -> dict[str, Callable[[], str | None]]:
        """What else has to hold."""
        return {
            "leaves what it is given as it is": self.leaves_inputs,
            "same seed, same decisions": self.repeats,
            "decides on each example by itself": self.decides_alone,
            "one example of each class": self.takes_one_example,
            "no sources": self.takes_no_sources,
            "weights of sources": self.weighs,
            "parameters and clone": self.clones,
        }

    def fitted(self, X: Floats, y: Labels, sources: Sequence[Any]) -> Any:
        """An estimator on other examples or sources."""
        return fit(self.method.make, sources, X, y, SEED)

    @cached_property
    def estimator(self) -> Any:
        """One that is fitted to the toy problem."""
        return self.fitted(self.toy.X, self.toy.y, self.toy.sources)

    @cached_property
    def decisions(self) -> Floats:
        """Its decisions on all test examples."""
        return decide(self.estimator, self.toy.test)

    def fits(self) -> None:
        """To examples and labels of −1 and +1."""
        _ = self.estimator

    def decides(self) -> str:
        """One finite number for each test example, positive for the class +1."""
        negatives, positives = np.split(self.decisions > 0.0, 2)
        accuracy = 50.0 * float(positives.mean() + 1.0 - negatives.mean())
        if accuracy < WRONG_WAY_ROUND:
            raise FailedError(
                f"{accuracy:.0f} % of the toy problem are right; decisions must be positive for the class +1"
            )
        return f"{accuracy:.0f} % of the toy problem are right"

    def leaves_inputs(self) -> None:
        """Experiments hand over copies; a user's own code does not."""
        X, y, test = self.toy.X.copy(), self.toy.y.copy(), self.toy.test.copy()
        estimator = construct(self.method.make, self.toy.sources, SEED)
        estimator.fit(X, y)
        decisions_of(estimator)(test)
        same = {
            "X": np.array_equal(X, self.toy.X),
            "y": np.array_equal(y, self.toy.y),
            "the test examples": np.array_equal(test, self.toy.test),
        }
        if changed := [what for what, kept in same.items() if not kept]:
            raise FailedError(f"it changes {' and '.join(changed)} in place; work on a copy")

    def repeats(self) -> None:
        """Two fits with one random_state."""
        again = decide(self.fitted(self.toy.X, self.toy.y, self.toy.sources), self.toy.test)
        if not np.array_equal(again, self.decisions):
            raise FailedError(
                "two fits on the same examples decide otherwise; draw from a generator that is seeded by a parameter "
                "random_state=None, which experiments set"
            )

    def decides_alone(self) -> None:
        """In another order, and in other company."""
        order = np.random.default_rng(SEED).permutation(len(self.toy.test))
        few = order[:7]
        for what, rows in (("in another order", order), ("without the others", few), ("alone", few[:1])):
            if not _near(decide(self.estimator, self.toy.test[rows]), self.decisions[rows], self.decisions):
                raise FailedError(
                    f"an example that is tested {what} is decided otherwise: test examples are learned from"
                )

    def takes_one_example(self) -> None:
        """As few as an experiment may have."""
        rows = [int(np.argmin(self.toy.y)), int(np.argmax(self.toy.y))]
        decide(self.fitted(self.toy.X[rows], self.toy.y[rows], self.toy.sources), self.toy.test)

    def takes_no_sources(self) -> None:
        """Then it learns from the target alone."""
        decide(self.fitted(self.toy.X, self.toy.y, []), self.toy.test)

    def weighs(self) -> str:
        """A number for each source, if it tells what it leans on."""
        weights = source_weights(self.estimator, len(self.toy.sources))
        if weights is None:
            return "it has no source_weights_, so weights.csv will not have it"
        return ", ".join(f"{weight:.2f}" for weight in weights)

    def clones(self) -> str:
        """As scikit-learn's tools make another one like it, if it has parameters to tell."""
        from sklearn.base import clone

        if not hasattr(self.estimator, "get_params"):
            return "it has no get_params, so scikit-learn's tools cannot tune it"
        clone(self.estimator)
        return ", ".join(self.estimator.get_params(deep=False)) or "it has none"


def _near(found: Floats, expected: Floats, all_of_them: Floats) -> bool:
    return bool(np.abs(found - expected).max() <= TOLERANCE * max(1e-12, float(np.abs(all_of_them).max())))
