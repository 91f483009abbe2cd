"""`tlbench data`: list, fetch and verify the data sets."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completing
from .options import FAILED, AsWritten, data_dir, form

if TYPE_CHECKING:
    from .. import datasets
    from ..sheet import Format


@click.group(
    short_help="list, fetch and verify the data sets",
    cls=AsWritten,
    epilog="""\b
Examples:
  tlbench data list
  tlbench data fetch caltech101
  tlbench data check""",
)
def data() -> None:
    """Fetch, verify and show the data sets; the only commands besides `run` that touch the network."""


@data.command("list", short_help="each data set with its licence and size, and what is here")
@form
@data_dir
def data_list(form: Format, data_dir: Path | None) -> None:
    """Show each data set with its licence, the size of what has to be fetched, and what it and our caches take here."""
    from .. import datasets, terminal
    from ..sheet import words

    folder = datasets.data_folder(data_dir)
    here = {one.name: _megabytes(one.size) for one in datasets.taken(folder)}
    rows = []
    for entry in datasets.CATALOGUE:
        files = datasets.all_files(entry)
        size = _megabytes(sum(file.size for file in files)) if files else "–"
        options = ", ".join(entry.options) or "–"
        rows.append((entry.name, size, here.pop(entry.name, "–"), entry.licence, options, entry.says))
    sheets = [words("Data sets", ("name", "to fetch", "here", "licence", "options", "what it is"), rows)]
    if here:
        caption = f"Caches in {terminal.relative(folder)}, freed by `tlbench data clean NAME`"
        sheets.append(words(caption, ("name", "here"), list(here.items())))
    terminal.show(sheets, form)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size else "not known"


@data.command(
    "clean",
    short_help="free what a data set or a cache takes",
    epilog="""\b
Examples:
  tlbench data clean                                  what could be freed
  tlbench data clean features                         descriptions of pictures
  tlbench data clean caltech101 pictures""",
)
@click.argument("names", nargs=-1, shell_complete=completing.datasets)
@form
@data_dir
def data_clean(names: tuple[str, ...], form: Format, data_dir: Path | None) -> int:
    """Remove data sets and caches, by NAMES, from the data folder; without a name, show what could be freed.

    Only what tlbench fetched, unpacked or computed is ever removed, and results are not touched. Not for use while a
    run is reading the data.
    """
    from .. import datasets, terminal
    from ..sheet import words

    folder = datasets.data_folder(data_dir)
    if names:
        for name in dict.fromkeys(names):
            terminal.say(f"{name}: {datasets.free(folder, name) / 1e6:,.1f} MB freed")
        return 0
    rows = [(one.name, f"{one.size / 1e6:,.1f} MB", one.says) for one in datasets.taken(folder)]
    if rows or form != "table":
        terminal.show([words("Can be freed", ("name", "here", "what it is"), rows)], form)
    else:
        terminal.say(f"there is nothing of ours in {terminal.relative(folder)}")
    return 0


@data.command(
    "fetch",
    short_help="fetch a data set, or take a hand-carried file",
    epilog="""\b
