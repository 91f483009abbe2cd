"""`tlbench run`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import completing, options
from .data import fetch_file
from .options import FAILED, data_dir, form, leave, results_dir

if TYPE_CHECKING:
    from .. import datasets, opening, protocol
    from ..preparing import Prepared
    from ..sheet import Format
    from ..study import Block

MOST_FAILURES = 10


@click.command(
    short_help="compute an experiment; write tables, verdicts and figures",
    epilog="""\b
Examples:
  tlbench run caltech-multisource --dataset digits    embedded data, no network, seconds
  tlbench run caltech-multisource                     the paper's own features, 3 MB fetched
  tlbench run caltech-multisource --dataset features:mine.csv --background other
  tlbench run caltech-multisource --dataset folder:photos --background other
  tlbench run caltech-multisource --set overlap=kept  one choice changed, filed beside
  tlbench run yosinski-layers --dataset digits        networks; a minute
  tlbench run yosinski-layers --profile paper --dataset imagenet --dry-run   what it would cost
  tlbench run caltech-multisource --method mine:NearestMean   a classifier of your own beside them
  tlbench run caltech-multisource --cluster tcp://HOST:8786   on a Dask cluster
  tlbench run ./mine.toml --profile quick --seeds 5   a protocol of your own""",
)
@click.argument("experiment", shell_complete=completing.experiments)
@click.option(
    "--dataset",
    metavar="NAME",
    shell_complete=completing.datasets,
    help="digits, caltech101, folder:PATH, features:PATH … (`tlbench list`).  [default: the paper's]",
)
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=completing.profiles,
    help="How much to run, as the protocol names it.  [default: the protocol's]",
)
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Random splits.  [default: the profile's]")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=completing.keys,
    help="Change a factor or choice; may be repeated.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="MODULE:CLASS",
    shell_complete=completing.methods,
    help="A classifier of your own beside the others; may be repeated.",
)
@click.option("--background", metavar="LABEL", help="Which label of your own data is the background.")
@click.option("--categories", metavar="A,B,C", help="Use these labels of your own data alone.")
@click.option(
    "--features",
    metavar="A,B",
    shell_complete=completing.features,
    help="Kinds of feature to describe pictures with.  [default: phog]",
)
@options.skip_broken
@click.option("--keep-scores", is_flag=True, help="Keep the score of every test example too, in scores.csv.")
@options.jobs
@options.cluster
@click.option("--device", metavar="NAME", help="Where networks are trained: cpu, cuda, cuda:1.  [default: cpu]")
@click.option("--dry-run", is_flag=True, help="Run nothing: show what is done, missing and failed, and the time left.")
@click.option("--fresh", is_flag=True, help="Do everything again, finished or not.")
@click.option("--quiet", is_flag=True, help="No progress and no tables; errors only.")
@form
@results_dir
@data_dir
def run(
    experiment: str,
    dataset: str | None,
    profile: str | None,
    seeds: int | None,
    sets: tuple[str, ...],
    methods: tuple[str, ...],
    background: str | None,
    categories: str | None,
    features: str | None,
    skip_broken: bool,
    keep_scores: bool,
    jobs: int | None,
    cluster: str | None,
    device: str | None,
    dry_run: bool,
    fresh: bool,
    quiet: bool,
    form: Format,
    results: Path,
    data_dir: Path | None,
) -> int:
    """Run EXPERIMENT: fetch what is missing, compute what is not done, write tables and figures.

    EXPERIMENT is a name from `tlbench list` or the path of a protocol file. Results go to
    RESULTS/EXPERIMENT/DATASET-PROFILE/; a setting that differs from the protocol gets a folder of its own beside it.
    The exit status is 1 if a block failed; verdicts never fail a run, `tlbench check` does.
    """
    from .. import computing, datasets, manifest, opening, own_methods, preparing, protocol, records, studies, terminal
    from ..processes import cores

    if cluster and jobs:
        raise click.UsageError("--jobs has no effect with --cluster, which has as many processes as it has workers")
    declared = protocol.with_methods(protocol.read(experiment), methods)
    own_methods.search_also(Path())
    overrides = _overrides(
        sets, {"seeds": seeds, "background": background, "categories": categories, "features": features}
    )
    reference = declared.data.default if dataset is None else dataset
    settings = preparing.settle(declared, profile, overrides, reference)
    study = studies.find(declared.study)
    studies.require_part(study)
    if keep_scores:
        settings = preparing.with_scores(settings, study)
    device = preparing.device_for(study, device, elsewhere=cluster is not None and not dry_run)
    folder = datasets.data_folder(data_dir)
    options = preparing.data_options(study, settings, reference)
    datasets.require_shape(reference, study.shape)
    outlined = datasets.outline(reference, options) if dry_run else None
    if not outlined and not _fetch_missing(declared, reference, options, folder, quiet, dry_run):
        return 0
    named = opening.NamedData(study.shape, reference, options, skip_broken)
    verb = "describing" if study.shape == "features" else "decoding"
    try:
        with _watching(verb, quiet, folder if dry_run else None) as watch:
            pack = named.open(folder, jobs or cores(), watch)
    except datasets.DataMissingError:
        if outlined is None:
            raise
        pack = outlined
    prepared = preparing.prepare(declared, settings, reference, pack, results)
    if dry_run:
        if pack is outlined:
            terminal.say(pack.notices[0])
        _show_plan(prepared, jobs or (cores() if device == "cpu" else 1), device, fresh)
        return 0
    prepared.records.prepare()
    if fresh:
        prepared.records.forget()
    replaced = manifest.replaced_by(prepared.plan, prepared.records.folder)
    if replaced and not quiet:
        terminal.say(f"note: the results of run {replaced}, which lie there, will be replaced", stderr=form != "table")
    if not quiet:
        for notice in prepared.pack.notices:
            terminal.say(f"note: {records.printable(notice)}", stderr=form != "table")
    missing, damaged = prepared.scan()
    if damaged:
        what = "1 damaged block is" if damaged == 1 else f"{damaged} damaged blocks are"
        terminal.say(f"note: {what} computed again", stderr=True)
    with (
        computing.processes_for(cluster if missing else None, jobs, device, _note) as where,
        terminal.progress("computing", "blocks", quiet or not missing) as report,
    ):
        outcome = computing.compute_missing(
            prepared,
            missing,
            where,
            report,
            device,
            named.from_anywhere() if cluster else None,
            folder.absolute(),
            lambda: _get_ready(declared),
        )
    _show_failures(list(outcome.failed.values()))
    if outcome.failed and len(outcome.failed) == len(prepared.plan.blocks):
        leave(f"every block failed; there is nothing to write to {terminal.relative(prepared.records.folder)}", FAILED)
    _publish(prepared, quiet, form)
    gone = sum(not prepared.records.exists(block) for block in prepared.plan.blocks) - len(outcome.failed)
    if gone > 0:
        place = terminal.relative(prepared.records.folder)
        leave(f"INCOMPLETE: {gone} finished blocks are gone from {place}; the same command does them again", FAILED)
    return FAILED if outcome.failed else 0


def _get_ready(declared: protocol.Protocol) -> None:
    """What is needed when the blocks are done: read while they are computed, and what is wrong in it is said now."""
    import scipy.special  # noqa: F401 (what verdicts are computed with)

    from .. import figures, published, results, shown  # noqa: F401

    published.load(declared)


def _note(text: str) -> None:
    from .. import terminal

    terminal.say(f"note: {terminal.one_line(text)}", stderr=True)


def _show_failures(failed: list[tuple[Block, Path]]) -> None:
    """What failed and why, in a line each; of many, the first."""
    from .. import records, terminal

    for block, path in failed[:MOST_FAILURES]:
        why = "its traceback is gone, for another run began afresh"
        with suppress(OSError):
            text = path.read_text(encoding="utf-8").strip()
            why = re.sub(r"^[\w.]+: ", "", text.splitlines()[-1]) + f"; see {terminal.relative(path)}"
        terminal.say(f"failed: {records.describe(block)}: {why}", stderr=True)
    if len(failed) > MOST_FAILURES:
        terminal.say(f"failed: {len(failed) - MOST_FAILURES} more; their tracebacks lie beside these", stderr=True)


def _publish(prepared: Prepared, quiet: bool, form: Format) -> None:
    from .. import results as results_room
    from .. import shown, studies, terminal

    study = studies.find(prepared.plan.protocol.study)
    published = results_room.publish(prepared.plan, prepared.records, prepared.data, study.tables)
    files = published.draw()
    for sentence in published.notes:
        _note(sentence)
    if form != "table":
        terminal.show([*shown.grid_sheets(published), shown.verdict_sheet(published, published.findings())], form)
        return
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
    overrides: dict[str, str] = {}
    for text in sets:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"'{text}' is not KEY=VALUE", param_hint="--set")
        if key.strip() in overrides:
            raise click.BadParameter(f"'{key.strip()}' is set twice", param_hint="--set")
        overrides[key.strip()] = value.strip()
    return overrides | {key: str(value) for key, value in flags.items() if value is not None}


def _fetch_missing(
    declared: protocol.Protocol, reference: str, options: datasets.Options, folder: Path, quiet: bool, dry_run: bool
) -> bool:
    """Have the data in place, saying first how much has to come; False where a dry run would have to fetch."""
    from .. import datasets, terminal

    missing = datasets.to_fetch(reference, options, folder)
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
            fetch_file(file, folder, quiet)
    except datasets.DataMissingError as error:
        embedded = datasets.embedded_for(declared.data.default)
        raise datasets.DataMissingError(
            f"{error}\n  With the file carried here by hand:  tlbench data fetch {reference} --from FILE\n"
            f"  Without it, on embedded data:        tlbench run {declared.name} --dataset {embedded}"
        ) from None
    return True


@contextmanager
def _watching(verb: str, quiet: bool, told: Path | None) -> Iterator[opening.Watch]:
    """Progress of what comes before the blocks, each shown only if it happens.

    verb: what is done to pictures. told: the folder in which it is kept, if that is to be said.
    """
    import time

    from .. import opening, terminal

    started = time.monotonic()
    with ExitStack() as shown:
        reports: dict[str, terminal.Report] = {}

        def report(what: str, unit: str) -> terminal.Report:
            if what not in reports:
                reports[what] = shown.enter_context(terminal.progress(what, unit, quiet))
            return reports[what]

        def unpacking(done: int, total: int) -> None:
            report("unpacking", "MB")(done / 1e6, total / 1e6, time.monotonic() - started)

        def describing(done: int, total: int, seconds: float) -> None:
            if total:
                if told and verb not in reports:
                    terminal.say(f"{verb} the pictures first, for blocks are planned on them; kept in {told}")
                report(verb, "pictures")(done, total, seconds)

        def learning(done: int, total: int, seconds: float) -> None:
            if total:
                report("sampling", "pictures to learn words from")(done, total, seconds)

        yield opening.Watch(unpacking, learning, describing)


def _show_plan(prepared: Prepared, jobs: int, device: str, fresh: bool) -> None:
    """What a run would do; ``fresh``: one that begins with forgetting what is done."""
    from .. import studies, terminal

    blocks = prepared.plan.blocks
    missing = list(blocks) if fresh else prepared.scan()[0]
    jobs = max(1, min(jobs, len(missing)))
    failed = [block for block in missing if prepared.records.failure(block)]
    terminal.say(f"{len(blocks)} blocks in {terminal.relative(prepared.records.folder)}")
    terminal.say(f"  done     {len(blocks) - len(missing)}")
    terminal.say(f"  missing  {len(missing)}")
    terminal.say(f"  failed   {len(failed)}  (among the missing; tried again by the next run)")
    study = studies.find(prepared.plan.protocol.study)
    costs = prepared.records.seconds_per_split()
    if missing and all(block.group in costs for block in missing):
        seconds = sum(costs[block.group] * len(block.splits) for block in missing) / jobs
        terminal.say(f"  time     about {terminal.duration(seconds)} with {jobs} processes, from what blocks took here")
    elif missing and study.estimate:
        expected = study.estimate(prepared.pack, missing, device)
        seconds = sum(expected.seconds) / jobs
        terminal.say(
            f"  time     about {terminal.duration(seconds)} with {jobs} processes, from a measurement just now"
        )
        terminal.say(f"  memory   about {expected.memory * jobs / 2**30:.1f} GiB")
        for remark in expected.remarks:
            terminal.say(f"  {remark}")
    elif missing:
        terminal.say("  time     not known: no block of this kind has run here yet")
