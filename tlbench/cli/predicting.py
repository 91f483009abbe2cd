"""`tlbench predict`: what a model of `advise` makes of pictures, or of a table's rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .options import WRONG_INPUT, data_dir, form, leave

if TYPE_CHECKING:
    from ..advice import Model
    from ..sheet import Format, Sheet

MOST_PRINTED = 20
"""Rows that a table in the terminal has where a file holds them all."""

Scores = list[tuple[str, float]]


@click.command(
    short_help="what a model of `advise` makes of pictures",
    epilog="""\b
Examples:
  tlbench predict advice/model.safetensors photos/unseen
  tlbench predict advice/model.safetensors photos/unseen --output found.csv
  tlbench predict advice/model.safetensors one.jpg other.png --format json""",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a CSV file, too."
)
@options.skip_broken
@options.jobs
@click.option("--quiet", is_flag=True, help="No progress.")
@form
@data_dir
def predict(
    model: Path,
    pictures: tuple[Path, ...],
    output: Path | None,
    skip_broken: bool,
    jobs: int | None,
    quiet: bool,
    form: Format,
    data_dir: Path | None,
) -> int:
    """Say of PICTURES, files or folders of them, whether each shows the category of MODEL; the surest first.

    A model from a table of features takes a table with the same columns instead, in any order; a label is passed over.
    """
    from .. import advice, records, terminal
    from ..advice import tables
    from ..sheet import written

    loaded = advice.load(model)
    given = [path for path in pictures if tables.is_table(path)]
    if given:
        scores = _of_table(loaded, given[0], len(pictures))
    else:
        scores = _of_pictures(loaded, pictures, skip_broken, jobs, quiet, data_dir)
    scores.sort(key=lambda one: -one[1])
    shown = len(scores)
    if output is not None:
        every = written([_sheet(loaded, scores)], "csv") + "\n"
        records.write_whole(output, every.encode("utf-8", "backslashreplace"))
        shown = MOST_PRINTED if form == "table" else shown
    terminal.show([_sheet(loaded, scores[:shown])], form)
    if len(scores) > shown:
        terminal.say(terminal.one_line(f"{len(scores) - shown} more in {output}"))
    return 0


def _of_table(model: Model, path: Path, given: int) -> Scores:
    from ..advice import tables
    from ..datasets import DataError

    if any(kind.depends_on for kind in model.kinds.values()):
        raise DataError(f"this is a model of pictures, and {path} is a table; give pictures or folders of pictures")
    if given > 1:
        raise DataError(f"give one table at a time, and nothing beside it; {path} is one of {given} things given")
    names, described = tables.unseen_table(path, model.kinds)
    try:
        return list(zip(names, model.decision_function(described).tolist(), strict=True))
    except ValueError as error:  # arrays of another width, which have no names to look at
        raise DataError(f"{path}: {error}") from None


def _of_pictures(
    model: Model, places: tuple[Path, ...], skip_broken: bool, jobs: int | None, quiet: bool, data_dir: Path | None
) -> Scores:
    from .. import advice, features, processes, terminal

    files, notices = advice.unseen_pictures(places)
    try:
        with terminal.progress("describing", "pictures", quiet) as report:
            found = model.predict_pictures(
                files, data_dir, jobs or processes.cores(), skip_broken, lambda *done: done[1] and report(*done)
            )
    except features.PictureError as error:
        raise error.or_left_out from None
    notices += [f"{terminal.relative(file)} cannot be read: left out" for file in files if file not in found]
    if not found:
        leave("none of the pictures can be read", WRONG_INPUT)
    for notice in notices:
        terminal.say(terminal.one_line(notice), stderr=True)
    return [(terminal.relative(file), score) for file, score in found.items()]


def _sheet(model: Model, scores: Scores) -> Sheet:
    from ..sheet import Cell, Sheet

    rows = tuple(
        (Cell(name), Cell(f"{score:+.3f}", score), Cell("yes" if score > 0 else "no")) for name, score in scores
    )
    return Sheet(f"Is it {model.target}?", ("picture", "score", "answer"), rows, (False, True, False))
