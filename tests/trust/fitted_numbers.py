"""What a study fits: everything that its fitting is handed and gives back, as a list of digests.

Of kernel machines and regressions that is every call of the functions below; of networks all weights after every step
of an optimiser. Two runs whose lists are the same fitted the same numbers to the same examples.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import pkgutil
import sys
from collections.abc import Mapping

import numpy as np
import torch

from tlbench import methods, studies

FITTING = {
    "methods.kernels": ("mean_squared_distance", *(f"{kind}.fit" for kind in (
        "Linear", "Polynomial", "RBF", "ChiSquared", "Intersection", "MeanKernel", "MeanRBFKernel"
    ))),
    "methods.least_squares_svm": ("train", "factorise"),
    "methods.source_weights": ("leave_one_out", "scalar_weights", "ball_weights"),
    "methods.taught_weights": ("train_members", "teach"),
    "methods.score_features": ("feature_svm",),
    "methods.logistic": ("feature_logistic",),
    "methods.adapted_svm": ("adaptive_svm", "fixed_transfer_svm"),
    "methods.projective_svm": ("projective_svm",),
    "methods.penalised_weights": ("penalised_svm",),
    "methods.source_boosting": ("multi_source_boosting", "weighted_machine"),
    "methods.transfer_terms": ("least_squares_terms", "hyperplane_products"),
    "methods.transfer_components": ("transfer_components",),
    "methods.transfer_gaussian_process": ("_fit",),
    "methods.task_relationships": ("solve_coupled", "learn_relationships", "best_relationship"),
    "methods.transferability": ("logme", "leep", "h_score"),
    "methods.representations": ("linear_cka", "squared_mean_discrepancy"),
    "methods.absent_classes": ("raise_for_share",),
    "methods.networks.penalties": ("diagonal_fisher",),
    "studies.gaussian_processes.conditions": ("Scale.of",),
    "studies.paradigms.adaptation": (
        "correlation_alignment", "subspace_alignment", "component_analysis", "mean_matching_weights"
    ),
}  # fmt: skip
FITTED_BY_SKLEARN = {
    "linear_model": ("Ridge",),
    "decomposition": ("PCA",),
    "cross_decomposition": ("CCA",),
    "discriminant_analysis": ("LinearDiscriminantAnalysis",),
}


class Fitted:
    """The digests, in the order in which they were made."""

    def __init__(self):
        self.digests = []

    def add(self, *values):
        digest = hashlib.blake2b(digest_size=12)
        for value in values:
            _feed(digest, value)
        self.digests.append(digest.hexdigest())


def watch_fitting(monkeypatch):
    """Record all that is fitted from now on, wherever the functions were imported to."""
    fitted = Fitted()
    for part in (studies, methods):  # what is imported later would keep what is watched now
        for module in pkgutil.walk_packages(part.__path__, f"{part.__name__}."):
            importlib.import_module(module.name)
    for room, names in FITTING.items():
        module = importlib.import_module(f"tlbench.{room}")
        for name in names:
            kind, _, method = name.rpartition(".")
            if kind:
                _watch_class_method(monkeypatch, getattr(module, kind), method, fitted)
            else:
                _watch_function(monkeypatch, getattr(module, name), fitted)
    for room, names in FITTED_BY_SKLEARN.items():
        for name in names:
            _watch_method(monkeypatch, getattr(importlib.import_module(f"sklearn.{room}"), name), "fit", fitted)
    _watch_optimisers(monkeypatch, fitted)
    return fitted


def _watch_function(monkeypatch, function, fitted):
    def watched(*arguments, **named):
        found = function(*arguments, **named)
        fitted.add(function.__name__, arguments, named, found)
        return found

    for module in [module for name, module in sys.modules.items() if name.startswith("tlbench")]:
        for name in [name for name, value in vars(module).items() if value is function]:
            monkeypatch.setattr(module, name, watched)


def _watch_class_method(monkeypatch, kind, name, fitted):
    fit = vars(kind)[name].__func__

    def watched(own, *arguments):
        found = fit(own, *arguments)
        fitted.add(kind.__name__, arguments, found)
        return found

    monkeypatch.setattr(kind, name, classmethod(watched))


def _watch_method(monkeypatch, kind, name, fitted):
    fit = getattr(kind, name)

    def watched(self, *arguments, **named):
        fitted.add(kind.__name__, arguments, named)
        return fit(self, *arguments, **named)

    monkeypatch.setattr(kind, name, watched)


def _watch_optimisers(monkeypatch, fitted):
    for kind in (torch.optim.SGD, torch.optim.Adam):
        step = kind.step

        def watched(self, *arguments, step=step, **named):
            found = step(self, *arguments, **named)
            fitted.add([weights for group in self.param_groups for weights in group["params"]])
            return found

        monkeypatch.setattr(kind, "step", watched)


def _feed(digest, value):
    """A value's content; what is neither numbers, words nor made of these (functions, models) has none."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, torch.nn.Module):
        _feed(digest, value.state_dict())
    elif isinstance(value, Mapping):
        for name, one in value.items():
            digest.update(str(name).encode())
            _feed(digest, one)
    elif isinstance(value, (list, tuple)):
        digest.update(f"{len(value)}".encode())
        for one in value:
            _feed(digest, one)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for part in dataclasses.fields(value):
            _feed(digest, getattr(value, part.name))
    elif isinstance(value, (str, bool, int, float, np.generic, type(None))):
        digest.update(repr(value).encode())
