"""A results folder or protocol file that somebody made to do harm: nothing runs, nothing is written elsewhere."""

from __future__ import annotations

import json
import os
import random
import shutil
from contextlib import suppress
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from tests.sealing import seal_again
from tests.trust.in_process import Typed
from tlbench import comparison, protocol, report, results
from tlbench.claims.selection import ClaimError
from tlbench.protocol import ProtocolError
from tlbench.records import Records, RecordsError
from tlbench.whole_files import temporary_name

pytestmark = pytest.mark.fault("security")

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>{{ 7 * 7 }}$x_1$"
ESCAPES = "\x1b]0;owned\x07\x1b[31mred\x1b[2J\u202egnp[/b]"
HOSTILE = [MARKUP, "../../up", "", None, 10**18, 10**30, -1, 1e308, [], {}, True]
REFUSALS = (RecordsError, ProtocolError, ClaimError)


@pytest.fixture
def typed(birds_done, monkeypatch, capsys):
    """Commands typed beside the results."""
    return Typed(birds_done, monkeypatch, capsys)


@pytest.fixture
def foreign(birds_done):
    """A run of an experiment that does not ship: all that is known of it is what its manifest says."""
    folder = birds_done.run_folder
    folder = folder.parent.rename(folder.parent.with_name("foreign")) / folder.name
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["experiment"] = manifest["protocol"]["name"] = "foreign"
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def places(content, at=()):
    """The way to every part of a manifest; of a list the first alone."""
    yield at
    if isinstance(content, dict):
        for key, value in content.items():
            yield from places(value, (*at, key))
    elif isinstance(content, list) and content:
        yield from places(content[0], (*at, 0))


def put(folder, manifest, at, value):
    """Write the manifest with one part replaced."""
    changed = json.loads(json.dumps(manifest))
    part = changed
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    (folder / "manifest.json").write_text(json.dumps(changed), "utf-8")


def read_in_every_way(folder):
    """What `check`, `compare` and `report` do, but for the figures."""
    found = results.reopen(folder)
    found.findings()
    comparison.settings_sheet(found, found)
    return report.render([report.section(found)])


def refused_or_read(folder, faults_tried, manifest, cases):
    for at, value in cases:
        put(folder, manifest, at, value)
        with suppress(*REFUSALS):
            assert "<script>alert" not in read_in_every_way(folder), at
        faults_tried.came_to(survived=True)


def test_whatever_a_manifest_says_is_read_or_refused(foreign, faults_tried, monkeypatch):
    monkeypatch.setattr("tlbench.report.content._pictures", lambda found: [])
    manifest = json.loads((foreign / "manifest.json").read_bytes())
    shallow = [at for at in places(manifest) if 0 < len(at) <= 2 and at[0] != "protocol"]
    cases = [(at, value) for at in shallow for value in HOSTILE]
    refused_or_read(foreign, faults_tried, manifest, random.Random(0).sample(cases, 60))


@pytest.mark.slow
def test_wherever_a_manifest_says_something_odd_it_is_read_or_refused(foreign, faults_tried, monkeypatch):
    monkeypatch.setattr("tlbench.report.content._pictures", lambda found: [])
    manifest = json.loads((foreign / "manifest.json").read_bytes())
    cases = [(at, value) for at in places(manifest) if at for value in HOSTILE]
    refused_or_read(foreign, faults_tried, manifest, random.Random(1).sample(cases, 600))


