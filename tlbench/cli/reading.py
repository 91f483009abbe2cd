"""`tlbench list`, `plot` and `check`: what there is, and what the results on disk say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completing
from .options import FAILED, form, leave, only, results_dir

if TYPE_CHECKING:
    from ..results import Results
    from ..sheet import Format, Sheet


@click.command(
    "list",
    short_help="the experiments, data sets and conditions there are",
    epilog="""\b
Examples:
  tlbench list                                        all of it
  tlbench list | less -S                              a page at a time""",
)
@form
def list_(form: Format) -> None:
    """Show the experiments, their claims, and the data sets there are."""
    from .. import datasets, own_methods, protocol, studies, terminal
    from ..sheet import words

    experiments, conditions = [], []
    for name, path in protocol.shipped().items():
        declared = protocol.read(name)
        study = studies.find(declared.study)
        claims, profiles = f"{len(declared.claims)} claims", ", ".join(declared.profiles)
        experiments.append((name, study.shape, claims, profiles, declared.asks))
        rows = [(condition, study.says[condition]) for condition in declared.conditions]
        caption = f"Conditions of {name}; its protocol, to copy and edit: {path}"
        conditions.append(words(caption, ("name", "what it is"), rows, experiment=name))
    methods = [(name, point.value) for name, point in own_methods.installed().items()]
    serves = [(entry.name, ", ".join(entry.offers), entry.says) for entry in datasets.CATALOGUE]
    terminal.show(
        [
            words("Experiments", ("name", "takes", "tests", "profiles", "asks"), experiments),
            words("Data sets", ("name", "serves", "what it is"), serves),
            *conditions,
            *([words("Methods of your own that are installed", ("name", "what it is"), methods)] if methods else []),
        ],
        form,
    )


@click.command(
    short_help="draw the figures again from what is on disk",
    epilog="""\b
Examples:
  tlbench plot                                        everything in results/
  tlbench plot caltech-multisource --dataset digits""",
)
@click.argument("experiment", required=False, shell_complete=completing.experiments)
@only
@results_dir
def plot(experiment: str | None, dataset: str | None, profile: str | None, results: Path) -> int:
    """Draw the figures of EXPERIMENT (or of every experiment) again from the tables on disk."""
    from .. import terminal

    for found in _find_runs(results, experiment, dataset, profile):
        for path in found.draw():
            terminal.say(terminal.relative(path))
        _say_what_is_missing(found, terminal.say)
    return 0


@click.command(
    short_help="test every claim on the results there are",
    epilog="""\b
Examples:
  tlbench check                                       every experiment in results/
  tlbench check caltech-multisource --dataset digits
  tlbench check ./mine.toml                           the results of a protocol of your own""",
)
@click.argument("experiment", required=False, shell_complete=completing.experiments)
@only
@form
@results_dir
def check(experiment: str | None, dataset: str | None, profile: str | None, form: Format, results: Path) -> int:
    """Test every claim of EXPERIMENT (or of every experiment) on the results there are.

    For each claim: the effect with its 95 % interval, p corrected by Holm over the experiment's claims, and a verdict:
    reproduced, contradicted, equivalent or inconclusive. Where others published numbers, the same claims on those stand
    beside. A claim that names what the run was not meant to cover is not run. The exit status is 1 when results are
    missing or incomplete, when a table was changed after its run, when no claim could be tested at all, or when one was
    decided otherwise than the protocol expects for that data set (by default: when it was contradicted).
    """
    from .. import claims, shown, terminal

    def say(message: str) -> None:
        terminal.say(message, stderr=form != "table")

    well, sheets = True, []
    for found in _find_runs(results, experiment, dataset, profile):
        findings = found.findings()
        say(f"\n{found.caption}")
        if form == "table":
            terminal.verdict_table(found, findings)
            if experiment:
                say("\nWhat they claim:\n" + "\n".join(f"  {one.claim.id}: {one.claim.says}" for one in findings))
        sheets.append(shown.verdict_sheet(found, findings))
        unexpected = [finding.claim.id for finding in findings if not finding.expected(found.dataset)]
        few = any(finding.verdict == "shown, not tested" for finding in findings)
        nothing = bool(findings) and all(finding.verdict in ("not run", "shown, not tested") for finding in findings)
        _say_what_is_missing(found, say)
        if unexpected:
            say(f"\nNOT AS EXPECTED: {', '.join(unexpected)}")
        if nothing:
            more = f"a test needs {claims.FEWEST_UNITS} {found.protocol.units}; run more of them"
            say(f"\nNOTHING TESTED: {more if few else 'this run covers nothing of what the claims speak of'}.")
        well = well and not found.missing and not unexpected and not nothing
    if form != "table":
        terminal.show(sheets, form)
    say(f"\n{'All as expected.' if well else 'Not all is as expected.'}")
    return 0 if well else FAILED


@click.command(
    short_help="one page of everything that was run",
    epilog="""\b
