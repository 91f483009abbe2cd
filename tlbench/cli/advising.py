"""`tlbench advise` and `predict`: a decision on a user's own pictures, and the model that comes with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completing
from .options import WRONG_INPUT, data_dir, form, leave

if TYPE_CHECKING:
    from ..advice import Advice, KindOfModel, Material
    from ..sheet import Format, Sheet

USUAL_FEATURES = "phog,lbp,regcov,pixels"


@click.command(
    short_help="own pictures: transfer or not, and what to expect",
    epilog="""\b
Examples:
  tlbench advise --target photos/heron --sources photos
  tlbench advise --target new/heron --sources photos --background photos/other
  tlbench advise --target heron --sources birds.csv --background other""",
)
@click.option(
    "--target", required=True, metavar="FOLDER", help="The few pictures of the new category; of a table, its label."
)
@click.option(
    "--sources",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="A folder with a folder of pictures for each other category, or a table of features.",
)
@click.option(
    "--background",
    metavar="FOLDER",
    help="Pictures of other things; of a table, their label.  [default: a folder of a usual name, else a part of the "
    "sources]",
)
@click.option(
    "--features",
    metavar="A,B",
    default=USUAL_FEATURES,
    show_default=True,
    shell_complete=completing.features,
    help="Kinds of feature to describe pictures with.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("advice"),
    metavar="DIR",
    help="Where page, tables, figure and model go.  [default: advice]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, metavar="N", help="The base of every draw.  [default: 0]"
)
@click.option("--skip-broken", is_flag=True, help="Leave out pictures that cannot be read, naming them.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one a core]")
@click.option("--quiet", is_flag=True, help="No progress.")
@form
@data_dir
def advise(
    target: str,
    sources: Path,
    background: str | None,
    features: str,
    output: Path,
    seed: int,
    skip_broken: bool,
    jobs: int | None,
    quiet: bool,
    form: Format,
    data_dir: Path | None,
) -> int:
    """Say whether a new category with few pictures should lean on models of others, and train the model that does.

    Each source in turn plays the target, with as many labelled pictures as there are of the new category: what is
    gained there is what may be expected. What cannot be answered is said to be so.
    """
    from .. import advice, computing, terminal

    jobs = jobs or computing.cores()
    material, kinds = _material(target, sources, background, features, jobs, skip_broken, quiet, data_dir)
    with terminal.progress("rehearsing", "targets", quiet) as report:
        started = time.monotonic()

        def rehearsing(done: int, total: int) -> None:
            if total:
                report(done, total, time.monotonic() - started)

        found = advice.advise(material, kinds, seed, jobs, rehearsing)
    written = _write(found, output)
    if form != "table":
        terminal.show(advice.sheets(found), form)
    else:
        terminal.say(advice.page(found))
        terminal.say("\n".join(terminal.relative(path) for path in written))
    return 0


def _material(
    target: str,
    sources: Path,
    background: str | None,
    names: str,
    jobs: int,
    skip_broken: bool,
    quiet: bool,
    data_dir: Path | None,
) -> tuple[Material, dict[str, KindOfModel]]:
    """Pictures described, or a table read; and what a model must know of each kind of feature."""
    from .. import advice, datasets, terminal
    from ..advice import tables

    if tables.is_table(sources):
        material = tables.material_of_table(sources, target, background)
        return material, {kind: advice.KindOfModel() for kind in material.pack.features}
    folder = datasets.data_folder(data_dir)
    wanted = advice.settle([name.strip() for name in names.split(",")], folder)
    found = advice.find_pictures(Path(target), sources, background)
    with terminal.progress("describing", "pictures", quiet) as report:
        pack = advice.describe(
            found, wanted, folder / "features", jobs, skip_broken, lambda *done: done[1] and report(*done)
        )
    return advice.material_of(found, pack), {kind.name: advice.KindOfModel.of(kind) for kind in wanted}


def _write(found: Advice, output: Path) -> list[Path]:
    """The page, the tables, the figure and the model."""
    import pandas as pd

    from .. import advice, records

    weights = pd.DataFrame({"source": list(found.weights), "weight": list(found.weights.values())})
    content = {
        "advice.md": advice.page(found).encode("utf-8", "backslashreplace"),
        "rehearsal.csv": found.rehearsal.to_csv(index=False).encode("utf-8", "backslashreplace"),
        "weights.csv": weights.to_csv(index=False).encode("utf-8", "backslashreplace"),
        **advice.draw(found),
    }
    for name, body in content.items():
        records.write_whole(output / name, body)
    model = output / "model.safetensors"
    found.model.save(model)
    return [*(output / name for name in content), model]


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
@click.option("--skip-broken", is_flag=True, help="Leave out pictures that cannot be read, naming them.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes.  [default: one a core]")
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

    A model from a table of features takes a .csv with the same columns instead.
    """
    from .. import advice, computing, records, terminal
    from ..advice import tables
    from ..sheet import Cell, Sheet, written

    loaded = advice.load(model)
    if len(pictures) == 1 and tables.is_table(pictures[0]):
        names, described = tables.unseen_table(pictures[0])
        try:
            scores = list(zip(names, loaded.decision_function(described).tolist(), strict=True))
        except ValueError as error:
            leave(f"{pictures[0]}: {error}", WRONG_INPUT)
    else:
        files = advice.unseen_pictures(pictures)
        with terminal.progress("describing", "pictures", quiet) as report:
            found = loaded.predict_pictures(
                files, data_dir, jobs or computing.cores(), skip_broken, lambda *done: done[1] and report(*done)
            )
        for file in files:
            if file not in found:
                terminal.say(f"{terminal.relative(file)} cannot be read: left out", stderr=True)
        scores = [(terminal.relative(file), score) for file, score in found.items()]
    scores.sort(key=lambda one: -one[1])
    rows = tuple(
        (Cell(name), Cell(f"{score:+.3f}", score), Cell("yes" if score > 0 else "no")) for name, score in scores
    )
    sheet: Sheet = Sheet(f"Is it {loaded.target}?", ("picture", "score", "answer"), rows, (False, True, False))
    if output is not None:
        records.write_whole(output, (written([sheet], "csv") + "\n").encode("utf-8", "backslashreplace"))
    terminal.show([sheet], form)
    return 0
