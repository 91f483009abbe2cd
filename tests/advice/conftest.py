"""Categories that have a direction in common, each with one of its own; numbers instead of pictures."""

import numpy as np
import pytest

from tlbench.advice import Material
from tlbench.datasets import FeaturePack


def make_material(sources=4, pictures=25, shots=3, background=90, own_background=True, seed=0, unlike=False):
    """Two kinds of feature. Without a background of its own, a third of each source's pictures is set apart."""
    draw = np.random.default_rng(seed)
    dimensions = 12
    common = draw.normal(size=dimensions)
    names = [f"source {number}" for number in range(sources)]
    groups = dict.fromkeys(names, pictures) | {"target": shots} | {"other": background if own_background else 0}
    values, rows, start = [], {}, 0
    for name, count in groups.items():
        centre = np.zeros(dimensions) if name == "other" else 0.9 * common + 0.5 * draw.normal(size=dimensions)
        if name == "target" and unlike:
            centre = -0.9 * common
        values.append(centre + draw.normal(size=(count, dimensions)))
        rows[name] = np.arange(start, start + count)
        start += count
    whole = np.concatenate(values)
    features = {"shape": whole[:, :7], "texture": whole[:, 7:]}
    set_apart = {} if own_background else {name: rows[name][::3] for name in names}
    positives = {name: np.setdiff1d(rows[name], set_apart.get(name, [])) for name in names}
    other = rows["other"] if own_background else np.sort(np.concatenate(list(set_apart.values())))
    pack = FeaturePack(tuple(f"{row:04d}" for row in range(start)), features, positives, other)
    return Material(pack, "target", rows["target"], set_apart)


@pytest.fixture(scope="session")
def material():
    return make_material()


@pytest.fixture(scope="session")
def material_without_background():
    return make_material(own_background=False, pictures=60)
