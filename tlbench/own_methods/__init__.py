"""A user's own classifiers: found by name, held to a contract, and joined to a study as conditions of their own."""

from .contract import ContractError, Source, decide, fit, source_weights
from .finding import BrokenMethodError, OwnMethod, find, installed, planned, search_also
from .joining import join

__all__ = [
    "BrokenMethodError",
    "ContractError",
    "OwnMethod",
    "Source",
    "decide",
    "find",
    "fit",
    "installed",
    "join",
    "planned",
    "search_also",
    "source_weights",
]
