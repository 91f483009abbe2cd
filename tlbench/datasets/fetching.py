"""Gets the files a data set is made of: from the network, from a mirror, or carried by hand; never unverified."""

from __future__ import annotations

import errno
import hashlib
import http.client
import itertools
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import IO, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import platformdirs

from .errors import DataError, DataMissingError

_flock: Callable[[int, int], None] | None
try:
    import fcntl
except ImportError:  # Windows: two processes at once then rest on the checksum alone
    _flock = None
else:
    _flock = fcntl.flock

TIMEOUT = 30.0  # seconds of silence on a socket before the next address is tried
BACKOFF = (1.0, 2.0, 4.0, 8.0)  # seconds before each renewed try at one address
LONGEST_WAIT = 60.0  # seconds; what a server may at most ask of us by Retry-After
PIECE = 1 << 20  # bytes read at once

_sleep = time.sleep


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set: where it lies, where it comes from, how it is known to be right.

    With neither checksum published, the file is trusted at its first use, and its SHA-256 is recorded beside it
    as ``<name>.sha256``; from then on that record decides.
    """

    path: str  # below the data folder, with forward slashes
    urls: tuple[str, ...]  # tried in order
    size: int  # bytes; 0 if not known
    sha256: str | None  # None: not published
    md5: str | None = None  # counts only where there is no SHA-256

    def __post_init__(self) -> None:
        """Refuse a path that would lie outside the data folder."""
        path = PurePosixPath(self.path)
        if path.is_absolute() or not path.name or ".." in path.parts:
            raise ValueError(f"{self.path!r} is not a path below the data folder")


def data_folder(given: Path | None) -> Path:
    """Return the data folder: the one given, else ``$TLBENCH_DATA_DIR``, else one in the user's cache.

    It is not created.
    """
    if given is not None:
        return given
    if named := os.environ.get("TLBENCH_DATA_DIR"):
        return Path(named).expanduser()
    return platformdirs.user_cache_path("tlbench") / "data"


def state(file: RemoteFile, folder: Path) -> Literal["present", "missing", "damaged"]:
    """Tell whether the file lies in the folder and is intact, by reading it once; nothing is written.

    "damaged" is a file whose checksum is not the published one (or, where none is published, not the one recorded
    at first use), and a folder in the file's place. With neither a published nor a recorded checksum, a file that
    exists is "present". Raises DataError where the file cannot be read.
    """
    target = folder / file.path
    with _reading(target):
        if not target.is_file():
            return "damaged" if target.exists() else "missing"
        algorithm, wanted = _wanted(file, target)
        return "present" if wanted in (None, _digest(target, algorithm)) else "damaged"


def fetch(file: RemoteFile, folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Return the file's place in the folder, after downloading it if it is missing or damaged.

    The addresses are tried in order, ``$TLBENCH_DATA_MIRROR`` before all; an interrupted download is continued
    where the server allows it, also one of an earlier run. Only a complete file with the right checksum is put in
    place, at one stroke. Of several processes at once, one downloads and the others wait. `progress` is told the
    bytes done and the bytes in all (0: not known).

    Raises DataMissingError when every address failed, with each one's reason and the place for a copy carried by
    hand, or when the disk is full; DataError when the folder cannot be written or the mirror is no web address.
    """
    target = folder / file.path
    if _usable(file, folder):
        return target
    with _writing(target.parent, file.size):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        if not _usable(file, folder):
            _download(file, target, progress)
    return target


