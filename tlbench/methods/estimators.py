"""The class-balanced machine, alone and leaning on sources, as scikit-learn classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from numbers import Real
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from .interior_point import Norm
from .kernels import MeanRBFKernel
from .least_squares_svm import Factorisation, class_balance, factorise
from .source_weights import ball_weights, leave_one_out, scalar_weights

Floats = NDArray[np.float64]
Kernel = Literal["rbf", "linear", "precomputed"]
Weighting = Literal["learned", "single", "equal", "average", "none"]


class Source(Protocol):
    """What a source must offer: scores of shape (n,) or (n, 1), positive for the second class."""

    def decision_function(self, X: Any, /) -> Any:
        """Scores of n examples."""


class BalancedLSSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Binary least-squares support vector machine in which both classes weigh the same.

    Minimises ½‖w‖² + (C/2) Σ_i ζ_i (y_i − w·φ(x_i) − b)² with y = −1 for the first and +1 for the second of the
    sorted labels, and ζ_i = N / (2 N_{class of i}).

    Parameters
    ----------
    C : weight of the errors, positive.
    kernel : "rbf" for exp(−γ‖x − z‖²), "linear", or "precomputed", where X is a positive semi-definite kernel
        matrix: (N, N) to fit, (n, N) to predict.
    gamma : γ of the "rbf" kernel, a number or "mean-distance": one over the mean squared distance of the training
        examples (0 if they are all the same). Unused by other kernels.

    Attributes
    ----------
    classes_ : the two labels, sorted, shape (2,).
    dual_coef_ : α, shape (N,); sums to zero.
    intercept_ : b.
    X_fit_ : the training examples, shape (N, d).
    gamma_ : the γ used; None unless the kernel is "rbf".
    leave_one_out_decision_ : shape (N,); the decision on each training example of the machine trained without it,
        ζ (and γ) as with all of them. Exact, at no cost.
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn.

    References
    ----------
    G. C. Cawley, "Leave-one-out cross-validation based model selection criteria for weighted LS-SVMs", IJCNN 2006.

    Examples
    --------
    >>> machine = BalancedLSSVC(kernel="linear").fit([[0.0], [1.0], [4.0], [6.0]], ["cold", "cold", "hot", "hot"])
    >>> machine.predict([[0.5], [5.0]]).tolist()
    ['cold', 'hot']
    >>> machine.leave_one_out_decision_.round(2).tolist()
    [-1.2, -0.5, 0.26, 1.97]
    """

    def __init__(
        self, C: float = 10.0, kernel: Kernel = "rbf", gamma: float | Literal["mean-distance"] = "mean-distance"
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.gamma = gamma

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to examples X (N, d) with labels y (N,) of exactly two kinds.

        Raises ValueError for bad parameters, values that are not finite, a number of classes other than two, and a
        kernel matrix that is not square or found not to be positive semi-definite.
        """
        machine, labels, _ = self._factorise(X, y)
        self._solve(machine, labels, np.zeros_like(labels))
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Scores (n,) of examples X (n, d), positive for the second class.

        Raises ValueError for values that are not finite and NotFittedError before ``fit``.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        scores: Floats = self._similarity(rows) @ self.dual_coef_ + self.intercept_
        return scores

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels (n,) of examples X (n, d). Raises as ``decision_function``."""
        second = self.decision_function(X) > 0
        labels: NDArray[Any] = self.classes_[second.astype(np.intp)]
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def _factorise(self, X: ArrayLike, y: ArrayLike) -> tuple[Factorisation, Floats, Floats]:
        """Validate everything and set the attributes that do not depend on the solution; labels in ±1 and ζ."""
        if not _is_positive(self.C):
            raise ValueError(f"C must be a positive number, not {self.C!r}")
        if self.kernel not in ("rbf", "linear", "precomputed"):
            raise ValueError(f'kernel must be "rbf", "linear" or "precomputed", not {self.kernel!r}')
        if not (_is_positive(self.gamma) or (isinstance(self.gamma, str) and self.gamma == "mean-distance")):
            raise ValueError(f'gamma must be a positive number or "mean-distance", not {self.gamma!r}')
        examples, given = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(given)
        kind = type_of_target(given, input_name="y")
        if kind != "binary":
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        self.classes_, index = np.unique(given, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("a classifier needs examples of two classes; y holds one class")
        if self.kernel == "precomputed" and examples.shape[0] != examples.shape[1]:
            raise ValueError(f"a precomputed kernel must be a square matrix, not of shape {examples.shape}")

        self.X_fit_ = examples
        self.gamma_: float | None = None
        if self.kernel == "rbf":
            chosen = MeanRBFKernel.fit({"X": examples}).gammas["X"] if isinstance(self.gamma, str) else self.gamma
            self.gamma_ = float(chosen)
        labels: Floats = np.where(index == 1, 1.0, -1.0)
        balance = class_balance(labels)
        machine = factorise(self._similarity(examples), balance, self.C)
        return machine, labels, balance

    def _similarity(self, rows: Floats) -> Floats:
        """Kernel (n, N) between validated rows and the training examples."""
        if self.gamma_ is not None:
            return MeanRBFKernel({"X": self.gamma_})({"X": rows}, {"X": self.X_fit_})
        if self.kernel == "linear":
            linear: Floats = rows @ self.X_fit_.T
            return linear
        return rows

    def _solve(self, machine: Factorisation, labels: Floats, borrowed: Floats) -> None:
        """Explain what ``borrowed`` scores (N,) leave of the labels, and set the attributes of the solution."""
        self.dual_coef_ = machine.dual(labels - borrowed)
        self.intercept_ = float(machine.bias(labels - borrowed))
        self.leave_one_out_decision_ = labels - self.dual_coef_ / machine.diagonal


class TransferLSSVC(BalancedLSSVC):
    """A ``BalancedLSSVC`` for a target with few examples, which leans on classifiers trained for other tasks.

    Regularises towards the sources, ½‖w − Σ_j β_j w_j‖², and so decides by
    K(x, X_fit) α + b + Σ_j β_j f_j(x), where f_j is the decision function of source j. β comes from the exact
    leave-one-out error on the target, hence a source that does not help gets little weight or none.

    Parameters
    ----------
    sources : fitted binary classifiers with a ``decision_function``; any will do. They receive X as it is passed to
        this estimator, and are neither refitted nor, when this estimator is cloned, cloned. Their scores speak for
        the second of their sorted labels; where one label is shared with the target (a background, say) and stands
        first for the one and second for the other, they are turned round. Sources without ``classes_`` or with other
        labels altogether are taken as they are.
    C, kernel, gamma : as in ``BalancedLSSVC``.
    weighting : how much to lean on each of the k sources.
        "learned" minimises the hinge of the leave-one-out margins within the unit ball;
        "single" takes the one source with the lowest such hinge at its best weight in [0, 1];
        "equal" gives each 1/√k, "average" each 1/k, "none" each 0; k numbers are taken as they are.
    norm : norm of the ball of "learned" weights, "l2" or "l1" (which selects few sources).
    nonnegative : whether "learned" weights must not be negative.

    Attributes
    ----------
    source_weights_ : β, shape (k,).
    Others : as in ``BalancedLSSVC``; ``leave_one_out_decision_`` keeps β as with all examples, too.

    References
    ----------
    T. Tommasi, F. Orabona, B. Caputo, "Learning Categories From Few Examples With Multi Model Knowledge Transfer",
    IEEE TPAMI 36(5), 2014; CVPR 2010 for "l2"; "The More You Know, the Less You Learn", BMVC 2009, for "single".

    Examples
    --------
    >>> source = BalancedLSSVC(kernel="linear").fit([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0]], [0, 0, 1, 1])
    >>> target = TransferLSSVC([source], kernel="linear").fit([[1.0, 0.0], [3.0, 2.0]], ["left", "right"])
    >>> target.source_weights_.round(2).tolist()
    [1.0]
    >>> target.predict([[0.0, 2.0], [4.0, 0.0]]).tolist()
    ['left', 'right']
    """

    def __init__(
        self,
        sources: Sequence[Source] = (),
        C: float = 10.0,
        kernel: Kernel = "rbf",
        gamma: float | Literal["mean-distance"] = "mean-distance",
        weighting: Weighting | ArrayLike = "learned",
        norm: Norm = "l2",
        nonnegative: bool = True,
    ) -> None:
        self.sources = sources
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.weighting = weighting
        self.norm = norm
        self.nonnegative = nonnegative

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to examples X (N, d) with labels y (N,) of exactly two kinds.

        Raises ValueError as ``BalancedLSSVC.fit``, and for source scores that are not finite or not one an example;
        ArithmeticError where "learned" weights cannot be found, as scores of many thousands may cause.
        """
        if self.norm not in ("l2", "l1"):
            raise ValueError(f'norm must be "l2" or "l1", not {self.norm!r}')
        machine, labels, balance = self._factorise(X, y)
        scores = self._source_scores(X, len(labels))
        self.source_weights_ = self._weigh(machine, labels, balance, scores)
        self._solve(machine, labels, scores @ self.source_weights_)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Scores (n,) of examples X (n, d), positive for the second class. Raises as ``fit``."""
        own = super().decision_function(X)
        return own + self._source_scores(X, len(own)) @ self.source_weights_

    def __sklearn_clone__(self) -> Self:
        # The default would clone the sources, which unfits them.
        bare = copy(self)
        bare.sources = ()
        clone: Self = super(TransferLSSVC, bare).__sklearn_clone__()
        clone.sources = self.sources
        return clone

    def _source_scores(self, X: ArrayLike, count: int) -> Floats:
        """f_j(x_i), shape (count, k)."""
        scores = np.empty((count, len(self.sources)))
        for index, source in enumerate(self.sources):
            values = np.asarray(source.decision_function(X), dtype=np.float64)
            if values.shape not in ((count,), (count, 1)):
                raise ValueError(f"source {index} must give one score an example; its scores have shape {values.shape}")
            scores[:, index] = self._polarity(source) * values.reshape(count)
        if not np.isfinite(scores).all():
            raise ValueError("the scores of the sources must be finite")
        return scores

    def _polarity(self, source: Source) -> float:
        """−1 where the label that a source shares with the target is second for the one and first for the other."""
        theirs = list(getattr(source, "classes_", ()))
        shared = [label for label in self.classes_.tolist() if label in theirs]
        if len(theirs) != 2 or len(shared) != 1:
            return 1.0
        return 1.0 if theirs.index(shared[0]) == self.classes_.tolist().index(shared[0]) else -1.0

    def _weigh(self, machine: Factorisation, labels: Floats, balance: Floats, scores: Floats) -> Floats:
        count = scores.shape[1]
        if not isinstance(self.weighting, str):
            fixed = np.array(self.weighting, dtype=np.float64)
            if fixed.shape != (count,) or not np.isfinite(fixed).all():
                raise ValueError(f"weighting must hold one finite number for each of the {count} sources")
            return fixed
        if self.weighting not in ("learned", "single", "equal", "average", "none"):
            raise ValueError(
                'weighting must be "learned", "single", "equal", "average", "none" or an array of numbers, '
                f"not {self.weighting!r}"
            )
        if count == 0 or self.weighting == "none":
            return np.zeros(count)
        if self.weighting == "equal":
            return np.full(count, 1.0 / np.sqrt(count))
        if self.weighting == "average":
            return np.full(count, 1.0 / count)
        problem = leave_one_out(machine, labels, scores, balance)
        if self.weighting == "learned":
            return ball_weights(problem, self.norm, self.nonnegative)
        alone, bound = scalar_weights(problem)
        return np.where(np.arange(count) == bound.argmin(), alone, 0.0)


def _is_positive(value: object) -> bool:
    return isinstance(value, Real) and bool(np.isfinite(float(value))) and float(value) > 0.0
