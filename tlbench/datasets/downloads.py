"""One address asked for one file, as often as makes sense: from a URL to a complete and verified part."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .remote_files import (
    PIECE,
    RemoteFile,
    beside,
    create,
    deciding_checksum,
    discard,
    hash_file,
    new_hash,
    reading,
    record_of,
    write,
    writing,
)

TIMEOUT = 30.0  # seconds of silence on a socket before the next address is tried
BACKOFF = (1.0, 2.0, 4.0, 8.0)  # seconds before each renewed try at one address
LONGEST_WAIT = 60.0  # seconds; what a server may at most ask of us by Retry-After
SLOWEST, WATCHED = 100, 60.0  # bytes a second, over so many seconds; a server that drips less is left for the next

Progress = Callable[[int, int], None]  # told the bytes done and the bytes in all (0: not known)

_sleep = time.sleep


class Fault(Exception):  # noqa: N818 (never leaves this package)
    """Why one address failed, and whether it is worth asking again after a wait (None: the usual one)."""

    def __init__(self, reason: str, *, again: bool = False, wait: float | None = None, code: int = 0) -> None:
        super().__init__(reason)
        self.again, self.wait, self.code = again, wait, code


class Part:
    """What has arrived of a file, and a note of whence: the address, and the validator of the version begun there."""

    def __init__(self, target: Path) -> None:
        self.path, self.note = beside(target, ".part"), beside(target, ".part.json")

    def validator(self, url: str) -> str | None:
        """Return the validator under which the part was begun at this very address; None if it cannot be continued."""
        try:
            kept = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        validator = kept.get("validator") if isinstance(kept, dict) and kept.get("url") == url else None
        return validator if isinstance(validator, str) else None

    def vouch(self, url: str, validator: str | None) -> None:
        """Note the address and the validator of a part now begun, if it has one."""
        discard(self.note)
        if validator is not None:
            with writing(self.note.parent):
                self.note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def discard(self) -> None:
        """Remove the part and its note."""
        discard(self.path, self.note)


def download(file: RemoteFile, url: str, target: Path, progress: Progress | None) -> str:
    """Ask one address until it has sent the whole file, and return the checksum of what is then a complete part.

    Raises Fault when the address refuses or the tries are used up.
    """
    pauses = iter(BACKOFF)
    while True:
        try:
            return _attempt(file, url, target, progress)
        except Fault as fault:
            pause = next(pauses, None)
            if not fault.again or pause is None:
                raise
            _sleep(pause if fault.wait is None else fault.wait)


def _attempt(file: RemoteFile, url: str, target: Path, progress: Progress | None) -> str:
    """Make one request, continuing the part there is, and return the checksum of what is then a complete part."""
    if not is_web(url):
        raise Fault("only http and https addresses are fetched")
    part = Part(target)
    algorithm, wanted = deciding_checksum(file, target)
    hasher, done = new_hash(algorithm), 0
    validator = part.validator(url)
    if validator and part.path.is_file():
        with reading(part.path):
            hasher, done = hash_file(part.path, algorithm)
        if wanted and hasher.hexdigest().startswith(wanted):
            return hasher.hexdigest()
    with _ask(url, part, validator, done) as response:
        first, total = _extent(response, part, validator, done)
        if not first:
            hasher = new_hash(algorithm)
        done = first
        pieces, head = _body(response), b""
        for piece in pieces:  # enough to know a web page by, before the part is overwritten
            head += piece
            if len(head) >= 64:
                break
        if not first and (is_page(head, file) or (response.headers.get_content_type() == "text/html" and _odd(file))):
            raise Fault("sent a web page (HTML) in place of the file")
        with create(part.path, "ab" if first else "wb", file.size) as handle:
            if not first:
                part.vouch(url, _validator(response.headers))
            for piece in itertools.chain([head], pieces):
                write(handle, piece, target.parent, (total or file.size) - done)
                hasher.update(piece)
                done += len(piece)
                if file.size and done > 2 * file.size + PIECE:
                    part.discard()
                    raise Fault(f"sent more than twice the {file.size} bytes of the file, and went on")
                if progress is not None:
                    progress(done, total or file.size)
    digest = hasher.hexdigest()
    if wanted and digest.startswith(wanted):  # whatever length the server claimed
        return digest
    if done < (file.size if total is None else total):
        raise Fault(f"broke off after {done} of {total or file.size} bytes", again=True)
    if wanted is None and done:
        return digest
    part.discard()
    if wanted is None:
        raise Fault("sent an empty file")
    kept = "" if file.published[1] else f" as {record_of(target)} recorded at first use"
    raise Fault(f"wrong checksum ({algorithm} {digest[:12]}…, not {wanted[:12]}…{kept})")


def _ask(url: str, part: Part, validator: str | None, done: int) -> http.client.HTTPResponse:
    """Ask for the file, or for what follows the bytes done."""
    request = Request(url, headers={"User-Agent": f"tlbench/{_version()}"})  # noqa: S310 (known to be a web address)
    if validator and done:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", validator)
    try:
        with _network():
            response: http.client.HTTPResponse = build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except Fault as fault:
        if done and fault.code == 416:
            raise _restart(part) from fault
        raise
    return response


def _extent(response: http.client.HTTPResponse, part: Part, validator: str | None, done: int) -> tuple[int, int | None]:
    """Return the place in the file where the answer begins, the end of the part or 0, and the length of the whole."""
    length = response.length
    if response.status == 200:
        return 0, length
    if response.status != 206:
        raise Fault(f"HTTP {response.status} {response.reason}")
    given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    changed = _validator(response.headers) not in (None, validator)
    if not done or given is None or int(given[1]) != done or changed:
        raise _restart(part)
    return done, (done + (length or 0) if given[2] == "*" else int(given[2]))


def _restart(part: Part) -> Fault:
    discard(part.note)
    return Fault("does not continue an interrupted download", again=True, wait=0.0)


def _validator(headers: Message) -> str | None:
    """Return what tells one version of the file from the next, of what If-Range allows: no weak tag."""
    tag: str = (headers.get("ETag") or "").strip()
    return tag if tag.startswith('"') else headers.get("Last-Modified")


def _body(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it arrives, and no more of it than was announced; it may end early."""
    left = response.length
    since, arrived = time.monotonic(), 0
    while left is None or left > 0:
        with _network():
            piece = response.read1(PIECE if left is None else min(PIECE, left))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece
        arrived += len(piece)
        if (passed := time.monotonic() - since) > WATCHED:
            if arrived < SLOWEST * passed:
                raise Fault(f"sends less than {SLOWEST} bytes a second")
            since, arrived = time.monotonic(), 0


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        if not is_web(newurl):
            raise HTTPError(req.full_url, code, f"redirects to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _network() -> Iterator[None]:
    """Turn whatever goes wrong on the way to the server and back into a fault."""
    try:
        yield
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _fault(error) from error


def _fault(error: BaseException) -> Fault:
    match error:
        case HTTPError():
            with error:  # holds the connection open
                if "infinite loop" in error.msg:
                    return Fault("redirects in a circle", code=error.code)
                busy = error.code in (429, 503)
                return Fault(
                    f"HTTP {error.code} {error.msg}",
                    again=busy or error.code >= 500,
                    wait=_retry_after(error.headers) if busy else None,
                    code=error.code,
                )
        case URLError(reason=BaseException() as reason):
            return _fault(reason)
        case TimeoutError():
            return Fault(f"no answer within {TIMEOUT:g} s")
        case socket.gaierror():
            return Fault("host not found")
        case ConnectionRefusedError():
            return Fault("connection refused")
        case ConnectionError() | http.client.IncompleteRead() | ssl.SSLEOFError():
            return Fault("the connection broke off", again=True)
    return Fault(str(error) or type(error).__name__)


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


def is_web(url: str) -> bool:
    """Tell whether this is an address that is fetched at all."""
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def is_page(head: bytes, file: RemoteFile) -> bool:
    """Tell by its first bytes a web page that came in place of the file."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower()
    return _odd(file) and start.startswith((b"<!doctype html", b"<html"))


def _odd(file: RemoteFile) -> bool:
    """Tell whether a web page would be the wrong thing to get."""
    return not file.path.lower().endswith((".html", ".htm"))


def _version() -> str:
    try:
        return metadata.version("tlbench")
    except metadata.PackageNotFoundError:
        return "unknown"
