"""How each kind of experiment is computed; found by name, imported only when used."""

from __future__ import annotations

import importlib

from ..plan import Study
from ..protocol import ProtocolError, nearest

STUDIES = ("source_weighting",)


def find(name: str) -> Study:
    """The study of that name. Raises ProtocolError with the nearest known one."""
    if name not in STUDIES:
        raise ProtocolError(f"there is no study '{name}'; {nearest(name, STUDIES)}")
    study: Study = importlib.import_module(f".{name}", __name__).STUDY
    return study
