"""A network that fails, and archives that do harm, by the real command: one message, and nothing half in place."""

from __future__ import annotations

import http.server
import json
import re
import stat
from contextlib import suppress

import pytest

from tests.datasets.test_fetching import PAGE, Site, Step, refuse, serve, serving
from tests.datasets.test_unpacking import marked, zipped

pytestmark = pytest.mark.fault("network")

MAT = "10class_mix.mat"
WANTED = f"/caltech256-features/{MAT}"
FETCH = ("data", "fetch", "caltech256-features", "--setting", "mixed")
RUN = ("run", "caltech-multisource")


site = pytest.fixture(serving)


def asked(place, site: Site, command: tuple[str, ...], *steps: Step):
    """What the command made of a mirror that answers so; every other address is closed."""
    site.url(WANTED, *steps)
    return place.tlbench(*command, TLBENCH_DATA_MIRROR=f"http://127.0.0.1:{site.server_port}", no_proxy="127.0.0.1")


def assert_said(place, done, words: str) -> None:
    """What failed and why, where the file belongs, and no traceback; nothing lies where the file would."""
    assert done.status == 3, done
    assert "Traceback" not in done.err
    assert len(re.findall("^tlbench: ", done.err, re.M)) == 1
    assert "is missing and could not be fetched" in done.err
    assert re.search(words, done.err), done.err
    assert f"A copy got by other means belongs at {place.folder / 'data' / WANTED[1:]}" in done.err
    assert [path for path in place.everything() if path.is_file()] == []
    assert not list(place.folder.glob("results*"))


def says(status: bytes) -> Step:
    """A status line of the server's own making."""

    def step(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(status + b"\r\nContent-Length: 0\r\n\r\n")

    return step


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("ETag", '"one"')
    handler.end_headers()
    with suppress(OSError):
        for _ in range(40):
            handler.wfile.write(bytes(1 << 20))


FAULTS: dict[str, tuple[list[Step], str]] = {
    "404": ([refuse(404)], "HTTP 404 Not Found"),
    "429 for ever": ([refuse(429, Retry_After="0")], "HTTP 429 Too Many Requests"),
    "a redirect loop": ([refuse(302, Location=WANTED)], "redirects in a circle"),
    "a redirect to a file": ([refuse(302, Location="file:///etc/passwd")], "is not allowed"),
    "a web page": ([serve(PAGE)], r"sent a web page \(HTML\) in place of the file"),
    "a wrong checksum": ([serve()], "wrong checksum"),
    "a wrong length": ([serve(claim=1000, ranges=False)], "wrong checksum"),
    "a file without end": ([endless], "sent more than twice the 3172453 bytes of the file, and went on"),
    "no file": ([serve(b"")], "broke off after 0 of|wrong checksum|sent an empty file"),
    "no HTTP": ([says(b"SSH-2.0-OpenSSH_9.6")], "SSH-2.0|broke off|BadStatusLine"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fetch_says_what_went_wrong(place, site, name):
    steps, words = FAULTS[name]
    assert_said(place, asked(place, site, FETCH, *steps), words)


def test_run_says_the_same_and_what_works_without_a_network(place, site):
    done = asked(place, site, RUN, refuse(503, Retry_After="0"))
    assert_said(place, done, "HTTP 503 Service Unavailable")
    assert "tlbench data fetch caltech256-features --from" in done.err
    assert "tlbench run caltech-multisource --dataset digits" in done.err


@pytest.mark.fault("security")
def test_what_a_server_says_does_not_drive_the_terminal(place, site):
    done = asked(place, site, FETCH, says(b"HTTP/1.1 404 \x1b]0;owned\x07\x1b[2J gone\x9b31m"))
    assert_said(place, done, r"HTTP 404 \\x1b\]0;owned\\x07")
    assert not set(done.err) & set("\x1b\x07\x9b")


@pytest.mark.slow
def test_what_arrived_before_the_line_broke_is_kept_and_continued(place, site):
    """Four more tries, fifteen seconds of pauses; the next command asks for the rest alone."""
    body = bytes(range(256)) * 12392 + b"x" * 101  # as long as the file, and another
    for count in (1, 2):
        done = asked(place, site, FETCH, *[serve(body, cut=1000)] * 4, serve(body, cut=1000))
        assert done.status == 3
        assert re.search(rf"broke off after {count * 5000} of 3172453 bytes", done.err), done.err
        part = place.folder / "data" / f"{WANTED[1:]}.part"
        assert part.read_bytes() == body[: count * 5000]
        assert json.loads(part.with_name(f"{part.name}.json").read_text("utf-8"))["validator"] == '"one"'
        assert not (place.folder / "data" / WANTED[1:]).exists()
    assert site.ranges(WANTED)[5] == "bytes=5000-"


def test_interrupted_while_it_fetches_it_says_so(place, site):
    """Ctrl-C during a download that hangs: what arrived stays, for the next command."""
    site.url(WANTED, serve(bytes(3172453), cut=100_000, stall=True))
    process = place.start(*FETCH, TLBENCH_DATA_MIRROR=f"http://127.0.0.1:{site.server_port}", no_proxy="127.0.0.1")
    part = place.folder / "data" / f"{WANTED[1:]}.part"
    while process.poll() is None and not (part.exists() and part.stat().st_size == 100_000):
        site.open_again.wait(0.01)
    place.kill(process, 2)
    done = place.finish(process)
    assert done.status == 130
    assert "the same command goes on from there" in done.err
    assert "Traceback" not in done.err
    assert part.stat().st_size == 100_000
    assert not (place.folder / "data" / WANTED[1:]).exists()


# Archives: of this data set no checksum is published, so that any archive is unpacked

ARCHIVES = {
    "a way out": (zipped({"../up.txt": b"x"}), "leads out of the folder by '..'"),
    "an absolute path": (zipped({"/tmp/up.txt": b"x"}), "has an absolute path"),
    "a link": (zipped({"a.txt": b"x"}, marked("tiny-imagenet-200", stat.S_IFLNK | 0o777)), "is a symbolic link"),
    "a device": (zipped({"a.txt": b"x"}, marked("zero", stat.S_IFCHR | 0o666)), "is a device"),
    "a bomb": (zipped({"tiny-imagenet-200/zeros": bytes(20_000_000)}), "more than 200 times as large"),
    "half of one": (zipped()[:-40], "damaged or cut off"),
    "a web page": (PAGE, "is a saved web page"),
}


@pytest.mark.fault("archive")
@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_does_harm_is_one_sentence_and_leaves_nothing(place, name):
    content, words = ARCHIVES[name]
    (place.folder / "carried").mkdir()
    (place.folder / "carried" / "tiny-imagenet-200.zip").write_bytes(content)
    done = place.tlbench("data", "fetch", "tiny-imagenet", "--from", "carried", "--quiet")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert words in done.err
    there = {path.name for path in place.everything() if path.is_file() or path.is_symlink()}
    assert there <= {"tiny-imagenet-200.zip", "tiny-imagenet-200.zip.sha256"}
    assert not [path for path in place.everything() if path.is_dir() and "tiny-imagenet-200" in path.name]
