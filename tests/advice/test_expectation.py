"""What is expected of a new target, against closed forms, simulation and curves that are known."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from tlbench.advice.expectation import Interval, accuracy_of, choose, gain_of, predict, worth_in_labels


def rehearsal(curves, players=4, draws=3, spread=0.0):
    """option → accuracy by shots; every player and draw the same but for a spread of the player's own."""
    rows = []
    for player in range(players):
        for draw in range(draws):
            for shots in curves["none"]:
                values = {
                    option: curve[shots] + spread * (player - (players - 1) / 2) for option, curve in curves.items()
                }
                rows.append({"source": f"s{player}", "draw": draw, "shots": shots, **values, "likeness": 0.5})
    return pd.DataFrame(rows)


CURVES = {
    "none": {1: 50.0, 2: 60.0, 4: 70.0, 8: 80.0},
    "average": {1: 52.0, 2: 61.0, 4: 71.0, 8: 80.0},
    "equal": {1: 55.0, 2: 60.0, 4: 65.0, 8: 70.0},
    "ours": {1: 65.0, 2: 70.0, 4: 75.0, 8: 81.0},
}


def test_one_draw_a_player_gives_the_textbooks_prediction_interval():
    values = np.array([70.0, 74.0, 81.0, 69.0, 77.0])
    found = predict(values[:, None])
    half = student.ppf(0.975, 4) * values.std(ddof=1) * np.sqrt(1 + 1 / 5)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


@pytest.mark.parametrize(("between", "within"), [(6.0, 3.0), (2.0, 6.0), (5.0, 0.5)])
def test_nineteen_of_twenty_new_targets_fall_within(between, within):
    draw = np.random.default_rng(3)
    held = 0
    for _ in range(2000):
        players = 70 + between * draw.normal(size=(10, 1))
        new = 70 + between * draw.normal() + within * draw.normal()
        held += predict(players + within * draw.normal(size=(10, 5))).holds(new)
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_an_interval_stays_within_what_is_possible():
    wide = rehearsal(CURVES, spread=30.0)
    assert accuracy_of(wide, 8, "ours").high == 100.0
    assert accuracy_of(wide, 1, "none").low == 0.0
    assert gain_of(wide, 1, "ours") == Interval(15.0, 15.0, 15.0)  # every player gains the same
    assert not accuracy_of(wide, 8, "ours").holds(100.5)


def test_our_own_weights_are_taken_unless_another_way_clearly_leads():
    assert choose(rehearsal(CURVES), 1) == "ours"
    better = CURVES | {"equal": dict.fromkeys(CURVES["none"], 90.0)}
    assert choose(rehearsal(better), 4) == "equal"
    unsure = rehearsal(better)
    unsure["equal"] += 40 * np.where(unsure["source"] == "s0", -1.0, 0.0)  # leads by its mean, but not for all
    assert unsure["equal"].mean() > unsure["ours"].mean()
    assert choose(unsure, 4) == "ours"


def test_labels_without_transfer_that_are_worth_as_much():
    known = rehearsal(CURVES)
    assert worth_in_labels(known, 1, "ours") == (pytest.approx(np.sqrt(8)), True)  # 65: midway from 2 to 4
    assert worth_in_labels(known, 2, "ours") == (pytest.approx(4.0), True)
    assert worth_in_labels(known, 8, "ours") == (8.0, False)
    assert worth_in_labels(known, 4, "equal") == (4.0, True)  # no gain
