"""Where data come from: the user's own files, the network, a hand; and what is said where they cannot be had."""

import functools
import http.server
import re
import threading

import pandas as pd
import pytest

from tests.marks import slow

MAT = "10class_mix.mat"
OWN = ("--profile", "smoke", "--set", "conditions=none,single-mean,multi-weighted")


@pytest.mark.parametrize("name", ["birds.csv", *slow("birds.npz", "birds.parquet")])
def test_a_table_of_ones_own(place, make_table, save_table, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    save_table(make_table(), place.folder / "mine" / name)
    place.succeed("run", "caltech-multisource", "--dataset", f"features:mine/{name}", *OWN)
    assert re.fullmatch(r"birds-[0-9a-f]{6}-smoke--conditions=none\+single-mean\+multi-weighted", place.run_folder.name)
    measured = place.measurements()
    assert set(measured["unit"]) == {"heron", "egret", "ibis", "stork"}
    means = measured[measured["shots"] == 1].groupby("condition")["value"].mean()
    assert means["multi-weighted"] > means["none"] + 5  # what the categories have in common is worth something
    assert place.published()["manifest.json"].count(str(place.folder).encode()) == 0


@pytest.mark.slow
def test_the_same_table_in_every_format_gives_the_same_numbers(place, make_table, save_table):
    pytest.importorskip("pyarrow")
    for name in ("a/birds.csv", "b/birds.parquet"):
        save_table(make_table(), place.folder / name)
        place.succeed(
            *("run", "caltech-multisource", "--dataset", f"features:{name}", *OWN),
            *("--results", f"results-{name[0]}", "--quiet"),
        )
    first, second = place.run_folders
    assert first.name == second.name  # the fingerprint is of the numbers, not of the file
    assert (first / "measurements.csv").read_bytes() == (second / "measurements.csv").read_bytes()


@pytest.mark.slow
def test_a_changed_table_is_another_data_set(birds):
    path = birds.folder / "birds.csv"
    few = ("--seeds", "1", "--set", "conditions=none", "--quiet")
    birds.succeed(*birds.birds, *few)
    changed = pd.read_csv(path)
    changed.loc[0, "shape:1"] += 1e-6
    changed.to_csv(path, index=False)
    birds.succeed(*birds.birds, *few)
    assert len({folder.name for folder in birds.run_folders}) == 2
    changed.sample(frac=1, random_state=1).to_csv(path, index=False)  # the order of rows is nobody's business
    birds.succeed(*birds.birds, *few)
    assert len(birds.run_folders) == 2


@pytest.mark.slow
def test_names_of_any_script(place, make_table, save_table):
    labels = ("grey heron", "Löffler", "白鷺", "a/b, c=$d$")
    name = "vögel, a=b & 鳥.csv"
    save_table(make_table(labels, name="the rest"), place.folder / "my birds" / name)
    arguments = ("run", "caltech-multisource", "--dataset", f"features:my birds/{name}", "--background", "the rest")
    done = place.succeed(*arguments, *OWN, "--quiet")
    assert set(place.measurements()["unit"]) == set(labels)
    assert place.run_folder.parent == place.folder / "results" / "caltech-multisource"
    assert place.run_folder.name.startswith("vögel")
    assert "the rest" in (place.run_folder / "manifest.json").read_text(encoding="utf-8")
    again = place.succeed(*arguments, *OWN, "--dry-run", LC_ALL="C")
    assert re.search(r"missing +0$", again.out, re.M)
    assert "Claims, over 4" in place.tlbench("check", "--dataset", f"features:{name}").out
    assert done.err == ""  # not a warning, not even of letters that the figure's font lacks


def test_a_very_long_name(place, make_table, save_table):
    path = save_table(make_table(), place.folder / f"{'x' * 200}.csv")
    more = ("--seeds", "1", "--set", "conditions=none", "--quiet")
    place.succeed("run", "caltech-multisource", "--dataset", f"features:{path.name}", "--profile", "smoke", *more)
    assert len(place.run_folder.name) <= 255
    assert len(place.measurements()) == 4 * 4


def test_categories_and_repeated_rows(birds):
    path = birds.folder / "birds.csv"
    frame = pd.read_csv(path)
    pd.concat([frame, frame.tail(3).assign(identity=["again-1", "again-2", "again-3"])]).to_csv(path, index=False)
    few = ("--seeds", "1", "--set", "conditions=none", "--categories", "ibis,heron")
    done = birds.succeed(*birds.birds, *few)
    assert re.search(r"note: 3 .*kept once", done.out)
    assert list(birds.measurements()["unit"].unique()) == ["ibis", "heron"]


@pytest.mark.slow
def test_too_few_units_are_shown_and_not_tested(birds):
    arguments = ("--seeds", "2", "--categories", "ibis,heron,stork")
    done = birds.succeed(*birds.birds, *arguments)
    claims = pd.read_csv(birds.run_folder / "claims.csv")
    assert set(claims["verdict"]) == {"shown, not tested"}
    assert claims["p"].isna().all()
    assert claims["effect"].notna().all()
    assert "shown, not tested" in done.out
    checked = birds.tlbench("check")
    assert checked.status == 1
    assert "NOTHING TESTED: a test needs 4 target categories; run more of them." in checked.out
    assert "All as expected." not in checked.out


NO_NETWORK = {"TLBENCH_DATA_MIRROR": "http://127.0.0.1:9/mirror"}


@pytest.mark.fault("network")
def test_without_a_network_one_message_says_what_to_do(place):
    done = place.tlbench("run", "caltech-multisource", **NO_NETWORK)
    assert done.status == 3
    assert "Traceback" not in done.err
    assert len(re.findall(r"^tlbench: ", done.err, re.M)) == 1
    assert MAT in done.err  # what is missing,
    assert str(place.folder / "data" / "caltech256-features" / MAT) in done.err  # where it goes,
    assert "tlbench data fetch caltech256-features --from" in done.err  # how it gets there,
    assert "tlbench run caltech-multisource --dataset digits" in done.err  # and what works without it.
    assert "3.2 MB" in done.out  # how much it would have been, said first
    assert place.run_folders == []
    assert not list(place.folder.glob("results*"))
    assert [path for path in place.everything() if path.is_file()] == []


@pytest.mark.fault("network")
def test_without_a_network_fetch_says_the_same(place):
    done = place.tlbench("data", "fetch", "caltech256-features", "--quiet", **NO_NETWORK)
    assert done.status == 3
    assert done.err.startswith("tlbench: ")
    assert "127.0.0.1:9/mirror" in done.err
    assert "raw.githubusercontent.com" in done.err
    assert done.out == ""


@pytest.fixture
def server(tmp_path):
    """A web server on this machine; its folder, its address, and the paths that it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"not the released file" * 1000, "wrong checksum"), (b"<!DOCTYPE html><html>no</html>", "HTML"), (b"", "")],
    ids=["another", "a web page", "nothing"],
)
@pytest.mark.fault("network")
def test_a_wrong_file_from_a_mirror_is_refused(place, server, content, words):
    folder, address, asked = server
    (folder / "caltech256-features").mkdir()
    (folder / "caltech256-features" / MAT).write_bytes(content)
    mirror = {"TLBENCH_DATA_MIRROR": address, "no_proxy": "127.0.0.1"}
    done = place.tlbench("data", "fetch", "caltech256-features", "--setting", "mixed", **mirror)
    assert asked == [f"/caltech256-features/{MAT}"]
    assert done.status == 3
    assert words in done.err
    assert "Traceback" not in done.err
    assert [path for path in place.everything() if path.is_file()] == []


def test_a_mirror_that_is_no_address(place):
    done = place.tlbench("data", "fetch", "caltech256-features", TLBENCH_DATA_MIRROR="/media/stick")
    assert done.status == 2
    assert "TLBENCH_DATA_MIRROR" in done.err


@pytest.mark.fault("network")
def test_a_wrong_file_from_a_hand_is_refused(place):
    (place.folder / MAT).write_bytes(b"something else")
    done = place.tlbench("data", "fetch", "caltech256-features", "--from", MAT)
    assert done.status == 2
    assert done.err.startswith("tlbench: ")
    assert done.err.count("\n") == 1
    assert MAT in done.err
    assert not (place.folder / "data" / "caltech256-features" / MAT).exists()
    assert [path.name for path in place.everything() if path.is_file()] == [MAT]


@pytest.mark.parametrize("source", ["nothere/10class_mix.mat", "other.mat", "empty"])
@pytest.mark.fault("network")
def test_a_hand_carried_file_that_is_none_of_its_files(place, source):
    (place.folder / "other.mat").write_bytes(b"x")
    (place.folder / "empty").mkdir()
    done = place.tlbench("data", "fetch", "caltech256-features", "--from", source)
    assert done.status == 2
    assert source.split("/")[-1] in done.err
    assert "Traceback" not in done.err


@pytest.mark.fault("damage")
def test_a_damaged_file_is_noticed_and_never_used(place):
    target = place.folder / "data" / "caltech256-features" / MAT
    target.parent.mkdir(parents=True)
    target.write_bytes(b"damaged")
    checked = place.tlbench("data", "check")
    assert checked.status == 1
    assert re.search(rf"{MAT} +damaged", checked.out)
    assert re.search(r"6class_rel\.mat +missing", checked.out)
    run = place.tlbench("run", "caltech-multisource", **NO_NETWORK)
    assert run.status == 3
    assert "damaged" in run.err
    assert place.run_folders == []


def test_data_check_tells_missing_from_asked_for(place):
    assert place.tlbench("data", "check").status == 0
    named = place.tlbench("data", "check", "caltech256-features")
    assert named.status == 1
    assert "missing" in named.out


def test_data_list_shows_licence_and_size(place):
    done = place.succeed("data", "list")
    assert re.search(r"^digits .*CC BY", done.out, re.M)
    assert re.search(r"^caltech256-features .*7\.0 MB.*none stated", done.out, re.M)
    assert "features:PATH" in done.out


def test_data_dir_goes_before_the_environment(place):
    done = place.tlbench("run", "caltech-multisource", "--data-dir", "elsewhere", **NO_NETWORK)
    assert done.status == 3
    assert str(place.folder / "elsewhere" / "caltech256-features" / MAT) in done.err


def test_without_a_data_folder_the_users_cache_is_it(place):
    done = place.tlbench("run", "caltech-multisource", TLBENCH_DATA_DIR=None, **NO_NETWORK)
    assert done.status == 3
    assert str(place.folder / "cache" / "tlbench") in done.err