def adopt(file: RemoteFile, folder: Path, source: Path) -> Path:
    """Copy a hand-carried file into its place in the folder, and return that place.

    `source` is the file, or a folder that holds it, by its name or by its whole path. The copy is verified before
    it is put in place, at one stroke; whatever lay there is replaced. With no published checksum, the file is
    taken as it is, and what was recorded at an earlier first use gives way to it.

    Raises DataError when there is no such file, when it cannot be read, is a saved web page or has the wrong
    checksum, and when the folder cannot be written; DataMissingError when the disk is full.
    """
    target = folder / file.path
    if source.is_dir():
        places = [source / file.path, source / target.name]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DataError(f"{source} holds no {target.name}")
        source = found
    elif not source.is_file():
        raise DataError(f"there is no file {source}")
    algorithm, published = ("md5", file.md5) if file.md5 and not file.sha256 else ("sha256", file.sha256)
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    with _reading(source):
        size = source.stat().st_size
    with _writing(target.parent, size):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target):
        copy = _beside(target, ".copy")
        try:
            with _reading(source), source.open("rb") as original, _create(copy, "wb", size) as handle:
                head = original.read(PIECE)
                if _is_page(head, file):
                    raise DataError(f"{source} is a saved web page, not {target.name}")
                for piece in itertools.chain([head], iter(lambda: original.read(PIECE), b"")):
                    hasher.update(piece)
                    with _writing(target.parent, size):
                        _write(handle, piece)
            digest = hasher.hexdigest()
            if published and digest != published.lower():
                raise DataError(f"{source} is not the right file: its {algorithm} is {digest}, not {published}")
            _put_in_place(file, copy, target, digest)
        finally:
            with suppress(OSError):
                copy.unlink(missing_ok=True)
    return target


class _Fault(Exception):  # noqa: N818 (never leaves this module)
    """Why one address failed, and whether it is worth asking again after a wait (None: the usual one)."""

    def __init__(self, reason: str, *, again: bool = False, wait: float | None = None, code: int = 0) -> None:
        super().__init__(reason)
        self.again, self.wait, self.code = again, wait, code


def _download(file: RemoteFile, target: Path, progress: Callable[[int, int], None] | None) -> None:
    """Try every address in turn; put the file in place or say why not."""
    part, note = _beside(target, ".part"), _beside(target, ".part.json")
    reasons = []
    try:
        for url in _addresses(file):
            try:
                digest = _persist(file, url, target, progress)
            except _Fault as fault:
                reasons.append(f"  {url}: {fault}")
            else:
                _put_in_place(file, part, target, digest)
                return
    finally:
        if not note.exists():  # a part that nothing vouches for cannot be continued
            with suppress(OSError):
                part.unlink(missing_ok=True)
    listed = "\n".join(reasons) or "  no address is known for it"
    raise DataMissingError(
        f"{file.path} is {'damaged' if target.exists() else 'missing'} and could not be fetched:\n{listed}\n"
        f"A copy got by other means belongs at {target.absolute()}"
    )


def _addresses(file: RemoteFile) -> tuple[str, ...]:
    mirror = os.environ.get("TLBENCH_DATA_MIRROR")
    if not mirror:
        return file.urls
    if not _is_web(mirror):
        raise DataError(f"TLBENCH_DATA_MIRROR must begin with http:// or https://, but is {mirror!r}")
    return (f"{mirror.rstrip('/')}/{quote(file.path)}", *file.urls)


def _persist(file: RemoteFile, url: str, target: Path, progress: Callable[[int, int], None] | None) -> str:
    """Ask one address until it has sent the whole file, or refuses, or the tries are used up; return the checksum."""
    pauses = iter(BACKOFF)
    while True:
        try:
            return _attempt(file, url, target, progress)
        except _Fault as fault:
            pause = next(pauses, None)
            if not fault.again or pause is None:
                raise
            _sleep(pause if fault.wait is None else fault.wait)


