"""An experiment that is added as CONTRIBUTING.md says: a protocol file and a study, and not a line elsewhere."""

import re
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page():
    return (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def added(place, page):
    """A copy of the program with what the page shows, nothing of it changed."""
    for name in ("tlbench", "experiments"):
        shutil.copytree(REPOSITORY / name, place.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = dict(re.findall(r"```(python|toml)\n(.*?)```", page, re.S))
    room = place.folder / re.search(r"`(tlbench/studies/\w+)/shrunken_mean\.py`", page)[1]
    room.mkdir()
    (room / "__init__.py").write_text(re.search(r"`(STUDIES = .*?)`", page)[1] + "\n", encoding="utf-8")
    (room / "shrunken_mean.py").write_text(code["python"], encoding="utf-8")
    (place.folder / "experiments" / "shrunken-mean.toml").write_text(code["toml"], encoding="utf-8")
    return place


def test_the_page_is_a_page(page):
    assert len(page.splitlines()) <= 110


@pytest.mark.slow
def test_it_is_listed_run_drawn_and_checked(added):
    source = {"PYTHONPATH": str(added.folder)}
    assert "shrunken-mean" in added.succeed("list", **source).out
    done = added.succeed("run", "shrunken-mean", "--jobs", "1", **source)
    assert "shrinking-helps" in done.out
    assert "distance, mean over 9 categories, by shots" in done.out
    folder = added.folder / "results" / "shrunken-mean" / "digits-quick"
    assert {"measurements.csv", "summary.csv", "claims.csv", "errors.png", "errors.svg"} <= {
        path.name for path in folder.iterdir()
    }
    before = (folder / "errors.png").read_bytes()
    (folder / "errors.png").unlink()
    added.succeed("plot", "shrunken-mean", **source)
    assert (folder / "errors.png").read_bytes() == before
    assert "reproduced" in added.succeed("check", "shrunken-mean", **source).out
