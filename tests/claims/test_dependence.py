"""What docs/what-you-may-conclude.md says of units that share something: where levels hold, and where they do not."""

import importlib
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from tlbench.claims import holm
from tlbench.claims.ranks import among_units, rank_correlation
from tlbench.claims.statistics import two_groups

ROOT = Path(__file__).parents[2]
SHOTS = [1, 2, 3, 5, 10]
RUNS = 4_000


@pytest.fixture
def tables(monkeypatch):
    """The script that writes the page's tables."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("dependence_tables")


def noise(rate, runs=RUNS):
    """Four standard deviations of a share of runs."""
    return 4 * math.sqrt(max(rate * (1 - rate), 1e-3) / runs)


# What is simulated is what the program does


@pytest.fixture
def drawn(made):
    """Effects (units, levels) and the p of every claim that the program finds on them."""

    def judged(effects):
        rows = [
            (f"u{unit}", 0, condition, shots, 60.0 + unit + (effects[unit, place] if condition == "new" else 0.0))
            for unit in range(len(effects))
            for condition in ("old", "new")
            for place, shots in enumerate(SHOTS)
        ]
        table = pd.DataFrame(rows, columns=["unit", "split", "condition", "shots", "value"]).assign(metric="accuracy")
        claims = [
            made.claim(id="difference", over={"shots": [1, 2, 3]}),
            made.claim(id="slope", test="slope", along="shots", direction="rises"),
            made.claim(id="every", every="shots"),
            made.claim(id="equivalent", test="equivalent", margin=1.5, over={"shots": [1, 2, 3]}),
            made.claim(id="not_worse", test="not_worse", margin=0.5, over={"shots": "most"}),
        ]
        return made.judge(table, *claims, factors={"shots": SHOTS})

    return judged


def test_the_tests_that_are_simulated_are_those_of_the_program(tables, drawn):
    draw = np.random.default_rng(0)
    runs = draw.normal(0.4, 1.0, (8, 9, 1)) + draw.normal(0.0, 1.0, (8, 9, 5))
    doublings = np.log2(SHOTS) - np.log2(SHOTS).mean()
    few = runs[..., :3].mean(axis=-1)
    simulated = {
        "difference": tables.p_difference(few),
        "slope": tables.p_difference(runs @ doublings),
        "every": tables.p_every(runs),
        "equivalent": tables.p_equivalent(few, 1.5),
        "not_worse": tables.p_difference(runs[..., -1] + 0.5),
    }
    family = tables.holm_rejects(np.stack(list(simulated.values()), axis=1))
    for number, effects in enumerate(runs):
        findings = drawn(effects)
        for finding in findings:
            assert simulated[finding.claim.id][number] == pytest.approx(finding.p, abs=1e-9), finding.claim.id
        assert family[number] == (min(holm([finding.p for finding in findings])[0]) < 0.05)
        assert family[number] == any(f.verdict in ("reproduced", "contradicted") for f in findings)


def test_two_groups_and_ranks_that_are_simulated_are_those_of_the_program(tables):
    draw = np.random.default_rng(1)
    effects = draw.normal(size=(5, 14))
    for p, one in zip(tables.p_two_groups(effects, 6), effects, strict=True):
        assert p == pytest.approx(two_groups(one[:6], one[6:]).p(0.0), abs=1e-12)
    first, second = draw.normal(size=(2, 6, 8))
    found = tables.rank_correlations(first, second)
    for rho, one, other in zip(found, first, second, strict=True):
        assert rho == pytest.approx(among_units(np.column_stack([rankdata(one), rankdata(other)])).mean)
    rows = [(f"u{u}", f"s{s}", first[u, s], second[u, s]) for u in range(6) for s in range(8)]
    ranked = rank_correlation(pd.DataFrame(rows, columns=["unit", "source", "a", "b"]), ("a", "b"), "source")
    assert ranked.p(0.0) == pytest.approx(tables.p_difference(found[None])[0], abs=1e-12)


# What holds


def test_every_level_holds_for_independent_units(tables):
    seen = tables.columns(tables.correlated("", np.eye(9)), seed=1, runs=RUNS)
    for name in ("difference", "slope", "not_worse", "equivalent"):
        assert seen[name] == pytest.approx(0.05, abs=noise(0.05)), name
    assert seen["every"] < 0.05 + noise(0.05)
    assert seen["family"] < 0.05 + noise(0.05)
    assert seen["covers"] == pytest.approx(0.95, abs=noise(0.95))
    assert seen["power"] == pytest.approx(0.80, abs=noise(0.8))


def test_the_level_holds_for_other_splits_of_the_same_classes(tables):
    seen = tables.columns(tables.class_splits("", these=True), seed=1, runs=RUNS)
    for name in ("difference", "slope", "not_worse", "equivalent", "every", "family"):
        assert seen[name] < 0.05, name
    assert seen["covers"] > 0.95
    assert seen["power"] > 0.80


def test_splits_are_no_units(tables):
    rates = {name: rate for name, (_, rate) in tables.other_rates(seed=1, runs=RUNS).items()}
    assert rates["splits in units"] == pytest.approx(0.05, abs=noise(0.05))
    assert rates["splits as units"] > 0.25
    assert rates["groups"] < 0.05 + noise(0.05)
    assert rates["ranks"] == pytest.approx(0.05, abs=noise(0.05))


# What does not hold


@pytest.mark.parametrize(("units", "share"), [(9, 0.25), (40, 0.05)])
def test_no_level_holds_for_units_that_share_much(tables, units, share):
    seen = tables.columns(tables.correlated("", tables.shared(units, share)), seed=1, runs=RUNS)
    for name in ("difference", "slope", "not_worse", "family"):
        assert seen[name] > 0.2, name
    assert seen["covers"] < 0.8
    assert seen["power"] < 0.8


def test_the_level_does_not_hold_for_other_classes(tables):
    seen = tables.columns(tables.class_splits("", these=False), seed=1, runs=RUNS)
    assert seen["difference"] > 0.15
    assert seen["covers"] < 0.85


def test_groups_and_ranks_that_share_do_not_keep_the_level(tables):
    rates = {name: rate for name, (_, rate) in tables.other_rates(seed=1, runs=RUNS).items()}
    assert 0.05 + noise(0.05) < rates["groups 5"] < rates["groups 25"]
    assert 0.05 + noise(0.05) < rates["ranks 25"] < rates["ranks 50"]


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_a_p_endures_the_share_that_is_said(tables, share):
    """Divided by √(1 + J ρ/(1 − ρ)) t keeps its level, and a p endures the share at which that t would be critical."""
    effects = tables.correlated("", tables.shared(9, share)).draw(40_000, np.random.default_rng(2))
    honest = tables.t_of(effects) / math.sqrt(1 + 9 * share / (1 - share))
    p = tables.two_sided(honest, 8)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=noise(0.05, 40_000))
    some = slice(0, 200)
    endures = [tables.endured(value, 9) > share for value in tables.p_difference(effects)[some]]
    assert endures == (p[some] < 0.05).tolist()


# The page


def numbers(page, name):
    """The cells of a table of the page."""
    _, _, rest = page.partition(f"<!-- dependence: {name} -->")
    lines = rest.partition(f"<!-- /dependence: {name} -->")[0].strip().splitlines()[2:]
    return {cells[0]: cells[1:] for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)}


def test_the_page_says_what_the_committed_run_endures(tables):
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.between_marks(page, "claims", tables.endured_table()) == page


@pytest.mark.slow
def test_the_page_shows_what_another_seed_gives(tables):
    page = tables.PAGE.read_text(encoding="utf-8")
    shown = numbers(page, "units")
    names = ("difference", "slope", "every", "equivalent", "family", "covers", "power")
    found = tables.worlds()
    assert list(shown) == [world.says for world in found.values()]
    for world in found.values():
        fresh = tables.columns(world, seed=5)
        for name, cell in zip(names, shown[world.says], strict=True):
            rate = fresh[name]
            assert float(cell) / 100 == pytest.approx(rate, abs=5e-4 + math.sqrt(2) * noise(rate, tables.RUNS)), name
    rates = dict(tables.other_rates(seed=5).values())
    assert {says: float(cell) / 100 for says, (cell,) in numbers(page, "tests").items()} == pytest.approx(
        rates, abs=0.015
    )
    assert re.search(r"20,000 runs", page)
    assert tables.RUNS == 20_000
