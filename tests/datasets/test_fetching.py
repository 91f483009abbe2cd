"""Fetching, against a server on this machine that misbehaves on demand."""

from __future__ import annotations

import errno
import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from pathlib import Path

import pytest

import tlbench
from tlbench.datasets import RemoteFile, adopt, data_folder, downloads, fetch, fetching, remote_files, state
from tlbench.datasets.errors import DataError, DataMissingError

BODY = bytes(range(256)) * 2000  # 512 000 bytes
HALF = len(BODY) // 2
PAGE = b"\n<!DOCTYPE html>\n<html><body>Please sign in</body></html>" + b" " * 200
Step = Callable[[http.server.BaseHTTPRequestHandler], None]


class Site(http.server.ThreadingHTTPServer):
    """A server that answers each path by its steps in turn, the last one for ever."""

    def __init__(self) -> None:
        self.steps: dict[str, list[Step]] = {}
        self.requests: list[tuple[str, Message]] = []
        self.sent: list[int] = []  # bytes of body in each 200 or 206
        self.open_again = threading.Event()  # ends a stalled answer
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str, *steps: Step) -> str:
        self.steps[path] = list(steps)
        return f"http://127.0.0.1:{self.server_port}{path}"

    def ranges(self, path: str) -> list[str | None]:
        return [headers["Range"] for asked, headers in self.requests if asked == path]

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.requests.append((self.path, self.headers))
        steps = self.server.steps.get(self.path, [refuse(404)])
        (steps.pop(0) if len(steps) > 1 else steps[0])(self)

    def log_message(self, *_: object) -> None:
        pass


def refuse(code: int, **headers: str) -> Step:
    def step(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "5")
        handler.end_headers()
        handler.wfile.write(b"sorry")

    return step


def serve(
    body: bytes = BODY,
    *,
    etag: str | None = '"one"',
    modified: str | None = None,
    ranges: bool = True,
    honest: bool = True,
    shift: int = 0,
    claim: int | None = None,
    cut: int | None = None,
    stall: bool = False,
    media: str = "application/octet-stream",
    chunked: bool = False,
) -> Step:
    """Answer as a file server does.

    cut: how many bytes to send before the line goes dead or, with stall, silent. shift: continues at another place
    than was asked for. claim: falsifies the length. Without honest, a Range is served whatever If-Range says.
    """

    def step(handler: http.server.BaseHTTPRequestHandler) -> None:
        asked = handler.headers["Range"]
        first = 0
        if ranges and asked and (not honest or handler.headers["If-Range"] in (etag, modified)):
            first = int(asked.removeprefix("bytes=").removesuffix("-")) + shift
            if first >= len(body):
                return refuse(416)(handler)
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        for name, value in (("ETag", etag), ("Last-Modified", modified), ("Content-Type", media)):
            if value is not None:
                handler.send_header(name, value)
        rest = body[first:]
        if chunked:
            handler.protocol_version = "HTTP/1.1"
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(len(rest) if claim is None else claim))
        handler.end_headers()
        now = rest if cut is None else rest[:cut]
        handler.server.sent.append(len(now))  # type: ignore[attr-defined]
        if chunked:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(now), now))
            if cut is None:
                handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.wfile.write(now)
        if stall:
            handler.server.open_again.wait(10)  # type: ignore[attr-defined]
        return None

    return step


def serving() -> Iterator[Site]:
    """One site, for as long as a test needs it."""
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.open_again.set()
        server.shutdown()
        thread.join()


site = pytest.fixture(serving)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No proxy, no mirror, no waiting; the waits there would have been."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TLBENCH_DATA_DIR", "TLBENCH_DATA_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    waited: list[float] = []
    monkeypatch.setattr(downloads, "_sleep", waited.append)
    return waited


def wanted(*urls: str, body: bytes = BODY, path: str = "set/a.mat") -> RemoteFile:
    return RemoteFile(path, urls, len(body), hashlib.sha256(body).hexdigest())


def unknown(*urls: str, size: int = 0) -> RemoteFile:
    return RemoteFile("set/a.mat", urls, size, None)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# Where things lie


