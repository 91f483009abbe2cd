"""Pictures to vectors: files decoded as a person sees them, described in several ways, each once for ever."""

from .cache import FeatureCache
from .decoding import read_grey, read_rgb
from .errors import FeaturesError, PictureError
from .extraction import Described, Filled, Picture, describe, ensure
from .kinds import KINDS, Kind, find
from .phog import phog
from .pixels import pixels

__all__ = [
    "KINDS",
    "Described",
    "FeatureCache",
    "FeaturesError",
    "Filled",
    "Kind",
    "Picture",
    "PictureError",
    "describe",
    "ensure",
    "find",
    "phog",
    "pixels",
    "read_grey",
    "read_rgb",
]