Examples:
  tlbench data fetch caltech256-features
  tlbench data fetch caltech256-features --setting related
  tlbench data fetch caltech256-features --from /media/stick/10class_mix.mat""",
)
@click.argument("name", shell_complete=completing.datasets)
@click.option("--setting", metavar="NAME", help="Only the file of this setting.  [default: all of them]")
@click.option("--from", "source", type=click.Path(path_type=Path), metavar="FILE", help="A file carried here by hand.")
@click.option("--quiet", is_flag=True, help="No progress.")
@data_dir
def data_fetch(name: str, setting: str | None, source: Path | None, quiet: bool, data_dir: Path | None) -> int:
    """Fetch data set NAME, verified by checksum; what broke off goes on where it stopped.

    With --from a file (or a folder that holds it) is taken instead of the network, and verified in the same way.
    """
    from .. import datasets, terminal

    folder = datasets.data_folder(data_dir)
    files = _files_of(name, setting, source)
    entry, _ = datasets.find(name)
    if entry.collection and (tree := datasets.find_tree(entry.collection, folder)):
        terminal.say(f"{tree.folder} is there already ({'verified' if tree.verified else 'unverified'})")
        return 0
    if not files:
        terminal.say(f"{name} needs nothing fetched")
    for file in files:
        try:
            path = datasets.adopt(file, folder, source) if source else fetch_file(file, folder, quiet)
        except datasets.DataMissingError as error:
            raise datasets.DataMissingError(
                f"{error}\n  With the file carried here by hand:  tlbench data fetch {name} --from FILE"
            ) from None
        if not quiet:
            terminal.say(f"{path} is in place and verified")
    if entry.collection:
        started = time.monotonic()
        with terminal.progress("unpacking", "MB", quiet) as report:
            datasets.ensure_tree(
                entry.collection,
                folder,
                lambda done, total: report(done / 1e6, total / 1e6, time.monotonic() - started),
            )
    return 0


def _files_of(name: str, setting: str | None, source: Path | None) -> list[datasets.RemoteFile]:
    """The files of a data set that a fetch is about; of hand-carried ones, those that were carried."""
    from .. import datasets

    entry, _ = datasets.find(name)
    if setting and "setting" not in entry.options:
        raise datasets.DataError(f"data set '{entry.name}' has no setting to choose")
    every = datasets.all_files(entry)
    if source and not source.exists():
        raise datasets.DataError(f"there is no file {source}")
    files = datasets.needed_files(name, datasets.Options(setting=setting)) if setting else every
    if source:
        found = {name for *_, names in os.walk(source) for name in names}  # what cannot be looked into is passed over
        carried = found if source.is_dir() else {source.name}
        files = [file for file in files if Path(file.path).name in carried]
        if not files:
            names = ", ".join(Path(file.path).name for file in every)
            raise datasets.DataError(f"{source} is or holds no file of {name}; those are {names or 'none'}")
    return files


@data.command(
    "check",
    short_help="verify the checksums of what was fetched",
    epilog="""\b
Examples:
  tlbench data check                                  all of them
  tlbench data check caltech256-features""",
)
@click.argument("name", required=False, shell_complete=completing.datasets)
@form
@data_dir
def data_check(name: str | None, form: Format, data_dir: Path | None) -> int:
    """Verify the checksums of what was fetched, of data set NAME or of all; status 1 if anything is damaged."""
    from .. import datasets, terminal
    from ..sheet import words

    folder = datasets.data_folder(data_dir)
    entries = [datasets.find(name)[0]] if name else list(datasets.CATALOGUE)
    states: list[tuple[str, str, str]] = [
        (entry.name, str(folder / file.path), datasets.state(file, folder))
        for entry in entries
        for file in entry.every_file
    ]
    for entry in entries:
        if entry.collection:
            tree = datasets.find_tree(entry.collection, folder)
            kind = ("verified" if tree.verified else "unverified") if tree else "missing"
            states.append((entry.name, str(tree.folder if tree else folder / entry.collection), kind))
    if not states:
        terminal.say(
            f"nothing of {name} is fetched, so there is nothing to verify here; `tlbench run` reads it as it is"
        )
        return 0
    terminal.show([words("Files of data sets", ("data set", "file", "state"), states)], form)
    return (
        FAILED
        if any(state == "damaged" for *_, state in states) or (name and "missing" in {s for *_, s in states})
        else 0
    )


def fetch_file(file: datasets.RemoteFile, folder: Path, quiet: bool) -> Path:
    """Fetch one file with its progress shown; raises what ``datasets.fetch`` raises."""
    from .. import datasets, terminal

    started = time.monotonic()
    with terminal.progress(Path(file.path).name, "MB", quiet) as report:
        return datasets.fetch(
            file, folder, lambda done, total: report(done / 1e6, total / 1e6, time.monotonic() - started)
        )
