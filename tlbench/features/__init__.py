"""Pictures to vectors: files decoded as a person sees them, described in several ways, each once for ever."""

from .cache import FeatureCache
from .decoding import read_both, read_grey, read_rgb
from .deep import LITE, deep_kind, import_check, lite_weights, pretrained
from .deep_blocks import block_widths, blocks_kind
from .errors import FeaturesError, PictureError
from .extraction import Described, Filled, Picture, describe, ensure
from .kinds import BAGS, KINDS, Bag, Kind, find, names
from .lbp import lbp
from .phog import phog
from .pixels import pixels
from .regcov import regcov
from .sift import dense_sift
from .vocabulary import MOST_TO_LEARN_FROM, Vocabulary, learn, settle
from .words import fit_words, histogram

__all__ = [
    "BAGS",
    "KINDS",
    "LITE",
    "MOST_TO_LEARN_FROM",
    "Bag",
    "Described",
    "FeatureCache",
    "FeaturesError",
    "Filled",
    "Kind",
    "Picture",
    "PictureError",
    "Vocabulary",
    "block_widths",
    "blocks_kind",
    "deep_kind",
    "dense_sift",
    "describe",
    "ensure",
    "find",
    "fit_words",
    "histogram",
    "import_check",
    "lbp",
    "learn",
    "lite_weights",
    "names",
    "phog",
    "pixels",
    "pretrained",
    "read_both",
    "read_grey",
    "read_rgb",
    "regcov",
    "settle",
]
