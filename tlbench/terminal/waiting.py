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
SECONDS_TO_KNOW = 2.0

Report = Callable[[float, float, float], Any]
"""(done, in all, seconds since the start)"""


@contextmanager
def progress(what: str, unit: str, quiet: bool) -> Iterator[Report]:
    """A bar on a terminal, a line every few seconds elsewhere, nothing if quiet; always ``n of N`` and time left."""
    out, words = console(stderr=True), _Words(unit)
    if quiet:
        yield lambda *_: None
    elif out.is_terminal:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[words]}"))
        with Progress(*columns, console=out, transient=True) as bar:
            task = bar.add_task(what, total=None, words="")

            def show(done: float, total: float, seconds: float) -> None:
                bar.update(task, completed=done, total=total or None, words=words(done, total, seconds))

            yield show
    else:
        last = [-1e9]

        def line(done: float, total: float, seconds: float) -> None:
            now, said = time.monotonic(), words(done, total, seconds)
            if done >= total > 0 or now - last[0] >= SECONDS_BETWEEN_LINES:
                last[0] = now
                say(f"{what}: {said}", stderr=True)

        yield line


class _Words:
    """How far a task is, in words.

    The time left is that of what came after the first report of something done: before it there may have been a
    start-up, or all that an earlier run had finished. It is not said before some seconds have passed since.
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.first: tuple[float, float] | None = None

    def __call__(self, done: float, total: float, seconds: float) -> str:
        if done and (self.first is None or done < self.first[0]):
            self.first = done, seconds
        count = f"{done:.1f} of {total:.1f}" if self.unit == "MB" else f"{done:.0f} of {total:.0f}"
        rate = f", {done / seconds:.0f} a second" if self.unit == "pictures" and seconds > 0 and done else ""
        left = ""
        if self.first and self.first[0] < done < total and seconds - self.first[1] >= SECONDS_TO_KNOW:
            left = f", {duration((seconds - self.first[1]) / (done - self.first[0]) * (total - done))} left"
        return f"{count if total else f'{done:.1f}'} {self.unit}{rate}{left}"
