"""What the commands share: exit statuses, and the options that several of them take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from . import completing

FAILED, WRONG_INPUT, NOT_TO_BE_HAD, INTERRUPTED = 1, 2, 3, 130

Command = TypeVar("Command", bound=Callable[..., Any])


def leave(message: str, status: int) -> NoReturn:
    """End with one line on standard error."""
    click.echo(f"tlbench: {message}", err=True)
    sys.exit(status)


class AsWritten(click.Group):
    """Lists its commands in the order in which a user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Their names, as added."""
        return list(self.commands)


def results_dir(command: Command) -> Command:
    """--results."""
    return click.option(
        "--results",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("results"),
        metavar="DIR",
        help="Where results lie.  [default: results]",
    )(command)


def skip_broken(command: Command) -> Command:
    """--skip-broken."""
    says = "Leave out pictures that cannot be read, naming them."
    return click.option("--skip-broken", is_flag=True, help=says)(command)


def jobs(command: Command) -> Command:
    """--jobs."""
    says = "Processes.  [default: one a core]"
    return click.option("--jobs", type=click.IntRange(min=1), metavar="N", help=says)(command)


def cluster(command: Command) -> Command:
    """--cluster."""
    says = "Compute on a Dask cluster: tcp://HOST:PORT of its scheduler, or its scheduler file."
    return click.option("--cluster", metavar="WHERE", help=says)(command)


def data_dir(command: Command) -> Command:
    """--data-dir."""
    return click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        metavar="DIR",
        help="Where fetched data lie.  [default: $TLBENCH_DATA_DIR, else your cache folder]",
    )(command)


def form(command: Command) -> Command:
    """--format."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "csv", "json", "markdown"]),
        default="table",
        show_default=True,
        help="How tables are printed; other words then go to standard error.",
    )(command)


def only(command: Command) -> Command:
    """--dataset and --profile, of results that are there."""
    of_profile = click.option("--profile", metavar="NAME", help="Only results of this profile.  [default: all]")
    of_dataset = click.option(
        "--dataset",
        metavar="NAME",
        shell_complete=completing.datasets,
        help="Only results on this data set.  [default: all]",
    )
    return of_dataset(of_profile(command))
