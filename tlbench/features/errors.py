"""What can go wrong between a picture and its vector, told apart by whose move it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class FeaturesError(Exception):
    """Features cannot be computed or kept, whatever the pictures; the message says why."""


class PictureError(Exception):
    """A file is not a picture that can be read.

    The message is one sentence: the path, then ``reason``, which continues it ("is empty").
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)  # both, so that it survives the way from another process
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"

    @property
    def or_left_out(self) -> PictureError:
        """The same with what to do about it, where broken pictures may be left out."""
        return PictureError(self.path, f"{self.reason}; leave out what is broken with --skip-broken")


def several(broken: Sequence[tuple[Path, str]], most: int = 3) -> PictureError:
    """One error for all pictures that cannot be read: the first ``most`` by name, the others by number."""
    path, reason = broken[0]
    others = "".join(f"; {PictureError(*each)}" for each in broken[1:most])
    more = f"; and {len(broken) - most} more cannot be read" if len(broken) > most else ""
    return PictureError(path, reason + others + more)
