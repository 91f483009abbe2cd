"""A whole journey in one command: an archive is fetched, unpacked, described, computed on, tabled and drawn."""

from __future__ import annotations

import functools
import http.server
import io
import re
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
from PIL import Image

from tests.place import Place
from tests.place_fixtures import FAULTS
from tests.warm import WarmProcess

LABELS = ("egret", "heron", "ibis", "stork")
BACKGROUND = "BACKGROUND_Google"
ARCHIVE = "data/caltech101/caltech-101.zip"
TREE = "data/caltech101/101_ObjectCategories"
COMMAND = (
    *("run", "caltech-multisource", "--dataset", "caltech101", "--categories", ",".join(LABELS), "--features", "lbp"),
    *("--profile", "smoke", "--seeds", "11", "--set", "conditions=none,single-mean,multi-weighted", "--jobs", "2"),
)
TO_GO_ON_FROM = re.compile(r".*\.part(\.json)?")
TEMPORARY = re.compile(r".*\.tmp|tmp.*|pymp-.*|.*\.unpacking-.*|.*-journal|.*\.zip\.lock|.*\.copy|.*\.part(\.json)?")
ETAG = '"small"'


def small_archive() -> bytes:
    """What the official archive is in small: a .tar.gz of pictures in a .zip."""
    draw, down, across = np.random.default_rng(0), *np.mgrid[:24, :32] / 4.0
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for number, label in enumerate((*LABELS, BACKGROUND)):
            for index in range(50 if label == BACKGROUND else 25):
                angle = draw.uniform(0, np.pi) if label == BACKGROUND else number * np.pi / 4 + draw.normal(0, 0.15)
                stripes = np.sin(3 * (np.cos(angle) * across + np.sin(angle) * down)) + draw.normal(0, 0.5, down.shape)
                content = io.BytesIO()
                Image.fromarray((128 + 40 * stripes).clip(0, 255).astype(np.uint8)).save(content, "png")
                entry = tarfile.TarInfo(f"101_ObjectCategories/{label}/image_{index:04}.png")
                entry.size = content.tell()
                content.seek(0)
                tar.addfile(entry, content)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("caltech-101/101_ObjectCategories.tar.gz"), inner.getvalue())
    return outer.getvalue()


class Mirror(http.server.ThreadingHTTPServer):
    """Serves the archive slowly, and goes on where it is asked to. ranges: of all requests, '' where none was named."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that was killed is what this is about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        asked = self.headers["Range"] if self.headers["If-Range"] == ETAG else None
        self.server.ranges.append(asked or "")
        content = self.server.content
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", ETAG)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        step = len(content) // 20
        for start in range(first, len(content), step):
            self.wfile.write(content[start : start + step])
            time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(content: bytes) -> Iterator[Mirror]:
    """A mirror that runs."""
    with Mirror(content) as mirror:
        thread = Thread(target=functools.partial(mirror.serve_forever, poll_interval=0.05))
        thread.start()
        try:
            yield mirror
        finally:
            mirror.shutdown()
            thread.join()


class Journey(Place):
    """A place in which the journey is made, again and again until it is done."""

    def __init__(self, folder: Path, warm: WarmProcess, archive: Path, mirror: Mirror) -> None:
        super().__init__(folder, warm)
        self.archive, self.mirror = archive, mirror
        self.moments = folder.with_name(f"{folder.name}-moments")
        (folder / "tmp").mkdir()

    def environment(self, **changes):
        """With the archive in small, and temporary files within sight."""
        return super().environment(
            PYTHONPATH=FAULTS,
            SMALL_ARCHIVE=self.archive,
            TLBENCH_DATA_MIRROR=self.mirror.address,
            no_proxy="127.0.0.1",
            TMPDIR=self.folder / "tmp",
            **changes,
        )

    def go(self, interrupt: str = ""):
        """Start the command, to be interrupted as ``moments`` reads it; its events are counted from nought."""
        shutil.rmtree(self.moments, ignore_errors=True)
        self.moments.mkdir()
        return self.start(*COMMAND, MOMENTS=self.moments, INTERRUPT=interrupt)

    def counted(self) -> dict[str, int]:
        """How many events each stage of the last start had."""
        return {path.name: path.stat().st_size for path in self.moments.iterdir()}

    def sent(self) -> list[str] | None:
        """Stage, event, its arguments and the time of the signal that was sent, if one was."""
        path = self.moments / "sent"
        return path.read_text(encoding="utf-8").splitlines()[0].split("\t") if path.exists() else None

    def finished_files(self) -> dict[Path, tuple[int, int]]:
        """What is finished, a file each: the archive, the unpacked pictures, blocks, tables, figures."""
        places = [self.folder / ARCHIVE, *(self.folder / TREE).rglob("*"), *self.blocks]
        for run in self.run_folders:
            places += [path for path in run.iterdir() if not TEMPORARY.fullmatch(path.name)]
        return self.touched(places)

    def finished_features(self) -> dict[str, tuple[int, bytes]]:
        """The vectors that are kept: identity → row, which is another one once it was written again, and content."""
        found = {}
        with tempfile.TemporaryDirectory() as copies:  # to look would take back what was not finished
            for path in (self.folder / "data" / "features").glob("*.sqlite*"):
                shutil.copy2(path, copies)
            for path in Path(copies).glob("*.sqlite"):
                with closing(sqlite3.connect(path)) as connection:
                    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'vectors'").fetchone():
                        rows = connection.execute("SELECT identity, rowid, vector FROM vectors")
                        found |= {identity: (row, vector) for identity, row, vector in rows}
        return found

    def part(self) -> int:
        """Bytes of the download that are there to go on from."""
        part, note = (self.folder / f"{ARCHIVE}{suffix}" for suffix in (".part", ".part.json"))
        return part.stat().st_size if part.exists() and note.exists() and note.stat().st_size else 0

    def temporary(self) -> list[str]:
        """Every temporary file and folder that lies here."""
        return [
            str(p.relative_to(self.folder))
            for p in self.everything()
            if TEMPORARY.fullmatch(p.name) and p.name != "tmp"
        ] + [str(p) for p in (self.folder / "tmp").iterdir()]