def _attempt(file: RemoteFile, url: str, target: Path, progress: Callable[[int, int], None] | None) -> str:
    """Make one request, continuing the part there is, and return the checksum of what is then a complete part."""
    if not _is_web(url):
        raise _Fault("only http and https addresses are fetched")
    part, note = _beside(target, ".part"), _beside(target, ".part.json")
    algorithm, wanted = _wanted(file, target)
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    request = Request(url, headers={"User-Agent": f"tlbench/{_version()}"})  # noqa: S310 (checked above)
    done = 0
    validator = _validator_kept(note, url)
    if validator and part.is_file():
        with _reading(part):
            for piece in _pieces(part):
                hasher.update(piece)
                done += len(piece)
        if hasher.hexdigest() == wanted:
            return wanted
    if validator and done:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", validator)
    try:
        with _network():
            response: http.client.HTTPResponse = build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except _Fault as fault:
        if done and fault.code == 416:
            raise _restart(note) from fault
        raise
    total: int | None
    with response:
        length = response.length
        if response.status == 206:
            given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
            changed = _validator(response.headers) not in (None, validator)
            if not done or given is None or int(given[1]) != done or changed:
                raise _restart(note)
            total = done + (length or 0) if given[2] == "*" else int(given[2])
        elif response.status == 200:
            hasher, done, total = hashlib.new(algorithm, usedforsecurity=False), 0, length
        else:
            raise _Fault(f"HTTP {response.status} {response.reason}")
        pieces, head = _body(response), b""
        for piece in pieces:  # enough to know a web page by, before the part is overwritten
            head += piece
            if len(head) >= 64:
                break
        if not done and (_is_page(head, file) or (response.headers.get_content_type() == "text/html" and _odd(file))):
            raise _Fault("sent a web page (HTML) in place of the file")
        with _create(part, "ab" if done else "wb", file.size) as handle:
            if not done:
                _keep_validator(note, url, _validator(response.headers))
            for piece in itertools.chain([head], pieces):
                with _writing(target.parent, (total or file.size) - done):
                    _write(handle, piece)
                hasher.update(piece)
                done += len(piece)
                if progress is not None:
                    progress(done, total or file.size)
    digest = hasher.hexdigest()
    if digest == wanted:  # whatever length the server claimed
        return digest
    if done < (file.size if total is None else total):
        raise _Fault(f"broke off after {done} of {total or file.size} bytes", again=True)
    if wanted is None and done:
        return digest
    _discard(part, note)
    if wanted is None:
        raise _Fault("sent an empty file")
    kept = "" if file.sha256 or file.md5 else f" as {_beside(target, '.sha256')} recorded at first use"
    raise _Fault(f"wrong checksum ({algorithm} {digest[:12]}…, not {wanted[:12]}…{kept})")


def _body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it arrives, and no more of it than was announced; it may end early."""
    left = response.length
    while left is None or left > 0:
        with _network():
            piece = response.read1(PIECE if left is None else min(PIECE, left))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        if not _is_web(newurl):
            raise HTTPError(req.full_url, code, f"redirects to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _network() -> Iterator[None]:
    """Turn whatever goes wrong on the way to the server and back into a fault."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _fault(error) from error


def _fault(error: BaseException) -> _Fault:
    match error:
        case HTTPError():
            with error:  # holds the connection open
                if "infinite loop" in error.msg:
                    return _Fault("redirects in a circle", code=error.code)
                busy = error.code in (429, 503)
                return _Fault(
                    f"HTTP {error.code} {error.msg}",
                    again=busy or error.code >= 500,
                    wait=_retry_after(error.headers) if busy else None,
                    code=error.code,
                )
        case URLError(reason=BaseException() as reason):
            return _fault(reason)
        case TimeoutError():
            return _Fault(f"no answer within {TIMEOUT:g} s")
        case socket.gaierror():
            return _Fault("host not found")
        case ConnectionRefusedError():
            return _Fault("connection refused")
        case ConnectionError() | http.client.IncompleteRead() | ssl.SSLEOFError():
            return _Fault("the connection broke off", again=True)
    return _Fault(str(error) or type(error).__name__)


def _retry_after(headers: Message) -> float | None:
    said = (headers.get("Retry-After") or "").strip()
    try:
        if said.isdecimal():
            seconds = float(said)
        else:
            when = parsedate_to_datetime(said)
            seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _restart(note: Path) -> _Fault:
    _discard(note)
    return _Fault("does not continue an interrupted download", again=True, wait=0.0)


