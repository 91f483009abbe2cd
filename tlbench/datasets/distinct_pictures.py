"""The order of labelled pictures, and what becomes of those that are there more than once or look alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .pixels import Rows


def distinct_pictures(
    identities: Sequence[str],
    labels: Sequence[int],
    is_test: Sequence[bool] | None,
    place: Callable[[int], str],
    *,
    published: bool = False,
) -> tuple[Rows, list[str]]:
    """The rows to keep, ordered by class and then by identity, and notices on what was left out.

    identities: equal for the same picture. place: tells the user where a row comes from. A picture that is twice in
    its class is kept once; one that is a test and a training picture is a leak, and is taken out of the training.
    One in two classes is a DataError that names both, or with `published`, for data that nobody is to mend, left out
    of both.
    """
    rows_of: dict[str, list[int]] = {}
    for row in sorted(range(len(identities)), key=lambda row: (labels[row], identities[row])):
        rows_of.setdefault(identities[row], []).append(row)
    kept: list[int] = []
    repeats = leaks = conflicts = 0
    for rows in rows_of.values():
        if len(rows) > 1:
            first = rows[0]
            other = next((row for row in rows if labels[row] != labels[first]), None)
            if other is not None:
                if not published:
                    raise DataError(
                        f"{place(first)} and {place(other)} are the same picture in two classes; remove one of them"
                    )
                conflicts += len(rows)
                continue
            tests = [row for row in rows if is_test is not None and is_test[row]]
            if tests and len(tests) < len(rows):
                leaks += len(rows) - len(tests)
                rows = tests
            repeats += len(rows) - 1
        kept.append(rows[0])
    kept.sort(key=lambda row: (labels[row], identities[row]))
    notices = []
    if repeats:
        notices.append(f"{_count(repeats, 'picture repeats', 'pictures repeat')} another of the same class: kept once")
    if leaks:
        notices.append(
            f"{_count(leaks, 'training picture is a test picture', 'training pictures are test pictures')} as well: "
            "left out of the training"
        )
    if conflicts:
        notices.append(f"{_count(conflicts, 'picture stands', 'pictures stand')} in more than one class: left out")
    return np.array(kept, dtype=np.intp), notices


def lookalikes(views: Sequence[NDArray[np.generic]], place: Callable[[int], str]) -> list[str]:
    """A notice on pictures that are other files and yet the same in all that is seen of them, if there are any.

    views: arrays (n, …) of what is seen. place: where a picture comes from, its label first; a pair from two labels is
    named before others. The same picture saved in two formats that keep every pixel is such a pair; a JPEG and a PNG of
    it are none. All stay: two dark pictures look alike without being the same.
    """
    first: dict[bytes, int] = {}
    pairs: list[tuple[str, str]] = []
    for row in range(len(views[0])):
        digest = hashlib.blake2b(digest_size=16)
        for seen in views:
            digest.update(np.ascontiguousarray(seen[row]).tobytes())
        other = first.setdefault(digest.digest(), row)
        if other != row:
            pairs.append((place(other), place(row)))
    if not pairs:
        return []
    one, other_one = min(pairs, key=lambda pair: pair[0].rpartition("/")[0] == pair[1].rpartition("/")[0])
    return [
        f"{_count(len(pairs), 'picture looks', 'pictures look')} exactly like one in another file ({one} and "
        f"{other_one}{' …' if len(pairs) > 1 else ''}): each counts, and one may be trained on where the other is "
        "tested; remove one of each"
    ]


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
