"""A classifier by its name: which one, what tells it from an earlier version, and what is said where there is none."""

import importlib
import sys
import textwrap

import pytest

from tlbench.own_methods import BrokenMethodError, find, installed, planned, search_also
from tlbench.protocol import ProtocolError

TEXT = """
    '''Some methods.'''

    from functools import partial

    class Mine:
        '''It says what it is.

        And more.
        '''

        def __init__(self, sources, strength=1.0):
            self.sources, self.strength = sources, strength

    class Child(Mine):
        pass

    class Outer:
        class Inner:
            pass

    Strong = partial(Mine, strength=3.0)
    number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder where modules are found, and forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(folder, name, text=TEXT):
    """A module as if it had just been edited, and imported by nobody yet."""
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    sys.modules.pop(name.replace("/", "."), None)
    importlib.invalidate_caches()
    cached = importlib.util.cache_from_source(str(path))
    path.parent.joinpath("__pycache__", cached.rpartition("/")[2]).unlink(missing_ok=True)


def test_a_class_of_a_module(folder):
    write(folder, "mine_a")
    found = find("mine_a:Mine")
    assert (found.name, found.condition, found.reference) == ("Mine", "own:Mine", "mine_a:Mine")
    assert found.make([], strength=2.0).strength == 2.0
    assert found.says == "a method of your own, mine_a:Mine: It says what it is."
    assert find("mine_a:Outer.Inner").condition == "own:Inner"


def test_a_class_of_a_package(folder):
    write(folder, "packed_a/__init__", "")
    write(folder, "packed_a/inner")
    assert find("packed_a.inner:Mine").reference == "packed_a.inner:Mine"


def test_a_folder_that_is_searched_also_comes_last(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    write(tmp_path, "searched_a")
    write(tmp_path, "textwrap", "raise SystemError('never imported')")
    search_also(tmp_path)
    search_also(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    assert find("searched_a:Mine").name == "Mine"
    sys.modules.pop("searched_a")


def test_what_tells_versions_apart(folder):
    write(folder, "mine_b")
    first = {name: find(f"mine_b:{name}").group for name in ("Mine", "Strong", "Child")}
    assert len(set(first.values())) == 3
    assert first == {name: find(f"mine_b:{name}").group for name in first}
    write(folder, "mine_b", TEXT + "\n    # a word more\n")
    edited = {name: find(f"mine_b:{name}").group for name in first}
    assert not set(edited.values()) & set(first.values())


def test_the_text_of_what_it_inherits_from_tells_versions_apart_but_scikit_learn(folder):
    child = """
        from base_a import Mine
        from sklearn.base import BaseEstimator

        class Child(Mine, BaseEstimator):
            pass
    """
    write(folder, "base_a")
    write(folder, "child_a", child)
    first = find("child_a:Child").group
    write(folder, "base_a", TEXT + "\n    # a word more\n")
    write(folder, "child_a", child)
    assert find("child_a:Child").group != first


def test_a_default_that_the_text_does_not_say_tells_versions_apart(folder, monkeypatch):
    text = """
        import os

        class Mine:
            def __init__(self, strength=os.environ["STRENGTH"], of=print):
                pass
    """
    found = []
    for strength in ("1", "2", "1"):
        monkeypatch.setenv("STRENGTH", strength)
        write(folder, "mine_c", text)
        found.append(find("mine_c:Mine").group)
    assert found[0] == found[2] != found[1]


def test_a_default_without_words_does_not(folder):
    text = """
        class Thing:
            pass

        class Mine:
            def __init__(self, of=Thing()):
                pass
    """
    write(folder, "mine_d", text)
    first = find("mine_d:Mine").group
    write(folder, "mine_d", text)
    assert find("mine_d:Mine").group == first


def test_a_planned_method_has_to_be_as_it_was(folder):
    write(folder, "mine_e")
    group = find("mine_e:Mine").group
    assert planned(group).group == group
    write(folder, "mine_e", TEXT + "\n    # a word more\n")
    with pytest.raises(BrokenMethodError, match="mine_e:Mine has changed since the run was planned; run it again"):
        planned(group)


def test_an_entry_point_by_its_name(folder):
    write(folder, "offered_a")
    about = folder / "offered-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[tlbench.methods]\nnearest-mean = offered_a:Mine\n", encoding="utf-8")
    assert set(installed()) == {"nearest-mean"}
    found = find("nearest-mean")
    assert (found.condition, found.reference) == ("own:nearest-mean", "offered_a:Mine")
    assert planned(found.group).reference == "offered_a:Mine"
    with pytest.raises(
        ProtocolError, match="there is no method 'nearest'; name one as MODULE:Class, or one of nearest"
    ):
        find("nearest")


@pytest.mark.parametrize(
    "reference", ["", "mine", "mine:", ":Mine", "mine/Mine", "mine:Mine()", "a b:C", "mine:1-2", "é è:x"]
)
def test_what_is_no_name(reference):
    with pytest.raises(ProtocolError, match="name one as MODULE:Class"):
        find(reference)


def test_what_is_not_there(folder):
    write(folder, "mine_f")
    write(folder, "empty_a", "")
    for reference, words in {
        "nothere_a:Mine": "there is no module 'nothere_a'",
        "nothere_a.deeper:Mine": "there is no module 'nothere_a'",
        "mine_f.deeper:Mine": "there is no module 'mine_f.deeper'",
        "mine_f:Mein": "has no 'Mein'; did you mean 'Mine'",
        "mine_f:Mine.Inner": "has no 'Mine.Inner'",
        "empty_a:Mine": "it holds no class",
    }.items():
        with pytest.raises(ProtocolError, match=words):
            find(reference)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothere_b", "No module named 'nothere_b'"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_a_module_that_breaks(folder, text, words):
    write(folder, "breaks_a", text)
    with pytest.raises(BrokenMethodError, match=f"module breaks_a cannot be imported .*{words}"):
        find("breaks_a:Mine")


def test_what_cannot_be_called(folder):
    write(folder, "mine_g")
    with pytest.raises(BrokenMethodError, match="mine_g:number is no class, but 3"):
        find("mine_g:number")
