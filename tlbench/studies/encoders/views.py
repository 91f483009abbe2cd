"""The feature spaces that a data set offers, and which two a level of the factor ``views`` names."""

from __future__ import annotations

from math import isqrt

from ...datasets import DataError, FeaturePack, generator
from ...methods.picture_views import Floats, coarse_and_noisy, gradient_histograms, pixels

PICTURE_VIEWS = ("pixels", "histograms", "coarse")
BETWEEN = " to "


def ends_of(views: str) -> tuple[str, str]:
    """The source's and the target's view of "histograms to pixels". Raises ValueError for other words."""
    source, between, target = views.partition(BETWEEN)
    if not between or not source or not target or source == target:
        raise ValueError(
            f"views '{views}' do not name two feature spaces; write SOURCE to TARGET, as in 'histograms to pixels'"
        )
    return source, target


def _side(pack: FeaturePack) -> int:
    """Pixels a side where the pack holds square pictures that all views can be made of; else 0."""
    count = pack.features["pixels"].shape[1] if "pixels" in pack.features else 0
    side = isqrt(count)
    return side if side * side == count and side % 4 == 0 else 0


def views_of(pack: FeaturePack) -> tuple[str, ...]:
    """Names of the feature spaces: the pack's kinds, and those that its pictures, if it has any, are seen in."""
    return tuple(dict.fromkeys((*(PICTURE_VIEWS if _side(pack) else ()), *pack.features)))


def see(pack: FeaturePack, view: str, noise: float, seed: int) -> Floats:
    """All examples of a pack in a view: (n, d). Raises DataError where there is no such view."""
    if view not in views_of(pack):
        raise DataError(f"there is no feature space '{view}' in these data; there are {', '.join(views_of(pack))}")
    if view in pack.features and view != "pixels":
        return pack.features[view]
    if not (side := _side(pack)):
        return pack.features[view]
    pictures = pack.features["pixels"].reshape(-1, side, side)
    if view == "histograms":
        return gradient_histograms(pictures)
    if view == "coarse":
        return coarse_and_noisy(pictures, noise, generator(seed, "noise of the coarse view"))
    return pixels(pictures)
