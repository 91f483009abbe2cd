"""How each kind of experiment is computed: a room for each kind, a study found by name and imported only when used."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.util import find_spec

from ..protocol import ProtocolError, nearest
from ..study import Study

PARTS = {"networks": ("torch", "torchvision", "safetensors"), "adaptation": ("skada", "h5py")}
"""The packages that each optional part of tlbench needs."""


class MissingPartError(Exception):
    """An optional part of tlbench is not installed; the message says how to have it."""


@cache
def rooms() -> dict[str, str]:
    """Name of each study → the module that holds it: every room names its own in ``STUDIES``."""
    names = [f"{__name__}.{room.name}" for room in pkgutil.iter_modules(__path__)]
    return {study: f"{name}.{study}" for name in names for study in importlib.import_module(name).STUDIES}


def find(name: str) -> Study:
    """The study of that name. Raises ProtocolError with the nearest known one."""
    known = rooms()
    if name not in known:
        raise ProtocolError(f"there is no study '{name}'; {nearest(name, list(known))}")
    study: Study = importlib.import_module(known[name]).STUDY
    return study


def require_part(study: Study) -> None:
    """Raises MissingPartError where what the study computes with is not installed."""
    missing = [package for package in PARTS.get(study.part or "", ()) if find_spec(package) is None]
    if missing:
        raise MissingPartError(
            f"this experiment needs {' and '.join(missing)}, not installed here; "
            f"to have it: pip install 'tlbench[{study.part}]'"
        )
