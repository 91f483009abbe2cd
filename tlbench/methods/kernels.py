"""Kernel functions, and their mean over several kinds of feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .histogram_distances import chi_squared_distances, intersections, mean_chi_squared_distance

Floats = NDArray[np.float64]
KernelName = Literal["linear", "polynomial", "rbf", "chi2", "intersection"]
KernelFunction = Callable[[Floats, Floats], Floats]
"""From rows (n, d) and columns (m, d) a new matrix (n, m)."""


def squared_distances(rows: Floats, columns: Floats) -> Floats:
    """Squared Euclidean distances, shape (n, m), between (n, d) and (m, d); never below zero.

    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[25.0, 0.0]]
    """
    # Far from the origin ‖x‖² + ‖z‖² − 2x·z loses the digits that x − z would have kept.
    centre = columns.mean(axis=0)
    same = rows is columns
    columns = columns - centre
    rows = columns if same else rows - centre
    distances = rows @ columns.T
    distances *= -2.0
    norms = np.einsum("ij,ij->i", columns, columns)
    distances += (norms if same else np.einsum("ij,ij->i", rows, rows))[:, None]
    distances += norms
    return np.maximum(distances, 0.0, out=distances)


def mean_squared_distance(examples: Floats) -> float:
    """Mean squared distance over all pairs of different rows of an (n, d) array.

    Uses mean‖x_i − x_j‖² = 2 n/(n−1) · (total variance), so no n × n matrix is formed. Zero for one row.

    >>> mean_squared_distance(np.array([[0.0], [1.0], [2.0]]))  # of 1, 1 and 4
    2.0
    """
    count = len(examples)
    if count < 2:
        return 0.0
    # A constant column has no variance, but rounding in its mean would give it some.
    varying = examples.max(axis=0) > examples.min(axis=0)
    return 2.0 * count / (count - 1) * float(np.var(examples, axis=0)[varying].sum())


@dataclass(frozen=True)
class Linear:
    """x·z. In a mean over kinds a kind of long vectors outweighs the others.

    >>> Linear()(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])).tolist()
    [[11.0]]
    """

    @classmethod
    def fit(cls, examples: Floats) -> Linear:
        """Nothing is chosen."""
        del examples
        return cls()

    def __call__(self, rows: Floats, columns: Floats) -> Floats:
        """Kernel matrix (n, m)."""
        return rows @ columns.T


@dataclass(frozen=True)
class Polynomial:
    """(γ x·z + 1)^degree.

    >>> Polynomial(gamma=1.0, degree=2)(np.array([[2.0]]), np.array([[3.0]])).tolist()  # (6 + 1)²
    [[49.0]]
    """

    gamma: float
    degree: int = 2

    @classmethod
    def fit(cls, examples: Floats) -> Polynomial:
        """γ = 1 / mean ‖x‖² of examples (n, d), so that both terms weigh the same; 0 if all are zero."""
        return cls(_one_over(float(np.einsum("ij,ij->", examples, examples)) / len(examples), examples))

    def __call__(self, rows: Floats, columns: Floats) -> Floats:
        """Kernel matrix (n, m)."""
        similarity = rows @ columns.T
        similarity *= self.gamma
        similarity += 1.0
        return similarity**self.degree


@dataclass(frozen=True)
class RBF:
    """exp(−γ‖x − z‖²).

    >>> kernel = RBF.fit(np.array([[0.0], [2.0]]))  # γ is one over the mean squared distance, 4
    >>> kernel.gamma, kernel(np.array([[1.0]]), np.array([[1.0], [99.0]])).tolist()
    (0.25, [[1.0, 0.0]])
    """

    gamma: float

    @classmethod
    def fit(cls, examples: Floats) -> RBF:
        """γ = 1 / mean squared distance of examples (n, d); 0 if they are all the same, and the kernel is then one."""
        return cls(_one_over(mean_squared_distance(examples), examples))

    def __call__(self, rows: Floats, columns: Floats) -> Floats:
        """Kernel matrix (n, m)."""
        similarity = squared_distances(rows, columns)
        similarity *= -self.gamma
        return np.exp(similarity, out=similarity)


@dataclass(frozen=True)
class ChiSquared:
    """exp(−γ Σ (x − z)²/(x + z)) for features of zero or more, such as histograms (Zhang et al., IJCV 73(2), 2007).

    >>> kernel = ChiSquared.fit(np.array([[1.0, 0.0], [0.0, 1.0]]))  # their distance is 2
    >>> kernel.gamma, kernel(np.array([[0.3, 0.7]]), np.array([[0.3, 0.7]])).tolist()
    (0.5, [[1.0]])
    """

    gamma: float

    @classmethod
    def fit(cls, examples: Floats) -> ChiSquared:
        """γ = 1 / mean χ² distance of examples (n, d), or 0 if they are all the same. ValueError if one is negative."""
        return cls(_one_over(mean_chi_squared_distance(examples), examples))

    def __call__(self, rows: Floats, columns: Floats) -> Floats:
        """Kernel matrix (n, m). Raises ValueError for a negative feature."""
        similarity = chi_squared_distances(rows, columns)
        similarity *= -self.gamma
        return np.exp(similarity, out=similarity)


@dataclass(frozen=True)
class Intersection:
    """Σ min(x, z) for features of zero or more; at most one for histograms that sum to one.

    >>> Intersection()(np.array([[0.25, 0.75]]), np.array([[0.25, 0.75], [1.0, 0.0]])).tolist()
    [[1.0, 0.25]]
    """

    @classmethod
    def fit(cls, examples: Floats) -> Intersection:
        """Nothing is chosen."""
        del examples
        return cls()

    def __call__(self, rows: Floats, columns: Floats) -> Floats:
        """Kernel matrix (n, m). Raises ValueError for a negative feature."""
        return intersections(rows, columns)


KERNELS: Mapping[KernelName, Callable[[Floats], KernelFunction]] = {
    "linear": Linear.fit,
    "polynomial": Polynomial.fit,
    "rbf": RBF.fit,
    "chi2": ChiSquared.fit,
    "intersection": Intersection.fit,
}
"""What each name stands for: from examples (n, d) a kernel function whose parameters suit them."""


@dataclass(frozen=True)
class MeanKernel:
    """Mean over feature kinds, each with a kernel function of its own (``functions``, by kind).

    >>> kernel = MeanKernel({"shape": Linear(), "colour": Intersection()})
    >>> row = {"shape": np.array([[2.0]]), "colour": np.array([[0.5, 0.5]])}
    >>> kernel(row, row).tolist()  # the mean of 4 and 1
    [[2.5]]
    """

    functions: Mapping[str, KernelFunction]

    @classmethod
    def fit(cls, features: Mapping[str, Floats], names: Mapping[str, KernelName] | KernelName) -> MeanKernel:
        """Choose parameters from (n, d) arrays, one a kind, that describe the same n examples.

        ``names`` says which kernel each kind gets, or one for all. Raises ValueError for a name that is not in
        ``KERNELS``, for kinds without one, and as the kernels' own ``fit``, then naming the kind.
        """
        chosen = dict.fromkeys(features, names) if isinstance(names, str) else names
        if set(chosen) != set(features):
            raise ValueError(f"kernels are named for {sorted(chosen)}, but the kinds are {sorted(features)}")
        functions: dict[str, KernelFunction] = {}
        for kind, values in features.items():
            if chosen[kind] not in KERNELS:
                raise ValueError(f"unknown kernel {chosen[kind]!r}; there are {', '.join(KERNELS)}")
            try:
                functions[kind] = KERNELS[chosen[kind]](values)
            except ValueError as error:
                raise ValueError(f"{kind}: {error}") from error
        return cls(functions)

    def __call__(self, rows: Mapping[str, Floats], columns: Mapping[str, Floats]) -> Floats:
        """Kernel matrix (n, m) between two sets of examples given by kind."""
        total: Floats | None = None
        for kind, function in self.functions.items():
            similarity = function(rows[kind], columns[kind])
            total = similarity if total is None else np.add(total, similarity, out=total)
        if total is None:
            raise ValueError("a kernel needs at least one kind of feature")
        total /= len(self.functions)
        return total


@dataclass(frozen=True)
class MeanRBFKernel:
    """Mean over feature kinds of exp(−γ‖x − z‖²), γ = 1 / mean squared distance of the fitted examples.

    ``gammas`` maps each kind to its γ. A kind that is constant over the fitted examples gets γ = 0: it cannot
    tell examples apart, and its kernel is constantly one.

    >>> examples = {"shape": np.array([[0.0], [2.0]]), "constant": np.array([[7.0], [7.0]])}
    >>> kernel = MeanRBFKernel.fit(examples)
    >>> kernel.gammas
    {'shape': 0.25, 'constant': 0.0}
    >>> kernel(examples, examples).round(4).tolist()  # off the diagonal the mean of 1/e and 1
    [[1.0, 0.6839], [0.6839, 1.0]]
    """

    gammas: Mapping[str, float]

    @classmethod
    def fit(cls, features: Mapping[str, Floats]) -> MeanRBFKernel:
        """Choose every γ from (n, d) arrays, one a kind, that describe the same n examples."""
        return cls({kind: RBF.fit(values).gamma for kind, values in features.items()})

    def __call__(self, rows: Mapping[str, Floats], columns: Mapping[str, Floats]) -> Floats:
        """Kernel matrix (n, m) between two sets of examples given by kind."""
        return MeanKernel({kind: RBF(gamma) for kind, gamma in self.gammas.items()})(rows, columns)


def _one_over(spread: float, examples: Floats) -> float:
    """0 for examples that are all the same. Raises ValueError where only their squares are."""
    if spread >= np.finfo(np.float64).tiny:
        return 1.0 / spread
    if (examples.max(axis=0) > examples.min(axis=0)).any():
        raise ValueError("its numbers are so small that their squares vanish; multiply them by a large one")
    return 0.0
