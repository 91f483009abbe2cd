"""How each data set is opened for kernel machines: as features, or as pictures that will be described."""

from __future__ import annotations

from collections.abc import Callable

from .caltech256_features import SETTINGS, load_caltech256_features
from .caltech_pictures import SETTINGS_OF, scan_tree
from .entries import Options, Place, setting_of
from .feature_pack import FeaturePack
from .feature_table import load_feature_table
from .picture_folder import PictureSet, scan
from .trees import ensure_tree


def features_of_caltech256(place: Place, options: Options) -> FeaturePack:
    """The released features of one setting."""
    (file,) = SETTINGS[setting_of(options, SETTINGS)]
    return load_caltech256_features(place.folder / file.path)


def described_caltech(which: str) -> Callable[[Place, Options], PictureSet]:
    """Caltech-101's or -256's pictures of one setting, or of any categories."""

    def load(place: Place, options: Options) -> PictureSet:
        tree = ensure_tree(which, place.folder, place.progress)
        categories = options.categories or SETTINGS_OF[which][setting_of(options, SETTINGS_OF[which])]
        return scan_tree(which, tree, categories, unused=options.unused, index=place.index)

    return load


def described_folder(place: Place, options: Options) -> PictureSet:
    """The user's own pictures."""
    return scan(place.own, options.categories, options.background, unused=options.unused, index=place.index)


def features_of_table(place: Place, options: Options) -> FeaturePack:
    """The user's own features."""
    return load_feature_table(place.own, options.background, options.categories)
