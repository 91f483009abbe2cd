"""The commands. Each reads what was typed, calls the rooms that do the work, and turns errors into exit statuses.

0 well · 1 a block failed, or `check` found results missing or a verdict not as expected · 2 the input is wrong ·
3 something needed is missing and cannot be had · 130 interrupted
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from . import datasets
    from .run import Prepared

FAILED, WRONG_INPUT, NOT_TO_BE_HAD, INTERRUPTED = 1, 2, 3, 130
EMBEDDED_DATA = "digits"

Command = TypeVar("Command", bound=Callable[..., Any])


def main() -> NoReturn:
    """Run the command line and exit with a status; a user's mistake is one sentence, a traceback needs --debug."""
    debug = "--debug" in sys.argv
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.exit(cli(prog_name="tlbench", standalone_mode=False) or 0)
    except (KeyboardInterrupt, click.Abort):
        _leave("interrupted; what had finished is kept: the same command goes on from there", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(WRONG_INPUT)
    except click.ClickException as error:
        _leave(error.format_message(), WRONG_INPUT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)
    except Exception as error:
        status = _status(error)
        if status is None or debug:
            raise
        _leave(str(error), status)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _leave(message: str, status: int) -> NoReturn:
    click.echo(f"tlbench: {message}", err=True)
    sys.exit(status)


def _status(error: Exception) -> int | None:
    """The exit status of an error that its room raised on purpose."""
    known = {
        "tlbench.protocol.ProtocolError": WRONG_INPUT,
        "tlbench.claims.ClaimError": WRONG_INPUT,
        "tlbench.records.RecordsError": WRONG_INPUT,
        "tlbench.datasets.errors.DataError": WRONG_INPUT,
        "tlbench.datasets.errors.DataMissingError": NOT_TO_BE_HAD,
    }
    return known.get(f"{type(error).__module__}.{type(error).__qualname__}")


def _results_dir(command: Command) -> Command:
    """--results."""
    return click.option(
        "--results",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("results"),
        metavar="DIR",
        help="Where results lie.  [default: results]",
    )(command)


def _data_dir(command: Command) -> Command:
    return click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        metavar="DIR",
        help="Where fetched data lie.  [default: $TLBENCH_DATA_DIR, else your cache folder]",
    )(command)


class _AsWritten(click.Group):
    """Lists its commands in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(
    cls=_AsWritten,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  tlbench run caltech-multisource --dataset digits",
)
@click.version_option(package_name="tlbench", message="tlbench %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Run the classic experiments of model-based transfer learning, and test what their papers claimed.

    A target task with few labels borrows the parameters of models trained on other tasks. `run` computes an experiment
    and writes tables and figures, `plot` draws the figures again, `check` tests every claim of the paper on what is
    there. Whatever finished is kept: a run that was interrupted goes on where it stopped.
    """


@cli.command("list", short_help="the experiments, data sets and conditions there are")
def list_() -> None:
    """Show the experiments, their claims, and the data sets there are."""
    from . import datasets, protocol, terminal

    terminal.say("Experiments\n")
    rows = []
    for name in protocol.shipped():
        declared = protocol.read(name)
        rows.append((name, f"{len(declared.claims)} claims", ", ".join(declared.profiles), declared.asks))
    terminal.listing(("name", "tests", "profiles", "asks"), rows)
    terminal.say("\nData sets\n")
    terminal.listing(("name", "what it is"), [(entry.name, entry.says) for entry in datasets.CATALOGUE])
    terminal.say("\nConditions\n")
    for name in protocol.shipped():
        terminal.say(f"{name}: {', '.join(protocol.read(name).conditions)}")


