"""`tlbench validate`: what is wrong with a classifier or a protocol file, in a table, with an exit status."""

import json

import pytest

MINE = """
class NearestMean:
    def fit(self, X, y):
        self.middle = (X[y > 0].mean(0) + X[y < 0].mean(0)) / 2
        self.direction = X[y > 0].mean(0) - X[y < 0].mean(0)

    def decision_function(self, X):
        return (X - self.middle) @ self.direction


class Alike(NearestMean):
    def decision_function(self, X):
        return (X - X.mean(0)) @ self.direction
"""


def tried(place, *arguments):
    """Rows by what was tried, and the exit status."""
    done = place.tlbench("validate", *arguments, "--format", "json")
    assert "Traceback" not in done.err, done.err
    (table,) = json.loads(done.out)
    return {row["what was tried"]: row for row in table["rows"]}, done.status


@pytest.fixture
def mine(place):
    (place.folder / "mine.py").write_text(MINE, encoding="utf-8")
    (place.folder / "broken.py").write_text("import nothere\n", encoding="utf-8")
    return place


def test_a_good_classifier(mine):
    done = mine.succeed("validate", "mine:NearestMean")
    assert "No problem found in mine:NearestMean." in done.out
    assert "97 % of the toy problem are right" in done.out
    assert mine.everything() == [mine.folder / "broken.py", mine.folder / "mine.py"]


def test_one_that_looks_at_the_other_test_examples(mine):
    rows, status = tried(mine, "mine:Alike")
    assert status == 1
    assert [what for what, row in rows.items() if row["outcome"] == "problem"] == ["decides on each example by itself"]


def test_one_that_cannot_be_imported(mine):
    rows, status = tried(mine, "broken:Mine")
    assert status == 1
    assert list(rows) == ["found and imported"]
    assert "No module named 'nothere'" in rows["found and imported"]["what was found"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mine:Nearest",), "did you mean 'NearestMean'"),
        (("./nothere.toml",), "there is no protocol file"),
        (("mine:NearestMean", "--dataset", "digits"), "leave it out"),
        (("caltech-multisource", "--dataset", "digitz"), "did you mean 'digits'"),
        ((), "METHOD|PROTOCOL"),
    ],
)
def test_what_is_not_there(mine, arguments, words):
    done = mine.tlbench("validate", *arguments)
    assert done.status == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_protocol_that_ships_is_well_and_leaves_nothing_behind(place):
    rows, status = tried(place, "caltech-multisource")
    assert status == 0, rows
    assert {row["outcome"] for row in rows.values()} == {"ok"}
    assert rows["plan of smoke on digits"]["what was found"] == "54 blocks"
    assert rows["one block"]["what was found"] == "zero, splits 0–1, none"
    assert "figure curves" in rows["its tables and figures"]["what was found"]
    assert "figure weights" in rows
    assert "claim gain-shrinks" in rows
    assert place.everything() == []


@pytest.mark.slow
def test_a_protocol_of_ones_own_with_a_method(mine):
    mine.protocol(
        {
            "multi-taught": "multi-taught",
            'oracles = ["single-oracle"]': 'methods = ["mine:Alike"]\noracles = ["single-oracle"]',
        }
    )
    done = mine.tlbench("validate", "./mine.toml")
    assert done.status == 1
    assert "63 blocks" in done.out
    assert "1 problem found in ./mine.toml." in done.out
    assert "tested without the others is decided otherwise" in " ".join(done.out.split())


@pytest.mark.parametrize(("old", "new", "words"), [("asks  ", "akss  ", "akss"), ("[factors]", "[factors", "TOML")])
def test_a_file_that_cannot_be_read(mine, old, new, words):
    mine.protocol({old: new})
    rows, status = tried(mine, "./mine.toml")
    assert status == 1
    assert list(rows) == ["read"]
    assert words in rows["read"]["what was found"]


def test_an_experiment_whose_data_are_not_here(mine):
    text = mine.protocol().read_text(encoding="utf-8")
    (mine.folder / "mine.toml").write_text(
        text.replace('default = "caltech256-features"', 'default = "digits"').replace('setting = "mixed"', ""),
        encoding="utf-8",
    )
    rows, status = tried(mine, "./mine.toml", "--dataset", "caltech256-features")
    assert status == 0
    assert rows["plan of smoke on digits"]["outcome"] == "ok"
