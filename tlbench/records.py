"""What a run keeps on disk: finished blocks, failures, timings, and files that others read.

A block's file is one line with the sha256 of what follows, then JSON. Files appear whole or not at all: they are
written beside their place and renamed, so that no interruption and no second run leaves half of one. A file whose
content would not change is not touched. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from os.path import isfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .study import Block, Columns, digest
from .whole_files import appearing, sweep, temporary_name

HIDDEN = ".tlbench"
LONGEST_NAME = 120
"""Bytes of a folder's name, well below what file systems allow."""


class RecordsError(Exception):
    """The results folder cannot be used; the message says why."""


@dataclass(frozen=True)
class BlockRecord:
    """A finished block as it lies on disk. notes: what a reader of its numbers has to know, in sentences."""

    tables: dict[str, Columns]
    environment: dict[str, str]
    notes: list[str] = field(default_factory=list)


class BlockOutline(msgspec.Struct):
    """The same with the cells of each column left as they are written."""

    tables: dict[str, dict[str, msgspec.Raw]]
    environment: dict[str, str]


class BlockName(msgspec.Struct):
    """The same with nothing read but whose it is."""

    block: dict[str, Any]


_whole, _outlined = msgspec.json.Decoder(BlockRecord), msgspec.json.Decoder(BlockOutline)
_named = msgspec.json.Decoder(BlockName)
Read = TypeVar("Read")


def run_folder(results: Path, experiment: str, dataset: str, profile: str, changed: Mapping[str, Any]) -> Path:
    """``results/EXPERIMENT/DATASET-PROFILE[--key=value,…]``; a name too long for a folder ends in a hash instead."""
    name = f"{dataset}-{profile}"
    if changed:
        name += "--" + ",".join(f"{key}={in_words(value, '+')}" for key, value in changed.items())
    name = re.sub(r"[^\w.,=+\-]", "_", name)
    if len(name.encode()) > LONGEST_NAME:
        start = name.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
        name = f"{start}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return results / experiment / name


