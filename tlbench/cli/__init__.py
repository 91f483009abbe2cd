"""The commands. Each reads what was typed, calls the rooms that do the work, and turns errors into exit statuses.

0 well · 1 a block failed, `plot` or `check` found no results, or `check` found them incomplete, nothing tested or a
verdict not as expected, or tlbench itself has a fault · 2 the input is wrong · 3 something needed is missing and cannot
be had · 130 interrupted
"""

from __future__ import annotations

import atexit
import errno
import io
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import NoReturn

import click

from ..__main__ import SAYS_INTERRUPTED
from .advising import advise
from .carrying import export, import_
from .completing import completion
from .data import data
from .options import FAILED, INTERRUPTED, NOT_TO_BE_HAD, WRONG_INPUT, AsWritten, leave
from .predicting import predict
from .reading import check, compare, list_, plot, report
from .running import run
from .validating import validate

PATIENCE = 1.5
"""Seconds that an interrupted run may take to end by itself."""
LONGEST_SHOWN = 60
"""Characters of a name that is too long for a file."""


def main() -> NoReturn:
    """Run the command line and exit with a status; a user's mistake is one sentence, a traceback needs --debug."""
    words = [word for word in sys.argv[1:] if word != "--debug"]
    debug = words != sys.argv[1:]
    os.umask(os.umask(0o077) | 0o002)  # whatever is created, not everybody may write to it
    _prepare_streams()
    interruption = _Interruption()
    atexit.register(interruption.keep_status)  # the first to be registered is the last to be called
    signal.signal(signal.SIGTERM, interruption)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interruption)
    try:
        # It is added to a command that failed, so it may stand anywhere.
        sys.exit(cli(["--debug", *words] if debug else words, prog_name="tlbench", standalone_mode=False) or 0)
    except (KeyboardInterrupt, click.Abort):
        interruption.leave_soon()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(WRONG_INPUT)
    except click.ClickException as error:
        leave(error.format_message(), WRONG_INPUT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)
    except Exception as error:
        status = _status(error)
        if status is None and interruption.at is not None and not debug:
            interruption.leave_soon()  # what an import or a lock makes of an interruption
        if debug:
            raise
        from ..terminal import one_line, plain

        if status is None:
            said, status = _unexpected(error)
            leave(one_line(said), status)
        leave((plain if status == NOT_TO_BE_HAD else one_line)(str(error)), status)  # the former says ways in lines


def _prepare_streams() -> None:
    """A closed output takes what is written to it, and one of few letters shows ? for the others."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (as long as the process)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


class _Interruption:
    """What Ctrl-C and SIGTERM do: raise KeyboardInterrupt, once for all that come within ``PATIENCE``.

    A second one would interrupt the clearing up after the first. at: when it was raised last. is_the_end: whether there
    is nothing left to do but that.
    """

    def __init__(self) -> None:
        self.at: float | None = None
        self.is_the_end = False

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if self.at is None or now - self.at > PATIENCE:
            self.at = now
            raise KeyboardInterrupt

    def leave_soon(self) -> NoReturn:
        """End, at the latest after a moment, and say nothing after that.

        A thread of a pool may wait for ever for a process that was just killed, or fail on what is closed by now.
        """
        self.is_the_end = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        patience = threading.Timer(PATIENCE, os._exit, (INTERRUPTED,))
        patience.daemon = True
        patience.start()
        click.echo(f"tlbench: {SAYS_INTERRUPTED}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sys.exit(INTERRUPTED)

    def keep_status(self) -> None:
        """Called last of all: Python itself ends by the signal where one came while code ran that was made of text."""
        if self.is_the_end:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(INTERRUPTED)


def _unexpected(error: Exception) -> tuple[str, int]:
    """What is said of an error that no room raised on purpose, and its status: the system's word, or a fault here."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"no file can have so long a name: {str(error.filename)[:LONGEST_SHOWN]}…", WRONG_INPUT
    if isinstance(error, OSError):
        what = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
        return f"the system refused: {what}; what had finished is kept, and --debug shows where", NOT_TO_BE_HAD
    return (
        f"a fault in tlbench, not in what you typed ({type(error).__name__}: {error}); what had finished is kept, and "
        "the same command with --debug shows where, for a report"
    ), FAILED


def _status(error: Exception) -> int | None:
    """The exit status of an error that its room raised on purpose."""
    known = {
        "tlbench.protocol.strict.ProtocolError": WRONG_INPUT,
        "tlbench.studies.MissingPartError": NOT_TO_BE_HAD,
        "tlbench.own_methods.finding.BrokenMethodError": WRONG_INPUT,
        "tlbench.claims.selection.ClaimError": WRONG_INPUT,
        "tlbench.records.RecordsError": WRONG_INPUT,
        "tlbench.datasets.errors.DataError": WRONG_INPUT,
        "tlbench.datasets.errors.DataMissingError": NOT_TO_BE_HAD,
        "tlbench.cluster.errors.ClusterError": NOT_TO_BE_HAD,
        "tlbench.features.errors.FeaturesError": WRONG_INPUT,
        "tlbench.features.errors.PictureError": WRONG_INPUT,
    }
    return known.get(f"{type(error).__module__}.{type(error).__qualname__}")


@click.group(
    cls=AsWritten,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  tlbench run caltech-multisource --dataset digits",
)
@click.version_option(package_name="tlbench", message="tlbench %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; it may stand after any command.")
def cli(debug: bool) -> None:
    """Run the classic experiments of model-based transfer learning, and test what their papers claimed.

    A target task with few labels borrows the parameters of models trained on other tasks. `run` computes an experiment
    and writes tables and figures, `plot` draws the figures again, `check` tests every claim of the paper on what is
    there, `report` makes one page of it. Whatever finished is kept: a run that was interrupted goes on where it
    stopped.
    """


for command in (list_, run, plot, check, compare, report, validate, advise, predict, data, export, import_, completion):
    cli.add_command(command)
