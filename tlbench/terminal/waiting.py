"""How far a long task is, and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .lines import console, duration, say

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_BETWEEN_LINES = 2.0

Report = Callable[[float, float, float], Any]
"""(done, in all, seconds since the start)"""


@contextmanager
def progress(what: str, unit: str, quiet: bool) -> Iterator[Report]:
    """A bar on a terminal, a line every few seconds elsewhere, nothing if quiet; always ``n of N`` and time left."""
    out = console(stderr=True)
    if quiet:
        yield lambda *_: None
    elif out.is_terminal:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[words]}"))
        with Progress(*columns, console=out, transient=True) as bar:
            task = bar.add_task(what, total=None, words="")

            def show(done: float, total: float, seconds: float) -> None:
                bar.update(task, completed=done, total=total or None, words=_words(done, total, seconds, unit))

            yield show
    else:
        last = [-1e9]

        def line(done: float, total: float, seconds: float) -> None:
            now = time.monotonic()
            if done >= total > 0 or now - last[0] >= SECONDS_BETWEEN_LINES:
                last[0] = now
                say(f"{what}: {_words(done, total, seconds, unit)}", stderr=True)

        yield line


def _words(done: float, total: float, seconds: float, unit: str) -> str:
    count = f"{done:.1f} of {total:.1f}" if unit == "MB" else f"{done:.0f} of {total:.0f}"
    left = f", {duration(seconds / done * (total - done))} left" if 0 < done < total else ""
    rate = f", {done / seconds:.0f} a second" if unit == "pictures" and seconds > 0 and done else ""
    return f"{count if total else f'{done:.1f}'} {unit}{rate}{left}"
