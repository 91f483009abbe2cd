"""`tlbench export` and `tlbench import`."""

from __future__ import annotations

from pathlib import Path

import click

from . import completing
from .options import FAILED, results_dir

MOST_NAMED = 5


@click.command(short_help="pack finished blocks into one file, to be carried to another machine")
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("experiments", nargs=-1, shell_complete=completing.experiments)
@results_dir
def export(archive: Path, experiments: tuple[str, ...], results: Path) -> int:
    """Pack what has finished of EXPERIMENTS, or of all, into the new file ARCHIVE; runs need not be complete."""
    from .. import carrying, terminal

    done = carrying.export(results, archive, experiments)
    terminal.say(f"{done.blocks} blocks of {done.runs} runs in {archive}, {archive.stat().st_size / 1e6:.1f} MB")
    _name("left out, for they are damaged", [str(path) for path in done.damaged])
    terminal.say(f"There: tlbench import {archive.name}, then the same tlbench run goes on from these")
    return 0


@click.command(name="import", short_help="take over blocks that were finished elsewhere, each verified")
@click.argument("archives", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@results_dir
def import_(archives: tuple[Path, ...], results: Path) -> int:
    """Put the blocks of ARCHIVES beside those that are here, which stay as they are; nothing unsound is taken.

    The exit status is 1 if something in them was refused. `tlbench run` then finds them done, and writes the tables.
    """
    from .. import carrying, terminal

    refused = False
    for archive in archives:
        done = carrying.bring(archive, results)
        terminal.say(f"{archive}: {done.new} blocks taken over, {done.present} were here already")
        _name("here with other numbers, which stay", done.different)
        _name("refused, for they are damaged or none of ours", done.refused)
        refused |= bool(done.refused)
        for run in sorted(done.runs):
            terminal.say(f"  {terminal.relative(results / run)}/")
    return FAILED if refused else 0


def _name(what: str, names: list[str]) -> None:
    from .. import terminal

    if names:
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        shown = ", ".join(terminal.one_line(name) for name in names[:MOST_NAMED])
        terminal.say(f"note: {len(names)} {what}: {shown}{more}", stderr=True)