def test_data_folder_is_the_one_given_then_the_environments_then_the_cache(monkeypatch, tmp_path):
    assert data_folder(None).parts[-2:] == ("tlbench", "data")
    monkeypatch.setenv("TLBENCH_DATA_DIR", "")
    assert data_folder(None).parts[-2:] == ("tlbench", "data")
    monkeypatch.setenv("TLBENCH_DATA_DIR", str(tmp_path / "named"))
    assert data_folder(None) == tmp_path / "named"
    assert data_folder(tmp_path / "given") == tmp_path / "given"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("security")
@pytest.mark.parametrize("path", ["/etc/a.mat", "../a.mat", "set/../../a.mat", ""])
def test_a_path_outside_the_data_folder_is_refused(path):
    with pytest.raises(ValueError, match="below the data folder"):
        RemoteFile(path, (), 0, None)


# The state of a file


def test_state_is_missing_present_or_damaged(tmp_path):
    file = wanted()
    assert state(file, tmp_path) == "missing"
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mat").write_bytes(BODY)
    assert state(file, tmp_path) == "present"
    (tmp_path / "set/a.mat").write_bytes(BODY[:-1])
    assert state(file, tmp_path) == "damaged"
    assert left(tmp_path) == ["a.mat"]


@pytest.mark.fault("disk")
def test_a_folder_in_the_files_place_is_damage_and_cannot_be_replaced(site, tmp_path):
    (tmp_path / "set/a.mat").mkdir(parents=True)
    file = wanted(site.url("/a", serve()))
    assert state(file, tmp_path) == "damaged"
    with pytest.raises(DataError, match="cannot write"):
        fetch(file, tmp_path)


@pytest.mark.fault("network")
def test_where_only_md5_is_published_it_decides(site, tmp_path):
    digest = hashlib.md5(BODY).hexdigest()
    file = RemoteFile("a.mat", (site.url("/bad", serve(b"x" + BODY)), site.url("/a", serve())), 0, None, digest.upper())
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert state(file, tmp_path) == "present"
    assert left(tmp_path) == ["a.mat"]
    (tmp_path / "a.mat").write_bytes(b"x")
    assert state(file, tmp_path) == "damaged"


@pytest.mark.fault("network")
def test_where_only_the_first_digits_are_published_they_decide(site, tmp_path):
    digits = hashlib.sha256(BODY).hexdigest()[:8]
    file = RemoteFile("a.pth", (site.url("/bad", serve(b"x" + BODY)), site.url("/a", serve())), 0, digits)
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert left(tmp_path) == ["a.pth"]
    carried = tmp_path / "carried.pth"
    carried.write_bytes(b"x" + BODY)
    with pytest.raises(DataError, match="not the right file"):
        adopt(file, tmp_path, carried)
    (tmp_path / "a.pth").write_bytes(b"x")
    assert state(file, tmp_path) == "damaged"


# Plain downloads


