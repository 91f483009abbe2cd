"""What `docs/own-methods.md` shows does what the page says: the class is sound, the claims are tested."""

import re
import sys
from pathlib import Path

import pytest

import tlbench
from tlbench import own_methods, protocol
from tlbench.validation.methods import try_method
from tlbench.validation.protocols import try_protocol

PAGE = (Path(__file__).parents[2] / "docs" / "own-methods.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """The page's files."""
    folder = tmp_path_factory.mktemp("page")
    code = dict(re.findall(r"```(python|toml)\n(.*?)```", PAGE, re.S))
    (folder / "stacked.py").write_text(code["python"], encoding="utf-8")
    (folder / "stacked.toml").write_text(code["toml"], encoding="utf-8")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(folder)
        yield folder
    sys.modules.pop("stacked", None)


def test_the_class_is_sound():
    assert {check.outcome for check in try_method(own_methods.find("stacked:Stacked"))} == {"ok"}


def test_the_protocol_is_sound(folder):
    assert {check.outcome for check in try_protocol(protocol.read(str(folder / "stacked.toml")), "digits")} == {"ok"}


def test_from_python_the_claims_are_tested(folder, tmp_path):
    settings = {"shots": [1, 2], "conditions": ["none", "own:Stacked"]}
    found = tlbench.run(folder / "stacked.toml", settings=settings, results=tmp_path, jobs=1)
    verdicts = found.verdicts().set_index("claim")["verdict"]
    assert verdicts.to_dict() == {"stacking-helps": "reproduced", "stacking-is-as-good": "not run"}
    means = found.measured[found.measured["shots"] == 1].groupby("condition")["value"].mean()
    for condition in means.index:
        assert f"| {condition} | {means[condition]:.1f} |" in PAGE
    assert set(found.tables["weights"]["condition"]) == {"own:Stacked"}


@pytest.mark.slow
def test_methods_are_given_from_python_too(tmp_path):
    settings = {"shots": [1], "conditions": ["own:Stacked"], "seeds": 1, "nonnegative": True}
    given = {"dataset": "digits", "profile": "smoke", "settings": settings, "results": tmp_path, "jobs": 1}
    found = tlbench.run("caltech-multisource", methods=["stacked:Stacked"], **given)
    assert set(found.measured["condition"]) == {"own:Stacked"}
    assert found.manifest["methods"] == {"own:Stacked": own_methods.find("stacked:Stacked").group}
