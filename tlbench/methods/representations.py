"""How alike two sets of representations are: of the same examples by two networks, or of two sets by the same one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .kernels import RBF

Floats = NDArray[np.float64]


def linear_cka(first: Floats, second: Floats) -> float:
    """Linear centred kernel alignment of features (n, d) and (n, e) of the same examples: 0 to 1.

    Kornblith et al., ICML 2019, section 3: ‖YᵀX‖²_F / (‖XᵀX‖_F ‖YᵀY‖_F) of centred columns; the same under
    rotations and a common scale of either. 0 where one set is constant. Raises ValueError where rows do not match.

    >>> features = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
    >>> round(linear_cka(features, 5.0 * features[:, ::-1]), 6)  # axes exchanged and scaled: the same representation
    1.0
    >>> linear_cka(features, np.ones((3, 1)))
    0.0
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} rows are not of the same examples")
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    own = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    return float(np.linalg.norm(second.T @ first) ** 2 / own) if own > 0 else 0.0


def squared_mean_discrepancy(first: Floats, second: Floats) -> float:
    """Squared maximum mean discrepancy of two samples, features (n, d) and (m, d): the distance of their mean maps.

    Gretton et al., JMLR 13 (2012), eq. 5, the biased estimate, which is never negative; the kernel is exp(−γ‖x − z‖²)
    with γ the inverse mean squared distance of all examples together.

    >>> near, far = np.array([[0.0], [1.0]]), np.array([[90.0], [91.0]])
    >>> abs(round(squared_mean_discrepancy(near, near), 6))
    0.0
    >>> squared_mean_discrepancy(near, far) > 0.5
    True
    """
    kernel = RBF.fit(np.concatenate([first, second]))
    within = kernel(first, first).mean() + kernel(second, second).mean()
    return max(0.0, float(within - 2 * kernel(first, second).mean()))