@cli.command(
    short_help="compute an experiment; write tables, verdicts and figures",
    epilog="""\b
Examples:
  tlbench run caltech-multisource --dataset digits      embedded data, no network, seconds
  tlbench run caltech-multisource                       the paper's own features, 3 MB fetched
  tlbench run caltech-multisource --dataset features:mine.csv --background other
  tlbench run caltech-multisource --set overlap=kept    one choice changed, filed beside the usual run
  tlbench run ./mine.toml --profile quick --seeds 5     a protocol of your own""",
)
@click.argument("experiment")
@click.option("--dataset", metavar="NAME", help="digits, caltech256-features, features:PATH …  [default: the paper's]")
@click.option("--profile", metavar="NAME", help="How much to run, as the protocol names it.  [default: the protocol's]")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Random splits.  [default: the profile's]")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a factor or choice; may be repeated.")
@click.option("--background", metavar="LABEL", help="Which label of your own data is the background.")
@click.option("--categories", metavar="A,B,C", help="Use these labels of your own data alone.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one a core]")
@click.option("--dry-run", is_flag=True, help="Run nothing: show what is done, missing and failed, and the time left.")
@click.option("--fresh", is_flag=True, help="Do everything again, finished or not.")
@click.option("--quiet", is_flag=True, help="No progress and no tables; errors only.")
@_results_dir
@_data_dir
def run(
    experiment: str,
    dataset: str | None,
    profile: str | None,
    seeds: int | None,
    sets: tuple[str, ...],
    background: str | None,
    categories: str | None,
    jobs: int | None,
    dry_run: bool,
    fresh: bool,
    quiet: bool,
    results: Path,
    data_dir: Path | None,
) -> int:
    """Run EXPERIMENT: fetch what is missing, compute what is not done, write tables and figures.

    EXPERIMENT is a name from `tlbench list` or the path of a protocol file. Results go to
    RESULTS/EXPERIMENT/DATASET-PROFILE/; a setting that differs from the protocol gets a folder of its own beside it.
    The exit status is 1 if a block failed; verdicts never fail a run, `tlbench check` does.
    """
    from . import datasets, protocol, records, terminal
    from . import run as runner

    declared = protocol.read(experiment)
    overrides = _overrides(sets, {"seeds": seeds, "background": background, "categories": categories})
    reference = dataset or declared.data.default
    settings = runner.settle(declared, profile, overrides, reference)
    folder = datasets.data_folder(data_dir)
    if not _fetch_missing(declared.name, reference, runner.data_options(settings), folder, quiet, dry_run):
        return 0
    prepared = runner.prepare(declared, settings, reference, folder, results)
    if dry_run:
        _show_plan(prepared, jobs or _cores())
        return 0
    prepared.records.prepare()
    if fresh:
        prepared.records.forget()
    if not quiet:
        for notice in prepared.pack.notices:
            terminal.say(f"note: {notice}")
    missing, damaged = prepared.scan()
    if damaged:
        terminal.say(f"note: {damaged} damaged blocks are computed again", stderr=True)
    with terminal.progress("computing", "blocks", quiet or not missing) as report:
        outcome = runner.compute_missing(prepared, missing, jobs or _cores(), report)
    for block, path in outcome.failed.values():
        terminal.say(f"failed: {records.describe(block)}: see {terminal.relative(path)}", stderr=True)
    _publish(prepared, quiet)
    return FAILED if outcome.failed else 0


def _publish(prepared: Prepared, quiet: bool) -> None:
    from . import results as results_room
    from . import studies, terminal

    study = studies.find(prepared.plan.protocol.study)
    published = results_room.publish(prepared.plan, prepared.records, prepared.data, study.tables)
    files = published.draw()
    if quiet:
        return
    terminal.summary_table(published, study.remarks(published.tables))
    terminal.verdict_table(published, published.findings())
    terminal.say(f"\nTables and figures: {terminal.relative(prepared.records.folder)}/")
    for path in files:
        if path.suffix == ".png":
            terminal.say(f"  {terminal.relative(path)}")


def _overrides(sets: tuple[str, ...], flags: dict[str, Any]) -> dict[str, str]:
    """KEY=VALUE pairs and the flags that are short for some of them."""
    overrides = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"'{text}' is not KEY=VALUE", param_hint="--set")
        overrides[key.strip()] = value.strip()
    return overrides | {key: str(value) for key, value in flags.items() if value is not None}


