"""Transfer component analysis: coordinates in which two domains have nearly the same mean and keep their variance.

Pan, Tsang, Kwok & Yang, "Domain adaptation via transfer component analysis", IEEE Trans. Neural Networks 22(2), 2011,
section III. For a kernel K of n_S source examples followed by n_T target examples,

    min_W  tr(Wᵀ K L K W) + μ tr(Wᵀ W)     subject to     Wᵀ K H K W = I,

with L = e eᵀ, e = (1/n_S, …, −1/n_T, …), so that tr(Wᵀ K L K W) is the squared distance between the domains' means of
the new coordinates (maximum mean discrepancy), and H = I − 1 1ᵀ/n, so that their scatter is one. W is made of the
leading eigenvectors of (K L K + μ I)⁻¹ K H K; the coordinates of any example x are k(x, ·) W.

Both matrices are symmetric, their quotient is not: it is solved as the generalised symmetric problem
K H K w = λ (K L K + μ I) w. (skada 0.6.0 gives the quotient to a solver for symmetric matrices, which reads one
triangle of it: what it returns are other vectors, see the tests.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-10
"""Eigenvalues below this share of the largest are directions without scatter, which no scale makes one."""


def transfer_components(kernel: Floats, sources: int, components: int, mu: float = 1.0) -> Floats:
    """W (n, m) for a kernel (n, n) whose first ``sources`` examples are the source's, the rest the target's.

    m is ``components``, or fewer where there are fewer directions with scatter. Signs are fixed by the largest
    entry of each column being positive. Raises ValueError where a domain is empty and for μ or m that are not positive.

    >>> source = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    >>> both = np.concatenate([source, source + [9.0, 0.0]])  # shifted along the first axis, alike along the second
    >>> found = both @ both.T @ transfer_components(both @ both.T, 3, components=1, mu=1e-6)
    >>> abs(np.corrcoef(found[:, 0], both[:, 1])[0, 1]).round(4).tolist()  # what both domains share is kept
    1.0
    """
    count = len(kernel)
    if not 0 < sources < count:
        raise ValueError(f"{count} examples, {sources} of them the source's: each domain needs one")
    if components < 1 or not mu > 0.0:
        raise ValueError("transfer components need at least one component and a positive mu")
    difference = kernel[:, :sources].mean(axis=1) - kernel[:, sources:].mean(axis=1)  # K e
    centred = kernel - kernel.mean(axis=0)  # H K
    scatter = centred.T @ centred  # K H K, as H is a projection
    penalty = np.outer(difference, difference)  # K L K
    penalty[np.diag_indices(count)] += mu
    asked = min(components, count)
    values, vectors = eigh(scatter, penalty, subset_by_index=[count - asked, count - 1])
    kept = np.flatnonzero(values > NEGLIGIBLE * values[-1])[::-1]
    # wᵀ(KLK + μI)w = 1 as the solver returns them; the constraint asks for wᵀKHKw = 1.
    found: Floats = vectors[:, kept] / np.sqrt(values[kept])
    largest = found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]
    return found * np.sign(largest)
