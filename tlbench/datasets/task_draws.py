"""Tasks that are made up anew for every unit, by the experiment itself: data that hold no example."""

from __future__ import annotations

import numpy as np

from .feature_pack import FeaturePack


def load_task_draws() -> FeaturePack:
    """A pack without examples: what is drawn follows from the experiment's parameters and its seed alone.

    Its one category is empty, so an experiment that wants examples says how many it lacks.
    """
    nobody = np.zeros(0, dtype=np.intp)
    return FeaturePack((), {}, {"drawn by the experiment": nobody}, nobody)