@pytest.mark.parametrize("chunked", [False, True])
def test_a_plain_download_is_put_in_place_and_leaves_nothing_else(site, tmp_path, chunked):
    file = wanted(site.url("/a", serve(chunked=chunked)))
    told: list[tuple[int, int]] = []
    place = fetch(file, tmp_path / "new" / "folder", lambda *amounts: told.append(amounts))
    assert place == tmp_path / "new/folder/set/a.mat"
    assert place.read_bytes() == BODY
    assert left(tmp_path) == ["a.mat"]
    assert told[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    ((_, headers),) = site.requests
    assert headers["User-Agent"].startswith("tlbench/")
    assert headers["Range"] is None


def test_what_is_present_is_not_fetched_again(site, tmp_path):
    file = wanted(site.url("/a", serve()))
    fetch(file, tmp_path)
    fetch(file, tmp_path)
    assert len(site.requests) == 1


@pytest.mark.fault("network")
def test_what_is_damaged_is_replaced(site, tmp_path):
    file = wanted(site.url("/a", serve()))
    fetch(file, tmp_path).write_bytes(b"rubbish")
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert len(site.requests) == 2


def test_an_empty_file_may_be_wanted(site, tmp_path):
    assert fetch(wanted(site.url("/a", serve(b"")), body=b""), tmp_path).read_bytes() == b""


def test_progress_says_nought_where_the_whole_is_not_known(site, tmp_path):
    told: list[tuple[int, int]] = []
    fetch(unknown(site.url("/a", serve(chunked=True))), tmp_path, lambda *amounts: told.append(amounts))
    assert {whole for _, whole in told} == {0}


def test_an_error_of_the_callers_progress_is_the_callers(site, tmp_path):
    def closed(done: int, whole: int) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        fetch(wanted(site.url("/a", serve())), tmp_path, closed)
    assert len(site.requests) == 1


# Interrupted downloads


@pytest.mark.fault("network")
@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"etag": None, "modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"etag": 'W/"weak"', "modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
        {"chunked": True},
    ],
)
def test_a_broken_download_is_continued_where_it_broke(site, tmp_path, pauses, marks):
    file = wanted(site.url("/a", serve(cut=HALF, **marks), serve(**marks)))
    told: list[int] = []
    assert fetch(file, tmp_path, lambda done, _: told.append(done)).read_bytes() == BODY
    assert site.ranges("/a") == [None, f"bytes={HALF}-"]
    assert site.requests[1][1]["If-Range"] == (marks.get("modified") or '"one"')
    assert site.sent == [HALF, len(BODY) - HALF]
    assert told == sorted(told)
    assert pauses == [1.0]
    assert left(tmp_path) == ["a.mat"]


