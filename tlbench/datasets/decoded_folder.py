"""Listed picture files as labelled pictures: decoded to one size, put into order, kept as one file for next time."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..whole_files import sweep
from .class_folders import ListedPictures
from .distinct_pictures import distinct_pictures, lookalikes
from .errors import DataError, DataMissingError
from .labelled_pictures import LabelledPictures
from .picture_decoding import VERSION, UndecodableError, decode_square, measure, no_remarks
from .pictures_file import load_pictures, save_pictures
from .pixels import ArrayPixels, Bytes
from .remote_files import reading

Decoding = Callable[[int, int, float], None]  # told the pictures done, those in all, and the seconds since the start

USUAL_SIDE = 32
LARGEST_USUAL_SIDE = 64  # that the pictures themselves decide on
LARGEST_SIDE = 512
MOST_BYTES = 4_000_000_000  # of decoded pixels, held in memory once or twice
MOST_NAMED = 20  # broken pictures
_AT_ONCE = 64  # pictures that a thread takes


def decode_listed(
    listed: ListedPictures,
    side: int | None,
    kept: Path,
    jobs: int,
    *,
    skip_broken: bool = False,
    published: bool = False,
    decoding: Decoding | None = None,
) -> LabelledPictures:
    """Decode listed pictures to squares of `side` pixels with `jobs` threads.

    side: None is the size of most of the pictures where that is square and at most 64, else 32. kept: a folder of ours
    in which the result is kept by the files' names, sizes and times; what was kept and has changed since is decoded
    again, and where the folder cannot be written, all is each time. skip_broken leaves out pictures that cannot be
    decoded, with a notice that names them. published: see ``distinct_pictures``.
    If all pictures are grey there is one channel, else three. Kinds are not set.
    Raises DataError for a picture that cannot be read or decoded, for a class or part that has none left, for too large
    a side, and as ``distinct_pictures`` does.
    """
    if side is not None and not 1 <= side <= LARGEST_SIDE:
        raise DataError(f"a side of {side} pixels is not possible; choose 1 to {LARGEST_SIDE}")
    file = kept / f"{_key(listed, side, skip_broken)}.pictures"
    with suppress(DataError):
        return load_pictures(file, verify=True)
    with no_remarks():
        pictures = _decode(listed, side, jobs, skip_broken, published, decoding)
    with suppress(DataError, DataMissingError, OSError):
        sweep(kept)
        save_pictures(pictures, file)
    return pictures


def _key(listed: ListedPictures, side: int | None, skip_broken: bool) -> str:
    """A sha256 of everything the result is made from, as far as the files' names, sizes and times tell."""
    words = [VERSION, side, skip_broken, listed.classes, listed.names, listed.labels, listed.is_test, listed.notices]
    digest = hashlib.sha256(json.dumps(words).encode())
    digest.update(np.ascontiguousarray(listed.about, "<i8").data)
    return digest.hexdigest()


class _Decoded(NamedTuple):
    identity: str
    pixels: Bytes | None  # None: not to be decoded
    exact: bool
    reason: str