NAMES = {
    "a table": (("text",), {"measurements": [], "../../up": []}),
    "a sealed file": (("seals",), {"../../up.csv": "0"}),
    "a figure": (("protocol", "figures", 0, "name"), "../../up"),
    "a figure with a slash": (("protocol", "figures", 0, "name"), "/tmp/up"),
    "a figure with a line": (("protocol", "figures", 0, "name"), "up\n"),
    "a figure's table": (("protocol", "figures", 0, "table"), "../../up"),
    "an experiment": (("protocol", "name"), "../up"),
    "a reference": (("protocol", "reference"), {"file": "../up.csv", "says": "x", "name": "y"}),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_elsewhere_are_refused(birds_done, typed, foreign, name):
    manifest = json.loads((foreign / "manifest.json").read_bytes())
    put(foreign, manifest, *NAMES[name])
    before = birds_done.touched()
    done = typed("plot")
    assert done.status == 1
    assert done.err.startswith("tlbench: ")
    assert done.err.count("\n") == 1
    assert "run it again" in done.err or "run the experiment again" in done.err
    assert birds_done.touched() == before


def test_methods_that_a_manifest_names_are_not_imported(birds_done, typed, foreign, monkeypatch):
    (birds_done.folder / "trap.py").write_text("open('sprung', 'w')\nclass Trap: pass\n", encoding="utf-8")
    monkeypatch.syspath_prepend(birds_done.folder)
    manifest = json.loads((foreign / "manifest.json").read_bytes())
    put(foreign, manifest, ("protocol", "methods"), ["trap:Trap"])
    for command in (("check",), ("report",), ("compare", "results", "results")):
        assert typed(*command).status == 0, command
    assert not (birds_done.folder / "sprung").exists()


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, tuple(name for name, _ in attributes)))


def with_texts(folder, text):
    """Every text of the manifest that may be anything, replaced."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    declared = manifest["protocol"]
    for key in ("asks", "source", "units", "metric_unit"):
        declared[key] = text
    for part in (*declared["claims"], *declared["figures"]):
        part |= {key: text for key in ("says", "source", "title") if key in part}
    for choice in declared["choices"].values():
        choice["why"] = text
    for profile in declared["profiles"].values():
        profile["says"] = text
    manifest["data"] |= {"licence": text, "fingerprint": text, "notices": [text]}
    manifest |= {"run": text, "changed": {text: text}, "environment": {text: text}}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def test_no_text_becomes_a_part_of_the_page(foreign):
    before = Tags(report.render([report.section(results.reopen(foreign))])).found
    with_texts(foreign, MARKUP)
    page = report.render([report.section(results.reopen(foreign))])
    after = Tags(page).found
    assert [tag for tag, _ in after if tag in ("script", "iframe", "object", "a")] == [
        tag for tag, _ in before if tag in ("script", "iframe", "object", "a")
    ]
    assert not [name for _, names in after for name in names if name.startswith("on")]
    assert "&lt;script&gt;alert(1)" in page
    assert "49" not in page.partition("{{ 7 * 7 }}")[0][-40:]


def test_no_text_drives_the_terminal(birds_done, typed, foreign):
    with_texts(foreign, ESCAPES)
    other = birds_done.folder / "other"
    shutil.copytree(birds_done.folder / "results", other)
    with_texts(other / foreign.relative_to(birds_done.folder / "results"), f"2{ESCAPES}")
    for command in (("check",), ("check", "foreign"), ("compare", "results", "other"), ("plot",)):
        done = typed(*command)
        said = done.out + done.err
        assert done.status in (0, 1)
        assert not set(said) & set("\x1b\x07\u202e"), command
        assert r"\x1b]0;owned" in said or command == ("plot",)


def laid(folder, outside):
    """Links in a run's folder to files that are none of its own, and what those hold."""
    kept = {}
    (outside / "ab").mkdir(parents=True)
    for name in ("measurements.csv", "curves.png", "manifest.json", ".tlbench/timings.tsv", "ab/thesis.json"):
        target = outside / name.rpartition("/")[2] if name != "ab/thesis.json" else outside / name
        target.write_text("mine\n", encoding="utf-8")
        kept[target] = "mine\n"
        if name != "ab/thesis.json":
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)
    shutil.rmtree(folder / ".tlbench" / "blocks")
    (folder / ".tlbench" / "blocks").symlink_to(outside)
    return kept


