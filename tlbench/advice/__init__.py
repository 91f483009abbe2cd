"""Advice on a user's own pictures: whether to transfer, from which sources, what to expect; and the model."""

from .advising import Advice, Expected, advise
from .expectation import Interval
from .figure import draw
from .gathering import describe, find_pictures, material_of, settle
from .layers import judge_layers, layers_page, layers_sheet
from .material import Material
from .model import KindOfModel, Model, load
from .page import page, sheets
from .unseen import unseen_pictures

__all__ = [
    "Advice",
    "Expected",
    "Interval",
    "KindOfModel",
    "Material",
    "Model",
    "advise",
    "describe",
    "draw",
    "find_pictures",
    "judge_layers",
    "layers_page",
    "layers_sheet",
    "load",
    "material_of",
    "page",
    "settle",
    "sheets",
    "unseen_pictures",
]