def in_words(value: object, between: str = ", ") -> str:
    """A setting as a person would type it."""
    if isinstance(value, list | tuple):
        return between.join(in_words(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def printable(text: str) -> str:
    """Text that can be written as UTF-8: bytes of a file name that are no text become escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


class Records:
    """One run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blocks = str(folder / HIDDEN / "blocks")

    def prepare(self) -> None:
        """Make the folder. Raises RecordsError where that or writing into it is not allowed."""
        try:
            (self.folder / HIDDEN / "blocks").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder / HIDDEN):
                pass
            sweep(self.folder)
        except OSError as error:
            raise RecordsError(f"results cannot be written to {self.folder} ({error.strerror or error})") from None

    @contextmanager
    def swept(self) -> Iterator[None]:
        """Leave no temporary file behind, of processes that were killed on the way either."""
        try:
            yield
        finally:
            sweep(self.folder)

    def forget(self) -> None:
        """Remove what earlier runs finished here, so that all of it is done again."""
        for kind in ("blocks", "failures", "weights", "begun"):
            for path in self._files(kind):
                if re.fullmatch("[0-9a-f]{40}", path.stem):  # a folder that is linked here may hold other files
                    path.unlink(missing_ok=True)

    # Blocks

    def load(self, block: Block) -> BlockRecord | None:
        """The finished block, or None where it is missing, damaged, of another format or another block's."""
        return self._read(block, _whole.decode)

    def is_finished(self, block: Block) -> bool:
        """Whether ``load`` would give the block; its numbers are not read."""
        outline = self._read(block, _outlined.decode)
        return outline is not None and all(
            memoryview(cells)[0] == ord("[") for columns in outline.tables.values() for cells in columns.values()
        )

    def _read(self, block: Block, decode: Callable[[bytes], Read]) -> Read | None:
        """What a block's file says, if it says what was written."""
        name = self._block_file(block)
        if not isfile(name):  # noqa: PTH113 (half the time of Path's)
            return None
        try:
            with open(name, "rb", buffering=0) as file:  # noqa: PTH123 (half the time of Path's)
                body = verified_body(file.read())
            return decode(body) if body is not None and _is_of(block, body) else None
        except (OSError, msgspec.DecodeError, RecursionError):
            return None

    def exists(self, block: Block) -> bool:
        """Whether there is a file for the block, trusted or not."""
        return self._block_path(block).exists()

    def save(self, block: Block, tables: Mapping[str, Columns], device: str | None = None) -> None:
        """Keep a finished block, as ``packed_block`` packs it."""
        self.put(block, packed_block(block, tables, device))

    def put(self, block: Block, content: bytes) -> None:
        """Keep a finished block that is packed already, and forget that it ever failed."""
        write_whole(self._block_path(block), content)
        self._failure_path(block).unlink(missing_ok=True)

    def save_failure(self, block: Block, traceback: str) -> Path:
        """Keep the traceback of a block that failed; returns where."""
        path = self._failure_path(block)
        write_whole(path, printable(f"{describe(block)}\n\n{traceback}").encode())
        return path

    def failure(self, block: Block) -> Path | None:
        """Where the traceback of an earlier failure lies, if there is one."""
        path = self._failure_path(block)
        return path if path.exists() else None

    def failures(self) -> list[str]:
        """Every block that failed, with the last line of its traceback, if there is a trace of it here."""
        texts = [path.read_text("utf-8").strip().splitlines() for path in sorted(self._files("failures"))]
        return [f"{lines[0]}: {lines[-1]}" for lines in texts if lines]

    def _block_path(self, block: Block) -> Path:
        return Path(self._block_file(block))

    def _block_file(self, block: Block) -> str:
        return f"{self._blocks}/{block.key[:2]}/{block.key}.json"

    def _failure_path(self, block: Block) -> Path:
        return self.folder / HIDDEN / "failures" / block.key[:2] / f"{block.key}.txt"

    def _files(self, kind: str) -> Iterator[Path]:
        folder = self.folder / HIDDEN / kind
        return folder.rglob("*.*") if folder.is_dir() else iter(())

    # Timings

    def add_timing(self, block: Block, seconds: float) -> None:
        """Remember what a block of its group cost, for estimates; never part of a result, nor a reason to stop."""
        path = self.folder / HIDDEN / "timings.tsv"
        if path.is_symlink():  # what it leads to is not ours
            return
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(f"{block.group}\t{len(block.splits)}\t{seconds:.6f}\n")

    def seconds_per_split(self) -> dict[str, float]:
        """Mean seconds that one split of each group took here."""
        sums: dict[str, list[float]] = {}
        with contextlib.suppress(OSError):
            for line in (self.folder / HIDDEN / "timings.tsv").read_text(encoding="utf-8").splitlines():
                fields = line.split("\t")
                if len(fields) == 3 and fields[1].isdigit():
                    with contextlib.suppress(ValueError):
                        sums.setdefault(fields[0], []).append(float(fields[2]) / int(fields[1]))
        return {group: sum(values) / len(values) for group, values in sums.items()}

    @contextmanager
    def scratch(self, purpose: str) -> Iterator[Path]:
        """A path for a file that lives as long as this process needs it, or is swept away by the next run."""
        path = self.folder / HIDDEN / temporary_name(purpose)
        path.unlink(missing_ok=True)  # a link of that name would lead elsewhere
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    # What others read

    def write(self, name: str, content: bytes) -> Path:
        """Write a table, figure or manifest unless it already says the same."""
        path = self.folder / name
        if not (path.is_file() and path.read_bytes() == content):
            write_whole(path, content)
        return path


def packed_block(
    block: Block, tables: Mapping[str, Columns], device: str | None = None, notes: Sequence[str] = ()
) -> bytes:
    """The file of a finished block; ``device``: where it was computed, if that varies. notes: as ``BlockRecord``."""
    about = environment() | ({"torch": version("torch"), "device": device} if device else {})
    said = {"notes": list(notes)} if notes else {}
    body = msgspec.json.encode({"block": block.identity, "environment": about, "tables": tables, **said})
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def verified_body(content: bytes) -> bytes | None:
    """The JSON of a block's file, or None where it is not what the checksum before it says."""
    head, _, body = content.partition(b"\n")
    return body if hashlib.sha256(body).hexdigest().encode() == head else None


def _is_of(block: Block, body: bytes) -> bool:
    """Whether the JSON says that it is the block's: in the very words as a rule, else in words of the same key."""
    if body.startswith(b'{"block":%b,' % msgspec.json.encode(block.identity)):
        return True
    return digest(_named.decode(body).block)[:40] == block.key


def describe(block: Block) -> str:
    """A block in words."""
    splits = f"split {block.splits[0]}" if len(block.splits) == 1 else f"splits {block.splits[0]}–{block.splits[-1]}"
    layers = f", layers {block.parameters['layers']}" if block.chain and "layers" in block.parameters else ""
    conditions = f", {' and '.join(block.conditions)}" if block.conditions else ""
    return f"{block.unit}, {splits}{conditions}{layers}"


@cache
def environment() -> dict[str, str]:
    """Versions that can move the last digits of a number, and the processor."""
    major, minor, _ = platform.python_version_tuple()
    return {
        "python": f"{major}.{minor}",
        **{name: version(name) for name in ("tlbench", "numpy", "scipy", "scikit-learn")},
        "machine": platform.machine(),
        "processor": _processor(),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in place whole or not at all. Raises RecordsError where the disk refuses."""
    try:
        with appearing(path) as file:
            file.write(content)
    except IsADirectoryError:
        raise RecordsError(
            f"{path} cannot be written: a folder is in its place; move it, and do the same again"
        ) from None
    except OSError as error:
        raise RecordsError(f"{path} cannot be written ({error.strerror or error})") from None


def load_all(records: Records, blocks: Iterable[Block]) -> Iterator[tuple[Block, BlockRecord]]:
    """The finished ones among the blocks, in their order."""
    for block in blocks:
        record = records.load(block)
        if record is not None:
            yield block, record
