"""An experiment as data: what a paper did, what we choose ourselves, and what it claimed.

A protocol is a TOML file. Those that ship lie in ``experiments/``; a user copies one, edits it and runs it by its path.
Everything is typed here; whether choices and factors fit the study is for ``plan`` to say.
"""

from .claim import Claim, Expectation
from .experiment import Choice, Data, Profile, Protocol, Reference
from .figure import Figure
from .files import parse, read, shipped, shipped_folder, with_methods
from .selection import Selection, columns_used, parts, words_used
from .strict import Name, ProtocolError, Text, Value, convert, nearest

__all__ = [
    "Choice",
    "Claim",
    "Data",
    "Expectation",
    "Figure",
    "Name",
    "Profile",
    "Protocol",
    "ProtocolError",
    "Reference",
    "Selection",
    "Text",
    "Value",
    "columns_used",
    "convert",
    "nearest",
    "parse",
    "parts",
    "read",
    "shipped",
    "shipped_folder",
    "with_methods",
    "words_used",
]
