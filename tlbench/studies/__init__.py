"""How each kind of experiment is computed; found by name, imported only when used."""

from __future__ import annotations

import importlib
from importlib.util import find_spec

from ..protocol import ProtocolError, nearest
from ..study import Study

STUDIES = ("source_weighting", "increasing_sources", "leak_audit", "kernel_terms", "relatedness", "layer_transfer")
PARTS = {"networks": ("torch", "torchvision", "safetensors")}


class MissingPartError(Exception):
    """An optional part of tlbench is not installed; the message says how to have it."""


def find(name: str) -> Study:
    """The study of that name. Raises ProtocolError with the nearest known one."""
    if name not in STUDIES:
        raise ProtocolError(f"there is no study '{name}'; {nearest(name, STUDIES)}")
    study: Study = importlib.import_module(f".{name}", __name__).STUDY
    return study


def require_part(study: Study) -> None:
    """Raises MissingPartError where what the study computes with is not installed."""
    missing = [package for package in PARTS.get(study.part or "", ()) if find_spec(package) is None]
    if missing:
        raise MissingPartError(
            f"this experiment needs {', '.join(missing)}, which is not installed; "
            f"install it with: pip install 'tlbench[{study.part}]'"
        )