@pytest.mark.slow
def test_links_in_a_results_folder_do_not_lead_a_run_astray(birds_done, birds_reference, tmp_path):
    """Not a table, a figure, the list of timings, nor what `--fresh` removes."""
    kept = laid(birds_done.run_folder, tmp_path / "outside")
    birds_done.succeed(*birds_done.birds, "--fresh", "--quiet", "--jobs", "2")
    assert {path: path.read_text("utf-8") for path in kept} == kept
    assert birds_done.published() == birds_reference
    assert not (birds_done.run_folder / "measurements.csv").is_symlink()


def test_links_are_replaced_or_left_but_not_followed(birds_done, tmp_path):
    folder = birds_done.run_folder
    kept = laid(folder, tmp_path / "outside")
    records = Records(folder)
    records.prepare()
    records.forget()
    block = SimpleNamespace(group="g", splits=(0,))
    records.add_timing(block, 1.0)
    for name in ("measurements.csv", "curves.png", "manifest.json"):
        records.write(name, b"ours\n")
        assert not (folder / name).is_symlink()
    link = folder / ".tlbench" / temporary_name("data")
    link.symlink_to(tmp_path / "outside" / "ab" / "thesis.json")
    with records.scratch("data") as path:
        path.write_bytes(b"ours")
    assert {path: path.read_text("utf-8") for path in kept} == kept


def test_a_report_is_not_written_through_a_link(birds_done, typed, tmp_path):
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    (birds_done.folder / "results" / "report.html").symlink_to(tmp_path / "mine.html")
    assert typed("report").status == 0
    assert (tmp_path / "mine.html").read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    "content", [b'{"a":' + b"[" * 200_000, b'{"a":' * 200_000, b'{"cells": 1' + b"0" * 9000 + b"}"]
)
def test_a_manifest_without_end_is_one_sentence(birds_done, content):
    (birds_done.run_folder / "manifest.json").write_bytes(content)
    with pytest.raises(RecordsError, match="no readable manifest"):
        results.reopen(birds_done.run_folder)


def test_absurd_sizes_are_what_is_missing(birds_done):
    """Nothing is made in memory for what a manifest says there should be."""
    folder = birds_done.run_folder
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["settings"]["seeds"] = manifest["cells"] = 10**18
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    seal_again(folder)
    assert results.reopen(folder).missing > 10**17
    manifest["cells"] = manifest["settings"]["seeds"] = 10**30
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert results.reopen(folder).missing > 10**29


# Protocol files

DEEP = {
    "arrays": "a = " + "[" * 100_000,
    "tables": "a = " + "{a = " * 50_000,
    "a key": "a" + ".a" * 3000 + " = 1",
    "a heading": "[" + "a." * 3000 + "a]",
    "a long number": "a = 1" + "0" * 5000,
}


@pytest.mark.parametrize("name", DEEP)
def test_a_protocol_file_without_end_is_one_sentence(tmp_path, name):
    path = tmp_path / "mine.toml"
    path.write_text(DEEP[name], encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"mine\.toml (holds tables within tables too deep|is not TOML)") as said:
        protocol.read(os.fspath(path))
    assert str(said.value).count("\n") == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name            = "caltech-multisource"', 'name = "a/b"'),
        ('name            = "caltech-multisource"', 'name = "a\\n"'),
        ('name    = "curves"', 'name = "../up"'),
        ("seeds   = 2", "seeds = 99999999999999999999999999"),
        ("seeds   = 2", "seeds = 1000000000000"),
    ],
)
def test_a_protocol_file_that_would_lead_elsewhere_or_never_end_is_refused(birds, old, new):
    birds.protocol(replace={old: new})
    before = birds.everything()
    done = birds.tlbench("run", "mine.toml", "--dataset", "features:birds.csv", "--profile", "smoke", "--jobs", "1")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("tlbench: ")
    assert done.err.count("\n") == 1
    assert birds.everything() == before
