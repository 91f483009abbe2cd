"""`tlbench validate`: a classifier or a protocol file of a user's own, tried before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completing
from .options import FAILED, data_dir, form

if TYPE_CHECKING:
    from ..protocol import Protocol
    from ..sheet import Format
    from ..validation.checks import Check


@click.command(
    short_help="try a classifier or a protocol file of your own, in seconds",
    epilog="""\b
Examples:
  tlbench validate mine:NearestMean                   a class in mine.py
  tlbench validate ./mine.toml                        a protocol of your own
  tlbench validate ./mine.toml --dataset features:birds.csv""",
)
@click.argument("what", metavar="METHOD|PROTOCOL", shell_complete=completing.methods)
@click.option(
    "--dataset",
    metavar="NAME",
    shell_complete=completing.datasets,
    help="Of a protocol: the data to try it on.  [default: the protocol's, else embedded ones]",
)
@form
@data_dir
def validate(what: str, dataset: str | None, form: Format, data_dir: Path | None) -> int:
    """Say what is wrong with a classifier (MODULE:Class) or a protocol file before anything depends on it.

    A classifier is tried on a toy problem: what experiments ask of it, and what its numbers need to be comparable. Of a
    protocol every profile, claim and figure is read, and where data are here one block is computed. The exit status is
    1 where there is a problem, and 2 where there is no such thing.
    """
    from .. import own_methods, protocol, terminal

    own_methods.search_also(Path())
    if what.endswith(".toml") or "/" in what or what in protocol.shipped():
        tried = _protocol(what, dataset, data_dir)
    elif dataset is not None:
        raise click.BadParameter("a classifier is tried on a toy problem; leave it out", param_hint="--dataset")
    else:
        tried = {what: _method(what)}
    from ..validation.checks import sheet  # with all that it takes, once there is something to show

    terminal.show([sheet(caption, checks) for caption, checks in tried.items()], form)
    problems = sum(check.outcome == "problem" for checks in tried.values() for check in checks)
    many = f"{problems} problems" if problems > 1 else "1 problem"
    terminal.say(f"\n{many if problems else 'No problem'} found in {what}.", stderr=form != "table")
    return FAILED if problems else 0


def _method(reference: str) -> list[Check]:
    """A classifier; raises ProtocolError where there is none of the name."""
    from .. import own_methods
    from ..validation.checks import Check
    from ..validation.methods import try_method

    try:
        method = own_methods.find(reference)
    except own_methods.BrokenMethodError as error:
        return [Check("found and imported", "problem", str(error))]
    return [Check("found and imported", "ok", method.says), *try_method(method)]


def _protocol(path: str, dataset: str | None, folder: Path | None) -> dict[str, list[Check]]:
    """A protocol file and the methods that it names; raises ProtocolError where there is no such file."""
    from .. import datasets, protocol
    from ..validation.checks import Check
    from ..validation.one_block import try_one_block
    from ..validation.protocols import try_protocol

    try:
        declared: Protocol = protocol.read(path)
    except protocol.ProtocolError as error:
        if not Path(path).is_file():
            raise
        return {path: [Check("read", "problem", str(error))]}
    reference = dataset or declared.data.default
    if dataset:
        datasets.find(dataset)
    checks = [Check("read", "ok", declared.name), *try_protocol(declared, reference)]
    if all(check.outcome == "ok" for check in checks):
        checks += try_one_block(declared, reference, datasets.data_folder(folder))
    tried = {path: checks}
    if checks[1].outcome == "ok":
        tried |= {method: _method(method) for method in declared.methods}
    return tried