def _fetch_missing(
    experiment: str, reference: str, options: datasets.Options, folder: Path, quiet: bool, dry_run: bool
) -> bool:
    """Have the data in place, saying first how much has to come; False where a dry run would have to fetch."""
    from . import datasets, terminal

    missing = [file for file in datasets.needed_files(reference, options) if datasets.state(file, folder) != "present"]
    if not missing:
        return True
    megabytes = sum(file.size for file in missing) / 1e6
    if dry_run:
        terminal.say(f"{reference} is not here yet: {megabytes:.1f} MB to fetch, then the blocks can be planned")
        return False
    if not quiet:
        terminal.say(f"fetching {reference}: {megabytes:.1f} MB into {folder}")
    try:
        for file in missing:
            _fetch(file, folder, quiet)
    except datasets.DataMissingError as error:
        raise datasets.DataMissingError(
            f"{error}\n  With the file carried here by hand:  tlbench data fetch {reference} --from FILE\n"
            f"  Without it, on embedded data:        tlbench run {experiment} --dataset {EMBEDDED_DATA}"
        ) from None
    return True


def _fetch(file: datasets.RemoteFile, folder: Path, quiet: bool) -> Path:
    import time

    from . import datasets, terminal

    started = time.monotonic()
    with terminal.progress(Path(file.path).name, "MB", quiet) as report:
        return datasets.fetch(
            file, folder, lambda done, total: report(done / 1e6, total / 1e6, time.monotonic() - started)
        )


def _show_plan(prepared: Prepared, jobs: int) -> None:
    from . import terminal

    blocks = prepared.plan.blocks
    missing, _ = prepared.scan()
    failed = [block for block in missing if prepared.records.failure(block)]
    terminal.say(f"{len(blocks)} blocks in {terminal.relative(prepared.records.folder)}")
    terminal.say(f"  done     {len(blocks) - len(missing)}")
    terminal.say(f"  missing  {len(missing)}")
    terminal.say(f"  failed   {len(failed)}  (among the missing; tried again by the next run)")
    costs = prepared.records.seconds_per_split()
    if missing and all(block.group in costs for block in missing):
        seconds = sum(costs[block.group] * len(block.splits) for block in missing) / jobs
        terminal.say(f"  time     about {terminal.duration(seconds)} with {jobs} processes, from what blocks took here")
    elif missing:
        terminal.say("  time     not known: no block of this kind has run here yet")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cli.command(
    short_help="draw the figures again from what is on disk",
    epilog="""\b
Examples:
  tlbench plot                                          everything in results/
  tlbench plot caltech-multisource --dataset digits""",
)
@click.argument("experiment", required=False)
@click.option("--dataset", metavar="NAME", help="Only results on this data set.")
@click.option("--profile", metavar="NAME", help="Only results of this profile.")
@_results_dir
def plot(experiment: str | None, dataset: str | None, profile: str | None, results: Path) -> int:
    """Draw the figures of EXPERIMENT (or of every experiment) again from the tables on disk."""
    from . import results as results_room
    from . import terminal

    for found in results_room.find_runs(results, experiment, dataset, profile):
        for path in found.draw():
            terminal.say(terminal.relative(path))
    return 0


@cli.command(
    short_help="test every claim on the results there are",
    epilog="""\b
Examples:
  tlbench check                                         every experiment in results/
  tlbench check caltech-multisource --dataset digits
  tlbench check ./mine.toml                             your own claims, on the results of your own protocol""",
)
@click.argument("experiment", required=False)
@click.option("--dataset", metavar="NAME", help="Only results on this data set.")
@click.option("--profile", metavar="NAME", help="Only results of this profile.")
@_results_dir
def check(experiment: str | None, dataset: str | None, profile: str | None, results: Path) -> int:
    """Test every claim of EXPERIMENT (or of every experiment) on the results there are.

    For each claim: the effect with its 95 % interval, p corrected by Holm over the experiment's claims, and a verdict:
    reproduced, contradicted, equivalent or inconclusive. The exit status is 1 when results are missing or incomplete,
    or when a verdict is not the one the protocol expects for that data set (by default: anything but contradicted).
    """
    from . import records, terminal
    from . import results as results_room

    try:
        runs = results_room.find_runs(results, experiment, dataset, profile)
    except records.RecordsError as error:
        _leave(str(error), FAILED)
    well = True
    for found in runs:
        findings = found.findings()
        terminal.say(f"\n{found.caption}")
        terminal.verdict_table(found, findings)
        unexpected = [finding.claim.id for finding in findings if not finding.expected(found.dataset)]
        if found.missing:
            terminal.say(f"\nINCOMPLETE: {found.missing} planned measurements are missing; `tlbench run` goes on.")
        if unexpected:
            terminal.say(f"\nNOT AS EXPECTED: {', '.join(unexpected)}")
        well = well and not found.missing and not unexpected
    terminal.say(f"\n{'All as expected.' if well else 'Not all is as expected.'}")
    return 0 if well else FAILED


