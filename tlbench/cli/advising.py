"""`tlbench advise`: a decision on a user's own pictures, and the model that comes with it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completing, options
from .options import WRONG_INPUT, data_dir, form, leave

if TYPE_CHECKING:
    from ..advice import Advice, KindOfModel, Material
    from ..features import Kind
    from ..sheet import Format

USUAL_FEATURES = "phog,lbp,regcov,pixels"


@click.command(
    short_help="own pictures: transfer or not, and what to expect",
    epilog="""\b
Examples:
  tlbench advise --target photos/heron --sources photos
  tlbench advise --target new/heron --sources photos --background photos/other
  tlbench advise --target heron --sources birds.csv --background other
  tlbench advise --target photos/heron --sources photos --features deep:efficientnet-lite0
  tlbench advise --target photos/heron --sources photos --layers deep:efficientnet-lite0""",
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
    "--layers",
    metavar="NETWORK",
    help="Say how many blocks of a pretrained network to keep instead, like deep:efficientnet-lite0.",
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
@options.skip_broken
@options.jobs
@click.option("--quiet", is_flag=True, help="No progress.")
@form
@data_dir
def advise(
    target: str,
    sources: Path,
    background: str | None,
    features: str,
    layers: str | None,
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
    from .. import advice, processes, terminal

    jobs = jobs or processes.cores()
    if layers is not None:
        return _judge_layers(
            layers, target, sources, background, output, seed, skip_broken, jobs, quiet, form, data_dir
        )
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
    from .. import advice, datasets
    from ..advice import tables

    if tables.is_table(sources):
        return tables.material_of_table(sources, target, background)
    folder = datasets.data_folder(data_dir)
    wanted = advice.settle([name.strip() for name in names.split(",")], folder)
    material = _described(target, sources, background, wanted, jobs, skip_broken, quiet, folder)
    return material, {kind.name: advice.KindOfModel.of(kind) for kind in wanted}


def _described(
    target: str,
    sources: Path,
    background: str | None,
    wanted: list[Kind],
    jobs: int,
    skip_broken: bool,
    quiet: bool,
    folder: Path,
) -> Material:
    from .. import advice, terminal

    found = advice.find_pictures(Path(target), sources, background)
    with terminal.progress("describing", "pictures", quiet) as report:
        pack = advice.describe(
            found, wanted, folder / "features", jobs, skip_broken, lambda *done: done[1] and report(*done)
        )
    return advice.material_of(found, pack)


def _judge_layers(
    network: str,
    target: str,
    sources: Path,
    background: str | None,
    output: Path,
    seed: int,
    skip_broken: bool,
    jobs: int,
    quiet: bool,
    form: Format,
    data_dir: Path | None,
) -> int:
    """Print how many blocks of a network to keep, and write the page and the table."""
    from .. import advice, datasets, pretrained, records, terminal
    from ..advice import tables

    if tables.is_table(sources):
        leave(f"--layers needs pictures to show to a network, and {sources} is a table of features", WRONG_INPUT)
    folder = datasets.data_folder(data_dir)
    kind, widths = pretrained.each_block(network, folder)
    material = _described(target, sources, background, [kind], jobs, skip_broken, quiet, folder)
    with terminal.progress("rehearsing", "blocks", quiet) as report:
        started = time.monotonic()
        found = advice.judge_layers(
            material,
            network,
            widths,
            seed,
            lambda done, total: report(done, total, time.monotonic() - started),
        )
    page = advice.layers_page(found)
    records.write_whole(output / "layers.md", page.encode("utf-8", "backslashreplace"))
    records.write_whole(output / "layers.csv", found.table.to_csv(index=False).encode())
    if form == "table":
        terminal.say(page)
    terminal.show([advice.layers_sheet(found)], form)
    if form == "table":
        terminal.say("\n".join(terminal.relative(output / name) for name in ("layers.md", "layers.csv")))
    return 0


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