@pytest.mark.fault("network")
def test_a_later_run_continues_what_an_earlier_one_left(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BACKOFF", ())
    file = wanted(site.url("/a", serve(cut=HALF), serve()))
    with pytest.raises(DataMissingError, match=f"broke off after {HALF} of {len(BODY)} bytes"):
        fetch(file, tmp_path)
    assert left(tmp_path) == ["a.mat.part", "a.mat.part.json"]
    assert state(file, tmp_path) == "missing"
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.sent == [HALF, len(BODY) - HALF]


def test_a_part_that_is_already_whole_costs_no_request(site, tmp_path):
    file = wanted(site.url("/a", serve()))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mat.part").write_bytes(BODY)
    (tmp_path / "set/a.mat.part.json").write_text(json.dumps({"url": file.urls[0], "validator": '"one"'}))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.requests == []


@pytest.mark.fault("network")
@pytest.mark.parametrize(
    "note",
    [
        None,
        "{",
        "[]",
        '{"url": "http://elsewhere/a", "validator": "\\"one\\""}',
        '{"url": "URL", "validator": 3}',
        '{"url": "URL", "validator": "\\"one\\""}',
    ],
)
def test_a_part_of_rubbish_never_spoils_the_file(site, tmp_path, note):
    """Only the last note is to be believed: the part is then longer than the file, and the server answers 416."""
    file = wanted(site.url("/a", serve()))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mat.part").write_bytes(b"x" * (len(BODY) + 1))
    if note is not None:
        (tmp_path / "set/a.mat.part.json").write_text(note.replace("URL", file.urls[0]))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert left(tmp_path) == ["a.mat"]


@pytest.mark.fault("network")
def test_an_address_that_always_breaks_off_is_left_after_four_more_tries(site, tmp_path, pauses):
    file = wanted(site.url("/a", serve(cut=10)), site.url("/b", serve()))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.ranges("/a") == [None, "bytes=10-", "bytes=20-", "bytes=30-", "bytes=40-"]
    assert site.ranges("/b") == [None]  # another address's part is not continued
    assert pauses == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.fault("network")
@pytest.mark.parametrize("step", [serve(ranges=False), serve(shift=1), serve(shift=-7)])
def test_a_server_that_does_not_continue_is_asked_for_the_whole(site, tmp_path, step):
    file = wanted(site.url("/a", serve(cut=HALF), step))
    assert fetch(file, tmp_path).read_bytes() == BODY


@pytest.mark.fault("network")
def test_without_a_mark_of_the_version_nothing_is_continued_or_kept(site, tmp_path, monkeypatch):
    file = wanted(site.url("/a", serve(cut=HALF, etag=None), serve(etag=None)))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.ranges("/a") == [None, None]
    monkeypatch.setattr(downloads, "BACKOFF", ())
    with pytest.raises(DataMissingError):
        fetch(wanted(site.url("/b", serve(cut=HALF, etag=None)), path="b.mat"), tmp_path)
    assert left(tmp_path) == ["a.mat"]


@pytest.mark.fault("network")
@pytest.mark.parametrize("honest", [True, False])
def test_a_file_changed_between_two_parts_is_begun_again(site, tmp_path, honest):
    """Also where the server continues with the new version in spite of If-Range; only its ETag tells."""
    old = bytes(len(BODY))
    new = serve(etag='"two"', honest=honest)
    file = unknown(site.url("/a", serve(old, cut=HALF), new))
    assert fetch(file, tmp_path).read_bytes() == BODY


@pytest.mark.fault("network")
def test_a_page_or_a_refusal_in_between_does_not_cost_the_part(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "BACKOFF", ())
    file = wanted(site.url("/a", serve(cut=HALF), serve(PAGE, etag=None, ranges=False), refuse(403), serve()))
    for _ in range(3):
        with pytest.raises(DataMissingError):
            fetch(file, tmp_path)
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.ranges("/a")[-1] == f"bytes={HALF}-"


# Servers that lie, refuse or fall silent


@pytest.mark.fault("network")
def test_a_claimed_length_too_long_does_not_matter_where_the_checksum_is_right(site, tmp_path):
    file = wanted(site.url("/a", serve(claim=len(BODY) + 50)))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert len(site.requests) == 1


@pytest.mark.fault("network")
def test_a_claimed_length_too_long_is_not_believed_without_a_checksum(site, tmp_path):
    with pytest.raises(DataMissingError, match=f"broke off after {len(BODY)} of {len(BODY) + 50} bytes"):
        fetch(unknown(site.url("/a", serve(claim=len(BODY) + 50, ranges=False))), tmp_path)
    assert "a.mat" not in left(tmp_path)


@pytest.mark.fault("network")
def test_a_claimed_length_too_short_is_a_wrong_checksum(site, tmp_path):
    file = wanted(site.url("/a", serve(claim=HALF)), site.url("/b", serve()))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert [path for path, _ in site.requests] == ["/a", "/b"]


@pytest.mark.fault("network")
@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451])
def test_a_refusal_sends_us_to_the_next_address_at_once(site, tmp_path, pauses, code):
    file = wanted(site.url("/a", refuse(code)), site.url("/b", serve()))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert len(site.requests) == 2
    assert pauses == []


@pytest.mark.fault("network")
@pytest.mark.parametrize(
    ("code", "said", "waited"), [(429, "7", 7), (503, "3600", 60), (503, "soon", 1), (500, "7", 1)]
)
def test_a_busy_server_is_given_the_time_it_asks_for(site, tmp_path, pauses, code, said, waited):
    assert fetch(wanted(site.url("/a", refuse(code, Retry_After=said), serve())), tmp_path).read_bytes() == BODY
    assert pauses == [waited]


@pytest.mark.fault("network")
@pytest.mark.parametrize(("ahead", "least", "most"), [(20, 15, 20), (900, 60, 60), (-900, 0, 0)])
def test_retry_after_may_be_a_date(site, tmp_path, pauses, ahead, least, most):
    said = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    fetch(wanted(site.url("/a", refuse(429, Retry_After=said), serve())), tmp_path)
    assert least <= pauses[0] <= most


