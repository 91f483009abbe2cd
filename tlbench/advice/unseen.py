"""The pictures that a prediction is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..datasets import DataError
from ..datasets.picture_folder import list_pictures


def unseen_pictures(places: Sequence[Path]) -> list[Path]:
    """Picture files, and those directly in folders, each once and in order. Raises DataError where there is none."""
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            found = [place / name for name in list_pictures(place).pictures]
            if not found:
                raise DataError(f"{place} has no picture in it; give pictures or folders of pictures")
            files += found
        elif place.exists():
            files.append(place)
        else:
            raise DataError(f"{place} is not there; give pictures or folders of pictures")
    return list(dict.fromkeys(files))
