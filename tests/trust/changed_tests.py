"""Data sets in which some rows are changed: given each other's labels, or replaced by noise.

A key says where rows are counted: the setting of several packs, the task of regression tables, or "" where there is
but one place.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tlbench.datasets import ArrayPixels, FeaturePack, LabelledPictures, RegressionTables, SettingPacks

WAYS = ("labels", "noise")
NONE = np.zeros(0, dtype=np.intp)


def changed(data, parts, way):
    """The data with all rows of the parts changed, each a {key: rows}; what one becomes does not depend on the others.

    labels: examples of a part change places, so that each has another's label: labels and identities stay where they
    are, as draws go by them, and the pictures move. noise: numbers between the least and the greatest. outputs: noise
    in the place of what regressions predict, which exchanging leaves with the same mean and spread.
    """
    if isinstance(data, SettingPacks):
        packs = {key: changed(pack, _of(parts, key), way) for key, pack in data.packs.items()}
        return SettingPacks(packs)
    if isinstance(data, RegressionTables):
        name = "inputs" if way == "noise" else "targets"
        new = {
            task: mixed(values, [part.get(task, NONE) for part in parts], way)
            for task, values in getattr(data, name).items()
        }
        return dataclasses.replace(data, **{name: new})
    rows = [part[""] for part in parts]
    if isinstance(data, LabelledPictures):
        pixels = data.pixels.take(np.arange(len(data.labels)))
        return dataclasses.replace(data, pixels=ArrayPixels(mixed(pixels, rows, way)))
    return dataclasses.replace(
        data, features={kind: mixed(values, rows, way) for kind, values in data.features.items()}
    )


def _of(parts, key):
    return [{"": part.get(key, NONE)} for part in parts]


def mixed(values, parts, way):
    """An array with the rows of some parts changed."""
    new, low, high = np.array(values), float(values.min()), float(values.max())
    for rows in parts:
        if way == "labels":
            new[rows] = values[np.roll(rows, len(rows) // 2)]
        else:
            draw = np.random.default_rng(len(rows))
            new[rows] = draw.uniform(low, high, new[rows].shape).astype(new.dtype)
    return new


def numbered(data):
    """The same data with every number of an example replaced by the number of its row: draws tell what they drew."""
    if isinstance(data, SettingPacks):
        return SettingPacks({key: numbered(pack) for key, pack in data.packs.items()})
    if isinstance(data, RegressionTables):
        inputs = {task: np.indices(values.shape)[0].astype(float) for task, values in data.inputs.items()}
        return dataclasses.replace(data, inputs=inputs)
    assert isinstance(data, FeaturePack)
    features = {kind: np.indices(values.shape)[0].astype(float) for kind, values in data.features.items()}
    return dataclasses.replace(data, features=features)


def others(data, rows):
    """All rows that are not among {key: rows}, of the same keys."""
    counts = {
        SettingPacks: lambda key: len(data.packs[key].identities),
        RegressionTables: lambda key: len(data.targets[key]),
        LabelledPictures: lambda _: len(data.labels),
        FeaturePack: lambda _: len(data.identities),
    }
    return {key: np.setdiff1d(np.arange(counts[type(data)](key)), own) for key, own in rows.items()}