@pytest.mark.fault("network")
def test_redirects_are_followed_but_not_in_a_circle_nor_off_the_web(site, tmp_path, pauses):
    secret = tmp_path / "secret"
    secret.write_bytes(BODY)
    file = wanted(
        site.url("/circle", refuse(302, Location="/circle")),
        site.url("/file", refuse(302, Location=secret.as_uri())),
        site.url("/ftp", refuse(302, Location="ftp://127.0.0.1/a")),
        site.url("/nowhere", refuse(302)),
    )
    with pytest.raises(DataMissingError) as caught:
        fetch(file, tmp_path / "data")
    lines = str(caught.value).splitlines()
    assert "redirects in a circle" in lines[1]
    assert f"HTTP 302 Found - Redirection to url '{secret.as_uri()}' is not allowed" in lines[2]
    assert "HTTP 302 redirects to ftp://127.0.0.1/a" in lines[3]
    assert "HTTP 302" in lines[4]
    assert pauses == []
    site.url("/a", serve())
    assert fetch(wanted(site.url("/moved", refuse(302, Location="/a"))), tmp_path / "data").read_bytes() == BODY


@pytest.mark.fault("network")
@pytest.mark.parametrize("step", [serve(PAGE), serve(b"just text", media="text/html; charset=utf-8")])
def test_a_web_page_in_place_of_the_file_is_named_so(site, tmp_path, step):
    for file in (wanted(site.url("/a", step)), unknown(site.url("/a", step))):
        with pytest.raises(DataMissingError, match=r"sent a web page \(HTML\) in place of the file"):
            fetch(file, tmp_path)
    assert left(tmp_path) == []


@pytest.mark.fault("network")
def test_a_web_page_is_known_also_when_it_comes_in_crumbs(site, tmp_path):
    def crumbs(handler: http.server.BaseHTTPRequestHandler) -> None:
        serve(PAGE, cut=4)(handler)
        time.sleep(0.05)
        handler.wfile.write(PAGE[4:])

    with pytest.raises(DataMissingError, match="sent a web page"):
        fetch(unknown(site.url("/a", crumbs)), tmp_path)


def test_a_web_page_is_welcome_where_one_is_wanted(site, tmp_path):
    file = wanted(site.url("/a", serve(PAGE, media="text/html")), body=PAGE, path="index.html")
    assert fetch(file, tmp_path).read_bytes() == PAGE


@pytest.mark.fault("network")
def test_a_wrong_checksum_is_never_put_in_place(site, tmp_path, pauses):
    file = wanted(site.url("/a", serve(BODY[::-1])), site.url("/b", serve()))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert pauses == []
    with pytest.raises(DataMissingError, match="wrong checksum"):
        fetch(wanted(file.urls[0], path="b.mat"), tmp_path)
    assert left(tmp_path) == ["a.mat"]


@pytest.mark.fault("network")
@pytest.mark.parametrize("step", [serve(cut=0, stall=True), serve(cut=HALF, stall=True)])
def test_a_server_that_falls_silent_is_left_for_the_next(site, tmp_path, monkeypatch, step):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    file = wanted(site.url("/a", step), site.url("/b", serve()))
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert [path for path, _ in site.requests] == ["/a", "/b"]


@pytest.mark.fault("network")
def test_what_arrived_before_the_silence_is_kept(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.2)
    file = wanted(site.url("/a", serve(cut=HALF, stall=True), serve()))
    with pytest.raises(DataMissingError, match=r"no answer within 0\.2 s"):
        fetch(file, tmp_path)
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.ranges("/a") == [None, f"bytes={HALF}-"]