def _decode(
    listed: ListedPictures, side: int | None, jobs: int, skip_broken: bool, published: bool, decoding: Decoding | None
) -> LabelledPictures:
    paths = [listed.root / name for name in listed.names]
    started = time.monotonic()
    with _threads(jobs) as pool:
        side = _usual_side(pool, paths) if side is None else side
        if len(paths) * side * side * 3 > MOST_BYTES:
            raise DataError(
                f"{len(paths):,} pictures of {side} x {side} pixels take {len(paths) * side * side * 3 / 1e9:.1f} GB; "
                "choose a smaller side or fewer classes"
            )
        pixels = np.empty((len(paths), side, side, 3), np.uint8)
        identities: list[str] = []
        broken: list[tuple[int, str]] = []
        grey = np.zeros(len(paths), dtype=bool)
        resized = 0
        for row, one in enumerate(_all_decoded(pool, paths, side)):
            identities.append(one.identity)
            if one.pixels is None:
                if not skip_broken:
                    raise DataError(
                        f"{paths[row]} {one.reason}; get it again, remove it, or leave it out with --skip-broken"
                    )
                broken.append((row, one.reason))
            else:
                pixels[row] = one.pixels
                grey[row] = one.pixels.shape[2] == 1
                resized += not one.exact
            if decoding is not None and (len(identities) % _AT_ONCE == 0 or len(identities) == len(paths)):
                decoding(len(identities), len(paths), time.monotonic() - started)
    sound = np.setdiff1d(np.arange(len(paths)), [row for row, _ in broken])
    rows, repeated = distinct_pictures(
        [identities[row] for row in sound],
        [listed.labels[row] for row in sound],
        [listed.is_test[row] for row in sound] if listed.is_test else None,
        lambda row: str(paths[sound[row]]),
        published=published,
    )
    rows = sound[rows]
    labels = np.array(listed.labels, dtype=np.int64)[rows]
    is_test = np.array(listed.is_test, dtype=bool)[rows] if listed.is_test else None
    _refuse_empty(listed.classes, labels, is_test)
    coloured = int((~grey[sound]).sum())
    notices = [*listed.notices]
    if broken:
        which = "; ".join(f"{listed.names[row]} {reason}" for row, reason in broken[:MOST_NAMED])
        more = f"; and {len(broken) - MOST_NAMED:,} more" if len(broken) > MOST_NAMED else ""
        notices.append(f"{_pictures(len(broken))} could not be decoded: left out ({which}{more})")
    if resized:
        notices.append(f"{_pictures(resized)} {_were(resized)} not {side} x {side}: resized")
    if coloured and coloured < len(sound):
        odd = len(sound) - coloured
        notices.append(f"{odd:,} grey {'picture' if odd == 1 else 'pictures'} among colour ones: taken as colour")
    chosen = pixels[rows] if coloured else np.ascontiguousarray(pixels[rows][..., :1])
    if not published:
        repeated += lookalikes([chosen], lambda place: listed.names[rows[place]])
    return LabelledPictures(ArrayPixels(chosen), labels, listed.classes, is_test, None, (*notices, *repeated))


@contextmanager
def _threads(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Threads, since decoders work outside the interpreter's lock; what is not begun when an error comes is dropped."""
    pool = ThreadPoolExecutor(max(1, jobs))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _all_decoded(pool: ThreadPoolExecutor, paths: list[Path], side: int) -> Iterator[_Decoded]:
    chunks = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
    for chunk in pool.map(lambda some: [_one(path, side) for path in some], chunks):
        yield from chunk


def _one(path: Path, side: int) -> _Decoded:
    try:
        with reading(path):
            data = path.read_bytes()
        square = decode_square(data, side)
    except UndecodableError as error:
        return _Decoded("", None, True, str(error))
    return _Decoded(hashlib.sha256(data).hexdigest(), square.pixels, square.exact, "")


def _usual_side(pool: ThreadPoolExecutor, paths: list[Path]) -> int:
    def size(path: Path) -> tuple[int, int]:
        try:
            return measure(path)
        except UndecodableError:
            return 0, 0

    (width, height), _ = Counter(pool.map(size, paths)).most_common(1)[0]
    return width if 0 < width == height <= LARGEST_USUAL_SIDE else USUAL_SIDE


def _refuse_empty(classes: tuple[str, ...], labels: np.ndarray, is_test: np.ndarray | None) -> None:
    parts = (
        [("", np.ones(len(labels), dtype=bool))] if is_test is None else [("training ", ~is_test), ("test ", is_test)]
    )
    for what, part in parts:
        counts = np.bincount(labels[part], minlength=len(classes))
        if (counts == 0).any():
            raise DataError(f"class '{classes[int(counts.argmin())]}' has no {what}picture left; add some")


def _pictures(count: int) -> str:
    return f"{count:,} {'picture' if count == 1 else 'pictures'}"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
