"""What is wrong with the input is said in one line, with status 2, before anything is written."""

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.fault("input")

X = "caltech-multisource"
DIGITS = ("run", X, "--dataset", "digits", "--profile", "smoke")
LONG = "x" * 300


def assert_refused(place, arguments, words, **more):
    """One sentence on stderr that holds the words, status 2, no traceback, and not a file more than before."""
    before = place.everything()
    done = place.tlbench(*arguments, **more)
    assert "Traceback" not in done.err, done.err[-600:]
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.startswith("tlbench: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith("\n")
    for word in words if isinstance(words, tuple) else (words,):
        assert word in done.err
    assert place.everything() == before


COMMAND_LINES = [
    # what there is not, with the nearest there is
    (("run", "caltech-multisorce"), ("caltech-multisorce", "did you mean 'caltech-multisource'")),
    (("run", "zzz"), ("zzz", X)),
    (("run", ""), X),
    (("run", LONG), X),
    (("run", "./nothere.toml"), "nothere.toml"),
    (("run", f"{LONG}.toml"), LONG),
    (("run", "."), "'.'"),
    (("run", X, "--dataset", "digitz"), ("digitz", "did you mean 'digits'")),
    (("run", X, "--dataset", ""), "data set"),
    (("run", X, "--dataset", "x" * 5000), "data set"),
    (("run", X, "--dataset", "features:"), "features:PATH"),
    (("run", X, "--dataset", "features:nothere.csv"), "nothere.csv"),
    (("run", X, "--dataset", f"features:{'x' * 5000}.csv"), "xxx"),
    (("run", X, "--dataset", "features:."), ".csv"),
    ((*DIGITS, "--profile", "smok"), ("smok", "did you mean 'smoke'")),
    ((*DIGITS, "--profile", ""), "profile"),
    ((*DIGITS, "--set", "conditions=none,multi-weigthed"), ("multi-weigthed", "did you mean 'multi-weighted'")),
    ((*DIGITS, "--set", "conditions="), "condition"),
    ((*DIGITS, "--set", "shotz=1"), ("shotz", "did you mean 'shots'")),
    ((*DIGITS, "--sedes", "1"), "--seeds"),
    (("rum", X), "rum"),
    (("run",), "EXPERIMENT"),
    # what is no value of its kind
    ((*DIGITS, "--set", "shots"), ("--set", "KEY=VALUE")),
    ((*DIGITS, "--set", ""), ("--set", "KEY=VALUE")),
    ((*DIGITS, "--set", "=3"), ("--set", "KEY=VALUE")),
    ((*DIGITS, "--set", "shots=[]"), "shots"),
    ((*DIGITS, "--set", "shots=-1"), ("shots", "1")),
    ((*DIGITS, "--set", "shots=1,-3"), ("shots", "1")),
    ((*DIGITS, "--set", "shots=1.5"), "shots"),
    ((*DIGITS, "--seeds", "0"), "--seeds"),
    ((*DIGITS, "--set", "seeds=0"), "seeds"),
    ((*DIGITS, "--set", "seeds=1.5"), "seeds"),
    ((*DIGITS, "--set", "seeds=true"), "seeds"),
    ((*DIGITS, "--set", "seed=-1"), "seed"),
    ((*DIGITS, "--jobs", "0"), "--jobs"),
    ((*DIGITS, "--jobs", "two"), "--jobs"),
    ((*DIGITS, "--set", "C=nan"), "C"),
    ((*DIGITS, "--set", "C=inf"), "C"),
    ((*DIGITS, "--set", "C=0"), "C"),
    ((*DIGITS, "--set", "C=large"), "C"),
    ((*DIGITS, "--set", "C=1e-308"), ("C", "1e-12")),
    ((*DIGITS, "--set", "C=1", "--set", "C=2"), "set twice"),
    ((*DIGITS, "--set", "nonnegative=maybe"), "nonnegative"),
    ((*DIGITS, "--set", "overlap=kpt"), ("overlap", "known are kept, repaired", "did you mean 'kept'")),
    ((*DIGITS, "--set", "negatives=1e3"), "negatives"),
    ((*DIGITS, "--set", "test_examples=14"), ("test_examples", "15")),
    # what does not go with the data
    ((*DIGITS, "--set", "shots=1,999"), ("178", "1014")),
    ((*DIGITS, "--set", "negatives=100000"), ("100000", "58")),
    ((*DIGITS, "--set", "negatives=99999999999999999999999"), "negatives"),
    ((*DIGITS, "--set", "overlap=kept"), "overlap"),
    ((*DIGITS, "--background", "one"), "background"),
    ((*DIGITS, "--categories", "one,two"), "categories"),
    ((*DIGITS, "--set", "setting=related"), "setting"),
    # the other commands
    (("check", "caltech-multisorce"), "did you mean"),
    (("plot", "caltech-multisorce"), "did you mean"),
    (("data", "fetch"), "NAME"),
    (("data", "fetch", "caltech265-features"), "did you mean 'caltech256-features'"),
    (("data", "fetch", "caltech256-features", "--setting", "mixt"), ("mixt", "mixed")),
    (("data", "check", "nothere"), "nothere"),
]


@pytest.mark.fault("command line")
@pytest.mark.parametrize(("arguments", "words"), COMMAND_LINES, ids=lambda value: str(value)[-60:])
def test_command_line(place, arguments, words):
    assert_refused(place, arguments, words)


@pytest.mark.parametrize("results", ["file", "file/below", "/proc/nothing", "/dev/null/results", "y" * 300])
def test_results_that_cannot_be_written(place, results):
    (place.folder / "file").write_text("in the way", encoding="utf-8")
    assert_refused(place, (*DIGITS, "--results", results), results)


def test_results_where_writing_is_not_allowed(place):
    closed = place.folder / "closed"
    closed.mkdir(mode=0o500)
    try:
        (closed / "probe").touch()
    except PermissionError:
        assert_refused(place, (*DIGITS, "--results", "closed"), ("closed", "Permission denied"))
    else:
        pytest.skip("this user may write anywhere")


# Changes of the shipped protocol: what stands there, what is put in its place, what the sentence names.
PROTOCOLS = {
    "a word for a number": ("seeds   = 2", 'seeds = "two"', ("seeds", "int", "str")),
    "no seeds": ("seeds   = 2", "seeds = 0", "seeds"),
    "a number for a list": ("factors = { shots = [1, 2, 3, 10] }", "factors = { shots = 3 }", "shots"),
    "negative shots": ("factors = { shots = [1, 2, 3, 10] }", "factors = { shots = [-1, 2] }", "shots"),
    "a factor of none": ("factors = { shots = [1, 2, 3, 10] }", "factors = { shotz = [1, 2] }", "shotz"),
    "an unknown key": ("units           =", "unitz =", ("unitz", "did you mean 'units'")),
    "an unknown key inside": ("value = 10.0, why", "value = 10.0, wy", ("wy", "did you mean 'why'")),
    "an unknown choice": ("negatives       =", "negativez =", ("negativez", "negatives")),
    "a choice of another kind": ("nonnegative     = { value = true", 'nonnegative = { value = "yes"', "nonnegative"),
    "an unknown condition": ('    "none",', '    "nonne",', ("nonne", "did you mean 'none'")),
    "a number for the study": ('study           = "source_weighting"', "study = 3", ("study", "str")),
    "an unknown study": ('"source_weighting"', '"source_weigthing"', "did you mean 'source_weighting'"),
    "no name": (f'name            = "{X}"', "", "name"),
    "a name that is a path": (f'name            = "{X}"', 'name = "../up"', "name"),
    "a name with a NUL": (f'name            = "{X}"', 'name = "a\\u0000b"', "name"),
    "an unknown profile": ('default_profile = "paper"', 'default_profile = "papers"', "papers"),
    "an unknown data set": ('default = "caltech256-features"', 'default = "caltech265-features"', "caltech256"),
    "no such kind of figure": ('kind    = "curves"', 'kind = "pie"', "kind"),
    "no such test": ('test   = "difference"', 'test = "differs"', "test"),
    "a test without its margin": ("margin = 1.0", "", "margin"),
    "a word for a margin": ("margin = 1.0", 'margin = "wide"', ("margin", "float")),
    "a claim on no condition": ('{ condition = "multi-average" }', '{ condition = "multi-avrage" }', "multi-avrage"),
    "a claim on no column": ('{ condition = "multi-average" }', '{ conditon = "multi-average" }', "conditon"),
    "a claim over no factor": ("over   = { shots = [1, 2, 3] }", "over = { shotz = [1, 2, 3] }", "shotz"),
    "a slope along no factor": ('along     = "shots"', 'along = "shotz"', "shotz"),
    "a claim on nothing": ('{ condition = "multi-average" }', "[{}]", "'to' selects nothing"),
    "a claim from a word on": ("shots = { from = 3 }", 'shots = { from = "three" }', ("'from' of shots", "three")),
    "a claim on words for numbers": ("over   = { shots = [1, 2, 3] }", 'over = { shots = ["one"] }', ("shots", "one")),
    "levels of two kinds": ("shots = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", 'shots = [1, "two"]', ("shots", "mixes")),
    "changes on data that there are not": (
        "[profiles.smoke]",
        "[datasets.digitz]\nnegatives = 5\n\n[profiles.smoke]",
        ("digitz", "did you mean 'digits'"),
    ),
    "a figure along names": ('x       = "shots"', 'x = "condition"', ("'x' goes with shots", "condition")),
    "a figure of no column": ('x       = "shots"', 'x = "shotz"', "shotz"),
    "a figure by no column": ('by      = "condition"', 'by = "conditon"', "conditon"),
    "a figure of no table": ('table       = "weights"', 'table = "wieghts"', "wieghts"),
    "an oracle that is no condition": ('oracles = ["single-oracle"]', 'oracles = ["single-orakel"]', "single-orakel"),
    "an expectation without a reason": (
        'id     = "weighted-beats-none"',
        'id = "weighted-beats-none"\nexpects = { digits = { verdict = "contradicted" } }',
        "why",
    ),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocol_file(birds, name):
    old, new, words = PROTOCOLS[name]
    birds.protocol(replace={old: new})
    dataset = () if "data set" in name else ("--dataset", "features:birds.csv")
    profile = () if "profile" in name else ("--profile", "smoke")
    assert_refused(birds, ("run", "mine.toml", *dataset, *profile), words)


@pytest.mark.parametrize(
    "content",
    [b"", b"name = ", b"\x00\x01\x02\xff\xfe" * 100, b"name = 'a'\nname = 'b'\n", b"[[claims]]\n" * 3, b"a = 1e999999"],
    ids=["empty", "no TOML", "binary", "twice", "little", "odd"],
)
def test_protocol_file_that_is_none(place, content):
    (place.folder / "mine.toml").write_bytes(content)
    assert_refused(place, ("run", "mine.toml"), "mine.toml")


def cell(frame, row, column, value):
    frame = frame.astype({column: object})
    frame.loc[row, column] = value
    return frame


def first(frame, label, count):
    return frame.drop(frame.index[frame["label"] == label][count:])


# What becomes of a good table, and what the sentence names. A function of a table, or bytes.
TABLES = {
    "NaN": (lambda t: cell(t, 7, "shape:1", float("nan")), ("NaN", "heron-7", "shape")),
    "infinity": (lambda t: cell(t, 7, "shape:1", float("inf")), ("infinity", "heron-7")),
    "words": (lambda t: cell(t, 7, "shape:1", "abc"), ("shape", "numbers", "abc")),
    "one label": (lambda t: t[t["label"] == "background"], "at least two categories"),
    "one category": (lambda t: t[t["label"].isin(["background", "ibis"])], "at least two categories"),
    "no background": (lambda t: t[t["label"] != "background"], ("--background", "heron")),
    "no identity": (lambda t: t.drop(columns="identity"), "identity"),
    "no label": (lambda t: t.drop(columns="label"), "label"),
    "an empty label": (lambda t: cell(t, 7, "label", ""), "label"),
    "no numbers": (lambda t: t[["identity", "label"]], "numbers"),
    "no rows": (lambda t: t.head(0), "no examples"),
    "few examples": (lambda t: first(t, "ibis", 20), ("ibis", "20 examples", "25")),
    "little background": (lambda t: first(t, "background", 30), ("background", "10", "15")),
    "an identity twice": (lambda t: cell(t, 7, "identity", "heron-8"), ("heron-8", "8", "9")),
    "one picture, two labels": (
        lambda t: t.assign(**{c: cell(t, 7, c, t[c].iloc[-1])[c] for c in t.columns[2:]}),
        ("heron-7", "background-59"),
    ),
    "nothing": (b"", "birds.csv"),
    "bytes": (bytes(range(256)) * 20, "birds.csv"),
    "rows of different length": (b"identity,label,x\na,b,1\nc,d,1,2,3\n", "birds.csv"),
    "another encoding": ("identity,label,x\na,Löffler,1\n".encode("latin-1"), ("birds.csv", "utf-8")),
}


@pytest.mark.parametrize("name", TABLES)
def test_table_of_features(birds, name):
    change, words = TABLES[name]
    path = birds.folder / "birds.csv"
    if isinstance(change, bytes):
        path.write_bytes(change)
    else:
        change(pd.read_csv(path)).to_csv(path, index=False)
    assert_refused(birds, birds.birds, words)


def test_a_nul_in_a_label_is_refused_or_kept(birds):
    """Never a run that fails half-way."""
    path = birds.folder / "birds.csv"
    path.write_bytes(path.read_bytes().replace(b",ibis,", b",ib\0is,"))
    done = birds.tlbench(*birds.birds, "--set", "conditions=none", "--quiet")
    assert (done.status == 2 and birds.run_folders == []) or (done.status == 0 and birds.failures() == [])


ARCHIVES = {
    "pickled": (lambda a: {**a, "identity": a["identity"].astype(object)}, "pickled"),
    "no label": (lambda a: {k: v for k, v in a.items() if k != "label"}, "label"),
    "no features": (lambda a: {k: a[k] for k in ("identity", "label")}, "features"),
    "rows missing": (lambda a: {**a, "shape": a["shape"][:-1]}, ("shape", "220")),
    "one dimension": (lambda a: {**a, "shape": a["shape"][:, 0]}, "shape"),
    "no columns": (lambda a: {**a, "shape": a["shape"][:, :0]}, "shape"),
    "text": (lambda a: {**a, "shape": a["shape"].astype(str)}, "numbers"),
    "complex": (lambda a: {**a, "shape": a["shape"] + 1j}, "numbers"),
    "NaN": (lambda a: {**a, "shape": np.where(a["shape"] > 1, np.nan, a["shape"])}, "NaN"),
    "an empty label": (lambda a: {**a, "label": np.where(a["label"] == "ibis", "", a["label"])}, "label"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archive_of_features(place, make_table, save_table, name):
    change, words = ARCHIVES[name]
    path = save_table(make_table(), place.folder / "birds.npz")
    with np.load(path) as archive:
        np.savez(path, **change(dict(archive)))
    assert_refused(place, ("run", X, "--dataset", "features:birds.npz", "--profile", "smoke"), words)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("birds.npz", b""), ("birds.npz", b"PK\x03\x04 and no more"), ("birds.npz", b"\x93NUMPY")),
        *(("birds.parquet", b"PAR1"), ("birds.txt", b"identity,label"), ("birds", b"")),
    ],
)
def test_file_that_is_no_table(place, name, content):
    (place.folder / name).write_bytes(content)
    assert_refused(place, ("run", X, "--dataset", f"features:{name}"), name)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--categories", "heron,swan"), ("swan", "heron")),
        (("--categories", "heron"), "at least two categories"),
        (("--categories", "heron,background"), "background"),
        (("--background", "other"), ("other", "heron")),
        (("--background", ""), "heron"),
        (("--set", "overlap=kept"), "overlap"),
    ],
    ids=str,
)
def test_what_a_table_does_not_have(birds, more, words):
    assert_refused(birds, (*birds.birds, *more), words)


@pytest.mark.fault("command line")
@pytest.mark.parametrize("words", [("--debug", "run", "zzz"), ("run", "--debug", "zzz"), ("run", "zzz", "--debug")])
def test_debug_shows_where_an_error_came_from(place, words):
    done = place.tlbench(*words)
    assert "Traceback" in done.err
    assert done.status != 0