def drips(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A byte now and then: never silent for long, and never done."""
    serve(cut=HALF)(handler)
    with suppress(OSError):
        for _ in range(300):
            handler.server.open_again.wait(0.02)  # type: ignore[attr-defined]
            handler.wfile.write(b"x")


@pytest.mark.fault("network")
def test_a_server_that_only_drips_is_left_for_the_next_and_its_part_is_kept(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "WATCHED", 0.1)
    monkeypatch.setattr(downloads, "SLOWEST", 10 * len(BODY))
    with pytest.raises(DataMissingError, match="sends less than 5120000 bytes a second"):
        fetch(wanted(site.url("/a", drips)), tmp_path)
    assert left(tmp_path) == ["a.mat.part", "a.mat.part.json"]
    assert fetch(wanted(site.url("/a", drips), site.url("/b", serve())), tmp_path).read_bytes() == BODY


def test_a_slow_server_is_listened_to(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "WATCHED", 0.0)
    assert fetch(wanted(site.url("/a", serve())), tmp_path).read_bytes() == BODY


@pytest.mark.fault("network")
@pytest.mark.parametrize("ends", [True, False])
def test_a_server_that_never_ends_does_not_fill_the_disk(site, tmp_path, ends):
    def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", '"one"')
        if ends:
            handler.send_header("Content-Length", str(10**15))
        handler.end_headers()
        with suppress(OSError):
            for _ in range(100):
                handler.wfile.write(bytes(1 << 16))

    with pytest.raises(DataMissingError, match=f"sent more than twice the {len(BODY)} bytes of the file, and went on"):
        fetch(wanted(site.url("/a", endless)), tmp_path)
    assert left(tmp_path) == []


@pytest.mark.fault("network")
def test_a_server_that_hangs_up_without_a_word_is_asked_again(site, tmp_path, pauses):
    assert fetch(wanted(site.url("/a", lambda _: None, serve())), tmp_path).read_bytes() == BODY
    assert pauses == [1.0]


@pytest.mark.fault("network")
def test_when_all_fail_the_message_says_what_where_and_why(site, tmp_path, monkeypatch):
    real = socket.getaddrinfo

    def lookup(host: str, *rest: object, **more: object) -> object:
        if host == "host.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        reasons = {
            site.url("/gone", refuse(410)): "HTTP 410 Gone",
            "http://host.invalid/a": "host not found",
            f"http://127.0.0.1:{closed.getsockname()[1]}/a": "connection refused",
            (tmp_path / "a.mat").as_uri(): "only http and https addresses are fetched",
            "http://[broken/a": "only http and https addresses are fetched",
            site.url("/none", refuse(204)): "HTTP 204 No Content",
            "http://127.0.0.1:80/a b": "URL can't contain control characters",
        }
        with pytest.raises(DataMissingError) as caught:
            fetch(wanted(*reasons), tmp_path)
    first, *lines, last = str(caught.value).splitlines()
    assert first == "set/a.mat is missing and could not be fetched:"
    assert len(lines) == len(reasons)
    for line, (url, reason) in zip(lines, reasons.items(), strict=True):
        assert line.startswith(f"  {url}: {reason}")
    assert last.endswith(f" {tmp_path / 'set/a.mat'}")
    assert left(tmp_path) == []


@pytest.mark.fault("network")
def test_without_an_address_the_message_says_so(tmp_path):
    with pytest.raises(DataMissingError, match="no address is known"):
        fetch(wanted(), tmp_path)


@pytest.mark.fault("network")
def test_the_mirror_of_the_environment_is_asked_first(site, tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_DATA_MIRROR", site.url("/mirror/"))
    site.url("/mirror/set/a%20b.mat", serve(BODY[::-1]), serve())
    file = wanted(site.url("/a", serve()), path="set/a b.mat")
    assert fetch(file, tmp_path).read_bytes() == BODY  # the mirror's was wrong
    assert [path for path, _ in site.requests] == ["/mirror/set/a%20b.mat", "/a"]
    (tmp_path / "set/a b.mat").unlink()
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert [path for path, _ in site.requests][2:] == ["/mirror/set/a%20b.mat"]


@pytest.mark.fault("network")
def test_a_mirror_that_is_no_web_address_is_the_users_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv("TLBENCH_DATA_MIRROR", "file:///srv/data")
    with pytest.raises(DataError, match=r"TLBENCH_DATA_MIRROR .*'file:///srv/data'"):
        fetch(wanted(), tmp_path)


# No published checksum


@pytest.mark.fault("network")
def test_an_unknown_checksum_is_recorded_at_first_use_and_decides_from_then_on(site, tmp_path):
    file = unknown(site.url("/a", serve(), serve(), serve(b"something else")))
    place = fetch(file, tmp_path)
    record = tmp_path / "set/a.mat.sha256"
    assert record.read_text() == f"{hashlib.sha256(BODY).hexdigest()}  a.mat\n"
    assert state(file, tmp_path) == "present"
    place.write_bytes(b"changed")
    assert state(file, tmp_path) == "damaged"
    assert fetch(file, tmp_path).read_bytes() == BODY
    place.unlink()
    with pytest.raises(DataMissingError, match="wrong checksum") as caught:
        fetch(file, tmp_path)
    assert str(record) in str(caught.value)
    record.unlink()
    assert fetch(file, tmp_path).read_bytes() == b"something else"


def test_the_first_use_of_a_file_already_there_is_recorded_by_fetch_alone(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mat").write_bytes(BODY)
    assert state(unknown(), tmp_path) == "present"
    assert left(tmp_path) == ["a.mat"]
    fetch(unknown(), tmp_path)
    assert left(tmp_path) == ["a.mat", "a.mat.sha256"]
    (tmp_path / "set/a.mat").write_bytes(BODY[1:])
    assert state(unknown(), tmp_path) == "damaged"


@pytest.mark.fault("network")
def test_an_empty_answer_is_no_file_without_a_checksum(site, tmp_path):
    with pytest.raises(DataMissingError, match="sent an empty file"):
        fetch(unknown(site.url("/a", serve(b""))), tmp_path)
    assert left(tmp_path) == []


# Several at once

CHILD = """
import sys
from pathlib import Path
from tlbench.datasets import RemoteFile, fetch
url, size, digest, folder = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
print(fetch(RemoteFile("set/a.mat", (url,), int(size), digest), Path(folder)))
"""


@pytest.mark.fault("network")
def test_two_processes_at_once_make_one_download_and_one_good_copy(site, tmp_path):
    both_run = threading.Event()

    def slowly(handler: http.server.BaseHTTPRequestHandler) -> None:
        both_run.wait(10)
        time.sleep(0.3)  # time for the other to come to the lock
        serve()(handler)

    file = wanted(site.url("/a", slowly))
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    here = str(Path(tlbench.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [here, environment.get("PYTHONPATH")]))
    command = [sys.executable, "-c", CHILD, file.urls[0], str(file.size), str(file.sha256), str(tmp_path)]
    with ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            )
            for _ in range(2)
        ]
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        both_run.set()
        for child in children:
            said, _ = child.communicate(timeout=15)
            assert (child.returncode, said.strip()) == (0, str(tmp_path / "set/a.mat"))
    assert len(site.requests) == 1
    assert (tmp_path / "set/a.mat").read_bytes() == BODY
    assert left(tmp_path) == ["a.mat"]


def test_many_threads_take_turns_and_remove_the_lock(tmp_path):
    inside, most = 0, 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(20):
            with fetching._locked(tmp_path / "a.mat"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert left(tmp_path) == []


def no_locks(_: int, __: int) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.mark.parametrize("flock", [None, no_locks])
def test_a_system_without_locks_fetches_all_the_same(site, tmp_path, monkeypatch, flock):
    monkeypatch.setattr(fetching, "_flock", flock)
    assert fetch(wanted(site.url("/a", serve())), tmp_path).read_bytes() == BODY
    assert left(tmp_path) == ["a.mat"]


# The disk


@pytest.mark.fault("disk")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_with_what_it_would_take(site, tmp_path, monkeypatch, number):
    file = wanted(site.url("/a", serve(cut=HALF), serve()), site.url("/b", serve()))
    real, written = remote_files._write, 0

    def write(handle, data):
        nonlocal written
        if written >= HALF:
            raise OSError(number, os.strerror(number))
        written += len(data)
        real(handle, data)

    with monkeypatch.context() as patch:
        patch.setattr(remote_files, "_write", write)
        with pytest.raises(DataMissingError, match=r"0\.3 MB more are needed in") as caught:
            fetch(file, tmp_path)
    assert str(tmp_path / "set") in str(caught.value)
    assert site.ranges("/b") == []  # another address would not help
    assert left(tmp_path) == ["a.mat.part", "a.mat.part.json"]
    assert fetch(file, tmp_path).read_bytes() == BODY
    assert site.ranges("/a")[-1] == f"bytes={HALF}-"


@pytest.mark.fault("disk")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_really_full_device_shows_at_the_write(site, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mat.part").symlink_to("/dev/full")
    with pytest.raises(DataMissingError, match=r"0\.5 MB more are needed"):
        fetch(wanted(site.url("/a", serve())), tmp_path)


@pytest.mark.fault("disk")
@pytest.mark.parametrize("blocked", ["data", "data/set"])
def test_a_folder_that_cannot_be_written_is_named(site, tmp_path, blocked):
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_bytes(b"a file, not a folder")
    (tmp_path / "mine.mat").write_bytes(BODY)
    file = wanted(site.url("/a", serve()))
    assert state(file, tmp_path / "data") == "missing"
    for act in (lambda: fetch(file, tmp_path / "data"), lambda: adopt(file, tmp_path / "data", tmp_path / "mine.mat")):
        with pytest.raises(DataError, match="cannot write in the data folder") as caught:
            act()
        assert str(tmp_path / blocked) in str(caught.value)
    assert site.requests == []


@pytest.mark.fault("disk")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_named(site, tmp_path):
    (tmp_path / "set").mkdir(mode=0o500)
    with pytest.raises(DataError, match=r"cannot write in the data folder .*Permission denied"):
        fetch(wanted(site.url("/a", serve())), tmp_path)


# Files carried by hand


@pytest.mark.parametrize("place", ["other-name.bin", "a.mat", "set/a.mat"])
def test_adopt_takes_a_file_or_finds_it_in_a_folder(tmp_path, place):
    carried = tmp_path / "stick" / place
    carried.parent.mkdir(parents=True)
    carried.write_bytes(BODY)
    source = carried if place == "other-name.bin" else tmp_path / "stick"
    (tmp_path / "data/set").mkdir(parents=True)
    (tmp_path / "data/set/a.mat").write_bytes(b"damaged")
    (tmp_path / "data/set/a.mat.part").write_bytes(b"begun")
    assert adopt(wanted(), tmp_path / "data", source) == tmp_path / "data/set/a.mat"
    assert (tmp_path / "data/set/a.mat").read_bytes() == BODY
    assert left(tmp_path / "data") == ["a.mat"]
    assert carried.read_bytes() == BODY


@pytest.mark.fault("network")
def test_adopt_refuses_what_is_wrong_and_leaves_what_is_there(tmp_path):
    (tmp_path / "bad").write_bytes(BODY[:-1])
    (tmp_path / "page").write_bytes(PAGE)
    (tmp_path / "empty").mkdir()
    (tmp_path / "data/set").mkdir(parents=True)
    (tmp_path / "data/set/a.mat").write_bytes(BODY)
    for source, reason in {
        "bad": "is not the right file: its sha256 is",
        "page": "is a saved web page",
        "empty": "holds no a.mat",
        "none": "there is no file",
    }.items():
        with pytest.raises(DataError, match=reason) as caught:
            adopt(wanted(), tmp_path / "data", tmp_path / source)
        assert str(tmp_path / source) in str(caught.value)
    assert left(tmp_path / "data") == ["a.mat"]
    assert state(wanted(), tmp_path / "data") == "present"


def test_adopt_of_the_file_in_place_keeps_it(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.mat").write_bytes(BODY)
    assert adopt(unknown(), tmp_path, tmp_path / "set/a.mat").read_bytes() == BODY
    assert adopt(unknown(), tmp_path, tmp_path).read_bytes() == BODY
    assert left(tmp_path) == ["a.mat", "a.mat.sha256"]


def test_adopt_without_a_checksum_replaces_the_record(tmp_path):
    for body in (BODY, BODY[1:]):
        (tmp_path / "mine").write_bytes(body)
        adopt(unknown(), tmp_path / "data", tmp_path / "mine")
        assert state(unknown(), tmp_path / "data") == "present"
    assert (tmp_path / "data/set/a.mat").read_bytes() == BODY[1:]


@pytest.mark.fault("disk")
def test_adopt_on_a_full_disk_leaves_nothing_half_done(tmp_path, monkeypatch):
    def write(handle, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(remote_files, "_write", write)
    (tmp_path / "mine").write_bytes(BODY)
    with pytest.raises(DataMissingError, match=r"0\.5 MB more are needed"):
        adopt(wanted(), tmp_path / "data", tmp_path / "mine")
    assert left(tmp_path / "data") == []
