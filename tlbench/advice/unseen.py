"""The pictures that a prediction is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..datasets import DataError
from ..datasets.picture_folder import list_pictures, passed_over


def unseen_pictures(places: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Picture files, and those directly in folders, each once and in order; and what is passed over, in sentences.

    Raises DataError where there is no picture.
    """
    files: list[Path] = []
    notices: list[str] = []
    for place in places:
        if place.is_dir():
            found = list_pictures(place)
            if not found.pictures:
                raise DataError(f"{place} has no picture in it; give pictures or folders of pictures")
            files += [place / name for name in found.pictures]
            notices += passed_over({str(place): found})
        elif place.exists():
            files.append(place)
        else:
            raise DataError(f"{place} is not there; give pictures or folders of pictures")
    return list(dict.fromkeys(files)), notices
