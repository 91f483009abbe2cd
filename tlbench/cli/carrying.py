"""`tlbench export` and `tlbench import`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from . import completing
from .options import FAILED, results_dir

MOST_NAMED = 5


@click.command(
    short_help="pack finished blocks into one file, to be carried to another machine",
    epilog="Example:  tlbench export carried.zip caltech-multisource",
)
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("experiments", nargs=-1, shell_complete=completing.experiments)
@results_dir
def export(archive: Path, experiments: tuple[str, ...], results: Path) -> int:
    """Pack what has finished of EXPERIMENTS, or of all, into the new file ARCHIVE; runs need not be complete."""
    from .. import carrying, terminal

    done = carrying.export(results, archive, experiments)
    named, size = terminal.one_line(str(archive)), archive.stat().st_size / 1e6
    terminal.say(f"{_counted(done.blocks, 'block')} of {_counted(done.runs, 'run')} in {named}, {size:.1f} MB")
    _name("left out, for they are damaged", [str(path) for path in done.damaged])
    name = terminal.one_line(shlex.quote(archive.name))
    terminal.say(f"There: tlbench import {name}, then the same tlbench run goes on from these")
    return 0


@click.command(
    name="import",
    short_help="take over blocks that were finished elsewhere, each verified",
    epilog="Example:  tlbench import carried.zip",
)
@click.argument("archives", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@results_dir
def import_(archives: tuple[Path, ...], results: Path) -> int:
    """Put the blocks of ARCHIVES beside those that are here, which stay as they are; nothing unsound is taken.

    The exit status is 1 if something in them was refused. The same `tlbench run` as there, with its --dataset and other
    options, then finds them done, and writes the tables.
    """
    from .. import carrying, terminal

    refused = False
    for archive in archives:
        done = carrying.bring(archive, results)
        taken = f"{_counted(done.new, 'block')} taken over, {done.present} here already"
        terminal.say(f"{terminal.one_line(str(archive))}: {taken}")
        _name("here with other numbers, which stay", done.different)
        _name("refused, for they are damaged or none of ours", done.refused)
        refused |= bool(done.refused)
        for run in sorted(done.runs):
            terminal.say(f"  {terminal.one_line(terminal.relative(results / run))}/")
    return FAILED if refused else 0


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _name(what: str, names: list[str]) -> None:
    from .. import terminal

    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        shown = ", ".join(terminal.one_line(name) for name in names[:MOST_NAMED])
        terminal.say(f"note: {len(names)} {what}: {shown}{more}", stderr=True)
