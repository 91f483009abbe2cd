"""Finished blocks from one machine's results to another's: one archive, and everything in it verified on arrival.

The archive is a ZIP file of ``EXPERIMENT/RUN/blocks/ab/KEY.json`` and ``EXPERIMENT/RUN/weights/ab/KEY.safetensors``. It
may come from anybody: nothing is written but files of those names, below the results folder, whose own checksum holds
and, of blocks, whose key is the hash of what they say they are.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from .keeping import unpacked
from .records import HIDDEN, LONGEST_NAME, RecordsError, verified_body, write_whole
from .study import digest
from .whole_files import appearing, plain_file

ENTRY = re.compile(
    r"(?P<run>\w[\w.,=+\-]*/\w[\w.,=+\-]*)/"
    r"(?P<path>(?P<kind>blocks|weights)/(?P<start>[0-9a-f]{2})/(?P=start)[0-9a-f]{38}\.\w+)"
)
SUFFIXES = {"blocks": ".json", "weights": ".safetensors"}
LARGEST = {"blocks": 1 << 26, "weights": 1 << 30}
MOST_PACKED = 200
"""Bytes of one file, and its bytes to one in the archive; what claims to be more is refused unread."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # so that the same blocks make the same archive

Cell = int | float | str | bool | None


class Body(msgspec.Struct):
    """What of a block is checked against its name and against itself."""

    block: dict[str, Any]
    environment: dict[str, str]
    tables: dict[str, dict[str, list[Cell]]]

    @property
    def is_sound(self) -> bool:
        """Whether its tables are tables, and its measurements are of its own splits and conditions."""
        columns = self.tables.get("measurements", {})
        lengths = [{len(values) for values in table.values()} for table in self.tables.values()]
        own = {name: set(columns.get(name, ())) for name in ("split", "condition")}
        values = columns.get("value", [])
        return (
            all(len(each) <= 1 for each in lengths)
            and bool(own["split"])
            and own["split"] <= set(self.block.get("splits", ()))
            and own["condition"] <= set(self.block.get("conditions", ()))
            and all(value is None or isinstance(value, int | float) for value in values)  # None: not a number
            and len(values) == len(columns["split"])
        )


@dataclass
class Exported:
    """What an archive was made of; ``damaged`` files were left out."""

    runs: int = 0
    blocks: int = 0
    damaged: list[Path] = field(default_factory=list)


@dataclass
class Imported:
    """What became of an archive's files. different: blocks that are here with other contents, which stay."""

    runs: set[str] = field(default_factory=set)
    new: int = 0
    present: int = 0
    different: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def export(results: Path, archive: Path, experiments: Sequence[str] = ()) -> Exported:
    """Put the finished blocks of the experiments, or of all, into a new archive, with the weights that they kept.

    Raises RecordsError where there are none, where ``archive`` exists already, and where it cannot be written.
    """
    if archive.exists():
        raise RecordsError(f"{archive} exists already; remove it or name another")
    for name in experiments:
        if not any((results / name).glob(f"*/{HIDDEN}/blocks/??/*.json")):
            raise RecordsError(f"{results} holds no finished block of {name}; there is nothing to export")
    done, runs = Exported(), set()
    try:
        with appearing(archive) as opened, zipfile.ZipFile(opened, "w") as file:
            for run, path, name in _files(results, experiments):
                content = path.read_bytes()
                if not _is_sound(name, content):
                    done.damaged.append(path)
                    continue
                file.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
                runs.add(run)
                done.blocks += "/blocks/" in name
            if not done.blocks:
                raise RecordsError(f"{results} holds no finished block; there is nothing to export")
    except OSError as error:
        raise RecordsError(f"{archive} cannot be written ({error.strerror or error})") from None
    done.runs = len(runs)
    return done


def bring(archive: Path, results: Path) -> Imported:
    """Put the files of an archive where they belong below ``results``; what is here stays, what is unsound is refused.

    Raises RecordsError for what is no archive of ours and where the results folder cannot be written.
    """
    done = Imported()
    try:
        with zipfile.ZipFile(plain_file(archive)) as file:
            for entry in file.infolist():
                found = ENTRY.fullmatch(entry.filename)
                if found and any(len(part.encode()) > LONGEST_NAME for part in found["run"].split("/")):
                    found = None
                content = _read(file, entry, found["kind"]) if found else None
                if found is None or content is None or not _is_sound(entry.filename, content):
                    done.refused.append(entry.filename)
                    continue
                _put(results / found["run"] / HIDDEN / found["path"], content, found, done)
            if not file.infolist():
                raise RecordsError(f"{archive} is an empty archive; export again")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError) as error:
        raise RecordsError(f"{archive} cannot be read as an archive of `tlbench export` ({error})") from None
    return done


def _put(place: Path, content: bytes, found: re.Match[str], done: Imported) -> None:
    is_block = found["kind"] == "blocks"
    there = place.read_bytes() if place.is_file() else None
    if there is not None and _is_sound(f"{found['run']}/{found['path']}", there):
        # Of weights only the order of the header may differ, and that says nothing.
        if is_block and there != content:
            done.different.append(f"{found['run']}/{found['path']}")
        done.present += is_block and there == content
        return
    write_whole(place, content)
    done.runs.add(found["run"])
    done.new += is_block


def _files(results: Path, experiments: Sequence[str]) -> Iterator[tuple[str, Path, str]]:
    """(run, file, its name in an archive) of every file that may be carried, in the order of their names."""
    for hidden in sorted(results.glob(f"*/*/{HIDDEN}")):
        run = hidden.parent.relative_to(results).as_posix()
        if experiments and hidden.parent.parent.name not in experiments:
            continue
        for kind, suffix in SUFFIXES.items():
            for path in sorted((hidden / kind).glob(f"??/*{suffix}")):
                name = f"{run}/{path.relative_to(hidden).as_posix()}"
                if ENTRY.fullmatch(name):
                    yield run, path, name


def _is_sound(name: str, content: bytes) -> bool:
    """Whether a file is what its name says, as it was written."""
    path = Path(name)
    if path.suffix != SUFFIXES[path.parts[-3]]:
        return False
    if path.suffix == SUFFIXES["weights"]:
        return unpacked(content) is not None
    body = verified_body(content)
    if body is None:
        return False
    try:
        found = msgspec.json.decode(body, type=Body)
        return digest(found.block)[:40] == path.stem and found.is_sound
    except (msgspec.MsgspecError, RecursionError, TypeError):  # TypeError: of lists where names should be
        return False


def _read(file: zipfile.ZipFile, entry: zipfile.ZipInfo, kind: str) -> bytes | None:
    """An entry's bytes; None where it is too large or damaged."""
    largest = LARGEST[kind]
    if entry.file_size > min(largest, MOST_PACKED * (entry.compress_size + 1000)):
        return None
    try:
        with file.open(entry) as opened:
            content = opened.read(largest + 1)
    except Exception:  # whatever the ways of packing make of damage
        return None
    return content if len(content) <= largest else None
