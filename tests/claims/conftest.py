"""What the tests of claims start from: made-up measurements, and the toy protocol with claims of one's own."""

from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

from tlbench import protocol
from tlbench.claims import Extent, assess, effects
from tlbench.protocol import Claim

SHOTS = [1, 2, 4, 8]
FACTORS = {"shots": SHOTS}


def claim(**keys):
    usual = {
        "id": "c",
        "says": "s",
        "source": "w",
        "test": "difference",
        "of": {"condition": "new"},
        "to": {"condition": "old"},
    }
    return Claim(**{**usual, **keys})


def measured(values):
    """A table of measurements from value(unit, split, condition, shots) over six units and two splits."""
    rows = [
        (f"u{unit}", split, condition, shots, float(values(unit, split, condition, shots)))
        for unit in range(6)
        for split in range(2)
        for condition in ("old", "new")
        for shots in SHOTS
    ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"]).assign(metric="accuracy")


def of_effects(effects):
    """A table where the new condition differs from the old by the given effect in each unit, everywhere alike."""
    rows = [
        (f"u{unit}", 0, condition, shots, 60.0 + shots + (effect if condition == "new" else 0.0))
        for unit, effect in enumerate(effects)
        for condition in ("old", "new")
        for shots in SHOTS
    ]
    return pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"]).assign(metric="accuracy")


def means(table):
    return table.groupby(["condition", "shots", "metric", "unit"], sort=False)["value"].mean().reset_index()


def irregular(unit, split, condition, shots):
    return (7 * unit + 3 * shots + 11 * split) % 13 + (condition == "new") * ((unit + 1) * 5 / shots + split)


def values(declared, table, factors=FACTORS):
    """The effect in each unit: that of the claim on a table of this unit alone."""
    whole, extent = means(table), Extent(factors)
    return np.array([effects(declared, part, extent)[""].mean for _, part in whole.groupby("unit", sort=False)])


@pytest.fixture
def made(toy):
    """Tables and what is done with them."""

    def judge(table, *declared, factors=FACTORS):
        whole = protocol.parse({**toy.content, "claims": [], "factors": {"shots": SHOTS}}, "toy")
        return assess(msgspec.structs.replace(whole, claims=list(declared)), table, factors)

    return SimpleNamespace(
        shots=SHOTS,
        factors=FACTORS,
        claim=claim,
        measured=measured,
        of_effects=of_effects,
        means=means,
        irregular=irregular,
        values=values,
        judge=judge,
    )
