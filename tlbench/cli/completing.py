"""What a shell offers after TAB: the names of experiments, data sets, profiles, features and conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

if TYPE_CHECKING:
    from ..protocol import Protocol

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offering(names: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Names that begin as the word that was begun; nothing where they cannot be told, and never an error."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        try:
            return [CompletionItem(name) for name in names(context) if name.startswith(begun)]
        except Exception:
            return []

    return complete


def _experiments(_: click.Context) -> Iterable[str]:
    from .. import protocol

    return protocol.shipped()


def _datasets(_: click.Context) -> Iterable[str]:
    from .. import datasets

    return [entry.name.replace("PATH", "") for entry in datasets.CATALOGUE]


def _named(context: click.Context) -> Protocol:
    """The experiment that was named before; click leaves it unread where an option still lacks its value."""
    from .. import protocol

    return protocol.read(str(context.params.get("experiment") or context.args[0]))


def _profiles(context: click.Context) -> Iterable[str]:
    return _named(context).profiles


def _keys(context: click.Context) -> Iterable[str]:
    declared = _named(context)
    return [f"{key}=" for key in ("conditions", *declared.factors, *declared.choices)]


def _features(_: click.Context) -> Iterable[str]:
    from .. import features

    return features.names()


def _methods(_: click.Context) -> Iterable[str]:
    from .. import own_methods

    return own_methods.installed()


_OFFERED = (_experiments, _datasets, _profiles, _keys, _features, _methods)
experiments, datasets, profiles, keys, features, methods = map(_offering, _OFFERED)


@click.command(
    "completion",
    short_help="names after TAB, in bash, zsh or fish",
    epilog="""\b
Examples:
  tlbench completion bash >> ~/.bashrc
  tlbench completion zsh >> ~/.zshrc
  tlbench completion fish > ~/.config/fish/completions/tlbench.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what SHELL has to read at its start to complete commands, options and names of tlbench."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 (click has all three)
    click.echo(kind(context.find_root().command, {}, "tlbench", "_TLBENCH_COMPLETE").source())
    return 0
