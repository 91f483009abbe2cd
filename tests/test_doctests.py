"""Every public name shows itself at work, and what its example says comes out; warnings are errors as everywhere."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from types import FunctionType, ModuleType

import pytest

import tlbench
import tlbench.methods

METHODS = [one.name for one in pkgutil.walk_packages(tlbench.methods.__path__, "tlbench.methods.") if not one.ispkg]
NETWORKS = "tlbench.methods.networks."
PUBLIC = [name for name in tlbench.__all__ if not name.startswith("__")]
PLACES = [module.__name__ for module in (inspect.getmodule(getattr(tlbench, name)) for name in PUBLIC) if module]

SHOWN_BY_THEIR_FUNCTIONS = {
    # What functions return, or are handed, without an idea of its own; its fields have their shapes beside them.
    *("Settled", "Source", "Observations", "Hyperparameters", "Gradient", "LeaningMachine", "Factorisation"),
    *("PenalisedSquares", "RelatedTasks", "LinearMachine", "BoostedMachines", "WeightedMachine", "LeaveOneOut"),
    *("Tasks", "LearnedRelationship", "Machine", "Lesson", "Members", "Fitted", "Model", "TransferTerms"),
}


class SignOfZero(doctest.OutputChecker):
    """−0.0 and 0.0 are the same number; which of them rounding leaves is the processor's affair."""

    def check_output(self, want, got, flags):
        plain = [re.sub(r"-(0\.0*(?![\d]))", r"\1", text) for text in (want, got)]
        return super().check_output(*plain, flags)


def opened(name: str) -> ModuleType:
    if name.startswith(NETWORKS):
        pytest.importorskip("torch")
    return importlib.import_module(name)


def examples(of: object) -> bool:
    return bool(doctest.DocTestParser().get_examples(inspect.getdoc(of) or ""))


@pytest.mark.parametrize("name", sorted({*METHODS, *PLACES}))
def test_examples_come_out_as_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(SignOfZero(), verbose=False)
    said: list[str] = []
    for one in doctest.DocTestFinder(exclude_empty=True).find(opened(name)):
        runner.run(one, out=said.append)
    assert not runner.failures, "".join(said)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_of_the_package_has_an_example(name):
    assert examples(getattr(tlbench, name))


def test_every_method_has_an_example():
    without = set()
    for name in METHODS:
        if not name.startswith(NETWORKS):
            module = opened(name)
            defined = {key: value for key, value in vars(module).items() if isinstance(value, type | FunctionType)}
            public = {key for key, value in defined.items() if value.__module__ == name and not key.startswith("_")}
            assert public, name
            without |= {key for key in public if not examples(defined[key])}
    assert without == SHOWN_BY_THEIR_FUNCTIONS


def test_an_example_that_is_wrong_is_found():
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n>>> -0.0\n0.0\n", {}, "wrong", None, 0)
    runner = doctest.DocTestRunner(SignOfZero(), verbose=False)
    assert runner.run(wrong, out=lambda _: None) == (1, 2)