def _validator(headers: Message) -> str | None:
    """Return what tells one version of the file from the next, of what If-Range allows: no weak tag."""
    tag: str = (headers.get("ETag") or "").strip()
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _validator_kept(note: Path, url: str) -> str | None:
    """Return the validator under which the part was begun at this very address; None if it cannot be continued."""
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    validator = kept.get("validator") if isinstance(kept, dict) and kept.get("url") == url else None
    return validator if isinstance(validator, str) else None


def _keep_validator(note: Path, url: str, validator: str | None) -> None:
    _discard(note)
    if validator is not None:
        with _writing(note.parent, 0):
            note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _put_in_place(file: RemoteFile, verified: Path, target: Path, digest: str) -> None:
    with _writing(target.parent, 0):
        verified.replace(target)
        if not (file.sha256 or file.md5):
            _record(target, digest)
    _discard(_beside(target, ".part"), _beside(target, ".part.json"))


def _usable(file: RemoteFile, folder: Path) -> bool:
    """Tell whether the file is there and intact; a first use without a published checksum is recorded if it can be."""
    target = folder / file.path
    if state(file, folder) != "present":
        return False
    if _wanted(file, target)[1] is None:
        with suppress(OSError):
            _record(target, _digest(target, "sha256"))
    return True


def _wanted(file: RemoteFile, target: Path) -> tuple[str, str | None]:
    """Return the algorithm and the checksum that decide: the published one, else the recorded one, else none."""
    if file.sha256:
        return "sha256", file.sha256.lower()
    if file.md5:
        return "md5", file.md5.lower()
    try:
        recorded = re.match(r"[0-9a-f]{64}\b", _beside(target, ".sha256").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "sha256", None
    return "sha256", recorded[0] if recorded else None


def _record(target: Path, digest: str) -> None:
    _beside(target, ".sha256").write_text(f"{digest}  {target.name}\n", encoding="utf-8")


def _digest(path: Path, algorithm: str) -> str:
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    for piece in _pieces(path):
        hasher.update(piece)
    return hasher.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while piece := handle.read(PIECE):
            yield piece


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold ``<name>.lock`` against other processes, where the system can, and leave none behind."""
    if _flock is None:
        yield
        return
    path = _beside(target, ".lock")
    while True:
        with _create(path, "ab", 0) as handle:
            with suppress(OSError):  # a file system without locks
                _flock(handle.fileno(), fcntl.LOCK_EX)
            try:
                ours = os.path.samestat(os.fstat(handle.fileno()), path.stat())
            except FileNotFoundError:
                ours = False
            if not ours:  # the holder before us removed it while we waited
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            return


@contextmanager
def _create(path: Path, mode: Literal["ab", "wb"], need: int) -> Iterator[IO[bytes]]:
    with _writing(path.parent, need):
        handle = path.open(mode, buffering=0)  # a full disk shows at the write, not at the close
    with handle:
        yield handle


def _write(handle: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[handle.write(view) :]


@contextmanager
def _writing(folder: Path, need: int) -> Iterator[None]:
    """Tell a full disk from a folder that cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            much = f"{max(need, 1e5) / 1e6:.1f} MB more are" if need > 0 else "more space is"
            raise DataMissingError(f"the disk is full: {much} needed in {folder.absolute()}") from error
        raise DataError(
            f"cannot write in the data folder {folder.absolute()} ({error.strerror or error}); "
            "make it writable or choose another"
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror or error})") from error


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _is_page(head: bytes, file: RemoteFile) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower()
    return _odd(file) and start.startswith((b"<!doctype html", b"<html"))


def _odd(file: RemoteFile) -> bool:
    """Tell whether a web page would be the wrong thing to get."""
    return not file.path.lower().endswith((".html", ".htm"))


def _discard(*paths: Path) -> None:
    for path in paths:
        with _writing(path.parent, 0):
            path.unlink(missing_ok=True)


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(target.name + suffix)


def _version() -> str:
    try:
        return metadata.version("tlbench")
    except metadata.PackageNotFoundError:
        return "unknown"