Examples:
  tlbench report                                      results/ as results/report.html
  tlbench report --output page.html                   the same elsewhere""",
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to write it.")
@results_dir
def report(output: Path | None, results: Path) -> int:
    """Write one page of everything in the results folder: figures, verdicts, numbers, choices, and what is missing.

    The page is one file, needs nothing but itself, and can be sent, printed and read on a phone.
    """
    from .. import records, terminal
    from .. import report as report_room

    path = output or results / "report.html"
    page = report_room.render([report_room.section(found) for found in _find_runs(results, None, None, None)])
    records.write_whole(path, page.encode("utf-8", "backslashreplace"))
    terminal.say(terminal.relative(path))
    return 0


@click.command(
    short_help="hold two runs against each other",
    epilog="""\b
Examples:
  tlbench compare results/caltech-multisource/digits-{paper,quick}
  tlbench compare results /media/stick/results        all runs of the same name""",
)
@click.argument("first", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("second", type=click.Path(exists=True, file_okay=False, path_type=Path))
@form
def compare(first: Path, second: Path, form: Format) -> int:
    """Show what differs between runs FIRST and SECOND: settings, numbers (second minus first) and verdicts.

    Each is a run's folder, or a results folder, of which all runs of the same name are compared. Units are paired with
    themselves; differences whose 95 % interval excludes zero are bold.
    """
    from .. import comparison, terminal

    everything: list[Sheet] = []
    for one, two in comparison.pairs(first, second):
        folders = [terminal.relative(run.records.folder) for run in (one, two)]
        same = comparison.same_numbers(one, two)
        terminal.say(f"\nfirst   {folders[0]}\nsecond  {folders[1]}", stderr=form != "table")
        terminal.say("The same numbers, to the last byte." if same else "", stderr=form != "table")
        parts = (comparison.settings_sheet, comparison.differences_sheet, comparison.verdicts_sheet)
        found = [part(one, two) for part in (parts[:1] if same else parts)]
        for run in (one, two):
            _say_what_is_missing(run, lambda message: terminal.say(message, stderr=form != "table"))
        of = {"experiment": one.protocol.name}
        sheets = [replace(sheet, of=of) for sheet in found if sheet.rows]
        if form == "table":
            terminal.show(sheets)
        everything += sheets
    if form != "table":
        terminal.show(everything, form)
    return 0


def _say_what_is_missing(found: Results, say: Callable[[str], None]) -> None:
    if found.missing:
        from .. import terminal

        where = terminal.relative(found.records.folder)
        say(f"\nINCOMPLETE: {found.missing} planned measurements are missing in {where}; `tlbench run` goes on.")


def _find_runs(results: Path, experiment: str | None, dataset: str | None, profile: str | None) -> list[Results]:
    """The runs that were asked for; ends with status 1 where there are none or one cannot be read."""
    from .. import records, terminal
    from .. import results as results_room

    try:
        return results_room.find_runs(results, experiment, dataset, profile)
    except records.RecordsError as error:
        leave(terminal.one_line(str(error)), FAILED)
