"""What a method of a user's own has to do: be constructed, fitted and asked for decisions, each checked where it is."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]


class ContractError(ValueError):
    """A method does not do what it has to; the message says what."""


class Source:
    """A classifier that was fitted on another task, as a method is handed it.

    name: of the task. decide: from X (n, d) its scores (n,), positive for the second class.

    Attributes
    ----------
    classes_ : −1 and +1. n_features_in_ : d.
    """

    def __init__(self, name: str, dimensions: int, decide: Callable[[Floats], Floats]) -> None:
        self.name = name
        self.n_features_in_ = dimensions
        self.classes_ = np.array([-1, 1])
        self._decide = decide

    def decision_function(self, X: Any) -> Floats:
        """Scores (n,) of examples X (n, d). Raises ValueError for a number of columns other than d."""
        examples = np.asarray(X, dtype=np.float64)
        if examples.ndim != 2 or examples.shape[1] != self.n_features_in_:
            raise ValueError(f"a source takes examples of {self.n_features_in_} numbers, not {examples.shape}")
        return self._decide(examples)

    def predict(self, X: Any) -> Labels:
        """Labels (n,), −1 or +1. Raises as ``decision_function``."""
        return np.where(self.decision_function(X) > 0.0, 1, -1)

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        """Itself: it is fitted, and cloning a method that leans on it does not copy it."""
        return self

    def __repr__(self) -> str:
        return f"Source({self.name!r})"


def construct(make: Callable[..., Any], sources: Sequence[Any], seed: int) -> Any:
    """An estimator that may lean on ``sources``.

    One with a parameter ``sources`` is given them by that name, one whose first parameter has no default as the first,
    and any other is constructed without: it learns from the target alone. A parameter ``random_state`` that is None by
    default is set to ``seed``.
    """
    parameters: Mapping[str, inspect.Parameter] = {}
    with contextlib.suppress(ValueError):  # what is not written in Python may not tell
        parameters = inspect.signature(make).parameters
    named: dict[str, Any] = {}
    if "random_state" in parameters and parameters["random_state"].default in (None, inspect.Parameter.empty):
        named["random_state"] = seed
    first = next(iter(parameters.values()), None)
    if "sources" in parameters:
        return make(sources=list(sources), **named)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if first and first.kind in positional and first.default is first.empty:
        return make(list(sources), **named)
    return make(**named)


def fit(make: Callable[..., Any], sources: Sequence[Any], X: Floats, y: Labels, seed: int) -> Any:
    """A new estimator, fitted to copies of X (N, d) with labels y (N,) of −1 and +1.

    Raises ContractError where it lacks a function that is needed, and whatever the method raises.
    """
    estimator = construct(make, sources, seed)
    if not _can(estimator, "fit"):
        raise ContractError("it has no fit(X, y)")
    if not (_can(estimator, "decision_function") or _can(estimator, "predict")):
        raise ContractError("it has no decision_function(X) and no predict(X)")
    estimator.fit(X.copy(), y.copy())
    return estimator


def _can(estimator: Any, name: str) -> bool:
    return callable(getattr(estimator, name, None))


def decisions_of(estimator: Any) -> Callable[[Floats], Any]:
    """Its ``decision_function``, or ``predict`` where it has none."""
    function = "decision_function" if _can(estimator, "decision_function") else "predict"
    asked: Callable[[Floats], Any] = getattr(estimator, function)
    return asked


def decide(estimator: Any, X: Floats) -> Floats:
    """Decisions (n,) on a copy of X (n, d), positive for the class +1; of labels, where it only predicts these.

    Raises ContractError for what is not a finite number for each example.
    """
    ask = decisions_of(estimator)
    function, given = ask.__name__, np.asarray(ask(X.copy()))
    try:
        values = given.astype(np.float64)
    except (TypeError, ValueError):
        raise ContractError(f"{function} gives {given.dtype} instead of numbers") from None
    if values.shape not in ((len(X),), (len(X), 1)):
        raise ContractError(f"{function} gives shape {values.shape} for {len(X)} examples instead of ({len(X)},)")
    if not np.isfinite(values).all():
        raise ContractError(f"{function} gives {(~np.isfinite(values)).sum()} values that are not finite")
    return values.reshape(len(X))


def source_weights(estimator: Any, sources: int) -> Floats | None:
    """Its ``source_weights_`` (sources,), if it has any. Raises ContractError for other than so many finite numbers."""
    given = getattr(estimator, "source_weights_", None)
    if given is None:
        return None
    try:
        weights = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ContractError("source_weights_ are no numbers") from None
    if weights.shape != (sources,):
        raise ContractError(f"source_weights_ have shape {weights.shape} with {sources} sources, not ({sources},)")
    if not np.isfinite(weights).all():
        raise ContractError("source_weights_ are not all finite")
    return weights