@cli.group(short_help="list, fetch and verify the data sets", cls=_AsWritten)
def data() -> None:
    """Fetch, verify and show the data sets; the only commands besides `run` that touch the network."""


@data.command("list", short_help="each data set with its licence and size")
def data_list() -> None:
    """Show each data set with its licence and the size of what has to be fetched."""
    from . import datasets, terminal

    rows = []
    for entry in datasets.CATALOGUE:
        size = f"{sum(file.size for file in entry.files.values()) / 1e6:.1f} MB" if entry.files else "–"
        rows.append((entry.name, size, entry.licence, ", ".join(entry.options) or "–", entry.says))
    terminal.listing(("name", "to fetch", "licence", "options", "what it is"), rows)


@data.command(
    "fetch",
    short_help="fetch a data set, or take a hand-carried file",
    epilog="""\b
Examples:
  tlbench data fetch caltech256-features
  tlbench data fetch caltech256-features --setting related
  tlbench data fetch caltech256-features --from /media/stick/10class_mix.mat""",
)
@click.argument("name")
@click.option("--setting", metavar="NAME", help="Only the file of this setting.  [default: all of them]")
@click.option("--from", "source", type=click.Path(path_type=Path), metavar="FILE", help="A file carried here by hand.")
@click.option("--quiet", is_flag=True, help="No progress.")
@_data_dir
def data_fetch(name: str, setting: str | None, source: Path | None, quiet: bool, data_dir: Path | None) -> int:
    """Fetch data set NAME, verified by checksum; what broke off goes on where it stopped.

    With --from a file (or a folder that holds it) is taken instead of the network, and verified in the same way.
    """
    from . import datasets, terminal

    folder = datasets.data_folder(data_dir)
    files = _files_of(name, setting, source)
    if not files:
        terminal.say(f"{name} needs nothing fetched")
    for file in files:
        path = datasets.adopt(file, folder, source) if source else _fetch(file, folder, quiet)
        if not quiet:
            terminal.say(f"{path} is in place and verified")
    return 0


def _files_of(name: str, setting: str | None, source: Path | None) -> list[datasets.RemoteFile]:
    """The files of a data set that a fetch is about; a single hand-carried file stands for the one of its name."""
    from . import datasets

    entry, _ = datasets.find(name)
    if setting:
        return datasets.needed_files(name, datasets.Options(setting=setting))
    files = list(entry.files.values())
    if source and not source.is_dir():
        files = [file for file in files if Path(file.path).name == source.name]
        if not files:
            names = ", ".join(Path(file.path).name for file in entry.files.values())
            raise datasets.DataError(f"{source.name} is not a file of {name}; those are {names or 'none'}")
    return files


@data.command("check", short_help="verify the checksums of what was fetched")
@click.argument("name", required=False)
@_data_dir
def data_check(name: str | None, data_dir: Path | None) -> int:
    """Verify the checksums of what was fetched, of data set NAME or of all; status 1 if anything is damaged."""
    from . import datasets, terminal

    folder = datasets.data_folder(data_dir)
    entries = [datasets.find(name)[0]] if name else list(datasets.CATALOGUE)
    states = [
        (entry.name, str(folder / file.path), datasets.state(file, folder))
        for entry in entries
        for file in entry.files.values()
    ]
    terminal.listing(("data set", "file", "state"), states)
    return (
        FAILED
        if any(state == "damaged" for *_, state in states) or (name and "missing" in {s for *_, s in states})
        else 0
    )


if __name__ == "__main__":
    main()
