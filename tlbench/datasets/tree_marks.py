"""The mark in a tree that we unpacked ourselves: of which archive, and how much it held then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from .remote_files import writing

MARK = ".tlbench-verified.json"


def marking(checksum: str | None, held: Callable[[Path], Mapping[str, int]]) -> Callable[[Path], None]:
    """What marks a folder as unpacked from the archive of that checksum, holding what ``held`` counts."""

    def mark(folder: Path) -> None:
        content = json.dumps({"archive": checksum, **held(folder)})
        with writing(folder):
            (folder / MARK).write_text(content, encoding="utf-8")

    return mark


def read_mark(folder: Path) -> object:
    """A folder's mark; None where it has none that can be read."""
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
